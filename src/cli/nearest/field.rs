//! What is searched: vectors, and what each is called.

use super::{ModelAndTokenizer, Opened, SpaceArg};
use crate::analysis::neighbors::{Metric, Rows, Space};
use crate::analysis::probe::spelled;
use crate::error::{Error, Result};
use crate::report::nearest::{Found, SpaceCard, SpaceKind};
use crate::store::{RowTokens, Run};
use crate::text::dataset::Values;
use candle_core::{DType, Tensor};

/// Vectors and their names.
pub(super) struct Field {
    pub(super) rows: Rows,
    names: Names,
    card: SpaceCard,
}

enum Names {
    /// The id of each row, its spelling and what it stands for.
    Vocabulary(Vec<(u32, String, Option<String>)>),
    Run {
        examples: Vec<u32>,
        tokens: Option<RowTokens>,
        texts: Option<Values>,
    },
}

/// A matrix in `f32`, row after row.
pub(super) fn numbers(tensor: &Tensor) -> Result<(usize, Vec<f32>)> {
    let tensor = tensor.to_dtype(DType::F32)?;
    let width = tensor.dim(1)?;
    Ok((width, tensor.flatten_all()?.to_vec1()?))
}

/// The vectors of all tokens in one of a model's two spaces.
pub(super) fn vocabulary(mind: &ModelAndTokenizer, space: SpaceArg) -> Result<(usize, Vec<f32>)> {
    let model = &mind.model.model;
    match space {
        SpaceArg::Embed => numbers(&model.token_vectors()?),
        SpaceArg::Unembed => match model.unembedding() {
            Some(tensor) => numbers(tensor),
            None => Err(Error::NoSuchPoint {
                point: "unembed".to_owned(),
                reason: "it has no language-model head; give --space embed".to_owned(),
            }),
        },
    }
}

impl Field {
    pub(super) fn read(opened: &Opened<'_>) -> Result<Self> {
        match opened.args.vocabulary() {
            Some(space) => Self::of_model(opened, space),
            None => Self::of_run(opened, opened.run()?),
        }
    }

    fn of_model(opened: &Opened<'_>, space: SpaceArg) -> Result<Self> {
        let mind = opened.mind()?;
        let (width, values) = vocabulary(mind, space)?;
        // A cosine needs a direction; the padding token of some models has none.
        let directions_matter = opened.args.metric() == Metric::Cosine;
        let mut kept = Vec::with_capacity(values.len());
        let mut names = Vec::new();
        let mut left_out = 0;
        for (id, row) in values.chunks_exact(width.max(1)).enumerate() {
            let zero = row.iter().all(|v| *v == 0.0);
            match mind.tokenizer.id_to_token(id as u32) {
                Some(token) if !(zero && directions_matter) => {
                    let text = mind.tokenizer.decode(&[id as u32], false).ok();
                    names.push((id as u32, token, text));
                    kept.extend_from_slice(row);
                }
                _ => left_out += 1,
            }
        }
        Ok(Self {
            rows: Rows::new(width, kept)?,
            names: Names::Vocabulary(names),
            card: SpaceCard {
                kind: match space {
                    SpaceArg::Embed => SpaceKind::Embed,
                    SpaceArg::Unembed => SpaceKind::Unembed,
                },
                model: mind.name.clone(),
                weights_sha256: mind.model.weights_sha256.clone(),
                run: None,
                data_sha256: None,
                hook_point: None,
                rows: 0,
                duplicates: 0,
                left_out,
            },
        })
    }

    fn of_run(opened: &Opened<'_>, run: &Run) -> Result<Self> {
        let point = opened.point()?.to_string();
        let vectors = run.vectors(&point)?;
        let plan = &run.manifest().plan;
        let text_column = plan.data.text_column.as_ref();
        let texts = match text_column.filter(|c| plan.data.columns.contains(c)) {
            Some(column) => Some(run.column(column)?),
            None => None,
        };
        Ok(Self {
            rows: Rows::new(vectors.width, vectors.values)?,
            names: Names::Run {
                examples: run.examples()?,
                tokens: run.row_tokens()?,
                texts,
            },
            card: SpaceCard {
                kind: SpaceKind::Run,
                model: plan.model.name.clone(),
                weights_sha256: plan.model.weights_sha256.clone(),
                run: Some(run.path().display().to_string()),
                data_sha256: Some(plan.data.sha256.clone()),
                hook_point: Some(point),
                rows: 0,
                duplicates: 0,
                left_out: 0,
            },
        })
    }

    /// What was searched, in numbers.
    pub(super) fn card(&self, space: &Space) -> SpaceCard {
        SpaceCard {
            rows: space.rows(),
            duplicates: space.duplicates(),
            ..self.card.clone()
        }
    }

    /// A row with its names, without a score.
    pub(super) fn found(&self, row: usize) -> Found {
        match &self.names {
            Names::Vocabulary(names) => {
                let (id, token, text) = &names[row];
                Found {
                    token: Some(token.clone()),
                    token_id: Some(*id),
                    text: text.clone(),
                    ..Found::default()
                }
            }
            Names::Run {
                examples,
                tokens,
                texts,
            } => Found {
                row: Some(row),
                example: examples.get(row).copied(),
                position: tokens.as_ref().map(|t| t.positions[row]),
                token: tokens.as_ref().map(|t| t.tokens[row].clone()),
                token_id: tokens.as_ref().map(|t| t.ids[row]),
                text: texts.as_ref().and_then(|t| spelled(t, row)),
                ..Found::default()
            },
        }
    }

    /// What a row is called.
    pub(super) fn name(&self, row: usize) -> String {
        match &self.names {
            Names::Vocabulary(names) => names[row].1.clone(),
            Names::Run {
                examples, tokens, ..
            } => match tokens {
                Some(tokens) => format!("{}:{}", examples[row], tokens.positions[row]),
                None => examples[row].to_string(),
            },
        }
    }

    /// The row of a token, where a vocabulary is searched.
    pub(super) fn row_of_token(&self, id: u32) -> Option<usize> {
        match &self.names {
            Names::Vocabulary(names) => names.binary_search_by_key(&id, |n| n.0).ok(),
            Names::Run { .. } => None,
        }
    }
}
