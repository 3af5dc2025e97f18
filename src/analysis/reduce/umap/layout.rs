//! Moving points until those that belong together lie together.
//!
//! umap-learn moves both ends of one edge after another, and in parallel lets threads overwrite each other: fast, and different each time. Here
//! a point is moved by its own edges alone (as the head of each, and as the tail of its twin), a sixteenth of all points at a time,
//! reading the places of the others from before that step. What a point does depends on the seed, the epoch and its number, never
//! on who computes it. The sixteenths move in another order each epoch: in a fixed one, a point that always answers its neighbour's step drives
//! both along, and groups drift apart without end.

use super::fuzzy::Fuzzy;
use super::power::power;
use crate::analysis::reduce::Place;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Parts of the points that move one after another. Two neighbours seldom move at the same time.
const PARTS: usize = 16;
/// Random points that push a point away for each edge that pulls it.
const PUSHES: usize = 5;
/// A pull takes a point at most so far of its way to the other. At high rates the force alone would take it beyond, and where each end moves for
/// itself, what they overshoot by does not cancel out: groups drift apart.
const FARTHEST: f32 = 0.5;
/// The longest step along an axis, before the rate.
const LONGEST: f32 = 4.0;

/// How points move.
pub(super) struct Forces {
    pub(super) a: f32,
    pub(super) b: f32,
    pub(super) epochs: usize,
    pub(super) seed: u64,
}

/// Edges as they are walked: points are numbered in the order in which they move.
struct Walk {
    /// The row of each point.
    order: Vec<u32>,
    start: Vec<usize>,
    edges: Vec<Edge>,
}

#[derive(Clone, Copy)]
struct Edge {
    to: u32,
    /// The share of epochs in which the edge pulls, in parts of 2³².
    share: u32,
    /// Where in its period the edge begins, likewise; the same from both ends.
    phase: u32,
}

impl Edge {
    /// Whether the edge pulls in an epoch: whether its share of all epochs so far passes a whole number.
    fn pulls(self, epoch: usize) -> bool {
        // From 0 to 1 in 2³² steps, the last one included.
        let share = u64::from(self.share) + 1;
        let turns = |epoch: u64| (epoch * share + u64::from(self.phase)) >> 32;
        turns(epoch as u64 + 1) > turns(epoch as u64)
    }
}

/// Moves the points from where they begin.
pub(super) fn layout(graph: &Fuzzy, begin: &[Place], forces: &Forces) -> Vec<Place> {
    let walk = Walk::new(graph, forces);
    let n = graph.len();
    let mut places: Vec<Place> = walk.order.iter().map(|row| begin[*row as usize]).collect();
    let size = n.div_ceil(PARTS).max(1);
    let mut moved = Vec::with_capacity(size);
    let mut firsts: Vec<usize> = (0..n).step_by(size).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(forces.seed);
    for epoch in 0..forces.epochs {
        let rate = 1.0 - epoch as f32 / forces.epochs as f32;
        firsts.shuffle(&mut rng);
        for first in &firsts {
            let part = *first..n.min(first + size);
            part.clone()
                .into_par_iter()
                .with_min_len(64)
                .map(|point| walk.moved(point, epoch, rate, &places, forces))
                .collect_into_vec(&mut moved);
            places[part].copy_from_slice(&moved);
        }
    }
    let mut map = vec![[0.0; 2]; n];
    for (row, place) in walk.order.iter().zip(&places) {
        map[*row as usize] = *place;
    }
    map
}

