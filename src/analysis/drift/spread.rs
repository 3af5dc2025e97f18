//! The spread of the originals at one hook point: principal components, a shrunk covariance, corrections for anisotropy.

use crate::analysis::neighbors::{Correction, Rows};
use crate::analysis::reduce::Pca;
use crate::error::Result;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// What pooled originals are like.
pub(super) struct Spread {
    mean: Vec<f64>,
    sd: Vec<f64>,
    /// Unit directions, one after another.
    components: Vec<f32>,
    count: usize,
    /// The shrunk covariance's variance along each, and along whatever they do not span.
    variance: Vec<f64>,
    floor: f64,
    pub(super) shrinkage: f64,
}

/// A difference seen from the originals' spread.
pub(super) struct Seen {
    pub(super) mahalanobis: f64,
    pub(super) principal_share: f64,
}

impl Spread {
    /// Of these rows; `None` where they are too few, or too equal, to have one.
    pub(super) fn of(rows: &Rows) -> Option<Self> {
        let (n, d) = (rows.rows(), rows.cols());
        if n < 3 {
            return None;
        }
        let pca = Pca::fit(rows, d).ok()?;
        let biased = (n - 1) as f64 / n as f64;
        let own: Vec<f64> = pca.variance.iter().map(|v| v * biased).collect();
        let (mut squares, mut fourth) = (vec![0.0; d], 0.0);
        for row in 0..n {
            let mut norm = 0.0;
            for ((sum, v), mean) in squares.iter_mut().zip(rows.row(row)).zip(&pca.mean) {
                let square = (f64::from(*v) - mean).powi(2);
                *sum += square;
                norm += square;
            }
            fourth += norm * norm;
        }
        let trace: f64 = squares.iter().sum::<f64>() / n as f64;
        let (shrinkage, average) = ledoit_wolf(n, d, trace, &own, fourth);
        let sd = |sum: &f64| match (sum / n as f64).sqrt() {
            0.0 => 1.0,
            sd => sd,
        };
        Some(Self {
            sd: squares.iter().map(sd).collect(),
            count: pca.components.rows(),
            components: pca
                .components
                .as_slice()
                .iter()
                .map(|v| *v as f32)
                .collect(),
            variance: own
                .iter()
                .map(|v| (1.0 - shrinkage) * v + shrinkage * average)
                .collect(),
            floor: shrinkage * average,
            shrinkage,
            mean: pca.mean,
        })
    }

    /// Rows after a correction: those of [`crate::analysis::neighbors::Space`], learned from the originals.
    pub(super) fn corrected(&self, rows: &Rows, correction: Correction) -> Result<Rows> {
        let d = rows.cols();
        let mut data = Vec::with_capacity(rows.as_slice().len());
        let top = match correction {
            Correction::Abtt => (d / 100).max(1).min(self.count),
            _ => 0,
        };
        for row in 0..rows.rows() {
            let pairs = rows.row(row).iter().zip(&self.mean);
            let mut wide: Vec<f64> = pairs.map(|(v, m)| f64::from(*v) - m).collect();
            if correction == Correction::Standardize {
                wide.iter_mut().zip(&self.sd).for_each(|(v, s)| *v /= s);
            }
            for direction in self.components.chunks_exact(d).take(top) {
                let pairs = wide.iter().zip(direction);
                let along: f64 = pairs.map(|(v, c)| v * f64::from(*c)).sum();
                let pairs = wide.iter_mut().zip(direction);
                pairs.for_each(|(v, c)| *v -= along * f64::from(*c));
            }
            data.extend(wide.iter().map(|v| *v as f32));
        }
        Rows::new(d, data)
    }

    /// Rows along the first components, `[rows, components]`, from the mean.
    pub(super) fn along(&self, rows: &Rows, components: usize) -> Vec<Vec<f64>> {
        let d = rows.cols();
        let each = |row: usize| -> Vec<f64> {
            let directions = self.components.chunks_exact(d).take(components);
            directions
                .map(|direction| {
                    let of = rows.row(row).iter().zip(&self.mean).zip(direction);
                    of.map(|((v, m), c)| (f64::from(*v) - m) * f64::from(*c))
                        .sum()
                })
                .collect()
        };
        (0..rows.rows()).map(each).collect()
    }

    /// Differences, one a row, against the spread; the first `top` components are the principal ones.
    pub(super) fn see(&self, differences: &[f32], top: usize) -> Vec<Seen> {
        let d = self.mean.len();
        let rows = differences.len() / d;
        let mut along = vec![0.0f32; rows * self.count];
        matmul(
            MatMut::from_row_major_slice_mut(&mut along, rows, self.count),
            Accum::Replace,
            MatRef::from_row_major_slice(differences, rows, d),
            MatRef::from_row_major_slice(&self.components, self.count, d).transpose(),
            1.0,
            Par::Seq,
        );
        let pairs = differences
            .chunks_exact(d)
            .zip(along.chunks_exact(self.count));
        pairs
            .map(|(row, along)| self.seen(row, along, top))
            .collect()
    }

