//! Running a model over a data set and storing what passes the hook points.

use super::manifest::{Manifest, ShardCard, shard_name};
use super::plan::Extraction;
use super::schema::{Layout, refuse_collisions};
use super::writer::{ShardRows, ShardWriter};
use crate::error::{Error, Result};
use crate::hook::{Recorder, Site};
use crate::model::{Model, Precision};
use crate::text::batch::Batch;
use crate::text::tokens::Tokens;
use candle_core::DType;
use rayon::prelude::*;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Tokens that pass the model together. Each core runs whole batches: it scales better than many cores in one product.
const BATCH_TOKENS: usize = 1024;

/// What becomes known while an extraction runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many more tokens went through the model.
    Tokens(usize),
    /// So many tokens were already there, from the run that is being resumed.
    Skipped(usize),
}

/// What an extraction left.
#[derive(Debug)]
pub struct Outcome {
    /// The manifest as written.
    pub manifest: Manifest,
    /// Shards that were already there.
    pub resumed_shards: usize,
    /// Bytes of all shards.
    pub bytes: u64,
}

/// Runs the plan into a folder that is new, or resumes the same plan there. Memory holds one shard and the batches at work.
///
/// # Errors
/// Everything that can be wrong with the plan is found before the model runs: unknown columns, hook points that have no row
/// per token, a folder that holds another run ([`Error::BadRun`]). Later: the disk ([`Error::Io`], [`Error::Parquet`]), and
/// [`Error::NotFinite`] for an activation that is NaN or infinite.
pub fn extract(
    plan: &Extraction<'_>,
    out: &Path,
    resume: bool,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome> {
    let points = plan.widths()?;
    let layout = plan.layout();
    refuse_collisions(layout, plan.carried, &points, plan.data.path())?;
    plan.refuse_unknown_ids()?;
    let shards = plan.shards(&points);
    let mut manifest = plan.manifest(&shards)?;
    begin(out, &manifest, resume)?;
    let writer = ShardWriter::new(layout, plan.carried, &points, plan.dtype);
    let mut resumed_shards = 0;
    for (i, shard) in shards.iter().enumerate() {
        let path = Manifest::shard_path(out, i);
        let tokens = plan.tokens[shard.clone()].iter().map(Tokens::len).sum();
        if path.is_file() {
            resumed_shards += 1;
            progress(Progress::Skipped(tokens));
            continue;
        }
        let rows = plan.run(shard.clone(), progress)?;
        writer.write(&path, rows)?;
    }
    manifest.shards = shards
        .iter()
        .enumerate()
        .map(|(i, shard)| plan.shard_card(out, i, shard.clone()))
        .collect::<Result<_>>()?;
    manifest.complete = true;
    manifest.write(out)?;
    let bytes = (0..shards.len())
        .filter_map(|i| std::fs::metadata(Manifest::shard_path(out, i)).ok())
        .map(|m| m.len())
        .sum();
    Ok(Outcome {
        manifest,
        resumed_shards,
        bytes,
    })
}

/// Makes the folder with its manifest, or checks that the one that is there belongs to the same plan.
fn begin(out: &Path, manifest: &Manifest, resume: bool) -> Result<()> {
    if out.exists() {
        if !resume {
            return Err(Error::OutputExists {
                path: out.to_owned(),
                advice: "--resume to finish it, --force to replace it,",
            });
        }
        let there = Manifest::read(out)?;
        if let Some(field) = there.plan.difference(&manifest.plan) {
            return Err(Error::BadRun {
                path: out.to_owned(),
                problem: format!(
                    "it cannot be resumed with another plan: {field} differs; give --force to replace it"
                ),
            });
        }
        remove_temporary_files(out)?;
    } else {
        std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    }
    manifest.write(out)
}

/// What a killed process left half-written.
fn remove_temporary_files(out: &Path) -> Result<()> {
    let entries = std::fs::read_dir(out).map_err(|e| Error::io(out, e))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            let path: PathBuf = entry.path();
            std::fs::remove_file(&path).map_err(|e| Error::io(path, e))?;
        }
    }
    Ok(())
}

