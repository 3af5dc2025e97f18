//! `plumb lens train`: the translators of a tuned lens.

use super::Speaker;
use crate::analysis::lens::{TrainParams, held_out, train};
use crate::cli::delivery::{Delivery, holds, json_of};
use crate::cli::model::model_source;
use crate::cli::output::{command_line, progress_bar};
use crate::error::{Error, Result};
use crate::model::ModelSource;
use crate::report::lens::{SCHEMA_VERSION, TunedReport};
use crate::text::dataset::Dataset;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;

/// The card of translators, by which their folder is known.
pub(super) const CARD: &str = "tuned.json";
/// Their numbers.
pub(super) const TRANSLATORS: &str = "translators.safetensors";
/// The most texts that are kept apart.
const MOST_HELD_OUT: usize = 200;

/// Train the translators of a tuned lens on texts, and hold them against the logit lens on others.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb lens train --model builtin --data texts.csv --out tuned/

An affine map h + A h + b for each layer but the last, trained by Adam so that the reading comes near to the model's own prediction (the
Kullback-Leibler divergence). A tenth of the texts, 200 at most, is kept apart: the table is of those.")]
#[command(mut_arg("out", |out| {
    holds("the translators, their card tuned.json and the chart (.svg, .png, and its numbers as .parquet)")(out).required(true)
}))]
pub(super) struct Args {
    /// Folder of a model, GGUF file, name of one on the hub (org/name@rev), or `builtin`
    #[arg(long, value_name = "MODEL", value_parser = model_source)]
    model: ModelSource,
    /// Data file (.csv, .tsv, .jsonl, .parquet)
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Column that holds the texts
    #[arg(long, value_name = "C", default_value = "text")]
    text_column: String,
    /// Steps of the training
    #[arg(long, value_name = "N", default_value_t = 250)]
    steps: usize,
    /// Tokens in a step
    #[arg(long, value_name = "N", default_value_t = 512)]
    tokens: usize,
    /// Rate of Adam at the beginning; it falls to 0
    #[arg(long, value_name = "X", default_value_t = 1e-3)]
    rate: f64,
    /// Seed of the order of the texts, and of which are kept apart
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    delivery: Delivery,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let out = args.delivery.open(CARD)?;
    let speaker = Speaker::load(&args.model, args.delivery.quiet)?;
    let data = Dataset::read(&args.data)?;
    let texts = texts(&speaker, &data, &args.text_column)?;
    let apart = (texts.len() / 10).clamp(1, MOST_HELD_OUT);
    let mut order = texts;
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(args.seed));
    let training = order.split_off(apart);
    if training.is_empty() {
        return Err(Error::BadParameter {
            name: "data",
            value: format!("{} texts", order.len()),
            problem: "training needs at least two different texts".to_owned(),
        }
        .into());
    }
    let params = TrainParams {
        steps: args.steps,
        tokens: args.tokens,
        rate: args.rate,
        seed: args.seed,
    };
    let bar = progress_bar(params.steps as u64, "steps", args.delivery.quiet);
    let model = &speaker.loaded.model;
    let translators = train(model, &training, &params, &mut |_, kl| {
        bar.set_message(format!("KL {kl:.3}"));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    let report = TunedReport {
        schema_version: SCHEMA_VERSION,
        command: command_line(),
        source: speaker.source(),
        data: args.data.display().to_string(),
        data_sha256: data.sha256().to_owned(),
        params,
        training_texts: training.len(),
        held_out_texts: order.len(),
        layers: held_out(model, &order, &translators, args.seed)?,
    };
    if let Some(folder) = out.folder() {
        folder.write(TRANSLATORS, &translators.to_bytes()?)?;
    }
    let chart = || vec![("chart", report.chart())];
    Ok(out.deliver(json_of(&report)?, chart, |styled| report.table(styled))?)
}

/// The different texts of a data set as token ids, in order of first appearance, cut to the model's context. (The same text on both sides of
/// the split would be a leak.)
pub(super) fn texts(speaker: &Speaker, data: &Dataset, column: &str) -> Result<Vec<Vec<u32>>> {
    let cells = data.text_cells(column)?;
    let cells: Vec<String> = cells.into_iter().map(str::to_owned).collect();
    let encoded = speaker
        .tokenizer
        .encode_all(&cells, Some(speaker.context()))?;
    let mut seen = std::collections::HashSet::new();
    let ids = encoded.into_iter().map(|tokens| tokens.ids);
    Ok(ids.filter(|ids| seen.insert(ids.clone())).collect())
}
