//! The learning curves of layers: how scores grow with the training rows.

use super::probe::ProbeReport;
use crate::analysis::probe::{CurvePoint, Kind};
use crate::figure::{Figure, LineChart, Series, Style};
use serde::Serialize;

/// Layers in the chart; of more, every so many.
const MOST_LAYERS: usize = 6;

/// The learning curve of a layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerCurve {
    /// The hook point.
    pub hook_point: String,
    /// From few rows to all.
    pub points: Vec<CurvePoint>,
}

/// The chart: a line a layer with the range of its draws, over training rows that double from tick to tick.
pub fn curve_chart(report: &ProbeReport) -> Figure {
    let curves = &report.learning_curve;
    let step = curves.len().div_ceil(MOST_LAYERS).max(1);
    // The deepest layer is always there.
    let shown = curves.iter().rev().step_by(step).collect::<Vec<_>>();
    let sizes: Vec<usize> = {
        let longest = shown.iter().max_by_key(|c| c.points.len());
        longest.map_or(Vec::new(), |c| c.points.iter().map(|p| p.train).collect())
    };
    let (_, names) = report.axis();
    let series = shown.iter().rev().map(|curve| {
        let from = sizes.len() - curve.points.len();
        let place = report
            .layers
            .iter()
            .position(|l| l.hook_point == curve.hook_point);
        let name = place
            .and_then(|i| names.get(i))
            .cloned()
            .unwrap_or_default();
        Series {
            name: match name.parse::<usize>() {
                Ok(block) => format!("block {block}"),
                Err(_) => name,
            },
            points: curve
                .points
                .iter()
                .enumerate()
                .map(|(i, p)| ((from + i) as f64, p.mean))
                .collect(),
            band: Some(curve.points.iter().map(|p| (p.low, p.high)).collect()),
            style: Style::Headline,
        }
    });
    let metric = match report.params.kind {
        Kind::Ridge => "R²",
        _ => "accuracy",
    };
    let majority = report.layers.first().map(|l| l.controls.majority);
    Figure::Line(LineChart {
        title: format!(
            "How much a probe of “{}” gains from more training rows",
            report.label.join(", ")
        ),
        x_label: "training rows, doubling".to_owned(),
        y_label: format!("{metric} on test rows, mean and range of draws"),
        x_ticks: Some(sizes.iter().map(usize::to_string).collect()),
        y_range: match report.params.kind {
            Kind::Ridge => Some((-0.25, 1.0)),
            _ => None,
        },
        series: series.collect(),
        reference_lines: majority
            .map(|m| ("best constant".to_owned(), m))
            .into_iter()
            .collect(),
        footer: report.footer(),
    })
}