impl Extraction<'_> {
    fn shard_card(&self, out: &Path, i: usize, shard: Range<usize>) -> Result<ShardCard> {
        let path = Manifest::shard_path(out, i);
        let bytes = std::fs::read(&path).map_err(|e| Error::io(&path, e))?;
        let rows = match self.layout() {
            Layout::Examples => shard.len(),
            Layout::Tokens => shard
                .clone()
                .map(|e| self.positions(e).map(|p| p.len()))
                .sum::<Result<usize>>()?,
        };
        Ok(ShardCard {
            file: shard_name(i),
            first_example: shard.start,
            examples: shard.len(),
            rows,
            sha256: crate::text::dataset::sha256_hex(&bytes),
        })
    }

    /// The rows of one shard.
    fn run(
        &self,
        shard: Range<usize>,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<ShardRows<'_>> {
        let positions: Vec<Vec<usize>> = shard
            .clone()
            .map(|e| self.positions(e))
            .collect::<Result<_>>()?;
        let batches = micro_batches(&self.tokens[shard.clone()]);
        // Each batch gives, for each of its examples, one vector a hook point: pooled, or all its rows in line.
        let results: Vec<Vec<(usize, Vec<Vec<f32>>)>> = batches
            .par_iter()
            .map(|examples| {
                let result = self.run_batch(shard.start, examples, &positions)?;
                let tokens = examples.iter().map(|e| self.tokens[shard.start + e].len());
                progress(Progress::Tokens(tokens.sum()));
                Ok(result)
            })
            .collect::<Result<_>>()?;
        let mut of_example: Vec<Vec<Vec<f32>>> = vec![Vec::new(); shard.len()];
        for (example, vectors) in results.into_iter().flatten() {
            of_example[example] = vectors;
        }
        let vectors: Vec<Vec<f32>> = (0..self.points.points().len())
            .map(|point| {
                of_example
                    .iter_mut()
                    .flat_map(|v| std::mem::take(&mut v[point]))
                    .collect()
            })
            .collect();
        self.refuse_overflow(&vectors)?;
        Ok(ShardRows {
            first_example: shard.start,
            tokens: &self.tokens[shard],
            positions,
            vectors,
        })
    }

    /// Massive activations do not fit in 16 bits.
    fn refuse_overflow(&self, vectors: &[Vec<f32>]) -> Result<()> {
        let largest = self.dtype.largest();
        for (point, values) in self.points.points().iter().zip(vectors) {
            if let Some(value) = values.iter().find(|v| v.abs() > largest) {
                return Err(Error::BadParameter {
                    name: "dtype",
                    value: "f16".to_owned(),
                    problem: format!(
                        "hook point `{point}` holds {value}, and 16 bits hold at most {largest}; give --dtype f32"
                    ),
                });
            }
        }
        Ok(())
    }

    fn run_batch(
        &self,
        first: usize,
        examples: &[usize],
        positions: &[Vec<usize>],
    ) -> Result<Vec<(usize, Vec<Vec<f32>>)>> {
        let texts: Vec<&[u32]> = examples
            .iter()
            .map(|e| self.tokens[first + e].ids.as_slice())
            .collect();
        let batch = Batch::new(&texts)?;
        let mut recorder = Recorder::new(self.points.clone());
        self.model.model.forward(&batch, &mut recorder)?;
        let segments = batch.rows_in_given_order();
        let mut results: Vec<(usize, Vec<Vec<f32>>)> =
            examples.iter().map(|e| (*e, Vec::new())).collect();
        for point in self.points.points() {
            let tensor = recorder.get(*point)?;
            let width = tensor.elem_count() / tensor.dim(0)?;
            let matrix = tensor
                .to_dtype(DType::F32)?
                .flatten_all()?
                .to_vec1::<f32>()?;
            if let Some(i) = matrix.iter().position(|v| !v.is_finite()) {
                let precision = self.model.precision;
                if precision == Precision::F16 {
                    return Err(precision.exceeded(&format!("hook point `{point}`")));
                }
                return Err(Error::NotFinite {
                    place: format!("hook point `{point}`"),
                    value: f64::from(matrix[i]),
                });
            }
            let a_row_per_text = tensor.dim(0)? == segments.len()
                && point.site() == Site::Logits
                && self.model.model.spec().classifies_texts();
            for (k, (example, vectors)) in results.iter_mut().enumerate() {
                let pooled = if a_row_per_text {
                    let segment = batch.order().iter().position(|i| *i == k).unwrap_or(0);
                    matrix[segment * width..(segment + 1) * width].to_vec()
                } else {
                    let start = segments[k].start;
                    let rows: Vec<usize> = positions[*example].iter().map(|p| start + p).collect();
                    self.pool.apply(&matrix, width, &rows)
                };
                vectors.push(pooled);
            }
        }
        Ok(results)
    }
}

/// Examples that pass the model together: of similar length, so that attention groups are large.
fn micro_batches(texts: &[Tokens]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    // Longest first: the last batches, when cores run out of work, are short.
    order.sort_by_key(|&i| std::cmp::Reverse(texts[i].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for example in order {
        let length = texts[example].len();
        match batches.last_mut() {
            Some(batch) if tokens + length <= BATCH_TOKENS => {
                batch.push(example);
                tokens += length;
            }
            _ => {
                batches.push(vec![example]);
                tokens = length;
            }
        }
    }
    batches
}
