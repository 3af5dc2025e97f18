//! Columns of Parquet files, through polars.

use super::{Column, Content, Read, Table, Values};
use polars::prelude::{DataType, ParallelStrategy, ParquetReader, PolarsResult, SerReader, Series};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What every Parquet file begins and ends with.
const MAGIC: &[u8] = b"PAR1";

/// Reads a table; `Err` says what is wrong.
pub(super) fn read(bytes: Vec<u8>) -> Result<Table, String> {
    if bytes.len() < 12 || !bytes.starts_with(MAGIC) || !bytes.ends_with(MAGIC) {
        return Err("this is not a Parquet file, or its end is missing; copy it again".to_owned());
    }
    // polars trusts offsets and types that a damaged file gets wrong: with bytes flipped, it panics in places (unimplemented encodings,
    // slices out of range). A panic here is a statement about the file, and nothing but the result outlives the call.
    catch_unwind(AssertUnwindSafe(|| table(bytes)))
        .unwrap_or_else(|_| Err("the Parquet file is damaged; copy or write it again".to_owned()))
}

fn table(bytes: Vec<u8>) -> Result<Table, String> {
    let frame = ParquetReader::new(Cursor::new(bytes))
        // In this thread, so that a panic is caught here.
        .read_parallel(ParallelStrategy::None)
        .finish()
        .map_err(|e| format!("the Parquet file cannot be read: {e}"))?;
    let columns = frame
        .columns()
        .iter()
        .map(|column| {
            let name = column.name().to_string();
            let content = match values(column.as_materialized_series()) {
                Ok(values) => Content::Typed(Column {
                    name: name.clone(),
                    values,
                }),
                Err((row, problem)) => Content::Refused { row, problem },
            };
            Read { name, content }
        })
        .collect();
    Ok(Table {
        columns,
        rows: frame.height(),
    })
}

/// Why a column is not read, with the row if one cell is at fault.
type Refusal = (Option<usize>, String);

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
            let lists = series
                .cast(&DataType::List(inner.clone()))
                .map_err(whole)?;
            tokens(&lists)?
        }
        _ => {
            return Err((
                None,
                format!(
                    "the type {dtype} is not one that plumb reads; give text, numbers, booleans or lists of token ids"
                ),
            ));
        }
    })
}

fn tokens(lists: &Series) -> Result<Values, Refusal> {
    let lists = lists.list().map_err(|e| (None, e.to_string()))?;
    (0..lists.len())
        .map(|row| match lists.get_as_series(row) {
            None => Ok(Vec::new()),
            Some(list) => ids(&list).map_err(|_| {
                (
                    Some(row),
                    "the list holds a value that is not a token id (missing, negative or beyond 32 bits)".to_owned(),
                )
            }),
        })
        .collect::<Result<_, _>>()
        .map(Values::Tokens)
}

fn ids(list: &Series) -> PolarsResult<Vec<u32>> {
    let list = list.strict_cast(&DataType::UInt32)?;
    let ids: Option<Vec<u32>> = list.u32()?.iter().collect();
    ids.ok_or_else(|| polars::error::polars_err!(ComputeError: "a missing id"))
}
