//! The pictures of drift.

use super::super::probe::{file_name, layer_axis, short};
use super::{Compared, DriftReport};
use crate::analysis::drift::{KindDrift, LayerDrift, Measure};
use crate::analysis::inference::Estimate;
use crate::figure::{
    Arrow, ColorScale, Figure, Footer, HeatMap, LineChart, Panel, ScatterChart, Series, Style,
};

/// Kinds that get a line; among more none can be followed.
const MOST_LINES: usize = 7;
/// Arrows of all kinds in one panel.
const MOST_ARROWS: usize = 42;

impl DriftReport {
    fn footer(&self) -> Footer {
        let measured: usize = self.drift.kinds.iter().map(|k| k.counts.measured).sum();
        Footer {
            command: self.command.clone(),
            data: format!(
                "data sha256 {} · weights sha256 {} · {measured} edits · seed {}",
                short(&self.source.data.data_sha256),
                short(&self.source.weights_sha256),
                self.params.seed,
            ),
        }
    }

    fn axis(&self) -> (String, Vec<String>) {
        let layers = self.drift.layers.iter();
        let names: Vec<&str> = layers.map(|l| l.hook_point.as_str()).collect();
        layer_axis(&names)
    }

    /// Cosine distance by layer for each kind, with its interval, and the null.
    pub fn chart(&self) -> Figure {
        let kinds: Vec<&KindDrift> = self.ranked().into_iter().take(MOST_LINES).collect();
        let measured = |l: &LayerDrift| l.measures.get(Measure::CosineDistance);
        let mut series: Vec<Series> = kinds
            .iter()
            .map(|kind| line(&kind.kind, &kind.layers, Style::Headline, measured))
            .collect();
        let null = line(
            "random edits of the same size and place",
            &self.drift.layers,
            Style::Control,
            |l| l.null.get(Measure::CosineDistance),
        );
        let paraphrases = line("paraphrases", &self.drift.layers, Style::Control, |l| {
            l.paraphrases.get(Measure::CosineDistance)
        });
        let drawn = [null, paraphrases].into_iter();
        series.extend(drawn.filter(|s| s.points.iter().any(|p| p.1.is_finite())));
        let (x_label, ticks) = self.axis();
        Figure::Line(LineChart {
            title: self.title(kinds.len()),
            x_label,
            y_label: self.unit("cosine distance of original and edit, mean over texts"),
            x_ticks: Some(ticks),
            series,
            footer: self.footer(),
            ..LineChart::default()
        })
    }

    fn title(&self, shown: usize) -> String {
        let data = file_name(&self.source.data.data);
        let all = self.drift.kinds.len();
        let which = match shown < all {
            true => format!(" (the {shown} of {all} that move farthest)"),
            false => String::new(),
        };
        match self.source.compared {
            Compared::Models => format!("How far texts of {data} move under other weights{which}"),
            _ => format!("How far texts of {data} move when they are edited{which}"),
        }
    }

    fn unit(&self, what: &str) -> String {
        match self.params.resamples {
            0 => what.to_owned(),
            _ => format!("{what}, 95 % interval"),
        }
    }

    /// The difference to the null by layer, with the band that holds at all layers together.
    pub fn effects(&self, measure: Measure) -> Option<Figure> {
        let kinds: Vec<&KindDrift> = self.ranked().into_iter().take(MOST_LINES).collect();
        let series: Vec<Series> = kinds
            .iter()
            .map(|kind| effect_line(kind, measure))
            .filter(|s| s.points.iter().any(|p| p.1.is_finite()))
            .collect();
        if series.is_empty() {
            return None;
        }
        let (x_label, ticks) = self.axis();
        let against = match self.baseline() {
            None => "",
            Some(_) => ", less that of random edits of the same size and place",
        };
        let what = match measure {
            Measure::ProbeShift => match &self.source.probe {
                Some(probe) => format!("How far edits move the “{}” probe", probe.label),
                None => "How far edits move the probe".to_owned(),
            },
            _ => "What edits do beyond their size".to_owned(),
        };
        Some(Figure::Line(LineChart {
            title: format!(
                "{what} ({}), layer by layer",
                file_name(&self.source.data.data)
            ),
            x_label,
            y_label: format!(
                "{}{against}; band: 95 % at all layers together",
                measure.name().replace('_', " ")
            ),
            x_ticks: Some(ticks),
            series,
            reference_lines: vec![("no difference".to_owned(), 0.0)],
            footer: self.footer(),
            ..LineChart::default()
        }))
    }

