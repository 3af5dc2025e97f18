//! A probe with one hidden layer: what can be read when the probe may compute, as the contrast to what is there to be read.

use super::adam::Adam;
use super::scores::{decide, probabilities};
use crate::analysis::matrix::Matrix;
use crate::error::Result;
use crate::text::split::folds;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Hidden units.
const HIDDEN: usize = 64;
const BATCH: usize = 128;
const RATE: f64 = 2e-3;
const MOST_EPOCHS: usize = 60;
/// Epochs without a better loss on the held-out part, after which training ends.
const PATIENCE: usize = 6;
/// Parts of the training rows of which one is held out to say when to stop.
const PARTS: usize = 6;

/// `W₂ᵀ relu(W₁ᵀ z + b₁) + b₂` with 64 hidden units, for classes through a softmax: the probe whose capacity Hewitt & Liang (2019) and Pimentel
/// et al. (2020) argue over. It is no direction, so it has no readout.
#[derive(Debug, Clone)]
pub(super) struct Mlp {
    first: Matrix,
    second: Matrix,
    /// The biases of the hidden units, then those of the scores.
    bias: (Vec<f64>, Vec<f64>),
}

/// What training rows are, and how they are trained on.
pub(super) struct Training<'a> {
    /// Standardised rows.
    pub(super) z: &'a Matrix,
    /// The column of the labels, for messages.
    pub(super) column: &'a str,
    pub(super) groups: Option<&'a [usize]>,
    pub(super) lambda: f64,
    pub(super) seed: u64,
}

/// What is to be said of each row.
#[derive(Debug, Clone)]
pub(super) enum Truth {
    /// Its class, of so many.
    Classes(Vec<usize>, usize),
    /// Numbers, `[rows, targets]`, about standard.
    Numbers(Matrix),
}

impl Truth {
    fn outputs(&self) -> usize {
        match self {
            Truth::Classes(_, classes) => *classes,
            Truth::Numbers(values) => values.cols(),
        }
    }

    /// What rows must not be told apart by when they are cut into parts.
    fn strata(&self) -> Vec<usize> {
        match self {
            Truth::Classes(labels, _) => labels.clone(),
            Truth::Numbers(values) => vec![0; values.rows()],
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Truth::Classes(labels, classes) => {
                Truth::Classes(rows.iter().map(|row| labels[*row]).collect(), *classes)
            }
            Truth::Numbers(values) => Truth::Numbers(values.select(rows)),
        }
    }

    /// Mean cross-entropy in nats, or half the mean squared error.
    fn loss(&self, outputs: &Matrix) -> f64 {
        let n = outputs.rows().max(1) as f64;
        match self {
            Truth::Classes(labels, _) => {
                let proba = probabilities(outputs);
                let each = labels.iter().enumerate();
                let each =
                    each.map(|(row, class)| -proba.at(row, *class).max(f64::MIN_POSITIVE).ln());
                each.sum::<f64>() / n
            }
            Truth::Numbers(values) => {
                let pairs = outputs.as_slice().iter().zip(values.as_slice());
                0.5 * pairs.map(|(a, b)| (a - b).powi(2)).sum::<f64>() / n
            }
        }
    }

    /// The slope of the loss in each output.
    fn error(&self, outputs: &Matrix) -> Matrix {
        let n = outputs.rows().max(1) as f64;
        let mut error = match self {
            Truth::Classes(labels, _) => {
                let mut proba = probabilities(outputs);
                for (row, class) in labels.iter().enumerate() {
                    proba.row_mut(row)[*class] -= 1.0;
                }
                proba
            }
            Truth::Numbers(values) => Matrix::from_fn(values.rows(), values.cols(), |i, k| {
                outputs.at(i, k) - values.at(i, k)
            }),
        };
        error.as_mut_slice().iter_mut().for_each(|e| *e /= n);
        error
    }
}

impl Mlp {
    /// Trains by Adam in batches on the training rows but a sixth (whole groups), and keeps the weights with the lowest loss on that sixth.
    ///
    /// # Errors
    /// [`crate::error::Error::BadLabel`] if a class has too few rows or groups for a part of its own.
    pub(super) fn fit(on: &Training<'_>, truth: &Truth, stream: u64) -> Result<Self> {
        let rows = on.z.rows();
        let parts = folds(&truth.strata(), on.groups, PARTS, on.seed)
            .or_else(|_| folds(&vec![0; rows], on.groups, PARTS, on.seed))
            .map_err(|e| e.named(on.column, |_| "all training rows".to_owned()))?;
        let held_out = parts.into_iter().next().unwrap_or_default();
        let mut kept: Vec<usize> = (0..rows)
            .filter(|r| held_out.binary_search(r).is_err())
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(on.seed);
        rng.set_stream(3 + stream);
        let mut net = Self::random(on.z.cols(), truth.outputs(), &mut rng);
        let (watched, known) = (on.z.select(&held_out), truth.select(&held_out));
        let mut adams = net.parts_mut().map(|part| Adam::new(part.len(), RATE));
        let (mut best, mut since) = ((f64::INFINITY, net.clone()), 0);
        for epoch in 0..MOST_EPOCHS {
            kept.shuffle(&mut rng);
            for batch in kept.chunks(BATCH) {
                let slopes = net.slopes(&on.z.select(batch), &truth.select(batch), on.lambda)?;
                let decay = 1.0 - epoch as f64 / MOST_EPOCHS as f64;
                for ((part, slope), adam) in net.parts_mut().into_iter().zip(slopes).zip(&mut adams)
                {
                    adam.step(part, &slope, decay);
                }
            }
            let loss = known.loss(&net.outputs(&watched)?);
            since += 1;
            if loss < best.0 {
                (best, since) = ((loss, net.clone()), 0);
            }
            if since >= PATIENCE {
                break;
            }
        }
        Ok(best.1)
    }

