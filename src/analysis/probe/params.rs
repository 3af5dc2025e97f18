//! How layers are probed.

use super::check_lambda;
use super::choose::Search;
use super::logistic::LogisticParams;
use crate::analysis::inference::Bootstrap;
use crate::error::{Error, Result};
use serde::Serialize;

/// The penalties that are tried unless others are given: decades from 1e-4 to 10.
pub const DEFAULT_GRID: [f64; 6] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0];

/// Coordinates of a k-sparse probe, unless another number is given.
pub const DEFAULT_K: usize = 16;

/// Folds of the training rows, unless another number is given.
const FOLDS: usize = 5;

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Logistic regression, for classes. The main metric is accuracy, as of all kinds but ridge.
    Logistic,
    /// Ridge regression, for numbers. The main metric is R², the mean over targets where there are several.
    Ridge,
    /// Linear discriminant analysis.
    Lda,
    /// The difference of the classes' means (Marks & Tegmark 2023).
    MassMean,
    /// The same, tilted by the inverse of the covariance within classes.
    MassMeanWhitened,
    /// The first principal component of the differences of pairs (Zou et al. 2023). Two classes.
    Lat,
    /// Contrast-consistent search (Burns et al. 2023). Two classes; pairs.
    Ccs,
    /// Truth × polarity (Bürger et al. 2024). Two classes; polarity.
    Ttpd,
    /// Logistic regression on the `k` best coordinates (Gurnee et al. 2023).
    KSparse,
    /// One hidden layer: the contrast in capacity. It is no direction.
    Mlp,
}

impl Kind {
    /// The name of the metric that controls are given in.
    pub fn main_metric(self) -> &'static str {
        match self {
            Kind::Ridge => "r2",
            _ => "accuracy",
        }
    }

    /// The name, as on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Logistic => "logistic",
            Kind::Ridge => "ridge",
            Kind::Lda => "lda",
            Kind::MassMean => "mass-mean",
            Kind::MassMeanWhitened => "mass-mean-whitened",
            Kind::Lat => "lat",
            Kind::Ccs => "ccs",
            Kind::Ttpd => "ttpd",
            Kind::KSparse => "k-sparse",
            Kind::Mlp => "mlp",
        }
    }

    /// Whether it learns numbers; the others learn classes.
    pub fn is_numeric(self) -> bool {
        self == Kind::Ridge
    }
}

/// The penalty λ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lambda {
    /// This one.
    Fixed(f64),
    /// The one that does best on held-out folds of the training rows; the largest of equals.
    Choose {
        /// What is tried.
        grid: Vec<f64>,
        /// Into how many folds the training rows are cut, by class and, where there are groups, by group.
        folds: usize,
    },
}

/// How layers are probed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepParams {
    /// Which probe.
    pub kind: Kind,
    /// The penalty.
    pub lambda: Lambda,
    /// The one seed of folds, shuffles and resamples.
    pub seed: u64,
    /// Shuffles of the training labels that the `shuffled` control averages; 0 for none.
    pub shuffles: usize,
    /// Control tasks that the `control_task` control averages, where rows have types; 0 for none.
    pub control_tasks: usize,
    /// Whether a λ that is given is scored on folds of the training rows too, to choose a layer by.
    pub inner_folds: bool,
    /// Whether to compute the online codelength of the labels.
    pub codelength: bool,
    /// Resamples for the intervals; 0 for none.
    pub bootstrap: usize,
    /// The Euclidean length of the gradient at which a logistic fit counts as converged. Fits on folds and to shuffled labels end at 1e-4,
    /// or at this if it is larger.
    pub tolerance: f64,
    /// Steps after which a logistic fit ends, converged or not.
    pub max_iterations: usize,
    /// Coordinates of a k-sparse probe.
    pub k: usize,
}

impl SweepParams {
    /// The defaults for this kind of probe: λ chosen from [`DEFAULT_GRID`] by 5 folds, 5 shuffles, 1000 resamples, seed 0.
    pub fn new(kind: Kind) -> Self {
        let solver = LogisticParams::default();
        Self {
            kind,
            lambda: Lambda::Choose {
                grid: DEFAULT_GRID.to_vec(),
                folds: FOLDS,
            },
            seed: 0,
            shuffles: 5,
            control_tasks: 3,
            inner_folds: true,
            codelength: true,
            bootstrap: Bootstrap::default().resamples,
            tolerance: solver.tolerance,
            max_iterations: solver.max_iterations,
            k: DEFAULT_K,
        }
    }

    /// Checks the ranges; [`super::probe_layer`] does it too, but a caller may want to know before the expensive work.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<()> {
        let bad = |name: &'static str, value: usize, problem: &str| {
            Err(Error::BadParameter {
                name,
                value: value.to_string(),
                problem: problem.to_owned(),
            })
        };
        match &self.lambda {
            Lambda::Fixed(lambda) => check_lambda(*lambda)?,
            Lambda::Choose { grid, .. } if grid.is_empty() => {
                return bad("grid", 0, "give at least one λ to choose from");
            }
            Lambda::Choose { folds, .. } if *folds < 2 => {
                return bad("folds", *folds, "choosing λ needs at least 2 folds");
            }
            Lambda::Choose { grid, .. } => grid.iter().try_for_each(|l| check_lambda(*l))?,
        }
        self.solver(1.0).check().map(|_| ())
    }

    pub(super) fn solver(&self, lambda: f64) -> LogisticParams {
        LogisticParams {
            lambda,
            tolerance: self.tolerance,
            max_iterations: self.max_iterations,
        }
    }

    /// How λ is searched: over a grid of one, where it is given.
    pub(super) fn search(&self) -> Search {
        match &self.lambda {
            Lambda::Fixed(lambda) => Search::new(&[*lambda], FOLDS, self.seed),
            Lambda::Choose { grid, folds } => Search::new(grid, *folds, self.seed),
        }
    }

    pub(super) fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            resamples: self.bootstrap,
            seed: self.seed,
            ..Bootstrap::default()
        }
    }
}
