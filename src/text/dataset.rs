//! Data sets: CSV, TSV, JSONL and Parquet files as named columns.

mod delimited;
mod jsonl;
mod parquet;

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What can be read, as messages say it.
const FORMATS: &str = ".csv, .tsv, .jsonl, .ndjson and .parquet";

/// The cells of a column, one a row; `None` is a missing cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Text, as in the file.
    Text(Vec<Option<String>>),
    /// Whole numbers.
    Integer(Vec<Option<i64>>),
    /// Numbers. NaN never occurs (it is missing); Parquet files can hold infinities.
    Number(Vec<Option<f64>>),
    /// True or false (JSONL and Parquet; in CSV the words are text).
    Boolean(Vec<Option<bool>>),
    /// Lists of token ids (JSONL and Parquet; in CSV they are text that [`Dataset::token_ids`] reads). A missing list is empty.
    Tokens(Vec<Vec<u32>>),
}

/// One column of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// Its cells.
    pub values: Values,
}

/// A column as a reader hands it over.
#[derive(Debug)]
struct Read {
    name: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Values that the format types itself.
    Typed(Column),
    /// Values inferred from text, beside that text.
    Inferred(Column, Vec<String>),
    /// A column of a kind that plumb does not read. Only asking for it is an error: files carry more than one needs.
    Refused { row: Option<usize>, problem: String },
}

/// A data set in memory.
///
/// Types: JSONL and Parquet bring their own. In CSV and TSV a column is [`Values::Integer`] if every cell that is not empty is an `i64` in
/// its usual spelling; else [`Values::Number`] if every one is a finite decimal number; else [`Values::Text`]. A cell that would lose
/// something as a number makes its column text: `007`, `+1`, integers beyond 64 bits, `nan`. All rows decide, not the first hundred.
///
/// Missing: an empty cell, an absent or null JSON field, a null or NaN in Parquet.
#[derive(Debug)]
pub struct Dataset {
    path: PathBuf,
    sha256: String,
    columns: Vec<Read>,
    rows: usize,
}

impl Dataset {
    /// Reads a file; the extension (in any case) says which format it has.
    ///
    /// CSV and TSV are read as Python's `csv` module reads them: a quoted field may hold separators, line breaks and doubled quotes; a
    /// quotation mark inside an unquoted field is itself; blank lines are skipped; lines end in LF, CRLF or CR. What Python accepts
    /// silently is an error here: a row longer or shorter than the header, text after a closing quote, a quote that never closes.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Io`], [`Error::NotUtf8`], [`Error::NoRows`], and [`Error::Malformed`] with the line at fault or
    /// for an extension that plumb does not know.
    pub fn read(path: &Path) -> Result<Self> {
        let malformed = |problem: String| Error::Malformed {
            path: path.to_owned(),
            problem,
        };
        if std::fs::metadata(path)
            .map_err(|e| Error::io(path, e))?
            .is_dir()
        {
            return Err(malformed(format!(
                "this is a folder; give a data file ({FORMATS})"
            )));
        }
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let sha256 = sha256_hex(&bytes);
        let columns = match extension.to_lowercase().as_str() {
            "csv" => delimited::read(utf8(path, &bytes)?, b',').map_err(malformed)?,
            "tsv" => delimited::read(utf8(path, &bytes)?, b'\t').map_err(malformed)?,
            "jsonl" | "ndjson" => jsonl::read(utf8(path, &bytes)?).map_err(malformed)?,
            "parquet" => parquet::read(bytes).map_err(malformed)?,
            other => {
                return Err(malformed(format!(
                    "the extension `{other}` is not that of a data file that plumb reads; supported are {FORMATS}"
                )));
            }
        };
        match columns {
            Table { rows: 0, .. } => Err(Error::NoRows {
                path: path.to_owned(),
            }),
            Table { columns, rows } => Ok(Self {
                path: path.to_owned(),
                sha256,
                columns,
                rows,
            }),
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row; never true for a data set that was read.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file's bytes, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The names of the columns, in the file's order.
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|c| c.name.clone()).collect()
    }

    /// A column by its name.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`], and [`Error::BadCell`] or [`Error::Malformed`] for a column of a kind that plumb does not read (nested
    /// objects, dates, binary).
    pub fn column(&self, name: &str) -> Result<&Column> {
        match &self.find(name)?.content {
            Content::Typed(column) | Content::Inferred(column, _) => Ok(column),
            Content::Refused { row, problem } => Err(self.refusal(name, *row, problem)),
        }
    }

