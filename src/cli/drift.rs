//! `plumb drift`: how far each layer moves when the input changes, against what would move it anyway.

mod inputs;
mod pair;
mod probe;

use super::delivery::{Delivery, OpenDelivery, holds, json_of};
use super::model::{fetched, model_source};
use super::output::{command_line, progress_bar};
use crate::analysis::drift::{Counts, Drift, Edits, Measure, Params, Task, drift};
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::hook::HookSet;
use crate::model::{LoadedModel, Model, ModelSource, load};
use crate::report::data_file::DataFile;
use crate::report::drift::{DriftReport, Source};
use crate::store::Pool;
use crate::text::dataset::Dataset;
use crate::text::perturb::{Null, PairColumns, Vocabulary};
use crate::text::tokens::Tokenizer;
use clap::ValueEnum;
use inputs::{Inputs, pair_edits};
use std::path::{Path, PathBuf};

/// Measure how far edits move each layer, beside random edits of the same size
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb drift --model ./all-MiniLM-L6-v2 --data pairs.csv --out drift/
  plumb drift --model builtin --data reviews.csv --text-column text --edit typo,word-drop,negation,synonym
  plumb drift --model ./all-MiniLM-L6-v2 --data reviews.csv --text-column text --against-precision bf16,q8,q4
  plumb drift --model ./all-MiniLM-L6-v2 --data pairs.tsv --probe-run sst/ --probe-label label --null words
  plumb drift --model ./all-MiniLM-L6-v2 --data pairs.tsv --probe sst-probe/ --null words
  plumb drift --model builtin --original 'Paris is in France.' --edited 'Paris is in Spain.'

