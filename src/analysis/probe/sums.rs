//! Sums over rows of classes: all that the closed-form kinds need to know of the rows.

use super::gram::{cholesky, singular, solve_factored};
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
        let mut sums = Self::empty(&Arc::new(x.gram()), classes);
        sums.add_rows(x, labels)?;
        Ok(sums)
    }

    /// No row yet, of rows whose products are known.
    pub(super) fn empty(products: &Arc<Matrix>, classes: usize) -> Self {
        Self {
            counts: vec![0.0; classes],
            sums: Matrix::zeros(classes, products.cols()),
            products: Arc::clone(products),
        }
    }

    /// Adds rows with their labels; their products are known.
    pub(super) fn add_rows(&mut self, x: &Matrix, labels: &[usize]) -> Result<()> {
        super::check_rows(x, labels.len())?;
        let classes = self.counts.len();
        if let Some(label) = labels.iter().find(|label| **label >= classes) {
            return Err(Error::BadParameter {
                name: "labels",
                value: label.to_string(),
                problem: format!("there are {classes} classes, counted from 0"),
            });
        }
        for (row, &class) in labels.iter().enumerate() {
            self.counts[class] += 1.0;
            let pairs = self.sums.row_mut(class).iter_mut().zip(x.row(row));
            pairs.for_each(|(sum, value)| *sum += value);
        }
        Ok(())
    }

    /// Mean and population deviation of each feature over all classes.
    pub(super) fn mean_and_scale(&self) -> (Vec<f64>, Vec<f64>) {
        let n = self.rows();
        let sum = |j: usize| {
            (0..self.sums.rows())
                .map(|k| self.sums.at(k, j))
                .sum::<f64>()
        };
        let mean: Vec<f64> = (0..self.sums.cols()).map(|j| sum(j) / n).collect();
        let scale = scale_of(&self.products, &mean, n);
        (mean, scale)
    }

    /// The sums of the same rows, of features less this mean (that of all rows) and divided by this scale.
    pub(super) fn standardized(&self, mean: &[f64], scale: &[f64]) -> Self {
        let n = self.rows();
        let (products, sums) = (&self.products, &self.sums);
        Self {
            counts: self.counts.clone(),
            sums: Matrix::from_fn(sums.rows(), sums.cols(), |k, j| {
                (sums.at(k, j) - self.counts[k] * mean[j]) / scale[j]
            }),
            products: Arc::new(Matrix::from_fn(products.rows(), products.cols(), |i, j| {
                (products.at(i, j) - n * mean[i] * mean[j]) / (scale[i] * scale[j])
            })),
        }
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
        let lower = cholesky(lower).ok_or_else(|| singular(lambda))?;
        Ok(solve_factored(&lower, v))
    }
}

/// The population deviation of features that are about standard, from their products; 1 for one that does not vary, which gets no weight.
pub(super) fn scale_of(products: &Matrix, mean: &[f64], n: f64) -> Vec<f64> {
    let each = mean.iter().enumerate().map(|(j, mean)| {
        let square = products.at(j, j) / n;
        let variance = square - mean * mean;
        match variance > 1e-13 * (1.0 + square) {
            true => variance.sqrt(),
            false => 1.0,
        }
    });
    each.collect()
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
