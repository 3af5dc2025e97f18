//! L2-penalised logistic regression, binary and multinomial.

use super::gram::Gram;
use super::loss::{Loss, Penalized};
use super::solver::{Convergence, Lbfgs, Settings};
use super::standardize::Standardizer;
use super::{check_lambda, check_rows};
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use rayon::prelude::*;

/// What a logistic probe can be asked for; [`LogisticParams::check`] makes it one that can be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogisticParams {
    /// λ of the penalty `λ/2 · ‖W‖²` beside the mean cross-entropy; scikit-learn's `C` is `1 / (n·λ)`.
    pub lambda: f64,
    /// The largest absolute entry of the gradient at which the fit counts as converged.
    pub tolerance: f64,
    /// Steps after which the fit ends, converged or not.
    pub max_iterations: usize,
}

impl Default for LogisticParams {
    fn default() -> Self {
        Self {
            lambda: 1e-2,
            tolerance: 1e-6,
            max_iterations: 1000,
        }
    }
}

impl LogisticParams {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for a λ or a tolerance that is not above zero.
    pub fn check(self) -> Result<Logistic> {
        check_lambda(self.lambda)?;
        if !(self.tolerance > 0.0 && self.tolerance.is_finite()) {
            return Err(Error::BadParameter {
                name: "tolerance",
                value: self.tolerance.to_string(),
                problem: "the tolerance on the gradient must be above 0, such as 1e-6".to_owned(),
            });
        }
        Ok(Logistic(self))
    }
}

/// A logistic regression ready to be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logistic(LogisticParams);

impl Logistic {
    /// Fits to the rows of `x`, with one label in `0..classes` each. Two classes have one weight vector, for class 1; more
    /// have one each (softmax), which the penalty makes unique: the weights sum to zero over the classes.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if there are no rows, another number of labels than rows, fewer than two classes, or a class
    /// without a row: its intercept would run off to minus infinity.
    pub fn fit(&self, x: &Matrix, labels: &[usize], classes: usize) -> Result<FittedLogistic> {
        check_rows(x, labels.len())?;
        check_classes(labels, classes)?;
        let standardizer = Standardizer::fit(x);
        let z = standardizer.apply(x)?;
        let problem = Problem::new(&z, classes);
        let solution = problem.solve(self, &[labels], &[None])?.pop();
        let solution = solution.ok_or_else(|| no_solution(x))?;
        Ok(FittedLogistic::new(standardizer, solution))
    }

    pub(super) fn lambda(&self) -> f64 {
        self.0.lambda
    }
}

fn no_solution(x: &Matrix) -> Error {
    Error::BadParameter {
        name: "labels",
        value: x.rows().to_string(),
        problem: "there is nothing to fit".to_owned(),
    }
}

fn check_classes(labels: &[usize], classes: usize) -> Result<()> {
    let bad = |value: String, problem: &str| {
        Err(Error::BadParameter {
            name: "labels",
            value,
            problem: problem.to_owned(),
        })
    };
    if classes < 2 {
        return bad(
            format!("{classes} class(es)"),
            "a classifier needs two classes",
        );
    }
    let mut rows = vec![0usize; classes];
    for &label in labels {
        match rows.get_mut(label) {
            Some(count) => *count += 1,
            None => {
                return bad(
                    label.to_string(),
                    "labels count from 0 to one below the number of classes",
                );
            }
        }
    }
    match rows.iter().position(|count| *count == 0) {
        Some(class) => bad(
            format!("class {class}"),
            "no training row has this class; leave it out",
        ),
        None => Ok(()),
    }
}

/// The largest Gram matrix that is worth factoring as a preconditioner: above it the factorisation costs more than it saves.
const LARGEST_PRECONDITIONER: usize = 4096;

/// Training rows, standardised, to which any number of label vectors can be fitted.
pub(super) struct Problem<'a> {
    z: &'a Matrix,
    classes: usize,
    gram: Option<Gram<'a>>,
}

