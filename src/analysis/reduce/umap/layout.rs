//! Moving points until those that belong together lie together.
//!
//! umap-learn moves both ends of one edge after another, and in parallel lets threads overwrite each other: fast, and different each time. Here
//! a point is moved by its own edges alone (as the head of each, and as the tail of its twin), a sixteenth of all points at a time,
//! reading the places of the others from before that step. What a point does depends on the seed, the epoch and its number, never
//! on who computes it. The sixteenths move in another order each epoch: in a fixed one, a point that always answers its neighbour's step drives
//! both along, and groups drift apart without end.

use super::forces::{Forces, Others, Pushes};
use super::fuzzy::Fuzzy;
use super::power::LANES;
use super::random::{Draws, hash};
use crate::analysis::reduce::Place;
use pulp::{Arch, Simd, WithSimd};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Parts of the points that move one after another. Two neighbours seldom move at the same time.
const PARTS: usize = 16;
/// Random points that push a point away for each edge that pulls it.
const PUSHES: usize = 5;
/// Edges that pull a point at once, before it is pushed. Where few do, those that come last count most, epoch after epoch, and groups drift apart.
const TOGETHER: usize = LANES;
/// Points that a thread moves at a time.
const TASK: usize = 128;

/// How points are moved.
pub(super) struct Plan {
    /// `a` and `b` of the curve.
    pub(super) curve: (f64, f64),
    pub(super) epochs: usize,
    pub(super) seed: u64,
}

/// Edges as they are walked: points are numbered in the order in which they move.
struct Walk {
    /// The row of each point.
    order: Vec<u32>,
    start: Vec<usize>,
    edges: Vec<Edge>,
    seed: u64,
}

#[derive(Clone, Copy)]
struct Edge {
    to: u32,
    /// The share of epochs in which the edge pulls, from 1 to 2³² parts of 2³², less one.
    share: u32,
    /// Where in its period the edge begins, in parts of 2³²; the same from both ends.
    phase: u32,
}

impl Edge {
    /// Whether the edge pulls in an epoch: whether its share of all epochs so far passes a whole number.
    #[inline(always)]
    fn pulls(self, epoch: u32) -> bool {
        let since = self
            .phase
            .wrapping_add(epoch.wrapping_mul(self.share.wrapping_add(1)));
        // Of 2³² parts, those that are missing are no more than the share.
        since >= !self.share
    }
}

/// Moves the points from where they begin.
pub(super) fn layout(graph: &Fuzzy, begin: &[Place], plan: &Plan) -> Vec<Place> {
    let walk = Walk::new(graph, plan);
    let n = graph.len();
    let mut places: Vec<Place> = walk.order.iter().map(|row| begin[*row as usize]).collect();
    let size = n.div_ceil(PARTS).max(1);
    let mut moved = vec![[0.0; 2]; size];
    let mut firsts: Vec<usize> = (0..n).step_by(size).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    for epoch in 0..plan.epochs {
        let rate = 1.0 - epoch as f32 / plan.epochs as f32;
        let forces = Forces::new(plan.curve, rate);
        firsts.shuffle(&mut rng);
        for first in &firsts {
            let part = *first..n.min(first + size);
            let moved = &mut moved[..part.len()];
            let tasks = moved.par_chunks_mut(TASK).enumerate();
            tasks.for_each(|(task, moved)| {
                Arch::new().dispatch(Move {
                    walk: &walk,
                    first: first + task * TASK,
                    epoch,
                    forces,
                    places: &places,
                    moved,
                });
            });
            places[part].copy_from_slice(moved);
        }
    }
    let mut map = vec![[0.0; 2]; n];
    for (row, place) in walk.order.iter().zip(&places) {
        map[*row as usize] = *place;
    }
    map
}

impl Walk {
    fn new(graph: &Fuzzy, plan: &Plan) -> Self {
        let n = graph.len();
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(plan.seed));
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
                if share * (plan.epochs as f32) < 1.0 {
                    continue;
                }
                let to = number[graph.to[edge] as usize];
                let (low, high) = (to.min(point as u32), to.max(point as u32));
                let pair = u64::from(low) << 32 | u64::from(high);
                let phase = (hash(plan.seed, pair, u64::MAX) >> 32) as u32;
                let share = (f64::from(share) * f64::from(u32::MAX)) as u32;
                edges.push(Edge { to, share, phase });
            }
            start.push(edges.len());
        }
        Self {
            order,
            start,
            edges,
            seed: plan.seed,
        }
    }
}

/// Consecutive points of a part, and where they are moved to.
struct Move<'a> {
    walk: &'a Walk,
    first: usize,
    epoch: usize,
    forces: Forces,
    places: &'a [Place],
    moved: &'a mut [Place],
}

impl WithSimd for Move<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for i in 0..self.moved.len() {
            self.moved[i] = self.of(self.first + i);
        }
    }
}

impl Move<'_> {
    /// The place of a point after the epoch.
    #[inline(always)]
    fn of(&self, point: usize) -> Place {
        let mut own = self.places[point];
        let draws = Draws::new(self.walk.seed, point, self.epoch);
        let epoch = self.epoch as u32;
        let (mut pulling, mut count, mut pushed) = ([0u32; TOGETHER], 0, 0);
        for edge in &self.walk.edges[self.walk.start[point]..self.walk.start[point + 1]] {
            // Written whether it pulls or not: a branch here would be guessed wrong every other time.
            pulling[count % TOGETHER] = edge.to;
            count += usize::from(edge.pulls(epoch));
            if count == TOGETHER {
                own = self.step(own, point, &pulling, draws, pushed);
                (count, pushed) = (0, pushed + TOGETHER * PUSHES);
            }
        }
        match count {
            0 => own,
            _ => self.step(own, point, &pulling[..count], draws, pushed),
        }
    }

    /// A point's place after some edges pulled it and as many random points as belong to them pushed it.
    #[inline(always)]
    fn step(
        &self,
        own: Place,
        point: usize,
        pulling: &[u32],
        draws: Draws,
        pushed: usize,
    ) -> Place {
        let mut others = Others::none();
        for (lane, to) in pulling.iter().enumerate() {
            others.put(lane, self.places[*to as usize]);
        }
        let own = self.forces.pulled(own, &others);
        let mut pushes = Pushes::none();
        let last = pushed + pulling.len() * PUSHES;
        for first in (pushed..last).step_by(LANES) {
            let drawn: [usize; LANES] =
                std::array::from_fn(|lane| draws.below(first + lane, self.places.len()));
            let mut others = Others::none();
            for (lane, other) in drawn.iter().enumerate().take(last - first) {
                if *other != point {
                    others.put(lane, self.places[*other]);
                }
            }
            self.forces.push(own, &others, &mut pushes);
        }
        pushes.from(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_pulls_in_its_share_of_the_epochs() {
        for share in [u32::MAX, u32::MAX / 2, u32::MAX / 7, u32::MAX / 300, 0] {
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
}
