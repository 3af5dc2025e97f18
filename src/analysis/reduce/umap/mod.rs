//! UMAP (McInnes, Healy & Melville 2018), of the exact neighbour graph, the same from the same seed on any number of threads.

mod curve;
mod forces;
mod fuzzy;
mod layout;
mod power;
mod random;

use super::Place;
use super::graph::Graph;
use crate::error::{Error, Result};
use fuzzy::Fuzzy;
use layout::{Plan, layout};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// What a map is drawn with; names and defaults are umap-learn's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UmapParams {
    /// The size of a neighbourhood, the row itself included.
    pub n_neighbors: usize,
    /// How near points may come.
    pub min_dist: f64,
    /// At which scale they are spread.
    pub spread: f64,
    /// How often every point is moved; `None`: 500 times up to 10,000 rows, else 200 times.
    pub n_epochs: Option<usize>,
}

impl Default for UmapParams {
    fn default() -> Self {
        Self {
            n_neighbors: 15,
            min_dist: 0.1,
            spread: 1.0,
            n_epochs: None,
        }
    }
}

impl UmapParams {
    fn check(&self) -> Result<()> {
        let bad = |name, value: String, problem: &str| {
            Err(Error::BadParameter {
                name,
                value,
                problem: problem.to_owned(),
            })
        };
        match self {
            p if p.n_neighbors < 2 => bad(
                "neighbors",
                p.n_neighbors.to_string(),
                "the row itself counts; give at least 2",
            ),
            p if !(p.spread > 0.0 && p.spread.is_finite()) => {
                bad("spread", p.spread.to_string(), "give a number above 0")
            }
            p if !(p.min_dist >= 0.0 && p.min_dist <= p.spread) => bad(
                "min-dist",
                p.min_dist.to_string(),
                "give a number from 0 to the spread",
            ),
            p if p.n_epochs == Some(0) => bad("epochs", "0".to_owned(), "give at least 1"),
            _ => Ok(()),
        }
    }
}

/// A space made ready for maps from several seeds.
#[derive(Debug, Clone)]
pub struct Umap {
    graph: Fuzzy,
    curve: (f64, f64),
    epochs: usize,
}

impl Umap {
    /// Weighs the edges of the graph, which must have `n_neighbors - 1` neighbours a row at least.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn new(graph: &Graph, params: UmapParams) -> Result<Self> {
        params.check()?;
        let k = params.n_neighbors - 1;
        if k > graph.k() {
            return Err(Error::BadParameter {
                name: "neighbors",
                value: params.n_neighbors.to_string(),
                problem: format!("the graph holds {} others of each row", graph.k()),
            });
        }
        let small = graph.len() <= 10_000;
        Ok(Self {
            graph: Fuzzy::of(graph, k),
            curve: curve::fit(params.min_dist, params.spread),
            epochs: params.n_epochs.unwrap_or(if small { 500 } else { 200 }),
        })
    }

    /// The map that begins at these places, such as the first two principal components. They are spread from 0 to 10 along each axis, and
    /// moved by a ten-thousandth at random, so that equal places part.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for another number of places than rows.
    pub fn map(&self, begin: &[Place], seed: u64) -> Result<Vec<Place>> {
        if begin.len() != self.graph.len() {
            return Err(Error::BadParameter {
                name: "places",
                value: begin.len().to_string(),
                problem: format!("there are {} rows", self.graph.len()),
            });
        }
        let plan = Plan {
            curve: self.curve,
            epochs: self.epochs,
            seed,
        };
        Ok(layout(&self.graph, &spread(begin, seed), &plan))
    }
}

/// Each pair's weight once, for the comparison with umap-learn.
#[cfg(test)]
pub(super) fn weights(graph: &Graph, k: usize) -> Vec<(u32, u32, f32)> {
    let fuzzy = Fuzzy::of(graph, k);
    let edges = |row: usize| {
        let fuzzy = &fuzzy;
        (fuzzy.start[row]..fuzzy.start[row + 1])
            .map(move |e| (row as u32, fuzzy.to[e], fuzzy.weight[e]))
    };
    (0..fuzzy.len())
        .flat_map(edges)
        .filter(|e| e.0 < e.1)
        .collect()
}

