//! Scores of predictions, each with weights per row.
//!
//! All follow scikit-learn's function of the same name with its `sample_weight`; a weight is how often a row counts, which is what
//! a bootstrap varies. A score that these rows do not define (AUROC with one class, R² of a constant) is `None`, where
//! scikit-learn warns and returns a number or NaN.

use crate::analysis::matrix::Matrix;

/// How often each true class was predicted as each class.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    /// `[truth, predicted]`.
    counts: Matrix,
}

impl Confusion {
    /// Counts `rows` of `(truth, predicted)`, classes in `0..classes`, each with its weight.
    pub fn count(truth: &[usize], predicted: &[usize], weights: &[f64], classes: usize) -> Self {
        let mut counts = Matrix::zeros(classes, classes);
        for ((&truth, &predicted), &weight) in truth.iter().zip(predicted).zip(weights) {
            counts.row_mut(truth)[predicted] += weight;
        }
        Self { counts }
    }

    /// The share of rows that were predicted right (`accuracy_score`).
    pub fn accuracy(&self) -> Option<f64> {
        let right: f64 = self.classes().map(|k| self.counts.at(k, k)).sum();
        ratio(right, self.counts.as_slice().iter().sum())
    }

    /// The mean recall of the classes that are in the truth (`balanced_accuracy_score`).
    pub fn balanced_accuracy(&self) -> Option<f64> {
        mean(
            self.classes()
                .filter_map(|k| ratio(self.counts.at(k, k), self.truths(k))),
        )
    }

    /// The mean F1 of the classes that are in the truth or were predicted (`f1_score(average="macro", zero_division=0)`).
    pub fn macro_f1(&self) -> Option<f64> {
        let f1 = |k| {
            ratio(
                2.0 * self.counts.at(k, k),
                self.truths(k) + self.predictions(k),
            )
        };
        mean(self.classes().filter_map(f1))
    }

    fn classes(&self) -> std::ops::Range<usize> {
        0..self.counts.rows()
    }

    fn truths(&self, class: usize) -> f64 {
        self.counts.row(class).iter().sum()
    }

    fn predictions(&self, class: usize) -> f64 {
        self.classes()
            .map(|truth| self.counts.at(truth, class))
            .sum()
    }
}

/// The mean negative log-probability of the true class, in nats (`log_loss`): probabilities are cut off at the machine epsilon, so
/// one confident mistake costs at most 36 nats. `probabilities` is `[rows, classes]`.
pub fn log_loss(truth: &[usize], probabilities: &Matrix, weights: &[f64]) -> Option<f64> {
    let loss = |row: usize| {
        let p = probabilities.at(row, truth[row]);
        -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    };
    let total = (0..truth.len()).map(|row| weights[row] * loss(row)).sum();
    ratio(total, weights.iter().sum())
}

/// The area under the ROC curve (`roc_auc_score`): the probability that a positive row scores above a negative one, ties counting
/// half. Sorted once, so that many weightings are cheap.
#[derive(Debug, Clone)]
pub struct Auroc {
    /// Rows by rising score.
    order: Vec<usize>,
    /// For each place in `order`, whether the score is that of the place before.
    tied: Vec<bool>,
    positive: Vec<bool>,
}

impl Auroc {
    /// The ranking of rows that these scores make.
    pub fn new(positive: Vec<bool>, scores: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let tied = (0..order.len())
            .map(|place| place > 0 && scores[order[place]] == scores[order[place - 1]])
            .collect();
        Self {
            order,
            tied,
            positive,
        }
    }

    /// The area, with these weights; `None` unless both classes have weight.
    pub fn value(&self, weights: &[f64]) -> Option<f64> {
        let (mut area, mut negatives, mut positives) = (0.0, 0.0, 0.0);
        let (mut tied_negatives, mut tied_positives) = (0.0, 0.0);
        for (&row, &tied) in self.order.iter().zip(&self.tied) {
            if !tied {
                area += tied_positives * (negatives + 0.5 * tied_negatives);
                negatives += std::mem::take(&mut tied_negatives);
                positives += std::mem::take(&mut tied_positives);
            }
            match self.positive[row] {
                true => tied_positives += weights[row],
                false => tied_negatives += weights[row],
            }
        }
        area += tied_positives * (negatives + 0.5 * tied_negatives);
        ratio(
            area,
            (positives + tied_positives) * (negatives + tied_negatives),
        )
    }
}

/// The share of the variance that the prediction explains (`r2_score`); below 0 where the mean would have been better. `None` if
/// the truth does not vary.
pub fn r2(truth: &[f64], predicted: &[f64], weights: &[f64]) -> Option<f64> {
    let total: f64 = weights.iter().sum();
    let mean = ratio(weighted(truth, weights, |y, _| y), total)?;
    let spread = weighted(truth, weights, |y, _| (y - mean).powi(2));
    let missed = weighted(truth, weights, |y, row| (y - predicted[row]).powi(2));
    Some(1.0 - ratio(missed, spread)?)
}

