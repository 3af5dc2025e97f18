//! Neighbours of vectors: spaces that are searched, and how.

mod exact;
mod rows;
mod space;

pub use exact::{Neighbor, nearest, neighbor_graph};
pub use rows::Rows;
pub use space::{Baseline, Correction, Metric, Query, Space};
