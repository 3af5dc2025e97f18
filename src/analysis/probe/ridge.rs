//! Ridge regression: a linear probe of numbers, several targets at once.

use super::gram::{Factor, Gram};
use super::scores::decide;
use super::standardize::Standardizer;
use super::{check_lambda, check_rows};
use crate::analysis::matrix::Matrix;
use crate::error::Result;

/// What a ridge probe can be asked for; [`RidgeParams::check`] makes it one that can be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RidgeParams {
    /// λ of the penalty `λ/2 · ‖W‖²` beside half the mean squared error; scikit-learn's `alpha` is `n·λ`.
    pub lambda: f64,
}

impl RidgeParams {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`crate::error::Error::BadParameter`] for a λ that is not above zero.
    pub fn check(self) -> Result<Ridge> {
        check_lambda(self.lambda)?;
        Ok(Ridge(self))
    }
}

/// A ridge regression ready to be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ridge(RidgeParams);

impl Ridge {
    /// Fits to the rows of `x` and the targets `y`, `[rows, targets]`, in closed form: through the Gram matrix of the features or,
    /// with more features than rows, of the rows. Targets do not influence each other.
    ///
    /// # Errors
    /// [`crate::error::Error::BadParameter`] if there are no rows, other rows in `y` than in `x`, or if λ is lost in rounding.
    pub fn fit(&self, x: &Matrix, y: &Matrix) -> Result<FittedRidge> {
        check_rows(x, y.rows())?;
        let standardizer = Standardizer::fit(x);
        let z = standardizer.apply(x)?.into();
        let factor = Gram::of(&z)?.factor(x.rows() as f64 * self.0.lambda)?;
        let (weights, intercepts) = solve(&factor, y)?;
        Ok(FittedRidge::new(standardizer, weights, intercepts))
    }
}

/// Weights and intercepts on standardised training rows, whose penalised Gram matrix was factored.
pub(super) fn solve(factor: &Factor<'_>, y: &Matrix) -> Result<(Matrix, Vec<f64>)> {
    // Standardised columns have mean zero, so the free intercept is the mean of the target.
    let means = y.column_means();
    let centred = Matrix::from_fn(y.rows(), y.cols(), |i, k| y.at(i, k) - means[k]);
    Ok((factor.ridge(&centred)?, means))
}

/// A fitted ridge regression. It takes rows as they are; standardising is its own business.
#[derive(Debug, Clone)]
pub struct FittedRidge {
    standardizer: Standardizer,
    standardized: (Matrix, Vec<f64>),
    original: (Matrix, Vec<f64>),
}

impl FittedRidge {
    fn new(standardizer: Standardizer, weights: Matrix, intercepts: Vec<f64>) -> Self {
        Self {
            original: standardizer.unstandardize(&weights, &intercepts),
            standardizer,
            standardized: (weights, intercepts),
        }
    }

    /// Weights on standardised features, `[features, targets]`.
    pub fn standardized_weights(&self) -> &Matrix {
        &self.standardized.0
    }

    /// Intercepts on standardised features: the training means of the targets.
    pub fn standardized_intercepts(&self) -> &[f64] {
        &self.standardized.1
    }

    /// Weights on the features as they came, `[features, targets]`.
    pub fn weights(&self) -> &Matrix {
        &self.original.0
    }

    /// Intercepts on the features as they came, one per target.
    pub fn intercepts(&self) -> &[f64] {
        &self.original.1
    }

    /// What the features were standardised with.
    pub fn standardizer(&self) -> &Standardizer {
        &self.standardizer
    }

    /// The predicted targets, `[rows, targets]`.
    ///
    /// # Errors
    /// [`crate::error::Error::BadParameter`] if `x` has another number of features.
    pub fn predict(&self, x: &Matrix) -> Result<Matrix> {
        let z = self.standardizer.apply(x)?;
        decide(&z, &self.standardized.0, &self.standardized.1)
    }
}
