//! Data sets: CSV, TSV, JSONL, Parquet and CoNLL-U files as named columns.

mod conllu;
mod delimited;
mod id_lists;
mod jsonl;
mod parquet;

use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// What can be read, as messages say it.
const FORMATS: &str = ".csv, .tsv, .jsonl, .ndjson, .parquet and .conllu";

/// Why a column of words gives no values of rows.
const NOT_ROWS: &str = "it labels the words of a text, not the text";

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

/// A labelled word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it begins in the text, in characters, as the spans of tokens count.
    pub start: u32,
    /// Where it ends (exclusive).
    pub end: u32,
    /// Its label, if it has one.
    pub label: Option<String>,
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
    /// Labels of the words of each row.
    Words(Vec<Vec<Word>>),
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
            "parquet" => parquet::read(bytes, path).map_err(malformed)?,
            "conllu" => conllu::read(utf8(path, &bytes)?).map_err(malformed)?,
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
            Content::Words(_) => Err(self.refusal(name, None, NOT_ROWS)),
            Content::Refused { row, problem } => Err(self.refusal(name, *row, problem)),
        }
    }

    /// The labelled words of each row (CoNLL-U: `upos`, `xpos`, `deprel`), in order.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`], and [`Error::Malformed`] for a column that labels no words.
    pub fn words(&self, name: &str) -> Result<&[Vec<Word>]> {
        match &self.find(name)?.content {
            Content::Words(words) => Ok(words),
            _ => Err(self.refusal(name, None, "it does not label words")),
        }
    }

    /// The texts of a column, exactly as they stand in the file: `007` stays `007`.
    ///
    /// # Errors
    /// As [`Dataset::column`]; [`Error::BadCell`] for a text that is missing, empty or nothing but white space, and for a column that is
    /// not text.
    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        let cells = self.text_cells(name)?;
        Ok(cells.into_iter().map(str::to_owned).collect())
    }

    /// The texts of a column where they lie; otherwise as [`Dataset::texts`].
    ///
    /// # Errors
    /// As [`Dataset::texts`].
    pub fn text_cells(&self, name: &str) -> Result<Vec<&str>> {
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
            Content::Words(_) => return Err(self.refusal(name, None, NOT_ROWS)),
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
                _ => Ok(text),
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
            Content::Typed(Column { values, .. }) if !matches!(values, Values::Text(_)) => {
                let kind = values.kind();
                return Err(bad(
                    0,
                    &format!("the column holds {kind}, not lists of token ids"),
                ));
            }
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

    /// The cells of these rows, in this order (repeats allowed).
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Values::Text(v) => Values::Text(rows.iter().map(|r| v[*r].clone()).collect()),
            Values::Integer(v) => Values::Integer(rows.iter().map(|r| v[*r]).collect()),
            Values::Number(v) => Values::Number(rows.iter().map(|r| v[*r]).collect()),
            Values::Boolean(v) => Values::Boolean(rows.iter().map(|r| v[*r]).collect()),
            Values::Tokens(v) => Values::Tokens(rows.iter().map(|r| v[*r].clone()).collect()),
        }
    }

    /// Makes a cell a missing one.
    pub fn clear(&mut self, row: usize) {
        match self {
            Values::Text(v) => v[row] = None,
            Values::Integer(v) => v[row] = None,
            Values::Number(v) => v[row] = None,
            Values::Boolean(v) => v[row] = None,
            Values::Tokens(v) => v[row].clear(),
        }
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
mod tests;
