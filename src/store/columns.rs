//! The columns of a shard on their way into Parquet.

use super::schema::Layout;
use super::shard::{Numbers, Shard};
use crate::text::dataset::{Column, Values};
use crate::text::tokens::Tokens;
use arrow_array::{
    Array, ArrayRef, BooleanArray, FixedSizeListArray, Float16Array, Float64Array, Int64Array,
    StringArray, UInt32Array,
};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use parquet::arrow::arrow_writer::{ArrowColumnWriter, compute_leaves};
use parquet::data_type::FloatType;
use parquet::errors::{ParquetError, Result};
use parquet::file::writer::SerializedRowGroupWriter;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

/// Values that are handed to the encoder at once, about: they and their levels stay near the processor.
const AT_ONCE: usize = 1 << 15;

/// Everything of a shard's rows but the vectors, in the order of the schema.
pub(super) fn arrays(layout: Layout, carried: &[&Column], shard: &Shard) -> Vec<ArrayRef> {
    let examples: Vec<usize> = match layout {
        Layout::Examples => shard.examples.clone().collect(),
        Layout::Tokens => shard
            .examples
            .clone()
            .zip(&shard.positions)
            .flat_map(|(example, positions)| std::iter::repeat_n(example, positions.len()))
            .collect(),
    };
    let ids = examples.iter().map(|i| *i as u32);
    let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from_iter_values(ids))];
    if layout == Layout::Tokens {
        columns.extend(token_columns(shard));
    }
    columns.extend(carried.iter().map(|c| carried_column(c, &examples)));
    columns
}

/// Writes some rows as a row group: arrays first, then the vectors of each hook point, as the schema has them. `encoders` has one for each column.
///
/// # Errors
/// Those of the Parquet library, for instance when the disk is full.
pub(super) fn append<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    schema: &Schema,
    (arrays, vectors): (&[ArrayRef], &[Numbers]),
    encoders: Vec<ArrowColumnWriter>,
    rows: Range<usize>,
) -> Result<()> {
    let mut columns = schema.fields().iter().zip(encoders);
    for (array, (field, encoder)) in arrays.iter().zip(columns.by_ref()) {
        let part = array.slice(rows.start, rows.len());
        append_array(group, field, encoder, &part)?;
    }
    for (numbers, (field, encoder)) in vectors.iter().zip(columns.by_ref()) {
        let width = width(field)?;
        let part = rows.start * width..rows.end * width;
        match numbers {
            Numbers::F32(values) => append_vectors(group, &values[part], width)?,
            Numbers::F16(values) => {
                let part = Arc::new(Float16Array::from(values[part].to_vec()));
                append_array(group, field, encoder, &lists(field, part)?)?;
            }
        }
    }
    match columns.next() {
        Some((field, _)) => Err(ParquetError::General(format!("no `{}`", field.name()))),
        None => Ok(()),
    }
}

fn append_array<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    field: &Field,
    mut encoder: ArrowColumnWriter,
    array: &ArrayRef,
) -> Result<()> {
    for leaf in compute_leaves(field, array)? {
        encoder.write(&leaf)?;
    }
    encoder.close()?.append_to_row_group(group)
}

/// Vectors as they lie in memory. That all of their values are there (definition level 1) and where rows begin (repetition level 0) is the same for all
/// of them, where an array would have it worked out value by value: that took three quarters of the writer's time.
fn append_vectors<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[f32],
    width: usize,
) -> Result<()> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("a column too many".to_owned()));
    };
    let at_once = width * (AT_ONCE / width.max(1)).max(1);
    let defined = vec![1i16; at_once.min(values.len())];
    let repeated: Vec<i16> = (0..defined.len())
        .map(|i| i16::from(i % width != 0))
        .collect();
    for part in values.chunks(at_once.max(1)) {
        let (defined, repeated) = (&defined[..part.len()], &repeated[..part.len()]);
        column
            .typed::<FloatType>()
            .write_batch(part, Some(defined), Some(repeated))?;
    }
    column.close()
}

/// How many numbers a vector of this column has.
fn width(field: &Field) -> Result<usize> {
    vector_type(field).map(|(_, width)| width as usize)
}

fn lists(field: &Field, values: ArrayRef) -> Result<ArrayRef> {
    let (item, width) = vector_type(field)?;
    let lists = FixedSizeListArray::try_new(item.clone(), width, values, None)?;
    Ok(Arc::new(lists))
}

fn vector_type(field: &Field) -> Result<(&FieldRef, i32)> {
    match field.data_type() {
        DataType::FixedSizeList(item, width) => Ok((item, *width)),
        _ => Err(ParquetError::General(format!(
            "`{}` has no vectors",
            field.name()
        ))),
    }
}

fn token_columns(shard: &Shard) -> [ArrayRef; 6] {
    let cells = || {
        shard
            .tokens
            .iter()
            .zip(&shard.positions)
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float16Type, Float32Type, UInt32Type};
    use half::f16;
    use parquet::arrow::ArrowWriter;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    /// Vectors that fill more than one batch of the encoder, in row groups of which none ends with one, read by the library's own reader.
    #[test]
    fn vectors_are_read_back_as_they_were_written() {
        const WIDTH: usize = 7;
        const ROWS: usize = 10_001;
        let list = |name: &str, item: DataType| {
            let item = Field::new("item", item, false);
            Field::new_fixed_size_list(name, item, WIDTH as i32, false)
        };
        let schema = Arc::new(Schema::new(vec![
            Field::new("example_id", DataType::UInt32, false),
            list("single", DataType::Float32),
            list("half", DataType::Float16),
        ]));
        let values: Vec<f32> = (0..ROWS * WIDTH).map(|i| (i % 2039) as f32 / 8.0).collect();
        let halves: Vec<f16> = values.iter().copied().map(f16::from_f32).collect();
        let ids: Vec<ArrayRef> = vec![Arc::new(UInt32Array::from_iter_values(0..ROWS as u32))];
        let vectors = [Numbers::F32(values.clone()), Numbers::F16(halves.clone())];

        let to = tempfile::NamedTempFile::new().unwrap();
        let writer = ArrowWriter::try_new(to.reopen().unwrap(), schema.clone(), None).unwrap();
        let (mut file, encoders) = writer.into_serialized_writer().unwrap();
        for (i, rows) in [0..9_000, 9_000..9_001, 9_001..ROWS]
            .into_iter()
            .enumerate()
        {
            let encoders = encoders.create_column_writers(i).unwrap();
            let mut group = file.next_row_group().unwrap();
            append(&mut group, &schema, (&ids, &vectors), encoders, rows).unwrap();
            group.close().unwrap();
        }
        file.close().unwrap();

        let reader = ParquetRecordBatchReaderBuilder::try_new(to.reopen().unwrap()).unwrap();
        assert_eq!(reader.metadata().num_row_groups(), 3);
        let mut read = (Vec::new(), Vec::new(), Vec::new());
        for batch in reader.build().unwrap() {
            let batch = batch.unwrap();
            assert_eq!(batch.schema(), schema);
            let list = |i: usize| batch.column(i).as_fixed_size_list().values().clone();
            read.0
                .extend_from_slice(batch.column(0).as_primitive::<UInt32Type>().values());
            read.1
                .extend_from_slice(list(1).as_primitive::<Float32Type>().values());
            read.2
                .extend_from_slice(list(2).as_primitive::<Float16Type>().values());
        }
        assert!(read.0.into_iter().eq(0..ROWS as u32));
        assert_eq!(read.1, values);
        assert_eq!(read.2, halves);
    }
}
