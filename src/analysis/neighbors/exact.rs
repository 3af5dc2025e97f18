//! Exact nearest rows, by blocked matrix products on all cores.
//!
//! Products in `f32` find candidates, of which scores in `f64` choose. Where rounding could have hidden a row from the candidates, all
//! rows are scored in `f64`: the answer is exact, and the same on any number of threads.

use super::space::{CSLS_NEIGHBORS, Metric, Query, Space};
use crate::error::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, Par};
use rayon::prelude::*;

/// Queries in a block, and rows of the space: the product of two blocks stays in a core's cache while it is read.
const QUERIES: usize = 128;
const BLOCK: usize = 1024;
/// Candidates beyond those that are asked for.
const SPARE: usize = 16;

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// The different row of the [`Space`].
    pub row: u32,
    /// Its score: a cosine, a dot product, a CSLS score, or (less is nearer) a distance.
    pub score: f64,
}

/// The `k` nearest rows of each query, nearest first, equal scores by row number. Where `without` names a row for a query, that row is
/// left out. Fewer than `k` come back where the space has no more.
///
/// # Errors
/// [`Error::BadParameter`] for `k` = 0 or a query of another width.
pub fn nearest(
    space: &Space,
    queries: &[Query],
    k: usize,
    without: &[Option<usize>],
) -> Result<Vec<Vec<Neighbor>>> {
    check(space, queries, k)?;
    let k = k.min(space.rows());
    let blocks: Vec<&[Query]> = queries.chunks(QUERIES).collect();
    let found: Vec<Vec<Vec<Neighbor>>> = blocks
        .into_par_iter()
        .enumerate()
        .map(|(block, queries)| {
            let skip = |i: usize| without.get(block * QUERIES + i).copied().flatten();
            of_block(space, queries, k, &skip)
        })
        .collect();
    Ok(found.into_iter().flatten().collect())
}

/// The `k` nearest other rows of every row of the space.
///
/// # Errors
/// As [`nearest`].
pub fn neighbor_graph(space: &Space, k: usize) -> Result<Vec<Vec<Neighbor>>> {
    check(space, &[], k)?;
    let n = space.rows();
    let k = k.min(n);
    let found: Vec<Vec<Vec<Neighbor>>> = (0..n.div_ceil(QUERIES))
        .into_par_iter()
        .map(|block| {
            let first = block * QUERIES;
            let queries: Vec<Query> = (first..n.min(first + QUERIES))
                .map(|row| space.row_query(row))
                .collect();
            of_block(space, &queries, k, &|i| Some(first + i))
        })
        .collect();
    Ok(found.into_iter().flatten().collect())
}

/// For CSLS: the mean cosine of each row to its nearest others.
pub(super) fn local_means(space: &Space) -> Result<Vec<f64>> {
    let graph = neighbor_graph(&plain(space), CSLS_NEIGHBORS)?;
    Ok(graph.iter().map(|found| mean_score(found)).collect())
}

/// For CSLS: the mean cosine of a query to its nearest rows, itself left out.
pub(super) fn local_mean(space: &Space, query: &Query) -> Result<f64> {
    let found = nearest(
        &plain(space),
        std::slice::from_ref(query),
        CSLS_NEIGHBORS + 1,
        &[],
    )?;
    let itself = |n: &&Neighbor| n.score < 1.0 - 1e-6;
    let others: Vec<Neighbor> = found[0]
        .iter()
        .filter(itself)
        .take(CSLS_NEIGHBORS)
        .copied()
        .collect();
    Ok(mean_score(&others))
}

fn mean_score(found: &[Neighbor]) -> f64 {
    found.iter().map(|n| n.score).sum::<f64>() / found.len().max(1) as f64
}

/// The space with plain cosines.
fn plain(space: &Space) -> Space {
    let mut plain = space.clone();
    plain.bias.iter_mut().for_each(|b| *b = 0.0);
    plain
}

pub(super) fn check(space: &Space, queries: &[Query], k: usize) -> Result<()> {
    if k == 0 {
        return Err(Error::BadParameter {
            name: "k",
            value: "0".to_owned(),
            problem: "ask for at least one neighbour".to_owned(),
        });
    }
    let width = space.rows.cols();
    match queries.iter().find(|q| q.vector.len() != width) {
        Some(query) => Err(Error::BadParameter {
            name: "query",
            value: format!("{} numbers", query.vector.len()),
            problem: format!("the rows of the space have {width}"),
        }),
        None => Ok(()),
    }
}

/// The rows with the largest keys so far, in no order, and the key that a row must exceed to be one of them.
struct Best {
    keep: usize,
    found: Vec<(f32, u32)>,
    least: f32,
}

impl Best {
    fn new(keep: usize) -> Self {
        Self {
            keep,
            found: Vec::with_capacity(2 * keep),
            least: f32::NEG_INFINITY,
        }
    }

