//! Predictions of every row by a probe that did not see it.

use super::RidgeParams;
use crate::analysis::matrix::Matrix;
use crate::error::Result;

/// Ridge predictions, `[rows, targets]`: each fold's rows are predicted by a probe that is trained, standardised features and all, on
/// the rows of the other folds. `folds` are ascending row numbers that cover every row once, as [`crate::text::split::folds`] makes them.
///
/// # Errors
/// [`crate::error::Error::BadParameter`] for a penalty that is not above 0 or shapes that do not fit.
pub fn held_out_predictions(
    x: &Matrix,
    y: &Matrix,
    folds: &[Vec<usize>],
    params: RidgeParams,
) -> Result<Matrix> {
    let ridge = params.check()?;
    let mut predicted = Matrix::zeros(x.rows(), y.cols());
    for held_out in folds {
        let train: Vec<usize> = (0..x.rows())
            .filter(|row| held_out.binary_search(row).is_err())
            .collect();
        let fitted = ridge.fit(&x.select(&train), &y.select(&train))?;
        let said = fitted.predict(&x.select(held_out))?;
        for (i, row) in held_out.iter().enumerate() {
            predicted.row_mut(*row).copy_from_slice(said.row(i));
        }
    }
    Ok(predicted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that is unique to its row can be learned by heart, but not predicted from the others.
    #[test]
    fn a_row_is_not_predicted_from_itself() {
        let x = Matrix::from_fn(12, 12, |i, j| f64::from(u8::from(i == j)));
        let y = Matrix::from_fn(12, 1, |i, _| if i == 7 { 100.0 } else { 0.0 });
        let folds: Vec<Vec<usize>> = (0..3)
            .map(|f| (0..12).filter(|i| i % 3 == f).collect())
            .collect();
        let params = RidgeParams { lambda: 1e-6 };
        let predicted = held_out_predictions(&x, &y, &folds, params).unwrap();
        assert!(predicted.at(7, 0).abs() < 1e-6, "{}", predicted.at(7, 0));
    }
}
