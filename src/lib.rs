//! plumb: a workbench for looking inside transformer language models.
//!
//! Data walks down this list of modules once, from text to picture; a module imports only from those above it
//! (`tests/layering.rs` checks it). See ARCHITECTURE.md for one line a file.
#![deny(unsafe_code)]

pub mod analysis;
pub mod cli;
pub mod error;
pub mod figure;
pub mod hook;
pub mod model;
pub mod recipe;
pub mod report;
pub mod store;
pub mod text;
