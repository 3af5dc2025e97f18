//! How long rows are, how far they point the same way, and which dimensions make them.

use crate::analysis::matrix::Matrix;
use crate::analysis::neighbors::Rows;
use crate::analysis::reduce::covariance_lower;
use crate::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// The Euclidean norms of rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Norms {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n in the denominator).
    pub sd: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

impl Norms {
    /// Of these rows; there must be one.
    pub(super) fn of(rows: &Rows) -> Self {
        let mut norms: Vec<f64> = (0..rows.rows()).map(|r| norm(rows.row(r))).collect();
        norms.sort_by(f64::total_cmp);
        let n = norms.len().max(1) as f64;
        let mean = norms.iter().sum::<f64>() / n;
        let variance = norms.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        Self {
            mean,
            sd: variance.sqrt(),
            median: median(&norms),
            max: norms.last().copied().unwrap_or(0.0),
        }
    }
}

/// Of sorted numbers: the middle one, or the mean of the two middle ones.
pub(super) fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

pub(super) fn norm(row: &[f32]) -> f64 {
    row.iter()
        .map(|v| f64::from(*v) * f64::from(*v))
        .sum::<f64>()
        .sqrt()
}

/// Cosines of random pairs of different rows: 0 on average where no direction is preferred (Ethayarajh 2019).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CosineSpread {
    /// Pairs that were drawn.
    pub pairs: usize,
    /// Their mean cosine.
    pub mean: f64,
    /// The lower end of its 95 % interval (normal, over pairs).
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The dimensions that contribute most to the mean.
    pub dominant: Vec<DominantDimension>,
}

/// What one dimension contributes to the mean cosine of random pairs (Timkey & van Schijndel 2021): the mean of `u_i v_i / (‖u‖ ‖v‖)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DominantDimension {
    /// The dimension, from 0.
    pub dimension: usize,
    /// Its part of the mean cosine.
    pub contribution: f64,
    /// That part as a share of the mean cosine.
    pub share: f64,
}

/// Dimensions that are named.
const NAMED: usize = 5;

impl CosineSpread {
    /// Of pairs of these rows that have a direction; `None` if two such rows are not there.
    pub(super) fn of(rows: &Rows, pairs: usize, seed: u64) -> Option<Self> {
        let norms: Vec<f64> = (0..rows.rows()).map(|r| norm(rows.row(r))).collect();
        let directed: Vec<usize> = (0..norms.len()).filter(|r| norms[*r] > 0.0).collect();
        let n = directed.len();
        if n < 2 || pairs == 0 {
            return None;
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut by_dimension = vec![0.0f64; rows.cols()];
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..pairs {
            let a = rng.random_range(0..n);
            let b = rng.random_range(0..n - 1);
            let (a, b) = (directed[a], directed[b + usize::from(b >= a)]);
            let scale = 1.0 / (norms[a] * norms[b]);
            let mut cosine = 0.0;
            let products = rows.row(a).iter().zip(rows.row(b));
            for (total, (u, v)) in by_dimension.iter_mut().zip(products) {
                let part = f64::from(*u) * f64::from(*v) * scale;
                *total += part;
                cosine += part;
            }
            sum += cosine;
            squares += cosine * cosine;
        }
        let count = pairs as f64;
        let mean = sum / count;
        let sd = (squares / count - mean * mean).max(0.0).sqrt();
        let half = 1.96 * sd / count.sqrt();
        Some(Self {
            pairs,
            mean,
            low: mean - half,
            high: mean + half,
            dominant: dominant(by_dimension, count, mean),
        })
    }
}

fn dominant(sums: Vec<f64>, count: f64, mean: f64) -> Vec<DominantDimension> {
    let mut all: Vec<DominantDimension> = sums
        .into_iter()
        .enumerate()
        .map(|(dimension, sum)| DominantDimension {
            dimension,
            contribution: sum / count,
            share: sum / count / mean,
        })
        .collect();
    all.sort_by(|a, b| {
        let by_size = b.contribution.abs().total_cmp(&a.contribution.abs());
        by_size.then(a.dimension.cmp(&b.dimension))
    });
    all.truncate(NAMED);
    all
}

/// A row that holds an activation far larger than others of its layer (Sun et al. 2024).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Massive {
    /// The row, from 0.
    pub row: usize,
    /// The dimension of its largest activation.
    pub dimension: usize,
    /// That activation.
    pub value: f32,
    /// Its size over the median size of all activations of the layer.
    pub ratio: f64,
}

