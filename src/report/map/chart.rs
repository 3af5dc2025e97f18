//! The chart: a panel a layer.

use super::{Layer, MapReport};
use crate::analysis::reduce::Method;
use crate::figure::{Figure, Footer, Panel, Point, PointColor, ScatterChart};
use crate::report::probe::short;

impl MapReport {
    /// The maps side by side, in one frame where there are several.
    pub fn chart(&self) -> Figure {
        let many = self.layers.len() > 1;
        let panels = self.layers.iter().map(|layer| self.panel(layer, many));
        let color = self.marks.color.as_ref();
        let torn = self.layers.iter().any(|l| l.map.quality.torn > 0);
        Figure::Scatter(ScatterChart {
            title: self.title(),
            panels: panels.collect(),
            categories: color.map(|c| c.categories.clone()).unwrap_or_default(),
            color_label: color.map(|c| c.column.clone()).unwrap_or_default(),
            hollow_label: match torn {
                true => "hollow: its neighbourhood is torn".to_owned(),
                false => String::new(),
            },
            shared_axes: many,
            equal_aspect: true,
            footer: Footer {
                command: self.command.clone(),
                data: format!(
                    "data sha256 {} · weights sha256 {} · seed {}",
                    short(&self.source.data_sha256),
                    short(&self.source.weights_sha256),
                    self.params.seed
                ),
            },
        })
    }

    fn title(&self) -> String {
        let rows = &self.rows;
        let things = match rows.points == 1 {
            true => rows.unit.to_owned(),
            false => format!("{}s", rows.unit),
        };
        let of = format!("{} of {} {things}", self.method(), rows.points);
        match self.layers.as_slice() {
            [layer] => format!("{of} at {}", layer.hook_point),
            _ => format!("{of}, layer by layer, each map turned onto the one before"),
        }
    }

    fn panel(&self, layer: &Layer, many: bool) -> Panel {
        let quality = &layer.map.quality;
        let trust = format!(
            "trustworthiness {:.3} · continuity {:.3} · {:.0} % of {} neighbours kept",
            quality.trustworthiness.value,
            quality.continuity.value,
            100.0 * quality.preservation.value,
            quality.k
        );
        let shares = layer.map.variance.as_ref().map(|v| v.share.as_slice());
        let axis = |i: usize| {
            let share = shares.and_then(|s| s.get(i)).copied().unwrap_or(0.0);
            format!(
                "component {} ({:.1} % of the variance)",
                i + 1,
                100.0 * share
            )
        };
        let (title, x_label, y_label) = match (many, self.params.method) {
            (true, Method::Pca) => {
                let both: f64 = shares.unwrap_or_default().iter().sum();
                let title = format!(
                    "{}, {:.0} % of the variance",
                    layer.hook_point,
                    100.0 * both
                );
                (title, trust, String::new())
            }
            (true, _) => (layer.hook_point.clone(), trust, String::new()),
            (false, Method::Pca) => (trust, axis(0), axis(1)),
            (false, _) => (trust, String::new(), String::new()),
        };
        Panel {
            title,
            x_label,
            y_label,
            points: self.points(layer),
            ..Panel::default()
        }
    }

    fn points(&self, layer: &Layer) -> Vec<Point> {
        let marks = &self.marks;
        let colors = marks.color.as_ref().map(|c| c.colors.as_slice());
        let point = |(i, place): (usize, &[f32; 2])| Point {
            x: f64::from(place[0]),
            y: f64::from(place[1]),
            color: colors.map_or(PointColor::default(), |c| c[i]),
            label: marks.labels.get(i).cloned().flatten(),
            note: marks.notes.get(i).cloned().flatten(),
            hollow: layer.map.torn[i],
        };
        layer.places.iter().enumerate().map(point).collect()
    }
}
