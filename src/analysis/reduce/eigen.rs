//! Eigenvalues of symmetric matrices, and the vectors of the largest.

use crate::analysis::eigen::eigen;
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::evd::tridiag::{tridiag_in_place, tridiag_in_place_scratch};
use faer::linalg::evd::{
    ComputeEigenvectors, EvdError, self_adjoint_evd, self_adjoint_evd_scratch,
    tridiagonal_self_adjoint_evd,
};
use faer::linalg::householder::{
    apply_block_householder_sequence_on_the_left_in_place_scratch as turn_back_scratch,
    apply_block_householder_sequence_on_the_left_in_place_with_conj as turn_back,
};
use faer::linalg::qr::no_pivoting::factor::recommended_block_size;
use faer::{Conj, Mat, MatRef, Par};

/// All eigenvalues of a symmetric matrix, in ascending order.
///
/// # Errors
/// [`Error::BadParameter`] if they are not found.
pub(crate) fn symmetric_eigenvalues(matrix: &Matrix) -> Result<Vec<f64>> {
    let n = matrix.rows();
    let mut values = Diag::<f64>::zeros(n);
    let room =
        self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::No, Par::Seq, Default::default());
    let done = self_adjoint_evd(
        matrix.view(),
        values.as_mut(),
        None,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(room)),
        Default::default(),
    );
    done.map_err(|e| not_found(n, e))?;
    Ok((0..n).map(|i| values.column_vector()[i]).collect())
}

fn not_found(n: usize, error: EvdError) -> Error {
    Error::BadParameter {
        name: "components",
        value: format!("{n} × {n}"),
        problem: format!(
            "the eigenvalues were not found ({error:?}); are the vectors of very different sizes?"
        ),
    }
}

/// The `count` largest eigenvalues in descending order, and their vectors, one a column, of a symmetric matrix of which the lower triangle
/// is read.
///
/// For few of many, the matrix is made tridiagonal, its eigenvalues are found, and the vectors of the wanted ones by inverse iteration
/// (Golub & Van Loan 2013, 8.4); their residuals are checked, and if one is too large all vectors are found together. All on one thread:
/// the same bits on any number of them.
///
/// # Errors
/// As [`symmetric_eigenvalues`].
pub(crate) fn largest_eigen(matrix: MatRef<'_, f64>, count: usize) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = matrix.nrows();
    let count = count.min(n);
    if n > 32
        && 3 * count < n
        && let Some(found) = few(matrix, count)
    {
        return Ok(found);
    }
    let (values, vectors) = eigen(matrix, "components")?;
    let largest = (0..count).map(|i| values[n - 1 - i]);
    let largest = largest.collect();
    let vectors = Mat::from_fn(n, count, |row, i| vectors[(row, n - 1 - i)]);
    Ok((largest, vectors))
}

/// As [`largest_eigen`], by inverse iteration; `None` where that fails.
fn few(matrix: MatRef<'_, f64>, count: usize) -> Option<(Vec<f64>, Mat<f64>)> {
    let n = matrix.nrows();
    let block = recommended_block_size::<f64>(n, n);
    let mut reduced = Mat::<f64>::zeros(n, n);
    reduced.as_mut().copy_from_triangular_lower(matrix);
    let mut reflections = Mat::<f64>::zeros(block, n - 1);
    let room = StackReq::any_of(&[
        tridiag_in_place_scratch::<f64>(n, Par::Seq, Default::default()),
        turn_back_scratch::<f64>(n - 1, block, count),
        self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::No, Par::Seq, Default::default()),
    ]);
    let mut memory = MemBuffer::new(room);
    let stack = MemStack::new(&mut memory);
    tridiag_in_place(
        reduced.as_mut(),
        reflections.as_mut(),
        Par::Seq,
        stack,
        Default::default(),
    );
    let tridiagonal = Tridiagonal {
        diagonal: (0..n).map(|i| reduced[(i, i)]).collect(),
        below: (0..n - 1).map(|i| reduced[(i + 1, i)]).collect(),
    };
    let values = tridiagonal.values(stack)?;
    let largest: Vec<f64> = (0..count).map(|i| values[n - 1 - i]).collect();
    let mut vectors = tridiagonal.vectors(&largest)?;
    turn_back(
        reduced.as_ref().submatrix(1, 0, n - 1, n - 1),
        reflections.as_ref(),
        Conj::No,
        vectors.as_mut().subrows_mut(1, n - 1),
        Par::Seq,
        stack,
    );
    Some((largest, vectors))
}

