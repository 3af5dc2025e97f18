//! From rows to linear scores, and from those to probabilities and classes.

use crate::analysis::matrix::Matrix;
use crate::error::Result;

/// `z · weights + intercepts`.
pub(super) fn decide(z: &Matrix, weights: &Matrix, intercepts: &[f64]) -> Result<Matrix> {
    let mut scores = z.times(weights)?;
    for row in 0..scores.rows() {
        let pairs = scores.row_mut(row).iter_mut().zip(intercepts);
        pairs.for_each(|(score, intercept)| *score += intercept);
    }
    Ok(scores)
}

/// The probabilities that scores stand for.
pub(super) fn probabilities(scores: &Matrix) -> Matrix {
    if scores.cols() == 1 {
        return Matrix::from_fn(scores.rows(), 2, |row, class| {
            let score = scores.at(row, 0);
            sigmoid(if class == 1 { score } else { -score })
        });
    }
    let mut p = scores.clone();
    for row in 0..p.rows() {
        softmax(p.row_mut(row));
    }
    p
}

/// `1 / (1 + e⁻ˣ)` without overflow.
pub(super) fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    (if x >= 0.0 { 1.0 } else { e }) / (1.0 + e)
}

/// Replaces logits by probabilities, without overflow.
fn softmax(logits: &mut [f64]) {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    logits.iter_mut().for_each(|v| *v = (*v - most).exp());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|v| *v /= sum);
}

/// The classes that scores stand for.
pub(super) fn classes(scores: &Matrix) -> Vec<usize> {
    (0..scores.rows())
        .map(|row| match scores.row(row) {
            [score] => usize::from(*score > 0.0),
            logits => {
                let ranked = logits.iter().enumerate();
                ranked.fold(0, |best, (k, v)| if *v > logits[best] { k } else { best })
            }
        })
        .collect()
}
