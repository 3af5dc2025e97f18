//! Text in: tokens, batches, data sets, splits.

pub mod align;
pub mod batch;
pub mod dataset;
pub mod perturb;
pub mod split;
pub mod tokens;
pub mod words;
