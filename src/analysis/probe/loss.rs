//! The penalised logistic loss and its gradient, for many label vectors in one pass over the rows.

use crate::analysis::matrix::{BLOCK, Matrix, rows_per_task};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Mean cross-entropy in nats plus `λ/2 · ‖W‖²`, as a function of the weights of one output after another and the
/// intercepts. One output for two classes, else one per class.
pub(super) struct Loss<'a> {
    z: &'a Matrix,
    outputs: usize,
}

/// Value and gradient at a point.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Penalized {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
}

impl<'a> Loss<'a> {
    pub(super) fn new(z: &'a Matrix, classes: usize) -> Self {
        let outputs = if classes == 2 { 1 } else { classes };
        Self { z, outputs }
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(super) fn unknowns(&self) -> usize {
        (self.z.cols() + 1) * self.outputs
    }

    /// The loss at each of these points, each with its own labels.
    pub(super) fn evaluate(&self, asked: &[(&[f64], &[usize])], lambda: f64) -> Vec<Penalized> {
        let (n, d) = (self.z.rows(), self.z.cols());
        let per_fit = d * self.outputs;
        let weights: Vec<f64> = asked
            .iter()
            .flat_map(|(point, _)| &point[..per_fit])
            .copied()
            .collect();
        let parts: Vec<Sums> = self
            .z
            .tasks()
            .into_par_iter()
            .enumerate()
            .map(|(task, rows)| self.sum_rows(task * rows_per_task(n), rows, &weights, asked))
            .collect();
        // In the order of the rows, so that the number of threads does not matter.
        let sums = parts.into_iter().reduce(Sums::plus).unwrap_or_default();
        asked
            .iter()
            .enumerate()
            .map(|(fit, (point, _))| {
                let w = &point[..per_fit];
                let mut gradient = Vec::with_capacity(point.len());
                let of_weights = &sums.weights[fit * per_fit..(fit + 1) * per_fit];
                gradient.extend(
                    of_weights
                        .iter()
                        .zip(w)
                        .map(|(g, w)| g / n as f64 + lambda * w),
                );
                let of_intercepts = &sums.intercepts[fit * self.outputs..(fit + 1) * self.outputs];
                gradient.extend(of_intercepts.iter().map(|g| g / n as f64));
                let square: f64 = w.iter().map(|w| w * w).sum();
                Penalized {
                    value: sums.losses[fit] / n as f64 + 0.5 * lambda * square,
                    gradient,
                }
            })
            .collect()
    }

    /// Sums over the rows of one task, which starts at row `first`. Blocks of rows stay in the cache for both products.
    fn sum_rows(
        &self,
        first: usize,
        rows: MatRef<'_, f64>,
        weights: &[f64],
        asked: &[(&[f64], &[usize])],
    ) -> Sums {
        let (d, columns) = (rows.ncols(), self.outputs * asked.len());
        let w = MatRef::from_column_major_slice(weights, d, columns);
        let mut sums = Sums {
            losses: vec![0.0; asked.len()],
            weights: vec![0.0; d * columns],
            intercepts: vec![0.0; columns],
        };
        let mut scores = vec![0.0; BLOCK.min(rows.nrows()) * columns];
        for start in (0..rows.nrows()).step_by(BLOCK) {
            let block = rows.subrows(start, BLOCK.min(rows.nrows() - start));
            let scores = &mut scores[..block.nrows() * columns];
            let out = MatMut::from_row_major_slice_mut(scores, block.nrows(), columns);
            matmul(out, Accum::Replace, block, w, 1.0, Par::Seq);
            for (row, scores) in scores.chunks_exact_mut(columns).enumerate() {
                self.residuals(first + start + row, scores, asked, &mut sums);
            }
            let residuals = MatRef::from_row_major_slice(scores, block.nrows(), columns);
            let gradient = MatMut::from_column_major_slice_mut(&mut sums.weights, d, columns);
            matmul(
                gradient,
                Accum::Add,
                block.transpose(),
                residuals,
                1.0,
                Par::Seq,
            );
        }
        sums
    }

    /// Turns the scores of one row into residuals (probability minus indicator), and adds its losses.
    fn residuals(
        &self,
        row: usize,
        scores: &mut [f64],
        asked: &[(&[f64], &[usize])],
        sums: &mut Sums,
    ) {
        let outputs = self.outputs;
        for (fit, (scores, (point, labels))) in
            scores.chunks_exact_mut(outputs).zip(asked).enumerate()
        {
            let intercepts = &point[point.len() - outputs..];
            scores.iter_mut().zip(intercepts).for_each(|(s, b)| *s += b);
            let label = labels[row];
            sums.losses[fit] += match &mut *scores {
                [score] => {
                    let loss = softplus(if label == 1 { -*score } else { *score });
                    *score = sigmoid(*score) - label as f64;
                    loss
                }
                scores => {
                    let own = scores[label];
                    let log_sum = softmax(scores);
                    scores[label] -= 1.0;
                    log_sum - own
                }
            };
            let totals = &mut sums.intercepts[fit * outputs..(fit + 1) * outputs];
            totals.iter_mut().zip(scores).for_each(|(t, r)| *t += *r);
        }
    }
}

/// Sums over rows: losses per fit, gradients of weights and intercepts per fit and output.
#[derive(Default)]
struct Sums {
    losses: Vec<f64>,
    weights: Vec<f64>,
    intercepts: Vec<f64>,
}

impl Sums {
    fn plus(mut self, other: Sums) -> Sums {
        let add = |a: &mut Vec<f64>, b: Vec<f64>| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        add(&mut self.losses, other.losses);
        add(&mut self.weights, other.weights);
        add(&mut self.intercepts, other.intercepts);
        self
    }
}

/// `1 / (1 + e⁻ˣ)` without overflow.
pub(super) fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    let small = e / (1.0 + e);
    if x >= 0.0 { 1.0 / (1.0 + e) } else { small }
}

