//! Fewer dimensions: projections of rows.

mod align;
mod covariance;
mod eigen;
mod graph;
mod map;
mod pacmap;
mod pca;
mod procrustes;
mod quality;
mod ranks;
mod stability;
mod umap;

#[cfg(test)]
mod reference;

pub use align::aligned;
pub(crate) use covariance::covariance_lower;
pub use graph::Graph;
pub use map::{Map, MapParams, Method, Shares, draw};
pub use pacmap::{PacmapParams, pacmap};
pub use pca::Pca;
pub use procrustes::{Shape, disparity};
pub use quality::{Agreement, Quality, agreement, quality};
pub use stability::{Stability, stability};
pub use umap::{Umap, UmapParams};

/// A place on a map.
pub type Place = [f32; 2];
