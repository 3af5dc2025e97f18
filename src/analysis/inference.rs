//! How sure a number is: percentile bootstrap intervals.

use crate::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// A number with its interval, where one could be made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The number on the rows as they are.
    pub value: f64,
    /// The lower end of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end of the interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl Estimate {
    /// A number and the interval that belongs to it.
    pub fn new(value: f64, interval: Option<(f64, f64)>) -> Self {
        Self {
            value,
            low: interval.map(|i| i.0),
            high: interval.map(|i| i.1),
        }
    }
}

/// The percentile bootstrap (Efron & Tibshirani 1993, chapter 13): rows, or whole groups of rows that belong together, are drawn with
/// replacement, and the middle `level` of the scores is the interval.
///
/// It describes the sampling of test rows alone: the fitted probe is held fixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// How many times rows are drawn; 0 for no interval.
    pub resamples: usize,
    /// The seed of all draws.
    pub seed: u64,
    /// The share of resampled scores that the interval covers.
    pub level: f64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            resamples: 1000,
            seed: 0,
            level: 0.95,
        }
    }
}

impl Bootstrap {
    /// The interval of each of the scores that `scores` computes from how often each row counts. A resample that leaves a score
    /// undefined is left out of its interval; a score that half of them leave undefined gets none.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for a level outside (0, 1), or groups of another number of rows.
    pub fn intervals(
        &self,
        rows: usize,
        groups: Option<&[usize]>,
        scores: impl Fn(&[f64]) -> Vec<Option<f64>> + Sync,
    ) -> Result<Vec<Option<(f64, f64)>>> {
        let draws = self.draws(rows, groups, &scores)?;
        Ok(draws.iter().map(|draws| self.interval(draws)).collect())
    }

    /// Each of the scores on each resample, NaN where it is undefined. The same seed, rows and groups give the same resamples, so that
    /// the draws of two calls are pairs.
    ///
    /// # Errors
    /// As [`Bootstrap::intervals`].
    pub fn draws(
        &self,
        rows: usize,
        groups: Option<&[usize]>,
        scores: impl Fn(&[f64]) -> Vec<Option<f64>> + Sync,
    ) -> Result<Vec<Vec<f64>>> {
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(Error::BadParameter {
                name: "level",
                value: self.level.to_string(),
                problem: "the level of an interval is between 0 and 1, such as 0.95".to_owned(),
            });
        }
        let unit_of_row = units(rows, groups)?;
        let units = unit_of_row.iter().max().map_or(0, |most| most + 1);
        let drawn: Vec<Vec<Option<f64>>> = (0..self.resamples)
            .into_par_iter()
            .map(|resample| {
                let mut counts = vec![0.0; units];
                // A stream of its own for each resample: the draws do not depend on who makes them.
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(resample as u64);
                (0..units).for_each(|_| counts[rng.random_range(0..units)] += 1.0);
                let weights: Vec<f64> = unit_of_row.iter().map(|unit| counts[*unit]).collect();
                scores(&weights)
            })
            .collect();
        let count = drawn
            .first()
            .map_or_else(|| scores(&vec![1.0; rows]).len(), Vec::len);
        let of_score = |score: usize| drawn.iter().map(move |d| d[score].unwrap_or(f64::NAN));
        Ok((0..count).map(|score| of_score(score).collect()).collect())
    }

    /// The interval that the draws of a score make.
    pub fn interval(&self, draws: &[f64]) -> Option<(f64, f64)> {
        let mut values: Vec<f64> = draws.iter().copied().filter(|v| !v.is_nan()).collect();
        if values.is_empty() || 2 * values.len() < draws.len() {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        Some((quantile(&values, tail), quantile(&values, 1.0 - tail)))
    }

    /// A band that holds all of several numbers at once: each number give or take its standard error times the quantile, over resamples, of
    /// the largest deviation in standard errors (max-T; Montiel Olea & Plagborg-Møller 2019). `draws` has the paired draws of each number;
    /// resamples that leave one undefined are left out. `None` without draws.
    pub fn simultaneous(&self, values: &[f64], draws: &[&[f64]]) -> Option<Band> {
        let resamples = draws.first()?.len();
        let used: Vec<usize> = (0..resamples)
            .filter(|resample| draws.iter().all(|d| !d[*resample].is_nan()))
            .collect();
        if used.is_empty() || 2 * used.len() < resamples {
            return None;
        }
        let errors: Vec<f64> = draws
            .iter()
            .map(|draws| standard_deviation(used.iter().map(|resample| draws[*resample])))
            .collect();
        let furthest = |resample: &usize| {
            let each = draws.iter().zip(values).zip(&errors);
            let deviation = |((draws, value), error): ((&&[f64], &f64), &f64)| match *error > 0.0 {
                true => (draws[*resample] - value).abs() / error,
                false => 0.0,
            };
            each.map(deviation).fold(0.0, f64::max)
        };
        let mut deviations: Vec<f64> = used.iter().map(furthest).collect();
        deviations.sort_by(f64::total_cmp);
        let critical = quantile(&deviations, self.level);
        let around = values.iter().zip(&errors);
        Some(Band {
            critical,
            intervals: around
                .map(|(value, error)| (value - critical * error, value + critical * error))
                .collect(),
        })
    }
}

/// Intervals that hold all at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// How many standard errors each interval reaches to both sides.
    pub critical: f64,
    /// The interval of each number.
    pub intervals: Vec<(f64, f64)>,
}

