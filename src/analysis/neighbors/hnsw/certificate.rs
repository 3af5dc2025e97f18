//! How far an index can be trusted, measured on the rows that it holds.

use super::super::exact::nearest;
use super::super::space::{Query, Space};
use super::Hnsw;
use super::walk::{Walker, node_of};
use crate::analysis::inference::{Bootstrap, Estimate};
use crate::error::Result;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What an index must do to be used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// The least share of the 10 nearest rows that it finds.
    pub min_recall: f64,
    /// Rows that are asked for theirs.
    pub sample: usize,
    /// The seed of the sample.
    pub seed: u64,
}

impl Default for Demand {
    fn default() -> Self {
        Self {
            min_recall: 0.95,
            sample: 500,
            seed: 0,
        }
    }
}

/// Neighbours that recall is about.
const K: usize = 10;

/// How wide walks are tried, the narrowest first.
const WIDTHS: [usize; 6] = [32, 64, 128, 256, 512, 1024];

/// What was measured of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// How many of the nearest rows a walk keeps: the least with which the demand is met, or the most that was tried.
    pub ef: usize,
    /// Recall@10: the share of the 10 nearest rows, by exact search, that the index finds, over a sample of rows.
    pub recall: f64,
    /// The lower end of its 95 % bootstrap interval.
    pub recall_low: f64,
    /// The upper end.
    pub recall_high: f64,
    /// Rows in the sample.
    pub sample: usize,
    /// The recall that was demanded.
    pub min_recall: f64,
    /// Rows that a walk for their own vector does not end at.
    pub lost: usize,
    /// Rows that were tried, which are all.
    pub rows: usize,
}

impl Certificate {
    /// Whether the index does what was demanded, and every row finds itself.
    pub fn holds(&self) -> bool {
        self.recall >= self.min_recall && self.lost == 0
    }
}

impl Hnsw {
    /// Measures the index against exact search, with wider and wider walks until the demand is met.
    ///
    /// # Errors
    /// Those of the searches.
    pub fn certify(&self, space: &Space, demand: Demand) -> Result<Certificate> {
        let n = space.rows();
        let mut rng = ChaCha8Rng::seed_from_u64(demand.seed);
        let mut sample = index::sample(&mut rng, n, demand.sample.min(n)).into_vec();
        sample.sort_unstable();
        let queries: Vec<Query> = sample.iter().map(|row| space.row_query(*row)).collect();
        let own: Vec<Option<usize>> = sample.iter().map(|row| Some(*row)).collect();
        let exact = nearest(space, &queries, K, &own)?;
        let mut certificate = None;
        for ef in WIDTHS {
            let found = self.nearest(space, &queries, K + 1, ef)?;
            let shares: Vec<f64> = (0..sample.len())
                .map(|i| {
                    let found = found[i].iter().map(|f| f.row);
                    let found: Vec<u32> =
                        found.filter(|r| *r as usize != sample[i]).take(K).collect();
                    let hits = exact[i].iter().filter(|e| found.contains(&e.row)).count();
                    match exact[i].len() {
                        // Nothing was missed.
                        0 => 1.0,
                        n => hits as f64 / n as f64,
                    }
                })
                .collect();
            let recall = mean_with_interval(&shares, demand.seed)?;
            let lost = self.lost(ef);
            let tried = Certificate {
                ef,
                recall: recall.value,
                recall_low: recall.low.unwrap_or(recall.value),
                recall_high: recall.high.unwrap_or(recall.value),
                sample: sample.len(),
                min_recall: demand.min_recall,
                lost,
                rows: n,
            };
            let done = tried.holds();
            certificate = Some(tried);
            if done {
                break;
            }
        }
        // There are widths to try, so there is a certificate.
        certificate.ok_or_else(|| crate::error::Error::BadParameter {
            name: "ef",
            value: "none".to_owned(),
            problem: "no width was tried".to_owned(),
        })
    }

    /// How many rows a walk for their own code does not end at.
    fn lost(&self, ef: usize) -> usize {
        let n = self.graph.nodes();
        let found = (0..n as u32).into_par_iter().map_init(
            || Walker::new(n),
            |walker, node| {
                let own = self.codes.row(node);
                walker.descend(&self.graph, &self.codes, own, 0);
                walker.spread(&self.graph, &self.codes, own, 0, ef);
                usize::from(!walker.stops.iter().any(|s| node_of(*s) == node))
            },
        );
        found.sum()
    }
}

/// The mean over the sample with its interval. (Of no rows it is one: nothing was missed.)
fn mean_with_interval(shares: &[f64], seed: u64) -> Result<Estimate> {
    let mean = |weights: &[f64]| -> Option<f64> {
        let total: f64 = weights.iter().sum();
        let sum: f64 = shares.iter().zip(weights).map(|(s, w)| s * w).sum();
        (total > 0.0).then_some(sum / total)
    };
    let bootstrap = Bootstrap {
        seed,
        ..Bootstrap::default()
    };
    let interval = bootstrap.intervals(shares.len(), None, |weights| vec![mean(weights)])?;
    let value = mean(&vec![1.0; shares.len()]).unwrap_or(1.0);
    Ok(Estimate::new(value, interval.into_iter().next().flatten()))
}
