//! Mass-mean probes: the difference of the classes' means, as it is or whitened.

use super::direct::Linear;
use super::lda::nearest_mean;
use super::sums::ClassSums;
use crate::analysis::matrix::Matrix;
use crate::error::Result;

/// The difference of means `θ = μ₁ − μ₀` in the model's own space (Marks & Tegmark 2023, "The Geometry of Truth", section 5), with the middle
/// between the means as the threshold; of more than two classes, the nearest mean. `sums` are of standardised rows, and `scale` undoes it:
/// the direction is that of the raw activations.
///
/// # Errors
/// [`crate::error::Error::BadParameter`] if shapes do not fit.
pub(super) fn fit(sums: &ClassSums, scale: &[f64]) -> Result<Linear> {
    // ‖x − μ‖² of raw rows is Σ scale² (z − μ_z)².
    nearest_mean(&sums.means(), |v| {
        Ok(Matrix::from_fn(v.rows(), v.cols(), |j, k| {
            scale[j] * scale[j] * v.at(j, k)
        }))
    })
}

/// The same, tilted by the inverse of the covariance within classes, `Σ⁻¹θ` (their `p_mm^iid`): as LDA, but for the shares of the classes.
/// λ on the diagonal of `Σ`, of standardised features, keeps it invertible.
///
/// # Errors
/// [`crate::error::Error::BadParameter`] if λ is lost in rounding.
pub(super) fn fit_whitened(sums: &ClassSums, lambda: f64) -> Result<Linear> {
    nearest_mean(&sums.means(), |v| sums.whitened(v, lambda))
}
