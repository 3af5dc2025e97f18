//! The shape of a space of activations, and how alike two of them are.

mod cka;
mod dimension;
mod hubness;
mod layer;
mod overlap;
mod similarity;
mod spread;

pub use cka::Gram;
pub use dimension::two_nn;
pub use hubness::{HUB_NEIGHBORS, Hubness};
pub use layer::{LayerGeometry, LayerParams, layer_geometry};
pub use overlap::{NeighborSets, OVERLAP_NEIGHBORS};
pub use similarity::{Portrait, Similarity, SimilarityParams, WithNull, similarity};
pub use spread::{CosineSpread, DominantDimension, Massive, Norms, participation_ratio};
