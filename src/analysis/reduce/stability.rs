//! How much of a map is the seed's: the same map from several seeds, compared.

use super::Place;
use super::procrustes::disparity;
use super::quality::{drawn, mean};
use super::ranks::Plane;
use crate::analysis::inference::Estimate;
use crate::error::Result;
use serde::Serialize;

/// Up to this many rows, neighbours are compared of all.
const MOST_COMPARED: usize = 5_000;

/// The agreement of maps that differ in their seed alone: means over all pairs of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stability {
    /// How many seeds.
    pub seeds: usize,
    /// The share of a row's `k` nearest on one map that are its `k` nearest on another.
    pub overlap: Estimate,
    /// The same for random maps.
    pub overlap_by_chance: f64,
    /// The Procrustes disparity: 0 for the same map, 1 for maps that have nothing in common.
    pub disparity: f64,
    /// How many rows neighbours were compared of.
    pub rows: usize,
}

/// Compares maps of the same rows. `None` for fewer than two.
///
/// # Errors
/// As [`disparity`].
pub fn stability(maps: &[&[Place]], k: usize, seed: u64) -> Result<Option<Stability>> {
    let n = maps.first().map_or(0, |map| map.len());
    let rows = drawn(n, MOST_COMPARED, seed);
    let near: Vec<Vec<Vec<u32>>> = maps
        .iter()
        .map(|map| {
            let near = Plane::new(map).near(&rows, k, &[]);
            near.into_iter().map(|n| n.nearest).collect()
        })
        .collect();
    let pairs: Vec<(usize, usize)> = (0..maps.len())
        .flat_map(|a| (0..a).map(move |b| (a, b)))
        .collect();
    if pairs.is_empty() {
        return Ok(None);
    }
    let count = pairs.len() as f64;
    let of_row = |row: usize| {
        let shared = |(a, b): &(usize, usize)| {
            let other = &near[*b][row];
            near[*a][row].iter().filter(|r| other.contains(r)).count()
        };
        pairs.iter().map(shared).sum::<usize>() as f64 / (count * k as f64)
    };
    let apart = pairs.iter().map(|(a, b)| disparity(maps[*a], maps[*b]));
    let apart = apart.sum::<Result<f64>>()? / count;
    Ok(Some(Stability {
        seeds: maps.len(),
        overlap: mean((0..rows.len()).map(of_row), n),
        overlap_by_chance: k as f64 / (n - 1) as f64,
        disparity: apart,
        rows: rows.len(),
    }))
}
