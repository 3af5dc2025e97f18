//! What a drift is measured between: pairs, perturbations, or models.

use super::Args;
use crate::analysis::drift::{Edits, PairEdits, Perturbed, Reader, SameTexts, Synonyms};
use crate::cli::model::fetched;
use crate::error::{Error, Result};
use crate::model::{LoadedModel, Model, ModelSource, Precision, Rounding, load, load_rounded};
use crate::report::drift::Compared;
use crate::text::dataset::Dataset;
use crate::text::perturb::{Edit, Means, PairColumns, Pairs};
use crate::text::tokens::Tokenizer;
use clap::ValueEnum;

/// Numbers that a model can be rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PrecisionArg {
    Bf16,
    F16,
    Q8,
    Q4,
}

impl PrecisionArg {
    fn rounding(self) -> (&'static str, Rounding) {
        match self {
            PrecisionArg::Bf16 => ("bf16", Rounding::To(Precision::Bf16)),
            PrecisionArg::F16 => ("f16", Rounding::To(Precision::F16)),
            PrecisionArg::Q8 => ("q8", Rounding::Q8),
            PrecisionArg::Q4 => ("q4", Rounding::Q4),
        }
    }
}

/// What was asked for, read.
pub(super) enum Inputs {
    Pairs(Pairs),
    Perturb {
        texts: Vec<String>,
        edits: Vec<Edit>,
    },
    Models {
        texts: Vec<String>,
        models: Vec<Other>,
    },
}

/// Another model on the same texts.
pub(super) struct Other {
    name: String,
    model: LoadedModel,
    /// Its own tokenizer; `None`: it is the same one.
    tokenizer: Option<Tokenizer>,
}

/// Edits, of whichever sort.
pub(super) enum Made<'a> {
    Pairs(PairEdits),
    Perturbed(Perturbed<'a>),
    Same(SameTexts<'a>),
}

impl Made<'_> {
    pub(super) fn as_dyn(&self) -> &dyn Edits {
        match self {
            Made::Pairs(edits) => edits,
            Made::Perturbed(edits) => edits,
            Made::Same(edits) => edits,
        }
    }

    pub(super) fn originals(&self) -> impl Iterator<Item = &str> {
        let edits = self.as_dyn();
        (0..edits.texts()).map(|text| edits.original(text))
    }
}

/// A model with its tokenizer, as an analysis reads it.
pub(super) fn reader<'a>(model: &'a LoadedModel, tokenizer: &'a Tokenizer) -> Reader<'a> {
    Reader {
        model: &model.model,
        tokenizer,
        context: model.model.spec().context,
    }
}

/// The edits of a file of pairs. A label that the probe does not know is refused, if labels are asked for.
pub(super) fn pair_edits(
    data: &Dataset,
    columns: &PairColumns,
    limit: Option<usize>,
    number: &dyn Fn(&str) -> Option<usize>,
    labelled: bool,
) -> Result<PairEdits> {
    let pairs = cut(Pairs::read(data, columns)?, limit);
    made(pairs, columns, number, labelled)
}

fn made(
    pairs: Pairs,
    columns: &PairColumns,
    number: &dyn Fn(&str) -> Option<usize>,
    labelled: bool,
) -> Result<PairEdits> {
    let labels = pairs.labels.clone();
    let (edits, unknown) = PairEdits::new(pairs, number);
    match (unknown.first(), labels) {
        (Some(row), Some(labels)) if labelled => {
            let (before, after) = &labels[*row];
            let named = ("original_label".to_owned(), "edited_label".to_owned());
            let (first, second) = columns.labels.clone().unwrap_or(named);
            Err(Error::BadLabel {
                column: format!("{first}, {second}"),
                problem: format!(
                    "row {row} has the labels `{before}` and `{after}`, which are not both classes of the probe; give other --label-columns"
                ),
            })
        }
        _ => Ok(edits),
    }
}

fn cut(mut pairs: Pairs, limit: Option<usize>) -> Pairs {
    if let Some(limit) = limit {
        pairs.originals.truncate(limit);
        pairs.edited.truncate(limit);
        pairs.kinds.truncate(limit);
        if let Some(labels) = &mut pairs.labels {
            labels.truncate(limit);
        }
    }
    pairs
}

