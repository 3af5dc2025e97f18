//! The plan of an extraction: what it will store, known before the model runs.

use super::budget::{Budget, Pieces};
use super::manifest::{
    DataCard, Manifest, ModelCard, PointCard, Resolved, SCHEMA_VERSION, SpecialTokens,
};
use super::pool::Pool;
use super::schema::{Dtype, Layout};
use super::source::{Census, Texts};
use crate::error::{Error, Result};
use crate::hook::{HookPoint, HookSet, Site};
use crate::model::{LoadedModel, Model};
use crate::text::dataset::{Column, Dataset, Values};
use crate::text::tokens::Bos;
use std::ops::Range;

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
    /// Where the tokens of every example come from.
    pub texts: &'a Texts<'a>,
    /// How many there are.
    pub census: &'a Census,
    /// Columns of the data that rows carry along.
    pub carried: &'a [&'a Column],
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
    /// How much memory the run may take beside the weights and the data.
    pub budget: Budget,
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

    /// The most tokens of a text.
    pub fn limit(&self) -> usize {
        self.pool.limit(self.model.model.spec().context)
    }

    /// The sizes of the run's pieces.
    pub(super) fn pieces(&self) -> Pieces {
        self.budget.pieces(self.model.model.spec(), &self.points)
    }

    /// How many batches may be at work at once.
    pub fn workers(&self) -> usize {
        let threads = rayon::current_num_threads();
        let spec = self.model.model.spec();
        self.budget
            .workers(&self.pieces(), spec, &self.points, threads)
    }

    /// Rows of an example.
    fn rows_of(&self, example: usize) -> usize {
        match self.layout() {
            Layout::Tokens => self.census.counted_of(example),
            Layout::Examples => 1,
        }
    }

    /// Rows of the run.
    pub fn rows(&self) -> usize {
        (0..self.census.examples()).map(|e| self.rows_of(e)).sum()
    }

    /// About how many bytes some examples take on disk beside their vectors; rather too many.
    fn other_bytes(&self, examples: Range<usize>) -> usize {
        let rows: usize = examples.clone().map(|e| self.rows_of(e)).sum();
        // Numbers of a row, before any coding. Texts repeat from row to row: they stand once in a dictionary, if it holds them.
        let own = match self.layout() {
            Layout::Tokens => 32,
            Layout::Examples => 4,
        };
        let carried = self.carried.iter().map(|column| match &column.values {
            Values::Text(texts) => {
                let texts = texts.get(examples.clone()).unwrap_or_default();
                let letters: usize = texts.iter().flatten().map(|t| t.len() + 4).sum();
                letters + 4 * rows
            }
            _ => 8 * rows,
        });
        own * rows + carried.sum::<usize>()
    }

    /// About how many bytes a shard takes on disk.
    pub(super) fn disk_bytes(&self, examples: Range<usize>, points: &[(String, usize)]) -> u64 {
        // What Parquet says about the columns: about 150 bytes each, twice.
        let footer =
            2048 + 300 * (points.len() + self.carried.len() + self.layout().fields().len());
        let row: usize = points
            .iter()
            .map(|(_, width)| width * self.dtype.size())
            .sum();
        let rows: usize = examples.clone().map(|e| self.rows_of(e)).sum();
        (rows * row + self.other_bytes(examples) + footer) as u64
    }

    /// Names and widths of the vector columns.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] for a point that has no row a token.
    pub fn widths(&self) -> Result<Vec<(String, usize)>> {
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
    pub(super) fn shards(&self, points: &[(String, usize)], pieces: &Pieces) -> Vec<Range<usize>> {
        let row_bytes: usize = points.iter().map(|(_, w)| w * self.dtype.size()).sum();
        let mut shards = Vec::new();
        let (mut start, mut bytes, mut tokens) = (0, 0, 0);
        for example in 0..self.census.examples() {
            let (rows, length) = (self.rows_of(example), self.census.tokens_of(example));
            let full = bytes + rows * row_bytes > pieces.shard_bytes
                || tokens + length > pieces.shard_tokens;
            if full && example > start {
                shards.push(start..example);
                (start, bytes, tokens) = (example, 0, 0);
            }
            bytes += rows * row_bytes;
            tokens += length;
        }
        shards.push(start..self.census.examples());
        shards
    }

    pub(super) fn manifest(&self, shards: &[Range<usize>], pieces: Pieces) -> Result<Manifest> {
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
                    examples: self.census.examples(),
                    tokens: self.census.tokens(),
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
                pieces,
                shard_examples: shards.iter().map(|s| (s.start, s.len())).collect(),
            },
            truncation: self.census.truncation.clone(),
            certificates: None,
            part: None,
            massive: Vec::new(),
            rounding_error: None,
            shards: Vec::new(),
        })
    }
}
