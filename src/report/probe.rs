//! A probe of every layer, as people carry it away: as JSON, and as a chart.

use super::checklist::{Check, checklist};
use super::curve::LayerCurve;
use super::kinds::{Cosines, KindLayers};
use super::table::with_interval;
use crate::analysis::inference::Estimate;
use crate::analysis::probe::{
    Audit, ChosenLayer, Comparison, Kind, LayerResult, Metrics, SweepParams,
};
use crate::figure::{Figure, Footer, LineChart, Series, Style};
use crate::hook::{HookPoint, Site};
use crate::store::Manifest;
use crate::text::words::Subwords;
use serde::{Deserialize, Serialize};

/// Version of the JSON that [`ProbeReport`] serialises to.
pub const SCHEMA_VERSION: u32 = 1;

/// Probes of all layers of a run, with everything needed to make them again.
#[derive(Debug, Clone, Serialize)]
pub struct ProbeReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// The label column, or the columns of several targets.
    pub label: Vec<String>,
    /// How layers were probed.
    pub params: SweepParams,
    /// How rows were divided.
    pub split: SplitCard,
    /// Where the activations come from.
    pub source: Source,
    /// Where those of the test rows come from, if from another run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_source: Option<Source>,
    /// What a row is.
    pub rows: RowsCard,
    /// The layer that was chosen, and those that cannot be told from it; none for kinds that have no score on inner folds.
    #[serde(flatten)]
    pub comparison: Option<Comparison>,
    /// What was found before training.
    pub audit: Audit,
    /// Controls that read something else than a layer.
    pub baselines: Vec<Baseline>,
    /// Controls that were not run.
    pub not_run: Vec<NotRun>,
    /// One entry a hook point, in order of depth.
    pub layers: Vec<LayerResult>,
    /// The same of other kinds of probes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindLayers>,
    /// How the score grows with the training rows, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub learning_curve: Vec<LayerCurve>,
    /// The cosines between the directions of all kinds, a hook point an entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cosines: Vec<Cosines>,
}

/// A control that reads something else than a layer, probed in the same way.
#[derive(Debug, Clone, Serialize)]
pub struct Baseline {
    /// Its name, as among the controls of a layer.
    pub control: String,
    /// Features of a row.
    pub n_features: usize,
    /// The penalty.
    pub lambda: f64,
    /// Scores on the test rows.
    pub metrics: Metrics,
}

/// A control that was not run.
#[derive(Debug, Clone, Serialize)]
pub struct NotRun {
    /// Its name.
    pub control: String,
    /// Why not.
    pub why: String,
}

/// A report with its checklist.
#[derive(Debug, Serialize)]
pub struct Checked<'a> {
    /// The report.
    #[serde(flatten)]
    pub report: &'a ProbeReport,
    /// What a reviewer asks, each with its number.
    pub checklist: Vec<Check>,
}

/// How rows were divided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitCard {
    /// `column NAME`, `stratified`, or `grouped by NAME`.
    pub how: String,
    /// Training rows.
    pub train: usize,
    /// Test rows.
    pub test: usize,
    /// Rows without a label.
    pub unlabelled: usize,
    /// Rows in neither part, by the value of the split column.
    pub left_out: Vec<(String, usize)>,
    /// Which rows of the run were trained on, as [`ranges_of`] writes them.
    pub train_rows: String,
    /// Which rows of the run were tested on.
    pub test_rows: String,
}

/// Rows as ranges with both ends, in ascending order: `0-3,7`.
pub fn ranges_of(rows: &[usize]) -> String {
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    let mut parts = Vec::new();
    let mut rest = rows.as_slice();
    while let Some(first) = rest.first() {
        let run = rest.iter().zip(*first..).take_while(|(a, b)| **a == *b);
        let run = run.count();
        parts.push(match run {
            1 => first.to_string(),
            _ => format!("{first}-{}", first + run - 1),
        });
        rest = &rest[run..];
    }
    parts.join(",")
}

/// Reads what [`ranges_of`] wrote of a run with `count` rows; `None` for anything else.
pub fn rows_of(ranges: &str, count: usize) -> Option<Vec<usize>> {
    let mut rows = Vec::new();
    for part in ranges.split(',').filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        // In ascending order, so that there are never more rows than the run has.
        if last < first || last >= count || rows.last().is_some_and(|before| first <= *before) {
            return None;
        }
        rows.extend(first..=last);
    }
    Some(rows)
}

