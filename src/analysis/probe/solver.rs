//! L-BFGS: minimises a smooth function from its values and gradients (Nocedal & Wright 2006, algorithm 7.5).

use super::line_search::{LineSearch, Next, Trial};
use serde::Serialize;
use std::collections::VecDeque;

/// How an iterative fit ended. `gradient_norm` is the Euclidean length of the gradient of the mean loss
/// plus penalty, on standardised features: no entry is larger.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Convergence {
    /// The gradient fell below the tolerance.
    Converged {
        /// Steps taken.
        iterations: usize,
        /// Where the gradient ended.
        gradient_norm: f64,
    },
    /// It did not; the numbers are those of the last step.
    NotConverged {
        /// Steps taken.
        iterations: usize,
        /// Where the gradient ended.
        gradient_norm: f64,
        /// What ended the fit.
        reason: Stop,
    },
}

/// Why a fit ended before it converged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// As many steps as were allowed.
    MaxIterations,
    /// No step decreases the function any more: the tolerance is below what rounding allows.
    NoDecrease,
}

impl Convergence {
    /// Whether the gradient fell below the tolerance.
    pub fn is_converged(&self) -> bool {
        matches!(self, Convergence::Converged { .. })
    }
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// The length that the gradient may have at the solution.
    pub(super) tolerance: f64,
    pub(super) max_iterations: usize,
    /// What rounding may change a value by, as a share of it.
    pub(super) rounding: f64,
    /// Pairs of steps and gradient changes that the curvature is estimated from.
    pub(super) memory: usize,
}

/// A step and the change of the gradient over it.
#[derive(Debug)]
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    inverse_curvature: f64,
}

/// One minimisation. It never calls the function: it says which point it wants evaluated ([`Lbfgs::ask`]) and is told the
/// answer ([`Lbfgs::tell`]). So one pass over the data can serve many minimisations at once.
#[derive(Debug)]
pub(super) struct Lbfgs {
    settings: Settings,
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    trial: Vec<f64>,
    step: f64,
    search: Option<LineSearch>,
    pairs: VecDeque<Pair>,
    iterations: usize,
    took: bool,
    end: Option<Convergence>,
}

impl Lbfgs {
    /// A minimisation that starts at this point.
    pub(super) fn new(start: Vec<f64>, settings: Settings) -> Self {
        Self {
            settings,
            trial: start.clone(),
            point: start,
            value: f64::INFINITY,
            gradient: Vec::new(),
            direction: Vec::new(),
            step: 0.0,
            search: None,
            pairs: VecDeque::new(),
            iterations: 0,
            took: false,
            end: None,
        }
    }

    /// The point to evaluate next.
    pub(super) fn ask(&self) -> &[f64] {
        &self.trial
    }

    /// How it ended, once it has.
    pub(super) fn end(&self) -> Option<Convergence> {
        self.end
    }

    /// The solution, or the best point so far.
    pub(super) fn into_point(self) -> Vec<f64> {
        self.point
    }

    /// Takes in value and gradient at the point asked for. `precondition` multiplies a vector by a fixed, symmetric, positive
    /// definite guess of the inverse Hessian (the identity will do).
    pub(super) fn tell(
        &mut self,
        value: f64,
        gradient: Vec<f64>,
        precondition: &dyn Fn(&mut Vec<f64>),
    ) {
        let next = match &mut self.search {
            None => Next::Accept,
            Some(search) => search.observe(Trial {
                step: self.step,
                value,
                slope: dot(&gradient, &self.direction),
            }),
        };
        self.took = next == Next::Accept;
        match next {
            Next::Try(step) => self.try_step(step),
            Next::Accept => {
                self.accept(value, gradient);
                self.start_search(precondition);
            }
            // The estimate of the curvature may be what misled the search: forget it and try once more.
            Next::Fail if !self.pairs.is_empty() => {
                self.pairs.clear();
                self.start_search(precondition);
            }
            Next::Fail => self.stop(Stop::NoDecrease),
        }
    }

