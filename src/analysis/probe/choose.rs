//! The penalty λ, chosen by cross-validation within the training rows.

use super::data::{ClassTask, NumberTask};
use super::frame::complement;
use super::gram::Gram;
use super::logistic::{LogisticParams, Problem};
use super::ridge;
use super::scores::decide;
use super::standardize::Standardizer;
use super::table::Table;
use crate::analysis::matrix::Matrix;
use crate::error::Result;
use crate::text::split::folds;
use rayon::prelude::*;

/// How λ is searched: the grid from the largest down, the number of folds, the seed of the folds.
#[derive(Debug, Clone)]
pub(super) struct Search {
    grid: Vec<f64>,
    folds: usize,
    seed: u64,
}

/// The chosen λ, and fits on the way that did not converge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Choice {
    pub(super) lambda: f64,
    /// The main metric on held-out rows, over all folds together, with this λ.
    pub(super) inner: Option<f64>,
    pub(super) not_converged: usize,
}

impl Choice {
    /// Of a λ that was not chosen.
    pub(super) fn given(lambda: f64) -> Self {
        Self {
            lambda,
            inner: None,
            not_converged: 0,
        }
    }
}

impl Search {
    pub(super) fn new(grid: &[f64], folds: usize, seed: u64) -> Self {
        let mut grid = grid.to_vec();
        grid.sort_by(|a, b| b.total_cmp(a));
        grid.dedup();
        Self { grid, folds, seed }
    }

    /// Whether there is anything to choose.
    pub(super) fn is_open(&self) -> bool {
        self.grid.len() > 1
    }

    /// The largest λ.
    pub(super) fn largest(&self) -> f64 {
        self.grid.first().copied().unwrap_or(f64::NAN)
    }

    /// For each label vector, the λ with the most held-out rows right, over all folds together; the largest of equals, for the simplest
    /// probe.
    pub(super) fn logistic(
        &self,
        problem: &Problem<'_>,
        labels: &[&[usize]],
        folds: &[Vec<usize>],
        params: LogisticParams,
    ) -> Result<Vec<Choice>> {
        let rows: usize = folds.iter().map(Vec::len).sum();
        let found = problem.search(labels, folds, &self.grid, params)?;
        let choice = found.into_iter().map(|found| {
            let best = self.best(&found.right);
            Choice {
                lambda: self.grid[best],
                inner: Some(found.right[best] / rows as f64),
                not_converged: found.not_converged,
            }
        });
        Ok(choice.collect())
    }

    /// The folds of the training rows.
    pub(super) fn folds(
        &self,
        task: &ClassTask,
        groups: Option<&[usize]>,
    ) -> Result<Vec<Vec<usize>>> {
        folds(&task.train, groups, self.folds, self.seed)
            .map_err(|e| e.named(&task.column, |class| task.names[class].clone()))
    }

    /// The λ with the highest R² of the held-out rows, over all folds together and averaged over targets.
    pub(super) fn ridge(
        &self,
        x: &Matrix,
        task: &NumberTask,
        groups: Option<&[usize]>,
    ) -> Result<Choice> {
        let y = &task.train;
        let (folds, spread) = self.folds_and_spread(task, groups)?;
        let of_fold: Vec<Vec<f64>> = folds
            .par_iter()
            .map(|held_out| self.explained_in_fold(x, y, held_out, &spread))
            .collect::<Result<_>>()?;
        let explained = total(self.grid.len(), of_fold.iter());
        Ok(self.choice(&explained, y.cols()))
    }

    /// The folds of the training rows, and the squared deviations of each target.
    pub(super) fn folds_and_spread(
        &self,
        task: &NumberTask,
        groups: Option<&[usize]>,
    ) -> Result<(Vec<Vec<usize>>, Vec<f64>)> {
        let y = &task.train;
        let means = y.column_means();
        let spread = (0..y.cols())
            .map(|k| (0..y.rows()).map(|i| (y.at(i, k) - means[k]).powi(2)).sum())
            .collect();
        let folds = folds(&vec![0; y.rows()], groups, self.folds, self.seed)
            .map_err(|e| e.named(&task.names.join(", "), |_| "all training rows".to_owned()))?;
        Ok((folds, spread))
    }

    /// The λ, from minus the squared error of each, in units of the spread and summed over targets.
    pub(super) fn choice(&self, explained: &[f64], targets: usize) -> Choice {
        let best = self.best(explained);
        Choice {
            lambda: self.grid[best],
            inner: Some(1.0 + explained[best] / targets as f64),
            not_converged: 0,
        }
    }

    /// The penalties, from the largest down.
    pub(super) fn grid(&self) -> &[f64] {
        &self.grid
    }

    /// For each λ, minus the squared error on the held-out rows, each target in units of its spread.
    fn explained_in_fold(
        &self,
        x: &Matrix,
        y: &Matrix,
        held_out: &[usize],
        spread: &[f64],
    ) -> Result<Vec<f64>> {
        let kept = complement(x.rows(), held_out);
        let (z, held) = standardized(x, &kept, held_out)?;
        let z = Table::from(z);
        let (gram, own) = (Gram::of(&z)?, y.select(&kept));
        let score = |lambda: &f64| {
            let factor = gram.factor(z.rows() as f64 * lambda)?;
            let (weights, intercepts) = ridge::solve(&factor, &own)?;
            let predicted = decide(&held, &weights, &intercepts)?;
            let missed = |i: usize, k: usize| (y.at(held_out[i], k) - predicted.at(i, k)).powi(2);
            Ok((0..y.cols())
                .map(|k| -(0..held_out.len()).map(|i| missed(i, k)).sum::<f64>() / spread[k])
                .sum())
        };
        self.grid.iter().map(score).collect()
    }

    /// The place of the λ with the best score. The grid falls, so the first of equals is the largest.
    fn best(&self, scores: &[f64]) -> usize {
        let places = 1..scores.len();
        places.fold(
            0,
            |best, at| if scores[at] > scores[best] { at } else { best },
        )
    }
}

/// Kept and held-out rows, both standardised with the statistics of the kept ones.
fn standardized(x: &Matrix, kept: &[usize], held_out: &[usize]) -> Result<(Matrix, Matrix)> {
    let kept = x.select(kept);
    let standardizer = Standardizer::fit(&kept);
    Ok((
        standardizer.apply_to(kept)?,
        standardizer.apply_to(x.select(held_out))?,
    ))
}

fn total<'a>(len: usize, parts: impl Iterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    parts.fold(vec![0.0; len], |mut sum, part| {
        sum.iter_mut().zip(part).for_each(|(s, p)| *s += p);
        sum
    })
}