    /// He et al.'s (2015) scale for units that are cut off at zero.
    fn random(features: usize, classes: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut uniform = |rows: usize, cols: usize| {
            let reach = (6.0 / rows as f64).sqrt();
            Matrix::from_fn(rows, cols, |_, _| rng.random_range(-reach..reach))
        };
        Self {
            first: uniform(features, HIDDEN),
            second: uniform(HIDDEN, classes),
            bias: (vec![0.0; HIDDEN], vec![0.0; classes]),
        }
    }

    fn parts_mut(&mut self) -> [&mut [f64]; 4] {
        [
            self.first.as_mut_slice(),
            self.second.as_mut_slice(),
            &mut self.bias.0,
            &mut self.bias.1,
        ]
    }

    fn hidden(&self, z: &Matrix) -> Result<Matrix> {
        let mut hidden = decide(z, &self.first, &self.bias.0)?;
        hidden
            .as_mut_slice()
            .iter_mut()
            .for_each(|v| *v = v.max(0.0));
        Ok(hidden)
    }

    /// The scores of standardised rows as all kinds give them: one for two classes (log-odds of the second), else one a class.
    ///
    /// # Errors
    /// [`crate::error::Error::BadParameter`] for another number of features.
    pub(super) fn scores(&self, z: &Matrix) -> Result<Matrix> {
        let scores = self.outputs(z)?;
        Ok(match scores.cols() {
            2 => Matrix::from_fn(z.rows(), 1, |row, _| scores.at(row, 1) - scores.at(row, 0)),
            _ => scores,
        })
    }

    /// One number a class or target.
    ///
    /// # Errors
    /// As [`Mlp::scores`].
    pub(super) fn outputs(&self, z: &Matrix) -> Result<Matrix> {
        decide(&self.hidden(z)?, &self.second, &self.bias.1)
    }

    /// The gradient of the mean loss plus `λ/2 (‖W₁‖² + ‖W₂‖²)`, in the order of the parts.
    fn slopes(&self, z: &Matrix, truth: &Truth, lambda: f64) -> Result<[Vec<f64>; 4]> {
        let hidden = self.hidden(z)?;
        let error = truth.error(&decide(&hidden, &self.second, &self.bias.1)?);
        let turned = Matrix::from_fn(self.second.cols(), HIDDEN, |k, h| self.second.at(h, k));
        let mut of_hidden = error.times(&turned)?;
        let pairs = of_hidden.as_mut_slice().iter_mut().zip(hidden.as_slice());
        pairs.for_each(|(slope, unit)| *slope = if *unit > 0.0 { *slope } else { 0.0 });
        let penalised = |slope: Matrix, weights: &Matrix| {
            let pairs = slope.as_slice().iter().zip(weights.as_slice());
            pairs.map(|(s, w)| s + lambda * w).collect::<Vec<f64>>()
        };
        let totals = |m: &Matrix| {
            m.column_means()
                .iter()
                .map(|v| v * m.rows() as f64)
                .collect::<Vec<f64>>()
        };
        Ok([
            penalised(z.transposed_times(&of_hidden)?, &self.first),
            penalised(hidden.transposed_times(&error)?, &self.second),
            totals(&of_hidden),
            totals(&error),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Matrix::from_fn(rows, cols, |_, _| rng.random_range(-1.0..1.0))
    }

    /// The slopes of every part against central differences.
    #[test]
    fn slopes_are_those_of_central_differences() {
        let z = random(7, 3, 1);
        let classes = Truth::Classes(vec![0, 2, 1, 0, 1, 2, 0], 3);
        for truth in [classes, Truth::Numbers(random(7, 2, 2))] {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let net = Mlp::random(3, truth.outputs(), &mut rng);
            let slopes = net.slopes(&z, &truth, 0.3).unwrap();
            let value = |net: &Mlp| {
                let square = |m: &Matrix| m.as_slice().iter().map(|w| w * w).sum::<f64>();
                let penalty = 0.5 * 0.3 * (square(&net.first) + square(&net.second));
                truth.loss(&net.outputs(&z).unwrap()) + penalty
            };
            for (part, slopes) in slopes.iter().enumerate() {
                for at in (0..slopes.len()).step_by(5) {
                    let moved = |by: f64| {
                        let mut net = net.clone();
                        net.parts_mut()[part][at] += by;
                        value(&net)
                    };
                    let numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                    let slope = slopes[at];
                    assert!((numeric - slope).abs() < 1e-6, "{numeric} {slope}");
                }
            }
        }
    }
}