fn spread(begin: &[Place], seed: u64) -> Vec<Place> {
    let range = |axis: usize| {
        let values = begin.iter().map(|p| p[axis]);
        let low = values.clone().fold(f32::INFINITY, f32::min);
        let high = values.fold(f32::NEG_INFINITY, f32::max);
        (low, if high > low { 10.0 / (high - low) } else { 0.0 })
    };
    let ranges = [range(0), range(1)];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut place = |p: &Place| {
        let mut axis =
            |i: usize| (p[i] - ranges[i].0) * ranges[i].1 + rng.random_range(-1e-4f32..1e-4);
        [axis(0), axis(1)]
    };
    begin.iter().map(&mut place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::neighbors::{Correction, Metric, Rows, Space};
    use crate::analysis::reduce::quality::quality;

    /// Clouds around corners of a cube in many dimensions, one after another.
    fn clouds(each: usize, clouds: usize, d: usize) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let data = (0..clouds).flat_map(|cloud| {
            (0..each * d)
                .map(|i| {
                    let at = if i % d == cloud { 6.0 } else { 0.0 };
                    at + rng.random_range(-1.0f32..1.0)
                })
                .collect::<Vec<f32>>()
        });
        let data = data.collect();
        Rows::new(d, data).unwrap()
    }

    fn ready(rows: &Rows) -> (Space, Graph, Vec<Place>) {
        let space = Space::new(rows, Metric::Euclid, Correction::None, 0).unwrap();
        let graph = Graph::of(&space, 15).unwrap();
        let begin = (0..rows.rows()).map(|r| [rows.row(r)[0], rows.row(r)[1]]);
        (space, graph, begin.collect())
    }

    #[test]
    fn the_same_map_on_any_number_of_threads_and_another_from_another_seed() {
        let (_, graph, begin) = ready(&clouds(120, 4, 8));
        let umap = Umap::new(
            &graph,
            UmapParams {
                n_epochs: Some(40),
                ..UmapParams::default()
            },
        )
        .unwrap();
        let map = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| umap.map(&begin, seed).unwrap())
        };
        let one = map(1, 3);
        assert_eq!(one, map(2, 3));
        assert_eq!(one, map(5, 3));
        assert_ne!(one, map(2, 4));
    }

    #[test]
    fn clouds_stay_apart_and_neighbours_together() {
        let rows = clouds(100, 5, 12);
        let (space, graph, begin) = ready(&rows);
        let map = Umap::new(&graph, UmapParams::default())
            .unwrap()
            .map(&begin, 0)
            .unwrap();
        let found = quality(&space, &graph, &map, 15, 0).unwrap();
        assert!(found.trustworthiness.value > 0.9, "{found:?}");
        assert!(found.preservation.value > 5.0 * found.preservation_by_chance);
        let middle = |cloud: usize| {
            let own = &map[cloud * 100..(cloud + 1) * 100];
            [0, 1].map(|axis| own.iter().map(|p| p[axis]).sum::<f32>() / 100.0)
        };
        let far = |a: Place, b: Place| (a[0] - b[0]).hypot(a[1] - b[1]);
        for (row, place) in map.iter().enumerate() {
            let own = far(*place, middle(row / 100));
            let others = (0..5).filter(|c| *c != row / 100);
            assert!(
                others.map(|c| far(*place, middle(c))).all(|d| d > own),
                "row {row}"
            );
        }
    }

    #[test]
    fn bad_parameters_are_refused() {
        let (_, graph, _) = ready(&clouds(20, 2, 4));
        let new = |p: UmapParams| Umap::new(&graph, p);
        let d = UmapParams::default();
        for bad in [
            UmapParams {
                n_neighbors: 1,
                ..d
            },
            UmapParams {
                n_neighbors: 40,
                ..d
            },
            UmapParams {
                min_dist: -0.1,
                ..d
            },
            UmapParams {
                min_dist: f64::NAN,
                ..d
            },
            UmapParams { spread: 0.0, ..d },
            UmapParams {
                n_epochs: Some(0),
                ..d
            },
        ] {
            assert!(new(bad).is_err(), "{bad:?}");
        }
        assert!(new(d).unwrap().map(&[[0.0; 2]; 3], 0).is_err());
    }
}
