//! Numbers from activations: checked parameters in, a result struct out; no files, no drawing.

pub mod calibration;
pub mod drift;
mod eigen;
pub mod geometry;
pub mod inference;
pub mod lens;
pub mod matrix;
pub mod metrics;
pub mod neighbors;
pub mod probe;
pub mod reduce;
