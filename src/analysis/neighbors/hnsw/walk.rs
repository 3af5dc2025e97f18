//! Walks over the graph: from an entry to the nodes nearest to a code.

use super::super::fetch::Fetch;
use super::codes::Codes;
use super::graph::Graph;

/// A node at a distance, and whether its links were followed: the distance in the upper half, then the node, then the mark. Sorted, the
/// nearest come first, equally near ones by number.
type Stop = u64;

fn stop(distance: u32, node: u32) -> Stop {
    u64::from(distance) << 32 | u64::from(node) << 1
}

pub(super) fn node_of(stop: Stop) -> u32 {
    (stop as u32) >> 1
}

pub(super) fn distance_of(stop: Stop) -> u32 {
    (stop >> 32) as u32
}

/// The most nodes that a [`Stop`] can tell apart.
pub(super) const MOST_NODES: usize = 1 << 31;

/// The memory of a walk, used for many.
pub(super) struct Walker {
    /// Which walk met a node last.
    met: Vec<u8>,
    walk: u8,
    /// The nearest so far, sorted.
    pub(super) stops: Vec<Stop>,
    fresh: Vec<u32>,
    distances: Vec<u32>,
}

impl Walker {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            met: vec![0; nodes],
            walk: 0,
            stops: Vec::new(),
            fresh: Vec::new(),
            distances: Vec::new(),
        }
    }

    /// From the graph's entry down to a layer, always to the nearest.
    pub(super) fn descend(&mut self, graph: &Graph, codes: &Codes, from: &[i16], layer: usize) {
        let entry = graph.entry;
        self.stops.clear();
        codes.distances(from, &[entry], &mut self.distances);
        self.stops.push(stop(self.distances[0], entry));
        for above in (layer + 1..=graph.level(entry)).rev() {
            self.spread(graph, codes, from, above, 1);
        }
    }

    /// From the stops of the walk so far to the `width` nodes nearest to a code on a layer, as far as links lead.
    pub(super) fn spread(
        &mut self,
        graph: &Graph,
        codes: &Codes,
        from: &[i16],
        layer: usize,
        width: usize,
    ) {
        let fetch = Fetch::detected();
        self.begin();
        for at in &mut self.stops {
            *at &= !1;
            self.met[node_of(*at) as usize] = self.walk;
        }
        let mut next = 0;
        while let Some(here) = self.stops.get(next).copied() {
            if here & 1 == 1 {
                next += 1;
                continue;
            }
            self.stops[next] |= 1;
            self.fresh.clear();
            for end in graph.links(node_of(here), layer) {
                let met = &mut self.met[*end as usize];
                if *met != self.walk {
                    *met = self.walk;
                    self.fresh.push(*end);
                }
            }
            codes.distances(from, &self.fresh, &mut self.distances);
            for (node, distance) in self.fresh.iter().zip(&self.distances) {
                let new = stop(*distance, *node);
                let full = self.stops.len() >= width;
                if full && self.stops.last().is_none_or(|worst| new >= *worst) {
                    continue;
                }
                if full {
                    self.stops.pop();
                }
                let place = self.stops.partition_point(|at| *at < new);
                self.stops.insert(place, new);
                // It may be the next whose links are followed.
                fetch.ahead(graph.base_slot(*node));
                next = next.min(place);
            }
        }
    }

    /// Nobody was met yet.
    fn begin(&mut self) {
        self.walk = self.walk.wrapping_add(1);
        if self.walk == 0 {
            self.met.fill(0);
            self.walk = 1;
        }
    }
}
