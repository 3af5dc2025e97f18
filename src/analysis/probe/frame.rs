//! In which coordinates a fit sees the rows that count for it.
//!
//! All fits of a layer read one matrix, standardised over all training rows. A fit to the rows outside a fold has features standardised
//! over those rows: an affine map of the shared ones, which is applied to weights and gradients, never to rows. Along the principal
//! axes of the rows the bound on the Hessian of a logistic loss (Böhning 1992) is diagonal, whatever the penalty: one decomposition
//! serves every λ, label vector and fold.

use super::standardize::Standardizer;
use super::table::Table;
use crate::analysis::eigen::eigen;
use crate::analysis::matrix::Matrix;
use crate::error::Result;
use faer::{Mat, MatRef};
use std::sync::Arc;

/// Above this many features and rows, axes take longer to find than they save.
const LARGEST_BASIS: usize = 2048;
/// The same, where each fold has to find its own.
const LARGEST_OWN_BASIS: usize = 1024;
/// An axis with this share of the largest variance carries nothing that `f64` can tell from rounding.
const EMPTY: f64 = 1e-12;

/// Orthogonal axes in the space of standardised features, with the variance along each.
#[derive(Debug)]
pub(super) struct Basis {
    /// `[features, axes]`, in both precisions; none for the features themselves.
    axes: Option<(Mat<f64>, Mat<f32>)>,
    variance: Vec<f64>,
}

impl Basis {
    /// The axes of standardised rows: all of the features' space, or, for fewer rows than features, those that the rows span, outside
    /// of which a penalised probe has no weight.
    fn of(z: &Table, largest: usize) -> Result<Self> {
        let (n, d) = (z.rows(), z.cols());
        if n.min(d) > largest {
            return Ok(Self {
                axes: None,
                variance: vec![1.0; d],
            });
        }
        let (values, axes) = match d <= n {
            true => eigen(z.gram()?.view(), "features")?,
            false => spanned(z.matrix("a fit to fewer rows than features")?)?,
        };
        let narrow = Mat::from_fn(axes.nrows(), axes.ncols(), |i, j| axes[(i, j)] as f32);
        Ok(Self {
            axes: Some((axes, narrow)),
            variance: values.iter().map(|v| v.max(0.0) / n as f64).collect(),
        })
    }

    /// The variance along each axis.
    pub(super) fn variance(&self) -> &[f64] {
        &self.variance
    }

    pub(super) fn wide(&self) -> Option<MatRef<'_, f64>> {
        self.axes.as_ref().map(|axes| axes.0.as_ref())
    }

    pub(super) fn narrow(&self) -> Option<MatRef<'_, f32>> {
        self.axes.as_ref().map(|axes| axes.1.as_ref())
    }
}

/// The axes that fewer rows than features span, from the products of the rows.
fn spanned(z: &Matrix) -> Result<(Vec<f64>, Mat<f64>)> {
    let (values, vectors) = eigen(z.row_gram().view(), "rows")?;
    let most = values.last().copied().unwrap_or(0.0);
    let first = values.partition_point(|v| *v <= EMPTY * most);
    let along = Matrix::from_fn(z.rows(), values.len() - first, |i, k| {
        vectors[(i, first + k)] / values[first + k].sqrt()
    });
    let axes = z.transposed_times(&along)?;
    Ok((values[first..].to_vec(), axes.view().to_owned()))
}

/// The rows outside one fold, or all of them, and the features as standardised over these rows.
#[derive(Debug)]
pub(super) struct Frame {
    /// The fold whose rows do not count.
    pub(super) held_out: Option<usize>,
    /// Rows that count.
    pub(super) rows: usize,
    /// Of the shared features over these rows.
    pub(super) mean: Vec<f64>,
    pub(super) scale: Vec<f64>,
    pub(super) basis: Arc<Basis>,
}

impl Frame {
    /// All rows of a matrix that is standardised over them.
    pub(super) fn whole(z: &Table) -> Result<Self> {
        Ok(Self {
            held_out: None,
            rows: z.rows(),
            mean: vec![0.0; z.cols()],
            scale: vec![1.0; z.cols()],
            basis: Arc::new(Basis::of(z, LARGEST_BASIS)?),
        })
    }

