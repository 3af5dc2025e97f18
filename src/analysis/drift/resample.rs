//! The bootstrap over texts, for many numbers at once.
//!
//! One draw of texts serves all columns: it is a product of how often each text was drawn with the texts' sums. So columns of one resample
//! belong together, which is what a simultaneous band over layers needs.

use crate::analysis::inference::quantile;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Resamples that are drawn together.
const TOGETHER: usize = 32;

/// Means of columns over rows, and over resamples of the texts that rows belong to. A missing number counts in no mean.
pub(super) struct Resampled {
    cols: usize,
    /// The mean of each column; not a number where all is missing.
    pub(super) mean: Vec<f64>,
    /// Of each resample the means, one after another.
    draws: Vec<f64>,
    /// Of how many texts the rows are.
    pub(super) texts: usize,
}

impl Resampled {
    /// `values` has `cols` numbers a row, NaN for a missing one, and `texts` says which text a row is of.
    pub(super) fn new(
        values: &[f64],
        cols: usize,
        texts: &[usize],
        resamples: usize,
        seed: u64,
    ) -> Self {
        let (sums, counts, units) = of_units(values, cols, texts);
        let ones = vec![1.0; units];
        let mean = means(&ones, 1, &sums, &counts, units, cols);
        // A single text has no spread to draw from.
        let resamples = if units < 2 { 0 } else { resamples };
        let chunks: Vec<Vec<f64>> = (0..resamples.div_ceil(TOGETHER))
            .into_par_iter()
            .map(|chunk| {
                let first = chunk * TOGETHER;
                let count = TOGETHER.min(resamples - first);
                let mut weights = vec![0.0; count * units];
                for (i, weights) in weights.chunks_exact_mut(units).enumerate() {
                    // A stream of its own for each resample: the draws do not depend on who makes them.
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    rng.set_stream((first + i) as u64);
                    (0..units).for_each(|_| weights[rng.random_range(0..units)] += 1.0);
                }
                means(&weights, count, &sums, &counts, units, cols)
            })
            .collect();
        Self {
            cols,
            mean,
            draws: chunks.concat(),
            texts: units,
        }
    }

    /// The resampled means of a column, without those that are not defined.
    pub(super) fn draws(&self, col: usize) -> Vec<f64> {
        let of_col = self.draws.iter().skip(col).step_by(self.cols.max(1));
        of_col.copied().collect()
    }

    /// The middle `level` of a column's resampled means.
    pub(super) fn interval(&self, col: usize, level: f64) -> Option<(f64, f64)> {
        percentiles(self.draws(col), level)
    }

    /// Intervals of several columns that hold together at `level`: each mean ± c standard errors, c the quantile of the largest of
    /// |resampled − mean| / standard error over the columns (max-T; Westfall & Young 1993). A column without spread keeps its value.
    pub(super) fn band(&self, columns: &[usize], level: f64) -> Vec<Option<(f64, f64)>> {
        let resamples = self.draws.len() / self.cols.max(1);
        let errors: Vec<f64> = columns
            .iter()
            .map(|col| deviation(&self.draws(*col)))
            .collect();
        let usable = |i: usize| errors[i] > 0.0 && self.mean[columns[i]].is_finite();
        let mut largest: Vec<f64> = (0..resamples)
            .map(|r| {
                let row = &self.draws[r * self.cols..(r + 1) * self.cols];
                let each = (0..columns.len()).filter(|i| usable(*i));
                let away =
                    each.map(|i| (row[columns[i]] - self.mean[columns[i]]).abs() / errors[i]);
                away.filter(|t| t.is_finite()).fold(0.0, f64::max)
            })
            .collect();
        if largest.is_empty() {
            return vec![None; columns.len()];
        }
        largest.sort_by(f64::total_cmp);
        let c = quantile(&largest, level);
        let each = columns.iter().zip(&errors);
        each.map(|(col, error)| {
            let mean = self.mean[*col];
            (mean.is_finite() && error.is_finite()).then(|| (mean - c * error, mean + c * error))
        })
        .collect()
    }
}

