//! The order of rows by their scores in `f64`, and whether candidates that `f32` found are all that could be in it.

use super::correction::Correction;
use super::fetch::{AHEAD, Fetch};
use super::space::{Metric, Query, Space};
use pulp::{Arch, Simd, WithSimd};
use std::borrow::Cow;

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbor {
    /// The different row of the [`Space`].
    pub row: u32,
    /// Its score: a cosine, a dot product, a CSLS score, or (less is nearer) a distance.
    pub score: f64,
}

/// What rows of a space are ranked by.
pub(super) struct Ranking<'a> {
    pub(super) space: &'a Space,
    /// A row's key for a query is `query · row * scale + bias`; the largest is the nearest.
    pub(super) bias: Cow<'a, [f32]>,
    /// Whether cosines are scaled locally (CSLS).
    local: bool,
    /// The longest row, in what keys measure.
    longest: f64,
}

impl<'a> Ranking<'a> {
    /// By the scores of a space.
    pub(super) fn of(space: &'a Space) -> Self {
        Self {
            bias: Cow::Borrowed(&space.bias),
            local: space.correction() == Correction::Csls,
            longest: longest(space),
            space,
        }
    }

    /// By the metric alone, even where the space is one of CSLS scores.
    pub(super) fn by_metric(space: &'a Space) -> Self {
        let own = Self::of(space);
        match own.local {
            true => Self {
                bias: Cow::Owned(vec![0.0; space.rows()]),
                local: false,
                ..own
            },
            false => own,
        }
    }

    #[inline(always)]
    fn score(&self, query: &Query, row: usize) -> f64 {
        let score = self.space.similarity(query, row);
        match self.local {
            true => 2.0 * score - query.local + 2.0 * f64::from(self.bias[row]),
            false => score,
        }
    }

    /// What the key of a neighbour would be without rounding.
    fn key_of(&self, query: &Query, found: &Neighbor) -> f64 {
        match self.space.metric() {
            Metric::Cosine if self.local => (found.score + query.local) / 2.0,
            Metric::Cosine | Metric::Dot => found.score,
            Metric::Euclid => (query.length * query.length - found.score * found.score) / 2.0,
        }
    }

    /// Rows with their scores, nearest first, equal ones by row number.
    pub(super) fn scored(
        &self,
        query: &Query,
        rows: impl Iterator<Item = u32> + Clone,
    ) -> Vec<Neighbor> {
        let mut found = Vec::with_capacity(rows.size_hint().0);
        Arch::new().dispatch(Scored {
            ranking: self,
            query,
            rows,
            out: &mut found,
        });
        let distance = self.space.metric() == Metric::Euclid;
        found.sort_by(|a, b| {
            let by_score = match distance {
                true => a.score.total_cmp(&b.score),
                false => b.score.total_cmp(&a.score),
            };
            by_score.then(a.row.cmp(&b.row))
        });
        found
    }

    /// Of the candidates, given with their keys, the `k` with the best scores; of all rows, where rounding could have hidden one.
    pub(super) fn chosen(
        &self,
        query: &Query,
        k: usize,
        without: Option<usize>,
        candidates: &[(f32, u32)],
    ) -> Vec<Neighbor> {
        let n = self.space.rows();
        let others = n - usize::from(without.is_some_and(|row| row < n));
        let asked = k.min(others);
        let mut found = self.scored(query, candidates.iter().map(|c| c.1));
        found.truncate(asked);
        let left_out = candidates.iter().map(|c| c.0).fold(f32::INFINITY, f32::min);
        let off = self.rounding(query);
        let worst = found.last().map(|worst| self.key_of(query, worst));
        let sure = worst.is_none_or(|worst| worst - off > f64::from(left_out) + off);
        if found.len() == asked && (sure || candidates.len() >= others) {
            return found;
        }
        let all = (0..n).filter(|row| Some(*row) != without);
        let mut found = self.scored(query, all.map(|row| row as u32));
        found.truncate(asked);
        found
    }

    /// What a key may be off by: its rounding grows with the root of the number of products in it.
    fn rounding(&self, query: &Query) -> f64 {
        let length = query.length.max(1e-30);
        let root = (query.vector.len() as f64).sqrt();
        f64::from(f32::EPSILON) * root * self.longest * (length + self.longest / 2.0)
    }
}

/// Rows that are scored with the vector instructions that the processor has.
struct Scored<'a, I> {
    ranking: &'a Ranking<'a>,
    query: &'a Query,
    rows: I,
    out: &'a mut Vec<Neighbor>,
}

impl<I: Iterator<Item = u32> + Clone> WithSimd for Scored<'_, I> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (fetch, rows) = (Fetch::detected(), &self.ranking.space.rows);
        let mut soon = self.rows.clone();
        let coming = soon.by_ref().take(AHEAD);
        coming.for_each(|row| fetch.ahead(rows.row(row as usize)));
        for row in self.rows {
            if let Some(next) = soon.next() {
                fetch.ahead(rows.row(next as usize));
            }
            let score = self.ranking.score(self.query, row as usize);
            self.out.push(Neighbor { row, score });
        }
    }
}

fn longest(space: &Space) -> f64 {
    match space.metric() {
        Metric::Cosine => 1.0,
        Metric::Dot | Metric::Euclid => space.norms.iter().copied().fold(0.0, f64::max),
    }
}
