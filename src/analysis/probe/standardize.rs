//! Z-scores with the statistics of the training rows.

use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};

/// The affine map `z = (x − mean) / scale`, per feature, learned from training rows and applied to any.
///
/// `scale` is the population standard deviation (divisor `n`), and 1 for a feature that does not vary, as in
/// scikit-learn's `StandardScaler`.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardizer {
    mean: Vec<f64>,
    scale: Vec<f64>,
}

impl Standardizer {
    /// Learns mean and scale from the rows of `x`.
    pub fn fit(x: &Matrix) -> Self {
        let mut deviations = Deviations::new(x.column_means());
        (0..x.rows()).for_each(|row| deviations.add(x.row(row)));
        deviations.standardizer(x.rows())
    }

    /// The map with this mean and scale of each feature.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if they are not of one length, are not finite, or a scale is not above 0.
    pub fn new(mean: Vec<f64>, scale: Vec<f64>) -> Result<Self> {
        let finite = mean.iter().chain(&scale).all(|v| v.is_finite());
        let problem = match (mean.len() == scale.len(), finite) {
            (false, _) => "there must be one scale for each mean",
            (_, false) => "a mean or a scale is not a finite number",
            _ if scale.iter().any(|s| *s <= 0.0) => "every scale must be above 0",
            _ => return Ok(Self { mean, scale }),
        };
        Err(Error::BadParameter {
            name: "scaling",
            value: format!("{} means, {} scales", mean.len(), scale.len()),
            problem: problem.to_owned(),
        })
    }

    /// The rows of `x`, standardised.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if `x` has another number of features.
    pub fn apply(&self, x: &Matrix) -> Result<Matrix> {
        self.apply_to(x.clone())
    }

    /// The same, in place: activations are large.
    pub(crate) fn apply_to(&self, mut x: Matrix) -> Result<Matrix> {
        if x.cols() != self.mean.len() {
            return Err(Error::BadParameter {
                name: "features",
                value: x.cols().to_string(),
                problem: format!("the probe was trained on {} features", self.mean.len()),
            });
        }
        for row in 0..x.rows() {
            for (j, v) in x.row_mut(row).iter_mut().enumerate() {
                *v = (*v - self.mean[j]) / self.scale[j];
            }
        }
        Ok(x)
    }

    /// The mean of each feature over the training rows.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// What each feature is divided by.
    pub fn scale(&self) -> &[f64] {
        &self.scale
    }

    /// The weights and intercepts on the original features that predict as these do on standardised ones. `weights` has a
    /// row per feature and a column per output.
    pub(crate) fn unstandardize(&self, weights: &Matrix, intercepts: &[f64]) -> (Matrix, Vec<f64>) {
        let raw = Matrix::from_fn(weights.rows(), weights.cols(), |j, k| {
            weights.at(j, k) / self.scale[j]
        });
        let intercepts = (0..weights.cols())
            .map(|k| {
                let shift: f64 = (0..raw.rows()).map(|j| raw.at(j, k) * self.mean[j]).sum();
                intercepts[k] - shift
            })
            .collect();
        (raw, intercepts)
    }
}

/// What the features of rows deviate from their means by, added up row by row.
pub(super) struct Deviations {
    mean: Vec<f64>,
    drift: Vec<f64>,
    square: Vec<f64>,
}

impl Deviations {
    /// Of rows with these means.
    pub(super) fn new(mean: Vec<f64>) -> Self {
        let zeros = vec![0.0; mean.len()];
        Self {
            drift: zeros.clone(),
            square: zeros,
            mean,
        }
    }

    /// One row.
    pub(super) fn add(&mut self, row: &[f64]) {
        for (j, v) in row.iter().enumerate() {
            let deviation = v - self.mean[j];
            self.drift[j] += deviation;
            self.square[j] += deviation * deviation;
        }
    }

    /// The map of so many rows.
    pub(super) fn standardizer(self, rows: usize) -> Standardizer {
        let n = rows as f64;
        let sums = self.drift.iter().zip(&self.square).zip(&self.mean);
        let scale = sums.map(|((drift, square), mean)| {
            // Subtracting the mean's own rounding error (Chan, Golub & LeVeque 1983) keeps a constant feature constant.
            let variance = (square - drift * drift / n) / n;
            match varies(variance, *mean, n) {
                true => variance.sqrt(),
                false => 1.0,
            }
        });
        Standardizer {
            scale: scale.collect(),
            mean: self.mean,
        }
    }
}

/// Whether a variance is more than the rounding error of summing equal numbers (scikit-learn's `_is_constant_feature`).
fn varies(variance: f64, mean: f64, n: f64) -> bool {
    let error = n * mean * f64::EPSILON;
    variance > n * f64::EPSILON * variance + error * error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_rows_get_mean_zero_and_population_deviation_one() {
        let x = Matrix::new(3, 2, vec![1.0, 5.0, 2.0, 5.0, 6.0, 5.0]).unwrap();
        let s = Standardizer::fit(&x);
        assert_eq!(s.mean(), [3.0, 5.0]);
        assert!((s.scale()[0] - (14.0f64 / 3.0).sqrt()).abs() < 1e-15);
        assert_eq!(s.scale()[1], 1.0, "a constant feature keeps its scale");
        let other = Matrix::new(1, 2, vec![3.0, 7.0]).unwrap();
        assert_eq!(s.apply(&other).unwrap().row(0), [0.0, 2.0]);
        assert!(s.apply(&Matrix::zeros(1, 3)).is_err());
    }

    #[test]
    fn a_constant_that_has_no_exact_mean_is_still_constant() {
        let x = Matrix::from_fn(1000, 1, |_, _| 0.1);
        assert_eq!(Standardizer::fit(&x).scale(), [1.0]);
    }
}
