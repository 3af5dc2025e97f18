//! A probe of one layer: the rows cut and standardised, the right kind of probe called, its scores given intervals.

use super::data::{ClassTask, Labels, NumberTask, check_shapes};
use super::params::{Kind, SweepParams};
use super::result::{LayerResult, Metrics};
use super::standardize::Standardizer;
use super::{classify, regress};
use crate::analysis::inference::Estimate;
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use crate::text::split::Split;

/// Probes one layer: trains on the training rows of `x`, scores on its test rows, and runs the controls. All rows of `x` are given,
/// and labels and groups for all of them; rows that the split leaves out are not looked at. The same call gives the same bytes
/// on any number of threads.
///
/// # Errors
/// [`Error::BadParameter`] for parameters out of range and shapes that do not fit, [`Error::BadLabel`] for labels that cannot be
/// learned: one class only, a class among the test rows that no training row has, a constant or non-finite target.
pub fn probe_layer(
    point: &str,
    x: &Matrix,
    labels: &Labels,
    split: &Split,
    groups: Option<&[usize]>,
    params: &SweepParams,
) -> Result<LayerResult> {
    params.check()?;
    check_shapes(x.rows(), labels, split, groups)?;
    let layer = Layer::new(point, x, split, groups, params)?;
    match (params.kind, labels) {
        (
            Kind::Logistic,
            Labels::Classes {
                column,
                names,
                of_row,
            },
        ) => classify::probe(&layer, &ClassTask::new(column, names, of_row, split)?),
        (Kind::Ridge, Labels::Numbers { names, values }) => {
            regress::probe(&layer, &NumberTask::new(names, values, split)?)
        }
        (kind, labels) => Err(wrong_kind(kind, labels)),
    }
}

fn wrong_kind(kind: Kind, labels: &Labels) -> Error {
    let (value, problem) = match (kind, labels) {
        (Kind::Ridge, Labels::Classes { .. }) => {
            ("ridge", "the labels are classes; use a logistic probe")
        }
        _ => ("logistic", "the labels are numbers; use a ridge probe"),
    };
    Error::BadParameter {
        name: "kind",
        value: value.to_owned(),
        problem: problem.to_owned(),
    }
}

/// The rows of one layer, split and standardised with the statistics of the training rows.
pub(super) struct Layer<'a> {
    pub(super) point: &'a str,
    pub(super) params: &'a SweepParams,
    /// Training rows as they came: folds standardise them by themselves.
    pub(super) raw_train: Matrix,
    pub(super) train: Matrix,
    pub(super) test: Matrix,
    pub(super) train_groups: Option<Vec<usize>>,
    test_groups: Option<Vec<usize>>,
}

impl<'a> Layer<'a> {
    fn new(
        point: &'a str,
        x: &Matrix,
        split: &Split,
        groups: Option<&[usize]>,
        params: &'a SweepParams,
    ) -> Result<Self> {
        let raw_train = x.select(&split.train);
        let standardizer = Standardizer::fit(&raw_train);
        let of = |rows: &[usize]| groups.map(|g| rows.iter().map(|row| g[*row]).collect());
        Ok(Self {
            point,
            params,
            train: standardizer.apply(&raw_train)?,
            test: standardizer.apply(&x.select(&split.test))?,
            raw_train,
            train_groups: of(&split.train),
            test_groups: of(&split.test),
        })
    }

    /// Scores of the test rows with their intervals, as functions of how often each row counts. One that the test rows do not
    /// define is left out, and a warning says so.
    pub(super) fn metrics(
        &self,
        names: Vec<String>,
        warnings: &mut Vec<String>,
        scores: impl Fn(&[f64]) -> Vec<Option<f64>> + Sync,
    ) -> Result<Metrics> {
        let rows = self.test.rows();
        let values = scores(&vec![1.0; rows]);
        let bootstrap = self.params.bootstrap();
        let intervals = bootstrap.intervals(rows, self.test_groups.as_deref(), scores)?;
        let mut metrics = Metrics::default();
        for ((name, value), interval) in names.into_iter().zip(values).zip(intervals) {
            match value {
                Some(value) => metrics.0.push((name, Estimate::new(value, interval))),
                None => warnings.push(format!(
                    "{name} is not defined on these test rows, and left out"
                )),
            }
        }
        Ok(metrics)
    }

    /// The warning for too few rows, if it is due.
    pub(super) fn few_rows(&self) -> Option<String> {
        let (n, d) = (self.train.rows(), self.train.cols());
        (n < 2 * d).then(|| {
            format!("{n} training rows for {d} features: a linear probe can fit almost any labels, so read it against the shuffled control")
        })
    }
}
