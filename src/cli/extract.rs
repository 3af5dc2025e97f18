//! `plumb extract`: hidden states of every layer, as Parquet.

use super::model::{fetched, model_source};
use super::output::{bytes, count, progress_bar, refuse_foreign};
use super::tokenize::{TokenArgs, Tokenized};
use crate::error::{Error, Result};
use crate::hook::HookSet;
use crate::model::{LoadedModel, Model, ModelSource, Precision, load_in};
use crate::store::{
    Dtype, Extraction, Outcome, Pool, Progress, SentencePool, SpecialTokens, Truncation, extract,
};
use crate::text::dataset::{Column, Dataset, Values};
use crate::text::tokens::{Bos, Tokens};
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Store what passes a model's hook points, for every text of a data set, as Parquet.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb extract --model ./all-MiniLM-L6-v2 --data reviews.csv --text-column text --pool mean --out run/
  plumb extract --model ./llama --data prompts.jsonl --points 'resid_post,blocks.3-6.attn_out' --out run/

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
    /// Finish a run that was stopped
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Replace a run
    #[arg(long)]
    force: bool,
    /// Print what would be stored, and stop
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
    let limit = match &pool {
        Pool::Model(pool) => pool.max_tokens,
        _ => model.model.spec().context,
    };
    let Tokenized {
        tokens,
        tokenizer_sha256,
    } = args.tokens.tokenize(&args.model, &data, limit)?;
    let plan = Extraction {
        model: &model,
        model_name: args.model.to_string(),
        tokenizer_sha256,
        data: &data,
        data_name: shown.display().to_string(),
        source_column: args.tokens.source_column(),
        tokens: &tokens,
        carried: &carried,
        points,
        bos: args.tokens.bos(),
        pool,
        special_tokens: match args.no_special {
            true => SpecialTokens::Excluded,
            false => SpecialTokens::Included,
        },
        dtype: args.dtype(),
    };
    report_truncation(&tokens, limit);
    if args.plan {
        return Ok(describe(&plan));
    }
    if args.force && args.out.exists() {
        // The plan is checked by now: what is lost is lost for a run that can begin.
        std::fs::remove_dir_all(&args.out).map_err(|e| Error::io(&args.out, e))?;
    }
    let total: usize = tokens.iter().map(Tokens::len).sum();
    let bar = progress_bar(total as u64, "tokens", args.quiet);
    let outcome = extract(&plan, &args.out, args.resume, &|p| match p {
        Progress::Tokens(n) | Progress::Skipped(n) => bar.inc(n as u64),
    })?;
    bar.finish_and_clear();
    match args.json {
        true => Ok(format!(
            "{}\n",
            serde_json::to_string_pretty(&outcome.manifest)?
        )),
        false => Ok(summary(&args.out, &outcome)),
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
fn carried(args: &Args, data: &Dataset) -> Result<Vec<Column>> {
    if let Some(names) = &args.columns {
        return names.iter().map(|n| data.column(n).cloned()).collect();
    }
    let mut carried = Vec::new();
    for name in data.names() {
        match data.column(&name) {
            Ok(column) if !matches!(column.values, Values::Tokens(_)) => {
                carried.push(column.clone());
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
fn report_truncation(tokens: &[Tokens], context: usize) {
    let cut = Truncation::of(tokens);
    if cut.texts > 0 {
        eprintln!(
            "note: {} cut to the model's {context} tokens (the longest had {}; {} lost)",
            count(cut.texts, "text"),
            cut.longest,
            count(cut.tokens, "token"),
        );
    }
}

/// What a plan would store.
fn describe(plan: &Extraction<'_>) -> String {
    use crate::report::table::{Align, Table};
    let rows: usize = match plan.pool {
        Pool::None => plan.tokens.iter().map(Tokens::len).sum(),
        _ => plan.tokens.len(),
    };
    let mut table = Table::new([
        ("hook point", Align::Left),
        ("vector", Align::Right),
        ("bytes", Align::Right),
    ]);
    let mut total = 0;
    for point in plan.points.points() {
        let width: usize = plan.shape(*point).map_or(0, |s| s.iter().product());
        let size = (width * plan.dtype.size() * rows) as u64;
        total += size;
        table.row([point.to_string(), width.to_string(), bytes(size)]);
    }
    let tokens: usize = plan.tokens.iter().map(Tokens::len).sum();
    format!(
        "{table}{}, {}, {}: {} of vectors\n",
        count(plan.tokens.len(), "example"),
        count(tokens, "token"),
        count(rows, "row"),
        bytes(total),
    )
}

fn summary(out: &Path, outcome: &Outcome) -> String {
    let manifest = &outcome.manifest;
    let resumed = match outcome.resumed_shards {
        0 => String::new(),
        n => format!(", {} of them from before", count(n, "shard")),
    };
    format!(
        "{}: {}, {}, {}, {} in {}{resumed}\n",
        out.display(),
        count(manifest.plan.data.examples, "example"),
        count(manifest.plan.data.tokens, "token"),
        count(manifest.plan.points.len(), "hook point"),
        bytes(outcome.bytes),
        count(manifest.shards.len(), "shard"),
    )
}
