//! `plumb nearest`: which tokens or rows are nearest to a vector.

mod field;
mod question;
mod search;

use super::delivery::{Delivery, also_data, holds, json_of};
use super::model::{fetched, model_source};
use super::output::command_line;
use crate::analysis::neighbors::{Correction, Metric, Space};
use crate::error::{Error, Result};
use crate::hook::{HookPoint, Site};
use crate::model::{LoadedModel, ModelSource, load};
use crate::report::nearest::{Found, NearestReport, QueryCard, SCHEMA_VERSION};
use crate::store::Run;
use crate::text::tokens::Tokenizer;
use clap::ValueEnum;
use field::Field;
use question::Question;
use search::{Search, SearchArg};
use std::path::PathBuf;

/// Find the tokens of a model, or the rows of a run, that are nearest to a vector.
#[derive(Debug, clap::Args)]
#[command(
    group = clap::ArgGroup::new("question").required(true),
    after_help = "\
Examples:
  plumb nearest --model builtin --token ' Paris'
  plumb nearest --model builtin --expr '\" Paris\" - \" France\" + \" Japan\"'
  plumb nearest --model builtin --text 'Paris is in' --layer 3 --space unembed      what the model would say
  plumb nearest run/ --row 17 --point blocks.3.resid_post
  plumb nearest run/ --text 'a film without a heart' --correction abtt --out nearest/
  plumb nearest --model ./llama --file direction.npy --direction --space unembed

