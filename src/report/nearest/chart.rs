//! The chart of what is nearest: names by rank for one vector, lines for several.

use super::{NearestReport, correction_name, cut};
use crate::analysis::neighbors::{Correction, Metric};
use crate::figure::{
    Figure, Footer, LineChart, Panel, Point, PointColor, ScatterChart, Series, Style,
};
use crate::report::probe::short;
use crate::report::token::drawn;

impl NearestReport {
    /// The chart: of one vector, its neighbours by name; of several, their scores by rank. Where random pairs are stands beside them.
    pub fn chart(&self) -> Figure {
        let y_label = format!(
            "{}, correction {}",
            self.score_name(),
            correction_name(self.correction)
        );
        let footer = Footer {
            command: self.command.clone(),
            data: self.provenance(),
        };
        match self.queries.as_slice() {
            [one] => Figure::Scatter(ScatterChart {
                title: format!(
                    "Nearest to {}, among the {}",
                    cut(&drawn(&one.label), 48),
                    self.space_name()
                ),
                panels: vec![Panel {
                    title: String::new(),
                    x_label: "rank".to_owned(),
                    y_label,
                    points: self.points(),
                    ..Panel::default()
                }],
                categories: vec!["neighbour".to_owned(), "random pairs".to_owned()],
                footer,
                ..ScatterChart::default()
            }),
            several => Figure::Line(LineChart {
                title: format!(
                    "Nearest to {} vectors ({})",
                    several.len(),
                    self.space_name()
                ),
                x_label: "rank".to_owned(),
                y_label,
                series: self.series(),
                reference_lines: self.baselines(),
                footer,
                ..LineChart::default()
            }),
        }
    }

    /// What random pairs are like, where scores are cosines.
    fn baselines(&self) -> Vec<(String, f64)> {
        let is_cosine = self.metric == Metric::Cosine && self.correction != Correction::Csls;
        let b = &self.baseline;
        let lines = [
            ("random pairs, mean", b.mean),
            ("random pairs, 99 %", b.p99),
        ];
        let lines = lines.into_iter().filter(|l| is_cosine && l.1.is_finite());
        lines.map(|(name, at)| (name.to_owned(), at)).collect()
    }

    fn points(&self) -> Vec<Point> {
        // Names of more would hide each other.
        const NAMED: usize = 12;
        let found = self.of_query(0).enumerate().map(|(i, found)| Point {
            x: (i + 1) as f64,
            y: found.score,
            color: PointColor::Category(0),
            label: (i < NAMED).then(|| cut(&drawn(&found.name()), 18)),
            note: Some(found.text.clone().unwrap_or_else(|| found.name())),
            ..Point::default()
        });
        let mut points: Vec<Point> = found.collect();
        let after = (points.len() + 1) as f64;
        points.extend(self.baselines().into_iter().map(|(name, at)| Point {
            x: after,
            y: at,
            color: PointColor::Category(1),
            label: name.strip_prefix("random pairs, ").map(str::to_owned),
            note: Some(name),
            ..Point::default()
        }));
        points
    }

    fn series(&self) -> Vec<Series> {
        // More lines than colours say nothing.
        const LINES: usize = 6;
        let queries = self.queries.iter().enumerate().take(LINES);
        let series = queries.map(|(i, query)| Series {
            name: cut(&query.label, 24),
            points: self
                .of_query(i)
                .enumerate()
                .map(|(rank, found)| ((rank + 1) as f64, found.score))
                .collect(),
            band: None,
            style: Style::Headline,
        });
        series.collect()
    }

    fn provenance(&self) -> String {
        let mut parts = Vec::new();
        if let Some(data) = &self.space.data_sha256 {
            parts.push(format!("data sha256 {}", short(data)));
        }
        parts.push(format!(
            "weights sha256 {}",
            short(&self.space.weights_sha256)
        ));
        parts.push(format!("{} rows", self.space.rows));
        parts.join(" · ")
    }
}
