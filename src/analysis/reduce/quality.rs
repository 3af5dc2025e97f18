//! How far a map can be trusted: what is near on it against what is near in the space.

use super::Place;
use super::graph::Graph;
use super::ranks::{Near, Plane, ranks};
use crate::analysis::inference::Estimate;
use crate::analysis::neighbors::{Metric, Rows, Space};
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::borrow::Cow;

/// Up to this many rows, ranks in the space are counted for all.
const MOST_RANKED: usize = 10_000;
/// Up to this many rows, ranks on the map are counted for all.
const MOST_ON_MAP: usize = 50_000;
/// Of more rows, this many are drawn.
const DRAWN: usize = 4_000;
/// A neighbourhood is torn when more than half of it lies outside this share of the map, counted from the row.
const TORN_SHARE: f64 = 0.1;

/// The agreement of a map with its space: means over rows, of which 1 is the best.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// The size of a neighbourhood.
    pub k: usize,
    /// Different rows on the map.
    pub rows: usize,
    /// Trustworthiness (Venna & Kaski 2001, as scikit-learn computes it): how few of the neighbours on the map are far in the space.
    pub trustworthiness: Estimate,
    /// How many rows that is a mean over: all, or so many drawn with the seed, and then there is an interval.
    pub trustworthiness_rows: usize,
    /// Continuity (ibid.): how few of the neighbours in the space are far on the map.
    pub continuity: Estimate,
    /// The share of the neighbours in the space that are neighbours on the map.
    pub preservation: Estimate,
    /// What the preservation by a random map would be.
    pub preservation_by_chance: f64,
    /// How many rows continuity and preservation are means over.
    pub continuity_rows: usize,
    /// Rows whose neighbourhood is torn: more than half of it lies outside the tenth of the map that is nearest.
    pub torn: usize,
    /// Which rows those are (of those that were counted).
    #[serde(skip)]
    pub torn_rows: Vec<bool>,
}

/// Compares a map of the different rows of a space with the space.
///
/// # Errors
/// [`Error::BadParameter`] for a map of another number of rows than the graph, and for a `k` that is 0, larger than the graph's, or not less
/// than half of the rows.
pub fn quality(
    space: &Space,
    graph: &Graph,
    map: &[Place],
    k: usize,
    seed: u64,
) -> Result<Quality> {
    check(graph, map, k)?;
    let n = map.len();
    let (ranked, on_map) = (drawn(n, MOST_RANKED, seed), drawn(n, MOST_ON_MAP, seed));
    let in_space = |row: &u32| graph.neighbors(*row as usize)[..k].to_vec();
    let targets: Vec<Vec<u32>> = on_map.iter().map(in_space).collect();
    let near = Plane::new(map).near(&on_map, k, &targets);
    // Rows whose ranks are counted in the space are counted on the map too.
    let of_ranked: Vec<Vec<u32>> = ranked
        .iter()
        .filter_map(|row| Some(near[on_map.binary_search(row).ok()?].nearest.clone()))
        .collect();
    let trust = ranks(&flat(space), &ranked, &of_ranked);
    let kept = |(near, targets): (&Near, &Vec<u32>)| {
        let kept = targets.iter().filter(|t| near.nearest.contains(t));
        kept.count() as f64 / k as f64
    };
    let mut torn_rows = vec![false; n];
    for (row, near) in on_map.iter().zip(&near) {
        torn_rows[*row as usize] = torn(&near.ranks, n);
    }
    Ok(Quality {
        k,
        rows: n,
        trustworthiness: mean(trust.iter().map(|r| 1.0 - penalty(r, n, k)), n),
        trustworthiness_rows: ranked.len(),
        continuity: mean(near.iter().map(|near| 1.0 - penalty(&near.ranks, n, k)), n),
        preservation: mean(near.iter().zip(&targets).map(kept), n),
        preservation_by_chance: k as f64 / (n - 1) as f64,
        continuity_rows: on_map.len(),
        torn: torn_rows.iter().filter(|t| **t).count(),
        torn_rows,
    })
}

fn check(graph: &Graph, map: &[Place], k: usize) -> Result<()> {
    let n = graph.len();
    let bad = |name, value: usize, problem: String| {
        Err(Error::BadParameter {
            name,
            value: value.to_string(),
            problem,
        })
    };
    match () {
        () if map.len() != n => bad("map", map.len(), format!("the graph has {n} rows")),
        () if k == 0 || k > graph.k() => bad("k", k, format!("give 1 to {}", graph.k())),
        () if 2 * k >= n => bad("k", k, format!("it must be less than half of the {n} rows")),
        () => Ok(()),
    }
}

