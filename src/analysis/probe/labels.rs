//! From the cells of data columns to labels that a probe can learn.

use super::{Kind, Labels};
use crate::error::{Error, Result};
use crate::text::dataset::Values;

/// A column of whole numbers with at most this many different values is taken for classes.
const MOST_INTEGER_CLASSES: usize = 20;

/// Labels for every row, and which rows have one.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledRows {
    /// The labels; at a row without one there is a stand-in that must not be looked at.
    pub labels: Labels,
    /// The rows that have a label, ascending.
    pub rows: Vec<usize>,
}

/// The kind of probe that fits the cells: ridge for numbers, logistic for text, for true and false, and for whole numbers of
/// which there are at most 20 different ones. Several columns are several numeric targets.
pub fn natural_kind(columns: &[(String, Values)]) -> Kind {
    match columns {
        [(_, Values::Text(_) | Values::Boolean(_) | Values::Tokens(_))] => Kind::Logistic,
        [(_, Values::Integer(cells))] => {
            let mut distinct: Vec<i64> = cells.iter().flatten().copied().collect();
            distinct.sort_unstable();
            distinct.dedup();
            match distinct.len() > MOST_INTEGER_CLASSES {
                true => Kind::Ridge,
                false => Kind::Logistic,
            }
        }
        _ => Kind::Ridge,
    }
}

/// Labels for a probe of this kind. Classes are named as the cells spell them, in alphabetical order (numbers by size).
///
/// # Errors
/// [`Error::BadLabel`] for text where numbers are needed, several columns where one class is needed, or no label at all.
pub fn labels_of(columns: &[(String, Values)], kind: Kind) -> Result<LabelledRows> {
    let labelled = match (kind, columns) {
        (Kind::Ridge, columns) => numbers(columns)?,
        (_, [(name, values)]) => classes(name, values),
        (_, _) => {
            let name = columns.first().map_or("", |c| &c.0);
            return Err(bad(name, "classes come from one column; give one --label"));
        }
    };
    match labelled.rows.is_empty() {
        false => Ok(labelled),
        true => Err(bad(
            columns.first().map_or("", |c| &c.0),
            "no row has a label",
        )),
    }
}

/// A number for each different cell, in order of first appearance, and one of its own for each missing cell.
pub fn group_ids(values: &Values) -> Vec<usize> {
    let mut seen = std::collections::HashMap::new();
    let mut next = 0;
    (0..values.len())
        .map(|row| match spelled(values, row) {
            Some(cell) => *seen.entry(cell).or_insert_with(|| {
                next += 1;
                next - 1
            }),
            None => {
                next += 1;
                next - 1
            }
        })
        .collect()
}

/// The cell as text; `None` if it is missing.
pub fn spelled(values: &Values, row: usize) -> Option<String> {
    match values {
        Values::Text(v) => v[row].clone(),
        Values::Integer(v) => v[row].map(|x| x.to_string()),
        Values::Number(v) => v[row].map(|x| x.to_string()),
        Values::Boolean(v) => v[row].map(|x| x.to_string()),
        Values::Tokens(v) => Some(format!("{:?}", v[row])),
    }
}

fn classes(column: &str, values: &Values) -> LabelledRows {
    let cells: Vec<Option<String>> = (0..values.len()).map(|row| spelled(values, row)).collect();
    let mut names: Vec<String> = cells.iter().flatten().cloned().collect();
    match values {
        Values::Integer(_) | Values::Number(_) => names.sort_by(|a, b| {
            let number = |s: &String| s.parse::<f64>().unwrap_or(f64::NAN);
            number(a).total_cmp(&number(b))
        }),
        _ => names.sort(),
    }
    names.dedup();
    let number: std::collections::HashMap<&str, usize> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), i))
        .collect();
    let of = |cell: &Option<String>| number.get(cell.as_deref()?).copied();
    let of_row: Vec<Option<usize>> = cells.iter().map(of).collect();
    LabelledRows {
        rows: (0..of_row.len()).filter(|r| of_row[*r].is_some()).collect(),
        labels: Labels::Classes {
            column: column.to_owned(),
            of_row: of_row.into_iter().map(Option::unwrap_or_default).collect(),
            names,
        },
    }
}