/// A symmetric matrix with numbers on its diagonal and beside it alone.
struct Tridiagonal {
    diagonal: Vec<f64>,
    below: Vec<f64>,
}

impl Tridiagonal {
    /// Its eigenvalues, in ascending order.
    fn values(&self, stack: &mut MemStack) -> Option<Vec<f64>> {
        let n = self.diagonal.len();
        let (mut diagonal, mut below) = (Diag::<f64>::zeros(n), Diag::<f64>::zeros(n));
        for i in 0..n {
            diagonal.column_vector_mut()[i] = self.diagonal[i];
            below.column_vector_mut()[i] = self.below.get(i).copied().unwrap_or(0.0);
        }
        let mut values = Diag::<f64>::zeros(n);
        tridiagonal_self_adjoint_evd(
            diagonal.as_ref(),
            below.as_ref(),
            values.as_mut(),
            None,
            Par::Seq,
            stack,
            Default::default(),
        )
        .ok()?;
        Some((0..n).map(|i| values.column_vector()[i]).collect())
    }

    fn norm(&self) -> f64 {
        let n = self.diagonal.len();
        let row = |i: usize| {
            let left = if i > 0 { self.below[i - 1].abs() } else { 0.0 };
            let right = self.below.get(i).map_or(0.0, |b| b.abs());
            left + self.diagonal[i].abs() + right
        };
        (0..n).map(row).fold(0.0, f64::max)
    }

    /// The vectors of these eigenvalues (in descending order), one a column; `None` if one of them is not one.
    fn vectors(&self, values: &[f64]) -> Option<Mat<f64>> {
        const STEPS: usize = 5;
        let n = self.diagonal.len();
        let norm = self.norm();
        let tolerance = 1e-12 * norm;
        let mut found: Vec<Vec<f64>> = Vec::with_capacity(values.len());
        let mut shift = f64::INFINITY;
        for (index, value) in values.iter().enumerate() {
            // Values that cannot be told apart are moved apart, so that each solves for another mixture of their vectors.
            shift = value.min(shift - 4.0 * f64::EPSILON * norm);
            let solver = Solver::new(self, shift, f64::EPSILON * norm);
            // Vectors of near values must be kept apart by hand.
            let near = values[..index]
                .iter()
                .rposition(|v| v - value > 1e-3 * norm);
            let near = near.map_or(0, |last| last + 1);
            // Any start will do that is not at right angles to the answer.
            let mut x: Vec<f64> = (0..n)
                .map(|i| 1.0 + ((i * 7919 + index * 104_729) % 1009) as f64 / 1009.0)
                .collect();
            let mut steps = 0;
            loop {
                solver.solve(&mut x);
                for other in &found[near..] {
                    let along: f64 = x.iter().zip(other).map(|(a, b)| a * b).sum();
                    x.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
                }
                let length = x.iter().map(|v| v * v).sum::<f64>().sqrt();
                if !(length.is_finite() && length > 0.0) {
                    return None;
                }
                x.iter_mut().for_each(|v| *v /= length);
                steps += 1;
                // A second step settles what the first could not.
                if steps >= 2 && self.residual(&x, *value) <= tolerance {
                    break;
                }
                if steps == STEPS {
                    return None;
                }
            }
            found.push(x);
        }
        Some(Mat::from_fn(n, values.len(), |row, col| found[col][row]))
    }

    /// The largest entry of `T x - value x`.
    fn residual(&self, x: &[f64], value: f64) -> f64 {
        let n = x.len();
        let entry = |i: usize| {
            let left = if i > 0 {
                self.below[i - 1] * x[i - 1]
            } else {
                0.0
            };
            let right = if i + 1 < n {
                self.below[i] * x[i + 1]
            } else {
                0.0
            };
            (left + (self.diagonal[i] - value) * x[i] + right).abs()
        };
        (0..n).map(entry).fold(0.0, f64::max)
    }
}

/// `T - shift` as a product of triangular matrices, rows exchanged where that keeps numbers small.
struct Solver {
    /// Factors by which a row was taken off the next, and whether the two were exchanged before.
    factors: Vec<(f64, bool)>,
    /// The upper triangle: its diagonal and the two beside it.
    upper: Vec<[f64; 3]>,
}