    /// The rows outside each fold. With more rows than features the axes of all rows serve for all folds: any orthogonal axes are
    /// exact, and these are near enough to be fast.
    pub(super) fn outside(&self, z: &Table, folds: &[Vec<usize>]) -> Result<Vec<Self>> {
        let of_fold = Moments::of_folds(z, folds)?;
        let mut all = Moments::new(z.cols());
        of_fold.iter().for_each(|moments| all.merge(moments, 1.0));
        let frames = of_fold.iter().enumerate().map(|(fold, moments)| {
            let mut kept = all.clone();
            kept.merge(moments, -1.0);
            let (mean, scale) = kept.mean_and_scale();
            let basis = match z.cols() <= z.rows() {
                true => self.basis.clone(),
                false => {
                    let rows = complement(z.rows(), &folds[fold]);
                    let rows = z.matrix("a fit to fewer rows than features")?.select(&rows);
                    let rows = Standardizer::fit(&rows).apply_to(rows)?;
                    Arc::new(Basis::of(&rows.into(), LARGEST_OWN_BASIS)?)
                }
            };
            Ok(Self {
                held_out: Some(fold),
                rows: kept.rows as usize,
                mean,
                scale,
                basis,
            })
        });
        frames.collect()
    }

    /// How many coordinates the weights of one output have.
    pub(super) fn axes(&self) -> usize {
        self.basis.variance.len()
    }

    /// Weights on the features as this frame standardises them, `[features, outputs]`, from those along the axes.
    pub(super) fn weights(&self, along: &Matrix) -> Result<Matrix> {
        match self.basis.wide() {
            None => Ok(along.clone()),
            Some(axes) => {
                let axes = Matrix::from_fn(axes.nrows(), axes.ncols(), |i, j| axes[(i, j)]);
                axes.times(along)
            }
        }
    }
}

/// The fold of each row; one beyond the last for a row that is in none.
pub(super) fn fold_of_row(rows: usize, folds: &[Vec<usize>]) -> Vec<usize> {
    let mut fold_of = vec![folds.len(); rows];
    for (fold, rows) in folds.iter().enumerate() {
        rows.iter().for_each(|row| fold_of[*row] = fold);
    }
    fold_of
}

/// The rows that are not among `held_out`, ascending.
pub(super) fn complement(rows: usize, held_out: &[usize]) -> Vec<usize> {
    let mut kept = vec![true; rows];
    held_out.iter().for_each(|row| kept[*row] = false);
    (0..rows).filter(|row| kept[*row]).collect()
}

/// Sums that can be added and taken away: of rows whose features are about standard, so that nothing is lost in rounding.
#[derive(Debug, Clone)]
struct Moments {
    rows: f64,
    sum: Vec<f64>,
    square: Vec<f64>,
}

impl Moments {
    fn new(features: usize) -> Self {
        Self {
            rows: 0.0,
            sum: vec![0.0; features],
            square: vec![0.0; features],
        }
    }

    /// Those of the rows of each fold.
    fn of_folds(z: &Table, folds: &[Vec<usize>]) -> Result<Vec<Self>> {
        let fold_of = fold_of_row(z.rows(), folds);
        let mut of_fold = vec![Self::new(z.cols()); folds.len()];
        z.each_part(|first, part| {
            for row in 0..part.rows() {
                if let Some(moments) = of_fold.get_mut(fold_of[first + row]) {
                    moments.add(part.row(row));
                }
            }
            Ok(())
        })?;
        Ok(of_fold)
    }

    fn add(&mut self, row: &[f64]) {
        self.rows += 1.0;
        for ((sum, square), v) in self.sum.iter_mut().zip(&mut self.square).zip(row) {
            *sum += v;
            *square += v * v;
        }
    }

    fn merge(&mut self, other: &Moments, sign: f64) {
        self.rows += sign * other.rows;
        let add = |a: &mut Vec<f64>, b: &[f64]| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += sign * b);
        };
        add(&mut self.sum, &other.sum);
        add(&mut self.square, &other.square);
    }

    /// A feature that does not vary keeps its scale, as in [`Standardizer`]; it gets no weight, whatever its scale.
    fn mean_and_scale(&self) -> (Vec<f64>, Vec<f64>) {
        let mean: Vec<f64> = self.sum.iter().map(|s| s / self.rows).collect();
        let scale = self.square.iter().zip(&mean).map(|(square, mean)| {
            let variance = square / self.rows - mean * mean;
            let rounding = 1e-13 * (1.0 + square / self.rows);
            if variance > rounding {
                variance.sqrt()
            } else {
                1.0
            }
        });
        let scale = scale.collect();
        (mean, scale)
    }
}
