//! From linear scores to losses and residuals, a block of rows at a time.

use super::real::Real;
use crate::analysis::matrix::BLOCK;
use pulp::{Arch, Simd, WithSimd};

/// Rows that are computed side by side.
const LANES: usize = 16;

/// Two classes: replaces scores, without their intercept, by residuals (probability of class 1 minus indicator). `signs` is 1 for rows of
/// class 0 and -1 for rows of class 1. Gives the sum of losses in nats, and of residuals. At most [`BLOCK`] rows.
pub(super) fn binary<T: Real>(scores: &mut [T], signs: &[T], intercept: T) -> (f64, f64) {
    Arch::new().dispatch(Binary {
        scores,
        signs,
        intercept,
    })
}

/// Two classes: how many rows have their score on the right side.
pub(super) fn binary_right<T: Real>(scores: &[T], signs: &[T], intercept: T) -> f64 {
    let right = |score: T, sign: T| match score + intercept > T::ZERO {
        true => sign < T::ZERO,
        false => sign > T::ZERO,
    };
    let rows = scores.iter().zip(signs);
    rows.filter(|(score, sign)| right(**score, **sign)).count() as f64
}

struct Binary<'a, T> {
    scores: &'a mut [T],
    signs: &'a [T],
    intercept: T,
}

/// Of one row: the linear part of its loss, what the logarithmic part is the logarithm of (at most 2), the residual. The loss is
/// `ln(1 + e^m)` of the margin `m` on the wrong side.
#[inline(always)]
fn row<T: Real>(score: T, sign: T, intercept: T) -> (T, T, T) {
    let margin = sign * (score + intercept);
    let e = margin.decay();
    let (wrong, sum) = (margin > T::ZERO, T::ONE + e);
    let linear = if wrong { margin } else { T::ZERO };
    (linear, sum, sign * ((if wrong { T::ONE } else { e }) / sum))
}

impl<T: Real> WithSimd for Binary<'_, T> {
    type Output = (f64, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f64, f64) {
        let (mut linear, mut sums) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        // At most BLOCK / LANES factors, each at most 2: one logarithm instead of as many.
        let mut product = [T::ONE; LANES];
        let (scores, last_scores) = self.scores.as_chunks_mut::<LANES>();
        let (signs, last_signs) = self.signs.as_chunks::<LANES>();
        for (scores, signs) in scores.iter_mut().zip(signs) {
            for i in 0..LANES {
                let (line, factor, residual) = row(scores[i], signs[i], self.intercept);
                linear[i] += line;
                product[i] = product[i] * factor;
                sums[i] += residual;
                scores[i] = residual;
            }
        }
        for (i, (score, sign)) in last_scores.iter_mut().zip(last_signs).enumerate() {
            let (line, factor, residual) = row(*score, *sign, self.intercept);
            linear[i] += line;
            product[i] = product[i] * factor;
            sums[i] += residual;
            *score = residual;
        }
        let logs: f64 = product.iter().map(|p| p.wide().ln()).sum();
        let lines: f64 = linear.iter().map(|l| l.wide()).sum();
        (lines + logs, sums.iter().map(|s| s.wide()).sum())
    }
}

/// Several classes: replaces scores by residuals (probabilities minus indicators), adds each class's residuals to `sums`, and gives the sum
/// of losses in nats. `scores` has the rows of one class after another's; at most [`BLOCK`] rows.
pub(super) fn softmax<T: Real>(
    scores: &mut [T],
    labels: &[u32],
    intercepts: &[T],
    sums: &mut [f64],
) -> f64 {
    Arch::new().dispatch(Softmax {
        scores,
        labels,
        intercepts,
        sums,
    })
}

/// Several classes: how many rows score highest at their own class.
pub(super) fn softmax_right<T: Real>(scores: &[T], labels: &[u32], intercepts: &[T]) -> f64 {
    let rows = labels.len();
    let at = |class: usize, row: usize| scores[class * rows + row] + intercepts[class];
    let right = |row: &usize| {
        let own = labels[*row] as usize;
        (0..intercepts.len()).all(|class| match class < own {
            true => at(class, *row) < at(own, *row),
            false => at(class, *row) <= at(own, *row),
        })
    };
    (0..rows).filter(right).count() as f64
}

