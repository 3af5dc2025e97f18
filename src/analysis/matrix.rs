//! Matrices of activations: the dense, finite numbers that the analyses compute on.

use crate::error::{Error, Result};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows that stay in a core's cache while they are used twice.
pub(crate) const BLOCK: usize = 256;

/// Partial sums that a product over rows keeps at most; they bound its memory, and its parallelism.
const MOST_PARTS: usize = 32;

/// Rows in each task of a product. The cut depends on the shape alone, never on the number of threads, and partial sums are
/// added in the order of the rows: that is what makes every product the same on any number of cores. (On a processor with
/// other vector instructions the last bits may differ.)
pub(crate) fn rows_per_task(rows: usize) -> usize {
    BLOCK * rows.div_ceil(BLOCK * MOST_PARTS).max(1)
}

/// A dense matrix of finite `f64`, row after row: one row per token or text, one column per feature.
///
/// Activations are stored as `f32`; sums over thousands of rows, Gram matrices and optimality conditions need `f64`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f64>,
}

impl Matrix {
    /// A matrix from `rows * cols` numbers, row after row.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the count is another one, [`Error::NotFinite`] with row and feature for NaN and infinities.
    pub fn new(rows: usize, cols: usize, data: Vec<f64>) -> Result<Self> {
        check_count(rows, cols, data.len())?;
        match data.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(Error::NotFinite {
                place: format!("row {}, feature {}", at / cols, at % cols),
                value: data[at],
            }),
            None => Ok(Self { rows, cols, data }),
        }
    }

    /// A matrix from activations as they are stored.
    ///
    /// # Errors
    /// As [`Matrix::new`].
    pub fn from_f32(rows: usize, cols: usize, data: &[f32]) -> Result<Self> {
        Self::new(rows, cols, data.iter().copied().map(f64::from).collect())
    }

    /// A matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self {
            rows,
            cols,
            data: vec![0.0; rows * cols],
        }
    }

    /// A matrix of numbers that were computed from finite ones.
    pub(crate) fn from_fn(
        rows: usize,
        cols: usize,
        mut value: impl FnMut(usize, usize) -> f64,
    ) -> Self {
        let mut data = Vec::with_capacity(rows * cols);
        for row in 0..rows {
            data.extend((0..cols).map(|col| value(row, col)));
        }
        Self { rows, cols, data }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.data[row * self.cols..(row + 1) * self.cols]
    }

    /// One row, to be changed.
    pub fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.data[row * self.cols..(row + 1) * self.cols]
    }

    /// One number.
    pub fn at(&self, row: usize, col: usize) -> f64 {
        self.row(row)[col]
    }

    /// One column, copied.
    pub fn col(&self, col: usize) -> Vec<f64> {
        (0..self.rows).map(|row| self.at(row, col)).collect()
    }

    /// All numbers, row after row.
    pub fn as_slice(&self) -> &[f64] {
        &self.data
    }

    /// All numbers, to be changed.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [f64] {
        &mut self.data
    }

    /// These rows, in this order (repeats allowed), as a new matrix.
    pub fn select(&self, rows: &[usize]) -> Matrix {
        let mut data = Vec::with_capacity(rows.len() * self.cols);
        for &row in rows {
            data.extend_from_slice(self.row(row));
        }
        Matrix {
            rows: rows.len(),
            cols: self.cols,
            data,
        }
    }

    /// The matrix as faer sees it.
    pub fn view(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.data, self.rows, self.cols)
    }

    /// `self · other`.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the shapes do not fit.
    pub fn times(&self, other: &Matrix) -> Result<Matrix> {
        check_inner("columns of the left factor", self.cols, other.rows)?;
        let mut product = Matrix::zeros(self.rows, other.cols);
        if product.data.is_empty() {
            return Ok(product);
        }
        product
            .data
            .par_chunks_mut(rows_per_task(self.rows) * other.cols)
            .zip(self.tasks().into_par_iter())
            .for_each(|(part, block)| {
                let part = MatMut::from_row_major_slice_mut(part, block.nrows(), other.cols);
                matmul(part, Accum::Replace, block, other.view(), 1.0, Par::Seq);
            });
        Ok(product)
    }

    /// `selfᵀ · other`, the partial sums over blocks of rows added in order.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the shapes do not fit.
    pub fn transposed_times(&self, other: &Matrix) -> Result<Matrix> {
        check_inner("rows of the left factor", self.rows, other.rows)?;
        let parts: Vec<Matrix> = self
            .tasks()
            .into_par_iter()
            .zip(other.tasks())
            .map(|(left, right)| {
                let mut part = Matrix::zeros(self.cols, other.cols);
                let out = part.view_mut();
                matmul(out, Accum::Replace, left.transpose(), right, 1.0, Par::Seq);
                part
            })
            .collect();
        Ok(parts
            .into_iter()
            .reduce(|mut sum, part| {
                sum.add(&part);
                sum
            })
            .unwrap_or_else(|| Matrix::zeros(self.cols, other.cols)))
    }

    /// `selfᵀ · self`, the Gram matrix of the features.
    pub fn gram(&self) -> Matrix {
        symmetric_product(self.view().transpose())
    }

    /// `self · selfᵀ`, the Gram matrix of the rows.
    pub fn row_gram(&self) -> Matrix {
        symmetric_product(self.view())
    }

    /// Mean of each column.
    pub fn column_means(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.cols];
        for row in self.data.chunks_exact(self.cols.max(1)) {
            sums.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
        sums.iter_mut().for_each(|s| *s /= self.rows as f64);
        sums
    }

    pub(crate) fn view_mut(&mut self) -> MatMut<'_, f64> {
        MatMut::from_row_major_slice_mut(&mut self.data, self.rows, self.cols)
    }

    /// The matrix cut as [`rows_per_task`] says.
    pub(crate) fn tasks(&self) -> Vec<MatRef<'_, f64>> {
        self.data
            .chunks((rows_per_task(self.rows) * self.cols).max(1))
            .map(|part| {
                let rows = part.len() / self.cols.max(1);
                MatRef::from_row_major_slice(part, rows, self.cols)
            })
            .collect()
    }

    /// Adds a matrix of the same shape.
    pub(crate) fn add(&mut self, other: &Matrix) {
        self.data
            .iter_mut()
            .zip(&other.data)
            .for_each(|(a, b)| *a += b);
    }
}

