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

    /// The correlation of prediction and truth, for any number of classes (`matthews_corrcoef`; Gorodkin 2004). `None` where all rows
    /// have, or all predictions are, one class, and scikit-learn returns 0.
    pub fn mcc(&self) -> Option<f64> {
        let total: f64 = self.counts.as_slice().iter().sum();
        let right: f64 = self.classes().map(|k| self.counts.at(k, k)).sum();
        let sum = |of: &dyn Fn(usize) -> f64| self.classes().map(of).sum::<f64>();
        let both = sum(&|k| self.truths(k) * self.predictions(k));
        let truths = total * total - sum(&|k| self.truths(k).powi(2));
        let predictions = total * total - sum(&|k| self.predictions(k).powi(2));
        ratio(right * total - both, (truths * predictions).max(0.0).sqrt())
    }

    /// `[truth, predicted]`.
    pub fn counts(&self) -> &Matrix {
        &self.counts
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

/// For each row, the negative log-probability of the true class in nats; the mean is `log_loss`. Probabilities are cut off at the machine
/// epsilon, so one confident mistake costs at most 36 nats. `probabilities` is `[rows, classes]`.
pub fn log_losses(truth: &[usize], probabilities: &Matrix) -> Vec<f64> {
    let loss = |(row, class): (usize, &usize)| {
        let p = probabilities.at(row, *class);
        -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    };
    truth.iter().enumerate().map(loss).collect()
}

/// The mean of values, each with its weight; `None` without weight.
pub fn weighted_mean(values: &[f64], weights: &[f64]) -> Option<f64> {
    let sum = values.iter().zip(weights).map(|(v, w)| v * w).sum();
    ratio(sum, weights.iter().sum())
}

/// For each row, the squared distance of the probabilities from the truth: of the positive class for two classes, summed over classes for
/// more. The mean is the Brier score (`brier_score_loss`). `probabilities` is `[rows, classes]`.
pub fn brier_scores(truth: &[usize], probabilities: &Matrix) -> Vec<f64> {
    let first = usize::from(probabilities.cols() == 2);
    let rows = truth.iter().enumerate().map(|(row, own)| {
        let classes = probabilities.row(row).iter().enumerate().skip(first);
        let indicator = |class: usize| f64::from(u8::from(class == *own));
        classes
            .map(|(class, p)| (p - indicator(class)).powi(2))
            .sum()
    });
    rows.collect()
}

/// How a score ranks positive rows against negative ones. Sorted once, so that many weightings are cheap.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// Rows by rising score.
    order: Vec<usize>,
    /// For each place in `order`, whether the score is that of the place before.
    tied: Vec<bool>,
    positive: Vec<bool>,
}

impl Ranking {
    /// The ranking of rows that these scores make.
    pub fn new(positive: Vec<bool>, scores: &[f64]) -> Self {
        let (order, tied) = rising(scores);
        Self {
            order,
            tied,
            positive,
        }
    }

    /// The area under the ROC curve (`roc_auc_score`): the probability that a positive row scores above a negative one, ties counting
    /// half. `None` unless both classes have weight.
    pub fn auroc(&self, weights: &[f64]) -> Option<f64> {
        let (mut area, mut negatives, mut positives) = (0.0, 0.0, 0.0);
        self.each_score(weights, false, |p, n| {
            area += p * (negatives + 0.5 * n);
            negatives += n;
            positives += p;
        });
        ratio(area, positives * negatives)
    }

    /// The area under the precision-recall curve, as the mean of the precisions at which the positive rows are found
    /// (`average_precision_score`). `None` unless both classes have weight.
    pub fn auprc(&self, weights: &[f64]) -> Option<f64> {
        let (mut area, mut negatives, mut positives) = (0.0, 0.0, 0.0);
        self.each_score(weights, true, |p, n| {
            negatives += n;
            positives += p;
            area += p * ratio(positives, positives + negatives).unwrap_or(0.0);
        });
        ratio(area, positives).filter(|_| negatives > 0.0)
    }

    /// The weights of the positive and of the negative rows at each score, from the lowest up or from the highest down.
    fn each_score(&self, weights: &[f64], falling: bool, mut see: impl FnMut(f64, f64)) {
        let (mut positives, mut negatives) = (0.0, 0.0);
        let places = self.order.len();
        for step in 0..places {
            let place = if falling { places - 1 - step } else { step };
            let row = self.order[place];
            match self.positive[row] {
                true => positives += weights[row],
                false => negatives += weights[row],
            }
            let last = match falling {
                true => !self.tied[place],
                false => place + 1 == places || !self.tied[place + 1],
            };
            if last {
                see(
                    std::mem::take(&mut positives),
                    std::mem::take(&mut negatives),
                );
            }
        }
    }
}

