//! Fewer dimensions: projections of rows.

mod covariance;
mod eigen;
mod pca;

pub(crate) use covariance::covariance_lower;
pub(crate) use eigen::{largest_eigen, symmetric_eigenvalues};
pub use pca::Pca;