/// Where a fit ended, in the solver's form: the weights of one output after another, then the intercepts.
#[derive(Debug, Clone)]
pub(super) struct Solution {
    pub(super) point: Vec<f64>,
    pub(super) end: Convergence,
    outputs: usize,
}

impl Solution {
    /// The weights, a row per feature and a column per output.
    pub(super) fn weights(&self) -> Matrix {
        let features = self.point.len() / self.outputs - 1;
        Matrix::from_fn(features, self.outputs, |j, k| self.point[k * features + j])
    }

    pub(super) fn intercepts(&self) -> &[f64] {
        &self.point[self.point.len() - self.outputs..]
    }
}

impl<'a> Problem<'a> {
    pub(super) fn new(z: &'a Matrix, classes: usize) -> Self {
        let small = z.rows().min(z.cols()) <= LARGEST_PRECONDITIONER;
        Self {
            z,
            classes,
            gram: small.then(|| Gram::of(z)),
        }
    }

    /// Fits to each label vector, side by side: each pass over the rows serves all fits that are still running. A fit starts
    /// from the solution given for it, or from zero.
    pub(super) fn solve(
        &self,
        params: &Logistic,
        labels: &[&[usize]],
        starts: &[Option<&Solution>],
    ) -> Result<Vec<Solution>> {
        let loss = Loss::new(self.z, self.classes);
        let settings = Settings {
            tolerance: params.0.tolerance,
            max_iterations: params.0.max_iterations,
        };
        let preconditioner = self.preconditioner(&loss, params.lambda());
        let mut fits: Vec<Lbfgs> = starts
            .iter()
            .map(|start| match start {
                Some(solution) => Lbfgs::new(solution.point.clone(), settings),
                None => Lbfgs::new(vec![0.0; loss.unknowns()], settings),
            })
            .collect();
        loop {
            let mut running: Vec<(&mut Lbfgs, &[usize])> = fits
                .iter_mut()
                .zip(labels.iter().copied())
                .filter(|(fit, _)| fit.end().is_none())
                .collect();
            if running.is_empty() {
                break;
            }
            let asked: Vec<(&[f64], &[usize])> =
                running.iter().map(|(fit, y)| (fit.ask(), *y)).collect();
            let told = loss.evaluate(&asked, params.lambda());
            running.par_iter_mut().zip(told).for_each(
                |((fit, _), Penalized { value, gradient })| {
                    fit.tell(value, gradient, &preconditioner);
                },
            );
        }
        Ok(fits
            .into_iter()
            .filter_map(|fit| {
                Some(Solution {
                    end: fit.end()?,
                    point: fit.into_point(),
                    outputs: loss.outputs(),
                })
            })
            .collect())
    }

    /// Böhning's (1992) bound on the Hessian of the loss, `c/n · ZᵀZ + λI`, inverted: with it the number of steps hardly
    /// depends on how strongly the features are correlated (and those of a transformer are).
    fn preconditioner(&self, loss: &Loss<'_>, lambda: f64) -> impl Fn(&mut Vec<f64>) + Sync {
        let (n, d, outputs) = (self.z.rows() as f64, self.z.cols(), loss.outputs());
        let bound = if outputs == 1 { 0.25 } else { 0.5 };
        let factor = self
            .gram
            .as_ref()
            .and_then(|gram| gram.factor(n * lambda / bound).ok());
        move |v: &mut Vec<f64>| {
            let Some(factor) = &factor else { return };
            let weights = Matrix::from_fn(d, outputs, |j, k| v[k * d + j]);
            let Ok(solved) = factor.inverse_times(&weights) else {
                return;
            };
            for (at, value) in v.iter_mut().enumerate() {
                *value = match at < d * outputs {
                    true => solved.at(at % d, at / d) * n / bound,
                    false => *value / bound,
                };
            }
        }
    }
}

/// A fitted logistic regression. It takes rows as they are; standardising is its own business.
#[derive(Debug, Clone)]
pub struct FittedLogistic {
    standardizer: Standardizer,
    standardized: (Matrix, Vec<f64>),
    original: (Matrix, Vec<f64>),
    convergence: Convergence,
}

