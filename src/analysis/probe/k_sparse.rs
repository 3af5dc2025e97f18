//! k-sparse probes: how well a few coordinates of the model's own basis do.

use super::direct::{Fitting, Linear};
use super::logistic::LogisticParams;
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};

/// Coordinates that are looked at beyond the difference of means.
const CANDIDATES: usize = 512;

/// A logistic probe on `k` coordinates, found by adaptive thresholding (Gurnee et al. 2023, "Finding Neurons in a Haystack", section 3.2): from
/// the coordinates whose class means lie farthest apart, the half with the larger weights is kept until `k` are left (all, where a row
/// has fewer).
///
/// # Errors
/// [`Error::BadParameter`] for `k` = 0.
pub(super) fn fit(on: &Fitting<'_>) -> Result<Linear> {
    let d = on.z.cols();
    if on.k == 0 {
        return Err(Error::BadParameter {
            name: "k",
            value: "0".to_owned(),
            problem: "a probe needs at least one coordinate".to_owned(),
        });
    }
    let k = on.k.min(d);
    let mut kept = farthest_means(on, CANDIDATES.max(k).min(d));
    loop {
        let (weights, bias) = logistic(on, &kept)?;
        if kept.len() == k {
            return Ok(Linear {
                weights: spread(&weights, &kept, d),
                bias,
            });
        }
        let size = |i: usize| weights.row(i).iter().map(|w| w * w).sum::<f64>();
        let left = (kept.len() / 2).max(k);
        kept = largest(&kept, size, left);
    }
}

/// The entries with the largest sizes, ascending.
fn largest(of: &[usize], size: impl Fn(usize) -> f64, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..of.len()).collect();
    order.sort_by(|a, b| size(*b).total_cmp(&size(*a)).then(a.cmp(b)));
    order.truncate(count);
    order.sort_unstable();
    order.into_iter().map(|i| of[i]).collect()
}

/// The coordinates in which the classes' means lie farthest apart, in units of the coordinate's deviation.
fn farthest_means(on: &Fitting<'_>, count: usize) -> Vec<usize> {
    let d = on.z.cols();
    let (mut sums, mut counts) = (Matrix::zeros(on.classes, d), vec![0.0; on.classes]);
    for (row, &class) in on.labels.iter().enumerate() {
        counts[class] += 1.0;
        sums.row_mut(class)
            .iter_mut()
            .zip(on.z.row(row))
            .for_each(|(s, v)| *s += v);
    }
    let spread = |j: usize| {
        let class = |k: usize| sums.at(k, j) * sums.at(k, j) / f64::max(counts[k], 1.0);
        (0..on.classes).map(class).sum::<f64>()
    };
    largest(&(0..d).collect::<Vec<usize>>(), spread, count)
}

fn logistic(on: &Fitting<'_>, kept: &[usize]) -> Result<(Matrix, Vec<f64>)> {
    let narrow = Matrix::from_fn(on.z.rows(), kept.len(), |i, j| on.z.at(i, kept[j]));
    let params = LogisticParams {
        lambda: on.lambda,
        ..LogisticParams::default()
    };
    let fitted = params.check()?.fit(&narrow, on.labels, on.classes)?;
    Ok((fitted.weights().clone(), fitted.intercepts().to_vec()))
}

/// Weights on some features as weights on all.
fn spread(weights: &Matrix, kept: &[usize], features: usize) -> Matrix {
    let mut all = Matrix::zeros(features, weights.cols());
    for (i, feature) in kept.iter().enumerate() {
        all.row_mut(*feature).copy_from_slice(weights.row(i));
    }
    all
}