    /// Goes on from where it ended, for the same function with `change/2 · ‖x‖²` more over the first `penalized` unknowns: what is known of
    /// value, gradient and curvature is known of the new function too.
    pub(super) fn repenalize(
        &mut self,
        change: f64,
        penalized: usize,
        precondition: &dyn Fn(&mut Vec<f64>),
    ) {
        let weights = &self.point[..penalized];
        self.value += 0.5 * change * dot(weights, weights);
        axpy(change, weights, &mut self.gradient[..penalized]);
        self.pairs.retain_mut(|pair| {
            axpy(
                change,
                &pair.step[..penalized],
                &mut pair.change[..penalized],
            );
            let curvature = dot(&pair.step, &pair.change);
            pair.inverse_curvature = 1.0 / curvature;
            curvature > f64::EPSILON * dot(&pair.change, &pair.change)
        });
        (self.iterations, self.end) = (0, None);
        self.start_search(precondition);
    }

    /// Whether the point told last was taken as the next one.
    pub(super) fn took(&self) -> bool {
        self.took
    }

    fn accept(&mut self, value: f64, gradient: Vec<f64>) {
        if self.search.is_some() {
            self.iterations += 1;
            let step = difference(&self.trial, &self.point);
            let change = difference(&gradient, &self.gradient);
            let curvature = dot(&step, &change);
            // Positive by the Wolfe conditions, but for rounding.
            if curvature > f64::EPSILON * dot(&change, &change) {
                if self.pairs.len() >= self.settings.memory {
                    self.pairs.pop_front();
                }
                self.pairs.push_back(Pair {
                    step,
                    change,
                    inverse_curvature: 1.0 / curvature,
                });
            }
        }
        self.point.clone_from(&self.trial);
        self.value = value;
        self.gradient = gradient;
    }

    fn start_search(&mut self, precondition: &dyn Fn(&mut Vec<f64>)) {
        let gradient_norm = norm(&self.gradient);
        if gradient_norm <= self.settings.tolerance {
            self.end = Some(Convergence::Converged {
                iterations: self.iterations,
                gradient_norm,
            });
            return;
        }
        if self.iterations >= self.settings.max_iterations {
            return self.stop(Stop::MaxIterations);
        }
        self.direction = self.quasi_newton_direction(precondition);
        let slope = dot(&self.direction, &self.gradient);
        if slope.is_nan() || slope >= 0.0 {
            return self.stop(Stop::NoDecrease);
        }
        self.search = Some(LineSearch::new(self.value, slope, self.settings.rounding));
        self.try_step(1.0);
    }

    fn try_step(&mut self, step: f64) {
        self.step = step;
        self.trial.clone_from(&self.point);
        axpy(step, &self.direction, &mut self.trial);
    }

    fn stop(&mut self, reason: Stop) {
        self.end = Some(Convergence::NotConverged {
            iterations: self.iterations,
            gradient_norm: norm(&self.gradient),
            reason,
        });
    }

