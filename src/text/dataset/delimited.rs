//! Rows of CSV and TSV files, through the `csv` crate.
//!
//! Not polars: its CSV reader (0.55) fills a short row with nulls without a word, refuses a quotation mark inside an unquoted field (which
//! TSV corpora are full of) and cannot name the line at fault.

use super::{Column, Content, Read, Table, Values};
use csv::{ReaderBuilder, StringRecord};
use std::collections::HashMap;

/// Reads a table whose first row is the header; `Err` says what is wrong and on which line.
pub(super) fn read(text: &str, separator: u8) -> Result<Table, String> {
    // The crate drops a byte order mark itself, and offsets into `text` must be those that it counts.
    let text = text.trim_start_matches('\u{feff}');
    let mut records = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        // The lengths of rows are checked below: the crate's error counts the blank lines before a row as part of it.
        .flexible(true)
        .from_reader(text.as_bytes())
        .into_records()
        .map(|record| {
            let record = record.map_err(|e| e.to_string())?;
            let start = start(text, &record);
            quotes_close(text, start, &record)?;
            Ok::<_, String>((start, record))
        });
    let Some((_, header)) = records.next().transpose()? else {
        return Ok(Table {
            columns: Vec::new(),
            rows: 0,
        });
    };
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    unique(&names)?;
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    let mut rows = 0;
    for record in records {
        let (start, record) = record?;
        if record.len() != names.len() {
            return Err(format!(
                "line {} has {} field(s) where the header has {}; quote a field that holds the separator or a line break",
                line(text, start),
                record.len(),
                names.len()
            ));
        }
        for (column, cell) in cells.iter_mut().zip(&record) {
            column.push(cell.to_owned());
        }
        rows += 1;
    }
    let columns = names
        .into_iter()
        .zip(cells)
        .map(|(name, cells)| infer(name, cells))
        .collect();
    Ok(Table { columns, rows })
}

/// Where the first field of a record begins in the text: the crate's position is the end of the record before, ahead of blank lines.
fn start(text: &str, record: &StringRecord) -> usize {
    let after = record.position().map_or(0, |p| p.byte() as usize);
    let rest = text.get(after..).unwrap_or_default();
    text.len() - rest.trim_start_matches(['\r', '\n']).len()
}

/// The line, counted from 1, of a place in the text. The crate's own count knows no CR line ends.
fn line(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    1 + before.matches(['\n', '\r']).count() - before.matches("\r\n").count()
}

/// Refuses what the crate, like Python, accepts without a word: a quote that never closes, which swallows the rest of the file, and text
/// after a closing quote. A field that opens with a quote and is neither stands in the file as its value does when written as CSV.
fn quotes_close(text: &str, start: usize, record: &StringRecord) -> Result<(), String> {
    let mut at = start;
    for field in record {
        let rest = text.get(at..).unwrap_or_default();
        let mut length = field.len();
        if rest.starts_with('"') {
            let quoted = format!("\"{}\"", field.replace('"', "\"\""));
            if quoted.strip_suffix('"') == Some(rest) {
                return Err(format!(
                    "the quotation mark that opens a field on line {} is never closed; close it, or double it and quote the field if it \
                     is part of the text",
                    line(text, at)
                ));
            }
            if !rest.starts_with(&quoted) {
                return Err(format!(
                    "line {}: text follows the closing quotation mark of the field that opens there; double the quotation marks that are \
                     part of the text and quote the whole field",
                    line(text, at)
                ));
            }
            length = quoted.len();
        }
        // One byte more for the separator.
        at += length + 1;
    }
    Ok(())
}

fn unique(names: &[String]) -> Result<(), String> {
    let mut seen = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name, at) {
            return Err(format!(
                "the header has two columns `{name}` (number {} and {}); rename one",
                first + 1,
                at + 1
            ));
        }
    }
    Ok(())
}

/// The type of a column by the rule that [`super::Dataset`] states.
fn infer(name: String, cells: Vec<String>) -> Read {
    fn all<T>(cells: &[String], parse: impl Fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
        cells
            .iter()
            .map(|cell| match cell.as_str() {
                "" => Some(None),
                cell => parse(cell).map(Some),
            })
            .collect()
    }
    let known = cells.iter().any(|c| !c.is_empty());
    let typed = match known {
        true => all(&cells, integer)
            .map(Values::Integer)
            .or_else(|| all(&cells, number).map(Values::Number)),
        false => None,
    };
    let content = match typed {
        Some(values) => Content::Inferred(
            Column {
                name: name.clone(),
                values,
            },
            cells,
        ),
        None => Content::Typed(Column {
            name: name.clone(),
            values: Values::Text(
                cells
                    .into_iter()
                    .map(|c| (!c.is_empty()).then_some(c))
                    .collect(),
            ),
        }),
    };
    Read { name, content }
}

/// An `i64` in its usual spelling.
fn integer(cell: &str) -> Option<i64> {
    cell.parse::<i64>().ok().filter(|i| i.to_string() == cell)
}

/// A finite decimal number that loses nothing by being one: no plus sign, no leading zeros, and no integer beyond 64 bits.
fn number(cell: &str) -> Option<f64> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let whole: &str = digits.split(['.', 'e', 'E']).next().unwrap_or("");
    let plain = whole.bytes().all(|b| b.is_ascii_digit())
        && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && (whole.len() < 2 || !whole.starts_with('0'));
    if !plain || (whole.len() == digits.len() && integer(cell).is_none()) {
        return None;
    }
    cell.parse().ok().filter(|x: &f64| x.is_finite())
}
