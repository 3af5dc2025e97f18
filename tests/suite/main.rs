//! The integration tests, as one binary so that the library is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail"
)]

mod builtin;
mod chart_files;
mod checkpoints;
mod cli;
mod datasets;
mod drift;
mod families;
mod fast;
mod geometry;
mod gguf;
mod golden;
mod hostile;
mod hub;
mod inspect;
mod invariants;
mod json;
mod layering;
mod lens;
mod map;
mod nearest;
mod notebook;
mod parts;
mod pooling;
mod precision;
mod probe;
mod readers;
mod readme;
mod refusals;
mod report;
mod support;
mod survive;
mod trained;
mod units;