impl FittedLogistic {
    pub(super) fn new(standardizer: Standardizer, solution: Solution) -> Self {
        let standardized = (solution.weights(), solution.intercepts().to_vec());
        Self {
            original: standardizer.unstandardize(&standardized.0, &standardized.1),
            standardizer,
            standardized,
            convergence: solution.end,
        }
    }

    /// Weights on standardised features, `[features, outputs]`; one output for two classes, else one per class.
    pub fn standardized_weights(&self) -> &Matrix {
        &self.standardized.0
    }

    /// Intercepts on standardised features, one per output.
    pub fn standardized_intercepts(&self) -> &[f64] {
        &self.standardized.1
    }

    /// Weights on the features as they came, `[features, outputs]`: the probe's direction in the model's own space.
    pub fn weights(&self) -> &Matrix {
        &self.original.0
    }

    /// Intercepts on the features as they came, one per output.
    pub fn intercepts(&self) -> &[f64] {
        &self.original.1
    }

    /// What the features were standardised with.
    pub fn standardizer(&self) -> &Standardizer {
        &self.standardizer
    }

    /// How the fit ended.
    pub fn convergence(&self) -> Convergence {
        self.convergence
    }

    /// The linear scores, `[rows, outputs]`: log-odds of class 1 for two classes, else logits.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if `x` has another number of features.
    pub fn decision(&self, x: &Matrix) -> Result<Matrix> {
        let z = self.standardizer.apply(x)?;
        decide(&z, &self.standardized.0, &self.standardized.1)
    }

    /// The probability of each class, `[rows, classes]`.
    ///
    /// # Errors
    /// As [`FittedLogistic::decision`].
    pub fn predict_proba(&self, x: &Matrix) -> Result<Matrix> {
        Ok(probabilities(&self.decision(x)?))
    }

