//! Are two sets of vectors of the same texts the same, for all that matters? By equivalence, not by "not significant".

use super::reference::nearest_rows;
use super::resample::Resampled;
use super::vector::{cosine_distance, dot, unit};
use crate::analysis::matrix::Matrix;
use crate::analysis::neighbors::Rows;
use crate::analysis::probe::{Labels, Readout};
use crate::error::{Error, Result};
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Texts whose neighbours are compared, at most.
const NEIGHBOR_TEXTS: usize = 2000;
/// Random pairs that say how far unrelated texts are apart.
const PAIRS: usize = 2000;
/// Level of the interval whose ends are two one-sided tests at 5 %.
const LEVEL: f64 = 0.90;

/// What a candidate may differ by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Margins {
    /// Mean cosine distance of a text to itself, and mean relative change of norm: a share of the cosine distance between unrelated texts, and
    /// of the norm.
    pub drift: f64,
    /// Accuracy (of numbers: R²) that the baseline's probe loses on the candidate.
    pub probe_loss: f64,
    /// Share of the nearest neighbours that change.
    pub churn: f64,
}

impl Default for Margins {
    fn default() -> Self {
        Self {
            drift: 0.05,
            probe_loss: 0.02,
            churn: 0.2,
        }
    }
}

impl Margins {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<()> {
        let named = [
            ("drift", self.drift),
            ("probe-loss", self.probe_loss),
            ("churn", self.churn),
        ];
        match named.iter().find(|(_, v)| !(*v > 0.0 && *v <= 1.0)) {
            None => Ok(()),
            Some((name, value)) => Err(Error::BadParameter {
                name,
                value: value.to_string(),
                problem: "a margin is above 0 and at most 1".to_owned(),
            }),
        }
    }
}

/// How resamples are drawn and neighbours counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GateParams {
    /// The margins.
    pub margins: Margins,
    /// Neighbours that are compared.
    pub neighbors: usize,
    /// Resamples of the texts.
    pub resamples: usize,
    /// The one seed.
    pub seed: u64,
}

impl GateParams {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<()> {
        self.margins.check()?;
        for (name, value, least) in [
            ("neighbors", self.neighbors, 1),
            ("resamples", self.resamples, 100),
        ] {
            if value < least {
                return Err(Error::BadParameter {
                    name,
                    value: value.to_string(),
                    problem: format!("give at least {least}"),
                });
            }
        }
        Ok(())
    }
}

/// One check at one hook point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// The hook point.
    pub hook_point: String,
    /// `drift`, `norm`, `neighbors` or `probe`.
    pub check: &'static str,
    /// What was found.
    pub value: f64,
    /// The lower end of the 90 % interval.
    pub low: f64,
    /// The upper end. The check passes if the interval lies within the margin: then a difference beyond it is refuted at 5 %.
    pub high: f64,
    /// What is allowed.
    pub margin: f64,
    /// Whether it passed.
    pub passed: bool,
}

/// The vectors of both sides at one hook point, one row a text.
pub struct Sides<'a> {
    /// The hook point.
    pub hook_point: &'a str,
    /// What is trusted.
    pub baseline: &'a Rows,
    /// What is to be let through.
    pub candidate: &'a Rows,
    /// The baseline's probe, and the rows that it was not trained on, with their labels.
    pub probe: Option<(&'a Readout, &'a Labels, &'a [usize])>,
}

/// Makes all checks of a hook point.
///
/// # Errors
/// [`Error::BadParameter`] for sides of other shapes, or fewer than 10 texts.
pub fn checks(sides: &Sides<'_>, params: &GateParams) -> Result<Vec<Check>> {
    let (a, b) = (sides.baseline, sides.candidate);
    if (a.rows(), a.cols()) != (b.rows(), b.cols()) {
        return Err(Error::BadParameter {
            name: "candidate",
            value: format!("{} texts of {} numbers", b.rows(), b.cols()),
            problem: format!(
                "the baseline has {} of {} at `{}`",
                a.rows(),
                a.cols(),
                sides.hook_point
            ),
        });
    }
    if a.rows() < 10 {
        return Err(Error::BadParameter {
            name: "baseline",
            value: format!("{} texts", a.rows()),
            problem: "fewer than 10 texts prove no equivalence; give more".to_owned(),
        });
    }
    let n = a.rows();
    let unrelated = unrelated(a, params.seed);
    // What did not move has not drifted, where all texts are in one place too (embeddings of a last token that is always the same, say): 0 is no 0/0 then.
    let moved = |measure: &dyn Fn(&[f32], &[f32]) -> f64| -> Vec<f64> {
        let pairs = (0..n).map(|i| (a.row(i), b.row(i)));
        pairs
            .map(|(before, after)| match before == after {
                true => 0.0,
                false => measure(before, after),
            })
            .collect()
    };
    let length = |row: &[f32]| dot(row, row).sqrt();
    let drift = moved(&|before, after| cosine_distance(before, after) / unrelated);
    let norm = moved(&|before, after| length(after) / length(before) - 1.0);
    let margins = &params.margins;
    let check = |name, values: Vec<f64>, margin, two_sided| {
        Check::new(sides.hook_point, name, &values, margin, two_sided, params)
    };
    let mut found = vec![
        check("drift", drift, margins.drift, false),
        check("norm", norm, margins.drift, true),
    ];
    if n > 2 * params.neighbors {
        found.push(check(
            "neighbors",
            churn(a, b, params),
            margins.churn,
            false,
        ));
    }
    if let Some((readout, labels, rows)) = sides.probe {
        let losses = losses(readout, labels, rows, a, b)?;
        let mut found_loss = check("probe", losses.clone(), margins.probe_loss, false);
        if matches!(labels, Labels::Classes { .. }) {
            found_loss.bound_rare(&losses);
        }
        found.push(found_loss);
    }
    Ok(found)
}

