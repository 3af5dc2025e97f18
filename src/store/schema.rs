//! The columns of a shard.

use crate::error::{Error, Result};
use crate::text::dataset::{Column, Values};
use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// The type of the numbers on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// 32 bits: exactly what the model computed; every reader knows it.
    F32,
    /// 16 bits: half the size, three digits; not every reader knows it.
    F16,
}

impl Dtype {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 => 2,
        }
    }

    /// The largest number that it holds; a larger one would become infinite.
    pub fn largest(self) -> f32 {
        match self {
            Dtype::F32 => f32::MAX,
            Dtype::F16 => half::f16::MAX.to_f32(),
        }
    }

    fn arrow(self) -> DataType {
        match self {
            Dtype::F32 => DataType::Float32,
            Dtype::F16 => DataType::Float16,
        }
    }
}

/// Which columns a row has besides the data set's own and its vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One row a token: `example`, `position`, `token_id`, `token`, `char_start`, `char_end`, `special`.
    Tokens,
    /// One row an example: `example`.
    Examples,
}

impl Layout {
    /// The columns that every row has, besides its vectors.
    pub(super) fn fields(self) -> Vec<Field> {
        let mut fields = vec![Field::new("example", DataType::UInt32, false)];
        if self == Layout::Tokens {
            fields.extend([
                Field::new("position", DataType::UInt32, false),
                Field::new("token_id", DataType::UInt32, false),
                Field::new("token", DataType::Utf8, false),
                Field::new("char_start", DataType::UInt32, true),
                Field::new("char_end", DataType::UInt32, true),
                Field::new("special", DataType::Boolean, false),
            ]);
        }
        fields
    }
}

/// The item of a vector column.
pub(super) fn item(dtype: Dtype) -> Arc<Field> {
    Arc::new(Field::new("item", dtype.arrow(), false))
}

/// The schema of a run's shards: the layout's columns, the carried ones, and a vector column for each hook point.
pub(super) fn schema(
    layout: Layout,
    carried: &[&Column],
    points: &[(String, usize)],
    dtype: Dtype,
) -> Schema {
    let mut fields = layout.fields();
    fields.extend(carried.iter().map(|column| {
        let kind = match column.values {
            Values::Integer(_) => DataType::Int64,
            Values::Number(_) => DataType::Float64,
            Values::Boolean(_) => DataType::Boolean,
            Values::Text(_) | Values::Tokens(_) => DataType::Utf8,
        };
        Field::new(&column.name, kind, true)
    }));
    fields.extend(points.iter().map(|(name, width)| {
        let list = DataType::FixedSizeList(item(dtype), *width as i32);
        Field::new(name, list, false)
    }));
    Schema::new(fields)
}

/// Refuses data columns whose names a run uses itself.
///
/// # Errors
/// [`Error::BadLabel`], naming the column.
pub(super) fn refuse_collisions(
    layout: Layout,
    carried: &[&Column],
    points: &[(String, usize)],
    data: &Path,
) -> Result<()> {
    let own = layout.fields();
    let taken = |name: &str| {
        own.iter().any(|f| f.name() == name) || points.iter().any(|(point, _)| point == name)
    };
    match carried.iter().find(|c| taken(&c.name)) {
        None => Ok(()),
        Some(column) => Err(Error::BadLabel {
            column: column.name.clone(),
            problem: format!(
                "a run has a column of this name itself; rename it in {} or leave it out with --columns",
                data.display()
            ),
        }),
    }
}
