//! What stands beside the scores: controls that read something else than the layer, and the audit of the split.

use super::Plan;
use super::random::RandomRows;
use super::rows::{RowArgs, Rows};
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::{
    Audit, AuditInput, Kind, LayerResult, Probing, Rival, SweepParams, audit, bag_of_words,
    group_ids, length_features, spelled, type_majority,
};
use crate::error::Result;
use crate::report::probe::{Baseline, NotRun};
use clap::ValueEnum;

/// The hook point of the embeddings: what the first block reads.
pub(super) const EMBEDDING: &str = "blocks.0.resid_pre";

/// Controls beside the majority class and shuffled labels.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Controls")]
pub(in crate::cli) struct ControlArgs {
    /// Probes of something else than the activations to compare with; default: all of them
    #[arg(long, value_enum, value_name = "C,…", value_delimiter = ',', num_args = 0..)]
    controls: Option<Vec<ControlArg>>,
    /// Column with what a row is about (an entity, a word): its values should not be on both sides of the split, and control tasks (Hewitt &
    /// Liang 2019) give each a random label; default for the latter: the words of rows that are words, tokens or spans, else texts that occur
    /// more than once
    #[arg(long, value_name = "C")]
    entity: Option<String>,
    /// Column with the template that a text was made from: its values should not be on both sides of the split
    #[arg(long, value_name = "C")]
    template: Option<String>,
    /// Control tasks to average
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(super) control_tasks: usize,
    /// Also print the reviewer's checklist, each item with its number
    #[arg(long)]
    pub(super) checklist: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ControlArg {
    /// The length of the text, in characters and words
    TextLength,
    /// How often each of the 1,000 most frequent words is in it
    BagOfWords,
    /// Where rows are words, tokens or spans: the label that the word itself mostly has among the training rows
    TypeMajority,
    /// What the first block reads
    Embedding,
    /// The same hook point of the same architecture with random weights; by default if it takes less than a minute
    RandomWeights,
    /// The online codelength of the labels, and of shuffled ones
    Codelength,
    /// None of them
    None,
}

impl ControlArgs {
    /// Whether the online codelength is to be computed.
    pub(super) fn codelength(&self) -> bool {
        self.wants(ControlArg::Codelength)
    }

    fn wants(&self, control: ControlArg) -> bool {
        let asked = |asked: &Vec<ControlArg>| asked.contains(&control);
        self.controls.as_ref().is_none_or(asked)
    }
}

/// Controls, as far as they were run.
pub(super) struct Controls {
    rivals: Vec<Rival>,
    pub(super) types: Option<Vec<usize>>,
    pub(super) audit: Audit,
    pub(super) baselines: Vec<Baseline>,
    pub(super) not_run: Vec<NotRun>,
    embedding: bool,
    random: Option<RandomRows>,
}

impl Controls {
    /// Audits the split and probes what needs no model.
    pub(super) fn run(
        args: &ControlArgs,
        row_args: &RowArgs,
        rows: &Rows,
        plan: &Plan,
    ) -> Result<Self> {
        let texts = rows.text_cells()?;
        let entity = column(rows, args.entity.as_deref())?;
        let whole = rows.card().unit == "text";
        let mut controls = Self {
            rivals: Vec::new(),
            audit: audited(args, rows, plan, texts.as_deref(), entity.as_deref())?,
            types: entity.or_else(|| repeated(texts.as_deref().filter(|_| whole)?)),
            baselines: Vec::new(),
            not_run: Vec::new(),
            embedding: args.wants(ControlArg::Embedding),
            random: None,
        };
        if plan.from_disk {
            let why = "the layers are read from disk (--memory)";
            for (control, asked) in [
                ("random_weights", args.wants(ControlArg::RandomWeights)),
                ("codelength", args.wants(ControlArg::Codelength)),
            ] {
                if asked {
                    controls.skip(control, why.to_owned());
                }
            }
        } else if args.wants(ControlArg::RandomWeights) {
            let asked = args.controls.is_some();
            match RandomRows::extract(rows, row_args, &plan.labels, plan.params.seed, asked)? {
                Ok(random) => controls.random = Some(random),
                Err(why) => controls.skip("random_weights", why),
            }
        }
        match (whole, texts) {
            (true, Some(texts)) => controls.of_texts(args, &texts, plan),
            (true, None) => controls.without_texts(args, "the run does not carry the texts"),
            (false, _) => match rows.spellings(row_args) {
                Ok(words) => controls.of_words(args, &words, plan)?,
                Err(why) => controls.without_texts(args, &why.to_string()),
            },
        }
        controls.expect_embedding(rows);
        Ok(controls)
    }

