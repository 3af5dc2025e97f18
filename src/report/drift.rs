//! Drift as people carry it away: JSON and a table.

mod figures;
mod findings;
pub mod pair;

use super::data_file::DataFile;
use super::table::{Align, Cell, Table, with_interval};
use crate::analysis::drift::{
    Counts, Drift, Effect, KindDrift, LayerDrift, Measure, Params, Verdict,
};
use crate::analysis::inference::Estimate;
use serde::Serialize;

/// Version of the JSON that [`DriftReport`] serialises to.
pub const SCHEMA_VERSION: u32 = 1;

/// Drift with everything needed to measure it again.
#[derive(Debug, Clone, Serialize)]
pub struct DriftReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// What was compared.
    pub source: Source,
    /// How it was measured.
    pub params: Params,
    /// What may be concluded, in words.
    pub findings: Vec<String>,
    /// The numbers.
    #[serde(flatten)]
    pub drift: Drift,
}

/// What was compared.
#[derive(Debug, Clone, Serialize)]
pub struct Source {
    /// The model, as it was named.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// The data.
    #[serde(flatten)]
    pub data: DataFile,
    /// Pairs of a file, perturbations of its texts, or other models on them.
    pub compared: Compared,
    /// Pairs that mean nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paraphrases: Option<DataFile>,
    /// The run and the label that the probe was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeSource>,
}

/// Where a probe comes from.
#[derive(Debug, Clone, Serialize)]
pub struct ProbeSource {
    /// The run that it was trained on, or the files of a trained one.
    pub run: String,
    /// The label column.
    pub label: String,
    /// Its classes, or targets.
    pub outputs: Vec<String>,
    /// Its score on test rows at each hook point.
    pub accuracy: Vec<f64>,
    /// SHA-256 of the data of the run.
    pub data_sha256: String,
}

/// What is compared with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The pairs of a file.
    Pairs,
    /// Perturbations of texts.
    Perturbations,
    /// Other models on the same texts.
    Models,
}

impl DriftReport {
    /// The report of some numbers, with findings. Kinds without an edit (beyond the rows that were read) are left out.
    pub fn new(command: String, source: Source, params: Params, mut drift: Drift) -> Self {
        drift.kinds.retain(|kind| kind.counts.edits > 0);
        let mut report = Self {
            schema_version: SCHEMA_VERSION,
            command,
            source,
            params,
            findings: Vec::new(),
            drift,
        };
        report.findings = report.find();
        report
    }