With a run, its rows are searched; without one, or with --space, the model's vocabulary. In the space `unembed` the vectors of the
residual stream pass the final norm first. Rows with the same numbers count once; what is part of the query is left out."
)]
#[command(
    mut_arg(
        "out",
        holds("nearest.json and the chart (.svg, .png, and its numbers as .parquet)")
    ),
    mut_arg("chart_data", also_data)
)]
pub(super) struct Args {
    /// Folder of a run: its rows are searched (with --space, it gives --row alone)
    run: Option<PathBuf>,
    /// Model, as in `plumb extract`; default: the run's
    #[arg(long, value_name = "DIR|FILE.gguf|ID[@REV]|builtin", value_parser = model_source)]
    model: Option<ModelSource>,
    /// Search the model's vocabulary: input embeddings, or the output embeddings that the head compares with
    #[arg(long, value_enum)]
    space: Option<SpaceArg>,
    /// The vector: a token, in the vocabulary's spelling or as a text that is one token
    #[arg(long, value_name = "T", group = "question")]
    token: Option<String>,
    /// The vector: a text at --point or --layer, pooled as the run is, else at --position
    #[arg(long, value_name = "TEXT", group = "question")]
    text: Option<String>,
    /// The vector: a row of the run, from 0
    #[arg(long, value_name = "N", group = "question", requires = "run")]
    row: Option<usize>,
    /// The vectors: a file (.npy, .json, .safetensors) with one of them, or one a row
    #[arg(long, value_name = "FILE", group = "question")]
    file: Option<PathBuf>,
    /// The vector: a sum of tokens in quotes and rows, such as '\"king\" - \"man\" + 0.5 * row 7'
    #[arg(
        long,
        value_name = "SUM",
        group = "question",
        allow_hyphen_values = true
    )]
    expr: Option<String>,
    /// Hook point of --text and of the run's rows; default: the run's only one
    #[arg(long, value_name = "POINT", conflicts_with = "layer")]
    point: Option<HookPoint>,
    /// Short for --point blocks.N.resid_post
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
    /// Token of --text, from 0; negative from the end. Default: -1
    #[arg(
        long,
        value_name = "N",
        requires = "text",
        allow_negative_numbers = true
    )]
    position: Option<i64>,
    /// Tensor of --file, where a .safetensors file holds several; default: `weights`
    #[arg(long, value_name = "NAME", requires = "file")]
    tensor: Option<String>,
    /// The vectors of --file are differences (such as a probe's weights): corrections take no mean off
    #[arg(long, requires = "file")]
    direction: bool,
    /// Number of neighbours
    #[arg(
        short = 'k',
        long = "neighbors",
        value_name = "N",
        default_value_t = 10
    )]
    k: usize,
    /// How near two vectors are
    #[arg(long, value_enum, default_value_t = MetricArg::Cosine)]
    metric: MetricArg,
    /// What is done about a space whose vectors all point one way
    #[arg(long, value_enum, default_value_t = CorrectionArg::None, alias = "correct")]
    correction: CorrectionArg,
    /// How rows are searched
    #[arg(long, value_enum, default_value_t = SearchArg::Auto)]
    search: SearchArg,
    /// An index that finds a smaller share of the 10 nearest, on a sample of its rows, is not used
    #[arg(long, value_name = "X", default_value_t = 0.95)]
    min_recall: f64,
    /// Seed of the random pairs that scores are held against, and of the index
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    delivery: Delivery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SpaceArg {
    /// What tokens come in as
    Embed,
    /// What the head compares the stream with
    Unembed,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MetricArg {
    Cosine,
    Dot,
    Euclid,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CorrectionArg {
    /// Nothing
    None,
    /// The mean is taken off
    Center,
    /// The mean is taken off, and features divided by their standard deviations
    Standardize,
    /// The mean and the first d/100 principal directions are taken off (Mu & Viswanath 2018)
    Abtt,
    /// Twice the cosine, less the mean cosines of both to their 10 nearest (Conneau et al. 2018)
    Csls,
}

impl Args {
    fn metric(&self) -> Metric {
        match self.metric {
            MetricArg::Cosine => Metric::Cosine,
            MetricArg::Dot => Metric::Dot,
            MetricArg::Euclid => Metric::Euclid,
        }
    }

    fn correction(&self) -> Correction {
        match self.correction {
            CorrectionArg::None => Correction::None,
            CorrectionArg::Center => Correction::Center,
            CorrectionArg::Standardize => Correction::Standardize,
            CorrectionArg::Abtt => Correction::Abtt,
            CorrectionArg::Csls => Correction::Csls,
        }
    }

    /// The vocabulary that is searched; `None` for the rows of the run.
    fn vocabulary(&self) -> Option<SpaceArg> {
        match (self.space, &self.run) {
            (None, None) => Some(SpaceArg::Embed),
            (space, _) => space,
        }
    }

    /// The hook point of texts and of the run's rows, if one was named or there is no choice.
    fn named_point(&self, run: Option<&Run>) -> Result<Option<HookPoint>> {
        if let Some(layer) = self.layer {
            return HookPoint::block(layer, Site::ResidPost).map(Some);
        }
        if self.point.is_some() {
            return Ok(self.point);
        }
        match run.map(Run::point_names).as_deref() {
            Some([only]) => only.parse().map(Some),
            _ => Ok(None),
        }
    }
}

/// What was typed, with everything opened that it names.
struct Opened<'a> {
    args: &'a Args,
    run: Option<Run>,
    mind: Option<ModelAndTokenizer>,
    point: Option<HookPoint>,
}

/// A model and its tokenizer.
struct ModelAndTokenizer {
    name: String,
    model: LoadedModel,
    tokenizer: Tokenizer,
}

impl<'a> Opened<'a> {
    fn open(args: &'a Args) -> Result<Self> {
        let run = args.run.as_deref().map(Run::open).transpose()?;
        let point = args.named_point(run.as_ref())?;
        let asks_model = args.token.is_some() || args.text.is_some() || args.expr.is_some();
        let mind = match args.vocabulary().is_some() || asks_model {
            true => Some(ModelAndTokenizer::open(args, run.as_ref())?),
            false => None,
        };
        Ok(Self {
            args,
            run,
            mind,
            point,
        })
    }

    fn run(&self) -> Result<&Run> {
        self.run.as_ref().ok_or_else(|| Error::BadParameter {
            name: "row",
            value: "a row".to_owned(),
            problem: "rows are those of a run; give its folder".to_owned(),
        })
    }

    fn mind(&self) -> Result<&ModelAndTokenizer> {
        self.mind.as_ref().ok_or_else(|| Error::BadParameter {
            name: "model",
            value: "none".to_owned(),
            problem: "this needs a model; give --model".to_owned(),
        })
    }

    fn point(&self) -> Result<HookPoint> {
        self.point.ok_or_else(|| Error::BadParameter {
            name: "point",
            value: "none".to_owned(),
            problem: match &self.run {
                Some(run) => format!(
                    "the run has several hook points; give --point: {}",
                    run.point_names().join(", ")
                ),
                None => "where in the model? Give --layer or --point".to_owned(),
            },
        })
    }
}

impl ModelAndTokenizer {
    fn open(args: &Args, run: Option<&Run>) -> Result<Self> {
        let of_run = run.map(|r| &r.manifest().plan.model);
        let source = match (&args.model, of_run) {
            (Some(source), _) => source.clone(),
            (None, Some(card)) => match &card.revision {
                Some(revision) if !card.name.contains('@') => {
                    ModelSource::named(&format!("{}@{revision}", card.name))
                }
                _ => ModelSource::named(&card.name),
            },
            (None, None) => {
                return Err(Error::BadParameter {
                    name: "model",
                    value: "none".to_owned(),
                    problem: "give --model, or the folder of a run".to_owned(),
                });
            }
        };
        let name = source.to_string();
        let source = fetched(&source, args.delivery.quiet)?;
        let bos = run.and_then(|r| r.manifest().plan.bos).unwrap_or_default();
        let tokenizer = Tokenizer::open(&source)?.with_bos(bos)?;
        let model = load(&source)?;
        let other = of_run.filter(|card| card.weights_sha256 != model.weights_sha256);
        if let (Some(card), Some(run)) = (other, run) {
            return Err(Error::BadRun {
                path: run.path().to_owned(),
                problem: format!(
                    "it was made with other weights than those of {name} (the run's are {}, named {}); vectors of two models cannot be compared",
                    crate::report::probe::short(&card.weights_sha256),
                    card.name
                ),
            });
        }
        Ok(Self {
            name,
            model,
            tokenizer,
        })
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<String> {
    let out = args.delivery.open("nearest.json")?;
    let opened = Opened::open(&args)?;
    let field = Field::read(&opened)?;
    let space = Space::new(&field.rows, args.metric(), args.correction(), args.seed)?;
    let questions = question::read(&opened, &field)?;
    let search = Search::choose(&args, &space, opened.run.as_ref(), questions.len())?;
    let report = NearestReport {
        schema_version: SCHEMA_VERSION,
        command: command_line(),
        metric: args.metric(),
        correction: args.correction(),
        baseline: space.baseline(),
        neighbors: answers(&args, &field, &space, &search, &questions)?,
        search: search.card(),
        queries: questions.into_iter().map(Question::card).collect(),
        space: field.card(&space),
    };
    let chart = || vec![("chart", report.chart())];
    Ok(out.deliver(json_of(&report)?, chart, |styled| report.table(styled))?)
}

/// The neighbours of every question, what is part of it left out.
fn answers(
    args: &Args,
    field: &Field,
    space: &Space,
    search: &Search,
    questions: &[Question],
) -> Result<Vec<Found>> {
    let queries = questions.iter().map(|q| q.query(space));
    let queries = queries.collect::<Result<Vec<_>>>()?;
    let spare = questions.iter().map(|q| q.without.len()).max().unwrap_or(0);
    // Zero is refused where it is searched.
    let asked = match args.k {
        0 => 0,
        k => k.saturating_add(spare),
    };
    let found = search.nearest(space, &queries, asked)?;
    let several = questions.len() > 1;
    let mut all = Vec::new();
    for (i, (question, found)) in questions.iter().zip(found).enumerate() {
        let own = |row: usize| {
            let mut without = question.without.iter();
            without.any(|given| space.different_row(*given) == Some(row))
        };
        let kept = found.into_iter().filter(|n| !own(n.row as usize));
        for neighbor in kept.take(args.k) {
            let members = space.members(neighbor.row as usize);
            let mut found = field.found(members[0] as usize);
            found.query = several.then_some(i);
            found.score = neighbor.score;
            let others = members[1..].iter();
            found.also = others.map(|m| field.name(*m as usize)).collect();
            all.push(found);
        }
    }
    Ok(all)
}

impl Question {
    fn card(self) -> QueryCard {
        QueryCard {
            kind: self.kind,
            label: self.label,
            without: self.without_names,
        }
    }
}
