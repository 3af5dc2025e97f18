//! The fuzzy graph: how strongly rows belong together.

use crate::analysis::reduce::graph::Graph;
use rayon::prelude::*;

/// For each row, the rows that it belongs together with, in ascending order, and how strongly, above 0 and up to 1. Symmetric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fuzzy {
    pub(super) start: Vec<usize>,
    pub(super) to: Vec<u32>,
    pub(super) weight: Vec<f32>,
}

impl Fuzzy {
    /// From the `k` nearest others of each row (McInnes, Healy & Melville 2018, algorithms 2 and 3, with local connectivity 1): memberships
    /// fall off from the nearest neighbour so that they sum to `log2(k + 1)` (umap-learn counts the row itself among its neighbours), and
    /// the two directions of a pair are joined by the probabilistic union.
    pub(super) fn of(graph: &Graph, k: usize) -> Self {
        let n = graph.len();
        let all = (0..n).flat_map(|row| &graph.distances(row)[..k]);
        let overall = all.map(|d| f64::from(*d)).sum::<f64>() / (n * (k + 1)) as f64;
        let own: Vec<Vec<f32>> = (0..n)
            .into_par_iter()
            .map(|row| memberships(&graph.distances(row)[..k], overall))
            .collect();
        let mut both: Vec<Vec<(u32, f32, f32)>> = vec![Vec::new(); n];
        for (row, own) in own.iter().enumerate() {
            for (to, weight) in graph.neighbors(row).iter().zip(own) {
                both[row].push((*to, *weight, 0.0));
                both[*to as usize].push((row as u32, 0.0, *weight));
            }
        }
        both.par_iter_mut().for_each(|edges| {
            edges.sort_by_key(|e| e.0);
            edges.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    *kept = (kept.0, kept.1 + next.1, kept.2 + next.2);
                }
                same
            });
        });
        let mut fuzzy = Self {
            start: vec![0],
            to: Vec::new(),
            weight: Vec::new(),
        };
        for edges in both {
            for (to, out, back) in edges {
                // The same sum whichever end it is seen from.
                let union = (out + back) - out * back;
                if union > 0.0 {
                    fuzzy.to.push(to);
                    fuzzy.weight.push(union);
                }
            }
            fuzzy.start.push(fuzzy.to.len());
        }
        fuzzy
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.start.len() - 1
    }
}

/// The memberships of a row's neighbours, given their distances in ascending order and the mean of all distances.
fn memberships(distances: &[f32], overall: f64) -> Vec<f32> {
    const STEPS: usize = 64;
    const LEAST: f64 = 1e-3;
    let nearest = distances.iter().find(|d| **d > 0.0);
    let nearest = f64::from(nearest.copied().unwrap_or(0.0));
    let wanted = ((distances.len() + 1) as f64).log2();
    let beyond: Vec<f64> = distances
        .iter()
        .map(|d| (f64::from(*d) - nearest).max(0.0))
        .collect();
    let sum = |sigma: f64| beyond.iter().map(|d| (-d / sigma).exp()).sum::<f64>();
    let (mut low, mut high, mut sigma) = (0.0, f64::INFINITY, 1.0);
    for _ in 0..STEPS {
        let found = sum(sigma);
        if (found - wanted).abs() < 1e-5 {
            break;
        }
        if found > wanted {
            high = sigma;
            sigma = f64::midpoint(low, high);
        } else {
            low = sigma;
            sigma = match high.is_finite() {
                true => f64::midpoint(low, high),
                false => sigma * 2.0,
            };
        }
    }
    let own: f64 =
        distances.iter().map(|d| f64::from(*d)).sum::<f64>() / (distances.len() + 1) as f64;
    let scale = if nearest > 0.0 { own } else { overall };
    let sigma = sigma.max(LEAST * scale);
    let membership = |d: &f64| match *d > 0.0 && sigma > 0.0 {
        true => (-d / sigma).exp() as f32,
        false => 1.0,
    };
    beyond.iter().map(membership).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::neighbors::{Correction, Metric, Rows, Space};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn memberships_are_one_for_the_nearest_and_sum_to_the_logarithm() {
        let distances = [0.5f32, 0.6, 0.9, 1.4, 2.0, 2.1, 3.0];
        let found = memberships(&distances, 1.0);
        assert_eq!(found[0], 1.0);
        assert!((found.iter().sum::<f32>() - 3.0).abs() < 1e-4);
        assert!(found.windows(2).all(|w| w[0] >= w[1]));
        assert_eq!(memberships(&[0.0; 3], 0.0), [1.0; 3]);
    }

    #[test]
    fn the_graph_is_symmetric() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let data = (0..300 * 5)
            .map(|_| rng.random_range(-1.0f32..1.0))
            .collect();
        let rows = Rows::new(5, data).unwrap();
        let space = Space::new(&rows, Metric::Euclid, Correction::None, 0).unwrap();
        let fuzzy = Fuzzy::of(&Graph::of(&space, 14).unwrap(), 14);
        let of = |row: usize| fuzzy.start[row]..fuzzy.start[row + 1];
        for row in 0..fuzzy.len() {
            assert!(of(row).len() >= 14);
            for edge in of(row) {
                let other = fuzzy.to[edge] as usize;
                assert_ne!(other, row);
                let back = of(other).find(|e| fuzzy.to[*e] as usize == row).unwrap();
                assert_eq!(fuzzy.weight[edge], fuzzy.weight[back]);
            }
        }
    }
}
