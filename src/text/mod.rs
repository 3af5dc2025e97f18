//! Text in: tokens, batches, data sets, splits.

pub mod batch;
pub mod dataset;
pub mod split;
pub mod tokens;
pub mod words;
