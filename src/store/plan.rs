//! The plan of an extraction: what it will store, known before the model runs.

use super::manifest::{
    DataCard, Manifest, ModelCard, PointCard, Resolved, SCHEMA_VERSION, SpecialTokens, Truncation,
};
use super::pool::{Pool, counted_rows};
use super::schema::{Dtype, Layout};
use crate::error::{Error, Result};
use crate::hook::{HookPoint, HookSet, Site};
use crate::model::{LoadedModel, Model, unknown_id};
use crate::text::dataset::{Column, Dataset};
use crate::text::tokens::{Bos, Tokens};
use std::ops::Range;

/// A shard holds no more than about this many bytes of vectors …
const SHARD_BYTES: usize = 64 << 20;
/// … and no more than this many tokens, so that a killed run loses little work.
const SHARD_TOKENS: usize = 1 << 16;

/// A checked plan of an extraction.
pub struct Extraction<'a> {
    /// The model.
    pub model: &'a LoadedModel,
    /// Its name, as it was typed.
    pub model_name: String,
    /// SHA-256 of the tokenizer, if one was used.
    pub tokenizer_sha256: Option<String>,
    /// The data.
    pub data: &'a Dataset,
    /// Their file, as it was typed.
    pub data_name: String,
    /// The column that holds texts (`Ok`) or token ids (`Err`).
    pub source_column: Result<String, String>,
    /// The tokens of every example, cut to the context.
    pub tokens: &'a [Tokens],
    /// Columns of the data that rows carry along.
    pub carried: &'a [Column],
    /// The hook points.
    pub points: HookSet,
    /// Whether texts begin with the beginning-of-sequence token; `None` for token ids, to which nothing is added.
    pub bos: Option<Bos>,
    /// How tokens become vectors.
    pub pool: Pool,
    /// Whether special tokens count.
    pub special_tokens: SpecialTokens,
    /// The type of the numbers on disk.
    pub dtype: Dtype,
}

impl Extraction<'_> {
    pub(super) fn layout(&self) -> Layout {
        match self.pool {
            Pool::None => Layout::Tokens,
            _ => Layout::Examples,
        }
    }

    /// The shape of one vector of the run at a hook point.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`].
    pub fn shape(&self, point: HookPoint) -> Result<Vec<usize>> {
        let mut shape = self.model.model.spec().row_shape(point.site())?;
        if let Some(last) = shape.last_mut() {
            *last *= self.pool.vectors();
        }
        Ok(shape)
    }

    /// The model would refuse them too, but only when their batch comes up, and by their place in it.
    pub(super) fn refuse_unknown_ids(&self) -> Result<()> {
        let vocab = self.model.model.spec().vocab;
        for (row, text) in self.tokens.iter().enumerate() {
            if let Some(id) = text.ids.iter().find(|id| **id as usize >= vocab) {
                return Err(unknown_id(row, *id, vocab));
            }
        }
        Ok(())
    }

    /// Names and widths of the vector columns.
    pub(super) fn widths(&self) -> Result<Vec<(String, usize)>> {
        let spec = self.model.model.spec();
        self.points
            .points()
            .iter()
            .map(|point| {
                let shape = self.shape(*point)?;
                if point.site() == Site::Logits
                    && spec.classifies_texts()
                    && self.pool == Pool::None
                {
                    return Err(Error::NoSuchPoint {
                        point: point.to_string(),
                        reason: "a classifier's logits are one row a text; give --pool".to_owned(),
                    });
                }
                Ok((point.to_string(), shape.iter().product()))
            })
            .collect()
    }

    /// The examples of each shard: as many as fit, in order. It depends on the plan alone, so that a resumed run continues
    /// where the shards end.
    pub(super) fn shards(&self, points: &[(String, usize)]) -> Vec<Range<usize>> {
        let row_bytes: usize = points.iter().map(|(_, w)| w * self.dtype.size()).sum();
        let mut shards = Vec::new();
        let (mut start, mut bytes, mut tokens) = (0, 0, 0);
        for (example, text) in self.tokens.iter().enumerate() {
            let rows = match self.layout() {
                Layout::Tokens => text.len(),
                Layout::Examples => 1,
            };
            let full = bytes + rows * row_bytes > SHARD_BYTES || tokens + text.len() > SHARD_TOKENS;
            if full && example > start {
                shards.push(start..example);
                (start, bytes, tokens) = (example, 0, 0);
            }
            bytes += rows * row_bytes;
            tokens += text.len();
        }
        shards.push(start..self.tokens.len());
        shards
    }

    pub(super) fn manifest(&self, shards: &[Range<usize>]) -> Result<Manifest> {
        let spec = self.model.model.spec();
        let points = self.points.points().iter().map(|p| {
            Ok(PointCard {
                name: p.to_string(),
                shape: self.shape(*p)?,
            })
        });
        Ok(Manifest {
            schema_version: SCHEMA_VERSION,
            plumb_version: env!("CARGO_PKG_VERSION").to_owned(),
            complete: false,
            plan: Resolved {
                model: ModelCard {
                    name: self.model_name.clone(),
                    revision: self.model.revision.clone(),
                    family: spec.family.clone(),
                    n_layers: spec.n_layers,
                    d_model: spec.d_model,
                    context: spec.context,
                    weights_sha256: self.model.weights_sha256.clone(),
                    weights_format: self.model.weights_format.clone(),
                    tokenizer_sha256: self.tokenizer_sha256.clone(),
                },
                data: DataCard {
                    name: self.data_name.clone(),
                    sha256: self.data.sha256().to_owned(),
                    examples: self.tokens.len(),
                    tokens: self.tokens.iter().map(Tokens::len).sum(),
                    text_column: self.source_column.as_ref().ok().cloned(),
                    ids_column: self.source_column.as_ref().err().cloned(),
                    columns: self.carried.iter().map(|c| c.name.clone()).collect(),
                },
                points: points.collect::<Result<_>>()?,
                bos: self.bos,
                pool: self.pool.clone(),
                special_tokens: self.special_tokens,
                precision: self.model.precision,
                dtype: self.dtype,
                shard_examples: shards.iter().map(|s| (s.start, s.len())).collect(),
            },
            truncation: Truncation::of(self.tokens),
            shards: Vec::new(),
        })
    }

    /// The positions of an example's tokens that count.
    pub(super) fn positions(&self, example: usize) -> Result<Vec<usize>> {
        let text = &self.tokens[example];
        let include = self.special_tokens == SpecialTokens::Included;
        counted_rows(0..text.len(), &text.special, include, example)
    }
}
