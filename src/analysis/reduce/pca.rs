//! Principal components, exactly.

use super::covariance::{TASK, covariance_lower};
use super::eigen::largest_eigen;
use crate::analysis::matrix::Matrix;
use crate::analysis::neighbors::Rows;
use crate::error::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use serde::Serialize;

/// The principal components of some rows.
#[derive(Debug, Clone, Serialize)]
pub struct Pca {
    /// The mean of each feature.
    #[serde(skip)]
    pub mean: Vec<f64>,
    /// Unit directions, one a row, the one of largest variance first. Of each, the entry of largest size is positive.
    #[serde(skip)]
    pub components: Matrix,
    /// The variance along each direction (n - 1 in the denominator).
    pub variance: Vec<f64>,
    /// Each direction's share of the variance of all features together, not of the kept directions.
    pub share: Vec<f64>,
    /// The variance of all features together.
    pub total_variance: f64,
}

impl Pca {
    /// The first `count` components (fewer where the rows span fewer dimensions).
    ///
    /// The covariance is summed in `f32` products and `f64` sums, or, for fewer rows than features, the rows' own products are taken
    /// in `f64`; its eigenvectors are found in `f64`.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for `count` = 0, for fewer than two rows, and for rows that are all equal.
    pub fn fit(rows: &Rows, count: usize) -> Result<Self> {
        let bad = |name, value: usize, problem: &str| Error::BadParameter {
            name,
            value: value.to_string(),
            problem: problem.to_owned(),
        };
        let (n, d) = (rows.rows(), rows.cols());
        if count == 0 {
            return Err(bad("components", 0, "ask for at least one"));
        }
        if n < 2 {
            return Err(bad("rows", n, "components need at least two rows"));
        }
        let mean = rows.means();
        let degrees = (n - 1) as f64;
        let (variance, components, total) = match n < d {
            false => of_features(rows, &mean, count)?,
            true => of_rows(rows, &mean, count)?,
        };
        let total_variance = total / degrees;
        // What rounding leaves of rows that are equal is no variance.
        let scale = mean.iter().map(|m| m * m).sum::<f64>();
        if total_variance.is_nan() || total_variance <= 1e-14 * scale {
            return Err(bad(
                "rows",
                n,
                "they are all equal: there is no variance to explain",
            ));
        }
        let variance: Vec<f64> = variance.iter().map(|v| v.max(0.0) / degrees).collect();
        Ok(Self {
            mean,
            components,
            share: variance.iter().map(|v| v / total_variance).collect(),
            variance,
            total_variance,
        })
    }

    /// Rows along the components, `[rows, components]`.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for rows of another width.
    pub fn project(&self, rows: &Rows) -> Result<Rows> {
        let (d, k) = (self.mean.len(), self.components.rows());
        if rows.cols() != d {
            return Err(Error::BadParameter {
                name: "rows",
                value: format!("{} numbers each", rows.cols()),
                problem: format!("the components have {d}"),
            });
        }
        let narrow: Vec<f32> = self
            .components
            .as_slice()
            .iter()
            .map(|v| *v as f32)
            .collect();
        let components = MatRef::from_row_major_slice(&narrow, k, d);
        let mut out = vec![0.0f32; rows.rows() * k];
        out.par_chunks_mut(TASK * k)
            .zip(rows.as_slice().par_chunks(TASK * d))
            .for_each(|(out, part)| {
                let part = centred(part, &self.mean);
                let count = part.len() / d;
                let left = MatRef::from_row_major_slice(&part, count, d);
                let out = MatMut::from_row_major_slice_mut(out, count, k);
                matmul(
                    out,
                    Accum::Replace,
                    left,
                    components.transpose(),
                    1.0,
                    Par::Seq,
                );
            });
        Rows::new(k, out)
    }
}

fn centred(part: &[f32], mean: &[f64]) -> Vec<f32> {
    let mut out = Vec::with_capacity(part.len());
    for row in part.chunks_exact(mean.len()) {
        let pairs = row.iter().zip(mean);
        out.extend(pairs.map(|(v, m)| (f64::from(*v) - m) as f32));
    }
    out
}

