//! What is nearest to a vector, as people carry it away: JSON, a table, a chart.

use super::probe::short;
use super::table::{Align, Cell, Table, with_interval};
use crate::analysis::neighbors::hnsw::{Certificate, Params};
use crate::analysis::neighbors::{Baseline, Correction, Metric};
use crate::figure::{
    Figure, Footer, LineChart, Panel, Point, PointColor, ScatterChart, Series, Style,
};
use serde::Serialize;

/// Version of the JSON that [`NearestReport`] serialises to.
pub const SCHEMA_VERSION: u32 = 1;

/// The nearest tokens or rows of one or more vectors.
#[derive(Debug, Clone, Serialize)]
pub struct NearestReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// What was searched.
    pub space: SpaceCard,
    /// How near two vectors are.
    pub metric: Metric,
    /// What was done about the shape of the space.
    pub correction: Correction,
    /// Cosines of random pairs of the space.
    pub baseline: Baseline,
    /// How it was searched.
    pub search: SearchCard,
    /// What was asked for.
    pub queries: Vec<QueryCard>,
    /// The nearest of the first query, nearest first, then of the second, …
    pub neighbors: Vec<Found>,
}

/// Which vectors a search is among.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpaceKind {
    /// Input embeddings.
    Embed,
    /// Output embeddings.
    Unembed,
    /// The rows of a run.
    Run,
}

/// What was searched.
#[derive(Debug, Clone, Serialize)]
pub struct SpaceCard {
    /// Which vectors.
    pub kind: SpaceKind,
    /// The model.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// The run's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// SHA-256 of the run's data file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_sha256: Option<String>,
    /// The hook point of the run's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_point: Option<String>,
    /// Different rows that were searched.
    pub rows: usize,
    /// Rows that are copies of another.
    pub duplicates: usize,
    /// Ids of the vocabulary that were left out: those without a name, and those whose vector is zero where directions matter.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// How a search was done.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum SearchCard {
    /// Every row was looked at.
    Exact {
        /// Why, where an index was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// By an index.
    Hnsw {
        /// How it was built.
        params: Params,
        /// What it was measured to find.
        certificate: Certificate,
        /// Whether it was built for this search, or read.
        built: bool,
        /// Where it is kept.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
    },
}

/// A vector that was asked for.
#[derive(Debug, Clone, Serialize)]
pub struct QueryCard {
    /// `token`, `text`, `row`, `file` or `expression`.
    pub kind: &'static str,
    /// What it is, in words.
    pub label: String,
    /// What is part of the query, and so was left out of its neighbours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// A token or a row that was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    /// Which query found it, from 0, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<usize>,
    /// The vocabulary's spelling of the token; of a row of a pooled run, nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<u32>,
    /// The row of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// The row of the data file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<u32>,
    /// The token's place in its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// What the token stands for, or the text of the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A cosine, a dot product, a CSLS score, or (less is nearer) a distance.
    pub score: f64,
    /// Names of other rows with the same vector.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
}

impl Found {
    /// What it is called in a table or on an axis.
    fn name(&self) -> String {
        match (&self.token, self.example) {
            (Some(token), None) => token.clone(),
            (Some(token), Some(example)) => {
                format!("{token} ({example}:{})", self.position.unwrap_or(0))
            }
            (None, example) => example.map_or_else(String::new, |e| e.to_string()),
        }
    }
}

impl NearestReport {
    fn score_name(&self) -> &'static str {
        match (self.metric, self.correction) {
            (_, Correction::Csls) => "CSLS",
            (Metric::Cosine, _) => "cosine",
            (Metric::Dot, _) => "dot product",
            (Metric::Euclid, _) => "distance",
        }
    }

    fn of_query(&self, query: usize) -> impl Iterator<Item = &Found> {
        let of = move |f: &&Found| f.query.unwrap_or(0) == query;
        self.neighbors.iter().filter(of)
    }

    /// The table for the terminal, with what must be known to read it.
    pub fn table(&self, styled: bool) -> String {
        let parts = self.queries.iter().enumerate().map(|(i, query)| {
            let mut table = self.columns().styled(styled);
            for (rank, found) in self.of_query(i).enumerate() {
                table.row(self.cells(rank, found));
            }
            format!("{}\n{table}", query.label)
        });
        let parts: Vec<String> = parts.collect();
        format!("{}{}", parts.join("\n"), self.notes())
    }

