//! The curve by which distance on the map stands for membership: `1 / (1 + a d^2b)`.

/// The `a` and `b` for which the curve is nearest (least squares at 300 places up to three times the spread) to one that is 1 up to
/// `min_dist` and then falls as `exp(-(d - min_dist) / spread)`.
pub(super) fn fit(min_dist: f64, spread: f64) -> (f64, f64) {
    const PLACES: usize = 300;
    let places: Vec<(f64, f64)> = (1..PLACES)
        .map(|i| {
            let d = 3.0 * spread * i as f64 / (PLACES - 1) as f64;
            let wanted = match d < min_dist {
                true => 1.0,
                false => (-(d - min_dist) / spread).exp(),
            };
            (d, wanted)
        })
        .collect();
    let value = |d: f64, a: f64, b: f64| 1.0 / (1.0 + a * d.powf(2.0 * b));
    let loss = |a: f64, b: f64| -> f64 {
        let errors = places.iter().map(|(d, w)| (value(*d, a, b) - w).powi(2));
        errors.sum()
    };
    // Levenberg and Marquardt's steps in the logarithms of a and b, which keeps both positive.
    let (mut a, mut b, mut damping) = (1.0f64, 1.0f64, 1e-3f64);
    for _ in 0..200 {
        let (mut h, mut g) = ([[0.0f64; 2]; 2], [0.0f64; 2]);
        for (d, wanted) in &places {
            let v = value(*d, a, b);
            let fall = -v * v * a * d.powf(2.0 * b);
            let slope = [fall, fall * 2.0 * b * d.ln()];
            for i in 0..2 {
                g[i] += slope[i] * (v - wanted);
                for j in 0..2 {
                    h[i][j] += slope[i] * slope[j];
                }
            }
        }
        let damped = [h[0][0] * (1.0 + damping), h[1][1] * (1.0 + damping)];
        let determinant = damped[0] * damped[1] - h[0][1] * h[1][0];
        let step = [
            (damped[1] * g[0] - h[0][1] * g[1]) / determinant,
            (damped[0] * g[1] - h[1][0] * g[0]) / determinant,
        ];
        let (new_a, new_b) = (a * (-step[0]).exp(), b * (-step[1]).exp());
        match loss(new_a, new_b) < loss(a, b) {
            true => (a, b, damping) = (new_a, new_b, damping / 3.0),
            false => damping *= 4.0,
        }
        if step[0].abs().max(step[1].abs()) < 1e-12 || damping > 1e12 {
            break;
        }
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `umap.umap_.find_ab_params` of umap-learn 0.5.12.
    #[test]
    fn the_curve_is_umap_learns() {
        for (min_dist, spread, a, b) in [
            (0.1, 1.0, 1.576_943_46, 0.895_060_88),
            (0.0, 1.0, 1.932_808_40, 0.790_494_97),
            (0.3, 2.0, 0.379_494_69, 0.948_815_22),
        ] {
            let found = fit(min_dist, spread);
            assert!(
                (found.0 - a).abs() < 1e-4 && (found.1 - b).abs() < 1e-4,
                "{found:?}"
            );
        }
    }
}
