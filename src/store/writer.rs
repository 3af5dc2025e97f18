//! Writing shards, and copying them.

use super::budget::Pieces;
use super::columns;
use super::pending::persist;
use super::schema::{Dtype, Layout, schema};
use super::shard::{Notes, Shard};
use crate::error::{Error, Result};
use crate::text::dataset::Column;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

/// Row groups hold about this many bytes of vectors, so that a reader of one group needs no more memory than this.
const ROW_GROUP_BYTES: usize = 16 << 20;

/// A shard that is on disk.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    /// Rows.
    pub rows: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: String,
    /// What was learned about its vectors.
    pub notes: Notes,
}

/// Under this key the notes stand in a shard's own metadata.
const NOTES: &str = "plumb";

impl Written {
    /// Reads what must be known about a shard that an earlier process wrote.
    ///
    /// # Errors
    /// [`Error::BadRun`] for a file that is no shard of ours, [`Error::Parquet`], [`Error::Io`].
    pub(super) fn read(path: &Path) -> Result<Self> {
        let io = |e| Error::io(path, e);
        let (sha256, bytes) = hash(File::open(path).map_err(io)?).map_err(io)?;
        let failed = |source| parquet_error(path, source);
        let reader = SerializedFileReader::new(File::open(path).map_err(io)?).map_err(failed)?;
        let file = reader.metadata().file_metadata();
        let notes = file.key_value_metadata().into_iter().flatten();
        let notes = notes
            .filter(|entry| entry.key == NOTES)
            .find_map(|entry| serde_json::from_str(entry.value.as_deref()?).ok());
        Ok(Self {
            rows: usize::try_from(file.num_rows()).unwrap_or(0),
            bytes,
            sha256,
            notes: notes.ok_or_else(|| Error::BadRun {
                path: path.to_owned(),
                problem: "this plumb did not write the shard; remove the file and give --resume"
                    .to_owned(),
            })?,
        })
    }
}

/// The SHA-256 of everything a reader has, in hexadecimal, and how much that is.
pub(super) fn hash(mut from: impl Read) -> std::io::Result<(String, u64)> {
    let mut to = Hashing::new(std::io::sink());
    std::io::copy(&mut from, &mut to)?;
    Ok(to.finish())
}

/// Copies a file to another place, whole or not at all; returns the SHA-256 of what was copied.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn copy_hashed(from: &Path, to: &Path) -> Result<String> {
    let mut source = File::open(from).map_err(|e| Error::io(from, e))?;
    persist(to, |file| {
        let mut hashing = Hashing::new(file);
        std::io::copy(&mut source, &mut hashing).map_err(|e| Error::io(to, e))?;
        Ok(hashing.finish().0)
    })
}

/// Hashes what it passes on: a shard need not be read again.
struct Hashing<W> {
    to: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    fn finish(self) -> (String, u64) {
        (format!("{:x}", self.hasher.finalize()), self.bytes)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Everything that is the same for all shards of a run.
pub(super) struct ShardWriter<'a> {
    layout: Layout,
    carried: &'a [&'a Column],
    points: &'a [(String, usize)],
    dtype: Dtype,
    row_group_bytes: usize,
    schema: Arc<Schema>,
}

impl<'a> ShardWriter<'a> {
    pub(super) fn new(
        layout: Layout,
        carried: &'a [&'a Column],
        points: &'a [(String, usize)],
        dtype: Dtype,
        pieces: &Pieces,
    ) -> Self {
        Self {
            layout,
            carried,
            points,
            dtype,
            row_group_bytes: ROW_GROUP_BYTES.min(pieces.shard_bytes),
            schema: Arc::new(schema(layout, carried, points, dtype)),
        }
    }

    /// How many numbers a vector of each hook point has.
    pub(super) fn widths(&self) -> Vec<usize> {
        self.points.iter().map(|(_, width)| *width).collect()
    }

    /// Writes a shard; it is there whole or not at all.
    ///
    /// # Errors
    /// [`Error::Parquet`] and [`Error::Io`], for instance when the disk is full.
    pub(super) fn write(&self, path: &Path, mut shard: Shard) -> Result<Written> {
        let failed = |source: ParquetError| parquet_error(path, source);
        let (vectors, notes) = shard.take_vectors();
        let arrays = columns::arrays(self.layout, self.carried, &shard);
        let note = serde_json::to_string(&notes).map_err(|e| Error::Malformed {
            path: path.to_owned(),
            problem: e.to_string(),
        })?;
        let (sha256, bytes) = persist(path, |file| {
            let properties = Some(self.properties());
            let writer = ArrowWriter::try_new(Hashing::new(file), self.schema.clone(), properties);
            let (mut writer, encoders) = writer
                .and_then(ArrowWriter::into_serialized_writer)
                .map_err(failed)?;
            let (all, most) = (shard.rows(), self.row_group_rows());
            for (index, start) in (0..all).step_by(most).enumerate() {
                let rows = start..all.min(start + most);
                let encoders = encoders.create_column_writers(index).map_err(failed)?;
                let mut group = writer.next_row_group().map_err(failed)?;
                let parts = (&arrays[..], &vectors[..]);
                columns::append(&mut group, &self.schema, parts, encoders, rows).map_err(failed)?;
                group.close().map_err(failed)?;
            }
            writer.append_key_value_metadata(KeyValue::new(NOTES.to_owned(), note));
            Ok(writer.into_inner().map_err(failed)?.finish())
        })?;
        Ok(Written {
            rows: shard.rows(),
            bytes,
            sha256,
            notes,
        })
    }

    fn row_group_rows(&self) -> usize {
        let width: usize = self.points.iter().map(|(_, width)| width).sum();
        (self.row_group_bytes / (width * self.dtype.size()).max(1)).clamp(64, 1 << 20)
    }

    fn properties(&self) -> WriterProperties {
        let mut properties = WriterProperties::builder()
            .set_created_by(format!("plumb {}", env!("CARGO_PKG_VERSION")));
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
