//! A probe with one hidden layer: what can be read when the probe may compute, as the contrast to what is there to be read.

use super::adam::Adam;
use super::direct::Fitting;
use super::scores::probabilities;
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

/// `softmax(W₂ᵀ relu(W₁ᵀ z + b₁) + b₂)` with 64 hidden units: the probe whose capacity Hewitt & Liang (2019) and Pimentel et al. (2020) argue
/// over. It is no direction, so it has no readout.
#[derive(Debug, Clone)]
pub(super) struct Mlp {
    first: Matrix,
    second: Matrix,
    /// The biases of the hidden units, then those of the scores.
    bias: (Vec<f64>, Vec<f64>),
}

impl Mlp {
    /// Trains by Adam in batches on the training rows but a sixth (whole groups), and keeps the weights with the lowest loss on that sixth.
    ///
    /// # Errors
    /// [`crate::error::Error::BadLabel`] if a class has too few rows or groups for a part of its own.
    pub(super) fn fit(on: &Fitting<'_>, labels: &[usize], stream: u64) -> Result<Self> {
        let parts = folds(labels, on.groups, PARTS, on.seed)
            .or_else(|_| folds(&vec![0; labels.len()], on.groups, PARTS, on.seed))
            .map_err(|e| e.named(on.column, |_| "all training rows".to_owned()))?;
        let held_out = parts.into_iter().next().unwrap_or_default();
        let mut kept: Vec<usize> = (0..labels.len())
            .filter(|r| held_out.binary_search(r).is_err())
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(on.seed);
        rng.set_stream(3 + stream);
        let mut net = Self::random(on.z.cols(), on.classes, &mut rng);
        let (watched, truth) = (on.z.select(&held_out), pick(labels, &held_out));
        let mut adams = net.parts_mut().map(|part| Adam::new(part.len(), RATE));
        let (mut best, mut since) = ((f64::INFINITY, net.clone()), 0);
        for epoch in 0..MOST_EPOCHS {
            kept.shuffle(&mut rng);
            for batch in kept.chunks(BATCH) {
                let slopes = net.slopes(&on.z.select(batch), &pick(labels, batch), on.lambda)?;
                let decay = 1.0 - epoch as f64 / MOST_EPOCHS as f64;
                for ((part, slope), adam) in net.parts_mut().into_iter().zip(slopes).zip(&mut adams)
                {
                    adam.step(part, &slope, decay);
                }
            }
            let loss = net.loss(&watched, &truth)?;
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
        let mut hidden = super::scores::decide(z, &self.first, &self.bias.0)?;
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
        let scores = self.decide(z)?;
        Ok(match scores.cols() {
            2 => Matrix::from_fn(z.rows(), 1, |row, _| scores.at(row, 1) - scores.at(row, 0)),
            _ => scores,
        })
    }

    /// One score a class.
    fn decide(&self, z: &Matrix) -> Result<Matrix> {
        super::scores::decide(&self.hidden(z)?, &self.second, &self.bias.1)
    }

    fn loss(&self, z: &Matrix, truth: &[usize]) -> Result<f64> {
        let proba = probabilities(&self.decide(z)?);
        let each = truth
            .iter()
            .enumerate()
            .map(|(row, class)| -proba.at(row, *class).max(f64::MIN_POSITIVE).ln());
        Ok(each.sum::<f64>() / truth.len().max(1) as f64)
    }

    /// The gradient of the mean cross-entropy plus `λ/2 (‖W₁‖² + ‖W₂‖²)`, in the order of the parts.
    fn slopes(&self, z: &Matrix, truth: &[usize], lambda: f64) -> Result<[Vec<f64>; 4]> {
        let n = truth.len() as f64;
        let hidden = self.hidden(z)?;
        let mut error = probabilities(&super::scores::decide(&hidden, &self.second, &self.bias.1)?);
        for (row, class) in truth.iter().enumerate() {
            error.row_mut(row)[*class] -= 1.0;
        }
        error.as_mut_slice().iter_mut().for_each(|e| *e /= n);
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

fn pick(labels: &[usize], rows: &[usize]) -> Vec<usize> {
    rows.iter().map(|row| labels[*row]).collect()
}
