//! The rows of a figure as a Parquet file, for whoever draws it with something else.

use super::{Figure, LineChart, PointColor, ScatterChart, Style, heatmap, tokens};
use crate::error::{Error, Result};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// Columns of equal length, by name.
pub(super) type Columns = Vec<(&'static str, Column)>;

/// A column of a figure's rows.
pub(super) enum Column {
    /// Names.
    Text(Vec<Option<String>>),
    /// Quantities; what is not finite is null.
    Number(Vec<Option<f64>>),
}

impl Column {
    /// A column of names.
    pub(super) fn text<'a>(values: impl Iterator<Item = Option<&'a str>>) -> Self {
        Self::Text(values.map(|v| v.map(str::to_owned)).collect())
    }

    /// A column of quantities.
    pub(super) fn number(values: impl Iterator<Item = Option<f64>>) -> Self {
        Self::Number(values.map(|v| v.filter(|v| v.is_finite())).collect())
    }

    fn array(self) -> ArrayRef {
        match self {
            Self::Text(values) => Arc::new(StringArray::from(values)),
            Self::Number(values) => Arc::new(Float64Array::from(values)),
        }
    }
}

/// The rows of a figure as a Parquet file: for lines `series`, `role` (`headline`, `control` or `reference`), `x`, `x_tick`, `y`, `low`, `high`;
/// for points `panel`, `x`, `y`, `category`, `value`, `label`, `note`, `hollow` (1 or 0), and for arrows, which are the points where they end, `from_x` and `from_y`; for cells `row`, `column`, `value`, `text`; for tokens `text`, `position`, `token`, `value`, `label`. The title, the names of the axes and the footer are in the
/// file's metadata.
///
/// # Errors
/// [`Error::Drawing`] if the file cannot be encoded.
pub fn render_parquet(figure: &Figure) -> Result<Vec<u8>> {
    let (columns, about) = match figure {
        Figure::Line(chart) => line(chart),
        Figure::Scatter(chart) => scatter(chart),
        Figure::Heat(map) => heatmap::data(map),
        Figure::Tokens(chart) => tokens::data(chart),
    };
    encode(columns, about).map_err(|e| Error::Drawing(e.to_string()))
}

