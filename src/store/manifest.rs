//! `manifest.json`: what a run holds, and everything needed to make it again.

use super::budget::Pieces;
use super::certificate::Certificates;
use super::pool::Pool;
use super::schema::Dtype;
use super::shard::Notes;
use crate::error::{Error, Result};
use crate::model::Precision;
use crate::text::tokens::Bos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the manifest and of the shards' schema. A breaking change raises it and is in the CHANGELOG.
pub const SCHEMA_VERSION: u32 = 1;

const NAME: &str = "manifest.json";

/// What a run holds. Two runs of the same plan have the same manifest, byte by byte: no dates, no host names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema_version: u32,
    /// The program's version.
    pub plumb_version: String,
    /// Whether every shard is there.
    pub complete: bool,
    /// What was asked for, with every default filled in.
    pub plan: Resolved,
    /// Texts that were longer than the context.
    pub truncation: Truncation,
    /// What was checked before the model ran; absent in runs of before there were certificates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub certificates: Option<Certificates>,
    /// Which part of the run the folder holds, if not all of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<PartCard>,
    /// For each hook point, how many rows are massive activations: their norm is more than 100 times the median norm of the hook point in
    /// their shard. Rows are what passed the model (tokens, or texts at a classifier's logits), whatever the pooling. Empty until the run
    /// is complete.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub massive: Vec<MassiveCard>,
    /// With `f16`, the largest relative error of a stored vector, ‖x − stored‖ / ‖x‖, over all vectors.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rounding_error: Option<f64>,
    /// The shards, in order; empty until the run is complete.
    pub shards: Vec<ShardCard>,
}

/// A part of a run, made by `--shard`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCard {
    /// Which one, from 1.
    pub index: usize,
    /// Of how many.
    pub of: usize,
    /// Whether every shard of the part is there.
    pub complete: bool,
}

/// Massive activations at a hook point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MassiveCard {
    /// Name of the hook point.
    pub hook_point: String,
    /// How many rows.
    pub rows: usize,
}

/// The resolved plan of an extraction. Two runs whose plans are equal hold the same numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// The model.
    pub model: ModelCard,
    /// The data.
    pub data: DataCard,
    /// Hook points, in order of depth.
    pub points: Vec<PointCard>,
    /// Whether texts begin with the beginning-of-sequence token; absent where the data are token ids, to which nothing is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos: Option<Bos>,
    /// How tokens became vectors.
    pub pool: Pool,
    /// Whether special tokens count.
    pub special_tokens: SpecialTokens,
    /// What the model computes in.
    #[serde(default)]
    pub precision: Precision,
    /// The type of the numbers on disk.
    pub dtype: Dtype,
    /// How large shards and forward passes were allowed to be.
    #[serde(default)]
    pub pieces: Pieces,
    /// Examples of each shard: the first example and how many there are.
    pub shard_examples: Vec<(usize, usize)>,
}

/// A hook point and the shape of its vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointCard {
    /// Name, which is the name of the Parquet column.
    pub name: String,
    /// Shape of one vector; the column holds it flattened, last axis fastest.
    pub shape: Vec<usize>,
}

/// The model of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// As it was named on the command line.
    pub name: String,
    /// The commit of a model of the hub that its name stood for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// `model_type`.
    pub family: String,
    /// Number of blocks.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// The most tokens that it reads.
    pub context: usize,
    /// SHA-256 of the weight files.
    pub weights_sha256: String,
    /// How many tensors are stored in each format, for a model from a file of quantised weights: its numbers are those of the
    /// dequantised weights.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub weights_format: BTreeMap<String, usize>,
    /// SHA-256 of the tokenizer; absent for pre-tokenised data without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer_sha256: Option<String>,
}

/// The data of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataCard {
    /// As it was named on the command line.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Number of examples.
    pub examples: usize,
    /// Number of tokens, special ones included, after truncation.
    pub tokens: usize,
    /// The column that holds the texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_column: Option<String>,
    /// The column that holds token ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids_column: Option<String>,
    /// Columns of the data set that every row carries along.
    pub columns: Vec<String>,
}

/// Whether special tokens count in pooling (and have rows, where nothing is pooled).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpecialTokens {
    /// They count.
    Included,
    /// They do not.
    Excluded,
}

