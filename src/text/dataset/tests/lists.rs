//! Token id lists, and the Parquet files that hold them.

use super::*;

#[test]
fn token_ids_are_read_from_text_as_from_lists() {
    let data = read("a.csv", "ids,one\n\"[1, 2,3]\",7\n4 5,8\n[6],9\n").unwrap();
    assert_eq!(
        data.token_ids("ids").unwrap(),
        [vec![1, 2, 3], vec![4, 5], vec![6]]
    );
    assert_eq!(data.token_ids("one").unwrap(), [[7], [8], [9]]);
    for bad in [
        "[1, -2]",
        "1 x",
        "[1",
        "[]",
        "[1,,2]",
        "4294967296",
        "1.0",
        "+1",
        "[1 2]]",
    ] {
        let data = read("a.csv", format!("ids\n1 2\n\"{bad}\"\n")).unwrap();
        let error = data.token_ids("ids").unwrap_err();
        assert!(
            matches!(error, Error::BadCell { row: 1, .. }),
            "{bad}: {error}"
        );
    }
    let data = read("a.jsonl", "{\"ids\":[1]}\n{\"ids\":[1,-100]}\n").unwrap();
    assert!(matches!(
        data.token_ids("ids"),
        Err(Error::BadCell { row: 1, .. })
    ));
}

fn parquet_bytes() -> Vec<u8> {
    use ::polars::prelude::{Column, DataFrame, NamedFrom, ParquetWriter, Series};
    let lists = [
        Series::new("".into(), [1i64, 2]),
        Series::new("".into(), [3i64]),
    ];
    let negative = [
        Series::new("".into(), [1i64]),
        Series::new("".into(), [-1i64]),
    ];
    let columns: Vec<Column> = vec![
        Series::new("text".into(), [Some("007"), None]).into(),
        Series::new("n".into(), [Some(1i32), None]).into(),
        Series::new("x".into(), [f32::NAN, 0.5]).into(),
        Series::new("ok".into(), [Some(true), None]).into(),
        Series::new("ids".into(), lists).into(),
        Series::new("negative".into(), negative).into(),
        Series::new("big".into(), [1u64, u64::MAX]).into(),
        Series::new("bytes".into(), [b"a".as_slice(), b"b"]).into(),
    ];
    let mut bytes = Vec::new();
    let mut frame = DataFrame::new(2, columns).unwrap();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    bytes
}

#[test]
fn parquet_columns_bring_their_types() {
    let data = read("a.parquet", parquet_bytes()).unwrap();
    assert_eq!(data.len(), 2);
    assert_eq!(values(&data, "text"), text(&["007", ""]));
    assert_eq!(values(&data, "n"), Values::Integer(vec![Some(1), None]));
    assert_eq!(values(&data, "x"), Values::Number(vec![None, Some(0.5)]));
    assert_eq!(values(&data, "ok"), Values::Boolean(vec![Some(true), None]));
    assert_eq!(data.token_ids("ids").unwrap(), [vec![1, 2], vec![3]]);
    assert!(matches!(
        data.token_ids("negative"),
        Err(Error::BadCell { row: 1, .. })
    ));
    for column in ["big", "bytes"] {
        let error = data.column(column).unwrap_err();
        assert!(
            error.to_string().contains(&format!("column `{column}`")),
            "{error}"
        );
    }
}

#[test]
fn a_truncated_parquet_file_is_an_error() {
    let bytes = parquet_bytes();
    for end in 0..bytes.len() {
        message("a.parquet", &bytes[..end]);
    }
    for end in (12..bytes.len()).step_by(7) {
        // The end mark is there, what it should point at is not.
        let mut cut = bytes[..end].to_vec();
        cut.extend(&bytes[bytes.len() - 8..]);
        let _ = read("a.parquet", cut);
    }
    message("a.parquet", "PAR1 this is no Parquet file PAR1");
}

#[test]
fn a_damaged_parquet_footer_does_not_panic() {
    let bytes = parquet_bytes();
    let (_folder, path) = write("a.parquet", &bytes);
    let length = bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap();
    let footer = bytes.len() - 8 - u32::from_le_bytes(length) as usize;
    for at in footer..bytes.len() - 8 {
        let mut damaged = bytes.clone();
        damaged[at] ^= [0x01, 0x80, 0xff][at % 3];
        std::fs::write(&path, damaged).unwrap();
        if let Ok(data) = Dataset::read(&path) {
            for name in data.names() {
                let _ = data.column(&name);
            }
        }
    }
}

/// A Parquet file with one column.
fn parquet_column(name: &str, array: arrow_array::ArrayRef) -> Dataset {
    let batch = arrow_array::RecordBatch::try_from_iter([(name, array)]).unwrap();
    let mut bytes = Vec::new();
    let mut writer =
        ::parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    read("a.parquet", bytes).unwrap()
}