    /// The texts of a column, exactly as they stand in the file: `007` stays `007`.
    ///
    /// # Errors
    /// As [`Dataset::column`]; [`Error::BadCell`] for a text that is missing, empty or nothing but white space, and for a column that is
    /// not text.
    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        let bad = |row, problem: &str| self.bad_cell(row, name, problem);
        let cells: Vec<&str> = match &self.find(name)?.content {
            Content::Inferred(_, raw) => raw.iter().map(String::as_str).collect(),
            Content::Typed(Column {
                values: Values::Text(texts),
                ..
            }) => texts.iter().map(|t| t.as_deref().unwrap_or("")).collect(),
            Content::Typed(column) => {
                let kind = column.values.kind();
                return Err(bad(
                    0,
                    &format!("the column holds {kind}, not text; give a text column"),
                ));
            }
            Content::Refused { row, problem } => return Err(self.refusal(name, *row, problem)),
        };
        cells
            .into_iter()
            .enumerate()
            .map(|(row, text)| match text.trim() {
                "" => Err(bad(
                    row,
                    "the text is empty; fill it in or leave the row out",
                )),
                _ => Ok(text.to_owned()),
            })
            .collect()
    }

    /// The token ids of a column: a list column, or text such as `[1, 2, 3]` or `1 2 3`.
    ///
    /// # Errors
    /// As [`Dataset::column`]; [`Error::BadCell`] for a cell that is empty or has an entry that is no token id.
    pub fn token_ids(&self, name: &str) -> Result<Vec<Vec<u32>>> {
        let bad = |row, problem: &str| self.bad_cell(row, name, problem);
        let lists: Vec<Vec<u32>> = match &self.find(name)?.content {
            Content::Typed(Column {
                values: Values::Tokens(lists),
                ..
            }) => lists.clone(),
            _ => self
                .texts(name)?
                .iter()
                .enumerate()
                .map(|(row, cell)| parse_ids(cell).map_err(|problem| bad(row, &problem)))
                .collect::<Result<_>>()?,
        };
        match lists.iter().position(Vec::is_empty) {
            Some(row) => Err(bad(
                row,
                "the list of token ids is empty; leave the row out",
            )),
            None => Ok(lists),
        }
    }

    fn find(&self, name: &str) -> Result<&Read> {
        self.columns
            .iter()
            .find(|c| c.name == name)
            .ok_or_else(|| Error::NoSuchColumn {
                path: self.path.clone(),
                column: name.to_owned(),
                available: self.names(),
            })
    }

    fn refusal(&self, name: &str, row: Option<usize>, problem: &str) -> Error {
        match row {
            Some(row) => self.bad_cell(row, name, problem),
            None => Error::Malformed {
                path: self.path.clone(),
                problem: format!("column `{name}`: {problem}"),
            },
        }
    }

    fn bad_cell(&self, row: usize, column: &str, problem: &str) -> Error {
        Error::BadCell {
            path: self.path.clone(),
            row,
            column: column.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

impl Values {
    /// The number of cells.
    pub fn len(&self) -> usize {
        match self {
            Values::Text(v) => v.len(),
            Values::Integer(v) => v.len(),
            Values::Number(v) => v.len(),
            Values::Boolean(v) => v.len(),
            Values::Tokens(v) => v.len(),
        }
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the cells are, in the plural.
    fn kind(&self) -> &'static str {
        match self {
            Values::Text(_) => "text",
            Values::Integer(_) => "integers",
            Values::Number(_) => "numbers",
            Values::Boolean(_) => "true and false",
            Values::Tokens(_) => "lists of token ids",
        }
    }
}

/// What a reader hands over.
#[derive(Debug)]
struct Table {
    columns: Vec<Read>,
    rows: usize,
}

/// A token id list as people write it in a cell.
fn parse_ids(cell: &str) -> Result<Vec<u32>, String> {
    let cell = cell.trim();
    let inner = match cell.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .ok_or("the list of token ids does not end in `]`")?,
        None => cell,
    };
    let separated_by_comma = inner.contains(',');
    let entries: Vec<&str> = match separated_by_comma {
        true => inner.split(',').map(str::trim).collect(),
        false => inner.split_whitespace().collect(),
    };
    entries
        .into_iter()
        .map(|entry| {
            // `u32::from_str` takes a leading plus, which no tokenizer writes.
            match entry.starts_with('+') {
                true => None,
                false => entry.parse().ok(),
            }
            .ok_or_else(|| format!("`{entry}` is not a token id; give a list such as [1, 2, 3]"))
        })
        .collect()
}

/// The text of a file, without a byte order mark.
fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        Error::NotUtf8 {
            path: path.to_owned(),
            line: 1 + before.iter().filter(|b| **b == b'\n').count(),
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn write(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Dataset> {
        let (_folder, path) = write(name, bytes);
        Dataset::read(&path)
    }

    fn message(name: &str, bytes: impl AsRef<[u8]>) -> String {
        let error = read(name, bytes).unwrap_err();
        assert!(
            matches!(error, Error::Malformed { .. }),
            "{error:?} should be Malformed"
        );
        error.to_string()
    }

    fn values(data: &Dataset, name: &str) -> Values {
        data.column(name).unwrap().values.clone()
    }

    fn text(cells: &[&str]) -> Values {
        let cell = |c: &&str| (!c.is_empty()).then(|| (*c).to_owned());
        Values::Text(cells.iter().map(cell).collect())
    }

    #[test]
    fn quoted_fields_hold_separators_line_breaks_and_doubled_quotes() {
        let data = read(
            "a.csv",
            "text,label\r\n\"one, \"\"two\"\"\r\nthree\",x\r\n5\" pipe,\"\"\r\n\r\n\"\"\"\",y",
        )
        .unwrap();
        assert_eq!(data.len(), 3);
        assert_eq!(
            values(&data, "text"),
            text(&["one, \"two\"\r\nthree", "5\" pipe", "\""])
        );
        assert_eq!(values(&data, "label"), text(&["x", "", "y"]));
    }

    #[test]
    fn a_byte_order_mark_and_the_case_of_the_extension_do_not_matter() {
        let data = read("a.TSV", "\u{feff}text\tn\ra, b\t1\rc\t2\r").unwrap();
        assert_eq!(data.names(), ["text", "n"]);
        assert_eq!(values(&data, "text"), text(&["a, b", "c"]));
        assert_eq!(values(&data, "n"), Values::Integer(vec![Some(1), Some(2)]));
    }

    #[test]
    fn a_column_is_a_number_only_where_nothing_is_lost() {
        let kind = |cells: &[&str]| {
            let body: String = cells.iter().map(|c| format!("x,{c}\n")).collect();
            let data = read("a.csv", format!("a,b\n{body}")).unwrap();
            values(&data, "b").kind()
        };
        assert_eq!(kind(&["1", "-2", "", "9223372036854775807"]), "integers");
        assert_eq!(
            kind(&["1", "2.5", "-.5", "1e-3", "0.10", "-0.0"]),
            "numbers"
        );
        for odd in [
            "007",
            "+1",
            "-0",
            "9223372036854775808",
            "nan",
            "inf",
            "1e999",
            " 1",
            "1_000",
            "0x1",
            "01.5",
            "+1.5",
            "--1",
            ".",
            "-",
            "e5",
            "infinity",
            "1,5".replace(',', ";").as_str(),
        ] {
            assert_eq!(kind(&["1", odd]), "text", "{odd}");
        }
        assert_eq!(kind(&["", ""]), "text");
    }

    #[test]
    fn the_last_row_decides_a_type_as_much_as_the_first() {
        let body: String = (0..5000).map(|i| format!("{i}\n")).collect();
        let data = read("a.csv", format!("n\n{body}none\n")).unwrap();
        assert_eq!(values(&data, "n").kind(), "text");
        assert_eq!(data.texts("n").unwrap()[12], "12");
    }

    #[test]
    fn texts_are_as_they_stand_in_the_file() {
        let data = read("a.csv", "n,s\n1.50,007\n1e3, x \n").unwrap();
        assert_eq!(values(&data, "n").kind(), "numbers");
        assert_eq!(data.texts("n").unwrap(), ["1.50", "1e3"]);
        assert_eq!(data.texts("s").unwrap(), ["007", " x "]);
    }

    #[test]
    fn an_empty_text_is_an_error_with_its_row() {
        for cell in ["", "\" \t\"", "\"\n\""] {
            let data = read("a.csv", format!("id,text\n1,a\n2,{cell}\n")).unwrap();
            let error = data.texts("text").unwrap_err();
            assert!(
                matches!(&error, Error::BadCell { row: 1, column, .. } if column == "text"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_malformed_table_names_the_line() {
        let short = message("a.csv", "a,b\n\"x\ny\",1\n\nz\n");
        assert!(
            short.contains("line 5 has 1 field(s) where the header has 2"),
            "{short}"
        );
        assert!(message("a.csv", "a,b\n1,2,3\n").contains("line 2 has 3 field(s)"));
        let open = message("a.csv", "a,b\n1,2\n\"x,3\n4,5\n");
        assert!(open.contains("on line 3 is never closed"), "{open}");
        let after = message("a.tsv", "a\tb\n\"good\" film\t1\n");
        assert!(
            after.contains("line 2: text follows the closing quotation mark"),
            "{after}"
        );
        let last = message("a.tsv", "a\tb\r\rx\t\"good\" film");
        assert!(
            last.contains("line 3: text follows the closing quotation mark"),
            "{last}"
        );
        let doubled = message("a.csv", "a\r\n\"\"\"x\"\"");
        assert!(doubled.contains("on line 2 is never closed"), "{doubled}");
        let twice = message("a.csv", "text,label,text\n1,2,3\n");
        assert!(
            twice.contains("two columns `text` (number 1 and 3)"),
            "{twice}"
        );
    }

    #[test]
    fn a_file_without_rows_is_an_error() {
        for (name, content) in [
            ("a.csv", ""),
            ("a.csv", "\u{feff}"),
            ("a.csv", "text,label\n\n"),
            ("a.tsv", "text"),
            ("a.jsonl", ""),
            ("a.ndjson", "\n \n"),
        ] {
            let error = read(name, content).unwrap_err();
            assert!(
                matches!(error, Error::NoRows { .. }),
                "{name} {content:?}: {error}"
            );
        }
    }

    #[test]
    fn what_is_no_data_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Dataset::read(&folder.path().join("none.csv")).unwrap_err();
        assert!(matches!(missing, Error::NoSuchFile { .. }), "{missing}");
        let is_folder = Dataset::read(folder.path()).unwrap_err().to_string();
        assert!(is_folder.contains("this is a folder"), "{is_folder}");
        let other = message("notes.txt", "text\na\n");
        assert!(
            other.contains("`txt`") && other.contains(".csv, .tsv"),
            "{other}"
        );
        message("noextension", "text\na\n");
    }

    #[test]
    fn a_line_that_is_not_utf8_is_named() {
        for name in ["a.csv", "a.jsonl"] {
            let error = read(name, b"text\nabc\ncaf\xe9\n").unwrap_err();
            assert!(matches!(error, Error::NotUtf8 { line: 3, .. }), "{error}");
        }
    }

    #[test]
    fn a_missing_column_suggests_the_nearest() {
        let data = read("a.csv", "text,label\na,b\n").unwrap();
        let error = data.texts("txt").unwrap_err();
        assert!(
            error.to_string().contains("did you mean `text`?"),
            "{error}"
        );
        assert!(error.is_usage());
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        // printf 'text\na\n' | sha256sum
        let data = read("a.csv", "text\na\n").unwrap();
        assert_eq!(
            data.sha256(),
            "ef271522dd0a16c1b66bcbadc17474307a88dea874019dc4146b4789a09a8c2d"
        );
    }

    #[test]
    fn json_lines_bring_their_types() {
        let data = read(
            "a.jsonl",
            "{\"text\":\"a\\nb\",\"n\":1,\"x\":1,\"ids\":[1,2],\"meta\":{\"a\":1}}\r\n\n{\"x\":2.5,\"ok\":true,\"text\":\"007\",\"ids\":[3]}\n{\"n\":null,\"text\":\"\"}",
        )
        .unwrap();
        assert_eq!(data.names(), ["text", "n", "x", "ids", "meta", "ok"]);
        assert_eq!(values(&data, "text"), text(&["a\nb", "007", ""]));
        assert_eq!(
            values(&data, "n"),
            Values::Integer(vec![Some(1), None, None])
        );
        assert_eq!(
            values(&data, "x"),
            Values::Number(vec![Some(1.0), Some(2.5), None])
        );
        assert_eq!(
            values(&data, "ok"),
            Values::Boolean(vec![None, Some(true), None])
        );
        assert_eq!(
            values(&data, "ids"),
            Values::Tokens(vec![vec![1, 2], vec![3], vec![]])
        );
        let nested = data.column("meta").unwrap_err().to_string();
        assert!(
            nested.contains("column `meta`") && nested.contains("nested objects"),
            "{nested}"
        );
        let empty = data.token_ids("ids").unwrap_err();
        assert!(matches!(empty, Error::BadCell { row: 2, .. }), "{empty}");
        let numbers = data.texts("n").unwrap_err().to_string();
        assert!(
            numbers.contains("the column holds integers, not text"),
            "{numbers}"
        );
    }

    #[test]
    fn a_bad_json_line_is_named() {
        let bad = message("a.jsonl", "{\"a\":1}\n\n{\"a\":}\n");
        assert!(bad.contains("line 3, column 6"), "{bad}");
        assert!(message("a.jsonl", "[\n{\"a\":1}\n]").contains("line 1 is not a JSON object"));
        assert!(
            message("a.jsonl", "{\"a\":1,\"a\":2}")
                .contains("line 1: the object has two fields `a`")
        );
        assert!(message("a.jsonl", "{\"a\":1} {\"a\":2}").contains("line 1"));
        message(
            "a.jsonl",
            format!("{{\"a\":{}1{}}}", "[".repeat(9000), "]".repeat(9000)),
        );
    }

    #[test]
    fn a_json_column_of_two_types_is_an_error_at_its_row() {
        let data = read("a.jsonl", "{\"a\":1,\"b\":1}\n{\"a\":\"x\"}\n").unwrap();
        let error = data.column("a").unwrap_err();
        assert!(matches!(error, Error::BadCell { row: 1, .. }), "{error}");
        assert!(data.column("b").is_ok());
        let big = read("a.jsonl", "{\"a\":1}\n{\"a\":18446744073709551615}\n").unwrap();
        assert!(matches!(
            big.column("a"),
            Err(Error::BadCell { row: 1, .. })
        ));
    }

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

    /// The cells of every row, as Python's `csv` module reads them, hashed: each cell ends in 0x1F, each row in 0x1E.
    #[test]
    fn real_files_read_as_pythons_csv_module_reads_them() {
        let Some(shared) = std::env::var_os("PLUMB_SHARED").map(PathBuf::from) else {
            println!("skipped: PLUMB_SHARED does not name the folder with the real data sets");
            return;
        };
        let golden = [
            (
                "sst/sst.tsv",
                4870,
                "1c352e40ff681d1a36f76760c0af87e3981a1dcfbfa0d602d409b92fe2b5beca",
            ),
            (
                "cad/pairs.tsv",
                733,
                "6e230f3e18ea4c5286416d27c370eabbc23dc8c310bdff4075c02a220ab8ff61",
            ),
            (
                "places/places.csv",
                6000,
                "c8b1ecf379de0da709e775d795f9209f8c971edd04dce96abc7ba9b3986b13fe",
            ),
        ];
        for (file, rows, hash) in golden {
            let data = Dataset::read(&shared.join("datasets").join(file)).unwrap();
            assert_eq!(data.len(), rows, "{file}");
            let columns: Vec<Vec<String>> = data
                .names()
                .iter()
                .map(|n| data.texts(n).unwrap())
                .collect();
            let mut bytes = Vec::new();
            for row in 0..rows {
                for column in &columns {
                    bytes.extend(column[row].as_bytes());
                    bytes.push(0x1f);
                }
                bytes.push(0x1e);
            }
            assert_eq!(sha256_hex(&bytes), hash, "{file}");
        }
        let places = Dataset::read(&shared.join("datasets/places/places.csv")).unwrap();
        assert_eq!(values(&places, "latitude").kind(), "numbers");
    }

    proptest! {
        #[test]
        fn what_is_written_as_csv_reads_back(
            rows in prop::collection::vec(prop::collection::vec("[a-c0\",;\t\r\n \u{e9}\u{1f600}]{0,6}", 2), 1..12),
            crlf: bool,
            tsv: bool,
        ) {
            let quote = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let (separator, name) = if tsv { ("\t", "a.tsv") } else { (",", "a.csv") };
            let end = if crlf { "\r\n" } else { "\n" };
            let line = |cells: &Vec<String>| cells.iter().map(quote).collect::<Vec<_>>().join(separator) + end;
            let file: String = std::iter::once(format!("a{separator}b{end}")).chain(rows.iter().map(line)).collect();
            let data = read(name, file).unwrap();
            prop_assert_eq!(data.len(), rows.len());
            for (at, name) in ["a", "b"].iter().enumerate() {
                let expected: Vec<&str> = rows.iter().map(|r| r[at].as_str()).collect();
                match values(&data, name) {
                    Values::Text(cells) => {
                        let cells: Vec<_> = cells.iter().map(|c| c.as_deref().unwrap_or("")).collect();
                        prop_assert_eq!(cells, expected);
                    }
                    Values::Integer(cells) => {
                        let cells: Vec<_> = cells.iter().map(|c| c.map_or(String::new(), |i| i.to_string())).collect();
                        prop_assert_eq!(cells, expected);
                    }
                    other => prop_assert!(false, "{:?} from {:?}", other, expected),
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(prop::sample::select(b"a\",\t\r\n{}[]:1 \xc3\xa9".to_vec()), 0..60)) {
            for name in ["a.csv", "a.tsv", "a.jsonl", "a.parquet"] {
                let _ = read(name, &bytes);
            }
        }
    }
}
