//! Eigenvalues of symmetric matrices.

use crate::error::{Error, Result};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatRef, Par};

/// Eigenvalues in ascending order, and the vectors, one a column, of a symmetric matrix of which the lower triangle is read.
///
/// # Errors
/// [`Error::BadParameter`], named as what was asked for, if they are not found.
pub(crate) fn eigen(matrix: MatRef<'_, f64>, what: &'static str) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = matrix.nrows();
    let mut values = Diag::<f64>::zeros(n);
    let mut vectors = Mat::<f64>::zeros(n, n);
    let room =
        self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    // One thread: the same bits on any number of them.
    let done = self_adjoint_evd(
        matrix,
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(room)),
        Default::default(),
    );
    done.map_err(|e| Error::BadParameter {
        name: what,
        value: format!("{n} × {n}"),
        problem: format!(
            "the eigenvalues were not found ({e:?}); are the vectors of very different sizes?"
        ),
    })?;
    let values = (0..n).map(|i| values.column_vector()[i]).collect();
    Ok((values, vectors))
}
