//! Linear discriminant analysis: classes that share a covariance, told apart as Bayes would.

use super::direct::Linear;
use super::sums::ClassSums;
use crate::analysis::matrix::Matrix;
use crate::error::Result;

/// The log-odds of normal classes with one covariance, `Σ⁻¹μ_k · x − ½ μ_kᵀΣ⁻¹μ_k + ln π_k`, of two classes their difference (Fisher 1936;
/// Hastie, Tibshirani & Friedman 2009, section 4.3). `Σ` is the covariance within classes, with divisor `n`, plus `λI`, which on standardised
/// features draws it towards a sphere; `π_k` is the share of the rows. As in scikit-learn's `LinearDiscriminantAnalysis(solver="lsqr")` with
/// that covariance.
///
/// # Errors
/// [`crate::error::Error::BadParameter`] if λ is lost in rounding.
pub(super) fn fit(sums: &ClassSums, lambda: f64) -> Result<Linear> {
    let means = sums.means();
    let log_share = |k: usize| (sums.counts()[k] / sums.rows()).ln();
    let mut linear = nearest_mean(&means, |v| sums.whitened(v, lambda))?;
    match linear.bias.len() {
        1 => linear.bias[0] += log_share(1) - log_share(0),
        _ => linear
            .bias
            .iter_mut()
            .enumerate()
            .for_each(|(k, b)| *b += log_share(k)),
    }
    Ok(linear)
}

/// Scores that fall with the squared distance from each class's mean, in the metric that `inverse` multiplies by: half of it, without the part
/// that all classes share.
pub(super) fn nearest_mean(
    means: &Matrix,
    inverse: impl Fn(&Matrix) -> Result<Matrix>,
) -> Result<Linear> {
    let (classes, d) = (means.rows(), means.cols());
    let turned = match classes {
        2 => Matrix::from_fn(d, 1, |j, _| means.at(1, j) - means.at(0, j)),
        _ => Matrix::from_fn(d, classes, |j, k| means.at(k, j)),
    };
    let weights = inverse(&turned)?;
    let bias = (0..weights.cols()).map(|k| {
        let middle = |j: usize| match classes {
            2 => means.at(0, j) + means.at(1, j),
            _ => means.at(k, j),
        };
        -0.5 * (0..d).map(|j| weights.at(j, k) * middle(j)).sum::<f64>()
    });
    Ok(Linear {
        bias: bias.collect(),
        weights,
    })
}
