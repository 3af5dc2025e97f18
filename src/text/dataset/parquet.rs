//! Columns of Parquet files, through polars.

use super::{Column, Content, Read, Table, Values, id_lists};
use polars::error::PolarsError;
use polars::prelude::{
    ArrowDataType, DataType, ParallelStrategy, ParquetReader, SerReader, Series,
};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What every Parquet file begins and ends with.
const MAGIC: &[u8] = b"PAR1";

/// Reads a table from the bytes of the file at `path`; `Err` says what is wrong.
pub(super) fn read(bytes: Vec<u8>, path: &Path) -> Result<Table, String> {
    if bytes.len() < 12 || !bytes.starts_with(MAGIC) || !bytes.ends_with(MAGIC) {
        return Err("this is not a Parquet file, or its end is missing; copy it again".to_owned());
    }
    // polars trusts offsets and types that a damaged file gets wrong and panics in places (slices out of range, unimplemented encodings). A
    // panic here is a statement about the file, and nothing but the result outlives the call. What this cannot catch: damage inside a data
    // page that reads as a run of 2^58 values makes polars abort for lack of memory.
    catch_unwind(AssertUnwindSafe(|| table(bytes, path)))
        .unwrap_or_else(|_| Err("the Parquet file is damaged; copy or write it again".to_owned()))
}

fn table(bytes: Vec<u8>, path: &Path) -> Result<Table, String> {
    let unreadable = |e: PolarsError| format!("the Parquet file cannot be read: {e}");
    // In this thread, so that a panic is caught here.
    let mut reader = ParquetReader::new(Cursor::new(bytes)).read_parallel(ParallelStrategy::None);
    let schema = reader.schema().map_err(unreadable)?;
    let rows = reader.num_rows().map_err(unreadable)?;
    let wanted = schema
        .iter_values()
        .filter(|field| readable(&field.dtype))
        .map(|field| field.name.to_string())
        .collect();
    let frame = reader
        .with_columns(Some(wanted))
        .finish()
        .map_err(unreadable)?;
    let columns = schema
        .iter_values()
        .map(|field| {
            let name = field.name.to_string();
            let values = match frame.column(&name) {
                Ok(column) => values(column.as_materialized_series()),
                Err(_) if is_narrow_list(&field.dtype) => {
                    id_lists::read(path, &name).map(Values::Tokens)
                }
                Err(_) => Err((None, foreign(&field.dtype))),
            };
            let content = match values {
                Ok(values) => Content::Typed(Column {
                    name: name.clone(),
                    values,
                }),
                Err((row, problem)) => Content::Refused { row, problem },
            };
            Read { name, content }
        })
        .collect();
    Ok(Table { columns, rows })
}

/// The types that plumb asks polars for: not what the others hold, and not those that this build of polars panics on (8- and 16-bit
/// integers, decimals).
fn readable(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as A;
    let integer = |d: &A| matches!(d, A::Int32 | A::Int64 | A::UInt32 | A::UInt64);
    let text = |d: &A| matches!(d, A::Utf8 | A::LargeUtf8 | A::Utf8View);
    match dtype {
        A::Boolean | A::Float32 | A::Float64 => true,
        A::List(inner) | A::LargeList(inner) | A::FixedSizeList(inner, _) => integer(&inner.dtype),
        A::Dictionary(_, inner, _) => text(inner),
        other => integer(other) || text(other),
    }
}

/// Lists of the integers that polars panics on.
fn is_narrow_list(dtype: &ArrowDataType) -> bool {
    use ArrowDataType as A;
    match dtype {
        A::List(inner) | A::LargeList(inner) | A::FixedSizeList(inner, _) => {
            matches!(inner.dtype, A::Int8 | A::Int16 | A::UInt8 | A::UInt16)
        }
        _ => false,
    }
}

fn foreign(dtype: &ArrowDataType) -> String {
    // The name of the type without the fields within it.
    let name = |d: &ArrowDataType| {
        let shown = format!("{d:?}");
        shown
            .split(['(', '{'])
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let name = match dtype {
        ArrowDataType::List(inner)
        | ArrowDataType::LargeList(inner)
        | ArrowDataType::FixedSizeList(inner, _) => format!("list of {}", name(&inner.dtype)),
        other => name(other),
    };
    format!(
        "the type {name} is not one that plumb reads; store it as text, 32- or 64-bit numbers, booleans or lists of token ids"
    )
}

/// Why a column is not read, with the row if one cell is at fault.
pub(super) type Refusal = (Option<usize>, String);

fn values(series: &Series) -> Result<Values, Refusal> {
    let whole = |e: polars::error::PolarsError| (None, e.to_string());
    let dtype = series.dtype();
    Ok(match dtype {
        DataType::Boolean => Values::Boolean(series.bool().map_err(whole)?.iter().collect()),
        DataType::String => Values::Text(
            series
                .str()
                .map_err(whole)?
                .iter()
                .map(|s| s.filter(|s| !s.is_empty()).map(str::to_owned))
                .collect(),
        ),
        _ if dtype.is_categorical() || dtype.is_enum() => {
            values(&series.cast(&DataType::String).map_err(whole)?)?
        }
        _ if dtype.is_integer() => {
            // Strict: an unsigned value beyond i64 is an error, not a null.
            let cast = series.strict_cast(&DataType::Int64).map_err(whole)?;
            Values::Integer(cast.i64().map_err(whole)?.iter().collect())
        }
        DataType::Float32 | DataType::Float64 => {
            let cast = series.strict_cast(&DataType::Float64).map_err(whole)?;
            let cells = cast.f64().map_err(whole)?.iter();
            Values::Number(cells.map(|x| x.filter(|x| !x.is_nan())).collect())
        }
        DataType::List(inner) | DataType::Array(inner, _) if inner.is_integer() => {
            let lists = series.cast(&DataType::List(inner.clone())).map_err(whole)?;
            Values::Tokens(tokens(&lists)?)
        }
        other => {
            return Err((
                None,
                format!("the type {other} is not one that plumb reads"),
            ));
        }
    })
}

fn tokens(lists: &Series) -> Result<Vec<Vec<u32>>, Refusal> {
    let lists = lists.list().map_err(|e| (None, e.to_string()))?;
    (0..lists.len())
        .map(|row| match lists.get_as_series(row) {
            None => Ok(Vec::new()),
            Some(list) => ids(&list).map_err(|problem| (Some(row), problem)),
        })
        .collect()
}

fn ids(list: &Series) -> Result<Vec<u32>, String> {
    let beyond = |_| "the list holds a number beyond 63 bits, which is not a token id".to_owned();
    let list = list.strict_cast(&DataType::Int64).map_err(beyond)?;
    let ids = list.i64().map_err(|e| e.to_string())?;
    ids.iter().map(id_lists::id).collect()
}
