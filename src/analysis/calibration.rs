//! How often a classifier is right when it says how sure it is.

use super::metrics::ratio;
use crate::analysis::matrix::Matrix;

/// How often a classifier is right when it says how sure it is (Guo et al. 2017): rows in 15 equally wide bins by the probability of the
/// predicted class.
#[derive(Debug, Clone)]
pub struct Calibration {
    bin: Vec<usize>,
    confidence: Vec<f64>,
    right: Vec<bool>,
}

/// One bin of a [`Calibration`].
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct CalibrationBin {
    /// Rows.
    pub rows: f64,
    /// The mean probability of the predicted class.
    pub confidence: f64,
    /// The share of rows whose predicted class is the true one.
    pub accuracy: f64,
}

impl Calibration {
    /// How many bins there are.
    pub const BINS: usize = 15;

    /// From `probabilities`, `[rows, classes]`, of rows whose class is `truth`.
    pub fn new(truth: &[usize], probabilities: &Matrix) -> Self {
        let said = (0..truth.len()).map(|row| {
            let classes = probabilities.row(row).iter().enumerate();
            classes.fold((0, f64::NEG_INFINITY), |best, (class, p)| {
                match *p > best.1 {
                    true => (class, *p),
                    false => best,
                }
            })
        });
        let (classes, confidence): (Vec<usize>, Vec<f64>) = said.unzip();
        // Bins are open to the left: (0, 1/15], (1/15, 2/15], …
        let bin = |p: &f64| ((p * Self::BINS as f64).ceil() as usize).clamp(1, Self::BINS) - 1;
        Self {
            bin: confidence.iter().map(bin).collect(),
            confidence,
            right: classes
                .iter()
                .zip(truth)
                .map(|(said, class)| said == class)
                .collect(),
        }
    }

    /// All bins, empty ones (with `rows` 0) too.
    pub fn bins(&self, weights: &[f64]) -> Vec<CalibrationBin> {
        let mut sums = vec![(0.0, 0.0, 0.0); Self::BINS];
        for (row, weight) in weights.iter().enumerate() {
            let sum = &mut sums[self.bin[row]];
            sum.0 += weight;
            sum.1 += weight * self.confidence[row];
            sum.2 += if self.right[row] { *weight } else { 0.0 };
        }
        let bin = |(rows, confidence, right): (f64, f64, f64)| CalibrationBin {
            rows,
            confidence: ratio(confidence, rows).unwrap_or(0.0),
            accuracy: ratio(right, rows).unwrap_or(0.0),
        };
        sums.into_iter().map(bin).collect()
    }

    /// The expected calibration error: the distance of confidence and accuracy, averaged over rows.
    pub fn error(&self, weights: &[f64]) -> Option<f64> {
        let bins = self.bins(weights);
        let missed = bins
            .iter()
            .map(|b| b.rows * (b.confidence - b.accuracy).abs());
        ratio(missed.sum(), weights.iter().sum())
    }
}
