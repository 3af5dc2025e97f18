//! The learning curve: how the score grows with the training rows.

use super::sweep::probe_layer_with;
use super::{Companions, Labels, Lambda, SweepParams};
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use crate::text::split::Split;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeMap;

/// The training rows are halved this often.
const HALVINGS: u32 = 5;
/// Draws of each size below the whole.
const DRAWS: usize = 5;

/// The score of probes trained on some number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Training rows, the mean over draws.
    pub train: usize,
    /// Draws that held every class.
    pub draws: usize,
    /// The mean of the main metric over draws.
    pub mean: f64,
    /// The least of the draws.
    pub low: f64,
    /// The greatest of the draws.
    pub high: f64,
}

/// The main metric on all test rows of probes trained on a 32nd, a 16th, … and all of the training rows (whole groups), five draws of each
/// size, each draw's larger parts holding its smaller ones. λ is that of the whole probe. Sizes at which no draw holds every class are left out.
///
/// # Errors
/// As [`probe_layer_with`], for the whole.
#[expect(
    clippy::too_many_arguments,
    reason = "those of probe_layer_with and the penalty"
)]
pub fn learning_curve(
    point: &str,
    x: &Matrix,
    labels: &Labels,
    split: &Split,
    groups: Option<&[usize]>,
    companions: &Companions,
    params: &SweepParams,
    lambda: f64,
) -> Result<Vec<CurvePoint>> {
    let params = SweepParams {
        lambda: match lambda > 0.0 {
            true => Lambda::Fixed(lambda),
            false => params.lambda.clone(),
        },
        shuffles: 0,
        control_tasks: 0,
        inner_folds: false,
        codelength: false,
        bootstrap: 0,
        ..params.clone()
    };
    let orders: Vec<Vec<Vec<usize>>> = (0..DRAWS)
        .map(|draw| units(&split.train, groups, params.seed, draw))
        .collect();
    let mut curve = Vec::new();
    for halving in (0..=HALVINGS).rev() {
        let wanted = split.train.len() >> halving;
        let draws = if halving == 0 { 1 } else { DRAWS };
        let mut scores = Vec::new();
        let mut rows = 0;
        for order in orders.iter().take(draws) {
            let train = prefix(order, wanted);
            if !holds_all(labels, &train, split) {
                continue;
            }
            rows += train.len();
            let part = Split {
                train,
                ..split.clone()
            };
            match probe_layer_with(point, x, labels, &part, groups, companions, &params) {
                Ok(result) => {
                    scores.extend(result.metrics.get(result.main_metric).map(|e| e.value))
                }
                // A small part may lack what a kind needs (pairs, two values of a target).
                Err(Error::BadLabel { .. }) if halving > 0 => {}
                Err(error) => return Err(error),
            }
        }
        if !scores.is_empty() {
            curve.push(CurvePoint {
                train: rows / scores.len().max(1),
                draws: scores.len(),
                mean: scores.iter().sum::<f64>() / scores.len() as f64,
                low: scores.iter().copied().fold(f64::INFINITY, f64::min),
                high: scores.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            });
        }
    }
    Ok(curve)
}

/// The training rows in groups that stay together, in an order drawn for this draw.
fn units(train: &[usize], groups: Option<&[usize]>, seed: u64, draw: usize) -> Vec<Vec<usize>> {
    let mut of_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &row in train {
        of_group
            .entry(groups.map_or(row, |g| g[row]))
            .or_default()
            .push(row);
    }
    let mut units: Vec<Vec<usize>> = of_group.into_values().collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(draw as u64);
    units.shuffle(&mut rng);
    units
}

/// The first groups, until there are as many rows as wanted; ascending.
fn prefix(units: &[Vec<usize>], wanted: usize) -> Vec<usize> {
    let mut rows = Vec::new();
    for unit in units {
        if rows.len() >= wanted {
            break;
        }
        rows.extend_from_slice(unit);
    }
    rows.sort_unstable();
    rows
}

/// Whether these rows have every class that the whole's training rows have; of numbers, at least three rows.
fn holds_all(labels: &Labels, rows: &[usize], split: &Split) -> bool {
    let Labels::Classes { of_row, names, .. } = labels else {
        return rows.len() >= 3;
    };
    let present = |rows: &[usize]| {
        let mut present = vec![false; names.len()];
        rows.iter().for_each(|row| present[of_row[*row]] = true);
        present
    };
    present(rows) == present(&split.train)
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use rand::Rng;

    #[test]
    fn the_curve_rises_to_the_score_of_the_whole() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let x = Matrix::from_fn(800, 30, |_, _| rng.random_range(-1.0..1.0));
        let score = |row: usize| (0..10).map(|j| x.at(row, j)).sum::<f64>();
        let labels = Labels::Classes {
            column: "c".to_owned(),
            names: vec!["a".to_owned(), "b".to_owned()],
            of_row: (0..800).map(|row| usize::from(score(row) > 0.0)).collect(),
        };
        let split = Split {
            train: (0..640).collect(),
            test: (640..800).collect(),
            left_out: vec![],
        };
        let groups: Vec<usize> = (0..800).map(|row| row / 2).collect();
        let none = Companions::default();
        let params = SweepParams::new(Kind::Lda);
        let curve =
            learning_curve("p", &x, &labels, &split, Some(&groups), &none, &params, 0.1).unwrap();
        let sizes: Vec<usize> = curve.iter().map(|p| p.train).collect();
        assert_eq!(sizes, [20, 40, 80, 160, 320, 640]);
        assert!(curve[0].mean < curve[5].mean && curve[5].draws == 1);
        assert!(curve.iter().all(|p| p.low <= p.mean && p.mean <= p.high));
        let whole = SweepParams {
            lambda: Lambda::Fixed(0.1),
            shuffles: 0,
            bootstrap: 0,
            ..params
        };
        let whole =
            probe_layer_with("p", &x, &labels, &split, Some(&groups), &none, &whole).unwrap();
        assert_eq!(curve[5].mean, whole.metrics.get("accuracy").unwrap().value);
    }
}