    /// The most probable class of each row; the first one, where several are.
    ///
    /// # Errors
    /// As [`FittedLogistic::decision`].
    pub fn predict(&self, x: &Matrix) -> Result<Vec<usize>> {
        Ok(classes(&self.decision(x)?))
    }
}

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
            super::loss::sigmoid(if class == 1 { score } else { -score })
        });
    }
    let mut p = scores.clone();
    for row in 0..p.rows() {
        super::loss::softmax(p.row_mut(row));
    }
    p
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Overlapping classes on features that depend on each other.
    fn data(n: usize, d: usize, classes: usize, seed: u64) -> (Matrix, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let labels: Vec<usize> = (0..n).map(|row| row % classes).collect();
        let common: Vec<f64> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
        let x = Matrix::from_fn(n, d, |i, j| {
            let signal = if j % classes == labels[i] { 0.7 } else { 0.0 };
            signal + common[i] + rng.random_range(-1.0..1.0)
        });
        (x, labels)
    }

    fn fit(x: &Matrix, labels: &[usize], classes: usize, lambda: f64) -> FittedLogistic {
        let params = LogisticParams {
            lambda,
            tolerance: 1e-9,
            ..LogisticParams::default()
        };
        params.check().unwrap().fit(x, labels, classes).unwrap()
    }

    fn furthest(a: &Matrix, b: &Matrix) -> f64 {
        let pairs = a.as_slice().iter().zip(b.as_slice());
        pairs.fold(0.0, |m, (a, b)| m.max((a - b).abs()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn shifting_and_rescaling_a_feature_changes_no_probability(
            seed in 0u64..99, classes in 2usize..5, shift in -50f64..50.0, scale in 0.01f64..100.0
        ) {
            let (x, labels) = data(90, 6, classes, seed);
            let moved = Matrix::from_fn(90, 6, |i, j| match j {
                2 => scale * x.at(i, j) + shift,
                _ => x.at(i, j),
            });
            let (a, b) = (fit(&x, &labels, classes, 0.03), fit(&moved, &labels, classes, 0.03));
            let gap = furthest(&a.predict_proba(&x).unwrap(), &b.predict_proba(&moved).unwrap());
            prop_assert!(gap < 1e-6, "{gap:e}");
        }

        #[test]
        fn renaming_classes_renames_the_columns(seed in 0u64..99, classes in 2usize..5, by in 1usize..4) {
            let (x, labels) = data(90, 6, classes, seed);
            let renamed: Vec<usize> = labels.iter().map(|l| (l + by) % classes).collect();
            let a = fit(&x, &labels, classes, 0.03).predict_proba(&x).unwrap();
            let b = fit(&x, &renamed, classes, 0.03).predict_proba(&x).unwrap();
            let back = Matrix::from_fn(90, classes, |i, k| b.at(i, (k + by) % classes));
            prop_assert!(furthest(&a, &back) < 1e-6);
        }
    }

    #[test]
    fn the_solution_is_where_the_gradient_vanishes() {
        for (n, d, classes) in [(200, 8, 2), (200, 8, 4), (30, 80, 2), (30, 80, 3)] {
            let (x, labels) = data(n, d, classes, 1);
            let probe = fit(&x, &labels, classes, 1e-3);
            let z = probe.standardizer().apply(&x).unwrap();
            // The gradient written out anew: Zᵀ(p − y)/n + λW, and the residuals' mean.
            let p = probe.predict_proba(&x).unwrap();
            let first = if classes == 2 { 1 } else { 0 };
            let residuals = Matrix::from_fn(n, classes - first, |i, k| {
                let truth = if labels[i] == k + first { 1.0 } else { 0.0 };
                (p.at(i, k + first) - truth) / n as f64
            });
            let data_part = z.transposed_times(&residuals).unwrap();
            let w = probe.standardized_weights();
            let gradient =
                Matrix::from_fn(d, w.cols(), |j, k| data_part.at(j, k) + 1e-3 * w.at(j, k));
            assert!(furthest(&gradient, &Matrix::zeros(d, w.cols())) < 1e-8);
            assert!(
                residuals
                    .column_means()
                    .iter()
                    .all(|m| (m * n as f64).abs() < 1e-8)
            );
        }
    }

    #[test]
    fn both_spaces_decide_alike() {
        let (x, labels) = data(60, 5, 3, 4);
        let probe = fit(&x, &labels, 3, 0.1);
        let raw = decide(&x, probe.weights(), probe.intercepts()).unwrap();
        assert!(furthest(&raw, &probe.decision(&x).unwrap()) < 1e-10);
        let p = probe.predict_proba(&x).unwrap();
        for row in 0..60 {
            assert!((p.row(row).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn fits_side_by_side_are_the_fits_alone() {
        let (x, labels) = data(120, 7, 3, 8);
        let z = Standardizer::fit(&x).apply(&x).unwrap();
        let other: Vec<usize> = labels.iter().rev().copied().collect();
        let problem = Problem::new(&z, 3);
        let logistic = LogisticParams::default().check().unwrap();
        let together = problem
            .solve(&logistic, &[&labels, &other], &[None, None])
            .unwrap();
        for (labels, joint) in [(&labels, &together[0]), (&other, &together[1])] {
            let alone = problem.solve(&logistic, &[labels], &[None]).unwrap();
            let gaps = alone[0]
                .point
                .iter()
                .zip(&joint.point)
                .map(|(a, b)| (a - b).abs());
            assert!(gaps.fold(0.0, f64::max) < 1e-4);
        }
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let (x, labels) = data(12, 2, 2, 0);
        let logistic = LogisticParams::default().check().unwrap();
        let message =
            |labels: &[usize], classes| logistic.fit(&x, labels, classes).unwrap_err().to_string();
        assert!(message(&labels[..5], 2).contains("one label for each row"));
        assert!(message(&labels, 3).contains("class 2: no training row"));
        assert!(message(&labels, 1).contains("needs two classes"));
        assert!(message(&[5; 12], 2).contains("labels count from 0"));
        for lambda in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let params = LogisticParams {
                lambda,
                ..LogisticParams::default()
            };
            assert!(
                params
                    .check()
                    .unwrap_err()
                    .to_string()
                    .starts_with("lambda = ")
            );
        }
    }
}
