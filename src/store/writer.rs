//! Writing files that are there whole or not at all.

use super::schema::{Dtype, Layout, item, schema};
use crate::error::{Error, Result};
use crate::text::dataset::{Column, Values};
use crate::text::tokens::Tokens;
use arrow_array::{
    ArrayRef, BooleanArray, FixedSizeListArray, Float16Array, Float32Array, Float64Array,
    Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow_schema::{ArrowError, Schema};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Row groups hold about this many bytes of vectors, so that a reader of one group needs no more memory than this.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// Writes a file under a temporary name, syncs it and renames it.
///
/// # Errors
/// [`Error::Io`]; the temporary file is removed.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    persist(path, |file| {
        file.write_all(bytes).map_err(|e| Error::io(path, e))
    })
}

/// Lets `fill` write a temporary file beside `path`, syncs it and renames it to `path`. Whatever goes wrong, `path` is
/// untouched and the temporary file is gone.
fn persist(path: &Path, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let io = |e| Error::io(path, e);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::Builder::new()
        .prefix(".")
        .suffix(".tmp")
        .tempfile_in(folder)
        .map_err(io)?;
    fill(temporary.as_file_mut())?;
    temporary.as_file().sync_all().map_err(io)?;
    readable_by_others(temporary.as_file()).map_err(io)?;
    temporary
        .persist(path)
        .map_err(|e| Error::io(path, e.error))?;
    // The rename is on disk only once the folder is.
    #[cfg(unix)]
    File::open(folder).and_then(|f| f.sync_all()).map_err(io)?;
    Ok(())
}

/// Temporary files are private to their owner; results are not.
#[cfg(unix)]
fn readable_by_others(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_others(_: &File) -> std::io::Result<()> {
    Ok(())
}

/// The rows of one shard, before they are written.
pub(super) struct ShardRows<'a> {
    /// The first example.
    pub first_example: usize,
    /// The tokens of its examples.
    pub tokens: &'a [Tokens],
    /// For each example, the positions of its tokens that have a row (without pooling).
    pub positions: Vec<Vec<usize>>,
    /// For each hook point, all vectors, row after row.
    pub vectors: Vec<Vec<f32>>,
}

/// Everything that is the same for all shards of a run.
pub(super) struct ShardWriter<'a> {
    layout: Layout,
    carried: &'a [Column],
    points: &'a [(String, usize)],
    dtype: Dtype,
    schema: Arc<Schema>,
}

impl<'a> ShardWriter<'a> {
    pub(super) fn new(
        layout: Layout,
        carried: &'a [Column],
        points: &'a [(String, usize)],
        dtype: Dtype,
    ) -> Self {
        Self {
            layout,
            carried,
            points,
            dtype,
            schema: Arc::new(schema(layout, carried, points, dtype)),
        }
    }

    /// Writes a shard; it is there whole or not at all.
    ///
    /// # Errors
    /// [`Error::Parquet`] and [`Error::Io`], for instance when the disk is full.
    pub(super) fn write(&self, path: &Path, rows: ShardRows<'_>) -> Result<()> {
        let failed = |source: ParquetError| parquet_error(path, source);
        let batch = self.batch(rows).map_err(|e| failed(e.into()))?;
        persist(path, |file| {
            let properties = Some(self.properties());
            let mut writer =
                ArrowWriter::try_new(file, self.schema.clone(), properties).map_err(failed)?;
            writer.write(&batch).map_err(failed)?;
            writer.close().map_err(failed)?;
            Ok(())
        })
    }

