//! What an extraction will cost, before it is begun.

use super::certificate::{tokens_for, vectors};
use super::disk::free_bytes;
use super::plan::Extraction;
use crate::error::Result;
use crate::model::Model;
use crate::text::tokens::Tokens;
use rand::SeedableRng;
use rand::seq::index::sample;
use rayon::prelude::*;
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// A trial batch of each worker takes about this many operations: some tenths of a second.
const OPERATIONS: f64 = 1e10;

/// What an extraction will cost.
#[derive(Debug, Clone, Serialize)]
pub struct Estimate {
    /// Examples of the data.
    pub examples: usize,
    /// Tokens that pass the model.
    pub tokens: usize,
    /// Rows that are stored.
    pub rows: usize,
    /// Shards that they are stored in.
    pub shards: usize,
    /// For each hook point, its name, the numbers of a vector and the bytes of all.
    pub points: Vec<PointEstimate>,
    /// About how many bytes the run takes on disk, other columns included.
    pub bytes: u64,
    /// About how long it takes, by a trial on some of the texts.
    pub seconds: f64,
    /// Bytes that are free on the disk; absent where the system does not tell.
    pub free_bytes: Option<u64>,
}

/// What a hook point will take.
#[derive(Debug, Clone, Serialize)]
pub struct PointEstimate {
    /// Its name.
    pub hook_point: String,
    /// Numbers of a vector.
    pub width: usize,
    /// Bytes of all vectors.
    pub bytes: u64,
}

/// Counts what the plan will store, and tries how fast this machine is at it (below a second).
///
/// # Errors
/// As the plan itself: hook points without a row a token, damaged weights.
pub fn estimate(plan: &Extraction<'_>, out: &Path) -> Result<Estimate> {
    let points = plan.widths()?;
    let rows = plan.rows();
    let shards = plan.shards(&points, &plan.pieces());
    Ok(Estimate {
        examples: plan.census.examples(),
        tokens: plan.census.tokens(),
        rows,
        shards: shards.len(),
        bytes: shards
            .into_iter()
            .map(|shard| plan.disk_bytes(shard, &points))
            .sum(),
        seconds: plan.census.tokens() as f64 / tokens_a_second(plan)?,
        points: points
            .into_iter()
            .map(|(hook_point, width)| PointEstimate {
                hook_point,
                width,
                bytes: (rows * width * plan.dtype.size()) as u64,
            })
            .collect(),
        free_bytes: free_bytes(out),
    })
}

/// How many tokens pass the model in a second when every worker runs a batch of texts drawn from the data.
fn tokens_a_second(plan: &Extraction<'_>) -> Result<f64> {
    let most = tokens_for(OPERATIONS, plan.model.model.spec());
    let most = most.min(plan.pieces().batch_tokens);
    let batches: Vec<(Vec<usize>, Vec<Tokens>)> = (0..plan.workers())
        .map(|worker| drawn(plan, worker as u64, most))
        .collect::<Result<_>>()?;
    // The first pass finds the machine cold.
    if let Some((examples, texts)) = batches.first() {
        vectors(plan, &examples[..1], &texts[..1])?;
    }
    let begin = Instant::now();
    batches
        .par_iter()
        .try_for_each(|(examples, texts)| vectors(plan, examples, texts).map(|_| ()))?;
    let tokens = batches.iter().flat_map(|(_, texts)| texts).map(Tokens::len);
    Ok(tokens.sum::<usize>() as f64 / begin.elapsed().as_secs_f64().max(1e-9))
}

/// Texts for one trial batch: one at least.
fn drawn(
    plan: &Extraction<'_>,
    seed: u64,
    most_tokens: usize,
) -> Result<(Vec<usize>, Vec<Tokens>)> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let n = plan.census.examples();
    let mut tokens = 0;
    let drawn = sample(&mut rng, n, n.min(most_tokens.max(1))).into_iter();
    let examples: Vec<usize> = drawn
        .enumerate()
        .take_while(|(i, example)| {
            tokens += plan.census.tokens_of(*example);
            *i == 0 || tokens <= most_tokens
        })
        .map(|(_, example)| example)
        .collect();
    let texts = examples.iter().map(|e| plan.texts.tokens(*e, plan.limit()));
    let texts = texts.collect::<Result<_>>()?;
    Ok((examples, texts))
}
