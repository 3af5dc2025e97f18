//! Probes in closed form, of rows that lie on disk: everything comes from sums over parts, which merge.
//!
//! The sums of the rows outside a fold are those of all rows less those of the fold, and standardising over these rows is an affine map of the
//! sums. So folds and penalties cost two passes over the rows: one adds up, one scores what was held out.

use super::choose::{Choice, Search};
use super::data::NumberTask;
use super::direct::Linear;
use super::frame::fold_of_row;
use super::gram::{cholesky, solve_factored};
use super::params::Kind;
use super::scores::{classes, decide};
use super::sums::ClassSums;
use super::table::Table;
use super::{lda, mass_mean};
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use std::sync::Arc;

/// Probes of these label vectors, from one pass over the rows for their products and one for the sums of their classes.
///
/// # Errors
/// [`Error::BadParameter`] for a penalty that is lost in rounding, and those of reading rows.
pub(super) fn fit(
    kind: Kind,
    z: &Table,
    labels: &[&[usize]],
    (outputs, scale): (usize, &[f64]),
    lambda: f64,
) -> Result<Vec<Linear>> {
    let products = Arc::new(z.gram()?);
    let mut sums = vec![ClassSums::empty(&products, outputs); labels.len()];
    z.each_part(|first, part| {
        for (sums, labels) in sums.iter_mut().zip(labels) {
            sums.add_rows(part, &labels[first..first + part.rows()])?;
        }
        Ok(())
    })?;
    sums.iter()
        .map(|sums| of_sums(kind, sums, scale, lambda))
        .collect()
}

/// The probe of a kind.
pub(super) fn of_sums(kind: Kind, sums: &ClassSums, scale: &[f64], lambda: f64) -> Result<Linear> {
    match kind {
        Kind::Lda => lda::fit(sums, lambda),
        Kind::MassMean => mass_mean::fit(sums, scale),
        _ => mass_mean::fit_whitened(sums, lambda),
    }
}

/// For each penalty, the held-out rows that come out right, over all folds together.
///
/// # Errors
/// As [`fit`].
pub(super) fn right_outside(
    (kind, raw): (Kind, &[f64]),
    z: &Table,
    (labels, outputs): (&[usize], usize),
    folds: &[Vec<usize>],
    grid: &[f64],
) -> Result<Vec<f64>> {
    let mut of_fold: Vec<Option<ClassSums>> = vec![None; folds.len()];
    each_fold(z, folds, |fold, part, rows| {
        let labels: Vec<usize> = rows.iter().map(|row| labels[*row]).collect();
        let own = ClassSums::of(part, &labels, outputs)?;
        of_fold[fold] = Some(match of_fold[fold].take() {
            Some(sums) => sums.merged(&own)?,
            None => own,
        });
        Ok(())
    })?;
    let of_fold: Vec<ClassSums> = of_fold.into_iter().flatten().collect();
    let fits: Vec<Vec<Linear>> = (0..folds.len())
        .map(|held_out| {
            let kept = of_fold.iter().enumerate().filter(|(f, _)| *f != held_out);
            let mut kept = kept.map(|(_, sums)| sums.clone());
            let first = kept.next().ok_or_else(too_few_folds)?;
            let kept = kept.try_fold(first, |all, own| all.merged(&own))?;
            let (mean, scale) = kept.mean_and_scale();
            let sums = kept.standardized(&mean, &scale);
            let raw: Vec<f64> = raw.iter().zip(&scale).map(|(a, b)| a * b).collect();
            let fit = |lambda: &f64| {
                let linear = of_sums(kind, &sums, &raw, *lambda)?;
                Ok(linear.of_shared_features(&mean, &scale))
            };
            grid.iter().map(fit).collect()
        })
        .collect::<Result<_>>()?;
    let mut right = vec![0.0; grid.len()];
    each_fold(z, folds, |fold, part, rows| {
        for (linear, right) in fits[fold].iter().zip(&mut right) {
            let said = classes(&decide(part, &linear.weights, &linear.bias)?);
            let hits = said
                .iter()
                .zip(rows)
                .filter(|(s, row)| **s == labels[**row]);
            *right += hits.count() as f64;
        }
        Ok(())
    })?;
    Ok(right)
}

/// Calls `take` with the rows of each part that are in each fold, and their numbers.
fn each_fold(
    z: &Table,
    folds: &[Vec<usize>],
    mut take: impl FnMut(usize, &Matrix, &[usize]) -> Result<()>,
) -> Result<()> {
    let fold_of = fold_of_row(z.rows(), folds);
    z.each_part(|first, part| {
        for fold in 0..folds.len() {
            let here: Vec<usize> = (0..part.rows())
                .filter(|row| fold_of[first + row] == fold)
                .collect();
            if !here.is_empty() {
                let rows: Vec<usize> = here.iter().map(|row| first + row).collect();
                take(fold, &part.select(&here), &rows)?;
            }
        }
        Ok(())
    })
}

