//! A probe of every layer, as people carry it away: JSON, a table, a chart.

use super::table::{Align, Cell, Table, with_interval};
use crate::analysis::inference::Estimate;
use crate::analysis::probe::{Kind, LayerResult, SweepParams};
use crate::figure::{Figure, Footer, LineChart, Series, Style};
use crate::hook::{HookPoint, Site};
use crate::store::Manifest;
use serde::Serialize;

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
    /// One entry a hook point, in order of depth.
    pub layers: Vec<LayerResult>,
}

/// How rows were divided.
#[derive(Debug, Clone, Serialize)]
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
    fn main_metric(&self) -> &'static str {
        self.params.kind.main_metric()
    }

    fn main(&self, layer: &LayerResult) -> Option<Estimate> {
        layer.metrics.get(self.main_metric())
    }

    /// The table for the terminal, with what must be known to read it.
    pub fn table(&self, styled: bool) -> String {
        let metric = self.main_metric();
        let score = match self.params.bootstrap {
            0 => metric.to_owned(),
            _ => format!("{metric} [95 %]"),
        };
        let control = match self.params.kind {
            Kind::Logistic => "majority",
            Kind::Ridge => "mean",
        };
        let mut table = Table::new([
            ("layer".to_owned(), Align::Left),
            (score, Align::Right),
            (control.to_owned(), Align::Right),
            ("shuffled".to_owned(), Align::Right),
            ("train".to_owned(), Align::Right),
            ("λ".to_owned(), Align::Right),
        ])
        .styled(styled);
        for layer in &self.layers {
            let shuffled = layer.controls.shuffled.map(|s| format!("{s:.3}"));
            table.row([
                Cell::from(layer.hook_point.clone()),
                Cell::bold(self.main(layer).map(shown).unwrap_or_default()),
                Cell::dim(format!("{:.3}", layer.controls.majority)),
                Cell::dim(shuffled.unwrap_or_default()),
                Cell::from(format!("{:.3}", layer.train_score)),
                Cell::from(layer.lambda.to_string()),
            ]);
        }
        format!("{table}{}", self.notes())
    }

    /// One line on the split, and each warning once, with the layers that it is about.
    fn notes(&self) -> String {
        let split = &self.split;
        let mut notes = format!(
            "{}: {} training rows, {} test rows ({})",
            self.label.join(", "),
            split.train,
            split.test,
            split.how
        );
        if split.unlabelled > 0 {
            notes += &format!(", {} without a label left out", split.unlabelled);
        }
        for (value, rows) in &split.left_out {
            notes += &format!(", {rows} of `{value}` left out");
        }
        notes.push('\n');
        let mut warnings: Vec<(&str, Vec<&str>)> = Vec::new();
        for layer in &self.layers {
            for warning in &layer.warnings {
                match warnings.iter_mut().find(|(w, _)| w == warning) {
                    Some((_, layers)) => layers.push(&layer.hook_point),
                    None => warnings.push((warning, vec![&layer.hook_point])),
                }
            }
        }
        for (warning, layers) in warnings {
            let place = match layers.len() == self.layers.len() {
                true => "all layers".to_owned(),
                false => layers.join(", "),
            };
            notes += &format!("warning ({place}): {warning}\n");
        }
        notes
    }

    /// The chart: the score by layer with its interval, and the controls.
    pub fn chart(&self) -> Figure {
        let metric = match self.params.kind {
            Kind::Logistic => "accuracy",
            Kind::Ridge => "R²",
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
        let band: Option<Vec<(f64, f64)>> = self.layers.iter().map(band).collect();
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
                    Kind::Logistic => "majority class",
                    Kind::Ridge => "mean of the training rows",
                },
                line(&|l| Some(l.controls.majority)),
            ),
        ];
        if self.params.shuffles > 0 {
            series.push(control("shuffled labels", line(&|l| l.controls.shuffled)));
        }
        let (x_label, ticks) = axis(&self.layers);
        Figure::Line(LineChart {
            title: format!(
                "What a linear probe reads of “{}” ({}), layer by layer",
                self.label.join(", "),
                file_name(&self.source.data)
            ),
            x_label,
            y_label: match self.params.bootstrap {
                0 => format!("{metric} on test rows"),
                _ => format!("{metric} on test rows, 95 % interval"),
            },
            x_ticks: Some(ticks),
            // Below 0 a probe is worse than a constant; how much worse says nothing.
            y_range: match self.params.kind {
                Kind::Logistic => None,
                Kind::Ridge => Some((-0.25, 1.0)),
            },
            series,
            footer: Footer {
                command: self.command.clone(),
                data: format!(
                    "data sha256 {} · weights sha256 {} · {} training and {} test rows · seed {}",
                    short(&self.source.data_sha256),
                    short(&self.source.weights_sha256),
                    self.split.train,
                    self.split.test,
                    self.params.seed,
                ),
            },
            ..LineChart::default()
        })
    }
}

fn shown(estimate: Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => with_interval(estimate.value, low, high),
        _ => format!("{:.3}", estimate.value),
    }
}

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
