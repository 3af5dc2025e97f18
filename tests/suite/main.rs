//! The integration tests, as one binary so that the library is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail"
)]

mod builtin;
mod cli;
mod datasets;
mod golden;
mod hostile;
mod invariants;
mod layering;
mod pooling;
mod probe;
mod readers;
mod refusals;
mod support;