fn standard_deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (values.map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt()
}

/// The quantile of sorted values, interpolated linearly (NumPy's default; type 7 of Hyndman & Fan 1996).
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (place - place.floor()) * (sorted[above] - sorted[below])
}

/// What each row is drawn with, numbered from 0 in order of first appearance.
fn units(rows: usize, groups: Option<&[usize]>) -> Result<Vec<usize>> {
    let Some(groups) = groups else {
        return Ok((0..rows).collect());
    };
    if groups.len() != rows {
        return Err(Error::BadParameter {
            name: "groups",
            value: groups.len().to_string(),
            problem: format!("there are {rows} rows, and each needs a group"),
        });
    }
    let mut numbers = BTreeMap::new();
    Ok(groups
        .iter()
        .map(|group| {
            let next = numbers.len();
            *numbers.entry(*group).or_insert(next)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(values: &[f64]) -> impl Fn(&[f64]) -> Vec<Option<f64>> + Sync {
        move |weights| {
            let sum: f64 = values.iter().zip(weights).map(|(v, w)| v * w).sum();
            vec![Some(sum / weights.iter().sum::<f64>())]
        }
    }

    #[test]
    fn the_interval_of_a_mean_is_as_wide_as_theory_says() {
        // 400 values of variance 1: the standard error is 1/20, the interval ± 1.96 of it.
        let values: Vec<f64> = (0..400)
            .map(|i| if i % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let bootstrap = Bootstrap {
            resamples: 4000,
            ..Bootstrap::default()
        };
        let (low, high) = bootstrap.intervals(400, None, mean_of(&values)).unwrap()[0].unwrap();
        assert!(
            (low + 0.098).abs() < 0.01 && (high - 0.098).abs() < 0.01,
            "{low} {high}"
        );
    }

    #[test]
    fn rows_that_come_in_groups_say_less_than_rows_that_do_not() {
        let values: Vec<f64> = (0..400)
            .map(|i| if (i / 20) % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let groups: Vec<usize> = (0..400).map(|i| 900 - i / 20).collect();
        let width = |groups| {
            let all = Bootstrap::default()
                .intervals(400, groups, mean_of(&values))
                .unwrap();
            all[0].map(|(low, high)| high - low).unwrap()
        };
        // 20 groups instead of 400 rows: wider by √20.
        let ratio = width(Some(&groups)) / width(None);
        assert!((ratio - 20f64.sqrt()).abs() < 0.6, "{ratio}");
    }

    #[test]
    fn one_seed_gives_one_interval_on_any_number_of_threads() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        let on = |threads: usize, seed| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let bootstrap = Bootstrap {
                seed,
                ..Bootstrap::default()
            };
            pool.install(|| bootstrap.intervals(50, None, mean_of(&values)).unwrap())
        };
        assert_eq!(on(1, 3), on(4, 3));
        assert_ne!(on(1, 3), on(1, 4));
    }

    #[test]
    fn a_score_that_is_mostly_undefined_gets_no_interval() {
        let rare = |weights: &[f64]| vec![(weights[0] > 2.0).then_some(1.0), Some(0.5)];
        let all = Bootstrap::default().intervals(30, None, rare).unwrap();
        assert_eq!(all, [None, Some((0.5, 0.5))]);
        let none = Bootstrap {
            resamples: 0,
            ..Bootstrap::default()
        };
        assert_eq!(none.intervals(30, None, rare).unwrap(), [None, None]);
    }

    /// Of five independent numbers at 95 %, the intervals together hold if each reaches 2.57 standard errors (0.95^(1/5) = 0.98979).
    #[test]
    fn a_band_over_independent_numbers_is_as_wide_as_theory_says() {
        // Box and Muller's transform.
        let normal = |rng: &mut ChaCha8Rng| {
            let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
            radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<Vec<f64>> = (0..5)
            .map(|number| {
                (0..20_000)
                    .map(|_| 3.0 + f64::from(number) * normal(&mut rng))
                    .collect()
            })
            .collect();
        let draws: Vec<&[f64]> = draws.iter().map(Vec::as_slice).collect();
        let band = Bootstrap::default()
            .simultaneous(&[3.0; 5], &draws)
            .unwrap();
        // One of the five does not vary, so that four remain: 0.95^(1/4) gives 2.49.
        assert!((band.critical - 2.49).abs() < 0.04, "{}", band.critical);
        assert_eq!(band.intervals[0], (3.0, 3.0));
        let (low, high) = band.intervals[2];
        assert!((high - low - 2.0 * 2.49 * 2.0).abs() < 0.4);
        assert_eq!(Bootstrap::default().simultaneous(&[], &[]), None);
    }

    #[test]
    fn numbers_that_move_together_need_no_wider_band() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let one: Vec<f64> = (0..5000).map(|_| rng.random::<f64>()).collect();
        let alone = Bootstrap::default().simultaneous(&[0.5], &[&one]).unwrap();
        let three = Bootstrap::default().simultaneous(&[0.5; 3], &[&one, &one, &one]);
        assert_eq!(three.unwrap().critical, alone.critical);
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy.quantile([1, 2, 4, 8], [0.025, 0.5, 0.975])
        let q = |q| quantile(&[1.0, 2.0, 4.0, 8.0], q);
        assert!(
            (q(0.025) - 1.075).abs() < 1e-12 && q(0.5) == 3.0 && (q(0.975) - 7.7).abs() < 1e-12
        );
    }
}