    fn properties(&self) -> WriterProperties {
        let width: usize = self.points.iter().map(|(_, width)| width).sum();
        let rows = (ROW_GROUP_BYTES / (width * self.dtype.size()).max(1)).clamp(64, 1 << 20);
        let mut properties = WriterProperties::builder()
            .set_created_by(format!("plumb {}", env!("CARGO_PKG_VERSION")))
            .set_max_row_group_row_count(Some(rows));
        // Vectors do not repeat, and nobody filters by the smallest coordinate.
        for (name, _) in self.points {
            let path = parquet::schema::types::ColumnPath::new(vec![
                name.clone(),
                "list".to_owned(),
                "item".to_owned(),
            ]);
            properties = properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path, EnabledStatistics::None);
        }
        properties.build()
    }

    fn batch(&self, rows: ShardRows<'_>) -> Result<RecordBatch, ArrowError> {
        let examples: Vec<usize> = match self.layout {
            Layout::Examples => (0..rows.tokens.len()).collect(),
            Layout::Tokens => (0..rows.tokens.len())
                .flat_map(|i| std::iter::repeat_n(i, rows.positions[i].len()))
                .collect(),
        };
        let ids = examples.iter().map(|i| (rows.first_example + i) as u32);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from_iter_values(ids))];
        if self.layout == Layout::Tokens {
            columns.extend(token_columns(&rows));
        }
        let global: Vec<usize> = examples.iter().map(|i| rows.first_example + i).collect();
        columns.extend(self.carried.iter().map(|c| carried_column(c, &global)));
        for ((_, width), values) in self.points.iter().zip(rows.vectors) {
            let values: ArrayRef = match self.dtype {
                Dtype::F32 => Arc::new(Float32Array::from(values)),
                Dtype::F16 => Arc::new(Float16Array::from_iter_values(
                    values.into_iter().map(half::f16::from_f32),
                )),
            };
            let list = FixedSizeListArray::try_new(item(self.dtype), *width as i32, values, None)?;
            columns.push(Arc::new(list));
        }
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}

fn token_columns(rows: &ShardRows<'_>) -> [ArrayRef; 6] {
    let cells = || {
        rows.tokens
            .iter()
            .zip(&rows.positions)
            .flat_map(|(tokens, positions)| positions.iter().map(move |p| (tokens, *p)))
    };
    let span = |(t, p): (&Tokens, usize)| t.spans[p];
    [
        Arc::new(UInt32Array::from_iter_values(
            cells().map(|(_, p)| p as u32),
        )),
        Arc::new(UInt32Array::from_iter_values(
            cells().map(|(t, p)| t.ids[p]),
        )),
        Arc::new(StringArray::from_iter_values(
            cells().map(|(t, p)| t.tokens[p].as_str()),
        )),
        Arc::new(UInt32Array::from_iter(
            cells().map(|c| span(c).map(|s| s.0)),
        )),
        Arc::new(UInt32Array::from_iter(
            cells().map(|c| span(c).map(|s| s.1)),
        )),
        Arc::new(BooleanArray::from_iter(
            cells().map(|(t, p)| Some(t.special[p])),
        )),
    ]
}

/// The cells of a data column for these examples.
fn carried_column(column: &Column, examples: &[usize]) -> ArrayRef {
    let examples = examples.iter();
    match &column.values {
        Values::Text(v) => Arc::new(StringArray::from_iter(examples.map(|i| v[*i].as_deref()))),
        Values::Integer(v) => Arc::new(Int64Array::from_iter(examples.map(|i| v[*i]))),
        Values::Number(v) => Arc::new(Float64Array::from_iter(examples.map(|i| v[*i]))),
        Values::Boolean(v) => Arc::new(BooleanArray::from_iter(examples.map(|i| v[*i]))),
        Values::Tokens(v) => Arc::new(StringArray::from_iter_values(
            examples.map(|i| format!("{:?}", v[*i])),
        )),
    }
}

/// An I/O error inside the Parquet library is one of the disk, and is shown as such.
fn parquet_error(path: &Path, source: ParquetError) -> Error {
    let path = path.to_owned();
    match source {
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => Error::io(path, *io),
            Err(inner) => Error::Parquet {
                path,
                source: ParquetError::External(inner),
            },
        },
        source => Error::Parquet { path, source },
    }
}
