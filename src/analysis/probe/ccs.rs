//! Contrast-consistent search: a direction along which a statement and its contrary get opposite answers, found without labels.

use super::adam::Adam;
use super::direct::{Fitting, Linear};
use super::scores::sigmoid;
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Random starts; the one with the lowest loss counts, and the others show how far that is luck.
pub(super) const STARTS: usize = 10;
const STEPS: usize = 400;
const RATE: f64 = 0.02;

/// What was found, before any label is looked at.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// A direction and an intercept a start, those of the lowest loss first.
    pub(super) starts: Vec<(Vec<f64>, f64)>,
    /// The middle between the means of the two sides, and half of what leads from it to the mean of the second.
    middle: Vec<f64>,
    half: Vec<f64>,
}

/// Minimises `(p(x⁺) + p(x⁻) − 1)² + min(p(x⁺), p(x⁻))²` over pairs, `p = σ(θᵀx̃ + b)`, where `x̃` has the mean of its side taken away, so that
/// what tells the sides apart (a negation, "yes" and "no") is no answer (Burns et al. 2023, "Discovering Latent Knowledge", section 2.2).
/// `λ/2 ‖θ‖²` is added, as their weight decay does.
///
/// # Errors
/// [`Error::BadLabel`] without pairs.
pub(super) fn search(on: &Fitting<'_>) -> Result<Found> {
    on.refuse_many_classes("ccs")?;
    let pairs = on.sided_pairs()?;
    if pairs.len() < 2 {
        return Err(Error::BadLabel {
            column: on.column.to_owned(),
            problem: "a CCS probe needs pairs of training rows: a statement and its contrary with the same value in --pair-column".to_owned(),
        });
    }
    let side = |first: bool| {
        on.z.select(
            &pairs
                .iter()
                .map(|p| if first { p.0 } else { p.1 })
                .collect::<Vec<usize>>(),
        )
    };
    let (mut a, mut b) = (side(true), side(false));
    let (mean_a, mean_b) = (a.column_means(), b.column_means());
    for (matrix, mean) in [(&mut a, &mean_a), (&mut b, &mean_b)] {
        for row in 0..matrix.rows() {
            matrix
                .row_mut(row)
                .iter_mut()
                .zip(mean)
                .for_each(|(v, m)| *v -= m);
        }
    }
    let ends = descend(&a, &b, on)?;
    let halves = |sign: f64| {
        mean_a
            .iter()
            .zip(&mean_b)
            .map(|(a, b)| 0.5 * (a + sign * b))
            .collect()
    };
    Ok(Found {
        starts: ends,
        middle: halves(1.0),
        half: halves(-1.0).iter().map(|v: &f64| -v).collect(),
    })
}

/// All starts side by side: one product with the rows serves them all.
fn descend(a: &Matrix, b: &Matrix, on: &Fitting<'_>) -> Result<Vec<(Vec<f64>, f64)>> {
    let d = a.cols();
    let mut rng = ChaCha8Rng::seed_from_u64(on.seed);
    rng.set_stream(2);
    // The weights of start k are a column; the intercepts come last.
    let spread = (3.0 / d as f64).sqrt();
    let mut point: Vec<f64> = (0..d * STARTS)
        .map(|_| rng.random_range(-spread..spread))
        .collect();
    point.resize((d + 1) * STARTS, 0.0);
    let mut adam = Adam::new(point.len(), RATE);
    for step in 0..STEPS {
        let (gradient, _) = slope(a, b, &point, on.lambda)?;
        adam.step(&mut point, &gradient, 1.0 - step as f64 / STEPS as f64);
    }
    let (_, losses) = slope(a, b, &point, on.lambda)?;
    let mut order: Vec<usize> = (0..STARTS).collect();
    order.sort_by(|x, y| losses[*x].total_cmp(&losses[*y]));
    let end = |k: usize| {
        (
            (0..d).map(|j| point[j * STARTS + k]).collect(),
            point[d * STARTS + k],
        )
    };
    Ok(order.into_iter().map(end).collect())
}

/// The gradient of the summed losses, and the loss of each start.
fn slope(a: &Matrix, b: &Matrix, point: &[f64], lambda: f64) -> Result<(Vec<f64>, Vec<f64>)> {
    let (n, d) = (a.rows(), a.cols());
    let weights = Matrix::new(d, STARTS, point[..d * STARTS].to_vec())?;
    let (mut da, mut db) = (a.times(&weights)?, b.times(&weights)?);
    let mut losses = vec![0.0; STARTS];
    let mut intercepts = vec![0.0; STARTS];
    for row in 0..n {
        let pairs = da.row_mut(row).iter_mut().zip(db.row_mut(row));
        for (k, (a, b)) in pairs.enumerate() {
            let bias = point[d * STARTS + k];
            let (p, q) = (sigmoid(*a + bias), sigmoid(*b + bias));
            let (gap, least) = (p + q - 1.0, p.min(q));
            losses[k] += (gap * gap + least * least) / n as f64;
            let slope = |own: f64, is_least: bool| {
                let outer = 2.0 * gap + if is_least { 2.0 * least } else { 0.0 };
                outer * own * (1.0 - own) / n as f64
            };
            (*a, *b) = (slope(p, p <= q), slope(q, q < p));
            intercepts[k] += *a + *b;
        }
    }
    let mut gradient = a.transposed_times(&da)?;
    gradient.add(&b.transposed_times(&db)?);
    let mut gradient = gradient.as_slice().to_vec();
    for (at, (g, w)) in gradient.iter_mut().zip(point).enumerate() {
        *g += lambda * w;
        losses[at % STARTS] += 0.5 * lambda * w * w;
    }
    gradient.extend(intercepts);
    Ok((gradient, losses))
}

impl Found {
    /// The probe of a start, turned so that most training rows have the answer that their label says; labels have no other part in it.
    pub(super) fn oriented(&self, start: usize, on: &Fitting<'_>, labels: &[usize]) -> Linear {
        let (theta, bias) = &self.starts[start];
        let along = |v: &[f64]| v.iter().zip(theta).map(|(v, w)| v * w).sum::<f64>();
        let shift = along(&self.half);
        let mut linear = Linear {
            weights: Matrix::from_fn(theta.len(), 1, |j, _| theta[j]),
            bias: vec![bias - along(&self.middle)],
        };
        let right = (0..on.z.rows()).filter(|row| {
            let side = on.sides.map_or(0.0, |s| s[*row]);
            let score = along(on.z.row(*row)) + linear.bias[0] - side * shift;
            (score > 0.0) == (labels[*row] == 1)
        });
        if 2 * right.count() < on.z.rows() {
            linear.weights = Matrix::from_fn(theta.len(), 1, |j, _| -theta[j]);
            linear.bias[0] = -linear.bias[0];
        }
        linear
    }

    /// What a probe's score is off by for a row of the second side (and by as much less for one of the first), since sides have means of their
    /// own.
    pub(super) fn side_shift(&self, linear: &Linear) -> f64 {
        let pairs = self.half.iter().enumerate();
        pairs.map(|(j, v)| v * linear.weights.at(j, 0)).sum()
    }
}
