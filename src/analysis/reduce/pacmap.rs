//! PaCMAP (Wang, Huang, Rudin & Shaposhnik 2021): near, mid-near and further pairs, moved by Adam.
//!
//! A point gathers the forces of its own pairs, in a fixed order, from the places before the step: the same on any number of threads.

use super::Place;
use super::graph::Graph;
use crate::analysis::neighbors::Rows;
use crate::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

/// What a map is drawn with; names and defaults are the authors'.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PacmapParams {
    /// Near pairs of each row.
    pub n_neighbors: usize,
    /// Mid-near pairs of each row, in parts of the near ones.
    pub mn_ratio: f64,
    /// Further pairs of each row, in parts of the near ones.
    pub fp_ratio: f64,
}

impl Default for PacmapParams {
    fn default() -> Self {
        Self {
            n_neighbors: 10,
            mn_ratio: 0.5,
            fp_ratio: 2.0,
        }
    }
}

/// Neighbours beyond the near pairs, of which those that are near for their surroundings are taken.
const SPARE: usize = 50;
/// Steps of the three phases, in which mid-near pairs pull strongly, weakly, and not at all.
const PHASES: [usize; 3] = [100, 100, 250];
/// How far apart points begin, in standard deviations of the first principal component.
const BEGIN: f32 = 0.01;

impl PacmapParams {
    /// How many neighbours the graph should hold for `rows` rows.
    pub fn wanted(&self, rows: usize) -> usize {
        (self.n_neighbors + SPARE).min(rows.saturating_sub(1))
    }
}

/// How a pair acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Near,
    MidNear,
    Further,
}

/// The pairs of each point, seen from both ends.
struct Pairs {
    start: Vec<usize>,
    to: Vec<u32>,
    kind: Vec<Kind>,
}

/// The map that begins at these places (the first two principal components). The graph is of the rows, by Euclid.
///
/// # Errors
/// [`Error::BadParameter`] for fewer neighbours in the graph than near pairs, or fewer rows than pairs.
pub fn pacmap(
    rows: &Rows,
    graph: &Graph,
    begin: &[Place],
    params: PacmapParams,
    seed: u64,
) -> Result<Vec<Place>> {
    let n = graph.len();
    let further = (params.fp_ratio * params.n_neighbors as f64).round() as usize;
    let middle = (params.mn_ratio * params.n_neighbors as f64).round() as usize;
    if params.n_neighbors == 0 || params.n_neighbors > graph.k() || begin.len() != n {
        return Err(Error::BadParameter {
            name: "neighbors",
            value: params.n_neighbors.to_string(),
            problem: format!("give 1 to {}", graph.k()),
        });
    }
    if n <= params.n_neighbors + further.max(middle + 6) {
        return Err(Error::BadParameter {
            name: "rows",
            value: n.to_string(),
            problem: format!(
                "PaCMAP pairs each row with {} others",
                params.n_neighbors + middle + further
            ),
        });
    }
    let pairs = Pairs::of(rows, graph, [params.n_neighbors, middle, further], seed);
    let size = begin.iter().map(|p| f64::from(p[0]).powi(2)).sum::<f64>();
    let size = (size / n as f64).sqrt().max(f64::MIN_POSITIVE) as f32;
    let begin = begin.iter().map(|p| p.map(|v| v / size * BEGIN)).collect();
    Ok(moved(&pairs, begin))
}

impl Pairs {
    fn of(rows: &Rows, graph: &Graph, counts: [usize; 3], seed: u64) -> Self {
        let n = graph.len();
        let local = local_scales(graph);
        let own: Vec<Vec<(u32, Kind)>> = (0..n)
            .into_par_iter()
            .map(|row| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(row as u64);
                let near = near(graph, &local, row, counts[0]);
                let mut pairs: Vec<(u32, Kind)> = near.iter().map(|r| (*r, Kind::Near)).collect();
                let middle = mid_near(rows, row, counts[1], &mut rng);
                pairs.extend(middle.into_iter().map(|r| (r, Kind::MidNear)));
                let further = unlike(n, row, &near, counts[2], &mut rng);
                pairs.extend(further.into_iter().map(|r| (r, Kind::Further)));
                pairs
            })
            .collect();
        let mut both = own.clone();
        for (row, pairs) in own.iter().enumerate() {
            for (to, kind) in pairs {
                both[*to as usize].push((row as u32, *kind));
            }
        }
        let mut pairs = Self {
            start: vec![0],
            to: Vec::new(),
            kind: Vec::new(),
        };
        for own in both {
            pairs.to.extend(own.iter().map(|p| p.0));
            pairs.kind.extend(own.iter().map(|p| p.1));
            pairs.start.push(pairs.to.len());
        }
        pairs
    }

    /// What a point's pairs ask of it: the gradient of its part of the loss.
    fn gradient(&self, point: usize, places: &[Place], weight: [f32; 3]) -> Place {
        let own = places[point];
        let (mut gx, mut gy) = (0.0f32, 0.0f32);
        for pair in self.start[point]..self.start[point + 1] {
            let other = places[self.to[pair] as usize];
            let (dx, dy) = (own[0] - other[0], own[1] - other[1]);
            let d = 1.0 + dx * dx + dy * dy;
            let strength = match self.kind[pair] {
                Kind::Near => weight[0] * 20.0 / (10.0 + d).powi(2),
                Kind::MidNear => weight[1] * 20_000.0 / (10_000.0 + d).powi(2),
                Kind::Further => -weight[2] * 2.0 / (1.0 + d).powi(2),
            };
            gx += strength * dx;
            gy += strength * dy;
        }
        [gx, gy]
    }
}