    /// From originals to edits in the plane of the originals' first two components, at a middle and the last hook point.
    pub fn movement(&self) -> Option<Figure> {
        // Places are kept of some texts alone, which need not be of every kind.
        let placed = |kind: &&KindDrift| kind.arrows.iter().any(|layer| !layer.arrows.is_empty());
        let kinds = self.ranked().into_iter().filter(placed).take(MOST_LINES);
        let kinds: Vec<&KindDrift> = kinds.collect();
        let count = kinds.iter().map(|k| k.arrows.len()).max().unwrap_or(0);
        let mut shown = vec![count / 2, count.saturating_sub(1)];
        shown.dedup();
        // Together, the arrows of all kinds stay countable.
        let each = MOST_ARROWS / kinds.len().max(1);
        let panel = |at: usize| -> Option<Panel> {
            let point = kinds
                .iter()
                .find_map(|k| Some(&k.arrows.get(at)?.hook_point))?;
            let arrows = kinds.iter().enumerate().flat_map(|(category, kind)| {
                let arrows = kind
                    .arrows
                    .get(at)
                    .map(|l| l.arrows.as_slice())
                    .unwrap_or_default();
                arrows.iter().take(each).map(move |(text, from, to)| Arrow {
                    from: (from[0], from[1]),
                    to: (to[0], to[1]),
                    category,
                    note: Some(format!("text {text}, {}", kind.kind)),
                })
            });
            Some(Panel {
                title: point.clone(),
                x_label: "component 1 of the originals".to_owned(),
                y_label: "component 2".to_owned(),
                arrows: arrows.collect(),
                ..Panel::default()
            })
        };
        let panels: Vec<Panel> = shown.into_iter().filter_map(panel).collect();
        if panels.iter().all(|p| p.arrows.is_empty()) {
            return None;
        }
        Some(Figure::Scatter(ScatterChart {
            title: format!(
                "Where edits take texts of {}",
                file_name(&self.source.data.data)
            ),
            panels,
            categories: kinds.iter().map(|k| k.kind.clone()).collect(),
            color_label: "edit".to_owned(),
            footer: self.footer(),
            ..ScatterChart::default()
        }))
    }

    /// Kinds by layers, the kind that moves texts farthest on top: the distance as a share of that between unrelated texts.
    pub fn ranking(&self) -> Option<Figure> {
        if self.drift.kinds.len() < 2 {
            return None;
        }
        let measured = |kind: &&KindDrift| kind.counts.measured > 0;
        let kinds: Vec<&KindDrift> = self.ranked().into_iter().filter(measured).collect();
        let percentage = |layer: &LayerDrift, point: usize| {
            let unrelated = self
                .drift
                .references
                .get(point)?
                .unrelated
                .get(Measure::CosineDistance)?;
            Some(100.0 * layer.measures.get(Measure::CosineDistance)?.value / unrelated)
        };
        let values: Vec<Vec<f64>> = kinds
            .iter()
            .map(|kind| {
                let layers = kind.layers.iter().enumerate();
                layers
                    .map(|(i, l)| percentage(l, i).unwrap_or(f64::NAN))
                    .collect()
            })
            .collect();
        let texts = values
            .iter()
            .map(|row| row.iter().map(|v| written(*v)).collect());
        let (x_label, ticks) = self.axis();
        Some(Figure::Heat(HeatMap {
            title: format!(
                "Which edits move texts of {} farthest",
                file_name(&self.source.data.data)
            ),
            x_label,
            y_label: "kind of edit, by the last column".to_owned(),
            columns: ticks,
            rows: kinds.iter().map(|k| k.kind.clone()).collect(),
            texts: Some(texts.collect()),
            values,
            value_label: "cosine distance, in % of that between unrelated texts".to_owned(),
            scale: ColorScale::Sequential(None),
            footer: self.footer(),
        }))
    }
}

fn written(percentage: f64) -> String {
    match percentage {
        v if !v.is_finite() => String::new(),
        0.0 => "0".to_owned(),
        v if v < 0.095 => "<0.1".to_owned(),
        v if v < 9.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// The differences of a kind to the null, with their simultaneous band.
fn effect_line(kind: &KindDrift, measure: Measure) -> Series {
    let effects = kind.layers.iter().map(|l| l.effect(measure));
    let at = |v: Option<f64>| v.unwrap_or(f64::NAN);
    let points = effects.clone().enumerate();
    let band = effects.map(|e| {
        (
            at(e.and_then(|e| e.band_low)),
            at(e.and_then(|e| e.band_high)),
        )
    });
    Series {
        name: kind.kind.clone(),
        points: points
            .map(|(i, e)| (i as f64, at(e.map(|e| e.value))))
            .collect(),
        band: Some(band.collect()),
        style: Style::Headline,
    }
}

/// A line over layers with its interval.
fn line(
    name: &str,
    layers: &[LayerDrift],
    style: Style,
    number: impl Fn(&LayerDrift) -> Option<Estimate>,
) -> Series {
    let numbers: Vec<Option<Estimate>> = layers.iter().map(number).collect();
    let points = numbers.iter().enumerate();
    let band: Option<Vec<(f64, f64)>> = numbers
        .iter()
        .map(|e| e.and_then(|e| Some((e.low?, e.high?))))
        .collect();
    Series {
        name: name.to_owned(),
        points: points
            .map(|(i, e)| (i as f64, e.map_or(f64::NAN, |e| e.value)))
            .collect(),
        band,
        style,
    }
}
