//! Columns of lists of 8- and 16-bit token ids in Parquet files, through arrow.
//!
//! This build of polars panics on such integers. This build of arrow has no decompressors, so that it reads nothing else.

use super::parquet::Refusal;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int8Type, Int16Type, UInt8Type, UInt16Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fmt::Display;
use std::fs::File;
use std::path::Path;

/// The lists of a column, one a row; a missing list is empty.
///
/// # Errors
/// What is wrong, with the row where one is at fault.
pub(super) fn read(path: &Path, column: &str) -> Result<Vec<Vec<u32>>, Refusal> {
    let whole = |e: &dyn Display| {
        let advice = "store the ids as 32- or 64-bit integers, or the file without compression";
        (
            None,
            format!(
                "lists of 8- and 16-bit integers cannot be read from this file ({e}); {advice}"
            ),
        )
    };
    let file = File::open(path).map_err(|e| whole(&e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| whole(&e))?;
    let root = builder.schema().index_of(column).map_err(|e| whole(&e))?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), [root]);
    let reader = builder.with_projection(mask).build();
    let mut rows = Vec::new();
    for batch in reader.map_err(|e| whole(&e))? {
        let batch = batch.map_err(|e| whole(&e))?;
        let lists = batch.column(0);
        for i in 0..lists.len() {
            let ids = match lists.is_null(i) {
                true => Ok(Vec::new()),
                false => list(lists, i).and_then(|list| ids(&list)),
            };
            rows.push(ids.map_err(|problem| (Some(rows.len()), problem))?);
        }
    }
    Ok(rows)
}

fn list(lists: &ArrayRef, row: usize) -> Result<ArrayRef, String> {
    if let Some(lists) = lists.as_list_opt::<i32>() {
        Ok(lists.value(row))
    } else if let Some(lists) = lists.as_list_opt::<i64>() {
        Ok(lists.value(row))
    } else if let Some(lists) = lists.as_fixed_size_list_opt() {
        Ok(lists.value(row))
    } else {
        Err(format!(
            "the type {} is not one that plumb reads",
            lists.data_type()
        ))
    }
}

fn ids(list: &ArrayRef) -> Result<Vec<u32>, String> {
    match list.data_type() {
        DataType::Int8 => of::<Int8Type>(list),
        DataType::Int16 => of::<Int16Type>(list),
        DataType::UInt8 => of::<UInt8Type>(list),
        DataType::UInt16 => of::<UInt16Type>(list),
        other => Err(format!("the list is of {other}, not of token ids")),
    }
}

fn of<T: ArrowPrimitiveType>(list: &ArrayRef) -> Result<Vec<u32>, String>
where
    T::Native: Copy + Display + TryInto<u32>,
{
    list.as_primitive::<T>().iter().map(id).collect()
}

/// A token id, if the entry of a list is one.
pub(super) fn id<N: Copy + Display + TryInto<u32>>(entry: Option<N>) -> Result<u32, String> {
    let entry = entry.ok_or("the list has a missing id; fill it in or leave the row out")?;
    entry
        .try_into()
        .map_err(|_| format!("the list holds {entry}, which is not a token id"))
}
