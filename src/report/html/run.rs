//! A run's card: its model, its data, what was checked.

use super::RunPart;
use super::card::table;
use super::values::{Cell, Cells};
use crate::report::probe::short;
use maud::{Markup, html};

impl RunPart {
    pub(super) fn section(&self, index: usize) -> Markup {
        let plan = &self.manifest.plan;
        let (model, data) = (&plan.model, &plan.data);
        let rows: usize = self.manifest.shards.iter().map(|s| s.rows).sum();
        html! {
            section id={ "run-" (index) } aria-labelledby={ "run-title-" (index) } {
                h2 id={ "run-title-" (index) } { "Run: " (self.name) }
                div.cards {
                    dl {
                        dt { "model" } dd { (model.name) " (" (model.family) ", " (model.n_layers) " blocks, d_model " (model.d_model) ")" }
                        @if let Some(revision) = &model.revision { dt { "commit" } dd { code { (revision) } } }
                        dt { "weights sha256" } dd { code { (short(&model.weights_sha256)) } }
                        @if !model.weights_format.is_empty() {
                            dt { "weights stored as" }
                            dd { @for (format, n) in &model.weights_format { (n) " × " (format) " " } }
                        }
                        dt { "computed in" } dd { (word(&plan.precision)) ", stored as " (word(&plan.dtype)) }
                        dt { "pooling" } dd { (word(&plan.pool)) ", special tokens " (word(&plan.special_tokens)) }
                    }
                    dl {
                        dt { "data" } dd { (data.name) }
                        dt { "data sha256" } dd { code { (short(&data.sha256)) } }
                        dt { "examples" } dd { (data.examples) }
                        dt { "tokens" } dd { (data.tokens) }
                        dt { "rows" } dd { (rows) " in " (self.manifest.shards.len()) " shards" }
                        dt { "cut to the context" }
                        dd { (self.manifest.truncation.texts) " texts, " (self.manifest.truncation.tokens) " tokens" }
                    }
                }
                (self.certificates(index))
                (self.points(index))
                (self.sample(index))
            }
        }
    }

    /// The certificates as the manifest has them.
    fn certificates(&self, index: usize) -> Markup {
        let certificates = serde_json::to_value(&self.manifest.certificates).unwrap_or_default();
        let rows: Vec<Vec<Cell>> = super::values::flat("", &certificates)
            .into_iter()
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, cell)| vec![text(super::card::spoken(&name)), cell])
            .collect();
        let cells = Cells {
            columns: vec!["checked before the run".to_owned(), "found".to_owned()],
            rows,
        };
        html! {
            @if !cells.rows.is_empty() { (table(&cells, "Certificates", &format!("run-{index}-certificates"))) }
        }
    }

    fn points(&self, index: usize) -> Markup {
        let massive = |name: &str| {
            let card = self.manifest.massive.iter().find(|m| m.hook_point == name);
            card.map_or(0, |m| m.rows)
        };
        let shape = |shape: &[usize]| {
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            sizes.join(" × ")
        };
        let rows = self
            .manifest
            .plan
            .points
            .iter()
            .map(|p| {
                let massive = massive(&p.name);
                vec![
                    text(p.name.clone()),
                    text(shape(&p.shape)),
                    Cell {
                        text: massive.to_string(),
                        number: Some(massive as f64),
                    },
                ]
            })
            .collect();
        let cells = Cells {
            columns: ["hook point", "shape", "massive rows"]
                .map(str::to_owned)
                .to_vec(),
            rows,
        };
        table(&cells, "Hook points", &format!("run-{index}-points"))
    }

    fn sample(&self, index: usize) -> Markup {
        let (columns, rows) = &self.sample;
        let cells = Cells {
            columns: columns.clone(),
            rows: rows
                .iter()
                .map(|row| row.iter().cloned().map(text).collect())
                .collect(),
        };
        html! {
            @if !rows.is_empty() { (table(&cells, "The first rows of the data", &format!("run-{index}-data"))) }
        }
    }
}

fn text(text: String) -> Cell {
    Cell { text, number: None }
}

/// A unit variant as its JSON calls it.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