/// All rows, or some drawn where there are more than `most`; in ascending order.
pub(super) fn drawn(n: usize, most: usize, seed: u64) -> Vec<u32> {
    let mut rows = match n <= most {
        true => (0..n).collect(),
        false => index::sample(&mut ChaCha8Rng::seed_from_u64(seed), n, DRAWN.min(n)).into_vec(),
    };
    rows.sort_unstable();
    rows.into_iter().map(|row| row as u32).collect()
}

/// Rows whose lengths of differences rank as the metric does.
fn flat(space: &Space) -> Cow<'_, Rows> {
    let rows = space.vectors();
    if space.metric() != Metric::Cosine {
        return Cow::Borrowed(rows);
    }
    let unit = |row: usize| {
        let row = rows.row(row);
        let norm = row
            .iter()
            .map(|v| f64::from(*v).powi(2))
            .sum::<f64>()
            .sqrt();
        row.iter().map(move |v| (f64::from(*v) / norm) as f32)
    };
    let data = (0..rows.rows()).flat_map(unit).collect();
    Rows::new(rows.cols(), data).map_or(Cow::Borrowed(rows), Cow::Owned)
}

/// A row's part of what is taken off 1: how far its neighbours' ranks go beyond `k`, in parts of the worst.
fn penalty(ranks: &[u32], n: usize, k: usize) -> f64 {
    let beyond = ranks.iter().map(|r| (*r as usize).saturating_sub(k));
    let worst = k as f64 * (2 * n - 3 * k - 1) as f64 / 2.0;
    beyond.sum::<usize>() as f64 / worst
}

fn torn(ranks: &[u32], n: usize) -> bool {
    // In a small map a tenth would be less than the neighbourhood itself.
    let near = ((n as f64 * TORN_SHARE) as usize).max(2 * ranks.len());
    let outside = ranks.iter().filter(|r| **r as usize > near).count();
    2 * outside > ranks.len()
}

/// A mean over rows, with its 95 % interval (normal) where the rows are some of `n`.
pub(super) fn mean(values: impl Iterator<Item = f64>, n: usize) -> Estimate {
    let values: Vec<f64> = values.collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let square = |v: &f64| (v - mean).powi(2);
    let variance = values.iter().map(square).sum::<f64>() / (count - 1.0);
    let left_out = 1.0 - count / n as f64;
    let half = 1.96 * (variance / count * left_out).sqrt();
    Estimate::new(
        mean,
        (values.len() < n).then_some((mean - half, mean + half)),
    )
}

/// How often neighbours are of the same category, in the space and on the map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The share of the `k` nearest rows in the space that are of a row's own category.
    pub in_space: Estimate,
    /// The same on the map.
    pub on_map: Estimate,
    /// The same in a random order of the rows.
    pub by_chance: f64,
}

/// Compares the categories of neighbours. Rows without one are left out, as rows and as neighbours. `None` where no row has a category.
pub fn agreement(
    graph: &Graph,
    map: &[Place],
    category: &[Option<usize>],
    k: usize,
    seed: u64,
) -> Option<Agreement> {
    let n = map.len();
    let k = k.min(graph.k());
    let rows = drawn(n, MOST_ON_MAP, seed);
    let same = |row: u32, near: &[u32]| -> Option<f64> {
        let own = category[row as usize]?;
        let known: Vec<usize> = near.iter().filter_map(|r| category[*r as usize]).collect();
        let same = known.iter().filter(|c| **c == own).count();
        (!known.is_empty()).then(|| same as f64 / known.len() as f64)
    };
    let in_space = |row: &u32| same(*row, &graph.neighbors(*row as usize)[..k]);
    let near = Plane::new(map).near(&rows, k, &[]);
    let shares = |values: Vec<f64>| -> Option<Estimate> {
        let (count, total) = (values.len(), values.iter().sum::<f64>());
        let mean = total / count as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1) as f64;
        let half = 1.96 * (variance / count as f64).sqrt();
        (count > 1).then(|| Estimate::new(mean, Some((mean - half, mean + half))))
    };
    let mut counts = vec![0usize; category.iter().flatten().max()? + 1];
    category.iter().flatten().for_each(|c| counts[*c] += 1);
    let known: usize = counts.iter().sum();
    let pairs: usize = counts.iter().map(|c| c * c.saturating_sub(1)).sum();
    let on_map = rows.iter().zip(&near);
    Some(Agreement {
        in_space: shares(rows.iter().filter_map(in_space).collect())?,
        on_map: shares(
            on_map
                .filter_map(|(r, near)| same(*r, &near.nearest))
                .collect(),
        )?,
        by_chance: pairs as f64 / (known * known.saturating_sub(1)).max(1) as f64,
    })
}
