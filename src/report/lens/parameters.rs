//! Parameters in the space of tokens, as tables and a chart.

use super::ModelSource;
use super::tuned::shown;
use crate::analysis::inference::Estimate;
use crate::analysis::lens::{Circuit, Recovery};
use crate::figure::{Figure, Footer, LineChart, Series, Style};
use crate::report::probe::short;
use crate::report::table::{Align, Cell, Table};
use serde::Serialize;

/// What neurons and heads say.
#[derive(Debug, Clone, Serialize)]
pub struct ParameterReport {
    /// Version of the JSON.
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// The model.
    pub source: ModelSource,
    /// SHA-256 of the texts that `recovery` is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_sha256: Option<String>,
    /// The neurons that point at tokens most clearly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub neurons: Vec<NeuronTable>,
    /// The pairs of tokens that heads join.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<HeadTable>,
    /// How much of what layers say can be read off their most active neurons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<Recovery>,
}

/// One neuron.
#[derive(Debug, Clone, Serialize)]
pub struct NeuronTable {
    /// The block.
    pub layer: usize,
    /// The neuron.
    pub neuron: usize,
    /// How clearly it points: the mean cosine of its value with the directions of the tokens.
    pub cosine: f64,
    /// The tokens that it promotes most.
    pub promotes: Vec<String>,
    /// The tokens that it demotes most.
    pub demotes: Vec<String>,
}

/// One circuit of one head.
#[derive(Debug, Clone, Serialize)]
pub struct HeadTable {
    /// The block.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// Which circuit.
    pub circuit: Circuit,
    /// The mean score of a token with itself, in standard deviations over all pairs.
    pub self_z: f64,
    /// The strongest pairs, `from → to`.
    pub pairs: Vec<String>,
    /// Their scores, in standard deviations from the mean over all pairs.
    pub z: Vec<f64>,
}

impl ParameterReport {
    /// The tables for the terminal.
    pub fn table(&self, styled: bool) -> String {
        let mut said = String::new();
        if !self.neurons.is_empty() {
            said += &self.neuron_table(styled);
        }
        if !self.heads.is_empty() {
            said += &self.head_table(styled);
        }
        if !self.recovery.is_empty() {
            said += &self.recovery_table(styled);
        }
        said
    }

    fn neuron_table(&self, styled: bool) -> String {
        let mut table = Table::new([
            ("neuron", Align::Left),
            ("cosine", Align::Right),
            ("promotes", Align::Left),
            ("demotes", Align::Left),
        ])
        .styled(styled);
        for neuron in &self.neurons {
            table.row([
                Cell::from(format!("{}.{}", neuron.layer, neuron.neuron)),
                Cell::from(format!("{:.2}", neuron.cosine)),
                Cell::bold(neuron.promotes.join(" ")),
                Cell::dim(neuron.demotes.join(" ")),
            ]);
        }
        format!(
            "{table}block.neuron; the mean cosine of its value with the directions of the tokens that it promotes\n"
        )
    }

    fn head_table(&self, styled: bool) -> String {
        let mut table = Table::new([
            ("head", Align::Left),
            ("circuit", Align::Left),
            ("itself", Align::Right),
            ("strongest pairs", Align::Left),
        ])
        .styled(styled);
        for head in &self.heads {
            let circuit = match head.circuit {
                Circuit::Ov => "OV",
                Circuit::Qk => "QK",
            };
            let pairs = head.pairs.iter().zip(&head.z).take(6);
            let pairs: Vec<String> = pairs.map(|(p, z)| format!("{p} ({z:.1})")).collect();
            table.row([
                Cell::from(format!("{}.{}", head.layer, head.head)),
                Cell::from(circuit),
                Cell::from(format!("{:+.2}", head.self_z)),
                Cell::bold(pairs.join("  ")),
            ]);
        }
        format!(
            "{table}block.head; in standard deviations from the mean over all pairs of tokens; itself: the mean of a token with itself. OV: attended to → promoted; QK: attends → attended to\n"
        )
    }

    fn recovery_table(&self, styled: bool) -> String {
        let k = self.recovery.first().map_or(0, |r| r.k);
        let mut table = Table::new([
            ("block".to_owned(), Align::Left),
            (format!("R@{k} [95 %]"), Align::Right),
            ("shuffled [95 %]".to_owned(), Align::Right),
        ])
        .styled(styled);
        for layer in &self.recovery {
            table.row([
                Cell::from(layer.layer.to_string()),
                Cell::bold(shown(layer.recall)),
                Cell::dim(shown(layer.shuffled)),
            ]);
        }
        let neurons = self.recovery.first().map_or(0, |r| r.neurons);
        let positions = self.recovery.first().map_or(0, |r| r.positions);
        format!(
            "{table}the share of the {k} tokens that a block's state says which its {neurons} most active neurons promote, over {positions} positions; shuffled: with the neurons of another position\n"
        )
    }

    /// The chart of the recovery, where there is one.
    pub fn chart(&self) -> Option<Figure> {
        let first = self.recovery.first()?;
        let series = |name: &str, of: &dyn Fn(&Recovery) -> Estimate, style| Series {
            name: name.to_owned(),
            points: self
                .recovery
                .iter()
                .map(|r| (r.layer as f64, of(r).value))
                .collect(),
            band: self
                .recovery
                .iter()
                .map(|r| Some((of(r).low?, of(r).high?)))
                .collect(),
            style,
        };
        let most = self.recovery.iter().map(|r| r.layer).max().unwrap_or(0);
        Some(Figure::Line(LineChart {
            title: "How much of what a layer says its most active neurons promote".to_owned(),
            x_label: "block".to_owned(),
            y_label: format!("R@{}, 95 % interval over texts", first.k),
            x_ticks: Some((0..=most).map(|l| l.to_string()).collect()),
            series: vec![
                series("its own neurons", &|r| r.recall, Style::Headline),
                series("another position's", &|r| r.shuffled, Style::Control),
            ],
            footer: Footer {
                command: self.command.clone(),
                data: format!(
                    "data sha256 {} · weights sha256 {} · {} neurons of {} positions",
                    short(self.data_sha256.as_deref().unwrap_or("")),
                    short(&self.source.weights_sha256),
                    first.neurons,
                    first.positions
                ),
            },
            ..LineChart::default()
        }))
    }
}