/// The mean distance of a row's fourth to sixth neighbour.
fn local_scales(graph: &Graph) -> Vec<f64> {
    let scale = |row: usize| {
        let distances = graph.distances(row);
        let part = &distances[3.min(distances.len() - 1)..6.min(distances.len())];
        let mean = part.iter().map(|d| f64::from(*d)).sum::<f64>() / part.len() as f64;
        mean.max(1e-10)
    };
    (0..graph.len()).map(scale).collect()
}

/// The neighbours that are nearest when distances are measured by the scales of both ends.
fn near(graph: &Graph, local: &[f64], row: usize, count: usize) -> Vec<u32> {
    let found = graph.neighbors(row).iter().zip(graph.distances(row));
    let mut found: Vec<(f64, u32)> = found
        .map(|(to, d)| {
            let scaled = f64::from(*d).powi(2) / (local[row] * local[*to as usize]);
            (scaled, *to)
        })
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    found.into_iter().take(count).map(|f| f.1).collect()
}

/// Each the second nearest of six rows drawn at random.
fn mid_near(rows: &Rows, row: usize, count: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut chosen: Vec<u32> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut drawn: Vec<(f64, u32)> = Vec::with_capacity(6);
        while drawn.len() < 6 {
            let other = rng.random_range(0..rows.rows()) as u32;
            let seen = drawn.iter().any(|d| d.1 == other) || chosen.contains(&other);
            if other as usize != row && !seen {
                drawn.push((distance(rows, row, other as usize), other));
            }
        }
        drawn.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        chosen.push(drawn[1].1);
    }
    chosen
}

fn distance(rows: &Rows, a: usize, b: usize) -> f64 {
    let pairs = rows.row(a).iter().zip(rows.row(b));
    pairs.map(|(a, b)| f64::from((a - b).powi(2))).sum()
}

/// Different rows at random that are no near pair.
fn unlike(n: usize, row: usize, near: &[u32], count: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut chosen: Vec<u32> = Vec::with_capacity(count);
    while chosen.len() < count {
        let other = rng.random_range(0..n) as u32;
        if other as usize != row && !near.contains(&other) && !chosen.contains(&other) {
            chosen.push(other);
        }
    }
    chosen
}

/// Adam (Kingma & Ba 2015) with a rate of 1, as in the authors' program.
fn moved(pairs: &Pairs, mut places: Vec<Place>) -> Vec<Place> {
    let mut moments: Vec<[Place; 2]> = vec![[[0.0; 2]; 2]; places.len()];
    for step in 0..PHASES.iter().sum() {
        let weight = weights(step);
        let t = (step + 1) as i32;
        let rate = (1.0 - 0.999f32.powi(t)).sqrt() / (1.0 - 0.9f32.powi(t));
        let next: Vec<Place> = moments
            .par_iter_mut()
            .enumerate()
            .with_min_len(256)
            .map(|(point, [mean, square])| {
                let gradient = pairs.gradient(point, &places, weight);
                let mut place = places[point];
                for axis in 0..2 {
                    mean[axis] += 0.1 * (gradient[axis] - mean[axis]);
                    square[axis] += 0.001 * (gradient[axis].powi(2) - square[axis]);
                    place[axis] -= rate * mean[axis] / (square[axis].sqrt() + 1e-7);
                }
                place
            })
            .collect();
        places = next;
    }
    places
}

/// The weights of near, mid-near and further pairs at a step.
fn weights(step: usize) -> [f32; 3] {
    let done = step as f32 / PHASES[0] as f32;
    match step {
        s if s < PHASES[0] => [2.0, 1000.0 * (1.0 - done) + 3.0 * done, 1.0],
        s if s < PHASES[0] + PHASES[1] => [3.0, 3.0, 1.0],
        _ => [1.0, 0.0, 1.0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::neighbors::{Correction, Metric, Space};
    use crate::analysis::reduce::quality::quality;

    fn ring(n: usize, d: usize) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let data = (0..n).flat_map(|row| {
            let angle = std::f32::consts::TAU * row as f32 / n as f32;
            let noise: Vec<f32> = (0..d).map(|_| rng.random_range(-0.02..0.02)).collect();
            let mut point = noise;
            point[0] += angle.cos();
            point[1] += angle.sin();
            point
        });
        let data = data.collect();
        Rows::new(d, data).unwrap()
    }

    #[test]
    fn a_ring_stays_a_ring_whatever_the_number_of_threads() {
        let rows = ring(400, 10);
        let space = Space::new(&rows, Metric::Euclid, Correction::None, 0).unwrap();
        let params = PacmapParams::default();
        let graph = Graph::of(&space, params.wanted(400)).unwrap();
        let begin: Vec<Place> = (0..400).map(|r| [rows.row(r)[0], rows.row(r)[1]]).collect();
        let map = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| pacmap(&rows, &graph, &begin, params, 1).unwrap())
        };
        let one = map(1);
        assert_eq!(one, map(3));
        let found = quality(&space, &graph, &one, 15, 0).unwrap();
        assert!(
            found.trustworthiness.value > 0.98 && found.continuity.value > 0.98,
            "{found:?}"
        );
        assert_eq!(found.torn, 0);
    }

    #[test]
    fn too_few_rows_are_refused() {
        let rows = ring(20, 3);
        let space = Space::new(&rows, Metric::Euclid, Correction::None, 0).unwrap();
        let graph = Graph::of(&space, 19).unwrap();
        let begin = vec![[0.0; 2]; 20];
        let error = pacmap(&rows, &graph, &begin, PacmapParams::default(), 0).unwrap_err();
        assert!(error.to_string().contains("pairs each row"), "{error}");
    }
}
