//! Rows of CSV and TSV files.
//!
//! Not polars: its CSV reader (0.55) fills a short row with nulls without a word, refuses a quotation mark inside an unquoted field (which
//! TSV corpora are full of) and cannot name the line at fault.

use super::{Column, Content, Read, Table, Values};
use std::collections::HashMap;

/// Reads a table whose first row is the header; `Err` says what is wrong and on which line.
pub(super) fn read(text: &str, separator: char) -> Result<Table, String> {
    let mut records = Records::new(text, separator);
    let Some(header) = records.next().transpose()? else {
        return Ok(Table {
            columns: Vec::new(),
            rows: 0,
        });
    };
    unique(&header.fields)?;
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); header.fields.len()];
    for record in records {
        let record = record?;
        if record.fields.len() != cells.len() {
            return Err(format!(
                "line {} has {} field(s) where the header has {}; quote a field that holds the separator or a line break",
                record.line,
                record.fields.len(),
                cells.len()
            ));
        }
        for (column, cell) in cells.iter_mut().zip(record.fields) {
            column.push(cell);
        }
    }
    let rows = cells.first().map_or(0, Vec::len);
    let columns = header
        .fields
        .into_iter()
        .zip(cells)
        .map(|(name, cells)| infer(name, cells))
        .collect();
    Ok(Table { columns, rows })
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

/// One row, with the line of the file on which it begins (lines count from 1).
struct Record {
    line: usize,
    fields: Vec<String>,
}

/// The rows of a text.
struct Records<'a> {
    rest: &'a str,
    separator: char,
    line: usize,
}

impl<'a> Records<'a> {
    fn new(text: &'a str, separator: char) -> Self {
        Self {
            rest: text,
            separator,
            line: 1,
        }
    }

    /// Takes a line break off the front, if there is one.
    fn line_break(&mut self) -> bool {
        let after = ["\r\n", "\n", "\r"]
            .iter()
            .find_map(|end| self.rest.strip_prefix(end));
        if let Some(after) = after {
            self.rest = after;
            self.line += 1;
        }
        after.is_some()
    }

    fn field(&mut self) -> Result<String, String> {
        if let Some(inside) = self.rest.strip_prefix('"') {
            self.rest = inside;
            return self.quoted();
        }
        let end = self
            .rest
            .find([self.separator, '\n', '\r'])
            .unwrap_or(self.rest.len());
        let (field, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(field.to_owned())
    }

    /// A quoted field, from behind its opening quote.
    fn quoted(&mut self) -> Result<String, String> {
        let opened = self.line;
        let mut field = String::new();
        loop {
            let Some((before, after)) = self.rest.split_once('"') else {
                return Err(format!(
                    "the quotation mark that opens a field on line {opened} is never closed; close it, or double it and quote the field \
                     if it is part of the text"
                ));
            };
            field.push_str(before);
            self.line += line_breaks(before);
            match after.strip_prefix('"') {
                Some(after) => {
                    field.push('"');
                    self.rest = after;
                }
                None => {
                    self.rest = after;
                    break;
                }
            }
        }
        match self.rest.chars().next() {
            None | Some('\n' | '\r') => Ok(field),
            Some(c) if c == self.separator => Ok(field),
            Some(_) => Err(format!(
                "line {}: text follows the closing quotation mark of a field; double the quotation marks that are part of the text and \
                 quote the whole field",
                self.line
            )),
        }
    }
}

fn line_breaks(text: &str) -> usize {
    text.matches(['\n', '\r']).count() - text.matches("\r\n").count()
}

impl Iterator for Records<'_> {
    type Item = Result<Record, String>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.line_break() {}
        if self.rest.is_empty() {
            return None;
        }
        let line = self.line;
        let mut fields = Vec::new();
        loop {
            match self.field() {
                Ok(field) => fields.push(field),
                Err(problem) => return Some(Err(problem)),
            }
            match self.rest.strip_prefix(self.separator) {
                Some(rest) => self.rest = rest,
                None => break,
            }
        }
        self.line_break();
        Some(Ok(Record { line, fields }))
    }
}