    /// Takes the keys of consecutive rows.
    fn take(&mut self, keys: &[f32], first: usize) {
        const STEP: usize = 32;
        for (step, part) in keys.chunks(STEP).enumerate() {
            let least = self.least;
            // Most steps hold none: this test has no branches inside.
            if !part.iter().fold(false, |any, key| any | (*key > least)) {
                continue;
            }
            for (i, key) in part.iter().enumerate() {
                if *key > self.least {
                    self.found.push((*key, (first + step * STEP + i) as u32));
                    if self.found.len() == 2 * self.keep {
                        self.shrink();
                    }
                }
            }
        }
    }

    fn shrink(&mut self) {
        if self.found.len() > self.keep {
            let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
            self.found.select_nth_unstable_by(self.keep - 1, order);
            self.found.truncate(self.keep);
            self.least = self.found[self.keep - 1].0;
        }
    }
}

fn of_block(
    space: &Space,
    queries: &[Query],
    k: usize,
    skip: &dyn Fn(usize) -> Option<usize>,
) -> Vec<Vec<Neighbor>> {
    let (n, width) = (space.rows(), space.rows.cols());
    let keep = (k + 1 + SPARE).min(n);
    let mut best: Vec<Best> = queries.iter().map(|_| Best::new(keep)).collect();
    let flat: Vec<f32> = queries.iter().flat_map(|q| &q.vector).copied().collect();
    let left = faer::MatRef::from_row_major_slice(&flat, queries.len(), width);
    let mut keys = vec![0.0f32; queries.len() * BLOCK];
    for first in (0..n).step_by(BLOCK) {
        let rows = BLOCK.min(n - first);
        let keys = &mut keys[..queries.len() * rows];
        let product = MatMut::from_row_major_slice_mut(keys, queries.len(), rows);
        let right = space.rows.view(first, rows).transpose();
        matmul(product, Accum::Replace, left, right, 1.0, Par::Seq);
        let (scale, bias) = (
            &space.scale[first..first + rows],
            &space.bias[first..first + rows],
        );
        for (i, keys) in keys.chunks_exact_mut(rows).enumerate() {
            let changes = scale.iter().zip(bias);
            keys.iter_mut()
                .zip(changes)
                .for_each(|(k, (s, b))| *k = *k * s + b);
            if let Some(own) = skip(i).and_then(|own| own.checked_sub(first))
                && own < rows
            {
                keys[own] = f32::NEG_INFINITY;
            }
            best[i].take(keys, first);
        }
    }
    let most = most_norm(space);
    let queries = queries.iter().enumerate().zip(best);
    queries
        .map(|((i, query), best)| chosen(space, query, k, skip(i), best, most))
        .collect()
}

/// The longest row, in what keys measure.
fn most_norm(space: &Space) -> f64 {
    match space.metric {
        Metric::Cosine => 1.0,
        _ => space.norms.iter().copied().fold(0.0, f64::max),
    }
}

/// Of the candidates, the `k` with the best scores.
fn chosen(
    space: &Space,
    query: &Query,
    k: usize,
    skip: Option<usize>,
    mut best: Best,
    most: f64,
) -> Vec<Neighbor> {
    best.shrink();
    let asked = k.min(space.rows() - usize::from(skip.is_some_and(|s| s < space.rows())));
    let candidates: Vec<u32> = best.found.iter().map(|f| f.1).collect();
    let mut found = scored(space, query, candidates);
    found.truncate(asked);
    // What a key may be off by: its rounding grows with the root of the number of products in it.
    let length = query.length.max(1e-30);
    let root = (query.vector.len() as f64).sqrt();
    let off = f64::from(f32::EPSILON) * root * (length * most + most * most / 2.0);
    let left_out = best.found.iter().map(|f| f.0).fold(f32::INFINITY, f32::min);
    let worst = found.last().map(|n| key_of(space, query, n));
    let complete = best.found.len() >= space.rows() - usize::from(skip.is_some());
    let sure = worst.is_none_or(|worst| worst - off > f64::from(left_out) + off);
    if complete || (sure && found.len() == asked) {
        return found;
    }
    let all = (0..space.rows()).filter(|row| Some(*row) != skip);
    let mut found = scored(space, query, all.map(|row| row as u32).collect());
    found.truncate(asked);
    found
}

/// What the key of a neighbour would be without rounding.
fn key_of(space: &Space, query: &Query, found: &Neighbor) -> f64 {
    let row = found.row as usize;
    match space.metric {
        Metric::Cosine => {
            (found.score + query.local) / if space.bias[row] == 0.0 { 1.0 } else { 2.0 }
        }
        Metric::Dot => found.score,
        Metric::Euclid => (query.length * query.length - found.score * found.score) / 2.0,
    }
}

