//! The exact graph of nearest rows that maps are drawn from.

use crate::analysis::neighbors::{Metric, Space, neighbor_graph};
use crate::error::{Error, Result};

/// The nearest other rows of each different row of a space, nearest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    k: usize,
    rows: Vec<u32>,
    distances: Vec<f32>,
}

impl Graph {
    /// The `k` nearest other rows of every row, with their distances: lengths of differences, or 1 less the cosine.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for `k` = 0, for fewer than `k + 1` different rows, and for a space of dot products, which are no distances.
    pub fn of(space: &Space, k: usize) -> Result<Self> {
        if space.rows() <= k {
            return Err(Error::BadParameter {
                name: "rows",
                value: space.rows().to_string(),
                problem: format!("{k} nearest others need more different rows"),
            });
        }
        let distance = |score: f64| match space.metric() {
            Metric::Euclid => score,
            Metric::Cosine | Metric::Dot => (1.0 - score).max(0.0),
        };
        if space.metric() == Metric::Dot {
            return Err(Error::BadParameter {
                name: "metric",
                value: "dot".to_owned(),
                problem: "a map needs distances; give euclid or cosine".to_owned(),
            });
        }
        let found = neighbor_graph(space, k)?;
        let all = || found.iter().flatten();
        Ok(Self {
            k,
            rows: all().map(|n| n.row).collect(),
            distances: all().map(|n| distance(n.score) as f32).collect(),
        })
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len() / self.k
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many neighbours each row has.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The neighbours of a row.
    pub fn neighbors(&self, row: usize) -> &[u32] {
        &self.rows[row * self.k..(row + 1) * self.k]
    }

    /// Their distances.
    pub fn distances(&self, row: usize) -> &[f32] {
        &self.distances[row * self.k..(row + 1) * self.k]
    }
}