fn too_few_folds() -> Error {
    Error::BadParameter {
        name: "folds",
        value: "1".to_owned(),
        problem: "a penalty is chosen by at least two folds".to_owned(),
    }
}

impl Linear {
    /// The same probe of features that have not been standardised with this mean and scale.
    fn of_shared_features(self, mean: &[f64], scale: &[f64]) -> Self {
        let weights = Matrix::from_fn(self.weights.rows(), self.weights.cols(), |j, k| {
            self.weights.at(j, k) / scale[j]
        });
        let shift = |k: usize| -> f64 {
            let each = mean.iter().enumerate();
            each.map(|(j, mean)| weights.at(j, k) * mean).sum()
        };
        let bias = self.bias.iter().enumerate();
        Self {
            bias: bias.map(|(k, b)| b - shift(k)).collect(),
            weights,
        }
    }
}

/// λ of a ridge probe: as [`Search::ridge`], from sums.
///
/// # Errors
/// As [`Search::ridge`], and those of reading rows.
pub(super) fn choose_ridge(
    search: &Search,
    z: &Table,
    task: &NumberTask,
    groups: Option<&[usize]>,
) -> Result<Choice> {
    let (folds, spread) = search.folds_and_spread(task, groups)?;
    let y = &task.train;
    let mut of_fold = vec![RidgeSums::empty(z.cols(), y.cols()); folds.len()];
    each_fold(z, &folds, |fold, part, rows| {
        of_fold[fold].add(part, &y.select(rows))
    })?;
    let fits: Vec<Vec<Linear>> = (0..folds.len())
        .map(|held_out| {
            let mut kept = RidgeSums::empty(z.cols(), y.cols());
            let others = of_fold.iter().enumerate().filter(|(f, _)| *f != held_out);
            others.for_each(|(_, sums)| kept.merge(sums));
            kept.fits(search.grid())
        })
        .collect::<Result<_>>()?;
    let mut explained = vec![0.0; search.grid().len()];
    each_fold(z, &folds, |fold, part, rows| {
        for (linear, explained) in fits[fold].iter().zip(&mut explained) {
            let predicted = decide(part, &linear.weights, &linear.bias)?;
            for (i, row) in rows.iter().enumerate() {
                for (k, spread) in spread.iter().enumerate() {
                    *explained -= (y.at(*row, k) - predicted.at(i, k)).powi(2) / spread;
                }
            }
        }
        Ok(())
    })?;
    Ok(search.choice(&explained, y.cols()))
}

/// What a ridge probe needs of its rows.
#[derive(Debug, Clone)]
struct RidgeSums {
    rows: f64,
    /// `Σ z` and `Σ y`.
    features: Vec<f64>,
    targets: Vec<f64>,
    /// `Σ z zᵀ` and `Σ z yᵀ`.
    products: Matrix,
    cross: Matrix,
}

impl RidgeSums {
    fn empty(features: usize, targets: usize) -> Self {
        Self {
            rows: 0.0,
            features: vec![0.0; features],
            targets: vec![0.0; targets],
            products: Matrix::zeros(features, features),
            cross: Matrix::zeros(features, targets),
        }
    }

    fn add(&mut self, z: &Matrix, y: &Matrix) -> Result<()> {
        let rows = z.rows() as f64;
        let sums = |x: &Matrix| x.column_means().into_iter().map(|m| m * rows).collect();
        self.merge(&Self {
            rows,
            features: sums(z),
            targets: sums(y),
            products: z.gram(),
            cross: z.transposed_times(y)?,
        });
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        add(&mut self.features, &other.features);
        add(&mut self.targets, &other.targets);
        self.products.add(&other.products);
        self.cross.add(&other.cross);
    }

    /// The probe of each penalty, on the features as they were before they were standardised over these rows.
    fn fits(&self, grid: &[f64]) -> Result<Vec<Linear>> {
        let n = self.rows;
        let mean: Vec<f64> = self.features.iter().map(|s| s / n).collect();
        let truth: Vec<f64> = self.targets.iter().map(|s| s / n).collect();
        let scale = super::sums::scale_of(&self.products, &mean, n);
        let d = mean.len();
        let products = Matrix::from_fn(d, d, |i, j| {
            (self.products.at(i, j) - n * mean[i] * mean[j]) / (scale[i] * scale[j])
        });
        let cross = Matrix::from_fn(d, truth.len(), |j, k| {
            (self.cross.at(j, k) - n * mean[j] * truth[k]) / scale[j]
        });
        let fit = |lambda: &f64| {
            let mut lower = products.view().to_owned();
            (0..d).for_each(|i| lower[(i, i)] += n * lambda);
            let lower = cholesky(lower).ok_or_else(|| super::gram::singular(*lambda))?;
            let linear = Linear {
                weights: solve_factored(&lower, &cross),
                bias: truth.clone(),
            };
            Ok(linear.of_shared_features(&mean, &scale))
        };
        grid.iter().map(fit).collect()
    }
}
