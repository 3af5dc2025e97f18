//! A gate as people and machines carry it away: JSON, a table, JUnit XML, one page, a chart.

use super::html::{Finding, Page, Picture};
use super::probe::{file_name, layer_axis, short};
use super::table::{Align, Cell, Table, with_interval};
use crate::analysis::drift::gate::{Check, GateParams};
use crate::error::{Error, Result};
use crate::figure::{Figure, Footer, LineChart, Series, Style, render_svg};
use crate::store::Manifest;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use serde::Serialize;
use std::path::Path;

/// Version of the JSON that [`GateReport`] serialises to.
pub const SCHEMA_VERSION: u32 = 1;

/// The checks of a candidate against a baseline.
#[derive(Debug, Clone, Serialize)]
pub struct GateReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// Whether every check passed.
    pub passed: bool,
    /// What is trusted.
    pub baseline: Side,
    /// What is to be let through.
    pub candidate: Side,
    /// The label that a probe was trained on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Margins and how they were tested.
    pub params: GateParams,
    /// Every check, hook point after hook point.
    pub checks: Vec<Check>,
}

/// One side of the comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Side {
    /// The run, or the model, as it was named.
    pub name: String,
    /// The model that made the vectors.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// The data.
    pub data: String,
    /// SHA-256 of the data file.
    pub data_sha256: String,
}

impl Side {
    /// A run under a name.
    pub fn new(name: &str, manifest: &Manifest) -> Self {
        let plan = &manifest.plan;
        Self {
            name: name.to_owned(),
            model: plan.model.name.clone(),
            weights_sha256: plan.model.weights_sha256.clone(),
            data: plan.data.name.clone(),
            data_sha256: plan.data.sha256.clone(),
        }
    }
}

impl GateReport {
    /// The report of some checks.
    pub fn new(
        command: String,
        baseline: Side,
        candidate: Side,
        label: Option<String>,
        params: GateParams,
        checks: Vec<Check>,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            command,
            passed: checks.iter().all(|c| c.passed),
            baseline,
            candidate,
            label,
            params,
            checks,
        }
    }

    /// What closes the gate; `None` if it is open.
    pub fn failure(&self) -> Option<Error> {
        let failed: Vec<&Check> = self.checks.iter().filter(|c| !c.passed).collect();
        let first = failed.first()?;
        Some(Error::GateClosed {
            failed: failed.len(),
            of: self.checks.len(),
            first: format!("{} at {}: {}", first.check, first.hook_point, said(first)),
        })
    }

    /// The table for the terminal.
    pub fn table(&self, styled: bool) -> String {
        let mut table = Table::new([
            ("layer", Align::Left),
            ("check", Align::Left),
            ("found [90 %]", Align::Right),
            ("margin", Align::Right),
            ("", Align::Left),
        ])
        .styled(styled);
        for check in &self.checks {
            let found = with_interval(check.value, check.low, check.high);
            let verdict = if check.passed {
                Cell::dim("passed")
            } else {
                Cell::bold("FAILED")
            };
            table.row([
                Cell::from(check.hook_point.clone()),
                Cell::from(check.check),
                Cell::from(found),
                Cell::from(check.margin.to_string()),
                verdict,
            ]);
        }
        let passed = self.checks.iter().filter(|c| c.passed).count();
        format!(
            "{table}{passed} of {} checks passed: {} against {}\n",
            self.checks.len(),
            self.candidate.name,
            self.baseline.name
        )
    }

    /// The checks as JUnit XML: a suite a kind of check, a case a hook point.
    ///
    /// # Errors
    /// [`Error::Drawing`] if the XML cannot be written.
    pub fn junit(&self) -> Result<String> {
        let mut report = Report::new("plumb gate");
        for kind in self.kinds() {
            let mut suite = TestSuite::new(kind);
            for check in self.checks.iter().filter(|c| c.check == kind) {
                let mut status = TestCaseStatus::success();
                if !check.passed {
                    status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(said(check));
                }
                let mut case = TestCase::new(check.hook_point.clone(), status);
                case.set_classname(format!("plumb.gate.{kind}"));
                suite.add_test_case(case);
            }
            report.add_test_suite(suite);
        }
        report
            .to_string()
            .map_err(|e| Error::Drawing(e.to_string()))
    }

    fn kinds(&self) -> Vec<&'static str> {
        let mut kinds = Vec::new();
        for check in &self.checks {
            if !kinds.contains(&check.check) {
                kinds.push(check.check);
            }
        }
        kinds
    }

    /// One page with the verdict, the chart and every check.
    ///
    /// # Errors
    /// As [`render_svg`] and [`Page::render`].
    pub fn page(&self) -> Result<String> {
        let verdict = if self.passed { "open" } else { "closed" };
        let result = serde_json::to_value(self).map_err(|e| Error::Drawing(e.to_string()))?;
        Page {
            title: format!(
                "The gate is {verdict}: {} against {}",
                self.candidate.name, self.baseline.name
            ),
            command: self.command.clone(),
            findings: vec![Finding {
                command: "gate".to_owned(),
                name: self.candidate.name.clone(),
                result,
                figures: vec![Picture::new(
                    Path::new("chart.svg"),
                    render_svg(&self.chart())?,
                )?],
            }],
            ..Page::default()
        }
        .render()
    }

    /// Each kind of check by layer, as a share of its margin.
    pub fn chart(&self) -> Figure {
        let series = self.kinds().into_iter().map(|kind| {
            let of_kind = self.checks.iter().filter(|c| c.check == kind);
            let share = |c: &Check, v: f64| v / c.margin;
            Series {
                name: kind.to_owned(),
                points: of_kind
                    .clone()
                    .enumerate()
                    .map(|(i, c)| (i as f64, share(c, c.value)))
                    .collect(),
                band: Some(
                    of_kind
                        .map(|c| (share(c, c.low), share(c, c.high)))
                        .collect(),
                ),
                style: Style::Headline,
            }
        });
        let first = self.checks.first().map(|c| c.check);
        let points = self.checks.iter().filter(|c| Some(c.check) == first);
        let names: Vec<&str> = points.map(|c| c.hook_point.as_str()).collect();
        let (x_label, ticks) = layer_axis(&names);
        Figure::Line(LineChart {
            title: format!(
                "How much of its margins a candidate uses up ({})",
                file_name(&self.baseline.data)
            ),
            x_label,
            y_label: "share of the margin, 90 % interval; a band that reaches 1 fails".to_owned(),
            x_ticks: Some(ticks),
            series: series.collect(),
            reference_lines: vec![("margin".to_owned(), 1.0)],
            footer: Footer {
                command: self.command.clone(),
                data: format!(
                    "data sha256 {} · weights sha256 {} against {}",
                    short(&self.baseline.data_sha256),
                    short(&self.candidate.weights_sha256),
                    short(&self.baseline.weights_sha256),
                ),
            },
            ..LineChart::default()
        })
    }
}

/// A check in words.
fn said(check: &Check) -> String {
    format!(
        "{} is not within the margin of {}",
        with_interval(check.value, check.low, check.high),
        check.margin
    )
}