#[test]
fn parquet_lists_of_any_integer_and_form_are_token_ids() {
    use arrow_array::types::*;
    use arrow_array::{ArrayRef, FixedSizeListArray, LargeListArray, ListArray};
    use std::sync::Arc;
    fn rows<T: ArrowPrimitiveType>(of: impl Fn(u8) -> T::Native) -> Vec<ArrayRef> {
        let lists = || {
            [vec![1, 2], vec![127, 0]]
                .map(|l| Some(l.into_iter().map(|i| Some(of(i))).collect::<Vec<_>>()))
        };
        vec![
            Arc::new(ListArray::from_iter_primitive::<T, _, _>(lists())),
            Arc::new(LargeListArray::from_iter_primitive::<T, _, _>(lists())),
            Arc::new(FixedSizeListArray::from_iter_primitive::<T, _, _>(
                lists(),
                2,
            )),
        ]
    }
    let all = [
        rows::<Int8Type>(|i| i as i8),
        rows::<Int16Type>(i16::from),
        rows::<Int32Type>(i32::from),
        rows::<Int64Type>(i64::from),
        rows::<UInt8Type>(|i| i),
        rows::<UInt16Type>(u16::from),
        rows::<UInt32Type>(u32::from),
        rows::<UInt64Type>(u64::from),
    ];
    for array in all.concat() {
        let kind = array.data_type().to_string();
        let data = parquet_column("ids", array);
        assert_eq!(data.token_ids("ids").unwrap(), [[1, 2], [127, 0]], "{kind}");
    }
}

#[test]
fn parquet_lists_that_hold_no_ids_are_refused_by_row() {
    use arrow_array::types::{Float32Type, Int16Type, Int64Type};
    use arrow_array::{ArrayRef, ListArray};
    use std::sync::Arc;
    let wide = |bad: Option<i64>| -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
            Some(vec![Some(1)]),
            Some(vec![Some(2), bad]),
        ]))
    };
    for (bad, says) in [
        (Some(-1), "holds -1"),
        (Some(1 << 32), "holds 4294967296"),
        (None, "a missing id"),
    ] {
        let error = parquet_column("ids", wide(bad))
            .token_ids("ids")
            .unwrap_err();
        assert!(matches!(error, Error::BadCell { row: 1, .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    for empty in [Some(vec![]), None] {
        let lists = [Some(vec![Some(1i16)]), Some(vec![Some(2)]), empty];
        let array: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int16Type, _, _>(lists));
        let error = parquet_column("ids", array).token_ids("ids").unwrap_err();
        assert!(matches!(error, Error::BadCell { row: 2, .. }), "{error}");
    }
    let fractions: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>([Some(
            vec![Some(1.5)],
        )]));
    let error = parquet_column("ids", fractions)
        .token_ids("ids")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`ids`") && error.contains("list of Float32"),
        "{error}"
    );
}

#[test]
fn json_lists_that_hold_no_ids_are_refused_by_row() {
    for (bad, says) in [
        ("[2, 1.5]", "1.5"),
        ("[-3]", "-3"),
        ("[4294967296]", "4294967296"),
        ("[true]", "true"),
        ("[[1]]", "[1]"),
        ("[null]", "null"),
        ("[]", "empty"),
    ] {
        let data = read("a.jsonl", format!("{{\"ids\": [1]}}\n{{\"ids\": {bad}}}\n")).unwrap();
        let error = data.token_ids("ids").unwrap_err();
        assert!(
            matches!(error, Error::BadCell { row: 1, .. }),
            "{bad}: {error}"
        );
        assert!(error.to_string().contains(says), "{error}");
    }
    let data = read("a.jsonl", "{\"ids\": 5}\n").unwrap();
    let error = data.token_ids("ids").unwrap_err().to_string();
    assert!(
        error.contains("integers, not lists of token ids"),
        "{error}"
    );
}

#[test]
fn words_are_read_and_are_not_values_of_rows() {
    let line =
        |n: u8, form: &str, upos: &str| format!("{n}\t{form}\t_\t{upos}\t_\t_\t_\t_\t_\t_\n");
    let file = format!(
        "# sent_id = a\n# text = the cat\n{}{}",
        line(1, "the", "DET"),
        line(2, "cat", "NOUN")
    );
    let data = read("a.conllu", file).unwrap();
    assert_eq!(data.names(), ["sent_id", "text", "upos", "xpos", "deprel"]);
    assert_eq!(data.texts("text").unwrap(), ["the cat"]);
    let words = data.words("upos").unwrap();
    assert_eq!(
        words[0][1],
        Word {
            start: 4,
            end: 7,
            label: Some("NOUN".into())
        }
    );
    assert_eq!(data.words("xpos").unwrap()[0][0].label, None);
    for error in [
        data.column("upos").map(|_| ()),
        data.texts("upos").map(|_| ()),
        data.words("text").map(|_| ()),
    ] {
        assert!(matches!(error.unwrap_err(), Error::Malformed { .. }));
    }
}

/// As pyarrow writes them unless told otherwise.
#[test]
fn compressed_lists_of_narrow_integers_say_how_to_store_them() {
    let Ok(python) = std::env::var("PLUMB_PYTHON") else {
        println!("skipped: needs Python with pyarrow; PLUMB_PYTHON names one");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = "import pyarrow as a, pyarrow.parquet as p; p.write_table(a.table({'n': a.array([[1, 2], [3]], a.list_(a.int16())), \
                  'w': a.array([[1, 2], [3]], a.list_(a.int32()))}), 'a.parquet')";
    let written = std::process::Command::new(python)
        .args(["-c", script])
        .current_dir(folder.path())
        .status();
    if !written.is_ok_and(|status| status.success()) {
        println!("skipped: needs Python with pyarrow; PLUMB_PYTHON names one");
        return;
    }
    let data = Dataset::read(&folder.path().join("a.parquet")).unwrap();
    assert_eq!(data.token_ids("w").unwrap(), [vec![1, 2], vec![3]]);
    let error = data.token_ids("n").unwrap_err().to_string();
    assert!(
        error.contains("`n`") && error.contains("32- or 64-bit"),
        "{error}"
    );
}
