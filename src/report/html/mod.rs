//! One offline page with everything that a set of folders holds: runs, and what was found in them.
//!
//! The page loads nothing from anywhere: style, script and figures stand in it.

mod card;
mod figure;
mod run;
mod values;

pub use figure::Picture;

use crate::error::{Error, Result};
use crate::store::Manifest;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

/// The largest page, in bytes; figures with many points are thinned to stay below it.
pub const MOST_BYTES: usize = 5_000_000;

const STYLE: &str = include_str!("../../../assets/report/report.css");
const SCRIPT: &str = include_str!("../../../assets/report/report.js");

/// What a page shows.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The page's name.
    pub title: String,
    /// The command that makes it.
    pub command: String,
    /// The runs, in the order given.
    pub runs: Vec<RunPart>,
    /// What was found in them, in the order given.
    pub findings: Vec<Finding>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct RunPart {
    /// Its folder, as it was named.
    pub name: String,
    /// What it holds.
    pub manifest: Manifest,
    /// Rows of its data, to be read: the names of the columns, and the first rows.
    pub sample: (Vec<String>, Vec<Vec<String>>),
}

/// The commands whose results a page shows, in the order in which it does: from what was found to what it looks like and what moves it.
pub const COMMANDS: &[&str] = &[
    "probe",
    "transfer",
    "score",
    "map",
    "nearest",
    "geometry",
    "lens",
    "tuned",
    "parameters",
    "drift",
    "gate",
];

/// The result of one analysis: the JSON that its command wrote, and its figures.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The command, such as `probe`.
    pub command: String,
    /// Its folder, as it was named.
    pub name: String,
    /// The JSON.
    pub result: Value,
    /// The figures, in the order of their names; `chart` first.
    pub figures: Vec<Picture>,
}

impl Page {
    /// The page as an HTML document of at most [`MOST_BYTES`].
    ///
    /// # Errors
    /// [`Error::BadParameter`] if thinning the figures does not make it small enough.
    pub fn render(&self) -> Result<String> {
        let figures: usize = self.figures().map(Picture::bytes).sum();
        let whole = self.draw(usize::MAX);
        if whole.len() <= MOST_BYTES {
            return Ok(whole);
        }
        // What is not figures stays; the figures share the rest in proportion to their size.
        let fixed = whole.len() - figures.min(whole.len());
        let room = (MOST_BYTES * 9 / 10).saturating_sub(fixed);
        let thinned = self.draw(room / self.figures().count().max(1));
        match thinned.len() <= MOST_BYTES {
            true => Ok(thinned),
            false => Err(Error::BadParameter {
                name: "report",
                value: format!("{} bytes", thinned.len()),
                problem: format!("a page may have {MOST_BYTES}; give fewer folders to one report"),
            }),
        }
    }

    fn figures(&self) -> impl Iterator<Item = &Picture> {
        self.findings.iter().flat_map(|f| &f.figures)
    }

    /// The page, with at most `room` bytes for each figure.
    fn draw(&self, room: usize) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="generator" content={ "plumb " (env!("CARGO_PKG_VERSION")) };
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#main" { "Skip to the findings" }
                    header {
                        h1 { (self.title) }
                        p.made { "Made by " code { (self.command) } ", plumb " (env!("CARGO_PKG_VERSION")) "." }
                    }
                    (self.contents())
                    main #main {
                        @for (i, run) in self.runs.iter().enumerate() { (run.section(i)) }
                        @for (i, finding) in self.findings.iter().enumerate() { (self.finding(finding, i, room)) }
                    }
                    div #tip role="status" aria-live="polite" hidden {}
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }

    fn contents(&self) -> Markup {
        html! {
            nav aria-label="Contents" {
                ul {
                    @for (i, run) in self.runs.iter().enumerate() {
                        li { a href={ "#run-" (i) } { "Run: " (run.name) } }
                    }
                    @for (i, finding) in self.findings.iter().enumerate() {
                        li { a href={ "#finding-" (i) } { (finding.heading()) } }
                    }
                }
            }
        }
    }

    fn finding(&self, finding: &Finding, index: usize, room: usize) -> Markup {
        html! {
            section id={ "finding-" (index) } aria-labelledby={ "finding-title-" (index) } {
                h2 id={ "finding-title-" (index) } { (finding.heading()) }
                @if let Some(strange) = self.strange(finding) { p.warning role="note" { (strange) } }
                @for (i, picture) in finding.figures.iter().enumerate() {
                    (picture.show(&format!("figure-{index}-{i}"), room))
                }
                (card::tables(&finding.result, &format!("finding-{index}")))
                (card::provenance(&finding.result, &finding.name))
            }
        }
    }

    /// A sentence where a finding does not come from the runs that the page shows.
    fn strange(&self, finding: &Finding) -> Option<String> {
        let source = finding.result.get("source")?;
        let field = |name: &str| source.get(name).and_then(Value::as_str);
        let (weights, data) = (field("weights_sha256")?, field("data_sha256")?);
        let plans = || self.runs.iter().map(|run| &run.manifest.plan);
        let same_model = plans().any(|plan| plan.model.weights_sha256 == weights);
        let known =
            plans().any(|plan| plan.model.weights_sha256 == weights && plan.data.sha256 == data);
        (!known && !self.runs.is_empty()).then(|| {
            format!(
                "This comes from {} than the runs above: model {}, data {}.",
                match same_model {
                    true => "other data",
                    false => "another model",
                },
                field("model").unwrap_or("unknown"),
                field("data").unwrap_or("unknown")
            )
        })
    }
}

impl Finding {
    /// The command, what it was about, and the folder.
    fn heading(&self) -> String {
        let label = match self.result.get("label") {
            Some(Value::Array(labels)) => labels
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            Some(Value::String(label)) => label.clone(),
            _ => String::new(),
        };
        let about = match label.as_str() {
            "" => self.name.clone(),
            label => format!("{label} ({})", self.name),
        };
        let mut command = self.command.clone();
        if let Some(first) = command.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        format!("{command}: {about}")
    }
}
