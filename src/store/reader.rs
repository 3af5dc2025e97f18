//! Reading a run back, one column at a time.

use super::manifest::{Manifest, PointCard, ShardCard};
use super::pool::Pool;
use super::schema::Layout;
use crate::error::{Error, Result};
use crate::text::dataset::Values;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type, Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A finished run.
#[derive(Debug)]
pub struct Run {
    path: PathBuf,
    manifest: Manifest,
}

/// The vectors of one hook point, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Vectors {
    /// How many numbers a row has.
    pub width: usize,
    /// All numbers; row `i` is `values[i * width..(i + 1) * width]`.
    pub values: Vec<f32>,
}

/// Which token each row of a run without pooling is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RowTokens {
    /// Its place in its text, from 0.
    pub positions: Vec<u32>,
    /// Its vocabulary id.
    pub ids: Vec<u32>,
    /// The vocabulary's own spelling of it.
    pub tokens: Vec<String>,
}

impl Vectors {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width.max(1)
    }
}

impl Run {
    /// Opens a finished run.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`]; [`Error::BadRun`] if the folder is no run or is unfinished.
    pub fn open(path: &Path) -> Result<Self> {
        let manifest = Manifest::read(path)?;
        let problem = match (manifest.complete, manifest.part) {
            (true, _) => None,
            (false, Some(part)) if part.complete => Some(format!(
                "this is part {} of {} of a run; join the parts with `plumb merge`",
                part.index, part.of
            )),
            (false, _) => {
                Some("the run is unfinished; finish it with `plumb extract … --resume`".to_owned())
            }
        };
        if let Some(problem) = problem {
            return Err(Error::BadRun {
                path: path.to_owned(),
                problem,
            });
        }
        Ok(Self {
            path: path.to_owned(),
            manifest,
        })
    }

