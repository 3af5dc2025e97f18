//! Hubs: rows that are among the nearest of far more rows than others are.

use crate::analysis::neighbors::{Correction, Metric, Rows, Space, neighbor_graph};
use crate::error::Result;
use serde::Serialize;

/// Neighbours that occurrences are counted in.
pub const HUB_NEIGHBORS: usize = 10;

/// How often rows occur among the 10 nearest (by cosine) of others (Radovanović et al. 2010).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hubness {
    /// The skewness of the occurrences: 0 where all rows are near to equally many, large where few are near to most.
    pub skewness: f64,
    /// The most occurrences of a row; the mean is 10.
    pub most: usize,
    /// The share of rows that are among the nearest of none.
    pub antihubs: f64,
}

impl Hubness {
    /// Of these rows, copies counted once.
    ///
    /// # Errors
    /// Those of [`Space::new`]: a cosine needs rows that are not zero.
    pub fn of(rows: &Rows, seed: u64) -> Result<Self> {
        let space = Space::new(rows, Metric::Cosine, Correction::None, seed)?;
        let graph = neighbor_graph(&space, HUB_NEIGHBORS)?;
        let mut occurrences = vec![0usize; space.rows()];
        for near in &graph {
            near.iter().for_each(|n| occurrences[n.row as usize] += 1);
        }
        Ok(Self::counted(&occurrences))
    }

    fn counted(occurrences: &[usize]) -> Self {
        let n = occurrences.len().max(1) as f64;
        let mean = occurrences.iter().sum::<usize>() as f64 / n;
        let moment = |power: i32| {
            let parts = occurrences.iter().map(|c| (*c as f64 - mean).powi(power));
            parts.sum::<f64>() / n
        };
        let sd = moment(2).sqrt();
        Self {
            skewness: match sd > 0.0 {
                true => moment(3) / sd.powi(3),
                false => 0.0,
            },
            most: occurrences.iter().copied().max().unwrap_or(0),
            antihubs: occurrences.iter().filter(|c| **c == 0).count() as f64 / n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hub_makes_occurrences_skewed() {
        let even = Hubness::counted(&[3; 20]);
        assert_eq!((even.skewness, even.most, even.antihubs), (0.0, 3, 0.0));
        let mut one = [0; 20];
        one[4] = 60;
        let hub = Hubness::counted(&one);
        assert!(hub.skewness > 4.0 && hub.antihubs == 0.95);
    }
}