    fn columns(&self) -> Table {
        let mut columns = vec![("", Align::Right), (self.score_name(), Align::Right)];
        match self.space.kind {
            SpaceKind::Run => {
                columns.push(("example", Align::Right));
                if self.neighbors.iter().any(|f| f.position.is_some()) {
                    columns.extend([("position", Align::Right), ("token", Align::Left)]);
                }
                columns.push(("text", Align::Left));
            }
            _ => columns.extend([("token", Align::Left), ("id", Align::Right)]),
        }
        columns.push(("the same vector", Align::Left));
        Table::new(columns)
    }

    fn cells(&self, rank: usize, found: &Found) -> Vec<Cell> {
        let mut cells = vec![
            Cell::dim((rank + 1).to_string()),
            Cell::bold(format!("{:.4}", found.score)),
        ];
        let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
        let token = found.token.clone().unwrap_or_default();
        match self.space.kind {
            SpaceKind::Run => {
                cells.push(number(found.example).into());
                if found.position.is_some() {
                    cells.extend([number(found.position).into(), token.into()]);
                }
                cells.push(cut(found.text.as_deref().unwrap_or(""), 60).into());
            }
            _ => cells.extend([token.into(), number(found.token_id).into()]),
        }
        cells.push(Cell::dim(cut(&found.also.join(", "), 40)));
        cells
    }

    /// What the scores are to be held against.
    fn notes(&self) -> String {
        let (space, b) = (&self.space, &self.baseline);
        let mut notes = format!(
            "{}: {} rows, {} duplicates\n{}, correction {}; cosines of {} random pairs: mean {:.3} (before the correction {:.3}), sd {:.3}, 99th percentile {:.3}\n",
            self.space_name(),
            space.rows,
            space.duplicates,
            self.score_name(),
            correction_name(self.correction),
            b.pairs,
            b.mean,
            b.uncorrected_mean,
            b.sd,
            b.p99,
        );
        if space.left_out > 0 {
            notes += &format!(
                "{} ids of the vocabulary have no name or no vector and were left out\n",
                space.left_out
            );
        }
        let mut without: Vec<&str> = Vec::new();
        for name in self.queries.iter().flat_map(|q| &q.without) {
            if !without.contains(&name.as_str()) {
                without.push(name);
            }
        }
        if !without.is_empty() {
            notes += &format!("left out as part of the query: {}\n", without.join(", "));
        }
        match &self.search {
            SearchCard::Exact { reason: None } => {}
            SearchCard::Exact {
                reason: Some(reason),
            } => notes += &format!("exact search: {reason}\n"),
            SearchCard::Hnsw {
                certificate: c,
                file,
                ..
            } => {
                notes += &format!(
                    "index{}: recall@10 {} on {} rows, {} of {} rows find themselves\n",
                    file.as_ref().map_or_else(String::new, |f| format!(" {f}")),
                    with_interval(c.recall, c.recall_low, c.recall_high),
                    c.sample,
                    c.rows - c.lost,
                    c.rows
                );
            }
        }
        notes
    }

    fn space_name(&self) -> String {
        let space = &self.space;
        match (&space.kind, &space.run, &space.hook_point) {
            (SpaceKind::Embed, ..) => format!("input embeddings of {}", space.model),
            (SpaceKind::Unembed, ..) => format!("output embeddings of {}", space.model),
            (SpaceKind::Run, Some(run), Some(point)) => format!("{run} at {point}"),
            (SpaceKind::Run, ..) => "a run".to_owned(),
        }
    }

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
                title: format!("Nearest to {} ({})", cut(&one.label, 48), self.space_name()),
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
            label: (i < NAMED).then(|| cut(&found.name(), 18)),
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

fn correction_name(correction: Correction) -> &'static str {
    match correction {
        Correction::None => "none",
        Correction::Center => "center",
        Correction::Standardize => "standardize",
        Correction::Abtt => "abtt",
        Correction::Csls => "csls",
    }
}

/// The beginning of a text on one line.
fn cut(text: &str, most: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(most + 1)
        .collect();
    match line.chars().count() > most {
        true => line.chars().take(most - 1).chain(['…']).collect(),
        false => line,
    }
}