/// `a · aᵀ`: the lower triangle in panels of rows, mirrored.
fn symmetric_product(a: MatRef<'_, f64>) -> Matrix {
    const PANEL: usize = 64;
    let n = a.nrows();
    let mut gram = Matrix::zeros(n, n);
    gram.data
        .par_chunks_mut((PANEL * n).max(1))
        .enumerate()
        .for_each(|(panel, part)| {
            let (start, rows) = (panel * PANEL, part.len() / n);
            let out = MatMut::from_row_major_slice_mut(part, rows, n);
            let (lower, _) = out.split_at_col_mut(start + rows);
            let before = a.subrows(0, start + rows).transpose();
            let own = a.subrows(start, rows);
            matmul(lower, Accum::Replace, own, before, 1.0, Par::Seq);
        });
    for row in 0..n {
        for col in 0..row {
            gram.data[col * n + row] = gram.data[row * n + col];
        }
    }
    gram
}

fn check_count(rows: usize, cols: usize, found: usize) -> Result<()> {
    match rows.checked_mul(cols) {
        Some(expected) if expected == found => Ok(()),
        _ => Err(Error::BadParameter {
            name: "matrix",
            value: format!("{found} numbers"),
            problem: format!("a matrix of {rows} rows and {cols} features needs rows × features"),
        }),
    }
}

fn check_inner(what: &str, left: usize, right: usize) -> Result<()> {
    match left == right {
        true => Ok(()),
        false => Err(Error::BadParameter {
            name: "product",
            value: format!("{left} {what}"),
            problem: format!("the right factor has {right} rows; the two must be equal"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Matrix::from_fn(rows, cols, |_, _| rng.random_range(-1.0..1.0))
    }

    fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(work)
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused_with_its_place() {
        let mut data = vec![0.0f32; 20 * 4];
        data[17 * 4 + 3] = f32::NAN;
        let error = Matrix::from_f32(20, 4, &data).unwrap_err().to_string();
        assert!(error.starts_with("row 17, feature 3:"), "{error}");
        assert!(Matrix::from_f32(3, 4, &data).is_err());
        assert!(Matrix::new(usize::MAX, 2, vec![]).is_err());
    }

    #[test]
    fn products_are_the_same_bits_on_any_number_of_threads() {
        let (x, w) = (random(9000, 300, 1), random(300, 3, 2));
        let all = || {
            let y = x.times(&w).unwrap();
            (
                x.transposed_times(&y).unwrap(),
                x.gram(),
                x.select(&[5; 700]).row_gram(),
                y,
            )
        };
        let one = on_threads(1, all);
        for threads in [2, 3, 8] {
            assert_eq!(on_threads(threads, all), one);
        }
    }

    #[test]
    fn empty_matrices_have_products_too() {
        let x = Matrix::zeros(0, 3);
        assert_eq!(x.gram(), Matrix::zeros(3, 3));
        assert_eq!(x.transposed_times(&x).unwrap(), Matrix::zeros(3, 3));
        assert_eq!(x.row_gram(), Matrix::zeros(0, 0));
        assert!(x.times(&x).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn products_agree_with_their_definition(n in 1usize..600, d in 1usize..40, k in 1usize..5, seed in 0u64..99) {
            let (x, w) = (random(n, d, seed), random(d, k, seed + 1));
            let y = x.times(&w).unwrap();
            let naive = Matrix::from_fn(n, k, |i, j| (0..d).map(|l| x.at(i, l) * w.at(l, j)).sum());
            let close = |a: &Matrix, b: &Matrix| a.as_slice().iter().zip(b.as_slice()).all(|(a, b)| (a - b).abs() < 1e-10);
            prop_assert!(close(&y, &naive));
            let turned = Matrix::from_fn(d, n, |i, j| x.at(j, i));
            prop_assert!(close(&x.transposed_times(&y).unwrap(), &turned.times(&y).unwrap()));
            prop_assert!(close(&x.gram(), &turned.times(&x).unwrap()));
            prop_assert!(close(&x.row_gram(), &x.times(&turned).unwrap()));
            let turned_around = x.select(&[n - 1, 0]);
            prop_assert_eq!(turned_around.row(0), x.row(n - 1));
        }
    }
}
