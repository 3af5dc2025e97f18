//! A map of rows, with how far it can be trusted.

use super::Place;
use super::graph::Graph;
use super::pacmap::{PacmapParams, pacmap};
use super::pca::Pca;
use super::quality::{Quality, quality};
use super::stability::{Stability, stability};
use super::umap::{Umap, UmapParams};
use crate::analysis::neighbors::{Correction, Metric, Rows, Space};
use crate::error::{Error, Result};
use rayon::prelude::*;
use serde::Serialize;

/// How a map is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The first two principal components.
    Pca,
    /// UMAP, beginning from them.
    Umap,
    /// PaCMAP, beginning from them.
    Pacmap,
}

/// How rows are drawn, and how the map is checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MapParams {
    /// How the map is drawn.
    pub method: Method,
    /// What near means in the space: Euclid or cosine.
    pub metric: Metric,
    /// The size of the neighbourhoods that are checked.
    pub k: usize,
    /// The seed of everything random.
    pub seed: u64,
    /// From how many seeds UMAP is drawn, to see what is the seed's; the map is the first one's.
    pub seeds: usize,
    /// For [`Method::Umap`].
    pub umap: UmapParams,
    /// For [`Method::Pacmap`].
    pub pacmap: PacmapParams,
}

impl MapParams {
    /// The usual ones of a method.
    pub fn new(method: Method) -> Self {
        Self {
            method,
            metric: Metric::Euclid,
            k: 15,
            seed: 0,
            seeds: if method == Method::Umap { 5 } else { 1 },
            umap: UmapParams::default(),
            pacmap: PacmapParams::default(),
        }
    }
}

/// What the first two principal components hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shares {
    /// Each one's share of the variance of all features together.
    pub share: Vec<f64>,
    /// The variance of all features together.
    pub total_variance: f64,
}

/// A map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Map {
    /// The place of each given row.
    #[serde(skip)]
    pub places: Vec<Place>,
    /// Given rows whose neighbourhood is torn, see [`Quality::torn`].
    #[serde(skip)]
    pub torn: Vec<bool>,
    /// Rows that are copies of an earlier one: they lie in its place, and do not count as its neighbours.
    pub duplicates: usize,
    /// What is near on the map against what is near in the space.
    pub quality: Quality,
    /// What the axes hold, for [`Method::Pca`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variance: Option<Shares>,
    /// What another seed would change, for [`Method::Umap`] from more than one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
    /// The graph of the different rows, and which of them each given row is.
    #[serde(skip)]
    pub(super) ground: Ground,
}

/// What a map was drawn from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ground {
    pub(super) graph: Graph,
    pub(super) places: Vec<Place>,
    pub(super) members: Vec<usize>,
}

/// Draws a map. Equal rows are one row; where there are few rows, neighbourhoods are made smaller than asked for (the result says how large).
///
/// UMAP and PaCMAP begin from the principal components, or, where there is one, from a map of the same rows at another layer: then what did not
/// change between the layers stays where it is.
///
/// # Errors
/// [`Error::BadParameter`] for fewer than 8 different rows, for a beginning of another number of rows, and as the methods say; [`Error::NotFinite`].
pub fn draw(rows: &Rows, params: &MapParams, begin: Option<&[Place]>) -> Result<Map> {
    check(params)?;
    let space = Space::new(rows, params.metric, Correction::None, params.seed)?;
    let n = space.rows();
    if n < 8 {
        return Err(Error::BadParameter {
            name: "rows",
            value: n.to_string(),
            problem: "a map needs at least 8 different rows".to_owned(),
        });
    }
    let k = params.k.min((n - 1) / 2);
    let wanted = match params.method {
        Method::Pca => k,
        Method::Umap => k.max(params.umap.n_neighbors.min(n).saturating_sub(1)),
        Method::Pacmap => k.max(params.pacmap.wanted(n)),
    };
    let graph = Graph::of(&space, wanted)?;
    let firsts: Vec<usize> = (0..n).map(|row| space.members(row)[0] as usize).collect();
    // Components are of the rows as they are given: what occurs twice counts twice.
    let pca = Pca::fit(rows, 2)?;
    let plane = match begin {
        Some(begin) if params.method != Method::Pca => begun(begin, rows.rows(), &firsts)?,
        _ => flat(&pca.project(&rows.select(&firsts))?),
    };
    let (places, stability) = match params.method {
        Method::Pca => (plane, None),
        Method::Umap => from_seeds(&graph, &plane, k, params)?,
        Method::Pacmap => {
            let vectors = space.vectors();
            let map = pacmap(vectors, &graph, &plane, params.pacmap, params.seed)?;
            (map, None)
        }
    };
    let quality = quality(&space, &graph, &places, k, params.seed)?;
    let of_given = |row: usize| space.different_row(row).unwrap_or(0);
    let all = 0..rows.rows();
    Ok(Map {
        places: all.clone().map(|row| places[of_given(row)]).collect(),
        torn: all.map(|row| quality.torn_rows[of_given(row)]).collect(),
        duplicates: space.duplicates(),
        variance: (params.method == Method::Pca).then_some(Shares {
            share: pca.share,
            total_variance: pca.total_variance,
        }),
        quality,
        stability,
        ground: Ground {
            members: firsts,
            graph,
            places,
        },
    })
}

