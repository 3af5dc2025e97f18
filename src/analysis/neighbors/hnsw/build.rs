//! Building the graph: nodes in order, many at a time, the same on any number of threads.
//!
//! A batch of nodes looks for its neighbours in the graph of the nodes before it, and among the earlier nodes of the batch by distance
//! alone; then it is linked. How large a batch is depends on the number of nodes before it and on nothing else.

use super::Params;
use super::codes::Codes;
use super::graph::Graph;
use super::walk::{Walker, distance_of, node_of};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Nodes of a batch, at most; and of the nodes before it, at most one in so many.
const MOST: usize = 256;
const SHARE: usize = 16;

/// A new link: its layer, where it ends, where it comes from.
type Link = (u8, u32, u32);

pub(super) fn build(codes: &Codes, params: Params) -> Graph {
    let n = codes.rows();
    let mut graph = Graph::unlinked(params.m, levels(n, params));
    let mut done = 1.min(n);
    while done < n {
        let batch = done..n.min(done + (done / SHARE).clamp(1, MOST));
        let chosen: Vec<Vec<Vec<u32>>> = batch
            .clone()
            .into_par_iter()
            .map_init(
                || Walker::new(n),
                |walker, node| choose(&graph, codes, walker, node as u32, batch.start, params),
            )
            .collect();
        let mut links: Vec<Link> = Vec::new();
        for (node, layers) in batch.clone().zip(&chosen) {
            for (layer, ends) in layers.iter().enumerate() {
                graph.link(node as u32, layer, ends);
                links.extend(ends.iter().map(|end| (layer as u8, *end, node as u32)));
            }
        }
        link_back(&mut graph, codes, links);
        for node in batch.clone() {
            if graph.levels[node] > graph.levels[graph.entry as usize] {
                graph.entry = node as u32;
            }
        }
        done = batch.end;
    }
    connect(&mut graph, codes);
    graph
}

/// The layers of each node: one node in `m` of those on a layer is on the next, too.
fn levels(n: usize, params: Params) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    let per_layer = 1.0 / (params.m as f64).ln();
    let mut level = || {
        let drawn: f64 = rng.random_range(f64::MIN_POSITIVE..1.0);
        (-drawn.ln() * per_layer).floor().min(30.0) as u8
    };
    (0..n).map(|_| level()).collect()
}

/// The links of a new node, for each of its layers.
fn choose(
    graph: &Graph,
    codes: &Codes,
    walker: &mut Walker,
    node: u32,
    batch: usize,
    params: Params,
) -> Vec<Vec<u32>> {
    let own = codes.row(node);
    let level = graph.level(node);
    let top = graph.level(graph.entry);
    walker.descend(graph, codes, own, level.min(top));
    let mut chosen = vec![Vec::new(); level + 1];
    let mut near = Vec::new();
    for layer in (0..=level).rev() {
        let mut candidates: Vec<(u32, u32)> = Vec::new();
        if layer <= top {
            walker.spread(graph, codes, own, layer, params.ef_construction);
            let stops = walker.stops.iter();
            candidates.extend(stops.map(|s| (distance_of(*s), node_of(*s))));
        }
        let earlier = batch as u32..node;
        let earlier: Vec<u32> = earlier.filter(|b| graph.level(*b) >= layer).collect();
        codes.distances(own, &earlier, &mut near);
        candidates.extend(near.iter().copied().zip(earlier));
        candidates.sort_unstable();
        candidates.truncate(params.ef_construction);
        chosen[layer] = spread_out(codes, &candidates, params.m);
    }
    chosen
}

/// Of candidates, nearest first, those that are nearer to the node than to one that was taken before (Malkov & Yashunin 2018, algorithm 4):
/// links that lead in different directions.
fn spread_out(codes: &Codes, candidates: &[(u32, u32)], most: usize) -> Vec<u32> {
    let mut taken: Vec<u32> = Vec::with_capacity(most);
    for (distance, node) in candidates {
        if taken.len() == most {
            break;
        }
        if !codes.any_nearer(*node, &taken, *distance) {
            taken.push(*node);
        }
    }
    taken
}

/// Adds the links that lead back to new nodes. Where there is no room, those that lead in different directions stay.
fn link_back(graph: &mut Graph, codes: &Codes, mut links: Vec<Link>) {
    links.sort_unstable();
    let ends: Vec<&[Link]> = links.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
    let lists: Vec<Vec<u32>> = ends
        .par_iter()
        .map(|group| {
            let (layer, end, _) = group[0];
            let layer = usize::from(layer);
            let mut list = graph.links(end, layer).to_vec();
            list.extend(group.iter().map(|link| link.2));
            if list.len() <= graph.room(layer) {
                return list;
            }
            let mut distances = Vec::new();
            codes.distances(codes.row(end), &list, &mut distances);
            let mut candidates: Vec<(u32, u32)> = distances.into_iter().zip(list).collect();
            candidates.sort_unstable();
            spread_out(codes, &candidates, graph.room(layer))
        })
        .collect();
    for (group, list) in ends.iter().zip(lists) {
        graph.link(group[0].1, usize::from(group[0].0), &list);
    }
}

/// Links every node that no link leads to from its nearest neighbour that can be reached.
fn connect(graph: &mut Graph, codes: &Codes) {
    let mut reached = graph.reached();
    let mut incoming = vec![0u32; graph.nodes()];
    for node in 0..graph.nodes() as u32 {
        graph
            .links(node, 0)
            .iter()
            .for_each(|end| incoming[*end as usize] += 1);
    }
    for node in 0..graph.nodes() as u32 {
        if reached[node as usize] {
            continue;
        }
        // Its own links were nearest first when it was new.
        let near = graph.links(node, 0).iter().copied();
        let Some(from) = near
            .filter(|end| reached[*end as usize])
            .min_by_key(|end| (codes.distance(node, *end), *end))
        else {
            continue;
        };
        let mut list = graph.links(from, 0).to_vec();
        if list.len() == graph.room(0) {
            // Of those that others lead to as well, the farthest makes room.
            let spare = (0..list.len()).filter(|i| incoming[list[*i] as usize] > 1);
            let Some(place) = spare.max_by_key(|i| codes.distance(from, list[*i])) else {
                continue;
            };
            incoming[list[place] as usize] -= 1;
            list.remove(place);
        }
        list.push(node);
        incoming[node as usize] += 1;
        graph.link(from, 0, &list);
        graph.reach(node, &mut reached);
    }
}