fn encode(
    columns: Columns,
    about: Vec<(&'static str, String)>,
) -> std::result::Result<Vec<u8>, parquet::errors::ParquetError> {
    let arrays = columns
        .into_iter()
        .map(|(name, column)| (name, column.array(), true));
    let batch = RecordBatch::try_from_iter_with_nullable(arrays)?;
    let about = about
        .into_iter()
        .map(|(key, value)| KeyValue::new(key.to_owned(), value));
    let properties = WriterProperties::builder()
        .set_created_by(format!("plumb {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(about.collect()))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn line(chart: &LineChart) -> (Columns, Vec<(&'static str, String)>) {
    struct Row<'a> {
        series: &'a str,
        role: &'static str,
        at: (Option<f64>, f64),
        band: Option<(f64, f64)>,
    }
    let mut rows = Vec::new();
    for series in &chart.series {
        let role = match series.style {
            Style::Headline => "headline",
            Style::Control => "control",
        };
        for (i, (x, y)) in series.points.iter().enumerate() {
            rows.push(Row {
                series: &series.name,
                role,
                at: (Some(*x), *y),
                band: series.band.as_ref().and_then(|b| b.get(i)).copied(),
            });
        }
    }
    rows.extend(chart.reference_lines.iter().map(|(name, level)| Row {
        series: name,
        role: "reference",
        at: (None, *level),
        band: None,
    }));
    let tick = |x: Option<f64>| {
        let x = x.filter(|x| *x >= 0.0 && x.fract() == 0.0)?;
        chart.x_ticks.as_ref()?.get(x as usize).map(String::as_str)
    };
    let columns = vec![
        ("series", Column::text(rows.iter().map(|r| Some(r.series)))),
        ("role", Column::text(rows.iter().map(|r| Some(r.role)))),
        ("x", Column::number(rows.iter().map(|r| r.at.0))),
        ("x_tick", Column::text(rows.iter().map(|r| tick(r.at.0)))),
        ("y", Column::number(rows.iter().map(|r| Some(r.at.1)))),
        (
            "low",
            Column::number(rows.iter().map(|r| r.band.map(|b| b.0))),
        ),
        (
            "high",
            Column::number(rows.iter().map(|r| r.band.map(|b| b.1))),
        ),
    ];
    let about = vec![
        ("title", chart.title.clone()),
        ("x_label", chart.x_label.clone()),
        ("y_label", chart.y_label.clone()),
        ("command", chart.footer.command.clone()),
        ("data", chart.footer.data.clone()),
    ];
    (columns, about)
}

fn scatter(chart: &ScatterChart) -> (Columns, Vec<(&'static str, String)>) {
    // An arrow is the point where it ends, with the place that it comes from.
    let ends: Vec<Vec<super::Point>> = chart.panels.iter().map(heads).collect();
    let rows = || {
        let panels = chart.panels.iter().zip(&ends);
        panels.flat_map(|(panel, ends)| {
            panel
                .points
                .iter()
                .chain(ends)
                .map(move |point| (panel, point))
        })
    };
    let category = |color: PointColor| match color {
        PointColor::Category(i) => chart.categories.get(i).map(String::as_str),
        PointColor::Value(_) => None,
    };
    let value = |color: PointColor| match color {
        PointColor::Value(value) => Some(value),
        PointColor::Category(_) => None,
    };
    let mut columns = vec![
        (
            "panel",
            Column::text(rows().map(|(panel, _)| Some(panel.title.as_str()))),
        ),
        ("x", Column::number(rows().map(|(_, p)| Some(p.x)))),
        ("y", Column::number(rows().map(|(_, p)| Some(p.y)))),
        (
            "category",
            Column::text(rows().map(|(_, p)| category(p.color))),
        ),
        ("value", Column::number(rows().map(|(_, p)| value(p.color)))),
        (
            "label",
            Column::text(rows().map(|(_, p)| p.label.as_deref())),
        ),
        ("note", Column::text(rows().map(|(_, p)| p.note.as_deref()))),
        (
            "hollow",
            Column::number(rows().map(|(_, p)| Some(f64::from(u8::from(p.hollow))))),
        ),
    ];
    if ends.iter().any(|e| !e.is_empty()) {
        let from = |part: fn((f64, f64)) -> f64| {
            let panels = chart.panels.iter();
            Column::number(panels.flat_map(move |panel| {
                let none = panel.points.iter().map(|_| None);
                none.chain(panel.arrows.iter().map(move |a| Some(part(a.from))))
            }))
        };
        columns.push(("from_x", from(|p| p.0)));
        columns.push(("from_y", from(|p| p.1)));
    }
    let label = |name: fn(&super::Panel) -> &String| {
        chart.panels.first().map(name).cloned().unwrap_or_default()
    };
    let about = vec![
        ("title", chart.title.clone()),
        ("x_label", label(|p| &p.x_label)),
        ("y_label", label(|p| &p.y_label)),
        ("color_label", chart.color_label.clone()),
        ("hollow_label", chart.hollow_label.clone()),
        ("command", chart.footer.command.clone()),
        ("data", chart.footer.data.clone()),
    ];
    (columns, about)
}

/// The points where a panel's arrows end.
fn heads(panel: &super::Panel) -> Vec<super::Point> {
    let arrows = panel.arrows.iter();
    arrows
        .map(|arrow| super::Point {
            x: arrow.to.0,
            y: arrow.to.1,
            color: PointColor::Category(arrow.category),
            note: arrow.note.clone(),
            ..super::Point::default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Footer, Panel, Point, Series};
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    fn read(figure: &Figure) -> RecordBatch {
        let bytes =
            parquet::data_type::AsBytes::as_bytes(render_parquet(figure).unwrap().as_slice())
                .to_vec();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file.reopen().unwrap()).unwrap();
        let about = builder
            .metadata()
            .file_metadata()
            .key_value_metadata()
            .unwrap();
        assert!(
            about
                .iter()
                .any(|kv| kv.key == "command" && kv.value.as_deref() == Some("plumb x"))
        );
        builder.build().unwrap().next().unwrap().unwrap()
    }

    fn footer() -> Footer {
        Footer {
            command: "plumb x".into(),
            data: String::new(),
        }
    }

    #[test]
    fn lines_keep_their_numbers_intervals_and_ticks() {
        let batch = read(&Figure::Line(LineChart {
            x_ticks: Some(vec!["input".into(), "0".into()]),
            series: vec![Series {
                name: "probe".into(),
                points: vec![(0.0, 0.5), (1.0, f64::NAN)],
                band: Some(vec![(0.4, 0.6), (0.0, 1.0)]),
                style: Style::Headline,
            }],
            reference_lines: vec![("chance".into(), 0.25)],
            footer: footer(),
            ..LineChart::default()
        }));
        let numbers = |name: &str| -> Vec<Option<f64>> {
            batch[name].as_primitive::<Float64Type>().iter().collect()
        };
        let words = |name: &str| -> Vec<Option<String>> {
            batch[name]
                .as_string::<i32>()
                .iter()
                .map(|v| v.map(str::to_owned))
                .collect()
        };
        assert_eq!(numbers("y"), [Some(0.5), None, Some(0.25)]);
        assert_eq!(numbers("low"), [Some(0.4), Some(0.0), None]);
        assert_eq!(
            words("x_tick"),
            [Some("input".into()), Some("0".into()), None]
        );
        assert_eq!(words("role")[2].as_deref(), Some("reference"));
    }

    #[test]
    fn cells_keep_their_names_numbers_and_texts() {
        let batch = read(&Figure::Heat(super::super::HeatMap {
            rows: vec!["Paris".into()],
            columns: vec!["0".into(), "1".into()],
            values: vec![vec![0.25, f64::NAN]],
            texts: Some(vec![vec!["a".into(), String::new()]]),
            footer: footer(),
            ..Default::default()
        }));
        assert_eq!(batch["row"].as_string::<i32>().value(1), "Paris");
        assert_eq!(batch["column"].as_string::<i32>().value(1), "1");
        let values = batch["value"].as_primitive::<Float64Type>();
        assert_eq!(values.iter().collect::<Vec<_>>(), [Some(0.25), None]);
        assert_eq!(batch["text"].as_string::<i32>().value(0), "a");
    }

    #[test]
    fn points_keep_their_category_or_value() {
        let point = |color| Point {
            color,
            note: Some("a text".into()),
            ..Point::default()
        };
        let batch = read(&Figure::Scatter(ScatterChart {
            categories: vec!["Europe".into()],
            panels: vec![Panel {
                title: "layer 3".into(),
                points: vec![
                    point(PointColor::Category(0)),
                    point(PointColor::Value(7.0)),
                ],
                ..Panel::default()
            }],
            footer: footer(),
            ..ScatterChart::default()
        }));
        assert_eq!(batch["category"].as_string::<i32>().value(0), "Europe");
        assert_eq!(batch["value"].as_primitive::<Float64Type>().value(1), 7.0);
        assert_eq!(batch["note"].as_string::<i32>().value(1), "a text");
        assert_eq!(batch["panel"].as_string::<i32>().value(1), "layer 3");
    }
}