impl Check {
    fn new(
        hook_point: &str,
        check: &'static str,
        values: &[f64],
        margin: f64,
        two_sided: bool,
        params: &GateParams,
    ) -> Self {
        let texts: Vec<usize> = (0..values.len()).collect();
        let resampled = Resampled::new(values, 1, &texts, params.resamples, params.seed);
        let value = resampled.mean.first().copied().unwrap_or(f64::NAN);
        let (low, high) = resampled.interval(0, LEVEL).unwrap_or((value, value));
        // A number that is none is not within any margin.
        let passed = high < margin && (!two_sided || low > -margin) && value.is_finite();
        Self {
            hook_point: hook_point.to_owned(),
            check,
            value,
            low,
            high,
            margin,
            passed,
        }
    }
}

/// Fewer changed classes than this leave the bootstrap nothing to draw from: none in 12 rows would be an interval of no width.
const FEW: usize = 10;

impl Check {
    /// Where few rows changed their class, the exact bound (Clopper & Pearson 1934) of how often a right one becomes wrong: the loss is no more.
    fn bound_rare(&mut self, losses: &[f64]) {
        let worse = losses.iter().filter(|l| **l > 0.0).count();
        let better = losses.iter().filter(|l| **l < 0.0).count();
        if worse + better < FEW {
            self.high = upper_bound(worse, losses.len());
            self.passed = self.high < self.margin;
        }
    }
}

