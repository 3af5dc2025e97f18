//! A trained tuned lens: how much nearer it comes than the logit lens.

use super::{ModelSource, tick};
use crate::analysis::inference::Estimate;
use crate::analysis::lens::{HeldOut, TrainParams};
use crate::figure::{Figure, Footer, LineChart, Series, Style};
use crate::report::probe::short;
use crate::report::table::{Align, Cell, Table, with_interval};
use serde::Serialize;

/// The card of translators.
#[derive(Debug, Clone, Serialize)]
pub struct TunedReport {
    /// Version of the JSON.
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// The model that they belong to.
    pub source: ModelSource,
    /// The data, as they were named.
    pub data: String,
    /// SHA-256 of the data file.
    pub data_sha256: String,
    /// How they were trained.
    pub params: TrainParams,
    /// Texts that they were trained on.
    pub training_texts: usize,
    /// Texts that were kept apart.
    pub held_out_texts: usize,
    /// Both lenses on the texts that were kept apart, layer by layer.
    pub layers: Vec<HeldOut>,
}

impl TunedReport {
    /// The table for the terminal.
    pub fn table(&self, styled: bool) -> String {
        let mut table = Table::new([
            ("layer", Align::Left),
            ("logit lens [95 %]", Align::Right),
            ("tuned lens [95 %]", Align::Right),
        ])
        .styled(styled);
        for layer in &self.layers {
            table.row([
                Cell::from(layer.hook_point.to_string()),
                Cell::dim(shown(layer.logit_lens)),
                Cell::bold(shown(layer.tuned_lens)),
            ]);
        }
        format!(
            "{table}KL from the model's own predictions in nats a token, on {} texts that the translators were not trained on ({} were)\n",
            self.held_out_texts, self.training_texts
        )
    }

    /// The chart: both lenses by layer.
    pub fn chart(&self) -> Figure {
        let series = |name: &str, of: &dyn Fn(&HeldOut) -> Estimate, style| Series {
            name: name.to_owned(),
            points: (0..self.layers.len())
                .map(|i| (i as f64, of(&self.layers[i]).value))
                .collect(),
            band: self
                .layers
                .iter()
                .map(|l| {
                    let estimate = of(l);
                    Some((estimate.low?, estimate.high?))
                })
                .collect(),
            style,
        };
        Figure::Line(LineChart {
            title: "How far each layer's reading is from the model's own prediction".to_owned(),
            x_label: "residual stream after block (input: what block 0 reads)".to_owned(),
            y_label: "KL in nats a token on held-out texts, 95 % interval".to_owned(),
            x_ticks: Some(
                self.layers
                    .iter()
                    .map(|l| tick(&l.hook_point.to_string()))
                    .collect(),
            ),
            series: vec![
                series("tuned lens", &|l| l.tuned_lens, Style::Headline),
                series("logit lens", &|l| l.logit_lens, Style::Control),
            ],
            footer: Footer {
                command: self.command.clone(),
                data: format!(
                    "data sha256 {} · weights sha256 {} · {} training and {} held-out texts · seed {}",
                    short(&self.data_sha256),
                    short(&self.source.weights_sha256),
                    self.training_texts,
                    self.held_out_texts,
                    self.params.seed
                ),
            },
            ..LineChart::default()
        })
    }
}

pub(super) fn shown(estimate: Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => with_interval(estimate.value, low, high),
        _ => format!("{:.3}", estimate.value),
    }
}
