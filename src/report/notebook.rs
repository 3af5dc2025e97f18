//! A run as a Jupyter notebook: it reads the Parquet with polars, draws with matplotlib, and fits a probe again with
//! scikit-learn.
//!
//! The format is nbformat 4.5. The cells are the files in `assets/notebook/`; only the first one differs between notebooks.

use crate::report::probe::short;
use crate::store::Manifest;
use serde_json::{Value, json};

const READ: &str = include_str!("../../assets/notebook/read.py");
const NORMS: &str = include_str!("../../assets/notebook/norms.py");
const MAP: &str = include_str!("../../assets/notebook/map.py");
const PROBE: &str = include_str!("../../assets/notebook/probe.py");
const SCORES: &str = include_str!("../../assets/notebook/scores.py");

/// What a notebook is about. Paths are as the notebook's own folder sees them, with `/`.
#[derive(Debug, Clone)]
pub struct Notebook<'a> {
    /// The command that makes it.
    pub command: String,
    /// The run's folder.
    pub run: String,
    /// What the run holds.
    pub manifest: &'a Manifest,
    /// The column that colours the map.
    pub color: Option<String>,
    /// A probe of the run, to be fitted again.
    pub probe: Option<ProbeCells>,
}

/// A probe that a notebook fits again.
#[derive(Debug, Clone)]
pub struct ProbeCells {
    /// Path of its `probe.json`.
    pub path: String,
    /// Rows of the run that it was trained on.
    pub train: Vec<usize>,
    /// Rows of the run that it was tested on.
    pub test: Vec<usize>,
}

impl Notebook<'_> {
    /// The notebook as a JSON document.
    pub fn to_json(&self) -> Value {
        let mut cells = vec![
            markdown(&self.introduction()),
            code(&self.settings()),
            code(READ),
            markdown("## Norms"),
            code(NORMS),
            markdown("## One layer"),
            code(MAP),
        ];
        if self.probe.is_some() {
            cells.push(markdown("## The probe, fitted again"));
            cells.push(code(PROBE));
            cells.push(code(SCORES));
        }
        for (i, cell) in cells.iter_mut().enumerate() {
            cell["id"] = json!(format!("cell-{i}"));
        }
        json!({
            "cells": cells,
            "metadata": {
                "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        })
    }

    fn introduction(&self) -> String {
        let plan = &self.manifest.plan;
        format!(
            "# {}\n\nHidden states of {} ({}, weights sha256 `{}`) on {} (sha256 `{}`): {} examples, {} tokens.\n\n\
             Made by `{}`. It needs polars, numpy, matplotlib{}.",
            self.run,
            plan.model.name,
            plan.model.family,
            short(&plan.model.weights_sha256),
            plan.data.name,
            short(&plan.data.sha256),
            plan.data.examples,
            plan.data.tokens,
            self.command,
            if self.probe.is_some() {
                " and scikit-learn"
            } else {
                ""
            },
        )
    }

    fn settings(&self) -> String {
        let mut lines = vec![
            "# Where things lie, as seen from this notebook's folder.".to_owned(),
            format!("RUN = {}", python(&self.run)),
            match &self.color {
                Some(color) => format!("COLOR = {}", python(color)),
                None => "COLOR = None".to_owned(),
            },
        ];
        if let Some(probe) = &self.probe {
            lines.push(format!("PROBE = {}", python(&probe.path)));
            lines.push(format!("TRAIN_ROWS = {}", row_list(&probe.train)));
            lines.push(format!("TEST_ROWS = {}", row_list(&probe.test)));
        }
        lines.join("\n")
    }
}

/// A string literal of Python; JSON's are valid ones.
fn python(text: &str) -> String {
    Value::from(text).to_string()
}

/// An expression of Python for a list of rows, with runs of neighbours as ranges.
fn row_list(rows: &[usize]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let run = rest
            .iter()
            .zip(*first..)
            .take_while(|(a, b)| **a == *b)
            .count();
        parts.push(match run {
            1 => first.to_string(),
            _ => format!("*range({first}, {})", first + run),
        });
        rest = &rest[run..];
    }
    format!("[{}]", parts.join(", "))
}

fn markdown(text: &str) -> Value {
    json!({"cell_type": "markdown", "metadata": {}, "source": lines(text)})
}

fn code(text: &str) -> Value {
    json!({"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": lines(text.trim_end())})
}

/// A source as nbformat has it: lines with their ends, the last without.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_ranges() {
        assert_eq!(
            row_list(&[0, 1, 2, 5, 7, 8]),
            "[*range(0, 3), 5, *range(7, 9)]"
        );
        assert_eq!(row_list(&[]), "[]");
    }

    #[test]
    fn a_source_keeps_its_line_ends() {
        assert_eq!(lines("a\nb"), ["a\n", "b"]);
    }
}
