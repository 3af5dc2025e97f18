//! Finite `f32` rows: vectors as they are stored, for searches whose products need no more.

use crate::error::{Error, Result};
use faer::MatRef;
use rayon::prelude::*;

/// Vectors of equal width, row after row, every number finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    cols: usize,
    data: Vec<f32>,
}

impl Rows {
    /// Rows of `cols` numbers each.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for rows of no width or a count that is no multiple of it; [`Error::NotFinite`] with row and feature.
    pub fn new(cols: usize, data: Vec<f32>) -> Result<Self> {
        if cols == 0 || !data.len().is_multiple_of(cols) {
            return Err(Error::BadParameter {
                name: "rows",
                value: format!("{} numbers", data.len()),
                problem: format!("rows of {cols} numbers need a multiple of it, and of at least 1"),
            });
        }
        // Most rows are finite, which many threads see soonest.
        let finite = data.par_chunks(1 << 16).all(|part| {
            // No branch inside.
            part.iter().fold(true, |all, v| all & v.is_finite())
        });
        if finite {
            return Ok(Self { cols, data });
        }
        match data.iter().position(|v| !v.is_finite()) {
            Some(at) => Err(Error::NotFinite {
                place: format!("row {}, feature {}", at / cols, at % cols),
                value: f64::from(data[at]),
            }),
            None => Ok(Self { cols, data }),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.data.len() / self.cols
    }

    /// How many numbers a row has.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.cols..(row + 1) * self.cols]
    }

    /// All numbers, row after row.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// These rows, in this order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows = rows.iter().flat_map(|row| self.row(*row));
        Self {
            cols: self.cols,
            data: rows.copied().collect(),
        }
    }

    /// The mean of each column, summed in `f64` in a fixed order.
    pub fn means(&self) -> Vec<f64> {
        const TASK: usize = 2048;
        let sums: Vec<Vec<f64>> = self
            .data
            .par_chunks(TASK * self.cols)
            .map(|part| {
                let mut sums = vec![0.0f64; self.cols];
                for row in part.chunks_exact(self.cols) {
                    let pairs = sums.iter_mut().zip(row);
                    pairs.for_each(|(s, v)| *s += f64::from(*v));
                }
                sums
            })
            .collect();
        let mut means = vec![0.0f64; self.cols];
        for part in &sums {
            means.iter_mut().zip(part).for_each(|(m, s)| *m += s);
        }
        let n = self.rows().max(1) as f64;
        means.iter_mut().for_each(|m| *m /= n);
        means
    }

    /// Some consecutive rows, as faer sees them.
    pub(crate) fn view(&self, first: usize, count: usize) -> MatRef<'_, f32> {
        let part = &self.data[first * self.cols..(first + count) * self.cols];
        MatRef::from_row_major_slice(part, count, self.cols)
    }
}

/// The dot product in `f64`, in a fixed order. Inlined, so that a caller that is compiled for wide vectors has it on them.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0f64; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = left.remainder().iter().zip(right.remainder());
    let rest: f64 = rest.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    for (a, b) in left.zip(right) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The squared distance in `f64`, in a fixed order; inlined, too.
#[inline(always)]
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let square = |a: f32, b: f32| (f64::from(a) - f64::from(b)).powi(2);
    let mut sums = [0.0f64; LANES];
    let (left, right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = left.remainder().iter().zip(right.remainder());
    let rest: f64 = rest.map(|(a, b)| square(*a, *b)).sum();
    for (a, b) in left.zip(right) {
        for lane in 0..LANES {
            sums[lane] += square(a[lane], b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}
