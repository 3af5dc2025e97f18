//! `plumb merge`: the parts of a run, joined.

use super::output::{OutputFolder, count};
use crate::store::merge;
use std::path::PathBuf;

/// Join the parts of a run that `plumb extract --shard` made.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  plumb merge part1/ part2/ part3/ --out run/

Every shard is checked against its hash on the way. The result is that of one run, byte for byte.")]
pub(super) struct Args {
    /// Folders of the parts, in any order
    #[arg(required = true)]
    parts: Vec<PathBuf>,
    /// Folder to make
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Replace a run
    #[arg(long)]
    force: bool,
    /// Print JSON: the manifest
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let folder = OutputFolder::open(&args.out, "manifest.json", args.force)?;
    let manifest = merge(&args.parts, folder.path())?;
    folder.publish()?;
    if args.json {
        return Ok(format!("{}\n", serde_json::to_string_pretty(&manifest)?));
    }
    let rows: usize = manifest.shards.iter().map(|s| s.rows).sum();
    Ok(format!(
        "{}: {} joined, {}, {}\n",
        args.out.display(),
        count(args.parts.len(), "part"),
        count(manifest.shards.len(), "shard"),
        count(rows, "row"),
    ))
}
