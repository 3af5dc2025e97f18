//! Charts of the chosen layer: what it takes for what, how sure it is, where it puts places.

use super::probe::ProbeReport;
use crate::analysis::calibration::CalibrationBin;
use crate::analysis::matrix::Matrix;
use crate::analysis::metrics::great_circle_km;
use crate::analysis::probe::{Predictions, coordinates};
use crate::figure::{
    ColorScale, Figure, HeatMap, LineChart, Panel, Point, PointColor, ScatterChart, Series, Style,
};

/// Classes in a confusion map at most; of more, cells are too small to be read.
const MOST_CLASSES: usize = 40;

/// The charts of the chosen layer (of the deepest one, where none was chosen), with the names of their files.
pub fn chosen_charts(report: &ProbeReport) -> Vec<(&'static str, Figure)> {
    let chosen = report.chosen().map(|(_, layer)| layer);
    let Some(layer) = chosen.or_else(|| report.layers.last()) else {
        return Vec::new();
    };
    let point = &layer.hook_point;
    match &layer.predictions {
        Predictions::Classes {
            confusion,
            calibration,
        } => {
            let mut charts = vec![("calibration", calibration_chart(report, point, calibration))];
            if layer.outputs.len() <= MOST_CLASSES {
                let chart = confusion_chart(report, point, &layer.outputs, confusion);
                charts.push(("confusion", chart));
            }
            charts
        }
        Predictions::Numbers { truth, predicted } => {
            let places = coordinates(&layer.outputs);
            let places = places.map(|at| places_chart(report, point, at, truth, predicted));
            places.map(|chart| ("places", chart)).into_iter().collect()
        }
    }
}

fn label(report: &ProbeReport) -> String {
    report.label.join(", ")
}

fn calibration_chart(report: &ProbeReport, point: &str, bins: &[CalibrationBin]) -> Figure {
    let filled = || bins.iter().filter(|bin| bin.rows > 0.0);
    let error = |bin: &CalibrationBin| {
        // Wilson's interval (1927) of a share.
        let (z, n, p) = (1.96f64, bin.rows, bin.accuracy);
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (middle - half, middle + half)
    };
    let least = filled().map(|bin| bin.confidence).fold(1.0, f64::min);
    Figure::Line(LineChart {
        title: format!(
            "How often the probe of “{}” at {point} is right when it says how sure it is",
            label(report)
        ),
        x_label: "probability of the predicted class, mean of each of 15 bins".to_owned(),
        y_label: "share of test rows that are right, 95 % interval".to_owned(),
        y_range: Some((0.0, 1.0)),
        series: vec![
            Series {
                name: "probe".to_owned(),
                points: filled().map(|bin| (bin.confidence, bin.accuracy)).collect(),
                band: Some(filled().map(error).collect()),
                style: Style::Headline,
            },
            Series {
                name: "perfectly calibrated".to_owned(),
                points: vec![(least, least), (1.0, 1.0)],
                band: None,
                style: Style::Control,
            },
        ],
        footer: report.footer(),
        ..LineChart::default()
    })
}

fn confusion_chart(
    report: &ProbeReport,
    point: &str,
    names: &[String],
    confusion: &Matrix,
) -> Figure {
    let share = |truth: usize, said: usize| {
        let all: f64 = confusion.row(truth).iter().sum();
        confusion.at(truth, said) / all
    };
    let cells = |of: &dyn Fn(usize, usize) -> String| -> Vec<Vec<String>> {
        let classes = 0..names.len();
        classes
            .clone()
            .map(|t| classes.clone().map(|s| of(t, s)).collect())
            .collect()
    };
    let classes = 0..names.len();
    Figure::Heat(HeatMap {
        title: format!(
            "What the probe of “{}” at {point} takes each class for",
            label(report)
        ),
        x_label: "predicted class (in the cells: test rows)".to_owned(),
        y_label: "true class".to_owned(),
        columns: names.to_vec(),
        rows: names.to_vec(),
        values: classes
            .clone()
            .map(|t| classes.clone().map(|s| share(t, s)).collect())
            .collect(),
        texts: Some(cells(&|t, s| format!("{:.0}", confusion.at(t, s)))),
        value_label: "share of the true class".to_owned(),
        scale: ColorScale::Sequential(Some((0.0, 1.0))),
        footer: report.footer(),
    })
}

fn places_chart(
    report: &ProbeReport,
    point: &str,
    (latitude, longitude): (usize, usize),
    truth: &Matrix,
    predicted: &Matrix,
) -> Figure {
    let place = |of: &Matrix, row: usize| (of.at(row, latitude), of.at(row, longitude));
    let panel = |title: &str, of: &Matrix| Panel {
        title: title.to_owned(),
        x_label: "longitude (°)".to_owned(),
        y_label: "latitude (°)".to_owned(),
        points: (0..of.rows())
            .map(|row| Point {
                x: of.at(row, longitude),
                y: of.at(row, latitude),
                color: PointColor::Value(truth.at(row, longitude)),
                label: None,
                note: Some(format!(
                    "{:.0} km from where it is",
                    great_circle_km(place(truth, row), place(predicted, row))
                )),
                ..Point::default()
            })
            .collect(),
        ..Panel::default()
    };
    Figure::Scatter(ScatterChart {
        title: format!("Where the test rows are, and where the probe at {point} puts them"),
        panels: vec![panel("true", truth), panel("predicted", predicted)],
        categories: Vec::new(),
        color_label: "true longitude (°)".to_owned(),
        shared_axes: true,
        equal_aspect: true,
        footer: report.footer(),
        ..ScatterChart::default()
    })
}
