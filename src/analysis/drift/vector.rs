//! Distances between two vectors that may be nearly equal.

use crate::analysis::neighbors::Rows;

/// 1 − cosine, from the difference of the unit vectors: exactly 0 for equal vectors, and right to the last digits for nearly equal ones,
/// where 1 − cosine itself would be rounding. Not a number if one of them is zero.
pub(super) fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |v: &[f32]| dot(v, v).sqrt();
    let (na, nb) = (norm(a), norm(b));
    if na == 0.0 || nb == 0.0 {
        return f64::NAN;
    }
    let (na, nb) = (1.0 / na, 1.0 / nb);
    sum(a, b, |a, b| (a * na - b * nb).powi(2)) / 2.0
}

/// The length of `b − a`.
pub(super) fn euclidean_distance(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| (a - b).powi(2)).sqrt()
}

/// The angle, in degrees, of vectors of this cosine distance.
pub(super) fn degrees(cosine_distance: f64) -> f64 {
    // The chord of two unit vectors is √(2 · distance).
    let half = (cosine_distance / 2.0).sqrt().min(1.0);
    (2.0 * half.asin()).to_degrees()
}

/// The dot product.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| a * b)
}

/// The rows, each of length one.
pub(super) fn unit(rows: &Rows) -> Vec<f32> {
    let mut unit = Vec::with_capacity(rows.as_slice().len());
    for r in 0..rows.rows() {
        let norm = dot(rows.row(r), rows.row(r)).sqrt();
        // A zero vector has no direction, and is near to nobody.
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        unit.extend(rows.row(r).iter().map(|v| (f64::from(*v) * scale) as f32));
    }
    unit
}

/// Eight sums side by side, because one would wait for each addition; the order is fixed.
fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0f64; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = left.remainder().iter().zip(right.remainder());
    let rest: f64 = rest.map(|(a, b)| term(f64::from(*a), f64::from(*b))).sum();
    for (a, b) in left.zip(right) {
        for lane in 0..LANES {
            sums[lane] += term(f64::from(a[lane]), f64::from(b[lane]));
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_distances_are_not_rounding() {
        let a: Vec<f32> = (0..100).map(|i| 1.0 + i as f32).collect();
        assert_eq!(cosine_distance(&a, &a), 0.0);
        let twice: Vec<f32> = a.iter().map(|v| 2.0 * v).collect();
        assert!(cosine_distance(&a, &twice) < 1e-28);
        let mut near = a.clone();
        near[0] += 1e-3;
        // |δ⊥|² / (2|a|²), δ = 1e-3 on the first axis, to the digits of an f32.
        let square: f64 = a.iter().map(|v| f64::from(*v).powi(2)).sum();
        let delta = f64::from(near[0]) - 1.0;
        let expected = delta * delta * (1.0 - 1.0 / square) / (2.0 * square);
        let found = cosine_distance(&a, &near);
        assert!((found / expected - 1.0).abs() < 1e-3, "{found} {expected}");
        assert!(cosine_distance(&[0.0; 3], &[1.0; 3]).is_nan());
        assert!((degrees(cosine_distance(&[1.0, 0.0], &[0.0, 2.0])) - 90.0).abs() < 1e-12);
        assert!((degrees(cosine_distance(&[1.0, 0.0], &[-1.0, 0.0])) - 180.0).abs() < 1e-12);
        assert_eq!(euclidean_distance(&[3.0, 0.0], &[0.0, 4.0]), 5.0);
    }
}
