//! Maps for other programs: a table of points, and the files of TensorBoard's Embedding Projector.

use super::Layer;
use crate::analysis::neighbors::Rows;
use crate::analysis::probe::spelled;
use crate::error::{Error, Result};
use crate::text::dataset::{Column, Values};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// One row a point and layer: what is known of the point, the hook point, `x`, `y`, and whether its neighbourhood is `torn`.
#[derive(Debug, Clone)]
pub struct Points {
    columns: Vec<Column>,
}

impl Points {
    /// From the layers, and columns with a cell for each point.
    pub fn new(layers: &[Layer], about: &[Column]) -> Self {
        let count = layers.first().map_or(0, |l| l.places.len());
        let every: Vec<usize> = layers.iter().flat_map(|_| 0..count).collect();
        let mut columns: Vec<Column> = about
            .iter()
            .map(|column| Column {
                name: column.name.clone(),
                values: column.values.select(&every),
            })
            .collect();
        let axis = |i: usize| {
            let places = layers.iter().flat_map(|l| &l.places);
            Values::Number(places.map(|p| Some(f64::from(p[i]))).collect())
        };
        let names = layers
            .iter()
            .flat_map(|l| l.places.iter().map(|_| &l.hook_point));
        let torn = layers.iter().flat_map(|l| &l.map.torn);
        columns.extend(
            [
                (
                    "hook_point",
                    Values::Text(names.map(|n| Some(n.clone())).collect()),
                ),
                ("x", axis(0)),
                ("y", axis(1)),
                ("torn", Values::Boolean(torn.map(|t| Some(*t)).collect())),
            ]
            .map(|(name, values)| Column {
                name: name.to_owned(),
                values,
            }),
        );
        Self { columns }
    }

    /// As CSV with a header.
    ///
    /// # Errors
    /// [`Error::Drawing`] if a row cannot be written.
    pub fn csv(&self) -> Result<Vec<u8>> {
        delimited(&self.columns, b',', true)
    }

    /// As Parquet.
    ///
    /// # Errors
    /// [`Error::Drawing`] if the file cannot be encoded.
    pub fn parquet(&self) -> Result<Vec<u8>> {
        let failed = |e: parquet::errors::ParquetError| Error::Drawing(e.to_string());
        let arrays = self
            .columns
            .iter()
            .map(|c| (c.name.as_str(), array(&c.values), true));
        let batch =
            RecordBatch::try_from_iter_with_nullable(arrays).map_err(|e| failed(e.into()))?;
        let properties = WriterProperties::builder()
            .set_created_by(format!("plumb {}", env!("CARGO_PKG_VERSION")))
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).map_err(failed)?;
        writer.write(&batch).map_err(failed)?;
        writer.close().map_err(failed)?;
        Ok(bytes)
    }
}

/// The two files that TensorBoard's Embedding Projector loads: vectors, a row a line and without a header, and what is known of each row
/// (with a header if there is more than one column, as it wants).
///
/// # Errors
/// [`Error::Drawing`] if a row cannot be written.
pub fn projector(rows: &Rows, about: &[Column]) -> Result<[(String, Vec<u8>); 2]> {
    let mut vectors = String::new();
    for row in 0..rows.rows() {
        let numbers: Vec<String> = rows.row(row).iter().map(f32::to_string).collect();
        vectors.push_str(&numbers.join("\t"));
        vectors.push('\n');
    }
    let metadata = delimited(about, b'\t', about.len() > 1)?;
    Ok([
        ("vectors.tsv".to_owned(), vectors.into_bytes()),
        ("metadata.tsv".to_owned(), metadata),
    ])
}

fn delimited(columns: &[Column], separator: u8, header: bool) -> Result<Vec<u8>> {
    let failed = |e: csv::Error| Error::Drawing(e.to_string());
    // The projector splits lines and tabs without minding quotes.
    let tabs = separator == b'\t';
    let style = match tabs {
        true => csv::QuoteStyle::Never,
        false => csv::QuoteStyle::Necessary,
    };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(separator)
        .quote_style(style)
        .from_writer(Vec::new());
    let clean = |text: String| match tabs {
        true => text.replace(['\t', '\n', '\r'], " "),
        false => text,
    };
    if header {
        let names = columns.iter().map(|c| clean(c.name.clone()));
        writer.write_record(names).map_err(failed)?;
    }
    for row in 0..columns.first().map_or(0, |c| c.values.len()) {
        let cells = columns
            .iter()
            .map(|c| clean(spelled(&c.values, row).unwrap_or_default()));
        writer.write_record(cells).map_err(failed)?;
    }
    writer
        .into_inner()
        .map_err(|e| Error::Drawing(e.to_string()))
}

fn array(values: &Values) -> ArrayRef {
    match values {
        Values::Text(v) => Arc::new(StringArray::from_iter(v.iter().map(Option::as_deref))),
        Values::Integer(v) => Arc::new(Int64Array::from(v.clone())),
        Values::Number(v) => Arc::new(Float64Array::from(v.clone())),
        Values::Boolean(v) => Arc::new(BooleanArray::from(v.clone())),
        Values::Tokens(v) => Arc::new(StringArray::from_iter_values(
            (0..v.len()).map(|row| spelled(values, row).unwrap_or_default()),
        )),
    }
}
