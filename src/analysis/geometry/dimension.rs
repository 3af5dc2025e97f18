//! Intrinsic dimension from the two nearest neighbours of each row.

use crate::analysis::inference::{Bootstrap, Estimate};
use crate::analysis::neighbors::{Correction, Metric, Rows, Space, neighbor_graph};
use crate::error::{Error, Result};

/// Rows whose ratio of distances is among the largest tenth are left out, as in the paper: there the law fails first.
const KEPT: f64 = 0.9;

/// The dimension of the manifold that rows lie on, by two-NN (Facco et al. 2017): with `μ = r₂ / r₁` the ratio of the distances of a row to
/// its two nearest, the slope through the origin of `-ln(1 - F(μ))` over `ln μ`, of the nine tenths with the smallest `μ`. Copies of a
/// row are left out. The interval is a percentile bootstrap over rows whose neighbours are held fixed.
///
/// # Errors
/// [`Error::BadParameter`] for fewer than ten different rows.
pub fn two_nn(rows: &Rows, seed: u64) -> Result<Estimate> {
    let space = Space::new(rows, Metric::Euclid, Correction::None, seed)?;
    if space.rows() < 10 {
        return Err(Error::BadParameter {
            name: "rows",
            value: space.rows().to_string(),
            problem: "an intrinsic dimension needs ten different rows".to_owned(),
        });
    }
    let graph = neighbor_graph(&space, 2)?;
    let mut logs: Vec<f64> = graph
        .iter()
        .filter(|near| near[0].score > 0.0)
        .map(|near| (near[1].score / near[0].score).ln())
        .collect();
    logs.sort_by(f64::total_cmp);
    let value = slope(&logs, &vec![1.0; logs.len()]).unwrap_or(f64::NAN);
    let bootstrap = Bootstrap {
        resamples: 200,
        seed,
        ..Bootstrap::default()
    };
    let interval = bootstrap.intervals(logs.len(), None, |weights| vec![slope(&logs, weights)])?;
    Ok(Estimate::new(value, interval.into_iter().next().flatten()))
}

/// The slope through the origin, over sorted `ln μ`, each of which counts `weights` times.
fn slope(logs: &[f64], weights: &[f64]) -> Option<f64> {
    let total: f64 = weights.iter().sum();
    let (mut below, mut xy, mut xx) = (0.0, 0.0, 0.0);
    for (log, weight) in logs.iter().zip(weights) {
        below += weight;
        if below > KEPT * total {
            break;
        }
        xy += weight * log * -(1.0 - below / total).ln();
        xx += weight * log * log;
    }
    (xx > 0.0).then(|| xy / xx)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_sheet_in_many_dimensions_has_two() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut data = Vec::new();
        for _ in 0..3000 {
            let (a, b): (f32, f32) = (rng.random(), rng.random());
            data.extend([a, b, a + b, a - b, 3.0 * a, 0.5 * b]);
        }
        let rows = Rows::new(6, data).unwrap();
        let found = two_nn(&rows, 0).unwrap();
        assert!((found.value - 2.0).abs() < 0.15, "{found:?}");
        assert!(found.low.unwrap() < found.value && found.value < found.high.unwrap());
    }

    #[test]
    fn copies_do_not_count_and_few_rows_are_refused() {
        let rows = Rows::new(1, vec![1.0; 100]).unwrap();
        assert!(two_nn(&rows, 0).is_err());
    }
}
