//! Rows of JSON Lines files.
//!
//! Not polars: it infers a schema from the first rows, drops what does not fit it, and cannot name the line at fault.

use super::{Column, Content, Read, Table, Values};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::collections::HashMap;

/// Reads one object a line; columns in the order of their first appearance. `Err` says what is wrong and on which line.
pub(super) fn read(text: &str) -> Result<Table, String> {
    let mut names: Vec<String> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut cells: Vec<Vec<Value>> = Vec::new();
    let mut rows = 0;
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let Object(fields) =
            serde_json::from_str(line).map_err(|e| problem(number + 1, line, &e))?;
        for (name, value) in fields {
            let at = *index.entry(name).or_insert_with_key(|name| {
                names.push(name.clone());
                cells.push(Vec::new());
                names.len() - 1
            });
            let Some(column) = cells.get_mut(at) else {
                continue;
            };
            if column.len() > rows {
                return Err(format!(
                    "line {}: the object has two fields `{}`; rename one",
                    number + 1,
                    names.get(at).map_or("", String::as_str)
                ));
            }
            column.resize(rows, Value::Null);
            column.push(value);
        }
        rows += 1;
    }
    let columns = names
        .into_iter()
        .zip(cells)
        .map(|(name, mut cells)| {
            cells.resize(rows, Value::Null);
            column(name, cells)
        })
        .collect();
    Ok(Table { columns, rows })
}

fn problem(line: usize, text: &str, error: &serde_json::Error) -> String {
    // The parser counts lines within what it was given: one line.
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    match text.trim_start().starts_with('{') {
        true => format!(
            "line {line}, column {}: this is not valid JSON ({what}); every line is one object",
            error.column()
        ),
        false => format!(
            "line {line} is not a JSON object; every line is one object such as {{\"text\": \"…\"}}"
        ),
    }
}

/// The fields of an object in order, repeats included.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// The kind of a JSON value, `None` for null.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    List,
    Object,
}

impl Kind {
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(n) if n.is_f64() => Kind::Number,
            Value::Number(_) => Kind::Integer,
            Value::String(_) => Kind::Text,
            Value::Array(_) => Kind::List,
            Value::Object(_) => Kind::Object,
        })
    }

    /// The kind of a column that holds both.
    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Kind::Integer, Kind::Number) | (Kind::Number, Kind::Integer) => Some(Kind::Number),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer | Kind::Number => "a number",
            Kind::Boolean => "true or false",
            Kind::List => "a list",
            Kind::Object => "an object",
        }
    }
}

fn column(name: String, cells: Vec<Value>) -> Read {
    let content = match values(cells) {
        Ok(values) => Content::Typed(Column {
            name: name.clone(),
            values,
        }),
        Err((row, problem)) => Content::Refused {
            row: Some(row),
            problem,
        },
    };
    Read { name, content }
}

fn values(cells: Vec<Value>) -> Result<Values, (usize, String)> {
    let mut kind: Option<Kind> = None;
    for (row, value) in cells.iter().enumerate() {
        let Some(here) = Kind::of(value) else {
            continue;
        };
        kind = match kind {
            None => Some(here),
            Some(before) => Some(before.with(here).ok_or_else(|| {
                let (here, before) = (here.name(), before.name());
                (
                    row,
                    format!(
                        "the cell is {here} where earlier rows have {before}; give the column one type"
                    ),
                )
            })?),
        };
    }
    let cells = cells.into_iter();
    Ok(match kind {
        None | Some(Kind::Text) => Values::Text(
            cells
                .map(|v| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned))
                .collect(),
        ),
        Some(Kind::Boolean) => Values::Boolean(cells.map(|v| v.as_bool()).collect()),
        Some(Kind::Number) => Values::Number(cells.map(|v| v.as_f64()).collect()),
        Some(Kind::Integer) => Values::Integer(
            cells
                .enumerate()
                .map(|(row, v)| match (v.as_i64(), v.is_null()) {
                    (None, false) => {
                        Err((row, format!("{v} does not fit a signed 64-bit integer")))
                    }
                    (integer, _) => Ok(integer),
                })
                .collect::<Result<_, _>>()?,
        ),
        Some(Kind::List) => Values::Tokens(
            cells
                .enumerate()
                .map(|(row, v)| tokens(&v).map_err(|problem| (row, problem)))
                .collect::<Result<_, _>>()?,
        ),
        Some(Kind::Object) => {
            return Err((
                0,
                "the column holds nested objects, which plumb does not read; flatten it".to_owned(),
            ));
        }
    })
}

fn tokens(list: &Value) -> Result<Vec<u32>, String> {
    list.as_array()
        .into_iter()
        .flatten()
        .map(|entry| {
            entry
                .as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or_else(|| {
                    format!("the list holds {entry}, which is not a token id; of lists, plumb reads token ids only")
                })
        })
        .collect()
}