impl Inputs {
    pub(super) fn read(args: &Args, data: &Dataset, base: &ModelSource) -> Result<Self> {
        if args.limit == Some(0) {
            return Err(Error::BadParameter {
                name: "limit",
                value: "0".to_owned(),
                problem: "give at least 1".to_owned(),
            });
        }
        let texts = || -> Result<Vec<String>> {
            let mut texts = data.texts(&args.text_column)?;
            texts.truncate(args.limit.unwrap_or(usize::MAX));
            Ok(texts)
        };
        if !args.edit.is_empty() {
            let mut edits: Vec<Edit> = Vec::new();
            for name in &args.edit {
                for edit in Edit::named(name.trim())? {
                    if !edits.contains(&edit) {
                        edits.push(edit);
                    }
                }
            }
            return Ok(Inputs::Perturb {
                texts: texts()?,
                edits,
            });
        }
        if args.other_models() {
            let texts = texts()?;
            let mut models = Vec::new();
            for precision in &args.against_precision {
                let (name, rounding) = precision.rounding();
                models.push(Other {
                    name: name.to_owned(),
                    model: load_rounded(base, rounding)?,
                    tokenizer: None,
                });
            }
            for source in &args.against_model {
                let source = fetched(source, args.delivery.quiet)?;
                models.push(Other {
                    name: source.to_string(),
                    model: load(&source)?,
                    tokenizer: Some(Tokenizer::open(&source)?),
                });
            }
            return Ok(Inputs::Models { texts, models });
        }
        let pairs = Pairs::read(data, &args.pair_columns()?)?;
        Ok(Inputs::Pairs(cut(pairs, args.limit)))
    }

    pub(super) fn compared(&self) -> Compared {
        match self {
            Inputs::Pairs(_) => Compared::Pairs,
            Inputs::Perturb { .. } => Compared::Perturbations,
            Inputs::Models { .. } => Compared::Models,
        }
    }

    /// The model's nearest words, if an edit asks for them.
    pub(super) fn synonyms(
        &self,
        model: &LoadedModel,
        tokenizer: &Tokenizer,
    ) -> Result<Option<Synonyms>> {
        match self {
            Inputs::Perturb { edits, .. } if edits.contains(&Edit::Synonym) => {
                Synonyms::new(&model.model, tokenizer).map(Some)
            }
            _ => Ok(None),
        }
    }

    pub(super) fn edits<'a>(
        &'a self,
        args: &'a Args,
        tokenizer: &Tokenizer,
        synonyms: Option<&'a Synonyms>,
        number: &dyn Fn(&str) -> Option<usize>,
    ) -> Result<Made<'a>> {
        Ok(match self {
            Inputs::Pairs(pairs) => {
                let labelled = args.probe.is_some() || args.probe_run.is_some();
                let columns = args.pair_columns()?;
                Made::Pairs(made(pairs.clone(), &columns, number, labelled)?)
            }
            Inputs::Perturb { texts, edits } => {
                let means = Means {
                    mask: special(tokenizer, &["[MASK]", "<mask>"]),
                    unk: special(tokenizer, &["[UNK]", "<unk>"]),
                    synonyms: None,
                    prefix: &args.prefix,
                    suffix: &args.suffix,
                };
                Made::Perturbed(Perturbed::new(
                    texts,
                    edits.clone(),
                    means,
                    synonyms,
                    args.seed,
                ))
            }
            Inputs::Models { texts, models } => {
                let names = models.iter().map(|m| m.name.clone()).collect();
                Made::Same(SameTexts::new(texts, names))
            }
        })
    }

    pub(super) fn readers<'a>(&'a self, own: &'a Tokenizer) -> Vec<Reader<'a>> {
        match self {
            Inputs::Models { models, .. } => models
                .iter()
                .map(|other| reader(&other.model, other.tokenizer.as_ref().unwrap_or(own)))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// The special token that the vocabulary has, as it is written in a text.
fn special(tokenizer: &Tokenizer, names: &[&'static str]) -> Option<&'static str> {
    let there = |name: &&&str| tokenizer.token_to_id(name).is_some();
    names.iter().find(there).copied()
}