/// `ln(1 + eˣ)` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Replaces logits by probabilities and returns their log-sum-exp, without overflow.
pub(super) fn softmax(logits: &mut [f64]) -> f64 {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    logits.iter_mut().for_each(|v| *v = (*v - most).exp());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|v| *v /= sum);
    most + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_gradient_is_that_of_central_differences(
            n in 1usize..600, d in 1usize..6, classes in 2usize..5, lambda in 0.0f64..2.0, seed in 0u64..1000
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let z = Matrix::from_fn(n, d, |_, _| rng.random_range(-2.0..2.0));
            let labels: Vec<usize> = (0..n).map(|_| rng.random_range(0..classes)).collect();
            let other: Vec<usize> = labels.iter().map(|l| (l + 1) % classes).collect();
            let loss = Loss::new(&z, classes);
            let mut draw = || (0..loss.unknowns()).map(|_| rng.random_range(-3.0..3.0)).collect::<Vec<f64>>();
            let (point, second) = (draw(), draw());
            let both = loss.evaluate(&[(&second, &other), (&point, &labels)], lambda);
            for (at, exact) in both[1].gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut p = point.clone();
                    p[at] += by;
                    loss.evaluate(&[(&p, &labels)], lambda)[0].value
                };
                let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                prop_assert!((numeric - exact).abs() < 1e-7 * (1.0 + exact.abs()), "{numeric} {exact}");
            }
        }
    }

    #[test]
    fn huge_scores_neither_overflow_nor_lose_the_loss() {
        let z = Matrix::from_fn(1, 1, |_, _| 1.0);
        let wrong = Loss::new(&z, 2).evaluate(&[(&[1e4, 0.0], &[0])], 0.0);
        assert_eq!(wrong[0].value, 1e4);
        let right = Loss::new(&z, 3).evaluate(&[(&[1e4, 0.0, -1e4, 0.0, 0.0, 0.0], &[0])], 0.0);
        assert_eq!(right[0].value, 0.0);
        assert_eq!(sigmoid(-800.0), 0.0);
        assert!(sigmoid(-700.0) > 0.0);
    }

    #[test]
    fn a_probe_that_knows_nothing_loses_the_log_of_the_number_of_classes() {
        let z = Matrix::from_fn(10, 2, |i, j| (i * 3 + j) as f64);
        let labels: Vec<usize> = (0..10).map(|i| i % 5).collect();
        let loss = Loss::new(&z, 5);
        let start = vec![0.0; loss.unknowns()];
        assert!((loss.evaluate(&[(&start, &labels)], 0.1)[0].value - 5f64.ln()).abs() < 1e-14);
    }
}