/// The mean distance of the prediction from the truth, in the units of the target (`mean_absolute_error`).
pub fn mean_absolute_error(truth: &[f64], predicted: &[f64], weights: &[f64]) -> Option<f64> {
    let missed = weighted(truth, weights, |y, row| (y - predicted[row]).abs());
    ratio(missed, weights.iter().sum())
}

fn weighted(truth: &[f64], weights: &[f64], term: impl Fn(f64, usize) -> f64) -> f64 {
    let rows = truth.iter().zip(weights).enumerate();
    rows.map(|(row, (y, w))| w * term(*y, row)).sum()
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    ratio(sum, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-12)
    }

    #[test]
    fn confusions_score_as_scikit_learn_scores_them() {
        // accuracy_score, balanced_accuracy_score, f1_score(average="macro") of scikit-learn 1.9.1.
        let (truth, predicted) = ([0, 0, 1, 1, 2, 2, 2, 0], [0, 1, 1, 1, 2, 0, 2, 0]);
        let plain = Confusion::count(&truth, &predicted, &[1.0; 8], 3);
        assert!(close(plain.accuracy(), 0.75));
        assert!(close(plain.balanced_accuracy(), 0.777_777_777_777_777_7));
        assert!(close(plain.macro_f1(), 0.755_555_555_555_555_5));
        let weights = [1.0, 2.0, 3.0, 1.0, 1.0, 4.0, 0.0, 2.0];
        let weighted = Confusion::count(&truth, &predicted, &weights, 3);
        assert!(close(weighted.accuracy(), 0.571_428_571_428_571_4));
        assert!(close(weighted.balanced_accuracy(), 0.6));
        assert!(close(weighted.macro_f1(), 0.544_444_444_444_444_5));
    }

    #[test]
    fn classes_that_nobody_has_do_not_count() {
        let c = Confusion::count(&[0, 0, 1], &[0, 0, 1], &[1.0; 3], 5);
        assert_eq!(c.balanced_accuracy(), Some(1.0));
        assert_eq!(c.macro_f1(), Some(1.0));
        // Class 2 was predicted but is not in the truth: its F1 is 0 and counts.
        let c = Confusion::count(&[0, 0], &[0, 2], &[1.0; 2], 3);
        assert_eq!(c.balanced_accuracy(), Some(0.5));
        assert!(close(c.macro_f1(), 1.0 / 3.0));
    }

    #[test]
    fn scores_without_a_definition_are_none() {
        assert_eq!(
            Auroc::new(vec![true, true], &[0.1, 0.2]).value(&[1.0; 2]),
            None
        );
        assert_eq!(r2(&[2.0, 2.0], &[1.0, 3.0], &[1.0; 2]), None);
        assert_eq!(Confusion::count(&[], &[], &[], 2).accuracy(), None);
    }

    #[test]
    fn one_confident_mistake_costs_36_nats() {
        let p = Matrix::new(1, 2, vec![1.0, 0.0]).unwrap();
        let loss = log_loss(&[1], &p, &[1.0]);
        assert!(close(loss, 36.043_653_389_117_15), "{loss:?}");
    }

    proptest! {
        #[test]
        fn auroc_is_the_share_of_pairs_in_order(rows in prop::collection::vec((any::<bool>(), 0u8..6, 0u8..4), 1..40)) {
            let positive: Vec<bool> = rows.iter().map(|r| r.0).collect();
            let scores: Vec<f64> = rows.iter().map(|r| f64::from(r.1)).collect();
            let weights: Vec<f64> = rows.iter().map(|r| f64::from(r.2)).collect();
            let (mut won, mut pairs) = (0.0, 0.0);
            for i in (0..rows.len()).filter(|i| positive[*i]) {
                for j in (0..rows.len()).filter(|j| !positive[*j]) {
                    let w = weights[i] * weights[j];
                    pairs += w;
                    won += w * match scores[i].total_cmp(&scores[j]) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
            let area = Auroc::new(positive, &scores).value(&weights);
            match pairs > 0.0 {
                true => prop_assert!(close(area, won / pairs)),
                false => prop_assert_eq!(area, None),
            }
        }

        #[test]
        fn a_weight_counts_as_that_many_rows(rows in prop::collection::vec((-5.0f64..5.0, -5.0f64..5.0, 0u8..4), 2..30)) {
            let repeat = |value: fn(&(f64, f64, u8)) -> f64| -> Vec<f64> {
                rows.iter().flat_map(|r| std::iter::repeat_n(value(r), r.2.into())).collect()
            };
            let (truth, predicted) = (repeat(|r| r.0), repeat(|r| r.1));
            let ones = vec![1.0; truth.len()];
            let y: Vec<f64> = rows.iter().map(|r| r.0).collect();
            let p: Vec<f64> = rows.iter().map(|r| r.1).collect();
            let w: Vec<f64> = rows.iter().map(|r| r.2.into()).collect();
            for score in [r2, mean_absolute_error] {
                match (score(&truth, &predicted, &ones), score(&y, &p, &w)) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-9 * (1.0 + a.abs())),
                    // A constant truth may have a spread of exactly zero one way and a rounding error the other way.
                    (a, b) => prop_assert!(truth.len() < 2 || a == b || truth.windows(2).all(|t| t[0] == t[1])),
                }
            }
        }
    }
}
