//! Sums of products of centred features, in `f32` products and `f64` sums.

use crate::analysis::neighbors::Rows;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};
use rayon::prelude::*;

/// Rows in a product: a sum of this many products in `f32` is off by less than a millionth; sums over tasks are `f64`.
pub(super) const TASK: usize = 1024;
/// Sums that are held at once, at most.
const SUMS: usize = 16;
/// Columns of the lower triangle that are one product.
const PANEL: usize = 96;

/// The lower triangle of `Σ (x - mean)(x - mean)ᵀ`, `[features, features]`; what stands above it means nothing.
///
/// The cut into tasks depends on the shape alone, and their sums are added in order: the same bits on any number of threads.
pub(crate) fn covariance_lower(rows: &Rows, mean: &[f64]) -> Mat<f64> {
    let d = rows.cols();
    let offset: Vec<f32> = mean.iter().map(|m| *m as f32).collect();
    let together = rows.rows().div_ceil(TASK).div_ceil(SUMS);
    let sums: Vec<Mat<f64>> = rows
        .as_slice()
        .par_chunks((TASK * d * together).max(1))
        .map(|group| sum_of(group, &offset))
        .collect();
    let mut lower = Mat::<f64>::zeros(d, d);
    for sum in &sums {
        add_lower(&mut lower, sum, |v| v);
    }
    // The mean was rounded before it was taken off; what that left is known.
    let n = rows.rows() as f64;
    let left = mean.iter().zip(&offset).map(|(m, o)| m - f64::from(*o));
    let left: Vec<f64> = left.collect();
    for col in 0..d {
        let column = lower.col_as_slice_mut(col);
        for row in col..d {
            column[row] -= n * left[row] * left[col];
        }
    }
    lower
}

fn sum_of(group: &[f32], offset: &[f32]) -> Mat<f64> {
    let d = offset.len();
    let mut sum = Mat::<f64>::zeros(d, d);
    let mut product = Mat::<f32>::zeros(d, d);
    let mut centred = Vec::with_capacity(TASK * d);
    for part in group.chunks(TASK * d) {
        centred.clear();
        for row in part.chunks_exact(d) {
            centred.extend(row.iter().zip(offset).map(|(v, o)| v - o));
        }
        let x = MatRef::from_row_major_slice(&centred, part.len() / d, d);
        for first in (0..d).step_by(PANEL) {
            let width = PANEL.min(d - first);
            let out = product
                .as_mut()
                .submatrix_mut(first, first, d - first, width);
            let left = x.subcols(first, d - first).transpose();
            let right = x.subcols(first, width);
            matmul(out, Accum::Replace, left, right, 1.0, Par::Seq);
        }
        add_lower(&mut sum, &product, f64::from);
    }
    sum
}

fn add_lower<T: Copy>(sum: &mut Mat<f64>, part: &Mat<T>, wide: impl Fn(T) -> f64) {
    for col in 0..sum.ncols() {
        let below = part.col_as_slice(col)[col..].iter();
        let into = sum.col_as_slice_mut(col)[col..].iter_mut();
        into.zip(below).for_each(|(s, p)| *s += wide(*p));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn it_is_the_sum_of_products(n in 1usize..2500, d in 1usize..130, far in -1000f32..1000.0) {
            let data: Vec<f32> = (0..n * d).map(|i| far + ((i * 7919 % 1009) as f32) / 1009.0).collect();
            let rows = Rows::new(d, data).unwrap();
            let mean = rows.means();
            let lower = covariance_lower(&rows, &mean);
            for (row, col) in [(0, 0), (d - 1, 0), (d - 1, d - 1), (d / 2, d / 3)] {
                let products = (0..n).map(|i| {
                    let x = rows.row(i);
                    (f64::from(x[row]) - mean[row]) * (f64::from(x[col]) - mean[col])
                });
                let expected: f64 = products.sum();
                prop_assert!((lower[(row, col)] - expected).abs() < 1e-5 * n as f64, "{row} {col}");
            }
        }
    }
}