/// Texts that were longer than the model's context.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truncation {
    /// How many texts were cut.
    pub texts: usize,
    /// How many tokens were cut off in all.
    pub tokens: usize,
    /// The length of the longest, in tokens, before it was cut.
    pub longest: usize,
}

impl Truncation {
    /// Counts a text that was cut.
    pub(super) fn add(&mut self, before: usize, after: usize) {
        self.texts += 1;
        self.tokens += before - after;
        self.longest = self.longest.max(before);
    }
}

/// One shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardCard {
    /// File name in the run's folder.
    pub file: String,
    /// Its first example.
    pub first_example: usize,
    /// How many examples it holds.
    pub examples: usize,
    /// How many rows it has.
    pub rows: usize,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest of a run.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], and [`Error::BadRun`] for a folder that is no run or was written by a newer plumb.
    pub fn read(run: &Path) -> Result<Self> {
        if !run.exists() {
            return Err(Error::NoSuchFile {
                path: run.to_owned(),
            });
        }
        let path = run.join(NAME);
        let bad = |problem: String| Error::BadRun {
            path: run.to_owned(),
            problem,
        };
        let text = std::fs::read_to_string(&path).map_err(|_| {
            bad("this is no run: it has no readable manifest.json; give a folder that `plumb extract` made".to_owned())
        })?;
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let damaged = |e: serde_json::Error| bad(format!("manifest.json is damaged ({e})"));
        let version: Version = serde_json::from_str(&text).map_err(damaged)?;
        if version.schema_version > SCHEMA_VERSION {
            return Err(bad(format!(
                "its schema_version is {}, and this plumb reads up to {SCHEMA_VERSION}; use a newer plumb",
                version.schema_version
            )));
        }
        serde_json::from_str(&text).map_err(damaged)
    }

    /// Writes the manifest, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, run: &Path) -> Result<()> {
        let path = run.join(NAME);
        let mut text = serde_json::to_string_pretty(self).map_err(|e| Error::Malformed {
            path: path.clone(),
            problem: e.to_string(),
        })?;
        text.push('\n');
        super::pending::write_atomically(&path, text.as_bytes())
    }

    /// Adds what was learned about a shard's vectors.
    pub(super) fn add_notes(&mut self, notes: &Notes) {
        if self.massive.is_empty() {
            let points = self.plan.points.iter();
            let none = points.map(|p| MassiveCard {
                hook_point: p.name.clone(),
                rows: 0,
            });
            self.massive = none.collect();
        }
        for (card, rows) in self.massive.iter_mut().zip(&notes.massive) {
            card.rows += rows;
        }
        if let Some(error) = notes.rounding {
            self.rounding_error = Some(error.max(self.rounding_error.unwrap_or(0.0)));
        }
    }

    /// Whether a folder holds a run, finished or not.
    pub fn is_run(folder: &Path) -> bool {
        folder.join(NAME).is_file()
    }

    /// The path of a shard.
    pub fn shard_path(run: &Path, shard: usize) -> PathBuf {
        run.join(shard_name(shard))
    }

    /// The hook point's card.
    pub fn point(&self, name: &str) -> Option<&PointCard> {
        self.plan.points.iter().find(|p| p.name == name)
    }
}

/// The file name of a shard.
pub(super) fn shard_name(shard: usize) -> String {
    format!("shard-{shard:05}.parquet")
}

impl Resolved {
    /// The first field in which two plans differ, for the message that refuses to resume.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let (a, b) = (
            serde_json::to_value(self).ok()?,
            serde_json::to_value(other).ok()?,
        );
        differing_field("", &a, &b)
    }
}

fn differing_field(path: &str, a: &serde_json::Value, b: &serde_json::Value) -> Option<String> {
    if a == b {
        return None;
    }
    if let (Some(a), Some(b)) = (a.as_object(), b.as_object()) {
        let inner = a.keys().chain(b.keys()).find_map(|key| {
            let null = serde_json::Value::Null;
            let name = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            differing_field(
                &name,
                a.get(key).unwrap_or(&null),
                b.get(key).unwrap_or(&null),
            )
        });
        return inner;
    }
    match a.is_array() || b.is_array() {
        true => Some(format!("`{path}`")),
        false => Some(format!("`{path}` ({a} in the run, {b} now)")),
    }
}
