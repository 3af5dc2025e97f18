//! What the rows of a probe are: the texts of a run, or their tokens, words or spans.

mod held;
mod part;

use crate::analysis::matrix::Matrix;
use crate::analysis::probe::spelled;
use crate::error::{Error, Result};
use crate::report::probe::RowsCard;
use crate::store::{Manifest, Pool, Run};
use crate::text::dataset::Values;
use crate::text::words::Subwords;
use clap::ValueEnum;
pub(in crate::cli) use held::Held;
use part::Part;
use std::path::{Path, PathBuf};

/// What a row is.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Rows")]
pub(in crate::cli) struct RowArgs {
    /// What a row is; default: a text of a pooled run, a span or word where columns of them are given or the label is one of words (CoNLL-U),
    /// else a token
    #[arg(long, value_enum)]
    pub(in crate::cli) unit: Option<UnitArg>,
    /// How the tokens of a word or span become one vector; default: first
    #[arg(long, value_enum)]
    subwords: Option<SubwordsArg>,
    /// Column with the words of each text, spaces between; the label column then has as many labels, spaces between
    #[arg(long, value_name = "C")]
    words_column: Option<String>,
    /// Columns with the first character of the span and the one behind its last, counted from 0
    #[arg(long, value_name = "START,END", value_delimiter = ',', num_args = 1..)]
    span_columns: Option<Vec<String>>,
    /// Column with the words of the text that are the span (an entity); they must stand there once
    #[arg(long, value_name = "C", conflicts_with = "span_columns")]
    span_column: Option<String>,
    /// Read every head by itself where a hook point has them (attn_q, attn_k, attn_v, attn_z)
    #[arg(long)]
    per_head: bool,
    /// The data file of the run, if it no longer lies where it was read (for labels of words, and for random weights)
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// Train on all rows of RUN and test on all rows of this run
    #[arg(long, value_name = "RUN", conflicts_with = "split_column")]
    pub(in crate::cli) test_run: Option<PathBuf>,
    /// The data file of --test-run, if it no longer lies where it was read
    #[arg(long, value_name = "FILE", requires = "test_run")]
    test_data: Option<PathBuf>,
}

/// What a row of a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum UnitArg {
    /// A text, pooled when it was extracted
    Text,
    /// A token; special ones are left out
    Token,
    /// A word, from its sub-words
    Word,
    /// A span of characters or an entity, one a text
    Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SubwordsArg {
    First,
    Last,
    Mean,
}

impl RowArgs {
    fn subwords(&self) -> Subwords {
        match self.subwords {
            None | Some(SubwordsArg::First) => Subwords::First,
            Some(SubwordsArg::Last) => Subwords::Last,
            Some(SubwordsArg::Mean) => Subwords::Mean,
        }
    }

    fn spans(&self) -> bool {
        self.span_column.is_some() || self.span_columns.is_some()
    }

    /// What a row is, as asked or as the run and the label tell.
    fn unit(&self, run: &Run, labels: &[String]) -> Result<UnitArg> {
        let manifest = run.manifest();
        let carried = |name: &String| manifest.plan.data.columns.contains(name);
        let natural = match manifest.plan.pool {
            Pool::None if self.spans() => UnitArg::Span,
            Pool::None if self.words_column.is_some() => UnitArg::Word,
            Pool::None if labels.iter().all(carried) => UnitArg::Token,
            Pool::None => UnitArg::Word,
            _ => UnitArg::Text,
        };
        let unit = self.unit.unwrap_or(natural);
        let problem = match (unit, &manifest.plan.pool) {
            (UnitArg::Text, Pool::None) => {
                "the run has one row a token; extract it with --pool mean, last, first or max for rows of texts"
            }
            (UnitArg::Token | UnitArg::Word | UnitArg::Span, pool) if *pool != Pool::None => {
                "the run has one row a text; extract it with --pool none"
            }
            (UnitArg::Span, _) if !self.spans() => {
                "give --span-columns START,END or --span-column C"
            }
            (unit, _) if self.spans() && unit != UnitArg::Span => {
                "--span-columns and --span-column are for --unit span"
            }
            (UnitArg::Text | UnitArg::Span, _) if self.words_column.is_some() => {
                "--words-column is for --unit word or token"
            }
            (UnitArg::Text | UnitArg::Token, _) if self.subwords.is_some() => {
                "--subwords is for --unit word or span"
            }
            (UnitArg::Span, _) if self.span_columns.as_ref().is_some_and(|c| c.len() != 2) => {
                "--span-columns takes two columns, START,END"
            }
            _ => return Ok(unit),
        };
        Err(Error::BadParameter {
            name: "unit",
            value: unit_name(unit).to_owned(),
            problem: problem.to_owned(),
        })
    }
}