    /// What rows that are texts give away without a model.
    fn of_texts(&mut self, args: &ControlArgs, texts: &[String], plan: &Plan) {
        if args.wants(ControlArg::TextLength) {
            self.rival("text_length", length_features(texts), plan);
        }
        if args.wants(ControlArg::BagOfWords) {
            match bag_of_words(texts, &plan.task.split.train) {
                Some((counts, _)) => self.rival("bag_of_words", counts, plan),
                None => self.skip(
                    "bag_of_words",
                    "no word is in two training texts".to_owned(),
                ),
            }
        }
    }

    /// What words, tokens and spans give away: their length, and which they are. They are the types of control tasks too, unless others are named.
    fn of_words(&mut self, args: &ControlArgs, words: &[String], plan: &Plan) -> Result<()> {
        let types = repeated(words);
        if args.wants(ControlArg::TextLength) {
            self.rival("text_length", length_features(words), plan);
        }
        if args.wants(ControlArg::TypeMajority) {
            let probing = Probing {
                groups: plan.task.groups.as_deref(),
                ..Probing::new(&plan.task.labelled.labels, &plan.task.split, &plan.params)
            };
            let found = types.as_ref().map(|types| type_majority(&probing, types));
            match found.transpose()?.flatten() {
                Some((rival, metrics, known)) => {
                    self.rivals.push(rival);
                    self.baselines.push(Baseline {
                        control: "type_majority".to_owned(),
                        n_features: known,
                        lambda: 0.0,
                        metrics,
                    });
                }
                None => self.skip(
                    "type_majority",
                    "no word is in two training rows".to_owned(),
                ),
            }
        }
        if self.types.is_none() {
            self.types = types;
        }
        Ok(())
    }

    fn without_texts(&mut self, args: &ControlArgs, why: &str) {
        for (control, asked) in [
            ("text_length", args.wants(ControlArg::TextLength)),
            ("bag_of_words", args.wants(ControlArg::BagOfWords)),
        ] {
            if asked {
                self.skip(control, why.to_owned());
            }
        }
    }

    fn expect_embedding(&mut self, rows: &Rows) {
        let there = rows.points().iter().any(|point| point == EMBEDDING);
        if self.embedding && !there {
            self.skip("embedding", format!("the run holds no {EMBEDDING}"));
        }
    }

    /// The hook point under random weights; nothing where they were not run.
    pub(super) fn random_matrices(&self, point: &str) -> Result<Vec<(String, Matrix)>> {
        match &self.random {
            Some(random) => random.matrices(point),
            None => Ok(Vec::new()),
        }
    }

    /// The rivals of a layer, with a probe of what is there under random weights.
    pub(super) fn rivals(
        &mut self,
        name: &str,
        random: Option<&Matrix>,
        plan: &Plan,
    ) -> Vec<Rival> {
        let mut rivals = self.rivals.clone();
        if let Some(x) = random {
            match probed(&format!("random {name}"), x, plan) {
                Ok(probe) => rivals.extend(Rival::new("random_weights", &probe)),
                Err(why) => self.skip("random_weights", format!("{name}: {why}")),
            }
        }
        rivals
    }

