//! Fewer dimensions: projections of rows.

mod pca;

pub use pca::Pca;