fn unit_name(unit: UnitArg) -> &'static str {
    match unit {
        UnitArg::Text => "text",
        UnitArg::Token => "token",
        UnitArg::Word => "word",
        UnitArg::Span => "span",
    }
}

/// The rows of a probe, in one or (with a test run) two parts.
pub(in crate::cli) struct Rows {
    parts: Vec<Part>,
    per_head: bool,
    unit: UnitArg,
    subwords: Subwords,
}

impl Rows {
    /// The rows that are asked for; no vector is read yet.
    pub(in crate::cli) fn open(run: &Path, args: &RowArgs, labels: &[String]) -> Result<Self> {
        let run = Run::open(run)?;
        let unit = args.unit(&run, labels)?;
        let mut parts = vec![Part::open(run, args, args.data.as_deref(), unit, labels)?];
        if let Some(test) = &args.test_run {
            let test = Run::open(test)?;
            refuse_other_space(parts[0].run.manifest(), &test)?;
            parts.push(Part::open(
                test,
                args,
                args.test_data.as_deref(),
                unit,
                labels,
            )?);
        }
        Ok(Self {
            parts,
            per_head: args.per_head,
            unit,
            subwords: args.subwords(),
        })
    }

    /// The number of rows.
    pub(in crate::cli) fn len(&self) -> usize {
        self.parts.iter().map(|p| p.units.rows.len()).sum()
    }

    /// The rows of the run, and those of the test run.
    pub(in crate::cli) fn parts(&self) -> Vec<std::ops::Range<usize>> {
        let mut first = 0;
        let parts = self.parts.iter().map(|p| {
            let start = first;
            first += p.units.rows.len();
            start..first
        });
        parts.collect()
    }

    /// The run that is tested on, if it is another.
    pub(in crate::cli) fn test_run(&self) -> Option<&Path> {
        self.parts.get(1).map(|p| p.run.path())
    }

    /// The first run.
    pub(in crate::cli) fn run(&self) -> &Run {
        &self.parts[0].run
    }

    /// How the rows were made, for the report.
    pub(in crate::cli) fn card(&self) -> RowsCard {
        let words = matches!(self.unit, UnitArg::Word | UnitArg::Span);
        RowsCard {
            unit: unit_name(self.unit).to_owned(),
            subwords: words.then_some(self.subwords),
            without_tokens: self.parts.iter().map(|p| p.without_tokens).sum(),
            per_head: self.per_head,
        }
    }

