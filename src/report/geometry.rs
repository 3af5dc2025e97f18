//! The shape of a run's layers, as people carry it away: JSON, a table, charts.

use super::probe::{Source, file_name, layer_axis, short};
use super::table::{Align, Cell, Table, with_interval};
use crate::analysis::geometry::{LayerGeometry, LayerParams, SimilarityParams, WithNull};
use crate::figure::{ColorScale, Figure, Footer, HeatMap, LineChart, Series, Style};
use serde::Serialize;

/// Version of the JSON that [`GeometryReport`] serialises to.
pub const SCHEMA_VERSION: u32 = 1;

/// The layers of a run, or of two, and how alike they are.
#[derive(Debug, Clone, Serialize)]
pub struct GeometryReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// Where the activations come from.
    pub source: Source,
    /// Where those of the other run come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Source>,
    /// How layers were measured.
    pub params: LayerParams,
    /// How they were compared.
    pub similarity_params: SimilarityParams,
    /// On how many rows they were compared.
    pub similarity_rows: usize,
    /// One entry a hook point, in order of depth.
    pub layers: Vec<LayerGeometry>,
    /// Those of the other run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_layers: Vec<LayerGeometry>,
    /// Every pair of layers; of two runs, every pair of one of each.
    pub similarity: Vec<Pair>,
    /// Rows that hold massive activations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub massive: Vec<MassiveRow>,
}

/// Two layers.
#[derive(Debug, Clone, Serialize)]
pub struct Pair {
    /// Hook point of the run.
    pub a: String,
    /// The other hook point; of two runs, one of the second.
    pub b: String,
    /// Debiased linear CKA.
    pub cka: WithNull,
    /// Procrustes similarity.
    pub procrustes: WithNull,
    /// Share of nearest rows that are the same.
    pub mutual_knn: WithNull,
}

/// A row with a massive activation.
#[derive(Debug, Clone, Serialize)]
pub struct MassiveRow {
    /// Hook point.
    pub hook_point: String,
    /// Row of the run.
    pub row: usize,
    /// Row of the data file.
    pub example: u32,
    /// The token's place in its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// The token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The dimension.
    pub dimension: usize,
    /// The activation.
    pub value: f32,
    /// Its size over the layer's median size.
    pub ratio: f64,
}

/// A similarity of layers that is drawn.
type Measure = fn(&Pair) -> &WithNull;

impl GeometryReport {
    /// The table for the terminal, with what must be known to read it.
    pub fn table(&self, styled: bool) -> String {
        let mut text = layer_table(&self.layers, styled);
        if !self.other_layers.is_empty() {
            text += &format!("\n{}", layer_table(&self.other_layers, styled));
        }
        text += "\nmean cosine: of random pairs, 0 where no direction is preferred; PR: participation ratio; hubs: skewness of how often rows are among the 10 nearest of others\n\n";
        let measures: [(&str, Measure); 3] = [
            ("CKA (debiased)", |p| &p.cka),
            ("Procrustes similarity", |p| &p.procrustes),
            ("mutual 10-NN", |p| &p.mutual_knn),
        ];
        for (name, measure) in measures {
            text += &format!(
                "{name}{}\n{}",
                self.null(measure),
                self.matrix(measure, styled)
            );
        }
        text += &self.notes();
        text
    }

    fn notes(&self) -> String {
        let mut notes = format!(
            "layers were compared on {} rows, neighbours looked for among {}\n",
            self.similarity_rows,
            self.params
                .sample
                .min(self.layers.first().map_or(0, |l| l.rows))
        );
        for row in self.massive.iter().take(5) {
            notes += &format!(
                "massive: {} row {} ({}{}) has {:.1} in dimension {}, {:.0} times the median size\n",
                row.hook_point,
                row.row,
                row.token.as_deref().unwrap_or("text"),
                row.position.map_or_else(
                    || format!(" {}", row.example),
                    |p| format!(" {}:{p}", row.example)
                ),
                row.value,
                row.dimension,
                row.ratio
            );
        }
        notes
    }

    /// The names of the rows and of the columns of the matrix of layers.
    fn sides(&self) -> (Vec<&str>, Vec<&str>) {
        let rows = self.layers.iter().map(|l| l.hook_point.as_str());
        let columns = match self.other.is_some() {
            true => &self.other_layers,
            false => &self.layers,
        };
        let columns = columns.iter().map(|l| l.hook_point.as_str());
        (rows.collect(), columns.collect())
    }

