//! The penalty λ, chosen by cross-validation within the training rows.

use super::data::{ClassTask, NumberTask};
use super::gram::Gram;
use super::logistic::{Logistic, LogisticParams, Problem, Solution, classes, decide};
use super::ridge;
use super::standardize::Standardizer;
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
    pub(super) not_converged: usize,
}

impl Choice {
    /// A penalty that was not searched for.
    pub(super) fn given(lambda: f64) -> Self {
        Self {
            lambda,
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

    /// The λ with the most held-out rows right, over all folds together; the largest of equals, for the simplest probe.
    pub(super) fn logistic(
        &self,
        x: &Matrix,
        task: &ClassTask,
        groups: Option<&[usize]>,
        params: LogisticParams,
    ) -> Result<Choice> {
        let folds = folds(&task.train, groups, self.folds, self.seed)
            .map_err(|e| e.named(&task.column, |class| task.names[class].clone()))?;
        let of_fold: Vec<(Vec<f64>, usize)> = folds
            .par_iter()
            .map(|held_out| self.right_in_fold(x, task, held_out, params))
            .collect::<Result<_>>()?;
        let right = total(self.grid.len(), of_fold.iter().map(|(right, _)| right));
        Ok(Choice {
            lambda: self.best(&right),
            not_converged: of_fold.iter().map(|(_, failed)| failed).sum(),
        })
    }

    /// For each λ, the held-out rows of one fold that come out right; and the fits that did not converge.
    fn right_in_fold(
        &self,
        x: &Matrix,
        task: &ClassTask,
        held_out: &[usize],
        params: LogisticParams,
    ) -> Result<(Vec<f64>, usize)> {
        let kept = complement(x.rows(), held_out);
        let labels: Vec<usize> = kept.iter().map(|row| task.train[*row]).collect();
        let (z, held) = standardized(x, &kept, held_out)?;
        let problem = Problem::new(&z, task.names.len());
        let (mut right, mut failed) = (Vec::new(), 0);
        let mut warm: Option<Solution> = None;
        for &lambda in &self.grid {
            let fit: Logistic = LogisticParams { lambda, ..params }.check()?;
            warm = problem.solve(&fit, &[&labels], &[warm.as_ref()])?.pop();
            let Some(solution) = &warm else { continue };
            failed += usize::from(!solution.end.is_converged());
            let scores = decide(&held, &solution.weights(), solution.intercepts())?;
            let hits = classes(&scores)
                .into_iter()
                .zip(held_out)
                .filter(|(class, row)| *class == task.train[**row]);
            right.push(hits.count() as f64);
        }
        Ok((right, failed))
    }

    /// The λ with the highest R² of the held-out rows, over all folds together and averaged over targets.
    pub(super) fn ridge(
        &self,
        x: &Matrix,
        task: &NumberTask,
        groups: Option<&[usize]>,
    ) -> Result<Choice> {
        let y = &task.train;
        let means = y.column_means();
        let spread: Vec<f64> = (0..y.cols())
            .map(|k| (0..y.rows()).map(|i| (y.at(i, k) - means[k]).powi(2)).sum())
            .collect();
        let folds = folds(&vec![0; x.rows()], groups, self.folds, self.seed)
            .map_err(|e| e.named(&task.names.join(", "), |_| "all training rows".to_owned()))?;
        let of_fold: Vec<Vec<f64>> = folds
            .par_iter()
            .map(|held_out| self.explained_in_fold(x, y, held_out, &spread))
            .collect::<Result<_>>()?;
        Ok(Choice {
            lambda: self.best(&total(self.grid.len(), of_fold.iter())),
            not_converged: 0,
        })
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
        let (gram, own) = (Gram::of(&z), y.select(&kept));
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

    /// The λ with the best score. The grid falls, so the first of equals is the largest.
    fn best(&self, scores: &[f64]) -> f64 {
        let best = (1..scores.len()).fold(
            0,
            |best, at| {
                if scores[at] > scores[best] { at } else { best }
            },
        );
        self.grid[best]
    }
}

/// The rows that are not held out.
pub(super) fn complement(rows: usize, held_out: &[usize]) -> Vec<usize> {
    let mut kept = vec![true; rows];
    held_out.iter().for_each(|row| kept[*row] = false);
    (0..rows).filter(|row| kept[*row]).collect()
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
