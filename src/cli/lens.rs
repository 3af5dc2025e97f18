//! `plumb lens`: what each layer of a model would say.

mod parameters;
mod train;

use super::delivery::{Delivery, also_data, holds, json_of};
use super::model::{fetched, model_source};
use super::output::command_line;
use crate::analysis::lens::{Translators, aim, lens};
use crate::error::{Error, Result};
use crate::model::{LoadedModel, Model, ModelSource, load};
use crate::report::lens as report;
use crate::report::lens::{Layer, LensReport, SCHEMA_VERSION, Shown};
use crate::text::tokens::Tokenizer;
use clap::{Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

/// Read what each layer of a model would say, through its own head.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  plumb lens --model builtin --text 'Lima is a city in'
  plumb lens --model builtin --text 'Lima is a city in' --color kl --out lens/
  plumb lens train --model builtin --data texts.csv --out tuned/
  plumb lens --model builtin --text 'Lima is a city in' --tuned tuned/
  plumb lens params --model builtin --block 3 --mlp-values

The logit lens (nostalgebraist 2020): the stream after each block goes through the final norm and the head as if it were the last. The tuned lens
(Belrose et al. 2023) translates it first. A masked language model is read at the token that stands there, every other one at the next. KL is of the
reading from the model's own prediction, in nats."
)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::Args),
    Params(parameters::Args),
}

#[derive(Debug, clap::Args)]
#[command(
    mut_arg(
        "out",
        holds("lens.json and the chart (.svg, .png, and its numbers as .parquet)")
    ),
    mut_arg("chart_data", also_data)
)]
struct Show {
    /// Folder of a model, GGUF file, name of one on the hub (org/name@rev), or `builtin`
    #[arg(long, value_name = "MODEL", value_parser = model_source, required = true)]
    model: Option<ModelSource>,
    /// The text
    #[arg(long, required = true)]
    text: Option<String>,
    /// Folder that `plumb lens train` made for this model
    #[arg(long, value_name = "DIR")]
    tuned: Option<PathBuf>,
    /// Likeliest tokens to list for each layer and token
    #[arg(long, value_name = "K", default_value_t = 5)]
    top: usize,
    /// What the colours of the chart say
    #[arg(long, value_enum, default_value_t = ColorArg::Top)]
    color: ColorArg,
    #[command(flatten)]
    delivery: Delivery,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ColorArg {
    /// Probability of the token in the cell
    Top,
    /// Probability of the token that is really there
    Target,
    /// Its rank
    Rank,
    Entropy,
    /// Divergence from the model's own prediction
    Kl,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    match &args.command {
        Some(Command::Train(args)) => train::run(args),
        Some(Command::Params(args)) => parameters::run(args),
        None => show(&args.show),
    }
}

/// A model with a head that gives tokens, and its tokenizer.
struct Speaker {
    name: String,
    loaded: LoadedModel,
    tokenizer: Tokenizer,
}

impl Speaker {
    fn load(source: &ModelSource, quiet: bool) -> Result<Self> {
        let fetched = fetched(source, quiet)?;
        let loaded = load(&fetched)?;
        aim(loaded.model.spec())?;
        Ok(Self {
            name: source.to_string(),
            tokenizer: Tokenizer::open(&fetched)?,
            loaded,
        })
    }

    fn source(&self) -> report::ModelSource {
        report::ModelSource {
            model: self.name.clone(),
            weights_sha256: self.loaded.weights_sha256.clone(),
        }
    }

    fn context(&self) -> usize {
        self.loaded.model.spec().context
    }
}

fn show(args: &Show) -> anyhow::Result<String> {
    let (Some(model), Some(text)) = (&args.model, &args.text) else {
        anyhow::bail!("give --model and --text");
    };
    if args.top == 0 {
        return Err(bad("top", "0", "list at least the likeliest token").into());
    }
    let out = args.delivery.open("lens.json")?;
    let speaker = Speaker::load(model, args.delivery.quiet)?;
    let translators = match &args.tuned {
        Some(folder) => Some(translators(folder, &speaker)?),
        None => None,
    };
    let tokens = speaker.tokenizer.encode(text, None)?;
    if tokens.len() > speaker.context() {
        return Err(Error::TooLong {
            row: 0,
            tokens: tokens.len(),
            context: speaker.context(),
        }
        .into());
    }
    let layers = lens(
        &speaker.loaded.model,
        &tokens.ids,
        translators.as_ref(),
        args.top,
    )?;
    let report = LensReport {
        schema_version: SCHEMA_VERSION,
        command: command_line(),
        source: speaker.source(),
        translators: args.tuned.as_ref().map(|f| f.display().to_string()),
        text: text.clone(),
        aim: aim(speaker.loaded.model.spec())?,
        layers: layers
            .into_iter()
            .map(|layer| Layer::new(layer, &tokens.tokens, &speaker.tokenizer))
            .collect(),
        tokens: tokens.tokens,
    };
    let chart = || vec![("chart", report.chart(shown(args.color)))];
    Ok(out.deliver(json_of(&report)?, chart, |styled| report.table(styled))?)
}

fn shown(color: ColorArg) -> Shown {
    match color {
        ColorArg::Top => Shown::Top,
        ColorArg::Target => Shown::Target,
        ColorArg::Rank => Shown::Rank,
        ColorArg::Entropy => Shown::Entropy,
        ColorArg::Kl => Shown::Kl,
    }
}

/// The translators in a folder, which must belong to the model.
fn translators(folder: &Path, speaker: &Speaker) -> Result<Translators> {
    let path = folder.join(train::CARD);
    let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
    let card: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| Error::Malformed {
        path: path.clone(),
        problem: format!("this is no card of translators ({e})"),
    })?;
    let weights = card["source"]["weights_sha256"].as_str();
    if weights != Some(speaker.loaded.weights_sha256.as_str()) {
        return Err(Error::Malformed {
            path,
            problem: format!(
                "the translators belong to {}, whose weights are others than those of {}; train them for this model",
                card["source"]["model"].as_str().unwrap_or("another model"),
                speaker.name
            ),
        });
    }
    let width = speaker.loaded.model.spec().d_model;
    Translators::read(&folder.join(train::TRANSLATORS), width)
}

fn bad(name: &'static str, value: &str, problem: &str) -> Error {
    Error::BadParameter {
        name,
        value: value.to_owned(),
        problem: problem.to_owned(),
    }
}