/// Rows with their scores, nearest first, equal ones by row number.
pub(super) fn scored(space: &Space, query: &Query, rows: Vec<u32>) -> Vec<Neighbor> {
    let mut found: Vec<Neighbor> = rows
        .into_iter()
        .map(|row| Neighbor {
            row,
            score: space.score(query, row as usize),
        })
        .collect();
    let distance = space.metric == Metric::Euclid;
    found.sort_by(|a, b| {
        let by_score = match distance {
            true => a.score.total_cmp(&b.score),
            false => b.score.total_cmp(&a.score),
        };
        by_score.then(a.row.cmp(&b.row))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::super::correction::Correction;
    use super::super::rows::Rows;
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    pub(super) fn random(rows: usize, cols: usize, seed: u64) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let data = (0..rows * cols).map(|_| rng.random_range(-1.0f32..1.0));
        Rows::new(cols, data.collect()).unwrap()
    }

    fn by_definition(rows: &Rows, query: &[f32], metric: Metric, k: usize) -> Vec<u32> {
        let score = |row: &[f32]| -> f64 {
            let pairs = || {
                row.iter()
                    .zip(query)
                    .map(|(a, b)| (f64::from(*a), f64::from(*b)))
            };
            let dot: f64 = pairs().map(|(a, b)| a * b).sum();
            match metric {
                Metric::Dot => dot,
                Metric::Cosine => dot / pairs().map(|(a, _)| a * a).sum::<f64>().sqrt(),
                Metric::Euclid => -pairs().map(|(a, b)| (a - b).powi(2)).sum::<f64>(),
            }
        };
        let mut order: Vec<u32> = (0..rows.rows() as u32).collect();
        let scores: Vec<f64> = (0..rows.rows()).map(|r| score(rows.row(r))).collect();
        order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]));
        order.truncate(k);
        order
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_nearest_are_those_of_the_definition(n in 1usize..2500, d in 1usize..40, k in 1usize..20, seed in 0u64..99) {
            let rows = random(n, d + 1, seed);
            let query = random(1, d + 1, seed + 1);
            for metric in [Metric::Cosine, Metric::Dot, Metric::Euclid] {
                let space = Space::new(&rows, metric, Correction::None, 0).unwrap();
                let query = space.query(query.row(0)).unwrap();
                let found = &nearest(&space, &[query], k, &[]).unwrap()[0];
                let found: Vec<u32> = found.iter().map(|f| space.members(f.row as usize)[0]).collect();
                let expected = by_definition(&rows, super::tests::random(1, d + 1, seed + 1).row(0), metric, k);
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn rows_that_rounding_cannot_tell_apart_are_told_apart() {
        // Forty rows whose cosines differ in the ninth digit: far more than the spare candidates.
        let mut data = Vec::new();
        for i in 0..3000 {
            let turn = 1e-4 * (1.0 + f64::from(i) * 1e-4);
            data.extend([1.0f32, turn as f32, 0.0]);
        }
        let rows = Rows::new(3, data).unwrap();
        let space = Space::new(&rows, Metric::Cosine, Correction::None, 0).unwrap();
        let query = space.query(&[1.0, 0.0, 0.0]).unwrap();
        let found = &nearest(&space, &[query], 5, &[]).unwrap()[0];
        let first: Vec<u32> = found.iter().map(|f| f.row).collect();
        assert_eq!(first, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_same_graph_on_any_number_of_threads_without_the_rows_themselves() {
        let space = Space::new(&random(700, 24, 5), Metric::Cosine, Correction::Csls, 0).unwrap();
        let graph = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| neighbor_graph(&space, 7).unwrap())
        };
        let one = graph(1);
        assert!(one.iter().enumerate().all(|(row, found)| found.len() == 7
            && found.iter().all(|f| f.row as usize != row)));
        assert_eq!(graph(3), one);
    }

    #[test]
    fn equal_rows_are_one_and_zero_rows_are_refused_by_number() {
        let rows = Rows::new(2, vec![1.0, 2.0, 3.0, 1.0, 1.0, 2.0, 0.0, 1.0]).unwrap();
        let space = Space::new(&rows, Metric::Cosine, Correction::None, 0).unwrap();
        assert_eq!((space.rows(), space.duplicates()), (3, 1));
        assert_eq!(space.members(0), [0, 2]);
        assert_eq!(space.different_row(2), Some(0));
        let zero = Rows::new(2, vec![1.0, 2.0, 0.0, -0.0]).unwrap();
        let error = Space::new(&zero, Metric::Cosine, Correction::None, 0).unwrap_err();
        assert!(
            error.to_string().contains("row 1: it is a zero vector"),
            "{error}"
        );
        assert!(Space::new(&zero, Metric::Euclid, Correction::None, 0).is_ok());
        let nan = Rows::new(2, vec![1.0, 2.0, f32::NAN, 0.0]).unwrap_err();
        assert!(nan.to_string().starts_with("row 1, feature 0"), "{nan}");
    }

    #[test]
    fn corrections_take_the_common_direction_off() {
        let mut data = random(400, 16, 1).as_slice().to_vec();
        data.chunks_exact_mut(16).for_each(|row| row[3] += 5.0);
        let rows = Rows::new(16, data).unwrap();
        let mean = |correction| {
            let space = Space::new(&rows, Metric::Cosine, correction, 0).unwrap();
            space.baseline()
        };
        assert!(mean(Correction::None).mean > 0.7);
        for correction in [
            Correction::Center,
            Correction::Standardize,
            Correction::Abtt,
        ] {
            let baseline = mean(correction);
            assert!(
                baseline.mean.abs() < 0.02,
                "{correction:?} {}",
                baseline.mean
            );
            assert!(baseline.uncorrected_mean > 0.7);
        }
    }
}
