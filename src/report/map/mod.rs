//! Maps of layers, as people carry them away: JSON, a table, a chart, files for other programs.

mod chart;
mod color;
mod export;

pub use color::Coloring;
pub use export::{Points, projector};

use super::probe::Source;
use super::table::{Align, Cell, Table, with_interval};
use crate::analysis::inference::Estimate;
use crate::analysis::reduce::{Agreement, Map, MapParams, Method, Place, aligned, disparity};
use crate::error;
use serde::Serialize;

/// Version of the JSON that [`MapReport`] serialises to.
pub const SCHEMA_VERSION: u32 = 1;

/// Maps of the layers of a run, with everything needed to draw them again.
#[derive(Debug, Clone, Serialize)]
pub struct MapReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// How maps were drawn.
    pub params: MapParams,
    /// Which rows of the run are points.
    pub rows: RowsCard,
    /// The column that points are coloured by.
    pub color: Option<String>,
    /// Where the activations come from.
    pub source: Source,
    /// One entry a hook point, in order of depth.
    pub layers: Vec<Layer>,
    /// Colours, names and notes of the points.
    #[serde(skip)]
    pub marks: Marks,
}

/// Which rows of the run are points.
#[derive(Debug, Clone, Serialize)]
pub struct RowsCard {
    /// Points on each map.
    pub points: usize,
    /// Rows of the run.
    pub of: usize,
    /// `all`, or how they were chosen.
    pub how: String,
    /// What a row of the run is: `token` or `text`.
    pub unit: &'static str,
}

/// What is seen of each point beside its place.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Its colour; `None` where all have the same.
    pub color: Option<Coloring>,
    /// Its name, for chosen points.
    pub labels: Vec<Option<String>>,
    /// What is said of it on hover.
    pub notes: Vec<Option<String>>,
}

/// The map of one layer.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    /// The hook point.
    pub hook_point: String,
    /// How far the map can be trusted.
    #[serde(flatten)]
    pub map: Map,
    /// How often neighbours are of the same colour, where colours are categories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_color: Option<Agreement>,
    /// In a film, the Procrustes disparity to the map before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disparity_to_previous: Option<f64>,
    /// The places as they are drawn: in a film of root mean square radius 1, each map turned onto the one before.
    #[serde(serialize_with = "axes")]
    pub places: Vec<Place>,
}

/// Places as two lists, which is half of the JSON.
fn axes<S: serde::Serializer>(places: &[Place], serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::SerializeStruct;
    let axis = |i: usize| places.iter().map(|p| p[i]).collect::<Vec<f32>>();
    let mut both = serializer.serialize_struct("places", 2)?;
    both.serialize_field("x", &axis(0))?;
    both.serialize_field("y", &axis(1))?;
    both.end()
}

/// The maps of successive hook points as a film: one frame, each turned onto the one before. A single map stays as it is.
///
/// # Errors
/// As [`disparity`].
pub fn film(maps: Vec<(String, Map)>) -> error::Result<Vec<Layer>> {
    let single = maps.len() == 1;
    let mut layers: Vec<Layer> = Vec::with_capacity(maps.len());
    for (hook_point, map) in maps {
        let before = layers.last().map(|l| l.places.as_slice());
        let apart = before.map(|before| disparity(before, &map.places));
        layers.push(Layer {
            hook_point,
            same_color: None,
            disparity_to_previous: apart.transpose()?,
            places: match single {
                true => map.places.clone(),
                false => aligned(&map.places, before),
            },
            map,
        });
    }
    Ok(layers)
}

impl MapReport {
    /// The method's name, as it is written.
    fn method(&self) -> &'static str {
        match self.params.method {
            Method::Pca => "PCA",
            Method::Umap => "UMAP",
            Method::Pacmap => "PaCMAP",
        }
    }

    /// The table for the terminal, with what must be known to read it.
    pub fn table(&self, styled: bool) -> String {
        let k = self.layers.first().map_or(0, |l| l.map.quality.k);
        let mut columns = vec![
            ("layer".to_owned(), Align::Left),
            ("trustworthiness".to_owned(), Align::Right),
            ("continuity".to_owned(), Align::Right),
            (format!("kept of {k}"), Align::Right),
            ("torn".to_owned(), Align::Right),
        ];
        let any = |has: &dyn Fn(&Layer) -> bool| self.layers.iter().any(has);
        let optional = [
            (any(&|l| l.map.variance.is_some()), "variance"),
            (any(&|l| l.map.stability.is_some()), "same from other seeds"),
            (any(&|l| l.same_color.is_some()), "same color: space"),
            (any(&|l| l.same_color.is_some()), "map"),
            (any(&|l| l.same_color.is_some()), "chance"),
        ];
        let shown = optional.iter().filter(|c| c.0);
        columns.extend(shown.map(|c| (c.1.to_owned(), Align::Right)));
        let mut table = Table::new(columns).styled(styled);
        for layer in &self.layers {
            table.row(cells(layer));
        }
        format!("{table}{}", self.notes())
    }

    /// What was drawn, and what the columns say.
    fn notes(&self) -> String {
        let Some(first) = self.layers.first() else {
            return String::new();
        };
        let quality = &first.map.quality;
        let mut notes = format!(
            "{} of {} {}s ({})",
            self.method(),
            self.rows.points,
            self.rows.unit,
            self.rows.how
        );
        let copies = self.layers.iter().map(|l| l.map.duplicates).max();
        if let Some(copies) = copies.filter(|c| *c > 0) {
            notes += &format!(", up to {copies} copies of another in one layer");
        }
        notes += &format!(
            "\nneighbourhoods of {}; a random map would keep {:.1} % of one; torn: more than half of one lies outside the nearest tenth of the map\n",
            quality.k,
            100.0 * quality.preservation_by_chance
        );
        if quality.trustworthiness_rows < quality.rows {
            notes += &format!(
                "trustworthiness is of {} rows drawn with the seed, against all {}; its interval is 95 %\n",
                quality.trustworthiness_rows, quality.rows
            );
        }
        if self.params.method == Method::Umap && self.params.seeds > 1 {
            notes += &format!(
                "same from other seeds: the share of a point's neighbours that another of {} seeds gives it (all begin from the same places)\n",
                self.params.seeds
            );
        }
        notes
    }
}

fn cells(layer: &Layer) -> Vec<Cell> {
    let quality = &layer.map.quality;
    let mut cells = vec![
        Cell::from(layer.hook_point.clone()),
        Cell::bold(shown(quality.trustworthiness)),
        Cell::from(shown(quality.continuity)),
        Cell::from(percent(quality.preservation.value)),
        Cell::from(percent(
            quality.torn as f64 / quality.continuity_rows as f64,
        )),
    ];
    if let Some(variance) = &layer.map.variance {
        cells.push(percent(variance.share.iter().sum()).into());
    }
    if let Some(stability) = &layer.map.stability {
        cells.push(percent(stability.overlap.value).into());
    }
    if let Some(same) = &layer.same_color {
        cells.push(percent(same.in_space.value).into());
        cells.push(Cell::bold(percent(same.on_map.value)));
        cells.push(Cell::dim(percent(same.by_chance)));
    }
    cells
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn shown(estimate: Estimate) -> String {
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => with_interval(estimate.value, low, high),
        _ => format!("{:.3}", estimate.value),
    }
}
