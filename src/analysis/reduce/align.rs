//! Maps turned onto each other.

use super::Place;

/// What a map is turned by.
struct Turn {
    /// `[[a, b], [c, d]]`, orthogonal.
    by: [[f64; 2]; 2],
    /// The sum of the singular values of the product of the two maps, both centred.
    fit: f64,
}

/// A map, centred, of root mean square radius 1, and, if there is one to turn it onto, turned (and perhaps mirrored) so that its points
/// come as near as they can to their places there: Procrustes without the change of size.
pub fn aligned(map: &[Place], onto: Option<&[Place]>) -> Vec<Place> {
    let (mut own, size) = centred(map);
    let size = (size / own.len().max(1) as f64).sqrt();
    if size > 0.0 {
        own.iter_mut().flatten().for_each(|v| *v /= size);
    }
    let by = match onto {
        Some(onto) => turn(&own, &centred(onto).0).by,
        None => [[1.0, 0.0], [0.0, 1.0]],
    };
    let turned = |p: &[f64; 2]| by.map(|row| (row[0] * p[0] + row[1] * p[1]) as f32);
    own.iter().map(turned).collect()
}

/// The Procrustes disparity of two maps of the same points, as SciPy defines it: the sum of squared differences that is left after one was moved,
/// turned, mirrored and scaled onto the other, in parts of the other's own sum of squares. 0 where they are the same map, 1
/// where they have nothing in common.
pub fn procrustes(a: &[Place], b: &[Place]) -> f64 {
    let ((a, of_a), (b, of_b)) = (centred(a), centred(b));
    if of_a == 0.0 || of_b == 0.0 {
        return 1.0;
    }
    (1.0 - turn(&a, &b).fit.powi(2) / (of_a * of_b)).max(0.0)
}

/// The points less their mean, and the sum of their squares.
fn centred(map: &[Place]) -> (Vec<[f64; 2]>, f64) {
    let n = map.len().max(1) as f64;
    let mean = [0, 1].map(|axis| map.iter().map(|p| f64::from(p[axis])).sum::<f64>() / n);
    let points: Vec<[f64; 2]> = map
        .iter()
        .map(|p| [f64::from(p[0]) - mean[0], f64::from(p[1]) - mean[1]])
        .collect();
    let squares = points.iter().flatten().map(|v| v * v).sum();
    (points, squares)
}

/// The turn, mirrored or not, that brings centred points nearest to others.
fn turn(from: &[[f64; 2]], onto: &[[f64; 2]]) -> Turn {
    let mut m = [[0.0; 2]; 2];
    for (from, onto) in from.iter().zip(onto) {
        for (row, to) in m.iter_mut().zip(onto) {
            row[0] += to * from[0];
            row[1] += to * from[1];
        }
    }
    // The trace of turnᵀ · m is cos · c + sin · s, for a rotation and for a reflection.
    let plain = (m[0][0] + m[1][1], m[1][0] - m[0][1]);
    let mirrored = (m[0][0] - m[1][1], m[1][0] + m[0][1]);
    let length = |(c, s): (f64, f64)| c.hypot(s);
    let mirror = length(mirrored) > length(plain);
    let (c, s) = if mirror { mirrored } else { plain };
    let fit = length((c, s));
    let (cos, sin) = match fit > 0.0 {
        true => (c / fit, s / fit),
        false => (1.0, 0.0),
    };
    let by = match mirror {
        true => [[cos, sin], [sin, -cos]],
        false => [[cos, -sin], [sin, cos]],
    };
    Turn { by, fit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moved(map: &[Place], angle: f32, mirror: bool, scale: f32) -> Vec<Place> {
        let (s, c) = angle.sin_cos();
        map.iter()
            .map(|[x, y]| {
                let y = if mirror { -y } else { *y };
                [scale * (c * x - s * y) + 3.0, scale * (s * x + c * y) - 7.0]
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_moved_map_is_the_same_map(
            points in proptest::collection::vec(proptest::array::uniform2(-5f32..5.0), 4..40),
            angle in -3f32..3.0,
            mirror: bool,
            scale in 0.1f32..10.0,
        ) {
            let other = moved(&points, angle, mirror, scale);
            prop_assert!(procrustes(&points, &other) < 1e-4);
            let base = aligned(&points, None);
            let back = aligned(&other, Some(&base));
            for (a, b) in base.iter().zip(&back) {
                prop_assert!((a[0] - b[0]).abs() < 2e-2 && (a[1] - b[1]).abs() < 2e-2, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn maps_without_anything_in_common_are_far() {
        let square = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
        let crossed = [[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]];
        assert!(procrustes(&square, &crossed) > 0.9);
        assert_eq!(procrustes(&square, &[[2.0, 2.0]; 4]), 1.0);
    }
}
