//! How many rows are nearer: ranks of chosen rows among all, exactly.

use super::Place;
use crate::analysis::neighbors::Rows;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, Par};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Queries in a block.
const QUERIES: usize = 64;

/// For each query, the ranks of its targets among all other rows by distance: 1 is the nearest.
///
/// Distances are compared in `f32`; rows that differ by less than rounding may change places.
pub(super) fn ranks(rows: &Rows, queries: &[u32], targets: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let (n, width) = (rows.rows(), rows.cols());
    let halves: Vec<f32> = (0..n)
        .map(|row| {
            let square = rows.row(row).iter().map(|v| f64::from(*v).powi(2));
            (square.sum::<f64>() / 2.0) as f32
        })
        .collect();
    let found: Vec<Vec<Vec<u32>>> = queries
        .par_chunks(QUERIES)
        .zip(targets.par_chunks(QUERIES))
        .map(|(queries, targets)| {
            let chosen: Vec<usize> = queries.iter().map(|q| *q as usize).collect();
            let left = rows.select(&chosen);
            let mut keys = vec![0.0f32; queries.len() * n];
            let product = MatMut::from_row_major_slice_mut(&mut keys, queries.len(), n);
            let right = rows.view(0, n).transpose();
            let left = left.view(0, queries.len());
            matmul(product, Accum::Replace, left, right, 1.0, Par::Seq);
            debug_assert_eq!(left.ncols(), width);
            let each = keys.chunks_exact_mut(n).zip(&chosen).zip(targets);
            each.map(|((keys, own), targets)| {
                // Half the squared distance to the query, less what is the same for all rows.
                keys.iter_mut().zip(&halves).for_each(|(k, h)| *k = h - *k);
                keys[*own] = f32::INFINITY;
                of_targets(keys, targets)
            })
            .collect()
        })
        .collect();
    found.into_iter().flatten().collect()
}

/// The rank of each target: 1 and the number of smaller distances.
fn of_targets(distances: &[f32], targets: &[u32]) -> Vec<u32> {
    let limits: Vec<f32> = targets.iter().map(|t| distances[*t as usize]).collect();
    let mut counts = vec![1; limits.len()];
    Arch::new().dispatch(Nearer {
        distances,
        limits: &limits,
        counts: &mut counts,
    });
    counts
}

/// Adds up how many distances are below each limit, with the vector instructions that the processor has.
struct Nearer<'a> {
    distances: &'a [f32],
    limits: &'a [f32],
    counts: &'a mut [u32],
}

impl WithSimd for Nearer<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // Distances that stay in the nearest cache while all limits are compared with them.
        const BLOCK: usize = 4096;
        for block in self.distances.chunks(BLOCK) {
            for (limit, count) in self.limits.iter().zip(self.counts.iter_mut()) {
                let mut nearer = 0u32;
                for distance in block {
                    nearer = nearer.wrapping_add(u32::from(*distance < *limit));
                }
                *count += nearer;
            }
        }
    }
}

/// A map, to be asked for the neighbours of its points.
pub(super) struct Plane {
    x: Vec<f32>,
    y: Vec<f32>,
}

/// What is near a point of a map.
pub(super) struct Near {
    /// The nearest other points, nearest first.
    pub(super) nearest: Vec<u32>,
    /// The ranks of the targets.
    pub(super) ranks: Vec<u32>,
}

impl Plane {
    pub(super) fn new(map: &[Place]) -> Self {
        Self {
            x: map.iter().map(|p| p[0]).collect(),
            y: map.iter().map(|p| p[1]).collect(),
        }
    }

    /// For each query, its `k` nearest points, and the ranks of its targets (none where there are no targets).
    pub(super) fn near(&self, queries: &[u32], k: usize, targets: &[Vec<u32>]) -> Vec<Near> {
        queries
            .par_iter()
            .enumerate()
            .map_init(
                || vec![0.0f32; self.x.len()],
                |distances, (i, query)| {
                    let own = *query as usize;
                    self.distances(own, distances);
                    Near {
                        nearest: smallest(distances, k),
                        ranks: targets
                            .get(i)
                            .map_or(Vec::new(), |t| of_targets(distances, t)),
                    }
                },
            )
            .collect()
    }

    /// Squared distances to all points; that to itself is infinite.
    fn distances(&self, own: usize, out: &mut [f32]) {
        let (x, y) = (self.x[own], self.y[own]);
        for ((out, other_x), other_y) in out.iter_mut().zip(&self.x).zip(&self.y) {
            let (dx, dy) = (other_x - x, other_y - y);
            *out = dx * dx + dy * dy;
        }
        out[own] = f32::INFINITY;
    }
}

/// The places of the `k` smallest values, smallest first, equal ones in order.
fn smallest(values: &[f32], k: usize) -> Vec<u32> {
    const STEP: usize = 32;
    let mut found: Vec<(f32, u32)> = Vec::with_capacity(k + 1);
    let mut limit = f32::INFINITY;
    for (step, part) in values.chunks(STEP).enumerate() {
        // Most steps hold none: this test has no branches inside.
        if !part.iter().fold(false, |any, v| any | (*v < limit)) {
            continue;
        }
        for (i, value) in part.iter().enumerate() {
            if *value < limit {
                let place = found.partition_point(|f| f.0 <= *value);
                found.insert(place, (*value, (step * STEP + i) as u32));
                found.truncate(k);
                if found.len() == k {
                    limit = found[k - 1].0;
                }
            }
        }
    }
    found.into_iter().map(|f| f.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn ranks_count_what_is_nearer(n in 20usize..200, d in 1usize..20, seed in 0u64..99) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let data: Vec<f32> = (0..n * d).map(|_| rng.random_range(-1.0f32..1.0)).collect();
            let rows = Rows::new(d, data).unwrap();
            let distance = |a: usize, b: usize| -> f64 {
                let pairs = rows.row(a).iter().zip(rows.row(b));
                pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
            };
            let queries: Vec<u32> = (0..n as u32).step_by(3).collect();
            let targets: Vec<Vec<u32>> = queries.iter().map(|q| vec![(q + 1) % n as u32, (q + 7) % n as u32]).collect();
            for ((query, targets), ranks) in queries.iter().zip(&targets).zip(ranks(&rows, &queries, &targets)) {
                for (target, rank) in targets.iter().zip(ranks) {
                    let own = distance(*query as usize, *target as usize);
                    let others = (0..n).filter(|r| *r != *query as usize);
                    let sure = others.clone().filter(|r| distance(*query as usize, *r) < own - 1e-5).count();
                    let most = others.filter(|r| distance(*query as usize, *r) < own + 1e-5).count();
                    prop_assert!(sure < rank as usize && rank as usize <= most.max(1), "{sure} {rank} {most}");
                }
            }
        }

        #[test]
        fn the_smallest_come_in_order(values in proptest::collection::vec(0u8..50, 1..300), k in 1usize..20) {
            let values: Vec<f32> = values.into_iter().map(f32::from).collect();
            let mut order: Vec<u32> = (0..values.len() as u32).collect();
            order.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
            order.truncate(k);
            prop_assert_eq!(smallest(&values, k), order);
        }
    }
}