    /// The two-loop recursion (Nocedal & Wright 2006, algorithm 7.4), with `γ · P⁻¹` as the initial inverse Hessian; `γ`
    /// makes the preconditioner right along the last step.
    fn quasi_newton_direction(&self, precondition: &dyn Fn(&mut Vec<f64>)) -> Vec<f64> {
        let mut q: Vec<f64> = self.gradient.iter().map(|g| -g).collect();
        let mut weights = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let weight = pair.inverse_curvature * dot(&pair.step, &q);
            axpy(-weight, &pair.change, &mut q);
            weights.push(weight);
        }
        precondition(&mut q);
        if let Some(last) = self.pairs.back() {
            let mut scaled = last.change.clone();
            precondition(&mut scaled);
            let gamma = 1.0 / (last.inverse_curvature * dot(&last.change, &scaled));
            q.iter_mut().for_each(|v| *v *= gamma);
        }
        for (pair, weight) in self.pairs.iter().zip(weights.into_iter().rev()) {
            let back = pair.inverse_curvature * dot(&pair.change, &q);
            axpy(weight - back, &pair.step, &mut q);
        }
        q
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn axpy(factor: f64, x: &[f64], y: &mut [f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += factor * x);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn norm(v: &[f64]) -> f64 {
    dot(v, v).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimize(
        f: impl Fn(&[f64]) -> (f64, Vec<f64>),
        start: Vec<f64>,
        tolerance: f64,
        max_iterations: usize,
        precondition: &dyn Fn(&mut Vec<f64>),
    ) -> (Vec<f64>, Convergence) {
        let mut solver = Lbfgs::new(
            start,
            Settings {
                tolerance,
                max_iterations,
                rounding: 1e-14,
                memory: 10,
            },
        );
        while solver.end().is_none() {
            let (value, gradient) = f(solver.ask());
            solver.tell(value, gradient, precondition);
        }
        let end = solver.end().unwrap();
        (solver.into_point(), end)
    }

    fn rosenbrock(x: &[f64]) -> (f64, Vec<f64>) {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        (
            a * a + 100.0 * b * b,
            vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b],
        )
    }

    /// `½ Σ cᵢ xᵢ² − xᵢ`, condition number 1e3.
    fn stiff(x: &[f64]) -> (f64, Vec<f64>) {
        let c = |i: usize| 10f64.powf(3.0 * i as f64 / 19.0);
        let value = x
            .iter()
            .enumerate()
            .map(|(i, v)| 0.5 * c(i) * v * v - v)
            .sum();
        (
            value,
            x.iter().enumerate().map(|(i, v)| c(i) * v - 1.0).collect(),
        )
    }

    #[test]
    fn the_banana_valley_is_walked_to_its_end() {
        let (x, end) = minimize(rosenbrock, vec![-1.2, 1.0], 1e-9, 200, &|_| {});
        assert!(end.is_converged(), "{end:?}");
        assert!((x[0] - 1.0).abs() < 1e-8 && (x[1] - 1.0).abs() < 1e-8);
    }

    #[test]
    fn a_preconditioner_makes_a_stiff_problem_easy() {
        let plain = minimize(stiff, vec![0.0; 20], 1e-8, 1000, &|_| {});
        let exact = minimize(stiff, vec![0.0; 20], 1e-8, 1000, &|v| {
            v.iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v /= 10f64.powf(3.0 * i as f64 / 19.0));
        });
        for (x, end) in [&plain, &exact] {
            assert!(end.is_converged(), "{end:?}");
            assert!((x[0] - 1.0).abs() < 1e-6 && (x[19] - 1e-3).abs() < 1e-9);
        }
        let steps = |end| match end {
            Convergence::Converged { iterations, .. } => iterations,
            Convergence::NotConverged { .. } => usize::MAX,
        };
        assert!(
            steps(exact.1) <= 3 && steps(plain.1) > 10,
            "{exact:?} {plain:?}"
        );
    }

    #[test]
    fn a_change_of_the_penalty_needs_no_new_start() {
        let penalized = |lambda: f64| {
            move |x: &[f64]| {
                let (value, gradient) = stiff(x);
                let square: f64 = x[..12].iter().map(|v| v * v).sum();
                let each = gradient.iter().enumerate();
                let slope = each.map(|(i, g)| if i < 12 { g + lambda * x[i] } else { *g });
                (value + 0.5 * lambda * square, slope.collect())
            }
        };
        let settings = Settings {
            tolerance: 1e-9,
            max_iterations: 1000,
            rounding: 1e-14,
            memory: 10,
        };
        let mut solver = Lbfgs::new(vec![0.0; 20], settings);
        for (lambda, change) in [(3.0, 0.0), (1.0, -2.0), (0.1, -0.9)] {
            if change != 0.0 {
                solver.repenalize(change, 12, &|_| {});
            }
            while solver.end().is_none() {
                let (value, gradient) = penalized(lambda)(solver.ask());
                solver.tell(value, gradient, &|_| {});
            }
            assert!(solver.end().unwrap().is_converged());
            for i in [0, 5, 11] {
                let exact = 1.0 / (10f64.powf(3.0 * i as f64 / 19.0) + lambda);
                assert!((solver.point[i] - exact).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn too_few_iterations_are_reported() {
        let (_, end) = minimize(rosenbrock, vec![-1.2, 1.0], 1e-9, 3, &|_| {});
        assert!(
            matches!(
                end,
                Convergence::NotConverged {
                    iterations: 3,
                    reason: Stop::MaxIterations,
                    ..
                }
            ),
            "{end:?}"
        );
    }

    #[test]
    fn a_tolerance_below_rounding_ends_without_a_false_claim() {
        let (_, end) = minimize(stiff, vec![0.3; 20], 1e-300, 10_000, &|_| {});
        assert!(
            !end.is_converged()
                || matches!(end, Convergence::Converged { gradient_norm, .. } if gradient_norm == 0.0)
        );
    }

    #[test]
    fn how_it_ended_is_plain_json() {
        let end = Convergence::NotConverged {
            iterations: 7,
            gradient_norm: 0.5,
            reason: Stop::MaxIterations,
        };
        assert_eq!(
            serde_json::to_string(&end).unwrap(),
            r#"{"status":"not_converged","iterations":7,"gradient_norm":0.5,"reason":"max_iterations"}"#
        );
    }
}
