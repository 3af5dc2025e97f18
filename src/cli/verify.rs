//! `plumb verify`: is a run what its manifest says?

use super::output::count;
use crate::error::Error;
use crate::store::{Manifest, Run};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Check every shard of a run against the manifest.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumb verify run/")]
pub(super) struct Args {
    /// Folder of a run
    run: PathBuf,
    /// Print JSON instead of a sentence
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let run = Run::open(&args.run)?;
    for (i, shard) in run.manifest().shards.iter().enumerate() {
        let path = Manifest::shard_path(&args.run, i);
        let mut file = std::fs::File::open(&path).map_err(|e| Error::io(&path, e))?;
        let mut hasher = Sha256::new();
        std::io::copy(&mut file, &mut hasher).map_err(|e| Error::io(&path, e))?;
        let found = format!("{:x}", hasher.finalize());
        if found != shard.sha256 {
            return Err(Error::BadRun {
                path,
                problem: "its SHA-256 is not the one in the manifest: the shard was damaged or replaced; extract the run again".to_owned(),
            }
            .into());
        }
    }
    // Row counts and the types of all columns, by reading them.
    for point in run.point_names() {
        run.vectors(&point)?;
    }
    for column in &run.manifest().plan.data.columns {
        run.column(column)?;
    }
    let shards = run.manifest().shards.len();
    if args.json {
        let result = serde_json::json!({
            "schema_version": 1, "ok": true, "shards": shards, "rows": run.rows(),
        });
        return Ok(format!("{}\n", serde_json::to_string_pretty(&result)?));
    }
    Ok(format!(
        "{}: {}, {}, all as the manifest says\n",
        args.run.display(),
        count(shards, "shard"),
        count(run.rows(), "row"),
    ))
}
