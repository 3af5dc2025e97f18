//! `plumb verify`: is a run what its manifest says, and what its model computes?

use super::model::fetched;
use super::output::count;
use super::tokenize::{SourceColumn, texts, tokenizer};
use crate::error::Result;
use crate::hook::HookSet;
use crate::model::{Model, ModelSource, load_in};
use crate::store::{
    Budget, Census, Extraction, Recomputed, Resolved, Run, check_shards, recompute,
    refuse_other_inputs,
};
use crate::text::dataset::{Column, Dataset};
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
    let plan = &run.manifest().plan;
    let named = args.model.clone().unwrap_or_else(|| as_it_was(plan));
    let model = fetched(&ModelSource::named(&named), false);
    let data = args
        .data
        .clone()
        .unwrap_or_else(|| PathBuf::from(&plan.data.name));
    let is_there = model.as_ref().is_ok_and(|m| m.has("config.json"));
    if args.model.is_none() && !is_there {
        return Ok(Err(format!(
            "the model {named} is not where it was; name it with --model"
        )));
    }
    if args.data.is_none() && !data.is_file() {
        return Ok(Err(format!(
            "the data {} are not where they were; name them with --data",
            data.display()
        )));
    }
    let data = Dataset::read(&data)?;
    recomputed(run, plan, &model?, &data, args.rows).map(Ok)
}

/// The name of the run's model; of one from the hub, with the commit that it had.
fn as_it_was(plan: &Resolved) -> String {
    let name = &plan.model.name;
    match &plan.model.revision {
        Some(commit) => format!("{}@{commit}", name.split('@').next().unwrap_or(name)),
        None => name.clone(),
    }
}

fn recomputed(
    run: &Run,
    plan: &Resolved,
    source: &ModelSource,
    data: &Dataset,
    rows: usize,
) -> Result<Recomputed> {
    let model = load_in(source, plan.precision)?;
    let (model_name, data_name) = (source.to_string(), data.path().display().to_string());
    refuse_other_inputs(
        run,
        (&model_name, &model.weights_sha256),
        (&data_name, data.sha256()),
    )?;
    let spec = model.model.spec();
    let column: SourceColumn = match (&plan.data.text_column, &plan.data.ids_column) {
        (Some(texts), _) => Ok(texts.clone()),
        (None, ids) => Err(ids.clone().unwrap_or_default()),
    };
    let tokenizer = tokenizer(source, &column, plan.bos)?;
    let texts = texts(&column, data, tokenizer.as_ref())?;
    let limit = plan.pool.limit(spec.context);
    let census = Census::take(&texts, limit, spec.vocab, plan.special_tokens)?;
    let points = plan.points.iter().map(|p| p.name.parse());
    let carried = plan.data.columns.iter().map(|name| data.column(name));
    let carried: Vec<&Column> = carried.collect::<Result<_>>()?;
    let plan = Extraction {
        model: &model,
        model_name,
        tokenizer_sha256: tokenizer.as_ref().map(|t| t.sha256().to_owned()),
        data,
        data_name,
        source_column: column,
        texts: &texts,
        census: &census,
        carried: &carried,
        points: HookSet::new(points.collect::<Result<Vec<_>>>()?),
        bos: plan.bos,
        pool: plan.pool.clone(),
        special_tokens: plan.special_tokens,
        dtype: plan.dtype,
        budget: Budget::default(),
    };
    recompute(run, &plan, rows)
}
