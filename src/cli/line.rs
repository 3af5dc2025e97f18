//! Commands that other commands give, as they would be typed.

use super::{extract, probe};
use clap::Parser;
use std::path::Path;

/// A command line as clap parses it, without the program's name.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct ExtractLine {
    #[command(flatten)]
    args: extract::Args,
}

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct ProbeLine {
    #[command(flatten)]
    args: probe::Args,
}

/// Runs `plumb extract` on these arguments, under a name of the data file that may differ from where it lies now.
pub(super) fn extract(arguments: &[String], shown: &Path) -> anyhow::Result<String> {
    extract::run_as(ExtractLine::try_parse_from(arguments)?.args, shown)
}

/// Runs `plumb probe` on these arguments, under a command line and a name of the run that may differ from them.
pub(super) fn probe(arguments: &[String], command: String, shown: &Path) -> anyhow::Result<String> {
    probe::run_as(ProbeLine::try_parse_from(arguments)?.args, command, shown)
}