fn check(params: &MapParams) -> Result<()> {
    let bad = |name, value: String, problem: &str| {
        Err(Error::BadParameter {
            name,
            value,
            problem: problem.to_owned(),
        })
    };
    match params {
        p if p.k == 0 => bad("k", "0".to_owned(), "give at least 1"),
        p if p.seeds == 0 => bad("seeds", "0".to_owned(), "give at least 1"),
        p if p.method == Method::Pacmap && p.metric != Metric::Euclid => bad(
            "metric",
            format!("{:?}", p.metric).to_lowercase(),
            "PaCMAP is defined for euclid",
        ),
        _ => Ok(()),
    }
}

/// The first two columns (a second one of zeros where there is none).
fn flat(rows: &Rows) -> Vec<Place> {
    let place = |row: usize| {
        let row = rows.row(row);
        [row[0], row.get(1).copied().unwrap_or(0.0)]
    };
    (0..rows.rows()).map(place).collect()
}

/// The places where a map begins, given those of all rows.
fn begun(begin: &[Place], rows: usize, firsts: &[usize]) -> Result<Vec<Place>> {
    match begin.len() == rows {
        true => Ok(firsts.iter().map(|row| begin[*row]).collect()),
        false => Err(Error::BadParameter {
            name: "begin",
            value: begin.len().to_string(),
            problem: format!("there are {rows} rows"),
        }),
    }
}

/// UMAP from the first seed, and how it agrees with those from the seeds after it.
fn from_seeds(
    graph: &Graph,
    plane: &[Place],
    k: usize,
    params: &MapParams,
) -> Result<(Vec<Place>, Option<Stability>)> {
    let mut umap = params.umap;
    umap.n_neighbors = umap.n_neighbors.min(graph.len());
    let umap = Umap::new(graph, umap)?;
    // Side by side: within a map of a few thousand rows, threads wait for one another half of the time.
    let seeds = (0..params.seeds).into_par_iter();
    let seeds = seeds.map(|i| params.seed.wrapping_add(i as u64));
    let mut maps: Vec<Vec<Place>> = seeds
        .map(|seed| umap.map(plane, seed))
        .collect::<Result<_>>()?;
    let all: Vec<&[Place]> = maps.iter().map(Vec::as_slice).collect();
    let stability = stability(&all, k, params.seed)?;
    Ok((maps.swap_remove(0), stability))
}

impl Map {
    /// How often neighbours are of one category: see [`super::agreement`].
    pub fn agreement(
        &self,
        category: &[Option<usize>],
        k: usize,
        seed: u64,
    ) -> Option<super::Agreement> {
        let ground = &self.ground;
        let of = |row: &usize| category.get(*row).copied().flatten();
        let own: Vec<Option<usize>> = ground.members.iter().map(of).collect();
        super::quality::agreement(&ground.graph, &ground.places, &own, k, seed)
    }
}