A file of pairs has the columns original and edited, and may have kind, and original_label with edited_label. Edits are: typo-swap,
typo-drop, typo-double, typo-keyboard, case-upper, case-lower, punctuation, whitespace, homoglyph, diacritics, word-drop, word-swap,
word-order, number, negation, name, synonym, mask, unk, truncate, prefix, suffix; typo, case, word and all are groups.
The effect is the mean over texts of the difference to the null, with a bootstrap interval, a band that holds at all layers together, and a
test of equivalence within --margin.")]
#[command(mut_arg(
    "out",
    holds("drift.json and the charts (.svg, .png, and their numbers as .parquet)")
))]
pub(super) struct Args {
    /// Folder of a model, GGUF file, name of one on the hub (org/name@rev), or `builtin`
    #[arg(long, value_name = "DIR|FILE.gguf|ID[@REV]|builtin", value_parser = model_source)]
    model: ModelSource,
    /// Data file: pairs of texts, or texts to be edited
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "original",
        conflicts_with = "original"
    )]
    data: Option<PathBuf>,
    /// One original, to be compared with --edited
    #[arg(long, value_name = "TEXT", requires = "edited")]
    original: Option<String>,
    /// What it was edited to
    #[arg(long, value_name = "TEXT", requires = "original")]
    edited: Option<String>,
    /// Column with the originals of pairs
    #[arg(long, value_name = "C", default_value = "original")]
    original_column: String,
    /// Column with the edited texts of pairs
    #[arg(long, value_name = "C", default_value = "edited")]
    edited_column: String,
    /// Column with the kind of each edit; default: `kind`, if there is one
    #[arg(long, value_name = "C")]
    kind_column: Option<String>,
    /// Columns with the label before and after the edit; default: original_label,edited_label, if there are both
    #[arg(long, value_name = "C,C", value_delimiter = ',', num_args = 1)]
    label_columns: Option<Vec<String>>,
    /// Column with the texts for --edit and --against-…
    #[arg(long, value_name = "C", default_value = "text")]
    text_column: String,
    /// Edits to make, separated by commas
    #[arg(long, value_name = "EDIT,…", value_delimiter = ',')]
    edit: Vec<String>,
    /// What the edit `prefix` puts before a text
    #[arg(long, value_name = "TEXT", default_value = "By the way,")]
    prefix: String,
    /// What the edit `suffix` puts after a text
    #[arg(long, value_name = "TEXT", default_value = "That is all.")]
    suffix: String,
    /// Compare with the same model in other numbers: weights rounded to q8 or q4 (blocks of 32), or weights and stream to bf16 or f16
    #[arg(
        long,
        value_name = "P,…",
        value_delimiter = ',',
        conflicts_with = "edit"
    )]
    against_precision: Vec<inputs::PrecisionArg>,
    /// Compare with another model (a checkpoint of the same widths) on the same texts
    #[arg(long, value_name = "MODEL", value_parser = model_source, conflicts_with = "edit")]
    against_model: Vec<ModelSource>,
    /// Hook points: names with * and ranges, separated by commas; default: Hugging Face's hidden_states
    #[arg(long, value_name = "SELECTOR")]
    points: Option<String>,
    /// How the tokens of a text become one vector
    #[arg(long, value_enum, default_value_t = PoolArg::Mean)]
    pool: PoolArg,
    /// What the random edits of the null exchange at the place of the edit
    #[arg(long, value_enum, default_value_t = NullArg::Characters)]
    null: NullArg,
    /// Random edits for each edit
    #[arg(long, value_name = "N", default_value_t = 1)]
    nulls: usize,
    /// File of pairs that mean the same (paraphrases), as a second null
    #[arg(long, value_name = "FILE")]
    null_data: Option<PathBuf>,
    /// A trained probe whose direction is followed: the folder that `plumb probe --out` made, or one of the files in its probes/
    #[arg(long, value_name = "DIR|FILE", conflicts_with = "probe_run")]
    probe: Option<PathBuf>,
    /// Run whose labels a probe is trained on; its direction is followed
    #[arg(long, value_name = "RUN", requires = "probe_label")]
    probe_run: Option<PathBuf>,
    /// Column of that run with the label
    #[arg(long, value_name = "C", requires = "probe_run")]
    probe_label: Option<String>,
    /// Column of that run with `train` and `test`; default: a seeded stratified split
    #[arg(long, value_name = "C", requires = "probe_run")]
    probe_split_column: Option<String>,
    /// Penalty of the probe
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    probe_lambda: f64,
    /// Neighbours that are compared
    #[arg(long, value_name = "K", default_value_t = 10)]
    neighbors: usize,
    /// What counts as no difference: a share of what lies between unrelated texts
    #[arg(long, value_name = "X", default_value_t = 0.05)]
    margin: f64,
    /// Resamples for intervals; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    resamples: usize,
    /// Seed of edits, random edits and resamples
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Read only the first rows of the data
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    #[command(flatten)]
    delivery: Delivery,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PoolArg {
    Mean,
    Last,
    First,
    Max,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NullArg {
    /// Characters, by random ones of their class
    Characters,
    /// Words, by random ones of their length
    Words,
    /// Nothing: effects are against no change
    None,
}

impl Args {
    fn pool(&self) -> Pool {
        match self.pool {
            PoolArg::Mean => Pool::Mean,
            PoolArg::Last => Pool::Last,
            PoolArg::First => Pool::First,
            PoolArg::Max => Pool::Max,
        }
    }

    /// Another model is an edit without characters, so nothing is random about its size.
    fn other_models(&self) -> bool {
        !self.against_precision.is_empty() || !self.against_model.is_empty()
    }

    fn params(&self) -> Result<Params> {
        let params = Params {
            pool: self.pool(),
            null: match self.null {
                _ if self.other_models() => None,
                NullArg::Characters => Some(Null::Characters),
                NullArg::Words => Some(Null::Words),
                NullArg::None => None,
            },
            draws: self.nulls,
            neighbors: self.neighbors,
            resamples: self.resamples,
            margin: self.margin,
            seed: self.seed,
            ..Params::default()
        };
        params.check()?;
        Ok(params)
    }

    fn pair_columns(&self) -> Result<PairColumns> {
        let labels = match self.label_columns.as_deref() {
            None => None,
            Some([before, after]) => Some((before.clone(), after.clone())),
            Some(other) => {
                return Err(Error::BadParameter {
                    name: "label-columns",
                    value: other.join(","),
                    problem: "give two columns: the label before and the label after the edit"
                        .to_owned(),
                });
            }
        };
        Ok(PairColumns {
            original: self.original_column.clone(),
            edited: self.edited_column.clone(),
            kind: self.kind_column.clone(),
            labels,
        })
    }

    fn points(&self, model: &LoadedModel) -> Result<HookSet> {
        let spec = model.model.spec();
        match &self.points {
            None => Ok(HookSet::new(spec.default_points())),
            Some(selector) => HookSet::select(selector, &spec.points()),
        }
    }

    fn out(&self) -> Result<OpenDelivery> {
        self.delivery.open("drift.json")
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<String> {
    if let (Some(original), Some(edited)) = (&args.original, &args.edited) {
        return pair::run(&args, original, edited);
    }
    let Some(path) = args.data.clone() else {
        anyhow::bail!("give --data, or --original and --edited");
    };
    let (out, report) = measured(&args, &path)?;
    Ok(out.deliver(
        json_of(&report)?,
        || charts(&report),
        |styled| report.table(styled),
    )?)
}

/// Reads what is to be measured, and measures it; outputs are opened in between, before the model is loaded.
fn measured(args: &Args, path: &Path) -> anyhow::Result<(OpenDelivery, DriftReport)> {
    let params = args.params()?;
    let data = Dataset::read(path)?;
    let paraphrases = args.null_data.as_deref().map(Dataset::read).transpose()?;
    let out = args.out()?;
    let source = fetched(&args.model, args.delivery.quiet)?;
    let model = load(&source)?;
    let tokenizer = Tokenizer::open(&source)?;
    let points = args.points(&model)?;
    let probe = probe::find(args, &points, &params, &model)?;
    let inputs = Inputs::read(args, &data, &source)?;
    let number = |label: &str| probe.as_ref().and_then(|p| p.number(label));
    let synonyms = inputs.synonyms(&model, &tokenizer)?;
    let edits = inputs.edits(args, &tokenizer, synonyms.as_ref(), &number)?;
    let columns = args.pair_columns()?;
    let paraphrased = paraphrases.as_ref();
    let paraphrased = paraphrased
        .map(|data| pair_edits(data, &columns, None, &number, false))
        .transpose()?;
    let vocabulary = match params.null {
        Some(_) => Vocabulary::of(edits.originals()),
        None => Vocabulary::default(),
    };
    let all = edits.as_dyn();
    let total = all.texts() + paraphrased.as_ref().map_or(0, |p| p.texts());
    let task = Task {
        base: inputs::reader(&model, &tokenizer),
        others: inputs.readers(&tokenizer),
        points,
        edits: all,
        paraphrases: paraphrased.as_ref().map(|p| p as _),
        vocabulary: &vocabulary,
        probes: probe.iter().flat_map(|p| p.readouts.clone()).collect(),
    };
    let bar = progress_bar(total as u64, "texts", args.delivery.quiet);
    let found = drift(&task, &params, &|texts| bar.inc(texts as u64));
    bar.finish_and_clear();
    let found = found?;
    refuse_nothing(path, &found)?;
    let source = Source {
        model: args.model.to_string(),
        weights_sha256: model.weights_sha256.clone(),
        compared: inputs.compared(),
        probe: probe.map(|p| p.source),
        paraphrases: paraphrases.as_ref().map(DataFile::of),
        data: DataFile::of(&data),
    };
    let report = DriftReport::new(command_line(), source, params, found);
    Ok((out, report))
}

/// A table of nothing is no result.
fn refuse_nothing(path: &Path, found: &Drift) -> Result<()> {
    if found.kinds.iter().any(|k| k.counts.measured > 0) {
        return Ok(());
    }
    let sum =
        |count: fn(&Counts) -> usize| found.kinds.iter().map(|k| count(&k.counts)).sum::<usize>();
    Err(Error::BadParameter {
        name: "data",
        value: path.display().to_string(),
        problem: format!(
            "there is nothing to measure: of {} edits {} are longer than the model's context and {} found nothing to edit",
            sum(|c| c.edits),
            sum(|c| c.too_long),
            sum(|c| c.not_applicable)
        ),
    })
}

/// All charts of a report with the names of their files, distances by layer first.
fn charts(report: &DriftReport) -> Vec<(&'static str, Figure)> {
    let others = [
        ("effects", report.effects(Measure::CosineDistance)),
        ("probe", report.effects(Measure::ProbeShift)),
        ("ranking", report.ranking()),
        ("movement", report.movement()),
    ];
    let mut charts = vec![("chart", report.chart())];
    charts.extend(others.into_iter().filter_map(|(name, f)| Some((name, f?))));
    charts
}
