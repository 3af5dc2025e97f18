//! L2-penalised logistic regression, binary and multinomial.

use super::frame::Frame;
use super::loss::{Axes, Loss};
use super::path::{Job, Walked, walk};
use super::scores::{classes, decide, probabilities};
use super::solver::Convergence;
use super::standardize::Standardizer;
use super::table::Table;
use super::{check_lambda, check_rows};
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};

/// What a logistic probe can be asked for; [`LogisticParams::check`] makes it one that can be fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogisticParams {
    /// λ of the penalty `λ/2 · ‖W‖²` beside the mean cross-entropy; scikit-learn's `C` is `1 / (n·λ)`.
    pub lambda: f64,
    /// The Euclidean length of the gradient, on standardised features, at which the fit counts as converged.
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
        let z = Table::from(standardizer.apply(x)?);
        let solution = Problem::new(&z, classes)?.solve_exactly(self, labels, None)?;
        Ok(FittedLogistic::new(standardizer, solution))
    }

    pub(super) fn lambda(&self) -> f64 {
        self.0.lambda
    }
}

fn no_solution() -> Error {
    Error::BadParameter {
        name: "labels",
        value: "0 label vectors".to_owned(),
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

/// The length of the gradient at which a fit is good enough for its rows to be counted: scikit-learn asks as much of each entry.
pub(super) const SEARCH_TOLERANCE: f64 = 1e-4;

/// Training rows, standardised, to which any number of label vectors can be fitted.
pub(super) struct Problem<'a> {
    z: &'a Table,
    classes: usize,
    whole: Frame,
}

/// Where a fit ended: on standardised features, `[features, outputs]`, and what it takes to start from there.
#[derive(Debug, Clone)]
pub(super) struct Solution {
    pub(super) weights: Matrix,
    pub(super) intercepts: Vec<f64>,
    pub(super) end: Convergence,
    point: Vec<f64>,
}

/// How a label vector does on folds: for each penalty, the held-out rows that come out right, over all folds together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Searched {
    pub(super) right: Vec<f64>,
    /// Fits that did not converge.
    pub(super) not_converged: usize,
}

impl<'a> Problem<'a> {
    pub(super) fn new(z: &'a Table, classes: usize) -> Result<Self> {
        Ok(Self {
            z,
            classes,
            whole: Frame::whole(z)?,
        })
    }

    /// Fits each label vector, for each penalty of the falling `grid`, to the rows outside each fold, and counts inside it.
    pub(super) fn search(
        &self,
        labels: &[&[usize]],
        folds: &[Vec<usize>],
        grid: &[f64],
        params: LogisticParams,
    ) -> Result<Vec<Searched>> {
        let frames = self.whole.outside(self.z, folds)?;
        let loss = Loss::fast(self.z, folds, self.classes)?;
        let targets: Vec<_> = labels.iter().map(|labels| loss.targets(labels)).collect();
        let job = |targets, frame| Job {
            frame,
            targets,
            lambdas: grid,
            start: None,
        };
        let jobs: Vec<Job<'_, f32>> = targets
            .iter()
            .flat_map(|targets| frames.iter().map(move |frame| job(targets, frame)))
            .collect();
        let tolerance = params.tolerance.max(SEARCH_TOLERANCE);
        let walked = walk(&loss, &jobs, tolerance, params.max_iterations)?;
        let of_labels = walked.chunks(folds.len().max(1)).map(|of_fold| {
            let mut found = Searched {
                right: vec![0.0; grid.len()],
                not_converged: 0,
            };
            for step in of_fold
                .iter()
                .flat_map(|fold| fold.steps.iter().enumerate())
            {
                found.right[step.0] += step.1.right;
                found.not_converged += usize::from(!step.1.end.is_converged());
            }
            found
        });
        Ok(of_labels.collect())
    }

    /// Fits each label vector with its penalty to all rows, well enough to be counted.
    pub(super) fn solve(
        &self,
        labels: &[(&[usize], f64)],
        params: LogisticParams,
    ) -> Result<Vec<Solution>> {
        let loss = Loss::fast(self.z, &[], self.classes)?;
        let targets: Vec<_> = labels
            .iter()
            .map(|(labels, _)| loss.targets(labels))
            .collect();
        let jobs: Vec<Job<'_, f32>> = targets
            .iter()
            .zip(labels)
            .map(|(targets, (_, lambda))| Job {
                frame: &self.whole,
                targets,
                lambdas: std::slice::from_ref(lambda),
                start: None,
            })
            .collect();
        let tolerance = params.tolerance.max(SEARCH_TOLERANCE);
        let walked = walk(&loss, &jobs, tolerance, params.max_iterations)?;
        walked
            .into_iter()
            .map(|w| self.solution(&loss, w))
            .collect()
    }

