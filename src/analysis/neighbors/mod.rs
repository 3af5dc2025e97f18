//! Neighbours of vectors: spaces that are searched, and how.

mod baseline;
mod correction;
mod exact;
mod expression;
pub mod hnsw;
mod rows;
mod space;

pub use baseline::Baseline;
pub use correction::Correction;
pub use exact::{Neighbor, nearest, neighbor_graph};
pub use expression::{Atom, Expression};
pub use rows::Rows;
pub use space::{Metric, Query, Space};