    /// A layer that was probed; that of the embeddings is a control of the others.
    pub(super) fn saw(&mut self, layer: &LayerResult) {
        if self.embedding && layer.hook_point == EMBEDDING {
            self.rivals.extend(Rival::new("embedding", layer));
        }
    }

    fn rival(&mut self, name: &str, x: Matrix, plan: &Plan) {
        match probed(name, &x, plan) {
            Ok(probe) => {
                self.rivals.extend(Rival::new(name, &probe));
                self.baselines.push(Baseline {
                    control: name.to_owned(),
                    n_features: probe.n_features,
                    lambda: probe.lambda,
                    metrics: probe.metrics,
                });
            }
            Err(why) => self.skip(name, why.to_string()),
        }
    }

    fn skip(&mut self, control: &str, why: String) {
        self.not_run.push(NotRun {
            control: control.to_owned(),
            why,
        });
    }
}

/// A probe of something else than a layer, without controls of its own.
fn probed(name: &str, x: &Matrix, plan: &Plan) -> Result<LayerResult> {
    let params = SweepParams {
        kind: match plan.params.kind.is_numeric() {
            true => Kind::Ridge,
            false => Kind::Logistic,
        },
        inner_folds: false,
        codelength: false,
        control_tasks: 0,
        shuffles: 0,
        ..plan.params.clone()
    };
    let probing = Probing {
        groups: plan.task.groups.as_deref(),
        ..Probing::new(&plan.task.labelled.labels, &plan.task.split, &params)
    };
    probing.layer(name, x)
}

/// The numbers of a column's values, where a column is named.
fn column(rows: &Rows, name: Option<&str>) -> Result<Option<Vec<usize>>> {
    let ids = |name| Ok(group_ids(&rows.column(name)?));
    name.map(ids).transpose()
}

/// Texts as types, where some occur more than once.
fn repeated(texts: &[String]) -> Option<Vec<usize>> {
    let mut numbers = std::collections::HashMap::new();
    let types: Vec<usize> = texts
        .iter()
        .map(|text| {
            let next = numbers.len();
            *numbers.entry(text.as_str()).or_insert(next)
        })
        .collect();
    (numbers.len() < texts.len()).then_some(types)
}

fn audited(
    args: &ControlArgs,
    rows: &Rows,
    plan: &Plan,
    texts: Option<&[String]>,
    entity: Option<&[usize]>,
) -> Result<Audit> {
    let mut separate = Vec::new();
    if let Some((groups, name)) = plan.task.groups.as_ref().zip(plan.group.as_ref()) {
        separate.push((name.clone(), groups.clone()));
    }
    if let Some((entity, name)) = entity.zip(args.entity.as_ref()) {
        separate.push((name.clone(), entity.to_vec()));
    }
    if let Some((template, name)) =
        column(rows, args.template.as_deref())?.zip(args.template.as_ref())
    {
        separate.push((name.clone(), template));
    }
    Ok(audit(&AuditInput {
        labels: &plan.task.labelled.labels,
        split: &plan.task.split,
        texts,
        whole: rows.card().unit == "text",
        separate: &separate,
        candidates: &candidates(rows, &plan.labels)?,
    }))
}

/// The columns that rows could be grouped by: all that the run carries, but for labels and what looks like a split.
fn candidates(rows: &Rows, labels: &[String]) -> Result<Vec<(String, Vec<usize>)>> {
    let mut candidates = Vec::new();
    for name in &rows.run().manifest().plan.data.columns {
        if labels.contains(name) {
            continue;
        }
        let values = rows.column(name)?;
        let said = (0..rows.len()).filter_map(|row| spelled(&values, row));
        if !said
            .into_iter()
            .all(|cell| cell == "train" || cell == "test")
        {
            candidates.push((name.clone(), group_ids(&values)));
        }
    }
    Ok(candidates)
}