    /// Fits one label vector to all rows in `f64`, to the tolerance asked for.
    pub(super) fn solve_exactly(
        &self,
        params: &Logistic,
        labels: &[usize],
        start: Option<&Solution>,
    ) -> Result<Solution> {
        let loss = Loss::exact(self.z, self.classes);
        let job = Job {
            frame: &self.whole,
            targets: &loss.targets(labels),
            lambdas: &[params.lambda()],
            start: start.map(|solution| &solution.point[..]),
        };
        let mut walked = walk(&loss, &[job], params.0.tolerance, params.0.max_iterations)?;
        self.solution(&loss, walked.pop().ok_or_else(no_solution)?)
    }

    fn solution<T: Axes>(&self, loss: &Loss<'_, T>, walked: Walked) -> Result<Solution> {
        let (axes, outputs) = (self.whole.axes(), loss.outputs());
        let along = Matrix::from_fn(axes, outputs, |j, k| walked.point[k * axes + j]);
        let mut intercepts = walked.point[axes * outputs..].to_vec();
        // A softmax is blind to what all logits share.
        if outputs > 1 {
            let mean = intercepts.iter().sum::<f64>() / outputs as f64;
            intercepts.iter_mut().for_each(|b| *b -= mean);
        }
        Ok(Solution {
            weights: self.whole.weights(&along)?,
            intercepts,
            end: walked.steps.last().ok_or_else(no_solution)?.end,
            point: walked.point,
        })
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
        let standardized = (solution.weights, solution.intercepts);
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

    /// What a path finds on folds is what fits to the rows outside each fold find, whichever way round the matrix is.
    #[test]
    fn a_search_is_what_fits_outside_each_fold_find() {
        let grid = [1.0, 0.1, 0.01, 1e-3];
        for (n, d, classes) in [(240, 8, 2), (240, 8, 3), (60, 90, 2), (60, 90, 3)] {
            let (x, labels) = data(n, d, classes, 8);
            let z = Standardizer::fit(&x).apply(&x).unwrap();
            let other: Vec<usize> = labels.iter().rev().copied().collect();
            let folds: Vec<Vec<usize>> = (0..4)
                .map(|f| (0..n).filter(|i| (i / 3) % 4 == f).collect())
                .collect();
            let table = Table::from(z.clone());
            let problem = Problem::new(&table, classes).unwrap();
            let params = LogisticParams::default();
            let found = problem
                .search(&[&labels, &other], &folds, &grid, params)
                .unwrap();
            for (labels, found) in [&labels, &other].into_iter().zip(&found) {
                assert_eq!(found.not_converged, 0);
                for (lambda, right) in grid.iter().zip(&found.right) {
                    let of_fold = folds.iter().map(|held_out| {
                        let kept = super::super::frame::complement(n, held_out);
                        let own: Vec<usize> = kept.iter().map(|row| labels[*row]).collect();
                        let probe = fit(&x.select(&kept), &own, classes, *lambda);
                        let said = probe.predict(&x.select(held_out)).unwrap();
                        let hits = said
                            .iter()
                            .zip(held_out)
                            .filter(|(c, r)| **c == labels[**r]);
                        hits.count() as f64
                    });
                    let expected: f64 = of_fold.sum();
                    assert!(
                        (right - expected).abs() <= 1.0,
                        "{n} × {d}, {lambda}: {right} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn fits_side_by_side_are_the_fits_alone() {
        let (x, labels) = data(120, 7, 3, 8);
        let z = Standardizer::fit(&x).apply(&x).unwrap();
        let other: Vec<usize> = labels.iter().rev().copied().collect();
        let table = Table::from(z.clone());
        let problem = Problem::new(&table, 3).unwrap();
        let params = LogisticParams::default();
        let both = [(&labels[..], 0.1), (&other[..], 0.01)];
        let together = problem.solve(&both, params).unwrap();
        for ((labels, lambda), joint) in both.into_iter().zip(&together) {
            let params = LogisticParams { lambda, ..params };
            let logistic = params.check().unwrap();
            let alone = problem.solve_exactly(&logistic, labels, None).unwrap();
            assert!(furthest(&alone.weights, &joint.weights) < 1e-2);
            let refined = problem
                .solve_exactly(&logistic, labels, Some(joint))
                .unwrap();
            assert!(furthest(&alone.weights, &refined.weights) < 1e-4);
            assert!(refined.end.is_converged());
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
