//! Fits along a path of penalties, many at once.

use super::frame::Frame;
use super::loss::{Ask, Axes, Loss, Targets};
use super::solver::{Convergence, Lbfgs, Settings};
use crate::error::Result;
use rayon::prelude::*;

/// Columns that are solved together at most: enough for a product to be fast, few enough for memory not to grow with the number of fits.
const MOST_COLUMNS: usize = 128;
/// Classes that next to no row has still have a curvature.
const LEAST_CURVATURE: f64 = 1e-3;

/// One label vector, fitted to the rows of one frame for one penalty after another.
#[derive(Debug, Clone)]
pub(super) struct Job<'a, T> {
    pub(super) frame: &'a Frame,
    pub(super) targets: &'a Targets<T>,
    /// Each is solved from the solution of the one before.
    pub(super) lambdas: &'a [f64],
    /// Where the first one starts; none for the shares of the classes.
    pub(super) start: Option<&'a [f64]>,
}

/// One penalty of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) end: Convergence,
    /// Rows of the fold that the frame leaves out which come out right.
    pub(super) right: f64,
}

/// A path that was walked: a step for each penalty, and the solution for the last one, along the axes of the frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Walked {
    pub(super) steps: Vec<Step>,
    pub(super) point: Vec<f64>,
}

/// Walks all paths. Each pass over the rows serves all fits that are at work; where one ends, the next one begins.
///
/// # Errors
/// Those of reading rows.
pub(super) fn walk<T: Axes>(
    loss: &Loss<'_, T>,
    jobs: &[Job<'_, T>],
    tolerance: f64,
    max_iterations: usize,
) -> Result<Vec<Walked>> {
    let settings = Settings {
        tolerance,
        max_iterations,
        rounding: T::ROUNDING,
        memory: T::MEMORY,
    };
    let room = (MOST_COLUMNS / loss.outputs()).max(1);
    let mut waiting = jobs.iter().enumerate();
    let mut running: Vec<Walk<'_, T>> = Vec::new();
    let mut walked: Vec<(usize, Walked)> = Vec::new();
    loop {
        let begin = |(number, job)| Walk::new(loss, number, job, settings);
        running.extend(waiting.by_ref().take(room - running.len()).map(begin));
        if running.is_empty() {
            break;
        }
        // Fits of one frame side by side.
        running.sort_by_key(|walk| (std::ptr::from_ref(walk.job.frame) as usize, walk.number));
        let asked: Vec<Ask<'_, T>> = running.iter().map(Walk::ask).collect();
        let told = loss.evaluate(&asked)?;
        running
            .par_iter_mut()
            .zip(told)
            .for_each(|(walk, told)| walk.tell(told));
        let (done, left) = running.into_iter().partition(Walk::is_done);
        running = left;
        let done: Vec<Walk<'_, T>> = done;
        walked.extend(done.into_iter().map(Walk::end));
    }
    walked.sort_by_key(|(number, _)| *number);
    Ok(walked.into_iter().map(|(_, walked)| walked).collect())
}

/// A path at work.
struct Walk<'a, T> {
    number: usize,
    job: &'a Job<'a, T>,
    solver: Lbfgs,
    /// Of the point that the solver stands at.
    right: f64,
    /// Along each axis, and of each output: the bound on the curvature is the product, plus the penalty.
    curvature: Vec<f64>,
    steps: Vec<Step>,
}

impl<'a, T: Axes> Walk<'a, T> {
    fn new(loss: &Loss<'_, T>, number: usize, job: &'a Job<'a, T>, settings: Settings) -> Self {
        let shares = loss.shares(job.targets, job.frame);
        let least = 0.5 / job.frame.rows as f64;
        let logs: Vec<f64> = shares.iter().map(|share| share.max(least).ln()).collect();
        let (axes, outputs) = (job.frame.axes(), loss.outputs());
        let start = match (job.start, &logs[..]) {
            (Some(start), _) => start.to_vec(),
            (None, logs) => {
                let mut start = vec![0.0; axes * outputs];
                let mean = logs.iter().sum::<f64>() / logs.len() as f64;
                match outputs {
                    1 => start.push(logs[1] - logs[0]),
                    _ => start.extend(logs.iter().map(|log| log - mean)),
                }
                start
            }
        };
        // The Hessian of a probe that knows the shares alone.
        let shares = &shares[shares.len() - outputs..];
        Self {
            number,
            job,
            solver: Lbfgs::new(start, settings),
            right: 0.0,
            curvature: shares
                .iter()
                .map(|share| (share * (1.0 - share)).max(LEAST_CURVATURE))
                .collect(),
            steps: Vec::with_capacity(job.lambdas.len()),
        }
    }

    fn lambda(&self) -> f64 {
        self.job
            .lambdas
            .get(self.steps.len())
            .copied()
            .unwrap_or(f64::NAN)
    }

    fn ask(&self) -> Ask<'_, T> {
        Ask {
            point: self.solver.ask(),
            frame: self.job.frame,
            targets: self.job.targets,
            lambda: self.lambda(),
        }
    }

    fn tell(&mut self, told: super::loss::Told) {
        let inverse = self.inverse_curvature(self.lambda());
        self.solver.tell(told.value, told.gradient, &inverse);
        if self.solver.took() {
            self.right = told.right;
        }
        let penalized = self.job.frame.axes() * self.curvature.len();
        while let Some(end) = self.solver.end() {
            let before = self.lambda();
            self.steps.push(Step {
                end,
                right: self.right,
            });
            if self.is_done() {
                return;
            }
            let inverse = self.inverse_curvature(self.lambda());
            self.solver
                .repenalize(self.lambda() - before, penalized, &inverse);
        }
    }

    fn inverse_curvature(&self, lambda: f64) -> impl Fn(&mut Vec<f64>) + use<'a, T> {
        let curvature = self.curvature.clone();
        let variance = self.job.frame.basis.variance();
        move |v: &mut Vec<f64>| {
            let (weights, intercepts) = v.split_at_mut(variance.len() * curvature.len());
            let outputs = weights.chunks_exact_mut(variance.len().max(1));
            for (weights, curvature) in outputs.zip(&curvature) {
                let pairs = weights.iter_mut().zip(variance);
                pairs.for_each(|(w, variance)| *w /= curvature * variance + lambda);
            }
            let pairs = intercepts.iter_mut().zip(&curvature);
            pairs.for_each(|(b, curvature)| *b /= curvature);
        }
    }

    fn is_done(&self) -> bool {
        self.steps.len() >= self.job.lambdas.len()
    }

    fn end(self) -> (usize, Walked) {
        let walked = Walked {
            steps: self.steps,
            point: self.solver.into_point(),
        };
        (self.number, walked)
    }
}