    fn seen(&self, row: &[f32], along: &[f32], top: usize) -> Seen {
        let squares: Vec<f64> = along.iter().map(|v| f64::from(*v).powi(2)).collect();
        let length: f64 = row.iter().map(|v| f64::from(*v).powi(2)).sum();
        let inside: f64 = squares.iter().zip(&self.variance).map(|(s, v)| s / v).sum();
        // Components of all dimensions span everything; what is left is rounding.
        let outside = match self.count == self.mean.len() {
            true => 0.0,
            false => (length - squares.iter().sum::<f64>()).max(0.0) / self.floor,
        };
        Seen {
            mahalanobis: match length {
                0.0 => 0.0,
                _ => (inside + outside).sqrt(),
            },
            principal_share: match length {
                0.0 => f64::NAN,
                _ => squares.iter().take(top).sum::<f64>() / length,
            },
        }
    }
}

/// How much a covariance is to be shrunk towards its mean variance, and that variance (Ledoit & Wolf 2004, as scikit-learn computes it).
/// `variances` are the covariance's eigenvalues (divisor `n`), `fourth` is the sum over rows of the fourth power of their length.
fn ledoit_wolf(n: usize, d: usize, trace: f64, variances: &[f64], fourth: f64) -> (f64, f64) {
    let (n, d) = (n as f64, d as f64);
    let average = trace / d;
    let square: f64 = variances.iter().map(|v| v * v).sum();
    let delta = (square - d * average * average) / d;
    let beta = (fourth / n - square) / (d * n);
    let shrinkage = match delta > 0.0 {
        true => beta.min(delta).max(0.0) / delta,
        false => 1.0,
    };
    (shrinkage, average)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::neighbors::{Metric, Space};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn stretched(n: usize, d: usize) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let data = (0..n * d).map(|i| {
            let stretch = 1.0 / (1.0 + (i % d) as f32);
            2.0 + stretch * rng.random_range(-1.0f32..1.0)
        });
        Rows::new(d, data.collect()).unwrap()
    }

    #[test]
    fn corrections_are_those_of_the_neighbours() {
        let rows = stretched(50, 12);
        let spread = Spread::of(&rows).unwrap();
        for correction in [
            Correction::Center,
            Correction::Standardize,
            Correction::Abtt,
        ] {
            let ours = spread.corrected(&rows, correction).unwrap();
            let space = Space::new(&rows, Metric::Cosine, correction, 0).unwrap();
            let pairs = ours.as_slice().iter().zip(space.vectors().as_slice());
            let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-5, "{correction:?}: {worst}");
        }
    }

    /// The inverse of the shrunk covariance, worked out with elimination, against the components' way; with more rows than features, and fewer.
    #[test]
    fn the_mahalanobis_distance_is_that_of_the_shrunk_covariance() {
        for (n, d) in [(40, 6), (5, 8)] {
            let rows = stretched(n, d);
            let spread = Spread::of(&rows).unwrap();
            let mean = rows.means();
            let mut sigma = vec![vec![0.0f64; d]; d];
            for r in 0..n {
                for (i, line) in sigma.iter_mut().enumerate() {
                    for (j, cell) in line.iter_mut().enumerate() {
                        let v = |k: usize| f64::from(rows.row(r)[k]) - mean[k];
                        *cell += v(i) * v(j) / n as f64;
                    }
                }
            }
            let trace: f64 = (0..d).map(|i| sigma[i][i]).sum();
            for (i, line) in sigma.iter_mut().enumerate() {
                line.iter_mut().for_each(|c| *c *= 1.0 - spread.shrinkage);
                line[i] += spread.shrinkage * trace / d as f64;
            }
            let delta: Vec<f64> = (0..d).map(|i| 0.3 - 0.1 * i as f64).collect();
            let expected = solved(sigma, delta.clone());
            let expected: f64 = expected.iter().zip(&delta).map(|(a, b)| a * b).sum();
            let narrow: Vec<f32> = delta.iter().map(|v| *v as f32).collect();
            let found = spread.see(&narrow, 2)[0].mahalanobis;
            assert!(
                (found / expected.sqrt() - 1.0).abs() < 1e-4,
                "{n} × {d}: {found} {}",
                expected.sqrt()
            );
        }
    }

    fn solved(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Vec<f64> {
        let d = b.len();
        for i in 0..d {
            for k in i + 1..d {
                let factor = a[k][i] / a[i][i];
                let (above, below) = a.split_at_mut(k);
                below[0]
                    .iter_mut()
                    .zip(&above[i])
                    .for_each(|(x, y)| *x -= factor * y);
                b[k] -= factor * b[i];
            }
        }
        for i in (0..d).rev() {
            let known: f64 = (i + 1..d).map(|j| a[i][j] * b[j]).sum();
            b[i] = (b[i] - known) / a[i][i];
        }
        b
    }
}
