//! Probes trained in one place and tested in another, as people carry it away: JSON, a table, a heat map.

use super::probe::{Source, short};
use super::table::{Align, Cell, Table};
use crate::analysis::inference::Estimate;
use crate::analysis::probe::{Kind, SweepParams};
use crate::figure::{ColorScale, Figure, Footer, HeatMap};
use serde::Serialize;

/// Version of the JSON that [`TransferReport`] serialises to.
pub const SCHEMA_VERSION: u32 = 1;

/// A matrix of scores: trained on one place, tested on another.
#[derive(Debug, Clone, Serialize)]
pub struct TransferReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// The label columns.
    pub label: Vec<String>,
    /// How probes were trained.
    pub params: SweepParams,
    /// The metric of the matrix: `accuracy` or `r2`.
    pub metric: &'static str,
    /// What differs between places: `run` or `hook_point`.
    pub across: &'static str,
    /// The places, in the order of rows and columns.
    pub places: Vec<Place>,
    /// `matrix[trained][tested]`; `null` where the spaces have different widths.
    pub matrix: Vec<Vec<Option<Estimate>>>,
}

/// Where probes are trained and tested.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// Its name in the figure.
    pub name: String,
    /// The hook point.
    pub hook_point: String,
    /// Where its activations come from.
    pub source: Source,
    /// Training rows.
    pub train: usize,
    /// Test rows.
    pub test: usize,
    /// The main metric of the best constant on its test rows.
    pub majority: f64,
    /// The penalty that its probe was trained with.
    pub lambda: f64,
}

impl TransferReport {
    fn text(estimate: &Option<Estimate>) -> String {
        estimate.map_or(String::new(), |e| format!("{:.2}", e.value))
    }

    /// The matrix for the terminal.
    pub fn table(&self, styled: bool) -> String {
        let head = (format!("{}: trained ↓ tested →", self.metric), Align::Left);
        let columns = self.places.iter().map(|p| (p.name.clone(), Align::Right));
        let mut table = Table::new(std::iter::once(head).chain(columns)).styled(styled);
        for (i, (place, row)) in self.places.iter().zip(&self.matrix).enumerate() {
            let cells = row.iter().enumerate().map(|(j, e)| match i == j {
                true => Cell::bold(Self::text(e)),
                false => Cell::from(Self::text(e)),
            });
            table.row(std::iter::once(Cell::from(place.name.clone())).chain(cells));
        }
        let majority = self
            .places
            .iter()
            .map(|p| Cell::dim(format!("{:.2}", p.majority)));
        table.row(std::iter::once(Cell::dim("best constant".to_owned())).chain(majority));
        format!(
            "{table}{}: {} probes, on test rows\n",
            self.label.join(", "),
            self.params.kind.name()
        )
    }

    /// The heat map, its last row the best constant.
    pub fn chart(&self) -> Figure {
        let numeric = self.params.kind == Kind::Ridge;
        let value = |e: &Option<Estimate>| e.map_or(f64::NAN, |e| e.value);
        let mut values: Vec<Vec<f64>> = self
            .matrix
            .iter()
            .map(|row| row.iter().map(value).collect())
            .collect();
        let mut texts: Vec<Vec<String>> = self
            .matrix
            .iter()
            .map(|row| row.iter().map(Self::text).collect())
            .collect();
        let majority: Vec<f64> = self.places.iter().map(|p| p.majority).collect();
        texts.push(majority.iter().map(|m| format!("{m:.2}")).collect());
        values.push(majority);
        // Names under a narrow column have little room.
        let short_name = |p: &Place| p.name.strip_prefix("blocks.").unwrap_or(&p.name).to_owned();
        let names: Vec<String> = self.places.iter().map(short_name).collect();
        let least = values
            .iter()
            .flatten()
            .copied()
            .filter(|v| v.is_finite())
            .fold(1.0, f64::min);
        let metric = if numeric { "R²" } else { "accuracy" };
        let first = self.places.first();
        let data: Vec<&str> = self
            .places
            .iter()
            .map(|p| short(&p.source.data_sha256))
            .collect();
        let mut data = data;
        data.dedup();
        Figure::Heat(HeatMap {
            title: match self.across {
                "run" => format!(
                    "Does a probe of “{}” at {} carry over from one data set to another?",
                    self.label.join(", "),
                    first.map_or("", |p| p.hook_point.as_str())
                ),
                _ => format!(
                    "Does a probe of “{}” carry over from one layer to another?",
                    self.label.join(", ")
                ),
            },
            x_label: "tested on".to_owned(),
            y_label: "trained on (last row: the best constant)".to_owned(),
            columns: names.clone(),
            rows: names
                .into_iter()
                .chain(std::iter::once("best constant".to_owned()))
                .collect(),
            texts: Some(texts),
            values,
            value_label: format!("{metric} on test rows"),
            scale: ColorScale::Sequential(Some(match numeric {
                true => (-0.25, 1.0),
                false => (least.min(0.99), 1.0),
            })),
            footer: Footer {
                command: self.command.clone(),
                data: format!(
                    "data sha256 {} · weights sha256 {} · {} · seed {}",
                    data.join(", "),
                    first.map_or("", |p| short(&p.source.weights_sha256)),
                    self.params.kind.name(),
                    self.params.seed
                ),
            },
        })
    }
}