/// What the rows of a probe are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowsCard {
    /// `text`, `token`, `word` or `span`.
    pub unit: String,
    /// How the tokens of a word or span became one vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subwords: Option<Subwords>,
    /// Words or spans that no token stands for, left out: mostly those behind the end of a text that was cut.
    #[serde(default)]
    pub without_tokens: usize,
    /// Whether every head was read by itself.
    #[serde(default)]
    pub per_head: bool,
}

impl RowsCard {
    /// What a row is, in words: `words (first sub-word)`.
    pub(super) fn said(&self) -> Option<String> {
        let heads = if self.per_head { ", head by head" } else { "" };
        let how = match self.subwords {
            Some(Subwords::First) => " (first sub-word)",
            Some(Subwords::Last) => " (last sub-word)",
            Some(Subwords::Mean) => " (mean of sub-words)",
            None => "",
        };
        let left_out = match self.without_tokens {
            0 => String::new(),
            n => format!(", {n} without a token left out"),
        };
        let plain = self.unit == "text" && !self.per_head;
        (!plain).then(|| format!("{}s{how}{heads}{left_out}", self.unit))
    }
}

/// Where activations come from.
#[derive(Debug, Clone, Serialize)]
pub struct Source {
    /// The run's folder.
    pub run: String,
    /// The model, as it was named.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// The data, as they were named.
    pub data: String,
    /// SHA-256 of the data file.
    pub data_sha256: String,
    /// How tokens were pooled.
    pub pool: crate::store::Pool,
    /// Whether special tokens counted.
    pub special_tokens: crate::store::SpecialTokens,
}

impl Source {
    /// From a run's manifest.
    pub fn new(run: &std::path::Path, manifest: &Manifest) -> Self {
        let plan = &manifest.plan;
        Self {
            run: run.display().to_string(),
            model: plan.model.name.clone(),
            weights_sha256: plan.model.weights_sha256.clone(),
            data: plan.data.name.clone(),
            data_sha256: plan.data.sha256.clone(),
            pool: plan.pool.clone(),
            special_tokens: plan.special_tokens,
        }
    }
}

