//! Exact nearest rows, by blocked matrix products on all cores.
//!
//! Products in `f32` find candidates, of which scores in `f64` choose. Where rounding could have hidden a row from the candidates, all
//! rows are scored in `f64`: the answer is exact, and the same on any number of threads and in whatever order tiles are finished.

use super::candidates::{Candidates, Tile, Turned};
use super::ranking::{Neighbor, Ranking};
use super::space::{CSLS_NEIGHBORS, Query, Space};
use crate::error::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Queries of a tile, and rows of the space: their product stays in a core's cache while it is read.
const QUERIES: usize = 256;
const ROWS: usize = 1024;
/// Rows of a tile on both sides, where all rows are queries.
const SQUARE: usize = 512;
/// Candidates beyond those that are asked for.
const SPARE: usize = 16;

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
    Ok(of_queries(&Ranking::of(space), queries, k, without))
}

/// The `k` nearest other rows of every row of the space.
///
/// # Errors
/// As [`nearest`].
pub fn neighbor_graph(space: &Space, k: usize) -> Result<Vec<Vec<Neighbor>>> {
    check(space, &[], k)?;
    Ok(of_all_rows(&Ranking::of(space), k))
}

/// For CSLS: the mean cosine of each row to its nearest others.
pub(super) fn local_means(space: &Space) -> Vec<f64> {
    let graph = of_all_rows(&Ranking::by_metric(space), CSLS_NEIGHBORS);
    graph.iter().map(|found| mean_score(found)).collect()
}

/// For CSLS: the mean cosine of a query to its nearest rows, itself left out.
pub(super) fn local_mean(space: &Space, query: &Query) -> f64 {
    let ranking = Ranking::by_metric(space);
    let query = std::slice::from_ref(query);
    let found = of_queries(&ranking, query, CSLS_NEIGHBORS + 1, &[]);
    let others = found.into_iter().flatten();
    let others = others.filter(|n| n.score < 1.0 - 1e-6);
    mean_score(&others.take(CSLS_NEIGHBORS).collect::<Vec<_>>())
}

fn mean_score(found: &[Neighbor]) -> f64 {
    found.iter().map(|n| n.score).sum::<f64>() / found.len().max(1) as f64
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

/// How many candidates are kept for `k` neighbours.
fn kept(space: &Space, k: usize) -> usize {
    k.saturating_add(1 + SPARE).min(space.rows())
}

fn of_queries(
    ranking: &Ranking<'_>,
    queries: &[Query],
    k: usize,
    without: &[Option<usize>],
) -> Vec<Vec<Neighbor>> {
    let (space, n) = (ranking.space, ranking.space.rows());
    let skip = |query: usize| without.get(query).copied().flatten();
    let vectors: Vec<f32> = queries.iter().flat_map(|q| &q.vector).copied().collect();
    let best = shared(queries.len(), QUERIES, kept(space, k));
    let parts = n.div_ceil(ROWS);
    let tiles = 0..best.len() * parts;
    tiles.into_par_iter().for_each_init(Vec::new, |room, tile| {
        let rows = part(tile % parts, ROWS, n);
        let own = part(tile / parts, QUERIES, queries.len());
        let left = view(&vectors, space, own.clone());
        let products = products(room, left, space.rows.view(rows.start, rows.len()));
        for (line, query) in products.chunks_exact_mut(rows.len()).zip(own.clone()) {
            if let Some(skipped) = skip(query).filter(|row| rows.contains(row)) {
                line[skipped - rows.start] = f32::NEG_INFINITY;
            }
        }
        lock(&best[tile / parts]).take(&Tile {
            products,
            of_query: &[1.0; QUERIES],
            scale: &space.scale[rows.clone()],
            bias: &ranking.bias[rows.clone()],
            first: rows.start,
        });
    });
    let candidates = unshared(best);
    let each = candidates.par_iter().zip(queries).enumerate();
    each.map(|(i, (found, query))| ranking.chosen(query, k, skip(i), found))
        .collect()
}

/// Each product serves the rows of both its sides.
fn of_all_rows(ranking: &Ranking<'_>, k: usize) -> Vec<Vec<Neighbor>> {
    let (space, n) = (ranking.space, ranking.space.rows());
    let best = shared(n, SQUARE, kept(space, k));
    let blocks = best.len();
    let pairs: Vec<[usize; 2]> = (0..blocks)
        .flat_map(|a| (a..blocks).map(move |b| [a, b]))
        .collect();
    pairs.par_iter().for_each_init(Vec::new, |room, [a, b]| {
        let (own, others) = (part(*a, SQUARE, n), part(*b, SQUARE, n));
        let left = space.rows.view(own.start, own.len());
        let products = products(room, left, space.rows.view(others.start, others.len()));
        if a == b {
            let own = products.iter_mut().step_by(own.len() + 1);
            own.for_each(|product| *product = f32::NEG_INFINITY);
        }
        lock(&best[*a]).take(&Tile {
            products,
            of_query: &space.scale[own.clone()],
            scale: &space.scale[others.clone()],
            bias: &ranking.bias[others.clone()],
            first: others.start,
        });
        if a != b {
            lock(&best[*b]).take_turned(&Turned {
                products,
                of_line: &space.scale[own.clone()],
                bias_of_line: &ranking.bias[own.clone()],
                scale: &space.scale[others],
                first: own.start,
            });
        }
    });
    let candidates = unshared(best);
    let each = candidates.par_iter().enumerate();
    each.map(|(row, found)| ranking.chosen(&space.row_query(row), k, Some(row), found))
        .collect()
}

/// One of the parts of `size` of `all`, of which the last may be smaller.
fn part(i: usize, size: usize, all: usize) -> Range<usize> {
    i * size..((i + 1) * size).min(all)
}

/// Candidates of all queries, `size` at a time, for threads to share.
fn shared(queries: usize, size: usize, keep: usize) -> Vec<Mutex<Candidates>> {
    let blocks = (0..queries.div_ceil(size)).map(|i| part(i, size, queries).len());
    blocks
        .map(|queries| Mutex::new(Candidates::new(queries, keep)))
        .collect()
}

fn lock(best: &Mutex<Candidates>) -> MutexGuard<'_, Candidates> {
    best.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unshared(best: Vec<Mutex<Candidates>>) -> Vec<Vec<(f32, u32)>> {
    let blocks = best.into_par_iter();
    blocks
        .flat_map_iter(|block| {
            let block = block.into_inner();
            block.unwrap_or_else(PoisonError::into_inner).kept()
        })
        .collect()
}

/// Some consecutive vectors of those that stand one after another.
fn view<'a>(vectors: &'a [f32], space: &Space, part: Range<usize>) -> MatRef<'a, f32> {
    let width = space.rows.cols();
    let vectors = &vectors[part.start * width..part.end * width];
    MatRef::from_row_major_slice(vectors, part.len(), width)
}