/// The share that `found` of `n` refutes at 5 % if it is larger.
fn upper_bound(found: usize, n: usize) -> f64 {
    // The chance of so few, which falls as the share rises.
    let chance = |share: f64| -> f64 {
        let mut term = n as f64 * (1.0 - share).ln();
        let mut sum = term.exp();
        for k in 1..=found {
            term += ((n - k + 1) as f64 / k as f64).ln() + share.ln() - (1.0 - share).ln();
            sum += term.exp();
        }
        sum
    };
    let (mut low, mut high) = (0.0, 1.0);
    if found >= n {
        return 1.0;
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        match chance(middle) > (1.0 - LEVEL) / 2.0 {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

/// The mean cosine distance of two random texts.
fn unrelated(rows: &Rows, seed: u64) -> f64 {
    let n = rows.rows();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let distances: Vec<f64> = (0..PAIRS)
        .map(|_| {
            let (i, j) = (rng.random_range(0..n), rng.random_range(0..n - 1));
            cosine_distance(rows.row(i), rows.row(j + usize::from(j >= i)))
        })
        .filter(|d| d.is_finite())
        .collect();
    distances.iter().sum::<f64>() / distances.len() as f64
}

/// Of each text, the share of its nearest neighbours that are others on the other side.
fn churn(a: &Rows, b: &Rows, params: &GateParams) -> Vec<f64> {
    let n = a.rows();
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    let mut texts = sample(&mut rng, n, n.min(NEIGHBOR_TEXTS)).into_vec();
    texts.sort_unstable();
    let near = |rows: &Rows| {
        let rows = rows.select(&texts);
        nearest_rows(&unit(&rows), &rows, params.neighbors, Some)
    };
    let (before, after) = (near(a), near(b));
    let changed = before.iter().zip(&after).map(|(before, after)| {
        let kept = after.iter().filter(|n| before.contains(n)).count();
        1.0 - kept as f64 / params.neighbors as f64
    });
    changed.collect()
}

/// Of each row that the probe was not trained on, what it loses: 1 for a right class that becomes wrong; of numbers, the rise of the squared
/// error as a share of their variance.
fn losses(
    readout: &Readout,
    labels: &Labels,
    rows: &[usize],
    a: &Rows,
    b: &Rows,
) -> Result<Vec<f64>> {
    let matrix = |side: &Rows| {
        let part = side.select(rows);
        Matrix::from_f32(part.rows(), part.cols(), part.as_slice())
    };
    let (before, after) = (readout.scores(&matrix(a)?)?, readout.scores(&matrix(b)?)?);
    Ok(match labels {
        Labels::Classes { of_row, .. } => {
            let wrong = |scores: &Matrix, i: usize| {
                let row = scores.row(i);
                let best = (0..row.len()).max_by(|x, y| row[*x].total_cmp(&row[*y]));
                f64::from(u8::from(best != Some(of_row[rows[i]])))
            };
            (0..rows.len())
                .map(|i| wrong(&after, i) - wrong(&before, i))
                .collect()
        }
        Labels::Numbers { values, .. } => {
            let each = values.iter().enumerate().map(|(target, values)| {
                let truth: Vec<f64> = rows.iter().map(|r| values[*r]).collect();
                let mean = truth.iter().sum::<f64>() / truth.len() as f64;
                let variance =
                    truth.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / truth.len() as f64;
                let error = |scores: &Matrix, i: usize| (scores.at(i, target) - truth[i]).powi(2);
                (0..rows.len())
                    .map(|i| (error(&after, i) - error(&before, i)) / variance)
                    .collect::<Vec<f64>>()
            });
            let each: Vec<Vec<f64>> = each.collect();
            let targets = each.len() as f64;
            (0..rows.len())
                .map(|i| each.iter().map(|losses| losses[i]).sum::<f64>() / targets)
                .collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize, seed: u64) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Rows::new(
            6,
            (0..6 * n).map(|_| rng.random_range(-1.0f32..1.0)).collect(),
        )
        .unwrap()
    }

    const PARAMS: GateParams = GateParams {
        margins: Margins {
            drift: 0.05,
            probe_loss: 0.02,
            churn: 0.2,
        },
        neighbors: 5,
        resamples: 300,
        seed: 1,
    };

    fn passed(a: &Rows, b: &Rows) -> Vec<(&'static str, bool)> {
        let sides = Sides {
            hook_point: "p",
            baseline: a,
            candidate: b,
            probe: None,
        };
        checks(&sides, &PARAMS)
            .unwrap()
            .iter()
            .map(|c| (c.check, c.passed))
            .collect()
    }

    #[test]
    fn the_same_vectors_pass_and_others_do_not() {
        let a = rows(100, 1);
        assert_eq!(
            passed(&a, &a),
            [("drift", true), ("norm", true), ("neighbors", true)]
        );
        assert!(passed(&a, &rows(100, 2)).contains(&("drift", false)));
        let longer = Rows::new(6, a.as_slice().iter().map(|v| v * 1.2).collect()).unwrap();
        assert_eq!(
            passed(&a, &longer),
            [("drift", true), ("norm", false), ("neighbors", true)]
        );
    }

    /// Every text has the same embedding of its last token, where that is always `[SEP]`.
    #[test]
    fn a_hook_point_where_all_texts_are_in_one_place_passes_if_they_stay_there() {
        let one_place = |x: f32| Rows::new(6, [x, 1.0, 2.0, -1.0, 0.5, 3.0].repeat(50)).unwrap();
        let a = one_place(0.25);
        assert_eq!(
            passed(&a, &a),
            [("drift", true), ("norm", true), ("neighbors", true)]
        );
        assert!(passed(&a, &one_place(-2.0)).contains(&("drift", false)));
    }

    #[test]
    fn no_loss_in_few_rows_proves_little() {
        // 1 − 0.05^(1/n), and a value of R's binom.test(2, 50, alternative = "less").
        assert!((upper_bound(0, 12) - (1.0 - 0.05f64.powf(1.0 / 12.0))).abs() < 1e-9);
        assert!(
            (upper_bound(2, 50) - 0.120_614).abs() < 1e-4,
            "{}",
            upper_bound(2, 50)
        );
        assert_eq!(upper_bound(3, 3), 1.0);
    }

    /// A mean within the margin is not enough: few and noisy texts leave the interval beyond it.
    #[test]
    fn what_is_merely_not_significant_does_not_pass() {
        let a = rows(12, 1);
        let mut moved = a.as_slice().to_vec();
        moved[..6].iter_mut().for_each(|v| *v *= -0.5);
        let b = Rows::new(6, moved).unwrap();
        let sides = Sides {
            hook_point: "p",
            baseline: &a,
            candidate: &b,
            probe: None,
        };
        let found = checks(&sides, &PARAMS).unwrap();
        let norm = found.iter().find(|c| c.check == "norm").unwrap();
        assert!(
            norm.value.abs() < PARAMS.margins.drift && !norm.passed,
            "{norm:?}"
        );
    }
}
