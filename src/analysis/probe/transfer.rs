//! Scores of a trained probe on rows of another kind than it was trained on.

use super::Labels;
use super::readout::{Link, Readout};
use super::scores::classes;
use crate::analysis::inference::{Bootstrap, Estimate};
use crate::analysis::matrix::Matrix;
use crate::analysis::metrics::{Confusion, r2};
use crate::error::{Error, Result};

/// The main metric of a probe on some rows: accuracy, or R² (the mean over targets), with a bootstrap interval over groups if there are any.
/// `rows` are the rows of `x`, `labels` and `groups` that count. Classes are matched by name; a row of a class that the probe does not know is
/// an error, and so is a constant target (of which R² is not defined).
///
/// # Errors
/// [`Error::BadParameter`] for shapes that do not fit, [`Error::BadLabel`] as said.
pub fn score_readout(
    readout: &Readout,
    x: &Matrix,
    labels: &Labels,
    rows: &[usize],
    groups: Option<&[usize]>,
    bootstrap: Bootstrap,
) -> Result<Estimate> {
    let decisions = readout.decisions(&x.select(rows))?;
    let groups: Option<Vec<usize>> = groups.map(|g| rows.iter().map(|row| g[*row]).collect());
    let estimate = |score: &(dyn Fn(&[f64]) -> Option<f64> + Sync)| {
        let value = score(&vec![1.0; rows.len()])?;
        let interval = bootstrap.intervals(rows.len(), groups.as_deref(), |w| vec![score(w)]);
        Some(interval.map(|i| Estimate::new(value, i.first().copied().flatten())))
    };
    let undefined = |column: &str| Error::BadLabel {
        column: column.to_owned(),
        problem:
            "the score is not defined on these rows: there are none, or the target does not vary"
                .to_owned(),
    };
    match (readout.link(), labels) {
        (
            Link::Logistic | Link::Softmax,
            Labels::Classes {
                column,
                names,
                of_row,
            },
        ) => {
            let truth = truth(readout.names(), column, names, of_row, rows)?;
            let said = classes(&decisions);
            let count = readout.names().len();
            let accuracy = |w: &[f64]| Confusion::count(&truth, &said, w, count).accuracy();
            estimate(&accuracy).unwrap_or_else(|| Err(undefined(column)))
        }
        (Link::Identity, Labels::Numbers { names, values }) if names.len() == readout.outputs() => {
            let columns: Vec<(Vec<f64>, Vec<f64>)> = values
                .iter()
                .enumerate()
                .map(|(k, values)| {
                    (
                        rows.iter().map(|row| values[*row]).collect(),
                        decisions.col(k),
                    )
                })
                .collect();
            let mean_r2 = |w: &[f64]| {
                let each: Option<Vec<f64>> = columns.iter().map(|(y, p)| r2(y, p, w)).collect();
                each.map(|e| e.iter().sum::<f64>() / e.len() as f64)
            };
            estimate(&mean_r2).unwrap_or_else(|| Err(undefined(&names.join(", "))))
        }
        _ => Err(Error::BadParameter {
            name: "probe",
            value: readout.point().to_owned(),
            problem: "it does not say what these labels say".to_owned(),
        }),
    }
}

/// The class of each row, in the probe's numbering.
fn truth(
    known: &[String],
    column: &str,
    names: &[String],
    of_row: &[usize],
    rows: &[usize],
) -> Result<Vec<usize>> {
    let number: Vec<Option<usize>> = names
        .iter()
        .map(|n| known.iter().position(|k| k == n))
        .collect();
    rows.iter()
        .map(|row| {
            number[of_row[*row]].ok_or_else(|| Error::BadLabel {
                column: column.to_owned(),
                problem: format!(
                    "row {row} has the class `{}`, which the probe was not trained to tell; it knows {}",
                    names[of_row[*row]],
                    known.join(", ")
                ),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::Standardizer;
    use super::*;

    fn readout() -> Readout {
        let scaler = Standardizer::new(vec![0.0], vec![1.0]).unwrap();
        let names = vec!["no".to_owned(), "yes".to_owned()];
        Readout::new(
            "p",
            Link::Logistic,
            names,
            Matrix::new(1, 1, vec![1.0]).unwrap(),
            vec![0.0],
            scaler,
        )
        .unwrap()
    }

    #[test]
    fn classes_are_matched_by_name_and_unknown_ones_refused() {
        let x = Matrix::new(4, 1, vec![1.0, -1.0, 2.0, 3.0]).unwrap();
        let labels = |last: &str| Labels::Classes {
            column: "said".to_owned(),
            names: vec!["yes".to_owned(), "no".to_owned(), last.to_owned()],
            of_row: vec![0, 1, 1, 2],
        };
        let none = Bootstrap {
            resamples: 0,
            ..Bootstrap::default()
        };
        let score = |labels: &Labels, rows: &[usize]| {
            score_readout(&readout(), &x, labels, rows, None, none)
        };
        let labels = labels("maybe");
        assert_eq!(score(&labels, &[0, 1]).unwrap().value, 1.0);
        assert_eq!(score(&labels, &[0, 2]).unwrap().value, 0.5);
        let refused = score(&labels, &[0, 3]).unwrap_err().to_string();
        assert!(
            refused.contains("`maybe`") && refused.contains("no, yes"),
            "{refused}"
        );
        assert!(score(&labels, &[]).is_err());
        let numbers = Labels::Numbers {
            names: vec!["n".to_owned()],
            values: vec![vec![1.0; 4]],
        };
        assert!(score(&numbers, &[0]).is_err());
    }
}
