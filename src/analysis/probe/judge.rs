//! What a probe of classes says of the test rows, beside what its controls say.

use super::data::ClassTask;
use super::result::{Controls, Gain, Metrics, Predictions};
use super::rival::Contest;
use super::scores::{classes, probabilities};
use super::sweep::Layer;
use crate::analysis::calibration::Calibration;
use crate::analysis::matrix::Matrix;
use crate::analysis::metrics::{Confusion, Ranking, brier_scores, log_losses, weighted_mean};
use crate::error::Result;

/// The share of training rows in one class above which accuracy alone misleads.
const IMBALANCE: f64 = 0.8;
/// Areas under curves of several classes are resampled up to this many rows times classes.
const MOST_RANKED: usize = 100_000;

/// The scores of a probe and of its controls, on the test rows.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) metrics: Metrics,
    pub(super) draws: Vec<f64>,
    pub(super) predictions: Predictions,
    pub(super) controls: Controls,
    pub(super) gain: Gain,
    pub(super) selectivity: Option<f64>,
    /// What a reader of them should know.
    pub(super) warnings: Vec<String>,
}

/// Judges the linear scores of the test rows. `shuffled` says how often probes of shuffled labels took each test row for what it is.
pub(super) fn judge(
    layer: &Layer<'_>,
    task: &ClassTask,
    scores: &Matrix,
    shuffled: Option<&[f64]>,
    control_task: Option<f64>,
) -> Result<Verdict> {
    let judged = Judged::new(task, scores);
    let mut warnings = warnings(layer, task);
    let (metrics, draws) = judged.metrics(layer, task, &mut warnings)?;
    let always = right(&task.test, &vec![majority(task).0; task.test.len()]);
    let mut contest = Contest::new(layer);
    contest.enter("majority", |weights| weighted_mean(&always, weights))?;
    if let Some(hits) = shuffled {
        contest.enter("shuffled", |weights| weighted_mean(hits, weights))?;
    }
    let accuracy = metrics.get("accuracy").map(|a| a.value);
    Ok(Verdict {
        gain: contest.gain(accuracy.unwrap_or(f64::NAN), &draws),
        controls: Controls {
            majority: mean(&always),
            shuffled: shuffled.map(mean),
            control_task,
            rivals: contest.rivals(),
        },
        selectivity: accuracy
            .zip(control_task)
            .map(|(own, control)| own - control),
        predictions: judged.predictions(),
        metrics,
        draws,
        warnings,
    })
}

/// For each test row, the share of these predictions that take it for what it is; `None` without any.
pub(super) fn hits(truth: &[usize], said: &[Vec<usize>]) -> Option<Vec<f64>> {
    let mut share = vec![0.0; truth.len()];
    for predicted in said {
        let right = right(truth, predicted).into_iter();
        let pairs = share.iter_mut().zip(right);
        pairs.for_each(|(share, right)| *share += right / said.len() as f64);
    }
    (!said.is_empty()).then_some(share)
}

/// What the test rows were taken for, ready to be weighted.
struct Judged {
    classes: usize,
    predicted: Vec<usize>,
    losses: Vec<f64>,
    distances: Vec<f64>,
    calibration: Calibration,
    /// Of the second class, or of every class.
    rankings: Vec<Ranking>,
    confusion: Confusion,
    weights: Vec<f64>,
}

impl Judged {
    fn new(task: &ClassTask, scores: &Matrix) -> Self {
        let (predicted, proba) = (classes(scores), probabilities(scores));
        let positive = |class: usize| task.test.iter().map(|c| *c == class).collect();
        let rankings = match scores.cols() {
            1 => vec![Ranking::new(positive(1), scores.as_slice())],
            k => (0..k)
                .map(|c| Ranking::new(positive(c), &proba.col(c)))
                .collect(),
        };
        let weights = vec![1.0; task.test.len()];
        Self {
            classes: task.names.len(),
            calibration: Calibration::new(&task.test, &proba),
            confusion: Confusion::count(&task.test, &predicted, &weights, task.names.len()),
            losses: log_losses(&task.test, &proba),
            distances: brier_scores(&task.test, &proba),
            predicted,
            rankings,
            weights,
        }
    }

    fn metrics(
        &self,
        layer: &Layer<'_>,
        task: &ClassTask,
        warnings: &mut Vec<String>,
    ) -> Result<(Metrics, Vec<f64>)> {
        let ranked = self.rankings.len() * task.test.len() <= MOST_RANKED;
        let names = [
            "accuracy",
            "balanced_accuracy",
            "macro_f1",
            "mcc",
            "auroc",
            "auprc",
            "log_loss",
            "brier",
            "ece",
        ];
        let names = names.map(str::to_owned).to_vec();
        layer.metrics(names, warnings, |weights, resampled| {
            let confusion = Confusion::count(&task.test, &self.predicted, weights, self.classes);
            let area = |area: fn(&Ranking, &[f64]) -> Option<f64>| match ranked || !resampled {
                true => mean_of(self.rankings.iter().map(|ranking| area(ranking, weights))),
                false => None,
            };
            vec![
                confusion.accuracy(),
                confusion.balanced_accuracy(),
                confusion.macro_f1(),
                confusion.mcc(),
                area(Ranking::auroc),
                area(Ranking::auprc),
                weighted_mean(&self.losses, weights),
                weighted_mean(&self.distances, weights),
                self.calibration.error(weights),
            ]
        })
    }

    fn predictions(&self) -> Predictions {
        Predictions::Classes {
            confusion: self.confusion.counts().clone(),
            calibration: self.calibration.bins(&self.weights),
        }
    }
}

/// The mean over the classes for which a score is defined.
fn mean_of(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let values: Vec<f64> = values.flatten().collect();
    (!values.is_empty()).then(|| mean(&values))
}

/// The class with the most training rows (the first of equals), and how many it has.
fn majority(task: &ClassTask) -> (usize, usize) {
    let counts = task.training_counts().into_iter().enumerate();
    counts.fold(
        (0, 0),
        |best, (class, rows)| if rows > best.1 { (class, rows) } else { best },
    )
}

/// 1 for each row that was predicted right, else 0.
pub(super) fn right(truth: &[usize], predicted: &[usize]) -> Vec<f64> {
    let pairs = truth.iter().zip(predicted);
    pairs.map(|(a, b)| f64::from(u8::from(a == b))).collect()
}

/// The mean; NaN of nothing.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Warnings about rows and classes, whatever the kind of probe.
fn warnings(layer: &Layer<'_>, task: &ClassTask) -> Vec<String> {
    let mut warnings = layer.warnings();
    let (class, rows) = majority(task);
    let share = rows as f64 / task.train.len() as f64;
    if share > IMBALANCE {
        warnings.push(format!(
            "{:.0} % of the training rows have the class `{}`; read balanced_accuracy and mcc beside accuracy",
            100.0 * share,
            task.names[class]
        ));
    }
    warnings
}
