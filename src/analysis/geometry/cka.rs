//! Centred kernel alignment with the unbiased estimator: 0 on average for spaces that have nothing to do with each other.

use crate::analysis::matrix::Matrix;
use crate::analysis::neighbors::Rows;

/// The products of a space's rows with each other, the diagonal set to zero, and what the estimator needs of them.
#[derive(Debug, Clone)]
pub struct Gram {
    products: Matrix,
    row_sums: Vec<f64>,
    sum: f64,
    /// The estimator of the space with itself.
    own: f64,
}

impl Gram {
    /// Of at least four rows. The mean is taken off first, which changes nothing but rounding.
    pub(crate) fn of(rows: &Rows) -> Self {
        let mean = rows.means();
        let centred = Matrix::from_fn(rows.rows(), rows.cols(), |i, j| {
            f64::from(rows.row(i)[j]) - mean[j]
        });
        let mut products = centred.row_gram();
        let n = products.rows();
        for i in 0..n {
            products.row_mut(i)[i] = 0.0;
        }
        let row_sums: Vec<f64> = (0..n).map(|i| products.row(i).iter().sum()).collect();
        let mut gram = Self {
            sum: row_sums.iter().sum(),
            row_sums,
            products,
            own: 0.0,
        };
        let same: Vec<usize> = (0..n).collect();
        gram.own = gram.hsic(&gram, &same);
        gram
    }

    /// The debiased CKA (Nguyen et al. 2021) with linear kernels, row `i` of this space being of the same thing as row `order[i]` of the
    /// other. NaN where a space has no variance.
    pub(crate) fn cka(&self, other: &Self, order: &[usize]) -> f64 {
        self.hsic(other, order) / (self.own * other.own).sqrt()
    }

    /// The unbiased Hilbert-Schmidt independence criterion (Song et al. 2012, equation 5).
    fn hsic(&self, other: &Self, order: &[usize]) -> f64 {
        let n = self.row_sums.len() as f64;
        let (mut trace, mut of_sums) = (0.0, 0.0);
        for (i, &at) in order.iter().enumerate() {
            let (left, right) = (self.products.row(i), other.products.row(at));
            let mut sum = 0.0;
            for (value, &col) in left.iter().zip(order) {
                sum += value * right[col];
            }
            trace += sum;
            of_sums += self.row_sums[i] * other.row_sums[at];
        }
        let sums = self.sum * other.sum / ((n - 1.0) * (n - 2.0));
        (trace + sums - 2.0 / (n - 2.0) * of_sums) / (n * (n - 3.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random(n: usize, d: usize, seed: u64) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let data = (0..n * d).map(|_| rng.random_range(-1.0f32..1.0));
        Rows::new(d, data.collect()).unwrap()
    }

    #[test]
    fn a_space_turned_stretched_and_moved_is_the_same_and_another_has_nothing_in_common() {
        let rows = random(120, 6, 1);
        let turned: Vec<f32> = (0..120)
            .flat_map(|i| {
                let r = rows.row(i);
                [r[1], -r[0], r[3], r[2], r[5], r[4]].map(|v| 3.0 * v + 100.0)
            })
            .collect();
        let turned = Gram::of(&Rows::new(6, turned).unwrap());
        let (own, other) = (Gram::of(&rows), Gram::of(&random(120, 40, 2)));
        let same: Vec<usize> = (0..120).collect();
        assert!((own.cka(&turned, &same) - 1.0).abs() < 1e-4);
        // Biased CKA of these two is far above zero.
        assert!(own.cka(&other, &same).abs() < 0.1);
        assert!((own.cka(&other, &same) - other.cka(&own, &same)).abs() < 1e-12);
    }
}
