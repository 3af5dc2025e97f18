//! Sums over rows of classes: all that the closed-form kinds need to know of the rows.

use super::gram::{cholesky, solve_factored};
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use std::sync::Arc;

/// Counts, sums and products of the rows of each class. Those of two parts add up to those of the whole, so that rows may come in any
/// number of pieces.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassSums {
    counts: Vec<f64>,
    /// `[classes, features]`.
    sums: Matrix,
    /// `Σ x xᵀ` over all rows, `[features, features]`; the same whatever the labels are.
    products: Arc<Matrix>,
}

impl ClassSums {
    /// The sums of these rows, with one label in `0..classes` each.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if there is not one label for each row, or a label is not below `classes`.
    pub fn of(x: &Matrix, labels: &[usize], classes: usize) -> Result<Self> {
        Self::with_products(&Arc::new(x.gram()), x, labels, classes)
    }

    /// The same for rows whose products are known, under other labels.
    pub(super) fn with_products(
        products: &Arc<Matrix>,
        x: &Matrix,
        labels: &[usize],
        classes: usize,
    ) -> Result<Self> {
        super::check_rows(x, labels.len())?;
        if let Some(label) = labels.iter().find(|label| **label >= classes) {
            return Err(Error::BadParameter {
                name: "labels",
                value: label.to_string(),
                problem: format!("there are {classes} classes, counted from 0"),
            });
        }
        let mut counts = vec![0.0; classes];
        let mut sums = Matrix::zeros(classes, x.cols());
        for (row, &class) in labels.iter().enumerate() {
            counts[class] += 1.0;
            let pairs = sums.row_mut(class).iter_mut().zip(x.row(row));
            pairs.for_each(|(sum, value)| *sum += value);
        }
        Ok(Self {
            counts,
            sums,
            products: Arc::clone(products),
        })
    }

    /// The sums of these rows and those.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for another number of classes or features.
    pub fn merged(mut self, other: &Self) -> Result<Self> {
        let shape = |s: &Self| (s.sums.rows(), s.sums.cols());
        if shape(&self) != shape(other) {
            return Err(Error::BadParameter {
                name: "sums",
                value: format!("{:?} and {:?}", shape(&self), shape(other)),
                problem: "sums add up where classes and features are the same".to_owned(),
            });
        }
        self.counts
            .iter_mut()
            .zip(&other.counts)
            .for_each(|(a, b)| *a += b);
        self.sums.add(&other.sums);
        Arc::make_mut(&mut self.products).add(&other.products);
        Ok(self)
    }

    /// The number of rows of each class.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }

    /// The number of rows.
    pub fn rows(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// The mean of each class, `[classes, features]`; zero for a class without rows.
    pub fn means(&self) -> Matrix {
        Matrix::from_fn(self.sums.rows(), self.sums.cols(), |k, j| {
            self.sums.at(k, j) / self.counts[k].max(1.0)
        })
    }

    /// The covariance within classes, `Σ_k Σ_{i in k} (x_i − μ_k)(x_i − μ_k)ᵀ / n`.
    pub fn within(&self) -> Matrix {
        let (means, n) = (self.means(), self.rows());
        let between = self.sums.transposed_times(&means);
        let between = between.unwrap_or_else(|_| Matrix::zeros(self.sums.cols(), self.sums.cols()));
        Matrix::from_fn(self.products.rows(), self.products.cols(), |i, j| {
            (self.products.at(i, j) - 0.5 * (between.at(i, j) + between.at(j, i))) / n
        })
    }

    /// `(within + λI)⁻¹ V`.
    pub(super) fn whitened(&self, v: &Matrix, lambda: f64) -> Result<Matrix> {
        let mut lower = self.within().view().to_owned();
        (0..lower.nrows()).for_each(|i| lower[(i, i)] += lambda);
        let lower = cholesky(lower).ok_or_else(|| Error::BadParameter {
            name: "lambda",
            value: format!("{lambda:e}"),
            problem: "the penalty is too small for these features, which depend on each other; give a larger one".to_owned(),
        })?;
        Ok(solve_factored(&lower, v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn sums_of_parts_are_the_sums_of_the_whole(n in 4usize..60, d in 1usize..9, cut in 1usize..3, seed in 0u64..99) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let x = Matrix::from_fn(n, d, |_, _| rng.random_range(-1.0..1.0));
            let labels: Vec<usize> = (0..n).map(|_| rng.random_range(0..3)).collect();
            let (first, second): (Vec<usize>, Vec<usize>) = ((0..cut).collect(), (cut..n).collect());
            let part = |rows: &[usize]| {
                let labels: Vec<usize> = rows.iter().map(|r| labels[*r]).collect();
                ClassSums::of(&x.select(rows), &labels, 3).unwrap()
            };
            let whole = ClassSums::of(&x, &labels, 3).unwrap();
            let merged = part(&first).merged(&part(&second)).unwrap();
            let close = |a: &Matrix, b: &Matrix| a.as_slice().iter().zip(b.as_slice()).all(|(a, b)| (a - b).abs() < 1e-9);
            prop_assert_eq!(merged.counts(), whole.counts());
            prop_assert!(close(&merged.means(), &whole.means()) && close(&merged.within(), &whole.within()));
            // By definition.
            let means = whole.means();
            let naive = Matrix::from_fn(d, d, |a, b| {
                let term = |i: usize| (x.at(i, a) - means.at(labels[i], a)) * (x.at(i, b) - means.at(labels[i], b));
                (0..n).map(term).sum::<f64>() / n as f64
            });
            prop_assert!(close(&whole.within(), &naive));
        }
    }
}
