//! What is done about a space whose vectors all point one way.

use super::rows::Rows;
use super::space::Metric;
use crate::analysis::reduce::Pca;
use crate::error::Result;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What is done about a space whose vectors all point one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Correction {
    /// Nothing.
    None,
    /// The mean of the space is taken off.
    Center,
    /// The mean is taken off and each feature divided by its standard deviation.
    Standardize,
    /// All but the top (Mu & Viswanath 2018): the mean and the first max(1, d / 100) principal directions are taken off.
    Abtt,
    /// Cross-domain similarity local scaling (Conneau et al. 2018): twice the cosine, less the mean cosine of each of the two to its
    /// 10 nearest rows, so that hubs are near to nobody.
    Csls,
}

/// The affine map of a correction.
#[derive(Debug, Clone)]
pub(super) struct Change {
    mean: Option<Vec<f64>>,
    sd: Option<Vec<f64>>,
    /// Unit directions that are taken off.
    directions: Vec<Vec<f64>>,
}

impl Change {
    /// The map that a correction is of these rows.
    pub(super) fn learned(rows: &Rows, metric: Metric, correction: Correction) -> Result<Self> {
        let mut change = Self {
            mean: None,
            sd: None,
            directions: Vec::new(),
        };
        let centred = matches!(
            correction,
            Correction::Center | Correction::Standardize | Correction::Abtt
        );
        // Distances do not change when the mean is taken off, and lose less to rounding.
        if centred || metric == Metric::Euclid {
            change.mean = Some(rows.means());
        }
        if correction == Correction::Standardize {
            let mean = rows.means();
            let mut sums = vec![0.0; rows.cols()];
            for row in 0..rows.rows() {
                for ((sum, v), m) in sums.iter_mut().zip(rows.row(row)).zip(&mean) {
                    *sum += (f64::from(*v) - m).powi(2);
                }
            }
            // A feature that never changes stays at zero.
            let sd = |sum: &f64| match (sum / rows.rows() as f64).sqrt() {
                0.0 => 1.0,
                sd => sd,
            };
            change.sd = Some(sums.iter().map(sd).collect());
        }
        if correction == Correction::Abtt {
            let count = (rows.cols() / 100).max(1);
            let pca = Pca::fit(rows, count)?;
            let kept = 0..pca.components.rows();
            change.directions = kept.map(|i| pca.components.row(i).to_vec()).collect();
        }
        Ok(change)
    }

    /// Rows as points: the mean is taken off.
    pub(super) fn rows(&self, rows: Rows) -> Rows {
        if self.mean.is_none() {
            return rows;
        }
        let cols = rows.cols();
        let mut data = vec![0.0f32; rows.as_slice().len()];
        data.par_chunks_exact_mut(cols)
            .zip(rows.as_slice().par_chunks_exact(cols))
            .for_each(|(out, row)| {
                let wide = self.of(row, true);
                out.iter_mut().zip(wide).for_each(|(o, v)| *o = v as f32);
            });
        // Finite numbers less finite means may overflow f32 only where the rows nearly did.
        Rows::new(cols, data).unwrap_or(rows)
    }

    /// One vector: a point, or a difference of points, from which no mean is taken.
    pub(super) fn of(&self, row: &[f32], point: bool) -> Vec<f64> {
        let mut wide: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
        if let Some(mean) = self.mean.as_ref().filter(|_| point) {
            wide.iter_mut().zip(mean).for_each(|(v, m)| *v -= m);
        }
        if let Some(sd) = &self.sd {
            wide.iter_mut().zip(sd).for_each(|(v, s)| *v /= s);
        }
        for direction in &self.directions {
            let along: f64 = wide.iter().zip(direction).map(|(v, d)| v * d).sum();
            wide.iter_mut()
                .zip(direction)
                .for_each(|(v, d)| *v -= along * d);
        }
        wide
    }
}
