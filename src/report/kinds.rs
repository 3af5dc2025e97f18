//! Several kinds of probes of the same layers beside each other: scores, and the cosines between their directions.

use super::probe::{ProbeReport, shown};
use super::table::{Align, Table};
use crate::analysis::probe::{Kind, LayerResult, Link, Readout};
use crate::figure::{ColorScale, Figure, HeatMap, LineChart, Series, Style};
use serde::Serialize;

/// The layers as another kind of probe reads them.
#[derive(Debug, Clone, Serialize)]
pub struct KindLayers {
    /// The kind.
    pub kind: Kind,
    /// As in the report's own `layers`.
    pub layers: Vec<LayerResult>,
}

/// How far the directions of several kinds agree at a hook point.
#[derive(Debug, Clone, Serialize)]
pub struct Cosines {
    /// The hook point.
    pub hook_point: String,
    /// The kinds that are directions.
    pub kinds: Vec<Kind>,
    /// The cosine of each with each, in the model's own space; with more than two classes, the mean over classes. `null` beside a direction
    /// of length zero.
    pub values: Vec<Vec<Option<f64>>>,
}

/// The cosines between the probes of a layer.
pub fn cosines(probes: &[(Kind, &LayerResult)]) -> Option<Cosines> {
    let readouts = probes
        .iter()
        .filter_map(|(kind, layer)| Some((*kind, layer.readout.as_ref()?)));
    let directions: Vec<(Kind, Vec<Vec<f64>>)> =
        readouts.map(|(kind, r)| (kind, directions(r))).collect();
    let row = |a: &Vec<Vec<f64>>| directions.iter().map(|(_, b)| mean_cosine(a, b)).collect();
    Some(Cosines {
        hook_point: probes.first()?.1.hook_point.clone(),
        kinds: directions.iter().map(|(kind, _)| *kind).collect(),
        values: directions.iter().map(|(_, a)| row(a)).collect(),
    })
}

/// The directions of a probe's scores; what all classes share says nothing about which it is, and is taken away.
fn directions(readout: &Readout) -> Vec<Vec<f64>> {
    let mut all: Vec<Vec<f64>> = (0..readout.outputs())
        .filter_map(|k| readout.direction(k))
        .collect();
    if readout.link() == Link::Softmax {
        let count = all.len() as f64;
        for j in 0..readout.features() {
            let mean = all.iter().map(|d| d[j]).sum::<f64>() / count;
            all.iter_mut().for_each(|d| d[j] -= mean);
        }
    }
    all
}

fn mean_cosine(a: &[Vec<f64>], b: &[Vec<f64>]) -> Option<f64> {
    let cosine = |(a, b): (&Vec<f64>, &Vec<f64>)| {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let length = (dot(a, a) * dot(b, b)).sqrt();
        (length > 0.0).then(|| (dot(a, b) / length).clamp(-1.0, 1.0))
    };
    let each: Option<Vec<f64>> = a.iter().zip(b).map(cosine).collect();
    each.filter(|e| !e.is_empty())
        .map(|e| e.iter().sum::<f64>() / e.len() as f64)
}

impl ProbeReport {
    /// The score of every kind by layer, for the terminal; nothing where there is one kind.
    pub(super) fn kinds_table(&self, styled: bool) -> String {
        if self.kinds.is_empty() {
            return String::new();
        }
        let kinds = [self.params.kind]
            .into_iter()
            .chain(self.kinds.iter().map(|kind| kind.kind));
        let layer = match self.params.bootstrap {
            0 => self.main_metric().to_owned(),
            _ => format!("{} [95 %]", self.main_metric()),
        };
        let heads = kinds.map(|kind| (kind.name().to_owned(), Align::Right));
        let mut table = Table::new([(layer, Align::Left)].into_iter().chain(heads)).styled(styled);
        for (i, layer) in self.layers.iter().enumerate() {
            let others = self.kinds.iter().filter_map(|kind| kind.layers.get(i));
            let scores = [layer].into_iter().chain(others);
            let scores = scores.map(|l| self.main(l).map(shown).unwrap_or_default());
            table.row([layer.hook_point.clone()].into_iter().chain(scores));
        }
        format!("\n{table}\n")
    }
}

/// The score of every kind by layer, beside the control of the headline's kind.
pub fn kinds_chart(report: &ProbeReport) -> Figure {
    let Figure::Line(mut chart) = report.chart() else {
        return report.chart();
    };
    chart.title = format!(
        "What kinds of probes read of “{}”, layer by layer",
        report.label.join(", ")
    );
    if let Some(first) = chart.series.first_mut() {
        first.name = report.params.kind.name().to_owned();
    }
    let metric = report.params.kind.main_metric();
    let line = |kind: &KindLayers| Series {
        name: kind.kind.name().to_owned(),
        points: (0u32..)
            .zip(&kind.layers)
            .map(|(x, l)| {
                (
                    f64::from(x),
                    l.metrics.get(metric).map_or(f64::NAN, |e| e.value),
                )
            })
            .collect(),
        band: None,
        style: Style::Headline,
    };
    let others: Vec<Series> = report.kinds.iter().map(line).collect();
    let at = chart.series.len().min(1);
    chart.series.splice(at..at, others);
    Figure::Line(LineChart { ..chart })
}

/// The cosine of every pair of kinds (down) at every hook point (across).
pub fn cosines_chart(report: &ProbeReport) -> Option<Figure> {
    let kinds = &report.cosines.first()?.kinds;
    let pairs: Vec<(usize, usize)> = (0..kinds.len())
        .flat_map(|i| (i + 1..kinds.len()).map(move |j| (i, j)))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let cell = |(i, j): &(usize, usize), layer: &Cosines| {
        let row = layer.values.get(*i)?;
        *row.get(*j)?
    };
    let values = |pair| {
        report
            .cosines
            .iter()
            .map(|layer| cell(pair, layer).unwrap_or(f64::NAN))
            .collect::<Vec<f64>>()
    };
    let values: Vec<Vec<f64>> = pairs.iter().map(values).collect();
    let text = |v: &f64| {
        if v.is_finite() {
            format!("{v:.2}")
        } else {
            String::new()
        }
    };
    let (x_label, columns) = report.axis();
    Some(Figure::Heat(HeatMap {
        title: format!(
            "How far the directions of kinds of probes of “{}” agree",
            report.label.join(", ")
        ),
        x_label,
        y_label: "pair of kinds".to_owned(),
        columns,
        rows: pairs
            .iter()
            .map(|(i, j)| format!("{} · {}", kinds[*i].name(), kinds[*j].name()))
            .collect(),
        texts: Some(
            values
                .iter()
                .map(|row| row.iter().map(text).collect())
                .collect(),
        ),
        values,
        value_label: "cosine between directions".to_owned(),
        scale: ColorScale::DivergingBetween(-1.0, 1.0),
        footer: report.footer(),
    }))
}
