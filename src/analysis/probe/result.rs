//! What a probe of one layer found, beside the controls that it must be read against.

use super::readout::Readout;
use super::solver::Convergence;
use crate::analysis::inference::Estimate;
use serde::{Serialize, Serializer};

/// Scores on the test rows, by name, in the order in which they are to be shown: the main metric first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics(pub Vec<(String, Estimate)>);

impl Metrics {
    /// The score of this name.
    pub fn get(&self, name: &str) -> Option<Estimate> {
        self.iter().find(|(n, _)| *n == name).map(|(_, e)| e)
    }

    /// Names and scores, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Estimate)> {
        self.0
            .iter()
            .map(|(name, estimate)| (name.as_str(), *estimate))
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// What the main metric is without the activations, or without the labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Controls {
    /// The main metric of the best constant: the majority class of the training rows, or the mean of their targets (whose R² on
    /// test rows is 0 or a little below).
    pub majority: f64,
    /// The mean main metric of probes trained in the same way on shuffled training labels, scored on the true test labels. A
    /// selective probe is far above it (compare Hewitt & Liang 2019, whose control task keeps test labels random too).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuffled: Option<f64>,
}

/// A probe of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerResult {
    /// The hook point that the activations come from.
    pub hook_point: String,
    /// The penalty that the probe was trained with.
    pub lambda: f64,
    /// The name of the metric that `train_score` and the controls are given in.
    pub main_metric: &'static str,
    /// Scores on the test rows.
    pub metrics: Metrics,
    /// The main metric on the training rows.
    pub train_score: f64,
    /// What the scores must be read against.
    pub controls: Controls,
    /// How the fit ended; none for ridge, which is solved in closed form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub convergence: Option<Convergence>,
    /// Of a CCS probe, the main metric of every random start, those of the lowest loss first: how far the score is luck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<Vec<f64>>,
    /// The classes, or the targets.
    pub outputs: Vec<String>,
    /// Features of a row.
    pub n_features: usize,
    /// Training rows.
    pub n_train: usize,
    /// Test rows.
    pub n_test: usize,
    /// What a reader of the numbers should know, one sentence each.
    pub warnings: Vec<String>,
    /// The probe that was scored, where it is linear. Numbers for a machine: a probe file holds them, the JSON does not.
    #[serde(skip)]
    pub readout: Option<Readout>,
}
