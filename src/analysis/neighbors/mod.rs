//! Neighbours of vectors: spaces that are searched, and how.

mod baseline;
mod candidates;
mod correction;
mod exact;
mod expression;
mod fetch;
pub mod hnsw;
mod ranking;
mod rows;
mod space;

pub use baseline::Baseline;
pub use correction::Correction;
pub use exact::{nearest, neighbor_graph};
pub use expression::{Atom, Expression};
pub use ranking::Neighbor;
pub use rows::Rows;
pub use space::{Metric, Query, Space};