/// Rows by rising value, and whether each one's value is that of the one before.
fn rising(values: &[f64]) -> (Vec<usize>, Vec<bool>) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let tied = (0..order.len())
        .map(|place| place > 0 && values[order[place]] == values[order[place - 1]])
        .collect();
    (order, tied)
}

/// Spearman's rank correlation of truth and prediction (`scipy.stats.spearmanr`), equal values sharing their mean rank. Sorted once, so that
/// many weightings are cheap.
#[derive(Debug, Clone)]
pub struct Spearman {
    truth: (Vec<usize>, Vec<bool>),
    predicted: (Vec<usize>, Vec<bool>),
}

impl Spearman {
    /// Of these numbers.
    pub fn new(truth: &[f64], predicted: &[f64]) -> Self {
        Self {
            truth: rising(truth),
            predicted: rising(predicted),
        }
    }

    /// The correlation, with these weights; `None` if truth or prediction does not vary.
    pub fn value(&self, weights: &[f64]) -> Option<f64> {
        let (a, b) = (ranks(&self.truth, weights), ranks(&self.predicted, weights));
        let total: f64 = weights.iter().sum();
        let mean = |v: &[f64]| ratio(v.iter().zip(weights).map(|(v, w)| v * w).sum(), total);
        let (mean_a, mean_b) = (mean(&a)?, mean(&b)?);
        let (mut both, mut own_a, mut own_b) = (0.0, 0.0, 0.0);
        for ((a, b), w) in a.iter().zip(&b).zip(weights) {
            let (a, b) = (a - mean_a, b - mean_b);
            both += w * a * b;
            own_a += w * a * a;
            own_b += w * b * b;
        }
        ratio(both, (own_a * own_b).sqrt())
    }
}

fn ranks((order, tied): &(Vec<usize>, Vec<bool>), weights: &[f64]) -> Vec<f64> {
    let mut ranks = vec![0.0; order.len()];
    let mut before = 0.0;
    let mut start = 0;
    while start < order.len() {
        let more = tied[start + 1..].iter().take_while(|tied| **tied).count();
        let equal = &order[start..=start + more];
        let weight: f64 = equal.iter().map(|row| weights[*row]).sum();
        equal
            .iter()
            .for_each(|row| ranks[*row] = before + 0.5 * (weight + 1.0));
        before += weight;
        start += more + 1;
    }
    ranks
}

/// The Earth's mean radius in km (IUGG).
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// The shortest way on the globe between two places in degrees of latitude and longitude, in km, by the haversine formula. A predicted
/// latitude beyond a pole counts as the pole.
pub fn great_circle_km(a: (f64, f64), b: (f64, f64)) -> f64 {
    let latitude = |degrees: f64| degrees.clamp(-90.0, 90.0).to_radians();
    let (lat_a, lat_b) = (latitude(a.0), latitude(b.0));
    let half = |angle: f64| (0.5 * angle).sin().powi(2);
    let h = half(lat_b - lat_a) + lat_a.cos() * lat_b.cos() * half((b.1 - a.1).to_radians());
    2.0 * EARTH_RADIUS_KM * h.clamp(0.0, 1.0).sqrt().asin()
}

/// Mean and median of fixed values under many weightings. Sorted once.
#[derive(Debug, Clone)]
pub struct Spread {
    values: Vec<f64>,
    order: Vec<usize>,
}

impl Spread {
    /// Of these values.
    pub fn new(values: Vec<f64>) -> Self {
        let (order, _) = rising(&values);
        Self { values, order }
    }

    /// The mean; `None` without weight.
    pub fn mean(&self, weights: &[f64]) -> Option<f64> {
        weighted_mean(&self.values, weights)
    }

    /// The median of the values, each as often as its weight says (of an even number, the mean of the middle two).
    pub fn median(&self, weights: &[f64]) -> Option<f64> {
        let half = 0.5 * weights.iter().sum::<f64>();
        let (mut below, mut lower) = (0.0, None);
        for row in self.order.iter().filter(|row| weights[**row] > 0.0) {
            if let Some(lower) = lower {
                return Some(0.5 * (lower + self.values[*row]));
            }
            below += weights[*row];
            if below > half {
                return Some(self.values[*row]);
            }
            if below == half {
                lower = Some(self.values[*row]);
            }
        }
        lower
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

pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
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
            Ranking::new(vec![true, true], &[0.1, 0.2]).auroc(&[1.0; 2]),
            None
        );
        assert_eq!(r2(&[2.0, 2.0], &[1.0, 3.0], &[1.0; 2]), None);
        assert_eq!(Confusion::count(&[], &[], &[], 2).accuracy(), None);
    }

    #[test]
    fn one_confident_mistake_costs_36_nats() {
        let p = Matrix::new(1, 2, vec![1.0, 0.0]).unwrap();
        let loss = log_losses(&[1], &p)[0];
        assert!((loss - 36.043_653_389_117_15).abs() < 1e-12, "{loss}");
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
            let area = Ranking::new(positive, &scores).auroc(&weights);
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
