//! Labels, checked against the split that they are to be learned on.

use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use crate::text::split::Split;

/// What a probe is to read from the activations: one label for each row of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// One of several classes.
    Classes {
        /// The column that the labels come from, for messages.
        column: String,
        /// The names of the classes. With two, the second is the positive one.
        names: Vec<String>,
        /// The class of each row.
        of_row: Vec<usize>,
    },
    /// One or several numbers.
    Numbers {
        /// The names of the targets.
        names: Vec<String>,
        /// For each target, its value in each row.
        values: Vec<Vec<f64>>,
    },
}

/// The classes that the training rows have, numbered anew from 0 in their old order.
#[derive(Debug)]
pub(super) struct ClassTask {
    pub(super) column: String,
    pub(super) names: Vec<String>,
    pub(super) train: Vec<usize>,
    pub(super) test: Vec<usize>,
}

impl ClassTask {
    /// # Errors
    /// [`Error::BadLabel`] if the training rows have one class only, or a test row has a class that they lack.
    pub(super) fn new(
        column: &str,
        names: &[String],
        of_row: &[usize],
        split: &Split,
    ) -> Result<Self> {
        let bad = |problem: String| Error::BadLabel {
            column: column.to_owned(),
            problem,
        };
        if let Some(row) = of_row.iter().position(|class| *class >= names.len()) {
            let (class, known) = (of_row[row], names.len());
            return Err(bad(format!(
                "row {row} has class number {class}, but there are {known} classes"
            )));
        }
        let mut present = vec![false; names.len()];
        split
            .train
            .iter()
            .for_each(|row| present[of_row[*row]] = true);
        let kept: Vec<usize> = (0..names.len()).filter(|class| present[*class]).collect();
        if let [only] = kept[..] {
            return Err(bad(format!(
                "all {} training rows have the class `{}`; a probe needs two classes",
                split.train.len(),
                names[only]
            )));
        }
        if let Some(row) = split.test.iter().find(|row| !present[of_row[**row]]) {
            return Err(bad(format!(
                "test row {row} has the class `{}`, which no training row has; leave the class out or split by it",
                names[of_row[*row]]
            )));
        }
        let renumbered = |rows: &[usize]| {
            let place = |row: &usize| kept.partition_point(|class| *class < of_row[*row]);
            rows.iter().map(place).collect()
        };
        Ok(Self {
            column: column.to_owned(),
            names: kept.iter().map(|class| names[*class].clone()).collect(),
            train: renumbered(&split.train),
            test: renumbered(&split.test),
        })
    }

    /// How many training rows each class has.
    pub(super) fn training_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.names.len()];
        self.train.iter().for_each(|class| counts[*class] += 1);
        counts
    }
}

/// The targets of the training rows and of the test rows, `[rows, targets]`.
#[derive(Debug)]
pub(super) struct NumberTask {
    pub(super) names: Vec<String>,
    pub(super) train: Matrix,
    pub(super) test: Matrix,
}

impl NumberTask {
    /// # Errors
    /// [`Error::BadLabel`] for a value that is not finite, and for a target that does not vary among the training or the test rows.
    pub(super) fn new(names: &[String], values: &[Vec<f64>], split: &Split) -> Result<Self> {
        for (name, values) in names.iter().zip(values) {
            for (part, rows) in [("training", &split.train), ("test", &split.test)] {
                check_target(name, values, part, rows)?;
            }
        }
        let pick =
            |rows: &[usize]| Matrix::from_fn(rows.len(), names.len(), |i, k| values[k][rows[i]]);
        Ok(Self {
            names: names.to_vec(),
            train: pick(&split.train),
            test: pick(&split.test),
        })
    }
}

fn check_target(name: &str, values: &[f64], part: &str, rows: &[usize]) -> Result<()> {
    let bad = |problem: String| {
        Err(Error::BadLabel {
            column: name.to_owned(),
            problem,
        })
    };
    if let Some(row) = rows.iter().find(|row| !values[**row].is_finite()) {
        return bad(format!(
            "row {row} has the value {}; a label must be a finite number",
            values[*row]
        ));
    }
    match rows.first().map(|row| values[*row]) {
        Some(first) if rows.iter().all(|row| values[*row] == first) => bad(format!(
            "all {} {part} rows have the value {first}; R² is not defined for a constant",
            rows.len()
        )),
        _ => Ok(()),
    }
}

