//! What a probe of one layer found, beside the controls that it must be read against.

use super::readout::Readout;
use super::solver::Convergence;
use crate::analysis::calibration::CalibrationBin;
use crate::analysis::inference::Estimate;
use crate::analysis::matrix::Matrix;
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

/// What the main metric is without the activations, or without the labels: the scores of controls, by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Controls {
    /// The best constant: the majority class of the training rows, or the mean of their targets (whose R² on test rows is 0 or a little
    /// below).
    pub majority: f64,
    /// The mean over probes trained in the same way, choice of λ and all, on shuffled training labels, scored on the true test labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shuffled: Option<f64>,
    /// The mean over control tasks (Hewitt & Liang 2019): each type gets a random label, in training and test rows alike, so that a probe
    /// can only learn it by heart. Scored on the test rows whose type has training rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_task: Option<f64>,
    /// Probes of something else than this layer, trained in the same way: text length, a bag of words, the embeddings, a model with random
    /// weights.
    #[serde(flatten)]
    pub rivals: Rivals,
}

/// Main metrics of rivals, by name, in the order in which they were run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rivals(pub Vec<(String, f64)>);

impl Serialize for Rivals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// How far the probe is above the best of its controls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    /// The control that scored best on the test rows.
    pub over: String,
    /// The difference of the main metric, with the interval of paired resamples.
    #[serde(flatten)]
    pub gain: Estimate,
}

/// How many bits the labels take when they are sent one portion after another, each coded by the probe trained on those before it (online
/// coding; Voita & Titov 2020), over the training rows in a seeded order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Codelength {
    /// With the true labels.
    pub bits: f64,
    /// With shuffled labels.
    pub control_bits: f64,
    /// With every label equally likely.
    pub uniform_bits: f64,
    /// `uniform_bits / bits`.
    pub compression: f64,
    /// `uniform_bits / control_bits`.
    pub control_compression: f64,
    /// After how many rows each probe was trained anew.
    pub portions: Vec<usize>,
}

/// What the test rows were taken for.
#[derive(Debug, Clone, PartialEq)]
pub enum Predictions {
    /// Classes.
    Classes {
        /// Rows by true class and predicted class, `[truth, predicted]`.
        confusion: Matrix,
        /// How often the probe is right when it says how sure it is.
        calibration: Vec<CalibrationBin>,
    },
    /// Numbers, `[rows, targets]`.
    Numbers {
        /// The true ones.
        truth: Matrix,
        /// The predicted ones.
        predicted: Matrix,
    },
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
    /// The main metric on held-out folds of the training rows, by which the layer is chosen; none where there were too few rows for folds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inner_score: Option<f64>,
    /// The main metric on the training rows.
    pub train_score: f64,
    /// What the scores must be read against.
    pub controls: Controls,
    /// The main metric above that of the best control: the headline.
    pub gain: Gain,
    /// The main metric above that of the control task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selectivity: Option<f64>,
    /// How short a code the probe makes for the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codelength: Option<Codelength>,
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
    /// What the test rows were taken for, for charts.
    #[serde(skip)]
    pub predictions: Predictions,
    /// The main metric on each resample of the test rows. All layers have the same resamples, so that differences can be judged.
    #[serde(skip)]
    pub draws: Vec<f64>,
}
