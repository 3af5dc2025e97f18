//! Truth and polarity: a truth direction that holds for denials too.

use super::direct::{Fitting, Linear};
use super::logistic::LogisticParams;
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};

/// The TTPD probe (Bürger, Hamprecht & Nadler 2024, "Truth is Universal", section 5): with `τ = ±1` for true and false and `p = ±1` for
/// affirmative and negated, least squares fit `x − μ_p ≈ τ t_G + τ p t_P`; `t_G` is the general truth direction. A second direction separates the
/// polarities (logistic regression); a logistic regression on the two projections is the probe. Directions are of raw activations.
///
/// # Errors
/// [`Error::BadLabel`] without polarity, or with a polarity whose rows all have one label.
pub(super) fn fit(on: &Fitting<'_>) -> Result<Linear> {
    on.refuse_many_classes("ttpd")?;
    let polarity = on.polarity.ok_or_else(|| Error::BadLabel {
        column: on.column.to_owned(),
        problem: "a TTPD probe needs to know which statements are negated; give --polarity-column"
            .to_owned(),
    })?;
    let truth = truth_direction(on, polarity)?;
    let params = LogisticParams {
        lambda: on.lambda,
        ..LogisticParams::default()
    };
    let of_polarity = params.check()?.fit(on.z, polarity, 2)?;
    let polar = of_polarity.weights();
    let d = on.z.cols();
    let both = Matrix::from_fn(d, 2, |j, k| match k {
        0 => truth[j],
        _ => polar.at(j, 0),
    });
    let projected = on.z.times(&both)?;
    let last = params.check()?.fit(&projected, on.labels, 2)?;
    Ok(Linear {
        weights: both.times(last.weights())?,
        bias: last.intercepts().to_vec(),
    })
}

/// `t_G`, as weights on standardised rows.
fn truth_direction(on: &Fitting<'_>, polarity: &[usize]) -> Result<Vec<f64>> {
    let d = on.z.cols();
    let (mut means, mut counts) = (Matrix::zeros(2, d), [0.0; 2]);
    for (row, &p) in polarity.iter().enumerate() {
        counts[p] += 1.0;
        means
            .row_mut(p)
            .iter_mut()
            .zip(on.z.row(row))
            .for_each(|(m, v)| *m += v);
    }
    let sign = |class: usize| if class == 1 { 1.0 } else { -1.0 };
    // The normal equations of two regressors, τ and τp.
    let (mut both, mut sums) = (0.0, Matrix::zeros(2, d));
    for (row, &p) in polarity.iter().enumerate() {
        let tau = sign(on.labels[row]);
        both += sign(p);
        for j in 0..d {
            let centred = on.z.at(row, j) - means.at(p, j) / counts[p];
            sums.row_mut(0)[j] += tau * centred;
            sums.row_mut(1)[j] += tau * sign(p) * centred;
        }
    }
    let n = polarity.len() as f64;
    let determinant = n * n - both * both;
    if determinant <= 0.0 {
        return Err(Error::BadLabel {
            column: on.column.to_owned(),
            problem: "all training rows have one polarity, and a TTPD probe needs both".to_owned(),
        });
    }
    let direction = (0..d).map(|j| (n * sums.at(0, j) - both * sums.at(1, j)) / determinant);
    // Of raw activations: the score of a standardised row along scale · t is that of the raw row along scale² · t.
    Ok(direction.zip(on.scale).map(|(t, s)| s * s * t).collect())
}
