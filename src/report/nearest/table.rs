//! The table of what is nearest, with what must be known to read it.

use super::{Found, NearestReport, SearchCard, SpaceKind, correction_name, cut};
use crate::analysis::neighbors::Correction;
use crate::report::table::{Align, Cell, Table, with_interval};

impl NearestReport {
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
                if self.has_texts() {
                    columns.push(("text", Align::Left));
                }
            }
            _ => columns.extend([("token", Align::Left), ("id", Align::Right)]),
        }
        if self.has_copies() {
            columns.push(("the same vector", Align::Left));
        }
        Table::new(columns)
    }

    /// Whether the run keeps what its rows say.
    fn has_texts(&self) -> bool {
        self.neighbors.iter().any(|f| f.text.is_some())
    }

    /// Whether something that was found stands for others.
    fn has_copies(&self) -> bool {
        self.neighbors.iter().any(|f| !f.also.is_empty())
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
                if self.has_texts() {
                    cells.push(cut(found.text.as_deref().unwrap_or(""), 60).into());
                }
            }
            _ => cells.extend([token.into(), number(found.token_id).into()]),
        }
        if self.has_copies() {
            cells.push(Cell::dim(cut(&found.also.join(", "), 40)));
        }
        cells
    }

    /// What the scores are to be held against.
    fn notes(&self) -> String {
        let (space, b) = (&self.space, &self.baseline);
        let before = match self.correction {
            Correction::None | Correction::Csls => String::new(),
            _ => format!(" (before the correction {:.3})", b.uncorrected_mean),
        };
        let pairs = match b.pairs {
            0 => "no pairs of rows to compare with".to_owned(),
            n => format!(
                "cosines of {n} random pairs: mean {:.3}{before}, sd {:.3}, 99th percentile {:.3}",
                b.mean, b.sd, b.p99
            ),
        };
        let mut notes = format!(
            "{}: {} rows, {} duplicates\n{}, correction {}; {pairs}\n",
            self.space_name(),
            space.rows,
            space.duplicates,
            self.score_name(),
            correction_name(self.correction),
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
}
