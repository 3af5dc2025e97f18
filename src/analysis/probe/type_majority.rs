//! What a word gives away by itself: the label that it mostly has among the training rows.
//!
//! Of every word type the most frequent label (of numbers, the mean), and for types that no training row has, that of all training rows: the
//! baseline that part-of-speech probes have to beat (Hewitt & Liang 2019 compare with the same types).

use super::data::{ClassTask, Labels, NumberTask};
use super::judge::right;
use super::regress::weighted_r2;
use super::result::Metrics;
use super::rival::Rival;
use super::sweep::Probing;
use crate::analysis::inference::Estimate;
use crate::analysis::matrix::Matrix;
use crate::analysis::metrics::weighted_mean;
use crate::error::Result;
use std::collections::HashMap;

/// The control as a rival, its score with an interval, and how many types the training rows have. `types` numbers what each row is (its word);
/// `None` if no type has two training rows, or the score is not defined.
///
/// # Errors
/// [`crate::error::Error::BadLabel`] for labels that cannot be learned.
pub fn type_majority(
    probing: &Probing<'_>,
    types: &[usize],
) -> Result<Option<(Rival, Metrics, usize)>> {
    let split = probing.split;
    let pick = |rows: &[usize], of: &[usize]| rows.iter().map(|r| of[*r]).collect::<Vec<usize>>();
    let (train, test) = (pick(&split.train, types), pick(&split.test, types));
    let mut rows_of: HashMap<usize, Vec<usize>> = HashMap::new();
    for (row, kind) in train.iter().enumerate() {
        rows_of.entry(*kind).or_default().push(row);
    }
    if rows_of.values().all(|rows| rows.len() < 2) {
        return Ok(None);
    }
    let known: Vec<Option<&Vec<usize>>> = test.iter().map(|kind| rows_of.get(kind)).collect();
    let groups = probing.groups.map(|g| pick(&split.test, g));
    let score_of = scores(probing, &known)?;
    let bootstrap = probing.params.bootstrap();
    let draws = bootstrap.draws(test.len(), groups.as_deref(), |w| vec![score_of(w)])?;
    let draws = draws.into_iter().next().unwrap_or_default();
    let Some(score) = score_of(&vec![1.0; test.len()]) else {
        return Ok(None);
    };
    let metric = probing.params.kind.main_metric();
    let estimate = Estimate::new(score, bootstrap.interval(&draws));
    let metrics = Metrics(vec![(metric.to_owned(), estimate)]);
    let rival = Rival::scored("type_majority", score, draws);
    Ok(Some((rival, metrics, rows_of.len())))
}

/// A score as a function of how often each test row counts.
type Score = Box<dyn Fn(&[f64]) -> Option<f64> + Sync>;

/// The score of predictions from the training rows of the same type, where there are any.
fn scores(probing: &Probing<'_>, known: &[Option<&Vec<usize>>]) -> Result<Score> {
    Ok(match probing.labels {
        Labels::Classes {
            column,
            names,
            of_row,
        } => {
            let task = ClassTask::new(column, names, of_row, probing.split)?;
            let all: Vec<usize> = (0..task.train.len()).collect();
            let of = |rows: &[usize]| most_frequent(rows.iter().map(|r| task.train[*r]));
            let otherwise = of(&all);
            let said = known
                .iter()
                .map(|rows| rows.map_or(otherwise, |rows| of(rows)));
            let right = right(&task.test, &said.collect::<Vec<usize>>());
            Box::new(move |weights| weighted_mean(&right, weights))
        }
        Labels::Numbers { names, values } => {
            let task = NumberTask::new(names, values, probing.split)?;
            let all = task.train.column_means();
            let of = |rows: &Vec<usize>| task.train.select(rows).column_means();
            let said: Vec<Vec<f64>> = known
                .iter()
                .map(|rows| rows.map_or_else(|| all.clone(), of))
                .collect();
            let said = Matrix::from_fn(said.len(), all.len(), |i, k| said[i][k]);
            Box::new(move |weights| weighted_r2(&task.test, &said, weights))
        }
    })
}

/// The most frequent number, the smallest of equals.
fn most_frequent(labels: impl Iterator<Item = usize>) -> usize {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    labels.for_each(|label| *counts.entry(label).or_default() += 1);
    let best = counts
        .into_iter()
        .max_by_key(|(label, n)| (*n, std::cmp::Reverse(*label)));
    best.map_or(0, |(label, _)| label)
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, SweepParams};
    use super::*;
    use crate::text::split::Split;

    fn split() -> Split {
        Split {
            train: (0..6).collect(),
            test: (6..10).collect(),
            left_out: vec![],
        }
    }

    #[test]
    fn a_word_is_what_it_mostly_was_and_a_new_one_what_most_words_are() {
        // Training: word 0 is a, a, b; word 1 is b; word 2 is b, b. The most frequent class is b.
        let labels = Labels::Classes {
            column: "pos".to_owned(),
            names: vec!["a".to_owned(), "b".to_owned()],
            of_row: vec![0, 0, 1, 1, 1, 1, 0, 1, 1, 0],
        };
        let types = [0, 0, 0, 1, 2, 2, 0, 1, 9, 9];
        let (split, params) = (split(), SweepParams::new(Kind::Logistic));
        let probing = Probing::new(&labels, &split, &params);
        let (_, metrics, known) = type_majority(&probing, &types).unwrap().unwrap();
        // Of the test rows, words 0 and 1 and one of the two unknown ones come out right.
        assert_eq!(metrics.get("accuracy").unwrap().value, 0.75);
        assert_eq!(known, 3);
        let apart: Vec<usize> = (0..10).collect();
        assert!(type_majority(&probing, &apart).unwrap().is_none());
    }

    #[test]
    fn a_number_is_the_mean_of_its_word() {
        let labels = Labels::Numbers {
            names: vec!["size".to_owned()],
            values: vec![vec![1.0, 3.0, 10.0, 10.0, 6.0, 6.0, 2.0, 10.0, 6.0, 6.0]],
        };
        let types = [0, 0, 1, 1, 2, 2, 0, 1, 2, 9];
        let (split, params) = (split(), SweepParams::new(Kind::Ridge));
        let probing = Probing::new(&labels, &split, &params);
        let (_, metrics, _) = type_majority(&probing, &types).unwrap().unwrap();
        assert_eq!(metrics.get("r2").unwrap().value, 1.0);
    }
}
