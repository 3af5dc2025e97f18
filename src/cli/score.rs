//! `plumb score`: what a trained probe reads of new texts.

use super::delivery::{Delivery, holds};
use super::model::{fetched, model_source};
use super::output::{command_line, progress_bar};
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::{Link, Readout};
use crate::error::{Error, Result};
use crate::model::{LoadedModel, Model, ModelSource, load_in};
use crate::report::data_file::DataFile;
use crate::report::probe_file::{ProbeCard, read};
use crate::report::score::{ProbeName, SCHEMA_VERSION, ScoreReport, ScoredText, ScoredToken};
use crate::store::{TokenVectors, point_and_head, token_vectors};
use crate::text::dataset::Dataset;
use crate::text::tokens::{Tokenizer, Tokens};
use std::io::Read;
use std::path::PathBuf;

/// Score new texts with a trained probe, token by token.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb score --probe probe/probes/blocks.3.resid_post.json --model builtin --text 'Lima is in Peru.'
  plumb score --probe probe/probes/blocks.3.resid_post.json --model builtin --data new.csv --text-column text --out scores/
  cat texts.txt | plumb score --probe probe/probes/final_norm.json --model builtin --json

`plumb probe … --out DIR` leaves its probes in DIR/probes. Of a probe that was trained on texts, the score of each text is shown with those of
its tokens, one by one; the model must be the one that the probe was trained on.")]
#[command(mut_arg(
    "out",
    holds(
        "score.json, the coloured texts as chart.svg, .png and score.html, and the scores as chart.parquet"
    )
))]
pub(super) struct Args {
    /// A probe: the .json or .safetensors that `plumb probe` wrote
    #[arg(long, value_name = "FILE")]
    probe: PathBuf,
    /// The model that the probe was trained on
    #[arg(long, value_name = "DIR|FILE.gguf|ID[@REV]|builtin", value_parser = model_source)]
    model: ModelSource,
    /// A text; may be given several times. Without --text and --data, every line of standard input is one
    #[arg(long, value_name = "TEXT", conflicts_with = "data")]
    text: Vec<String>,
    /// Data file: .csv, .tsv, .jsonl, .parquet or .conllu
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Column that holds the texts
    #[arg(long, value_name = "C", default_value = "text")]
    text_column: String,
    #[command(flatten)]
    delivery: Delivery,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let (readout, card) = read(&args.probe)?;
    let (texts, data) = texts(args)?;
    let out = args.delivery.open("score.json")?;
    let source = fetched(&args.model, args.delivery.quiet)?;
    let scorer = Scorer::open(&source, readout, card)?;
    let bar = progress_bar(texts.len() as u64, "texts", args.delivery.quiet);
    let mut scored = Vec::new();
    for (row, text) in texts.into_iter().enumerate() {
        scored.push(scorer.score(text, row)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let report = ScoreReport {
        schema_version: SCHEMA_VERSION,
        command: command_line(),
        probe: scorer.name(args),
        model: args.model.to_string(),
        data,
        texts: scored,
    };
    let json = format!("{}\n", report.json()?);
    if let Some(folder) = out.folder() {
        folder.write("score.html", report.page().as_bytes())?;
    }
    let chart = || vec![("chart", report.chart())];
    Ok(out.deliver(json, chart, |styled| report.terminal(styled))?)
}

/// The texts that were asked for, and the file that they come from.
fn texts(args: &Args) -> Result<(Vec<String>, Option<DataFile>)> {
    if let Some(path) = &args.data {
        let data = Dataset::read(path)?;
        return Ok((data.texts(&args.text_column)?, Some(DataFile::of(&data))));
    }
    let texts: Vec<String> = match args.text.is_empty() {
        false => args.text.clone(),
        true => {
            let path = PathBuf::from("standard input");
            let mut all = Vec::new();
            std::io::stdin()
                .read_to_end(&mut all)
                .map_err(|e| Error::io(&path, e))?;
            let all = String::from_utf8(all).map_err(|e| Error::NotUtf8 {
                path,
                line: 1 + e.as_bytes()[..e.utf8_error().valid_up_to()]
                    .iter()
                    .filter(|b| **b == b'\n')
                    .count(),
            })?;
            all.lines()
                .filter(|l| !l.trim().is_empty())
                .map(str::to_owned)
                .collect()
        }
    };
    match texts.iter().position(|t| t.trim().is_empty()) {
        _ if texts.is_empty() => Err(Error::BadParameter {
            name: "text",
            value: "none".to_owned(),
            problem: "there is no text to score; give --text, --data or lines on standard input"
                .to_owned(),
        }),
        Some(row) => Err(Error::BadText {
            row,
            problem: "the text is empty".to_owned(),
        }),
        None => Ok((texts, None)),
    }
}

/// A probe with the model that it reads.
struct Scorer {
    model: LoadedModel,
    tokenizer: Tokenizer,
    readout: Readout,
    card: ProbeCard,
}

impl Scorer {
    /// Loads the model and checks that it is the probe's.
    fn open(source: &ModelSource, readout: Readout, card: ProbeCard) -> Result<Self> {
        let model = load_in(source, card.precision)?;
        let tokenizer = Tokenizer::open(source)?.with_bos(card.bos.unwrap_or_default())?;
        let other = |what: &str, ours: &str, theirs: &str| {
            let short = crate::report::probe::short;
            Err(Error::BadParameter {
                name: "model",
                value: source.to_string(),
                problem: format!(
                    "the probe was trained on another model ({}: {what} sha256 {}…, and this one's is {}…); its direction means nothing here",
                    card.model.name,
                    short(theirs),
                    short(ours),
                ),
            })
        };
        if model.weights_sha256 != card.model.weights_sha256 {
            return other("weights", &model.weights_sha256, &card.model.weights_sha256);
        }
        if let Some(theirs) = card
            .model
            .tokenizer_sha256
            .as_deref()
            .filter(|t| *t != tokenizer.sha256())
        {
            return other("tokenizer", tokenizer.sha256(), theirs);
        }
        Ok(Self {
            model,
            tokenizer,
            readout,
            card,
        })
    }

    fn name(&self, args: &Args) -> ProbeName {
        ProbeName {
            file: args.probe.display().to_string(),
            hook_point: self.card.hook_point.clone(),
            kind: self.card.kind.clone(),
            label: self.card.label.clone(),
            names: self.card.names.clone(),
            link: self.card.link,
            unit: self.card.rows.unit.clone(),
            sha256: self.card.tensors_sha256.clone(),
        }
    }

    fn score(&self, text: String, row: usize) -> Result<ScoredText> {
        let at_row = |error: Error| match error {
            Error::BadText { problem, .. } => Error::BadText { row, problem },
            other => other,
        };
        let limit = self.card.pool.limit(self.model.model.spec().context);
        let tokens = self.tokenizer.encode(&text, Some(limit)).map_err(at_row)?;
        let vectors = self.vectors(&tokens)?;
        let of_tokens = self.scores(&vectors.values, vectors.width);
        // A sentence embedding of several poolings is wider than a token.
        let of_tokens = match self.readout.features() == vectors.width {
            true => of_tokens?,
            false => vec![Vec::new(); tokens.len()],
        };
        let scores = match self.card.rows.unit.as_str() {
            "text" => {
                let pooled = vectors
                    .pooled(&tokens, &self.card.pool, self.card.special_tokens)
                    .map_err(at_row)?;
                self.scores(&pooled, pooled.len())?.pop()
            }
            _ => None,
        };
        Ok(ScoredText {
            class: scores.as_deref().and_then(|s| self.class(s)),
            scores,
            cut: tokens.truncated_from.map_or(0, |full| full - tokens.len()),
            tokens: (0..tokens.len())
                .zip(of_tokens)
                .map(|(i, scores)| ScoredToken {
                    token: tokens.tokens[i].clone(),
                    span: tokens.spans[i],
                    special: tokens.special[i],
                    class: self.class(&scores),
                    scores,
                })
                .collect(),
            text,
        })
    }

    fn vectors(&self, tokens: &Tokens) -> Result<TokenVectors> {
        let (point, head) = point_and_head(&self.card.hook_point);
        let point = point.parse()?;
        let vectors = token_vectors(&self.model.model, tokens, point)?;
        let shape = self.model.model.spec().row_shape(point.site())?;
        match (head, shape[..].first()) {
            (None, _) => Ok(vectors),
            (Some(head), Some(heads)) if shape.len() == 2 && head < *heads => {
                Ok(vectors.of_head(head, *heads))
            }
            (Some(head), _) => Err(Error::NoSuchPoint {
                point: self.card.hook_point.clone(),
                reason: format!("there is no head {head}"),
            }),
        }
    }

    fn scores(&self, values: &[f32], width: usize) -> Result<Vec<Vec<f64>>> {
        let x = Matrix::from_f32(values.len() / width.max(1), width, values)?;
        let scores = self.readout.scores(&x)?;
        Ok((0..scores.rows())
            .map(|row| scores.row(row).to_vec())
            .collect())
    }

    /// The most probable class; none for numbers.
    fn class(&self, scores: &[f64]) -> Option<String> {
        let best =
            (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b]).then(b.cmp(a)))?;
        let named = self
            .card
            .names
            .get(best)
            .filter(|_| self.card.link != Link::Identity);
        named.cloned()
    }
}
