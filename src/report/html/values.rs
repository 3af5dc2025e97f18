//! JSON values as the cells of tables.

use serde_json::Value;

/// A cell: what is shown, and the number that it is sorted by.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) number: Option<f64>,
}

/// Rows of cells under named columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cells {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// Objects as rows; nested objects become columns called `outer.inner`. `None` if there is nothing that a cell can show.
pub(super) fn cells(objects: &[Value]) -> Option<Cells> {
    let rows: Vec<Vec<(String, Cell)>> = objects.iter().map(|o| flat("", o)).collect();
    let mut columns: Vec<String> = Vec::new();
    for (name, _) in rows.iter().flatten() {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    let pick = |row: &Vec<(String, Cell)>, column: &String| {
        let cell = row.iter().find(|(name, _)| name == column);
        cell.map(|(_, cell)| cell.clone()).unwrap_or_default()
    };
    let rows = rows
        .iter()
        .map(|row| columns.iter().map(|c| pick(row, c)).collect())
        .collect();
    (!columns.is_empty()).then_some(Cells { columns, rows })
}

/// The fields of an object that a cell can show, nested ones by their path.
pub(super) fn flat(path: &str, value: &Value) -> Vec<(String, Cell)> {
    if let Some(cell) = cell(value) {
        return vec![(path.to_owned(), cell)];
    }
    let Value::Object(fields) = value else {
        return Vec::new();
    };
    let name = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    fields
        .iter()
        .flat_map(|(key, value)| flat(&name(key), value))
        .collect()
}

/// What one cell shows of a value: a scalar, an estimate with its interval, a short list.
fn cell(value: &Value) -> Option<Cell> {
    let text = |text: String| Cell { text, number: None };
    match value {
        Value::Null => Some(text("–".to_owned())),
        Value::Bool(true) => Some(text("✓ yes".to_owned())),
        Value::Bool(false) => Some(text("✗ no".to_owned())),
        Value::String(s) => Some(text(s.clone())),
        Value::Number(n) => n.as_f64().map(number),
        Value::Object(fields) => estimate(fields),
        Value::Array(items) if items.len() <= 8 => {
            let scalar = |v: &Value| !v.is_object() && !v.is_array();
            let parts: Option<Vec<String>> = items
                .iter()
                .map(|v| scalar(v).then(|| cell(v)).flatten().map(|c| c.text))
                .collect();
            parts.map(|p| text(p.join(", ")))
        }
        Value::Array(_) => None,
    }
}

/// `{"value": …, "low": …, "high": …}`.
fn estimate(fields: &serde_json::Map<String, Value>) -> Option<Cell> {
    let value = fields.get("value")?.as_f64()?;
    if fields
        .keys()
        .any(|k| !["value", "low", "high"].contains(&k.as_str()))
    {
        return None;
    }
    let bound = |name: &str| fields.get(name).and_then(Value::as_f64);
    Some(match (bound("low"), bound("high")) {
        (Some(low), Some(high)) => Cell {
            text: crate::report::table::with_interval(value, low, high),
            number: Some(value),
        },
        _ => number(value),
    })
}

fn number(value: f64) -> Cell {
    let text = match value {
        v if v.fract() == 0.0 && v.abs() < 1e15 => format!("{v:.0}"),
        v if v.abs() < 1e-3 || v.abs() >= 1e6 => format!("{v:.2e}"),
        v if v.abs() < 10.0 => format!("{v:.3}"),
        v => format!("{v:.1}"),
    };
    Cell {
        text,
        number: Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_fields_become_columns_and_estimates_one_cell() {
        let rows = [
            json!({"layer": "a", "metrics": {"acc": {"value": 0.81, "low": 0.79, "high": 0.83}}, "deep": [[1, 2]]}),
            json!({"layer": "b", "metrics": {"acc": {"value": 0.5}}, "ok": true}),
        ];
        let cells = cells(&rows).unwrap();
        assert_eq!(cells.columns, ["layer", "metrics.acc", "ok"]);
        assert!(cells.rows[0][1].text.starts_with("0.81") && cells.rows[0][1].text.contains('['));
        assert_eq!(cells.rows[0][1].number, Some(0.81));
        assert_eq!(cells.rows[1][2].text, "✓ yes");
        assert_eq!(cells.rows[0][2], Cell::default());
    }

    #[test]
    fn numbers_are_short_whatever_their_size() {
        let shown = |v: f64| number(v).text;
        assert_eq!(shown(4000.0), "4000");
        assert_eq!(shown(0.123456), "0.123");
        assert_eq!(shown(123.456), "123.5");
        assert_eq!(shown(0.00001234), "1.23e-5");
        assert_eq!(shown(0.0), "0");
    }
}