fn numbers(columns: &[(String, Values)]) -> Result<LabelledRows> {
    let targets: Vec<Vec<Option<f64>>> = columns
        .iter()
        .map(|(name, values)| match values {
            Values::Number(v) => Ok(v.clone()),
            Values::Integer(v) => Ok(v.iter().map(|x| x.map(|x| x as f64)).collect()),
            Values::Boolean(v) => Ok(v.iter().map(|x| x.map(f64::from)).collect()),
            Values::Text(_) | Values::Tokens(_) => {
                let row = (0..values.len()).find(|r| {
                    spelled(values, *r).is_some_and(|cell| cell.parse::<f64>().is_err())
                });
                let cell = row.and_then(|r| spelled(values, r)).unwrap_or_default();
                let row = row.unwrap_or(0);
                Err(bad(
                    name,
                    &format!("a ridge probe needs numbers, but row {row} holds `{cell}`; use --kind logistic"),
                ))
            }
        })
        .collect::<Result<_>>()?;
    let rows = targets.first().map_or(0, Vec::len);
    Ok(LabelledRows {
        rows: (0..rows)
            .filter(|row| targets.iter().all(|t| t[*row].is_some()))
            .collect(),
        labels: Labels::Numbers {
            names: columns.iter().map(|(name, _)| name.clone()).collect(),
            values: targets
                .into_iter()
                .map(|t| t.into_iter().map(Option::unwrap_or_default).collect())
                .collect(),
        },
    })
}

fn bad(column: &str, problem: &str) -> Error {
    Error::BadLabel {
        column: column.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(cells: &[&str]) -> Values {
        let cell = |c: &&str| (!c.is_empty()).then(|| c.to_string());
        Values::Text(cells.iter().map(cell).collect())
    }

    #[test]
    fn rows_without_a_label_are_left_out_and_classes_are_in_order() {
        let columns = [("mood".to_owned(), text(&["sad", "", "glad", "sad"]))];
        let labelled = labels_of(&columns, natural_kind(&columns)).unwrap();
        assert_eq!(labelled.rows, [0, 2, 3]);
        let Labels::Classes { names, of_row, .. } = labelled.labels else {
            panic!("text is classes");
        };
        assert_eq!(names, ["glad", "sad"]);
        assert_eq!([of_row[0], of_row[2], of_row[3]], [1, 0, 1]);
    }

    #[test]
    fn whole_numbers_are_classes_while_they_are_few() {
        let integers = |n: i64| {
            let cells = (0..100).map(|i| Some(i % n)).collect();
            [("n".to_owned(), Values::Integer(cells))]
        };
        assert_eq!(natural_kind(&integers(2)), Kind::Logistic);
        assert_eq!(natural_kind(&integers(21)), Kind::Ridge);
        let labelled = labels_of(&integers(11), Kind::Logistic).unwrap();
        let Labels::Classes { names, .. } = labelled.labels else {
            panic!("classes were asked for");
        };
        assert_eq!(names[9..], ["9", "10"], "by size, not by spelling");
    }

    #[test]
    fn text_for_a_ridge_probe_is_refused_with_the_cell() {
        let columns = [("year".to_owned(), text(&["1999", "soon"]))];
        assert_eq!(
            labels_of(&columns, Kind::Ridge).unwrap_err().to_string(),
            "column `year`: a ridge probe needs numbers, but row 1 holds `soon`; use --kind logistic"
        );
        let columns = [("year".to_owned(), text(&["", ""]))];
        assert!(labels_of(&columns, Kind::Logistic).is_err());
    }

    #[test]
    fn each_missing_group_is_a_group_of_its_own() {
        assert_eq!(group_ids(&text(&["a", "", "b", "a", ""])), [0, 1, 2, 0, 3]);
    }
}
