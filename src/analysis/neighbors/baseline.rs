//! Cosines of random pairs: what a score is to be held against.

use super::rows::{Rows, dot};
use super::space::norm;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Cosines of random pairs of different rows: what a score is to be held against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baseline {
    /// How many pairs were drawn.
    pub pairs: usize,
    /// Their mean cosine before the correction.
    pub uncorrected_mean: f64,
    /// Their mean cosine.
    pub mean: f64,
    /// The standard deviation of the cosines.
    pub sd: f64,
    /// The cosine that 99 in 100 pairs stay below.
    pub p99: f64,
}

/// Random pairs of different rows.
pub(super) struct Pairs(Vec<(usize, usize)>);

impl Pairs {
    /// The pairs of a seed.
    pub(super) fn drawn(rows: usize, seed: u64) -> Self {
        const PAIRS: usize = 10_000;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut pair = || {
            let a = rng.random_range(0..rows);
            let b = rng.random_range(0..rows - 1);
            (a, b + usize::from(b >= a))
        };
        match rows {
            0 | 1 => Self(Vec::new()),
            _ => Self((0..PAIRS).map(|_| pair()).collect()),
        }
    }

    /// Cosines of those pairs that have one.
    pub(super) fn cosines(&self, rows: &Rows) -> Vec<f64> {
        let pairs = self.0.iter();
        pairs
            .map(|(a, b)| {
                let (a, b) = (rows.row(*a), rows.row(*b));
                dot(a, b) / norm(a) / norm(b)
            })
            .filter(|c| c.is_finite())
            .collect()
    }
}

/// What the cosines of random pairs are like, before and after a correction.
pub(super) fn baseline(uncorrected: &[f64], mut cosines: Vec<f64>) -> Baseline {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let own = mean(&cosines);
    let variance = cosines.iter().map(|c| (c - own).powi(2)).sum::<f64>() / cosines.len() as f64;
    cosines.sort_by(f64::total_cmp);
    Baseline {
        pairs: cosines.len(),
        uncorrected_mean: mean(uncorrected),
        mean: own,
        sd: variance.sqrt(),
        p99: match cosines.len() {
            0 => f64::NAN,
            n => cosines[(n - 1) * 99 / 100],
        },
    }
}
