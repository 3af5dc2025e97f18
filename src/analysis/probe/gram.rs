//! The penalised Gram matrix `ZᵀZ + ρI`, factored: what ridge regression solves with.

use super::table::Table;
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::{factor, solve};
use faer::{Mat, MatRef, Par};

/// The smaller of the two Gram matrices of `z`: `ZᵀZ` (features) or, with more features than rows, `ZZᵀ`.
#[derive(Debug)]
pub(super) struct Gram<'a> {
    z: &'a Table,
    product: Matrix,
}

impl<'a> Gram<'a> {
    ///
    /// # Errors
    /// Those of reading rows from disk.
    pub(super) fn of(z: &'a Table) -> Result<Self> {
        let product = match is_dual(z) {
            true => z.matrix("a fit to fewer rows than features")?.row_gram(),
            false => z.gram()?,
        };
        Ok(Self { z, product })
    }

    /// Factors it with `penalty` on the diagonal.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the penalty is so small that the sum is singular in `f64`.
    pub(super) fn factor(&self, penalty: f64) -> Result<Factor<'a>> {
        let mut lower = self.product.view().to_owned();
        for i in 0..lower.nrows() {
            lower[(i, i)] += penalty;
        }
        let lower = cholesky(lower).ok_or_else(|| singular(penalty / self.z.rows() as f64))?;
        Ok(Factor { z: self.z, lower })
    }
}

/// The error for a penalty that is lost in rounding.
pub(super) fn singular(lambda: f64) -> Error {
    Error::BadParameter {
        name: "lambda",
        value: format!("{lambda:e}"),
        problem: "the penalty is too small for these features, which depend on each other; give a larger one".to_owned(),
    }
}

fn is_dual(z: &Table) -> bool {
    z.cols() > z.rows()
}

/// `ZᵀZ + ρI` or `ZZᵀ + ρI` as `LLᵀ`.
#[derive(Debug)]
pub(super) struct Factor<'a> {
    z: &'a Table,
    lower: Mat<f64>,
}

impl Factor<'_> {
    /// The ridge weights `(ZᵀZ + ρI)⁻¹ Zᵀ Y`, or the same as `Zᵀ (ZZᵀ + ρI)⁻¹ Y`.
    pub(super) fn ridge(&self, y: &Matrix) -> Result<Matrix> {
        match is_dual(self.z) {
            true => self.z.transposed_times(&self.solve(y)),
            false => Ok(self.solve(&self.z.transposed_times(y)?)),
        }
    }

    fn solve(&self, rhs: &Matrix) -> Matrix {
        solve_factored(&self.lower, rhs)
    }
}

/// `A = LLᵀ`, of which the lower triangle is read; `None` if `A` is not positive definite in `f64`.
pub(super) fn cholesky(mut a: Mat<f64>) -> Option<Mat<f64>> {
    // On one core: the same bits on any number of them. The parallelism is over folds and layers.
    let scratch = factor::cholesky_in_place_scratch::<f64>(a.nrows(), Par::Seq, Default::default());
    let done = factor::cholesky_in_place(
        a.as_mut(),
        Default::default(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    );
    done.ok().map(|_| a)
}

/// `(LLᵀ)⁻¹ · rhs`.
pub(super) fn solve_factored(lower: &Mat<f64>, rhs: &Matrix) -> Matrix {
    let mut x = rhs.clone();
    let lower: MatRef<'_, f64> = lower.as_ref();
    solve::solve_in_place(
        lower,
        x.view_mut(),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(faer::dyn_stack::StackReq::EMPTY)),
    );
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn both_forms_solve_the_penalised_normal_equations() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (n, d) in [(40, 7), (7, 40), (12, 12)] {
            let z = Matrix::from_fn(n, d, |_, _| rng.random_range(-1.0..1.0));
            let y = Matrix::from_fn(n, 2, |_, _| rng.random_range(-1.0..1.0));
            let table = Table::from(z.clone());
            let factor = Gram::of(&table).unwrap().factor(0.7).unwrap();
            // Multiplying back: (ZᵀZ + ρI) · answer.
            let back = |w: &Matrix| {
                let product = z.gram().times(w).unwrap();
                Matrix::from_fn(d, w.cols(), |i, j| product.at(i, j) + 0.7 * w.at(i, j))
            };
            let close = |a: &Matrix, b: &Matrix| {
                let pairs = a.as_slice().iter().zip(b.as_slice());
                pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-10)
            };
            let zy = z.transposed_times(&y).unwrap();
            assert!(close(&back(&factor.ridge(&y).unwrap()), &zy), "{n} × {d}");
        }
    }

    #[test]
    fn a_penalty_lost_in_rounding_is_refused() {
        let z = Matrix::from_fn(50, 4, |i, j| i as f64 * (j + 1) as f64);
        let error = Gram::of(&z.into())
            .unwrap()
            .factor(1e-30)
            .unwrap_err()
            .to_string();
        assert!(error.contains("give a larger one"), "{error}");
    }
}