    /// A similarity of every pair of layers; a layer is like itself.
    fn values(&self, measure: Measure) -> Vec<Vec<f64>> {
        let (rows, columns) = self.sides();
        let one_run = self.other.is_none();
        let mut values = vec![vec![f64::NAN; columns.len()]; rows.len()];
        for pair in &self.similarity {
            let row = rows.iter().position(|r| *r == pair.a);
            let column = columns.iter().position(|c| *c == pair.b);
            if let (Some(row), Some(column)) = (row, column) {
                let value = measure(pair).value.unwrap_or(f64::NAN);
                values[row][column] = value;
                if one_run {
                    values[column][row] = value;
                }
            }
        }
        if one_run {
            for (i, row) in values.iter_mut().enumerate() {
                row[i] = 1.0;
            }
        }
        values
    }

    fn matrix(&self, measure: Measure, styled: bool) -> String {
        let (rows, columns) = self.sides();
        let mut header = vec![(String::new(), Align::Left)];
        let ticks = layer_axis(&columns).1;
        header.extend(ticks.into_iter().map(|tick| (tick, Align::Right)));
        let mut table = Table::new(header).styled(styled);
        for (name, values) in rows.iter().zip(self.values(measure)) {
            let mut cells = vec![Cell::from(*name)];
            cells.extend(values.iter().map(|v| match v.is_finite() {
                true => Cell::from(format!("{v:.2}")),
                false => Cell::dim("–"),
            }));
            table.row(cells);
        }
        format!("{table}\n")
    }

