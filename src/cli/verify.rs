//! `plumb verify`: is a run what its manifest says, and what its model computes?

use super::again::Inputs;
use super::output::count;
use crate::error::Result;
use crate::model::load_in;
use crate::store::{Recomputed, Run, check_shards, recompute, refuse_other_inputs};
use std::path::PathBuf;

/// Check every shard of a run against the manifest, and some rows against the model.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb verify run/
  plumb verify run/ --model ./all-MiniLM-L6-v2 --data reviews.csv --rows 100

Every shard is checked against its hash and its schema. Rows drawn at random are computed again, if the model and the data that
the manifest names are where they were, or are named here.")]
pub(super) struct Args {
    /// Folder of a run
    run: PathBuf,
    /// The run's model, if it is no longer where it was
    #[arg(long, value_name = "DIR|ID[@REV]|builtin")]
    model: Option<String>,
    /// The run's data, if they are no longer where they were
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// How many rows are computed again
    #[arg(long, value_name = "K", default_value_t = 8)]
    rows: usize,
    /// Print JSON instead of sentences
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let run = Run::open(&args.run)?;
    check_shards(&run)?;
    // The carried columns, by reading them.
    for column in &run.manifest().plan.data.columns {
        run.column(column)?;
    }
    let recomputed = computed_again(args, &run)?;
    let shards = run.manifest().shards.len();
    if args.json {
        let again = recomputed.as_ref().ok().map(|r| {
            serde_json::json!({
                "rows": r.rows, "equal": r.equal, "largest_difference": r.largest_difference,
            })
        });
        let result = serde_json::json!({
            "schema_version": 1, "ok": true, "shards": shards, "rows": run.rows(), "recomputed": again,
        });
        return Ok(format!("{}\n", serde_json::to_string_pretty(&result)?));
    }
    Ok(format!(
        "{}: {}, {}, all as the manifest says\n{}\n",
        args.run.display(),
        count(shards, "shard"),
        count(run.rows(), "row"),
        match recomputed {
            Ok(recomputed) => said(&recomputed),
            Err(why) => format!("no row was computed again: {why}"),
        }
    ))
}

fn said(again: &Recomputed) -> String {
    match again.equal == again.rows {
        true => format!(
            "{} computed again, equal in every bit",
            count(again.rows, "row")
        ),
        false => format!(
            "{} computed again, {} of them equal in every bit; the largest difference is {:.1e} of a vector's largest number",
            count(again.rows, "row"),
            again.equal,
            again.largest_difference
        ),
    }
}

/// Computes rows again, or says why that cannot be done here. A model or a file that was named must be there.
fn computed_again(args: &Args, run: &Run) -> Result<Result<Recomputed, String>> {
    let inputs = match Inputs::of(run, args.model.as_deref(), args.data.as_deref())? {
        Ok(inputs) => inputs,
        Err(why) => return Ok(Err(why)),
    };
    let model = load_in(&inputs.model, run.manifest().plan.precision)?;
    let (model_name, data_name) = (
        inputs.model.to_string(),
        inputs.data.path().display().to_string(),
    );
    refuse_other_inputs(
        run,
        (&model_name, &model.weights_sha256),
        (&data_name, inputs.data.sha256()),
    )?;
    inputs
        .extraction(run, &model, |plan| recompute(run, plan, args.rows))
        .map(Ok)
}