impl Walk {
    fn new(graph: &Fuzzy, forces: &Forces) -> Self {
        let n = graph.len();
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(forces.seed));
        let mut number = vec![0u32; n];
        for (point, row) in order.iter().enumerate() {
            number[*row as usize] = point as u32;
        }
        let most = graph.weight.iter().copied().fold(0.0, f32::max);
        let (mut start, mut edges) = (vec![0], Vec::with_capacity(graph.to.len()));
        for (point, row) in order.iter().enumerate() {
            let row = *row as usize;
            for edge in graph.start[row]..graph.start[row + 1] {
                let share = graph.weight[edge] / most;
                // An edge that would not pull even once is left out, as in umap-learn.
                if share * (forces.epochs as f32) < 1.0 {
                    continue;
                }
                let to = number[graph.to[edge] as usize];
                let (low, high) = (to.min(point as u32), to.max(point as u32));
                let pair = u64::from(low) << 32 | u64::from(high);
                let phase = (Stream::new(forces.seed, pair, u64::MAX).next() >> 32) as u32;
                let share = (f64::from(share) * f64::from(u32::MAX)) as u32;
                edges.push(Edge { to, share, phase });
            }
            start.push(edges.len());
        }
        Self {
            order,
            start,
            edges,
        }
    }

    /// The place of a point after an epoch.
    fn moved(
        &self,
        point: usize,
        epoch: usize,
        rate: f32,
        places: &[Place],
        forces: &Forces,
    ) -> Place {
        let mut own = places[point];
        let mut random = Stream::new(forces.seed, point as u64, epoch as u64);
        for edge in &self.edges[self.start[point]..self.start[point + 1]] {
            if !edge.pulls(epoch) {
                continue;
            }
            // As the head of this edge, and as the tail of its twin.
            for _ in 0..2 {
                forces.pull(&mut own, places[edge.to as usize], rate);
            }
            for _ in 0..PUSHES {
                let other = random.below(places.len());
                if other != point {
                    forces.push(&mut own, places[other], rate);
                }
            }
        }
        own
    }
}

impl Forces {
    fn pull(&self, own: &mut Place, other: Place, rate: f32) {
        let (dx, dy) = (own[0] - other[0], own[1] - other[1]);
        let square = dx * dx + dy * dy;
        if square > 0.0 {
            let power = power(square, self.b);
            let strength = -2.0 * self.a * self.b * power / (square * (1.0 + self.a * power));
            let part = (rate * strength).max(-FARTHEST);
            step(own, part, (dx, dy), rate);
        }
    }

    fn push(&self, own: &mut Place, other: Place, rate: f32) {
        let (dx, dy) = (own[0] - other[0], own[1] - other[1]);
        let square = dx * dx + dy * dy;
        if square > 0.0 {
            let power = power(square, self.b);
            let strength = 2.0 * self.b / ((0.001 + square) * (1.0 + self.a * power));
            step(own, rate * strength, (dx, dy), rate);
        }
    }
}

fn step(own: &mut Place, part: f32, (dx, dy): (f32, f32), rate: f32) {
    let longest = rate * LONGEST;
    own[0] += (part * dx).clamp(-longest, longest);
    own[1] += (part * dy).clamp(-longest, longest);
}

/// Random numbers of one point in one epoch (SplitMix64, Steele, Lea & Flood 2014): a generator for each of millions of such
/// pairs must cost nothing to begin.
struct Stream(u64);

impl Stream {
    fn new(seed: u64, a: u64, b: u64) -> Self {
        let mut stream = Self(seed);
        stream.0 = stream.next() ^ a;
        stream.0 = stream.next() ^ b;
        Self(stream.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number below `n`, which is less than 2³².
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_pulls_in_its_share_of_the_epochs() {
        for share in [u32::MAX, u32::MAX / 2, u32::MAX / 7, u32::MAX / 300] {
            for phase in [0, 1 << 20, u32::MAX] {
                let edge = Edge {
                    to: 0,
                    share,
                    phase,
                };
                let pulled = (0..4200).filter(|e| edge.pulls(*e)).count() as f64;
                let expected = 4200.0 * f64::from(share) / f64::from(u32::MAX);
                assert!((pulled - expected).abs() < 1.1, "{share} {phase}: {pulled}");
            }
        }
    }

    #[test]
    fn random_points_are_evenly_drawn() {
        let mut counts = [0usize; 10];
        for point in 0..500 {
            let mut stream = Stream::new(3, point, point / 7);
            (0..40).for_each(|_| counts[stream.below(10)] += 1);
        }
        // 2,000 each; four standard deviations are 170.
        assert!(counts.iter().all(|c| c.abs_diff(2000) < 170), "{counts:?}");
    }
}