/// Sums of squares along the first directions, the directions, and the sum over all.
type Found = (Vec<f64>, Matrix, f64);

fn of_features(rows: &Rows, mean: &[f64], count: usize) -> Result<Found> {
    let d = rows.cols();
    let lower = covariance_lower(rows, mean);
    let total = (0..d).map(|i| lower[(i, i)]).sum();
    let (values, vectors) = largest_eigen(lower.as_ref(), count)?;
    let components = Matrix::from_fn(values.len(), d, |i, j| vectors[(j, i)]);
    Ok((values, signed(components), total))
}

fn of_rows(rows: &Rows, mean: &[f64], count: usize) -> Result<Found> {
    let (n, d) = (rows.rows(), rows.cols());
    let x = Matrix::from_fn(n, d, |i, j| f64::from(rows.row(i)[j]) - mean[j]);
    let gram = x.row_gram();
    let total = (0..n).map(|i| gram.at(i, i)).sum();
    // The mean took one dimension.
    let (values, vectors) = largest_eigen(gram.view(), count.min(n - 1))?;
    // What else rounding leaves is none either.
    let most = values.first().copied().unwrap_or(0.0);
    let kept = values.iter().take_while(|v| **v > 1e-12 * most).count();
    let along = Matrix::from_fn(n, kept, |i, j| vectors[(i, j)] / values[j].sqrt());
    let directions = x.transposed_times(&along)?;
    let components = Matrix::from_fn(kept, d, |i, j| directions.at(j, i));
    Ok((values[..kept].to_vec(), signed(components), total))
}

/// Of each direction, the entry of largest size is made positive (the first such entry): scikit-learn's rule since 1.5.
fn signed(mut components: Matrix) -> Matrix {
    for i in 0..components.rows() {
        let row = components.row_mut(i);
        let mut largest = 0.0f64;
        for v in row.iter() {
            if v.abs() > largest.abs() {
                largest = *v;
            }
        }
        if largest < 0.0 {
            row.iter_mut().for_each(|v| *v = -*v);
        }
    }
    components
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Rows stretched along each axis, off the origin.
    fn stretched(n: usize, d: usize) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let data = (0..n * d).map(|i| {
            let stretch = 1.0 / (1.0 + (i % d) as f32);
            3.0 + stretch * rng.random_range(-1.0f32..1.0)
        });
        Rows::new(d, data.collect()).unwrap()
    }

    #[test]
    fn components_diagonalise_the_covariance_and_shares_are_of_the_total() {
        for (n, d) in [(3000, 12), (9, 40), (40, 40)] {
            let rows = stretched(n, d);
            let all = Pca::fit(&rows, d).unwrap();
            let sum: f64 = all.share.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{n} × {d}: {sum}");
            let few = Pca::fit(&rows, 2).unwrap();
            assert!(few.share.iter().sum::<f64>() < 0.9);
            let scores = all.project(&rows).unwrap();
            let k = scores.cols();
            for i in 0..k.min(4) {
                for j in 0..=i {
                    let product: f64 = (0..n)
                        .map(|r| f64::from(scores.row(r)[i]) * f64::from(scores.row(r)[j]))
                        .sum::<f64>()
                        / (n - 1) as f64;
                    let expected = if i == j { all.variance[i] } else { 0.0 };
                    assert!(
                        (product - expected).abs() < 1e-5,
                        "{n} × {d}: {i} {j} {product}"
                    );
                }
                let largest = all.components.row(i).iter().copied().fold(0.0, f64::max);
                assert!(all.components.row(i).iter().all(|v| v.abs() <= largest));
            }
        }
    }

    #[test]
    fn equal_rows_have_no_components() {
        let error = Pca::fit(&Rows::new(3, vec![0.1; 30]).unwrap(), 2).unwrap_err();
        assert!(error.to_string().contains("all equal"), "{error}");
        assert!(Pca::fit(&Rows::new(3, vec![0.1; 3]).unwrap(), 2).is_err());
        assert!(Pca::fit(&stretched(5, 3), 0).is_err());
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let rows = stretched(5000, 30);
        let fit = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| Pca::fit(&rows, 5).unwrap().components)
        };
        assert_eq!(fit(1), fit(3));
    }
}
