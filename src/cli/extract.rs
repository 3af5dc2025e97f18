//! `plumb extract`: hidden states of every layer, as Parquet.

mod describe;
mod interrupt;
pub(super) mod options;

use super::delivery::json_of;
use super::model::{fetched, model_source};
use super::output::{bytes, count, progress_bar, refuse_foreign};
use super::tokenize::{TokenArgs, texts, tokenizer};
use crate::error::{Error, Result};
use crate::hook::HookSet;
use crate::model::{LoadedModel, Model, ModelSource, Precision, load_in};
use crate::store::{
    Budget, Census, Control, Dtype, Estimate, Extraction, Outcome, Part, Pool, Progress,
    SCHEMA_VERSION, SentencePool, SpecialTokens, Truncation, estimate, extract,
};
use crate::text::dataset::{Column, Dataset, Values};
use crate::text::tokens::Bos;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// Store what passes a model's hook points, for every text of a data set, as Parquet.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb extract --model ./all-MiniLM-L6-v2 --data reviews.csv --text-column text --pool mean --out run/
  plumb extract --model ./llama --data prompts.jsonl --points 'resid_post,blocks.3-6.attn_out' --out run/
  plumb extract --model ./llama --data prompts.jsonl --out run/ --plan      how much, how long, is there room
  plumb extract --model ./llama --data prompts.jsonl --out part1/ --shard 1/3      then: plumb merge part1 part2 part3 --out run/