/// The middle `level` of some draws; `None` if half of them are not defined.
pub(super) fn percentiles(draws: Vec<f64>, level: f64) -> Option<(f64, f64)> {
    let all = draws.len();
    let mut draws: Vec<f64> = draws.into_iter().filter(|v| v.is_finite()).collect();
    if draws.is_empty() || 2 * draws.len() < all {
        return None;
    }
    draws.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Some((quantile(&draws, tail), quantile(&draws, 1.0 - tail)))
}

fn deviation(draws: &[f64]) -> f64 {
    let defined: Vec<f64> = draws.iter().copied().filter(|v| v.is_finite()).collect();
    let n = defined.len() as f64;
    let mean = defined.iter().sum::<f64>() / n;
    let variance = defined.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    variance.sqrt()
}

/// Sums and counts of each text's rows.
fn of_units(values: &[f64], cols: usize, texts: &[usize]) -> (Vec<f64>, Vec<f64>, usize) {
    let mut numbers = BTreeMap::new();
    for text in texts {
        let next = numbers.len();
        numbers.entry(*text).or_insert(next);
    }
    let units = numbers.len();
    let (mut sums, mut counts) = (vec![0.0; units * cols], vec![0.0; units * cols]);
    for (row, text) in values.chunks_exact(cols.max(1)).zip(texts) {
        let start = numbers[text] * cols;
        for (col, value) in row.iter().enumerate().filter(|(_, v)| v.is_finite()) {
            sums[start + col] += value;
            counts[start + col] += 1.0;
        }
    }
    (sums, counts, units)
}

/// Weighted means: `[draws, units] · [units, cols]`, sums over counts.
fn means(
    weights: &[f64],
    draws: usize,
    sums: &[f64],
    counts: &[f64],
    units: usize,
    cols: usize,
) -> Vec<f64> {
    let product = |of: &[f64]| {
        let mut out = vec![0.0; draws * cols];
        matmul(
            MatMut::from_row_major_slice_mut(&mut out, draws, cols),
            Accum::Replace,
            MatRef::from_row_major_slice(weights, draws, units),
            MatRef::from_row_major_slice(of, units, cols),
            1.0,
            Par::Seq,
        );
        out
    };
    let (sums, counts) = (product(sums), product(counts));
    sums.iter().zip(&counts).map(|(s, n)| s / n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_numbers_count_in_no_mean_and_rows_of_a_text_stay_together() {
        let values = [1.0, f64::NAN, 3.0, 10.0, 5.0, 20.0, 7.0, f64::NAN];
        let found = Resampled::new(&values, 2, &[4, 4, 9, 9], 500, 1);
        assert_eq!(found.mean, [4.0, 15.0]);
        // Whole texts are drawn: the mean is 2, 4 or 6.
        let mut seen = found.draws(0);
        seen.sort_by(f64::total_cmp);
        seen.dedup();
        assert_eq!(seen, [2.0, 4.0, 6.0]);
        let one = Resampled::new(&values[..4], 2, &[1, 1], 500, 1);
        assert_eq!(one.interval(0, 0.95), None);
    }

    #[test]
    fn a_band_is_wider_than_each_interval_and_as_wide_for_one_column() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let values: Vec<f64> = (0..200 * 6).map(|_| rng.random_range(-1.0..1.0)).collect();
        let texts: Vec<usize> = (0..200).collect();
        let found = Resampled::new(&values, 6, &texts, 2000, 3);
        let band = found.band(&[0, 1, 2, 3, 4, 5], 0.95);
        let alone = found.band(&[0], 0.95);
        let width = |i: Option<(f64, f64)>| i.map(|(l, h)| h - l).unwrap();
        let interval = width(found.interval(0, 0.95));
        assert!(width(band[0]) > 1.2 * interval);
        assert!((width(alone[0]) / interval - 1.0).abs() < 0.1);
        // Bonferroni is wider still: 2.64 standard errors for six independent columns, against 1.96.
        assert!(width(band[0]) < 1.45 * interval);
    }
}