impl Solver {
    fn new(matrix: &Tridiagonal, shift: f64, least: f64) -> Self {
        let n = matrix.diagonal.len();
        let beside = |i: usize| matrix.below.get(i).copied().unwrap_or(0.0);
        let mut upper = Vec::with_capacity(n);
        let mut factors = Vec::with_capacity(n);
        let mut row = [matrix.diagonal[0] - shift, beside(0), 0.0];
        for i in 0..n - 1 {
            let next = [beside(i), matrix.diagonal[i + 1] - shift, beside(i + 1)];
            let exchanged = next[0].abs() > row[0].abs();
            let (pivot, other) = if exchanged { (next, row) } else { (row, next) };
            let pivot0 = away_from_zero(pivot[0], least);
            let factor = other[0] / pivot0;
            factors.push((factor, exchanged));
            upper.push([pivot0, pivot[1], pivot[2]]);
            row = [
                other[1] - factor * pivot[1],
                other[2] - factor * pivot[2],
                0.0,
            ];
        }
        upper.push([away_from_zero(row[0], least), 0.0, 0.0]);
        Self { factors, upper }
    }

    fn solve(&self, x: &mut [f64]) {
        for (i, (factor, exchanged)) in self.factors.iter().enumerate() {
            if *exchanged {
                x.swap(i, i + 1);
            }
            x[i + 1] -= factor * x[i];
        }
        for i in (0..x.len()).rev() {
            let [pivot, right, far] = self.upper[i];
            let known = right * x.get(i + 1).copied().unwrap_or(0.0)
                + far * x.get(i + 2).copied().unwrap_or(0.0);
            x[i] = (x[i] - known) / pivot;
        }
    }
}

fn away_from_zero(value: f64, least: f64) -> f64 {
    match value.abs() < least {
        true => least.copysign(value),
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A symmetric matrix with these eigenvalues, turned by reflections.
    fn with_values(values: &[f64], seed: u64) -> Matrix {
        let n = values.len();
        let mut matrix = Matrix::from_fn(n, n, |i, j| if i == j { values[i] } else { 0.0 });
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for _ in 0..3 {
            let mut v: Vec<f64> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
            let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
            v.iter_mut().for_each(|x| *x /= length);
            let turn =
                Matrix::from_fn(n, n, |i, j| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j]);
            matrix = turn.times(&matrix).unwrap().times(&turn).unwrap();
        }
        matrix
    }

    fn check(values: &[f64], count: usize) {
        let n = values.len();
        let matrix = with_values(values, 3);
        let mut sorted = values.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let (found, vectors) = largest_eigen(matrix.view(), count).unwrap();
        let most = sorted[0].abs().max(1e-300);
        for (a, b) in found.iter().zip(&sorted) {
            assert!((a - b).abs() < 1e-11 * most, "{a} {b}");
        }
        for i in 0..count {
            for j in 0..=i {
                let product: f64 = (0..n).map(|r| vectors[(r, i)] * vectors[(r, j)]).sum();
                let expected = f64::from(u8::from(i == j));
                assert!((product - expected).abs() < 1e-9, "{i} {j}: {product}");
            }
            for r in 0..n {
                let product: f64 = (0..n).map(|c| matrix.at(r, c) * vectors[(c, i)]).sum();
                assert!((product - found[i] * vectors[(r, i)]).abs() < 1e-10 * most);
            }
        }
    }

    #[test]
    fn few_of_many_are_those_of_all() {
        let falling: Vec<f64> = (0..120).map(|i| 1.0 / f64::from(i + 1)).collect();
        check(&falling, 20);
        check(&falling, 120);
        // Values that are equal, nearly equal, and zero.
        let mut close = vec![1.0; 40];
        close.extend((0..40).map(|i| 0.5 + 1e-9 * f64::from(i)));
        close.extend(vec![0.0; 40]);
        check(&close, 30);
        let mut rank_two = vec![0.0; 100];
        rank_two[3] = 5.0;
        rank_two[70] = 2.0;
        check(&rank_two, 10);
    }

    #[test]
    fn values_alone_are_the_same() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i * i)).collect();
        let found = symmetric_eigenvalues(&with_values(&values, 1)).unwrap();
        for (a, b) in found.iter().zip(&values) {
            assert!((a - b).abs() < 1e-9, "{a} {b}");
        }
    }
}