impl Massive {
    /// The rows whose largest activation is at least `least` times as large as the median, the largest first, at most `most` of them; and how
    /// many there are.
    pub(super) fn of(rows: &Rows, least: f64, most: usize) -> (Vec<Self>, usize) {
        let mut sizes: Vec<f32> = rows.as_slice().iter().map(|v| v.abs()).collect();
        if sizes.is_empty() {
            return (Vec::new(), 0);
        }
        let middle = sizes.len() / 2;
        let (_, median, _) = sizes.select_nth_unstable_by(middle, f32::total_cmp);
        let median = f64::from(*median);
        let mut found: Vec<Self> = (0..rows.rows())
            .filter_map(|row| {
                let largest = rows.row(row).iter().enumerate();
                let (dimension, value) =
                    largest.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()).then(b.0.cmp(&a.0)))?;
                let ratio = f64::from(value.abs()) / median;
                (median > 0.0 && ratio >= least).then_some(Self {
                    row,
                    dimension,
                    value: *value,
                    ratio,
                })
            })
            .collect();
        found.sort_by(|a, b| b.ratio.total_cmp(&a.ratio).then(a.row.cmp(&b.row)));
        let count = found.len();
        found.truncate(most);
        (found, count)
    }
}

/// `(Σ λ)² / Σ λ²` of the eigenvalues of the covariance: how many dimensions the variance is spread over, from 1 to the width.
///
/// # Errors
/// [`Error::BadParameter`] for fewer than two rows and for rows that are all equal.
pub fn participation_ratio(rows: &Rows) -> Result<f64> {
    let (n, d) = (rows.rows(), rows.cols());
    let mean = rows.means();
    // The same number from the products of features and, where those are more, of rows.
    let (trace, squares) = if n < d {
        let centred = Matrix::from_fn(n, d, |i, j| f64::from(rows.row(i)[j]) - mean[j]);
        let gram = centred.row_gram();
        let trace: f64 = (0..n).map(|i| gram.at(i, i)).sum();
        (trace, gram.as_slice().iter().map(|v| v * v).sum::<f64>())
    } else {
        let lower = covariance_lower(rows, &mean);
        let mut squares = 0.0;
        for col in 0..d {
            let below: f64 = (col + 1..d).map(|row| lower[(row, col)].powi(2)).sum();
            squares += lower[(col, col)].powi(2) + 2.0 * below;
        }
        ((0..d).map(|i| lower[(i, i)]).sum(), squares)
    };
    let scale: f64 = mean.iter().map(|m| m * m).sum();
    match n >= 2 && squares > 0.0 && trace > 1e-12 * scale * n as f64 {
        true => Ok(trace * trace / squares),
        false => Err(Error::BadParameter {
            name: "rows",
            value: n.to_string(),
            problem: "a participation ratio needs two different rows".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(cols: usize, data: &[f32]) -> Rows {
        Rows::new(cols, data.to_vec()).unwrap()
    }

    #[test]
    fn equal_variances_participate_equally() {
        // ± each axis: the covariance is a multiple of the identity.
        let mut data = Vec::new();
        for axis in 0..4 {
            for sign in [-1.0, 1.0] {
                let mut row = [5.0f32; 4];
                row[axis] += sign;
                data.extend(row);
            }
        }
        assert!((participation_ratio(&rows(4, &data)).unwrap() - 4.0).abs() < 1e-9);
        let line = rows(3, &[1.0, 2.0, 3.0, 2.0, 4.0, 6.0, 3.0, 6.0, 9.0]);
        assert!((participation_ratio(&line).unwrap() - 1.0).abs() < 1e-9);
        assert!(participation_ratio(&rows(2, &[1.0, 2.0, 1.0, 2.0])).is_err());
        // Fewer rows than features.
        let wide = rows(
            5,
            &[
                1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0,
            ],
        );
        assert!((participation_ratio(&wide).unwrap() - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_dimension_that_makes_the_cosine_is_named() {
        // Dimension 1 is large and the same in all; 0 and 2 differ in sign.
        let data = rows(
            3,
            &[
                1.0, 9.0, 1.0, -1.0, 9.0, 1.0, 1.0, 9.0, -1.0, -1.0, 9.0, -1.0,
            ],
        );
        let spread = CosineSpread::of(&data, 5000, 3).unwrap();
        assert_eq!(spread.dominant[0].dimension, 1);
        assert!((spread.dominant[0].contribution - 81.0 / 83.0).abs() < 1e-9);
        assert!(spread.low < spread.mean && spread.mean < spread.high);
        let total: f64 = spread.dominant.iter().map(|d| d.share).sum();
        assert!((total - 1.0).abs() < 1e-9);
        assert!(CosineSpread::of(&rows(2, &[0.0, 0.0, 1.0, 0.0]), 10, 0).is_none());
    }

    #[test]
    fn massive_rows_are_those_far_above_the_median() {
        let mut data = vec![1.0f32; 40];
        data[17] = -500.0;
        let (found, count) = Massive::of(&rows(4, &data), 100.0, 3);
        assert_eq!(count, 1);
        assert_eq!(
            (found[0].row, found[0].dimension, found[0].ratio),
            (4, 1, 500.0)
        );
        let norms = Norms::of(&rows(2, &[3.0, 4.0, 0.0, 1.0]));
        assert_eq!(
            (norms.mean, norms.median, norms.max, norms.sd),
            (3.0, 3.0, 5.0, 2.0)
        );
    }
}