    /// What the similarity is by chance.
    fn null(&self, measure: Measure) -> String {
        let nulls = self.similarity.iter().filter_map(|p| measure(p).null_mean);
        let nulls: Vec<f64> = nulls.collect();
        let (low, high) = nulls
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
                (l.min(*v), h.max(*v))
            });
        match nulls.is_empty() {
            true => String::new(),
            false => {
                // Never -0.00.
                let rounded = |v: f64| format!("{:.2}", (v * 100.0).round() / 100.0 + 0.0);
                let (low, high) = (rounded(low), rounded(high));
                let range = match low == high {
                    true => low,
                    false => format!("{low} to {high}"),
                };
                let count = self.similarity_params.permutations;
                format!("; rows paired at random: {range} (mean of {count} pairings)")
            }
        }
    }

    /// The charts with their names, the first the most telling.
    pub fn charts(&self) -> Vec<(&'static str, Figure)> {
        let mut charts = Vec::new();
        if !self.similarity.is_empty() {
            charts.push((
                "chart",
                self.heat("CKA, debiased", "How alike layers are: CKA", |p| &p.cka),
            ));
            charts.push((
                "procrustes",
                self.heat(
                    "Procrustes similarity",
                    "How well layers can be turned into each other",
                    |p| &p.procrustes,
                ),
            ));
            charts.push((
                "mutual-knn",
                self.heat(
                    "share of the 10 nearest in common",
                    "Whether layers agree on who is near to whom",
                    |p| &p.mutual_knn,
                ),
            ));
        }
        charts.push(("cosine", self.cosines()));
        charts.push(("dimension", self.dimensions()));
        charts.push(("hubness", self.hubness()));
        charts
    }

    fn heat(&self, value_label: &str, title: &str, measure: Measure) -> Figure {
        let (rows, columns) = self.sides();
        let values = self.values(measure);
        let written = rows.len() <= 16 && columns.len() <= 16;
        let texts = written.then(|| {
            let text = |v: &f64| match v.is_finite() {
                true => format!("{v:.2}"),
                false => String::new(),
            };
            let rows = values.iter();
            rows.map(|r| r.iter().map(text).collect()).collect()
        });
        let (x_label, columns) = layer_axis(&columns);
        let (y_label, rows) = layer_axis(&rows);
        let run = |source: &Source| format!(" · {}", file_name(&source.run));
        let of_two = |label: String, source: &Source| match self.other.is_some() {
            true => label + &run(source),
            false => label,
        };
        Figure::Heat(HeatMap {
            title: format!("{title}{}", self.null(measure)),
            x_label: of_two(x_label, self.other.as_ref().unwrap_or(&self.source)),
            y_label: of_two(y_label, &self.source),
            columns,
            rows,
            values,
            texts,
            value_label: value_label.to_owned(),
            scale: ColorScale::Sequential(Some((0.0, 1.0))),
            footer: self.footer(),
        })
    }

    fn footer(&self) -> Footer {
        let source = &self.source;
        Footer {
            command: self.command.clone(),
            data: format!(
                "data sha256 {} · weights sha256 {} · {} rows · seed {}",
                short(&source.data_sha256),
                short(&source.weights_sha256),
                self.layers.first().map_or(0, |l| l.rows),
                self.params.seed
            ),
        }
    }

    fn lines(&self, title: &str, y_label: &str, series: Vec<Series>) -> Figure {
        let names: Vec<&str> = self.layers.iter().map(|l| l.hook_point.as_str()).collect();
        let (x_label, ticks) = layer_axis(&names);
        Figure::Line(LineChart {
            title: title.to_owned(),
            x_label,
            y_label: y_label.to_owned(),
            x_ticks: Some(ticks),
            series,
            footer: self.footer(),
            ..LineChart::default()
        })
    }

    fn curve(&self, name: &str, value: &dyn Fn(&LayerGeometry) -> Option<f64>) -> Series {
        let points = self.layers.iter().enumerate();
        Series {
            name: name.to_owned(),
            points: points
                .map(|(i, l)| (i as f64, value(l).unwrap_or(f64::NAN)))
                .collect(),
            band: None,
            style: Style::Headline,
        }
    }

    fn cosines(&self) -> Figure {
        let mut mean = self.curve("mean cosine", &|l| Some(l.cosine.as_ref()?.mean));
        let bands = self.layers.iter().map(|l| {
            let cosine = l.cosine.as_ref()?;
            Some((cosine.low, cosine.high))
        });
        mean.band = bands.collect();
        let largest = self.curve("largest dimension’s part", &|l| {
            Some(l.cosine.as_ref()?.dominant.first()?.contribution)
        });
        self.lines(
            "How far the vectors of a layer point the same way",
            "mean cosine of random pairs, 95 % interval",
            vec![mean, largest],
        )
    }

    fn dimensions(&self) -> Figure {
        let mut two_nn = self.curve("two-NN", &|l| Some(l.two_nn?.value));
        let bands = self
            .layers
            .iter()
            .map(|l| l.two_nn?.low.zip(l.two_nn?.high));
        two_nn.band = bands.collect();
        let ratio = self.curve("participation ratio", &|l| l.participation_ratio);
        self.lines(
            "How many dimensions the vectors of a layer fill",
            "dimensions",
            vec![two_nn, ratio],
        )
    }

    fn hubness(&self) -> Figure {
        let skewness = self.curve("hubness", &|l| Some(l.hubness.as_ref()?.skewness));
        self.lines(
            "Hubs: whether few rows are near to most",
            "skewness of occurrences among the 10 nearest",
            vec![skewness],
        )
    }
}

fn layer_table(layers: &[LayerGeometry], styled: bool) -> String {
    let mut table = Table::new([
        ("layer", Align::Left),
        ("median norm", Align::Right),
        ("mean cosine", Align::Right),
        ("PR", Align::Right),
        ("two-NN [95 %]", Align::Right),
        ("hubs", Align::Right),
        ("top dimension (share)", Align::Right),
        ("massive rows", Align::Right),
    ])
    .styled(styled);
    let number = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"))
    };
    for layer in layers {
        let first = layer.cosine.as_ref().and_then(|c| c.dominant.first());
        let two_nn = layer.two_nn.map(|e| match (e.low, e.high) {
            (Some(low), Some(high)) => with_interval(e.value, low, high),
            _ => format!("{:.1}", e.value),
        });
        table.row([
            Cell::from(layer.hook_point.clone()),
            Cell::from(number(Some(layer.norm.median), 2)),
            Cell::from(number(layer.cosine.as_ref().map(|c| c.mean), 3)),
            Cell::from(number(layer.participation_ratio, 1)),
            Cell::from(two_nn.unwrap_or_else(|| "–".to_owned())),
            Cell::from(number(layer.hubness.as_ref().map(|h| h.skewness), 2)),
            Cell::from(first.map_or_else(
                || "–".to_owned(),
                |d| format!("{} ({:.2})", d.dimension, d.share),
            )),
            Cell::from(layer.massive_rows.to_string()),
        ]);
    }
    table.to_string()
}
