//! Maps turned onto each other.

use super::Place;

/// A map, centred, of root mean square radius 1, and, if there is one to turn it onto, turned (and perhaps mirrored) so that its points
/// come as near as they can to their places there: Procrustes without the change of size.
pub fn aligned(map: &[Place], onto: Option<&[Place]>) -> Vec<Place> {
    let (mut own, size) = centred(map);
    let size = (size / own.len().max(1) as f64).sqrt();
    if size > 0.0 {
        own.iter_mut().flatten().for_each(|v| *v /= size);
    }
    let by = match onto {
        Some(onto) => turn(&own, &centred(onto).0),
        None => [[1.0, 0.0], [0.0, 1.0]],
    };
    let turned = |p: &[f64; 2]| by.map(|row| (row[0] * p[0] + row[1] * p[1]) as f32);
    own.iter().map(turned).collect()
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

/// The turn, mirrored or not, that brings centred points nearest to others: `[[a, b], [c, d]]`, orthogonal.
fn turn(from: &[[f64; 2]], onto: &[[f64; 2]]) -> [[f64; 2]; 2] {
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
    match mirror {
        true => [[cos, sin], [sin, -cos]],
        false => [[cos, -sin], [sin, cos]],
    }
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
            let base = aligned(&points, None);
            let back = aligned(&other, Some(&base));
            for (a, b) in base.iter().zip(&back) {
                prop_assert!((a[0] - b[0]).abs() < 2e-2 && (a[1] - b[1]).abs() < 2e-2, "{a:?} {b:?}");
            }
        }
    }
}