    /// What an effect is held against, in words: nothing, or random edits.
    fn baseline(&self) -> Option<&'static str> {
        let null = self.params.null.is_some() && self.source.compared != Compared::Models;
        null.then_some("random edits of the same size and place")
    }

    fn word(&self, verdict: Verdict) -> &'static str {
        match (verdict, self.baseline().is_some()) {
            (Verdict::More, true) => "more than the null",
            (Verdict::Less, true) => "less than the null",
            (Verdict::Equivalent, true) => "as the null",
            (Verdict::More | Verdict::Less, false) => "moves",
            (Verdict::Equivalent, false) => "within the margin",
            (Verdict::Undecided, _) => "undecided",
        }
    }

    /// The table for the terminal, with what must be known to read it.
    pub fn table(&self, styled: bool) -> String {
        let table = match self.drift.kinds.as_slice() {
            [kind] => self.by_layer(kind, styled),
            _ => self.by_kind(styled),
        };
        let mut text = table.to_string();
        for kind in &self.drift.kinds {
            text += &format!("{}: {}\n", kind.kind, said(&kind.counts));
        }
        for finding in &self.findings {
            text += &format!("• {finding}\n");
        }
        text
    }

    fn by_layer(&self, kind: &KindDrift, styled: bool) -> Table {
        let probed = kind
            .layers
            .iter()
            .any(|l| l.effect(Measure::ProbeShift).is_some());
        let mut columns = vec![
            ("layer", Align::Left),
            ("cosine distance [95 %]", Align::Right),
            ("null", Align::Right),
            ("difference [95 %]", Align::Right),
            ("unchanged tokens", Align::Right),
            ("conclusion", Align::Left),
        ];
        if probed {
            columns.push(("probe shift − null [95 %]", Align::Right));
        }
        let mut table = Table::new(columns).styled(styled);
        for layer in &kind.layers {
            let number =
                |e: Option<Estimate>| e.map(|e| format!("{:.4}", e.value)).unwrap_or_default();
            let effect = layer.effect(Measure::CosineDistance);
            let mut cells = vec![
                Cell::from(layer.hook_point.clone()),
                Cell::bold(
                    layer
                        .measures
                        .get(Measure::CosineDistance)
                        .map(shown)
                        .unwrap_or_default(),
                ),
                Cell::dim(number(layer.null.get(Measure::CosineDistance))),
                Cell::from(effect.map(difference).unwrap_or_default()),
                Cell::from(number(layer.measures.get(Measure::UnchangedCosineDistance))),
                Cell::from(effect.map_or("", |e| self.word(e.verdict))),
            ];
            if probed {
                let shift = layer.effect(Measure::ProbeShift);
                cells.push(Cell::from(shift.map(difference).unwrap_or_default()));
            }
            table.row(cells);
        }
        table
    }

    /// The kinds, the one that moves texts farthest first, at the last hook point.
    fn by_kind(&self, styled: bool) -> Table {
        let mut table = Table::new([
            ("edit", Align::Left),
            ("texts", Align::Right),
            ("cosine distance [95 %]", Align::Right),
            ("null", Align::Right),
            ("difference [95 %]", Align::Right),
            ("conclusion", Align::Left),
        ])
        .styled(styled);
        for kind in self.ranked() {
            let layer = kind.layers.last();
            let get = |named: fn(&LayerDrift) -> Option<Estimate>| layer.and_then(named);
            let moved = get(|l| l.measures.get(Measure::CosineDistance));
            let null = get(|l| l.null.get(Measure::CosineDistance));
            let effect = layer.and_then(|l| l.effect(Measure::CosineDistance));
            table.row([
                Cell::from(kind.kind.clone()),
                Cell::from(kind.counts.measured.to_string()),
                Cell::bold(moved.map(shown).unwrap_or_default()),
                Cell::dim(null.map(|e| format!("{:.4}", e.value)).unwrap_or_default()),
                Cell::from(effect.map(difference).unwrap_or_default()),
                Cell::from(effect.map_or("", |e| self.word(e.verdict))),
            ]);
        }
        table
    }

    /// Kinds by their distance at the last hook point, the farthest first.
    fn ranked(&self) -> Vec<&KindDrift> {
        let last = |kind: &KindDrift| {
            let moved = kind
                .layers
                .last()
                .and_then(|l| l.measures.get(Measure::CosineDistance));
            moved.map_or(f64::NEG_INFINITY, |e| e.value)
        };
        let mut kinds: Vec<&KindDrift> = self.drift.kinds.iter().collect();
        kinds.sort_by(|a, b| last(b).total_cmp(&last(a)));
        kinds
    }
}

/// What became of the edits of a kind, in words.
fn said(counts: &Counts) -> String {
    let mut parts = vec![format!(
        "{} of {} edits measured",
        counts.measured, counts.edits
    )];
    let named = [
        (counts.identical, "identical texts"),
        (counts.same_tokens, "changed no token"),
        (counts.too_long, "skipped as longer than the context"),
        (counts.not_applicable, "with nothing to edit"),
    ];
    for (count, what) in named {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    parts.join(", ")
}

fn shown(estimate: Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => with_interval(estimate.value, low, high),
        _ => format!("{:.4}", estimate.value),
    }
}

/// An effect with its sign and interval.
fn difference(effect: &Effect) -> String {
    let sign = if effect.value > 0.0 { "+" } else { "" };
    let interval = Estimate::new(effect.value, effect.low.zip(effect.high));
    format!("{sign}{}", shown(interval))
}