struct Softmax<'a, T> {
    scores: &'a mut [T],
    labels: &'a [u32],
    intercepts: &'a [T],
    sums: &'a mut [f64],
}

impl<T: Real> WithSimd for Softmax<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let rows = self.labels.len();
        let (mut most, mut own, mut sum) = ([T::ZERO; BLOCK], [T::ZERO; BLOCK], [T::ZERO; BLOCK]);
        let (most, own, sum) = (&mut most[..rows], &mut own[..rows], &mut sum[..rows]);
        for (class, (scores, b)) in self
            .scores
            .chunks_exact_mut(rows)
            .zip(self.intercepts)
            .enumerate()
        {
            for (score, most) in scores.iter_mut().zip(most.iter_mut()) {
                *score += *b;
                *most = if class == 0 || *score > *most {
                    *score
                } else {
                    *most
                };
            }
        }
        for (row, label) in self.labels.iter().enumerate() {
            own[row] = self.scores[*label as usize * rows + row] - most[row];
        }
        for scores in self.scores.chunks_exact_mut(rows) {
            for ((score, most), sum) in scores.iter_mut().zip(most.iter()).zip(sum.iter_mut()) {
                *score = (*score - *most).decay();
                *sum += *score;
            }
        }
        let pairs = sum.iter().zip(own.iter());
        let loss = pairs.map(|(sum, own)| sum.wide().ln() - own.wide()).sum();
        for scores in self.scores.chunks_exact_mut(rows) {
            for (score, sum) in scores.iter_mut().zip(sum.iter()) {
                *score = *score / *sum;
            }
        }
        for (row, label) in self.labels.iter().enumerate() {
            let score = &mut self.scores[*label as usize * rows + row];
            *score = *score - T::ONE;
        }
        for (scores, sum) in self.scores.chunks_exact(rows).zip(self.sums) {
            *sum += scores.iter().map(|score| score.wide()).sum::<f64>();
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn two_classes_are_a_softmax_over_two_scores(
            rows in prop::collection::vec((-30f64..30.0, any::<bool>()), 1..BLOCK), b in -2f64..2.0
        ) {
            let labels: Vec<u32> = rows.iter().map(|r| r.1.into()).collect();
            let signs: Vec<f64> = rows.iter().map(|r| if r.1 { -1.0 } else { 1.0 }).collect();
            let scores: Vec<f64> = rows.iter().map(|r| r.0).collect();
            let mut one = scores.clone();
            let mut two: Vec<f64> = scores.iter().map(|_| 0.0).chain(scores.iter().copied()).collect();
            let right = binary_right(&one, &signs, b);
            prop_assert_eq!(right, softmax_right(&two, &labels, &[0.0, b]));
            let mut sums = [0.0; 2];
            let (loss, sum) = binary(&mut one, &signs, b);
            let other = softmax(&mut two, &labels, &[0.0, b], &mut sums);
            prop_assert!((loss - other).abs() < 1e-9 * (1.0 + loss), "{} {}", loss, other);
            prop_assert!((sum - sums[1]).abs() < 1e-9);
            prop_assert!(one.iter().zip(&two[rows.len()..]).all(|(a, b)| (a - b).abs() < 1e-12));
            let mut narrow: Vec<f32> = scores.iter().map(|s| *s as f32).collect();
            let signs: Vec<f32> = signs.iter().map(|s| *s as f32).collect();
            let (rounded, _) = binary(&mut narrow, &signs, b as f32);
            prop_assert!((loss - rounded).abs() < 1e-5 * (1.0 + loss), "{} {}", loss, rounded);
            prop_assert!(one.iter().zip(&narrow).all(|(a, b)| (a - f64::from(*b)).abs() < 2e-6));
        }
    }

    #[test]
    fn huge_scores_neither_overflow_nor_lose_the_loss() {
        let (loss, _) = binary(&mut [1e4f32], &[1.0], 0.0);
        assert_eq!(loss, 1e4);
        let mut scores = [1e4f32, 0.0, -1e4];
        assert_eq!(softmax(&mut scores, &[0], &[0.0; 3], &mut [0.0; 3]), 0.0);
        assert!(scores[0].abs() < 1e-30);
    }
}
