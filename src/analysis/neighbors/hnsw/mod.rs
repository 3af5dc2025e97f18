//! An index for many searches: hierarchical navigable small worlds (Malkov & Yashunin 2018), with a certificate.
//!
//! Walks go by codes of 16 bits, answers are ranked by the exact scores of the rows. The same rows, parameters and seed give the same
//! index, on any number of threads and any processor.

mod build;
mod bytes;
mod certificate;
mod codes;
mod graph;
mod kernel;
mod walk;

pub use certificate::{Certificate, Demand};

use super::correction::Correction;
use super::ranking::{Neighbor, Ranking};
use super::space::{Metric, Query, Space};
use crate::error::{Error, Result};
use codes::Codes;
use graph::Graph;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use walk::{MOST_NODES, Walker, node_of};

/// How an index is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// Links of a node on the layers above the lowest, where it has twice as many.
    pub m: usize,
    /// Candidates among which a new node chooses its links.
    pub ef_construction: usize,
    /// The seed of the layers.
    pub seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            m: 16,
            ef_construction: 200,
            seed: 0,
        }
    }
}

/// The index of a space's different rows.
#[derive(Debug)]
pub struct Hnsw {
    params: Params,
    codes: Codes,
    graph: Graph,
}

/// Candidates whose exact scores are computed beyond those that are asked for: codes may order near ones wrongly.
const SPARE: usize = 16;

impl Hnsw {
    /// Builds the index.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for dot products and CSLS, which are no distances, and for parameters out of range.
    pub fn build(space: &Space, params: Params) -> Result<Self> {
        refuse(space, params)?;
        let codes = Codes::of(space);
        Ok(Self {
            params,
            graph: build::build(&codes, params),
            codes,
        })
    }

    /// How it was built.
    pub fn params(&self) -> Params {
        self.params
    }

    /// About the `k` nearest rows of each query, nearest first, equal scores by row number, from walks that keep the `ef` nearest.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for `k` = 0 and for queries of another width.
    pub fn nearest(
        &self,
        space: &Space,
        queries: &[Query],
        k: usize,
        ef: usize,
    ) -> Result<Vec<Vec<Neighbor>>> {
        super::exact::check(space, queries, k)?;
        let k = k.min(space.rows());
        let ranking = Ranking::of(space);
        let found = queries.par_iter().map_init(
            || Walker::new(self.graph.nodes()),
            |walker, query| self.one(&ranking, walker, query, k, ef),
        );
        Ok(found.collect())
    }

    fn one(
        &self,
        ranking: &Ranking<'_>,
        walker: &mut Walker,
        query: &Query,
        k: usize,
        ef: usize,
    ) -> Vec<Neighbor> {
        let code = self.codes.code(&query.vector);
        walker.descend(&self.graph, &self.codes, &code, 0);
        walker.spread(&self.graph, &self.codes, &code, 0, ef.max(k));
        let near = walker.stops.iter().take(k.saturating_add(SPARE));
        let mut found = ranking.scored(query, near.map(|s| node_of(*s)));
        found.truncate(k);
        found
    }
}

fn refuse(space: &Space, params: Params) -> Result<()> {
    let bad = |name, value: String, problem: &str| {
        Err(Error::BadParameter {
            name,
            value,
            problem: problem.to_owned(),
        })
    };
    if space.metric() == Metric::Dot {
        return bad(
            "metric",
            "dot".to_owned(),
            "an index needs a distance, which dot products are not; give cosine or euclid, or search exactly",
        );
    }
    if space.correction() == Correction::Csls {
        return bad(
            "correction",
            "csls".to_owned(),
            "an index needs a distance, which CSLS is not; give another correction, or search exactly",
        );
    }
    if space.rows() >= MOST_NODES {
        return bad(
            "rows",
            space.rows().to_string(),
            "an index holds less than 2,147,483,648; search a part of them",
        );
    }
    if !(2..=512).contains(&params.m) {
        return bad("m", params.m.to_string(), "links of a node are 2 to 512");
    }
    if !(1..=100_000).contains(&params.ef_construction) {
        return bad(
            "ef_construction",
            params.ef_construction.to_string(),
            "candidates are 1 to 100,000",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests;