    /// What the run holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The run's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        // A damaged manifest may claim anything; reading the shards finds out.
        let rows = self.manifest.shards.iter().map(|s| s.rows);
        rows.fold(0, usize::saturating_add)
    }

    /// The vectors of a hook point.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] with those that the run has; [`Error::BadRun`] and [`Error::Parquet`] for damaged shards.
    pub fn vectors(&self, point: &str) -> Result<Vectors> {
        self.vectors_in(&self.manifest.shards, point)
    }

    /// The vectors of a hook point in some shards.
    ///
    /// # Errors
    /// As [`Run::vectors`].
    pub(super) fn vectors_in(&self, shards: &[ShardCard], point: &str) -> Result<Vectors> {
        let card = self.point_card(point)?;
        let width = card
            .shape
            .iter()
            .try_fold(1, |n: usize, d| n.checked_mul(*d));
        let width = width.ok_or_else(|| damaged(&self.path, point))?;
        let mut values = Vec::new();
        self.each_array(shards, point, |path, array| {
            let list = array
                .as_fixed_size_list_opt()
                .filter(|l| l.value_length() as usize == width && l.null_count() == 0)
                .ok_or_else(|| damaged(path, point))?;
            let inner = list.values();
            // A batch of the reader may be a slice of a longer array.
            let inner = inner.slice(list.value_offset_at(0), list.len() * width);
            if let Some(floats) = inner.as_primitive_opt::<Float32Type>() {
                values.extend_from_slice(floats.values());
            } else if let Some(halves) = inner.as_primitive_opt::<Float16Type>() {
                values.extend(halves.values().iter().map(|v| v.to_f32()));
            } else {
                return Err(damaged(path, point));
            }
            Ok(())
        })?;
        Ok(Vectors { width, values })
    }

    /// The card of a hook point.
    pub(super) fn point_card(&self, point: &str) -> Result<&PointCard> {
        let card = self.manifest.point(point);
        card.ok_or_else(|| Error::NoSuchPoint {
            point: point.to_owned(),
            reason: format!(
                "the run {} holds {}",
                self.path.display(),
                self.point_names().join(", ")
            ),
        })
    }

    /// The names of the hook points, in order of depth.
    pub fn point_names(&self) -> Vec<String> {
        let points = self.manifest.plan.points.iter();
        points.map(|p| p.name.clone()).collect()
    }

    /// A column of the data set that the run carries, one value a row of the run.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`] with the nearest name; as [`Run::vectors`] for damage.
    pub fn column(&self, name: &str) -> Result<Values> {
        self.refuse_unknown(name)?;
        self.read_column(name)
    }

    /// A column of the data set that the run carries, or one that the run has itself: `example` and, with a row a token, `position`,
    /// `token_id`, `token`, `char_start`, `char_end` and `special`.
    ///
    /// # Errors
    /// As [`Run::column`].
    pub fn any_column(&self, name: &str) -> Result<Values> {
        let layout = match self.manifest.plan.pool {
            Pool::None => Layout::Tokens,
            _ => Layout::Examples,
        };
        let own = layout.fields();
        match own.iter().any(|field| field.name() == name) {
            true => self.read_column(name),
            false => self.column(name).map_err(|error| match error {
                Error::NoSuchColumn {
                    path,
                    column,
                    mut available,
                } => {
                    available.extend(own.iter().map(|field| field.name().clone()));
                    Error::NoSuchColumn {
                        path,
                        column,
                        available,
                    }
                }
                other => other,
            }),
        }
    }

    fn read_column(&self, name: &str) -> Result<Values> {
        let mut values: Option<Values> = None;
        self.each_array(&self.manifest.shards, name, |path, array| {
            let read = read_values(array).ok_or_else(|| damaged(path, name))?;
            values = Some(match values.take() {
                None => read,
                Some(before) => before
                    .followed_by(read)
                    .ok_or_else(|| damaged(path, name))?,
            });
            Ok(())
        })?;
        values.ok_or_else(|| damaged(&self.path, name))
    }

    /// Refuses a column that the run does not carry.
    pub(super) fn refuse_unknown(&self, name: &str) -> Result<()> {
        let carried = &self.manifest.plan.data.columns;
        match carried.iter().any(|c| c == name) {
            true => Ok(()),
            false => Err(Error::NoSuchColumn {
                path: self.path.clone(),
                column: name.to_owned(),
                available: carried.clone(),
            }),
        }
    }

    /// The example (row of the data file) of each row of the run.
    ///
    /// # Errors
    /// As [`Run::vectors`], for damage.
    pub fn examples(&self) -> Result<Vec<u32>> {
        self.numbers("example")
    }

    /// The token of each row; `None` in a pooled run, whose rows are texts.
    ///
    /// # Errors
    /// As [`Run::vectors`], for damage.
    pub fn row_tokens(&self) -> Result<Option<RowTokens>> {
        if self.manifest.plan.pool != Pool::None {
            return Ok(None);
        }
        let shards = &self.manifest.shards;
        let mut found = RowTokens {
            positions: self.numbers("position")?,
            ids: self.numbers("token_id")?,
            tokens: Vec::new(),
        };
        self.each_array(shards, "token", |path, array| {
            let texts = array.as_string_opt::<i32>();
            let texts = texts.ok_or_else(|| damaged(path, "token"))?.iter();
            found
                .tokens
                .extend(texts.map(|t| t.unwrap_or_default().to_owned()));
            Ok(())
        })?;
        Ok(Some(found))
    }

    /// A column of whole numbers that every row has.
    fn numbers(&self, name: &str) -> Result<Vec<u32>> {
        let mut numbers = Vec::new();
        self.each_array(&self.manifest.shards, name, |path, array| {
            let array = array.as_primitive_opt::<UInt32Type>();
            let array = array.ok_or_else(|| damaged(path, name))?;
            numbers.extend_from_slice(array.values());
            Ok(())
        })?;
        Ok(numbers)
    }

    /// Calls `take` with a column of these shards, piece by piece, and checks that each shard has the rows that it should.
    pub(super) fn each_array(
        &self,
        shards: &[ShardCard],
        column: &str,
        mut take: impl FnMut(&Path, &ArrayRef) -> Result<()>,
    ) -> Result<()> {
        for shard in shards {
            let path = self.path.join(&shard.file);
            let file = File::open(&path).map_err(|e| Error::io(&path, e))?;
            let failed = |source| Error::Parquet {
                path: path.clone(),
                source,
            };
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
            let root = builder
                .schema()
                .index_of(column)
                .map_err(|_| damaged(&path, column))?;
            let mask = ProjectionMask::roots(builder.parquet_schema(), [root]);
            let reader = builder
                .with_projection(mask)
                .with_batch_size(4096)
                .build()
                .map_err(failed)?;
            let mut rows = 0;
            for batch in reader {
                let batch = batch.map_err(|e| failed(e.into()))?;
                rows += batch.num_rows();
                take(&path, batch.column(0))?;
            }
            if rows != shard.rows {
                return Err(Error::BadRun {
                    path,
                    problem: format!(
                        "the shard has {rows} rows where the manifest says {}; extract the run again",
                        shard.rows
                    ),
                });
            }
        }
        Ok(())
    }
}

/// The error for a column that is not what the manifest says.
pub(super) fn damaged(path: &Path, column: &str) -> Error {
    Error::BadRun {
        path: path.to_owned(),
        problem: format!(
            "the column `{column}` is missing or not of the type that the manifest says; extract the run again"
        ),
    }
}

/// The cells of a carried column; `None` for a type that no run carries.
pub(super) fn read_values(array: &ArrayRef) -> Option<Values> {
    Some(match array.data_type() {
        DataType::Utf8 => {
            let texts = array.as_string_opt::<i32>()?;
            Values::Text(texts.iter().map(|t| t.map(str::to_owned)).collect())
        }
        DataType::UInt32 => {
            let numbers = array.as_primitive_opt::<UInt32Type>()?.iter();
            Values::Integer(numbers.map(|v| v.map(i64::from)).collect())
        }
        DataType::Int64 => Values::Integer(array.as_primitive_opt::<Int64Type>()?.iter().collect()),
        DataType::Float64 => {
            Values::Number(array.as_primitive_opt::<Float64Type>()?.iter().collect())
        }
        DataType::Boolean => Values::Boolean(array.as_boolean_opt()?.iter().collect()),
        _ => return None,
    })
}