/// Checks that labels, split and groups speak of `rows` rows, and that both parts have some.
pub(super) fn check_shapes(
    rows: usize,
    labels: &Labels,
    split: &Split,
    groups: Option<&[usize]>,
) -> Result<()> {
    let bad = |name: &'static str, value: usize, problem: &str| {
        Err(Error::BadParameter {
            name,
            value: value.to_string(),
            problem: problem.to_owned(),
        })
    };
    let (counts, targets_named) = match labels {
        Labels::Classes { of_row, .. } => (vec![of_row.len()], true),
        Labels::Numbers { names, values } => (
            values.iter().map(Vec::len).collect(),
            names.len() == values.len() && !names.is_empty(),
        ),
    };
    if !targets_named {
        return bad(
            "targets",
            counts.len(),
            "there must be at least one target, each with a name",
        );
    }
    if let Some(count) = counts.into_iter().find(|count| *count != rows) {
        return bad(
            "labels",
            count,
            "there must be one label for each row of activations",
        );
    }
    if let Some(groups) = groups.filter(|groups| groups.len() != rows) {
        return bad(
            "groups",
            groups.len(),
            "there must be one group for each row of activations",
        );
    }
    for (name, part) in [("training rows", &split.train), ("test rows", &split.test)] {
        if part.is_empty() {
            return bad(name, 0, "the split leaves none; give another split");
        }
        if let Some(row) = part.iter().find(|row| **row >= rows) {
            return bad(
                name,
                *row,
                "the split names a row that the activations do not have",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(train: &[usize], test: &[usize]) -> Split {
        Split {
            train: train.to_vec(),
            test: test.to_vec(),
            left_out: vec![],
        }
    }

    fn names() -> Vec<String> {
        ["ant", "bee", "cat"].map(str::to_owned).to_vec()
    }

    #[test]
    fn classes_without_training_rows_are_left_out() {
        let task =
            ClassTask::new("kind", &names(), &[0, 2, 2, 0, 1], &split(&[0, 1], &[2, 3])).unwrap();
        assert_eq!(task.names, ["ant", "cat"]);
        assert_eq!((task.train, task.test), (vec![0, 1], vec![1, 0]));
    }

    #[test]
    fn one_class_and_unseen_classes_are_refused_by_name() {
        let message = |train: &[usize], test: &[usize]| {
            let task = ClassTask::new("kind", &names(), &[0, 2, 2, 0, 1], &split(train, test));
            task.unwrap_err().to_string()
        };
        assert_eq!(
            message(&[1, 2], &[2]),
            "column `kind`: all 2 training rows have the class `cat`; a probe needs two classes"
        );
        assert!(message(&[0, 1], &[4]).starts_with(
            "column `kind`: test row 4 has the class `bee`, which no training row has"
        ));
    }

    #[test]
    fn targets_must_be_finite_and_vary() {
        let message = |values: [f64; 4]| {
            let task = NumberTask::new(
                &["year".to_owned()],
                &[values.to_vec()],
                &split(&[0, 1], &[2, 3]),
            );
            task.unwrap_err().to_string()
        };
        assert!(message([1.0, 2.0, f64::NAN, 3.0]).contains("row 2 has the value NaN"));
        assert!(message([1.0, 2.0, 3.0, 3.0]).contains("all 2 test rows have the value 3"));
        assert!(message([1.0, 1.0, 2.0, 3.0]).contains("all 2 training rows"));
    }

    #[test]
    fn shapes_that_do_not_fit_are_refused() {
        let labels = Labels::Classes {
            column: "kind".to_owned(),
            names: names(),
            of_row: vec![0, 1, 2],
        };
        assert!(check_shapes(3, &labels, &split(&[0], &[1]), Some(&[0, 0, 1])).is_ok());
        assert!(check_shapes(4, &labels, &split(&[0], &[1]), None).is_err());
        assert!(check_shapes(3, &labels, &split(&[0], &[3]), None).is_err());
        assert!(check_shapes(3, &labels, &split(&[0], &[]), None).is_err());
        assert!(check_shapes(3, &labels, &split(&[0], &[1]), Some(&[0])).is_err());
    }
}