/// The products of the rows of two matrices, row after row of the first.
fn products<'a>(
    room: &'a mut Vec<f32>,
    left: MatRef<'_, f32>,
    right: MatRef<'_, f32>,
) -> &'a mut [f32] {
    let (lines, columns) = (left.nrows(), right.nrows());
    room.resize(lines * columns, 0.0);
    let out = MatMut::from_row_major_slice_mut(room, lines, columns);
    matmul(out, Accum::Replace, left, right.transpose(), 1.0, Par::Seq);
    room
}

#[cfg(test)]
mod tests {
    use super::super::correction::Correction;
    use super::super::rows::Rows;
    use super::super::space::Metric;
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

    /// Conneau et al. 2018: `2 cos(q, x) - r(q) - r(x)`, with `r` the mean cosine to the 10 nearest others.
    #[test]
    fn csls_scores_are_those_of_the_definition() {
        // Off the origin, so that cosines are large.
        let mut data = random(600, 12, 3).as_slice().to_vec();
        data.chunks_exact_mut(12).for_each(|row| row[0] += 1.5);
        let query = Rows::new(12, data.split_off(599 * 12)).unwrap();
        let rows = Rows::new(12, data).unwrap();
        let unit = |row: &[f32]| -> Vec<f64> {
            let row: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            row.iter().map(|v| v / norm).collect()
        };
        let cosines = |row: &[f32]| -> Vec<f64> {
            let own = unit(row);
            let others = (0..rows.rows()).map(|r| unit(rows.row(r)));
            others
                .map(|o| o.iter().zip(&own).map(|(a, b)| a * b).sum())
                .collect()
        };
        let local = |row: &[f32]| -> f64 {
            let mut cosines = cosines(row);
            cosines.retain(|c| *c < 1.0 - 1e-6);
            cosines.sort_by(|a, b| b.total_cmp(a));
            cosines[..10].iter().sum::<f64>() / 10.0
        };
        let query = query.row(0);
        let scores = cosines(query).into_iter().enumerate();
        let scores = scores.map(|(r, c)| 2.0 * c - local(query) - local(rows.row(r)));
        let scores: Vec<f64> = scores.collect();
        let space = Space::new(&rows, Metric::Cosine, Correction::Csls, 0).unwrap();
        let asked = space.query(query).unwrap();
        let found = &nearest(&space, &[asked], 5, &[]).unwrap()[0];
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        for (found, row) in found.iter().zip(order) {
            assert_eq!(found.row as usize, row);
            assert!(
                (found.score - scores[row]).abs() < 1e-6,
                "{found:?} {}",
                scores[row]
            );
        }
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
