//! What the space of one layer is like.

use super::dimension::two_nn;
use super::hubness::Hubness;
use super::spread::{CosineSpread, Massive, Norms, participation_ratio};
use crate::analysis::inference::Estimate;
use crate::analysis::neighbors::Rows;
use crate::error::Result;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// How a layer is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LayerParams {
    /// Rows that are looked at for their neighbours, at most.
    pub sample: usize,
    /// Random pairs for the mean cosine.
    pub pairs: usize,
    /// The seed of sample and pairs.
    pub seed: u64,
}

impl Default for LayerParams {
    fn default() -> Self {
        Self {
            sample: 4000,
            pairs: 10_000,
            seed: 0,
        }
    }
}

impl LayerParams {
    /// The rows, of so many, that are looked at for their neighbours, in ascending order.
    pub fn sampled(&self, rows: usize, most: usize) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let most = most.min(self.sample).min(rows);
        let mut chosen = index::sample(&mut rng, rows, most).into_vec();
        chosen.sort_unstable();
        chosen
    }
}

/// What a layer is like. What is not defined for its rows (too few, all equal, zeros) is absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerGeometry {
    /// The hook point.
    pub hook_point: String,
    /// Rows.
    pub rows: usize,
    /// Numbers in a row.
    pub width: usize,
    /// Euclidean norms, of all rows.
    pub norm: Norms,
    /// Cosines of random pairs.
    pub cosine: Option<CosineSpread>,
    /// Over how many dimensions the variance is spread, of all rows.
    pub participation_ratio: Option<f64>,
    /// Intrinsic dimension (two-NN), of the sample.
    pub two_nn: Option<Estimate>,
    /// Hubs, in the sample.
    pub hubness: Option<Hubness>,
    /// How many rows hold an activation 100 times the median size.
    pub massive_rows: usize,
    /// The largest of them.
    #[serde(skip)]
    pub massive: Vec<Massive>,
}

/// An activation is massive if it is so many times the median size of its layer.
const MASSIVE: f64 = 100.0;
/// Massive rows that are named.
const NAMED: usize = 5;

/// Measures a layer.
///
/// # Errors
/// None but those of broken invariants: what is not defined is absent.
pub fn layer_geometry(hook_point: &str, rows: &Rows, params: LayerParams) -> Result<LayerGeometry> {
    let sample = rows.select(&params.sampled(rows.rows(), usize::MAX));
    let (massive, massive_rows) = Massive::of(rows, MASSIVE, NAMED);
    Ok(LayerGeometry {
        hook_point: hook_point.to_owned(),
        rows: rows.rows(),
        width: rows.cols(),
        norm: Norms::of(rows),
        cosine: CosineSpread::of(rows, params.pairs, params.seed),
        participation_ratio: participation_ratio(rows).ok(),
        two_nn: two_nn(&sample, params.seed)
            .ok()
            .filter(|d| d.value.is_finite()),
        hubness: Hubness::of(&sample, params.seed).ok(),
        massive_rows,
        massive,
    })
}