impl ProbeReport {
    /// The name of the metric that controls are given in.
    pub(super) fn main_metric(&self) -> &'static str {
        self.params.kind.main_metric()
    }

    /// The main metric of a layer.
    pub(super) fn main(&self, layer: &LayerResult) -> Option<Estimate> {
        layer.metrics.get(self.main_metric())
    }

    /// The report with its checklist, to be written as JSON.
    pub fn checked(&self) -> Checked<'_> {
        Checked {
            report: self,
            checklist: checklist(self),
        }
    }

    /// The layer that was chosen on inner folds.
    pub fn chosen(&self) -> Option<(&ChosenLayer, &LayerResult)> {
        let chosen = &self.comparison.as_ref()?.chosen_layer;
        Some((chosen, self.layers.get(chosen.place)?))
    }

    /// The chart: the score by layer with a band that holds for all layers at once, and the controls.
    pub fn chart(&self) -> Figure {
        let metric = match self.params.kind {
            Kind::Ridge => "R²",
            _ => "accuracy",
        };
        let line = |value: &dyn Fn(&LayerResult) -> Option<f64>| -> Vec<(f64, f64)> {
            let values = self.layers.iter().enumerate();
            values
                .map(|(i, l)| (i as f64, value(l).unwrap_or(f64::NAN)))
                .collect()
        };
        let band = |layer: &LayerResult| {
            let estimate = self.main(layer)?;
            Some((estimate.low?, estimate.high?))
        };
        let simultaneous = self.comparison.as_ref();
        let simultaneous = simultaneous.and_then(|c| c.simultaneous_band.as_ref());
        let band: Option<Vec<(f64, f64)>> = match simultaneous {
            Some(band) => Some(band.layers.iter().map(|l| (l.low, l.high)).collect()),
            None => self.layers.iter().map(band).collect(),
        };
        let control = |name: &str, points: Vec<(f64, f64)>| Series {
            name: name.to_owned(),
            points,
            band: None,
            style: Style::Control,
        };
        let mut series = vec![
            Series {
                name: format!("probe ({metric})"),
                points: line(&|l| self.main(l).map(|e| e.value)),
                band,
                style: Style::Headline,
            },
            control(
                match self.params.kind {
                    Kind::Ridge => "mean of the training rows",
                    _ => "majority class",
                },
                line(&|l| Some(l.controls.majority)),
            ),
        ];
        if self.params.shuffles > 0 {
            series.push(control("shuffled labels", line(&|l| l.controls.shuffled)));
        }
        let rivals = self.layers.iter().flat_map(|l| &l.controls.rivals.0);
        let mut names: Vec<&str> = Vec::new();
        rivals.for_each(|(name, _)| {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        });
        for name in names {
            let of = |l: &LayerResult| Some(l.controls.rivals.0.iter().find(|r| r.0 == name)?.1);
            series.push(control(&name.replace('_', " "), line(&of)));
        }
        let (x_label, ticks) = axis(&self.layers);
        Figure::Line(LineChart {
            title: match self.chosen() {
                None => format!(
                    "What a linear probe reads of “{}” ({}), layer by layer",
                    self.label.join(", "),
                    file_name(&self.source.data)
                ),
                Some((chosen, _)) => format!(
                    "What a linear probe reads of “{}” ({}): gain {} over {} at {}",
                    self.label.join(", "),
                    file_name(&self.source.data),
                    shown(chosen.gain.gain),
                    chosen.gain.over.replace('_', " "),
                    chosen.hook_point,
                ),
            },
            x_label,
            y_label: match (self.params.bootstrap, simultaneous) {
                (0, _) => format!("{metric} on test rows"),
                (_, Some(_)) => format!("{metric} on test rows, 95 % band over all layers"),
                (_, None) => format!("{metric} on test rows, 95 % interval"),
            },
            x_ticks: Some(ticks),
            // Below 0 a probe is worse than a constant; how much worse says nothing.
            y_range: match self.params.kind {
                Kind::Ridge => Some((-0.25, 1.0)),
                _ => None,
            },
            series,
            footer: self.footer(),
            ..LineChart::default()
        })
    }

    /// What stands under every figure of this report.
    pub fn footer(&self) -> Footer {
        Footer {
            command: self.command.clone(),
            data: format!(
                "data sha256 {} · weights sha256 {} · {} training and {} test rows · seed {}",
                short(&self.source.data_sha256),
                short(&self.source.weights_sha256),
                self.split.train,
                self.split.test,
                self.params.seed,
            ),
        }
    }

    /// The title of an axis of hook points, and a name for each.
    pub fn axis(&self) -> (String, Vec<String>) {
        axis(&self.layers)
    }
}

/// A number with its interval, where it has one.
pub(super) fn shown(estimate: Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => with_interval(estimate.value, low, high),
        _ => format!("{:.3}", estimate.value),
    }
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    let name = std::path::Path::new(path).file_name();
    name.and_then(|n| n.to_str()).unwrap_or(path)
}

/// The first digits of a hash, enough to tell files apart.
pub fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}

/// The title of the x axis and a tick for each layer.
fn axis(layers: &[LayerResult]) -> (String, Vec<String>) {
    let names: Vec<&str> = layers.iter().map(|l| l.hook_point.as_str()).collect();
    layer_axis(&names)
}

/// The title of an axis of layers and a tick for each: block numbers where the points are the residual stream's, else names.
pub(super) fn layer_axis(names: &[&str]) -> (String, Vec<String>) {
    let tick = |name: &&str| -> Option<String> {
        let point: HookPoint = name.parse().ok()?;
        match (point.site(), point.layer()) {
            (Site::ResidPost, Some(layer)) => Some(layer.to_string()),
            (Site::ResidPre, Some(0)) => Some("input".to_owned()),
            (Site::FinalNorm, _) => Some("norm".to_owned()),
            _ => None,
        }
    };
    match names.iter().map(tick).collect() {
        Some(ticks) => (
            "resid_post of block (input: what block 0 reads)".to_owned(),
            ticks,
        ),
        None => (
            "hook point".to_owned(),
            names.iter().map(|name| (*name).to_owned()).collect(),
        ),
    }
}