    /// The runs' manifests.
    pub(in crate::cli) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.parts.iter().map(|p| p.run.manifest())
    }

    /// A column of labels, groups or splits, one cell a row.
    pub(in crate::cli) fn column(&self, name: &str) -> Result<Values> {
        let mut parts = self.parts.iter();
        let first = parts.next().map(|p| p.column(name)).transpose()?;
        let mut values = first.unwrap_or(Values::Text(Vec::new()));
        for part in parts {
            values = values
                .followed_by(part.column(name)?)
                .ok_or_else(|| Error::BadLabel {
                    column: name.to_owned(),
                    problem: "the two runs hold different kinds of cells in it".to_owned(),
                })?;
        }
        Ok(values)
    }

    /// The text that each row is of: rows of one text are not independent. `None` where a row is a text.
    pub(in crate::cli) fn texts(&self) -> Option<Vec<usize>> {
        let mut before = 0;
        let mut texts = Vec::new();
        for part in &self.parts {
            texts.extend(part.example.iter().map(|e| before + *e as usize));
            before += part.run.manifest().plan.data.examples;
        }
        (self.unit != UnitArg::Text).then_some(texts)
    }

    /// The text that each row is, or is part of; `None` if the runs do not carry their texts.
    pub(in crate::cli) fn text_cells(&self) -> Result<Option<Vec<String>>> {
        let plan = |manifest: &Manifest| manifest.plan.data.text_column.clone();
        let mut columns = self.manifests().map(plan);
        let Some(Some(name)) = columns.next() else {
            return Ok(None);
        };
        let carried = |manifest: &Manifest| {
            let data = &manifest.plan.data;
            data.text_column.as_ref() == Some(&name) && data.columns.contains(&name)
        };
        if !self.manifests().all(carried) {
            return Ok(None);
        }
        let values = self.column(&name)?;
        let texts = (0..self.len()).map(|row| spelled(&values, row).unwrap_or_default());
        Ok(Some(texts.collect()))
    }

    /// The words of rows that are tokens, words or spans, as they stand in their texts.
    pub(in crate::cli) fn spellings(&self, args: &RowArgs) -> Result<Vec<String>> {
        let data = [args.data.as_deref(), args.test_data.as_deref()];
        let parts = self.parts.iter().zip(data);
        let each: Vec<Vec<String>> = parts
            .map(|(part, data)| part.spellings(data))
            .collect::<Result<_>>()?;
        Ok(each.concat())
    }

    /// The names of the hook points, in order of depth.
    pub(in crate::cli) fn points(&self) -> Vec<String> {
        self.run().point_names()
    }

    /// The names of the matrices at a hook point: its own, or one a head.
    pub(in crate::cli) fn names(&self, point: &str) -> Result<Vec<String>> {
        self.run().unit_names(point, self.per_head)
    }

    /// The rows at a hook point in memory; with `--per-head`, a matrix for each of its heads.
    pub(in crate::cli) fn matrices(&self, point: &str) -> Result<Vec<(String, Matrix)>> {
        let mut all: Vec<(String, usize, Vec<f32>)> = Vec::new();
        for part in &self.parts {
            for (i, (name, vectors)) in part.vectors(point, self.per_head)?.into_iter().enumerate()
            {
                match all.get_mut(i) {
                    Some((_, _, values)) => values.extend(vectors.values),
                    None => all.push((name, vectors.width, vectors.values)),
                }
            }
        }
        let all = all.into_iter();
        all.map(|(name, width, values)| Ok((name, Matrix::from_f32(self.len(), width, &values)?)))
            .collect()
    }
}

/// A probe is of one space: both runs must be of one model, in the same way.
fn refuse_other_space(manifest: &Manifest, test: &Run) -> Result<()> {
    let (a, b) = (&manifest.plan, &test.manifest().plan);
    if a.data.sha256 == b.data.sha256 {
        return Err(Error::BadRun {
            path: test.path().to_owned(),
            problem: "it holds the data that the probe is trained on, and a test on them tells nothing; leave --test-run out".to_owned(),
        });
    }
    let differs = [
        (a.model.weights_sha256 != b.model.weights_sha256, "model"),
        (a.pool != b.pool, "pooling"),
        (a.special_tokens != b.special_tokens, "special tokens"),
        (a.points != b.points, "hook points"),
        (a.bos != b.bos, "--bos"),
    ];
    match differs.iter().find(|(differs, _)| *differs) {
        None => Ok(()),
        Some((_, what)) => Err(Error::BadRun {
            path: test.path().to_owned(),
            problem: format!(
                "it cannot be tested on: its {what} differs from that of the run that is trained on"
            ),
        }),
    }
}