Hook points are named as in TransformerLens. The default is Hugging Face's `hidden_states`, in order:
blocks.0.resid_pre, every blocks.I.resid_post, and final_norm where the family has one.")]
pub(super) struct Args {
    /// Folder of a model in Hugging Face layout (config.json, model.safetensors, tokenizer.json), GGUF file, name of one on the hub with
    /// an optional revision (org/name@rev; see HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE), or `builtin`
    #[arg(long, value_name = "DIR|FILE.gguf|ID[@REV]|builtin", value_parser = model_source)]
    model: ModelSource,
    /// Data file: .csv, .tsv, .jsonl, .parquet or .conllu
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    tokens: TokenArgs,
    /// Folder to make
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Hook points: names with * and ranges, separated by commas
    #[arg(long, value_name = "SELECTOR")]
    points: Option<String>,
    /// How the tokens of a text become one vector: `none` keeps one vector a token, `model` gives a sentence-transformers embedding
    #[arg(long, value_enum, default_value_t = PoolArg::None)]
    pool: PoolArg,
    /// Leave special tokens ([CLS], <s>) out of pooling, or out of the rows without pooling
    #[arg(long)]
    no_special: bool,
    /// What the model computes in: weights and stream are rounded to it
    #[arg(long, value_enum, default_value_t = PrecisionArg::F32)]
    precision: PrecisionArg,
    /// Type of the numbers on disk
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    dtype: DtypeArg,
    /// Columns of the data to carry along, separated by commas; default: all
    #[arg(long, value_name = "C,…", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Memory that the run may take beside the weights and the data: 512MiB, 2GiB, …
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = options::memory)]
    memory: Budget,
    /// Make one of n parts, on one of n machines; `plumb merge` joins them
    #[arg(long, value_name = "I/N", value_parser = options::part)]
    shard: Option<Part>,
    /// Finish a run that was stopped
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Replace a run
    #[arg(long)]
    force: bool,
    /// Print what would be stored, how much of the disk and how long it would take, and stop
    #[arg(long)]
    plan: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
    /// Print JSON: the manifest
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PoolArg {
    None,
    Last,
    Mean,
    First,
    Max,
    Model,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DtypeArg {
    F32,
    F16,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PrecisionArg {
    F32,
    Bf16,
    F16,
}

impl Args {
    fn precision(&self) -> Precision {
        match self.precision {
            PrecisionArg::F32 => Precision::F32,
            PrecisionArg::Bf16 => Precision::Bf16,
            PrecisionArg::F16 => Precision::F16,
        }
    }

    fn pool(&self, model: &LoadedModel) -> Result<Pool> {
        Ok(match self.pool {
            PoolArg::None => Pool::None,
            PoolArg::Last => Pool::Last,
            PoolArg::Mean => Pool::Mean,
            PoolArg::First => Pool::First,
            PoolArg::Max => Pool::Max,
            PoolArg::Model => {
                let spec = model.model.spec();
                let pool = SentencePool::read(&self.model, spec.d_model, spec.context)?;
                if self.no_special || self.tokens.bos().is_some_and(|bos| bos != Bos::Auto) {
                    return Err(not_published("leave --no-special and --bos out"));
                }
                Pool::Model(pool)
            }
        })
    }

    fn special_tokens(&self) -> SpecialTokens {
        match self.no_special {
            true => SpecialTokens::Excluded,
            false => SpecialTokens::Included,
        }
    }

    fn dtype(&self) -> Dtype {
        match self.dtype {
            DtypeArg::F32 => Dtype::F32,
            DtypeArg::F16 => Dtype::F16,
        }
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<String> {
    let shown = args.data.clone();
    run_as(args, &shown)
}

/// Runs under a name of the data file that differs from where it lies now.
pub(super) fn run_as(mut args: Args, shown: &Path) -> anyhow::Result<String> {
    check_output(&args)?;
    let data = Dataset::read(&args.data)?;
    let carried = carried(&args, &data)?;
    args.model = fetched(&args.model, args.quiet)?;
    let model = load_in(&args.model, args.precision())?;
    let pool = args.pool(&model)?;
    let points = points(&args, &model, &pool)?;
    let column = args.tokens.source_column();
    let tokenizer = tokenizer(&args.model, &column, args.tokens.bos())?;
    let texts = texts(&column, &data, tokenizer.as_ref())?;
    let spec = model.model.spec();
    let limit = pool.limit(spec.context);
    let census = Census::take(&texts, limit, spec.vocab, args.special_tokens())?;
    args.tokens.refuse_long(&census, limit)?;
    report_truncation(&census.truncation, limit);
    let plan = Extraction {
        model: &model,
        model_name: args.model.to_string(),
        tokenizer_sha256: tokenizer.as_ref().map(|t| t.sha256().to_owned()),
        data: &data,
        data_name: shown.display().to_string(),
        source_column: column,
        texts: &texts,
        census: &census,
        carried: &carried,
        points,
        bos: args.tokens.bos(),
        pool,
        special_tokens: args.special_tokens(),
        dtype: args.dtype(),
        budget: args.memory,
    };
    if args.plan {
        let estimate = estimate(&plan, &args.out)?;
        return Ok(match args.json {
            true => json_of(&Planned {
                schema_version: SCHEMA_VERSION,
                estimate: &estimate,
            })?,
            false => describe::plan(&estimate),
        });
    }
    note_idle_threads(&plan);
    let begin = Instant::now();
    let (outcome, tokens) = watched(&plan, &args)?;
    log_peak_memory();
    Ok(match args.json {
        true => json_of(&outcome.manifest)?,
        false => describe::outcome(&args.out, &outcome, tokens, begin.elapsed()),
    })
}

/// What `--plan --json` prints.
#[derive(serde::Serialize)]
struct Planned<'a> {
    schema_version: u32,
    #[serde(flatten)]
    estimate: &'a Estimate,
}

/// Runs the plan under a progress bar, listening for Ctrl-C. Also returns how many tokens passed the model.
fn watched(plan: &Extraction<'_>, args: &Args) -> Result<(Outcome, usize)> {
    let bar = progress_bar(plan.census.tokens() as u64, "tokens", args.quiet);
    let (computed, written) = (AtomicUsize::new(0), AtomicU64::new(0));
    let control = Control {
        resume: args.resume,
        force: args.force,
        part: args.shard,
        stop: interrupt::pressed(),
        progress: &|progress| match progress {
            Progress::Tokens(n) => {
                computed.fetch_add(n, Ordering::Relaxed);
                bar.inc(n as u64);
            }
            Progress::Skipped(n) => {
                bar.inc(n as u64);
                // What was there says nothing about speed.
                bar.reset_eta();
            }
            Progress::Written(n) => {
                let written = written.fetch_add(n, Ordering::Relaxed) + n;
                bar.set_message(format!("{} written", bytes(written)));
            }
        },
    };
    let outcome = extract(plan, &args.out, &control);
    bar.finish_and_clear();
    Ok((outcome?, computed.into_inner()))
}

/// How much memory the process has held at most, where the system tells (Linux).
fn log_peak_memory() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        log::debug!("peak memory: {}", peak.trim());
    }
}

/// Threads that find no room for a batch can only help those that have one, and their owner should know.
fn note_idle_threads(plan: &Extraction<'_>) {
    let (workers, threads) = (plan.workers(), rayon::current_num_threads());
    if workers < threads {
        eprintln!(
            "note: room for {workers} of {threads} batches at a time within --memory; give more for more speed"
        );
    }
}

/// What can be said about the output folder before anything is read.
fn check_output(args: &Args) -> Result<()> {
    match (args.out.exists(), args.resume, args.force || args.plan) {
        (true, false, false) => Err(Error::OutputExists {
            path: args.out.clone(),
            advice: "--resume to finish it, --force to replace it,",
        }),
        (true, false, true) if args.force => refuse_foreign(&args.out, "manifest.json"),
        _ => Ok(()),
    }
}

/// The columns that rows carry along: those asked for, or all that can be.
fn carried<'a>(args: &Args, data: &'a Dataset) -> Result<Vec<&'a Column>> {
    if let Some(names) = &args.columns {
        return names.iter().map(|n| data.column(n)).collect();
    }
    let mut carried = Vec::new();
    for name in data.names() {
        match data.column(&name) {
            Ok(column) if !matches!(column.values, Values::Tokens(_)) => {
                carried.push(column);
            }
            Ok(_) => {}
            // Rows carry what is said of texts.
            Err(_) if data.words(&name).is_ok() => {}
            Err(e) => eprintln!("note: not carried along: {e}"),
        }
    }
    Ok(carried)
}

fn points(args: &Args, model: &LoadedModel, pool: &Pool) -> Result<HookSet> {
    let spec = model.model.spec();
    let chosen = match &args.points {
        None => HookSet::new(spec.default_points()),
        Some(selector) => HookSet::select(selector, &spec.points())?,
    };
    let (Pool::Model(_), Some(last)) = (pool, spec.default_points().pop()) else {
        return Ok(chosen);
    };
    // The embedding is made of the last hidden state; of another one it would be a number that nobody published.
    match args.points.is_none() || chosen.points() == [last] {
        true => Ok(HookSet::new(vec![last])),
        false => Err(not_published(&format!("its --points is `{last}` alone"))),
    }
}

fn not_published(advice: &str) -> Error {
    Error::BadParameter {
        name: "pool",
        value: "model".to_owned(),
        problem: format!(
            "the model's published embedding is that of its last hidden state and its own tokens; {advice}"
        ),
    }
}

/// Says how many texts are cut, before the work starts.
fn report_truncation(cut: &Truncation, context: usize) {
    if cut.texts > 0 {
        eprintln!(
            "note: {} cut to the model's {context} tokens (the longest had {}; {} lost)",
            count(cut.texts, "text"),
            cut.longest,
            count(cut.tokens, "token"),
        );
    }
}
