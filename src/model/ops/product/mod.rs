//! Matrix products with a packed right side: weights, and the keys and values of attention.
//!
//! Each element of a product is a sum in an order that depends on the length of the sum alone, so a row's result depends neither on the other rows nor on how the work
//! is divided among threads.

mod amx;
mod packed;
mod prefetch;
mod split;
mod tiles;
mod vectors;

pub(super) use packed::Packed;

use super::threads;
use amx::Amx;
use rayon::prelude::*;
use split::Split;
use std::ops::Range;

/// Columns that are packed at once where a weight is not.
const PART: usize = 512;
/// Fewer operations are not worth another thread.
const PARALLEL: usize = 1 << 21;

/// The left side of a product: rows that begin every `stride` numbers.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub x: &'a [f32],
    pub stride: usize,
}

/// The right side of a product, `[inner, columns]`, in panels of some columns each.
trait Right: Sync {
    /// Rows that are multiplied at once.
    const ROWS: usize;

    fn inner(&self) -> usize;
    fn columns(&self) -> usize;
    /// Columns of a panel.
    fn width(&self) -> usize;

    /// `out = left @ self + bias` on this thread, for the columns of some panels; `bias` is that of all columns, rows of `out` begin every
    /// `stride` numbers, and `out` ends with its last row.
    fn multiply_panels(
        &self,
        panels: Range<usize>,
        left: Left<'_>,
        bias: Option<&[f32]>,
        out: &mut [f32],
        stride: usize,
    );

    fn panels(&self) -> usize {
        self.columns().div_ceil(self.width())
    }
}

/// The right side of many products: a weight.
#[derive(Debug)]
pub(super) enum Weight {
    /// For the processor's vectors.
    Packed(Packed),
    /// For its matrix unit.
    Split(Split, Amx),
}

impl Weight {
    /// The transpose of `[columns, inner]`. For the matrix unit if there is one, and if the weight is the sum of its parts, which numbers that
    /// are none or next to nothing are not.
    pub(super) fn transposed(x: &[f32], columns: usize, inner: usize) -> Self {
        let split = Amx::find()
            .and_then(|amx| Some(Self::Split(Split::transposed(x, columns, inner)?, amx)));
        split.unwrap_or_else(|| Self::Packed(Packed::transposed(x, columns, inner, inner)))
    }

    /// The matrix whose transpose this is, `[columns, inner]`, number by number.
    pub(super) fn unpacked(&self) -> Vec<f32> {
        match self {
            Self::Packed(packed) => packed.unpacked(),
            Self::Split(split, _) => split.unpacked(),
        }
    }

    /// `x @ self + bias`, `[rows, columns]`, from `x` `[rows, inner]`. On all threads, unless this one is told to work alone.
    pub(super) fn product(&self, x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        match self {
            Self::Packed(packed) => product(packed, x, bias),
            Self::Split(split, amx) => product(&tiles::On(split, *amx), x, bias),
        }
    }
}

/// `x @ right + bias`, `[rows, columns]`, from `x` `[rows, inner]`. On all threads, unless this one is told to work alone.
fn product<R: Right>(right: &R, x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    let (inner, columns) = (right.inner(), right.columns());
    let rows = x.len() / inner.max(1);
    let mut out = vec![0f32; rows * columns];
    let workers = match 2 * x.len() * columns < PARALLEL {
        true => 1,
        false => threads::workers(),
    };
    let left = |x| Left { x, stride: inner };
    if workers == 1 {
        right.multiply_panels(0..right.panels(), left(x), bias, &mut out, columns);
    } else if rows >= 2 * R::ROWS * workers {
        let share = rows.div_ceil(workers).next_multiple_of(R::ROWS);
        out.par_chunks_mut(share * columns)
            .zip(x.par_chunks(share * inner))
            .for_each(|(out, x)| {
                right.multiply_panels(0..right.panels(), left(x), bias, out, columns);
            });
    } else {
        product_by_columns(right, left(x), bias, workers, &mut out);
    }
    out
}

/// Few rows: threads share the columns.
fn product_by_columns<R: Right>(
    right: &R,
    left: Left<'_>,
    bias: Option<&[f32]>,
    workers: usize,
    out: &mut [f32],
) {
    let (rows, panels) = (out.len() / right.columns().max(1), right.panels());
    let shares = (0..panels).step_by(panels.div_ceil(workers).max(1));
    let shares: Vec<Range<usize>> = shares
        .map(|p| p..(p + panels.div_ceil(workers)).min(panels))
        .collect();
    let columns = |panels: &Range<usize>| {
        panels.start * right.width()..(panels.end * right.width()).min(right.columns())
    };
    let parts: Vec<Vec<f32>> = shares
        .par_iter()
        .map(|panels| {
            let width = columns(panels).len();
            let mut part = vec![0f32; rows * width];
            right.multiply_panels(panels.clone(), left, bias, &mut part, width);
            part
        })
        .collect();
    for (panels, part) in shares.iter().zip(&parts) {
        put_columns(out, right.columns(), &columns(panels), part);
    }
}

impl Packed {
    /// `out = left @ self` on this thread; rows of `out` begin every `stride` numbers, and `out` ends with its last row.
    pub(super) fn multiply(&self, left: Left<'_>, out: &mut [f32], stride: usize) {
        self.multiply_panels(0..self.panels(), left, None, out, stride);
    }
}

/// `x @ weight.T + bias`, `[rows, columns]`, for a weight `[columns, inner]` that is not packed: it is, part by part.
pub(super) fn product_of_plain(
    x: &[f32],
    weight: &[f32],
    [columns, inner]: [usize; 2],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let left = Left { x, stride: inner };
    let rows = x.len() / inner.max(1);
    let mut out = vec![0f32; rows * columns];
    let part = |columns: &Range<usize>, out: &mut [f32], stride: usize| {
        let weight = &weight[columns.start * inner..columns.end * inner];
        let packed = Packed::transposed(weight, columns.len(), inner, inner);
        let bias = bias.map(|b| &b[columns.clone()]);
        packed.multiply_panels(0..packed.panels(), left, bias, out, stride);
    };
    let parts = (0..columns).step_by(PART);
    let parts: Vec<Range<usize>> = parts.map(|c| c..(c + PART).min(columns)).collect();
    if rows == 0 || threads::workers() == 1 || parts.len() == 1 {
        for columns_of_part in &parts {
            part(columns_of_part, &mut out[columns_of_part.start..], columns);
        }
        return out;
    }
    let products: Vec<Vec<f32>> = parts
        .par_iter()
        .map(|columns| {
            let mut out = vec![0f32; rows * columns.len()];
            part(columns, &mut out, columns.len());
            out
        })
        .collect();
    for (part, product) in parts.iter().zip(&products) {
        put_columns(&mut out, columns, part, product);
    }
    out
}

/// Puts a matrix into some columns of one that is `width` wide.
fn put_columns(out: &mut [f32], width: usize, columns: &Range<usize>, part: &[f32]) {
    let rows = out.chunks_exact_mut(width);
    for (row, part) in rows.zip(part.chunks_exact(columns.len())) {
        row[columns.clone()].copy_from_slice(part);
    }
}

#[cfg(test)]
mod tests;
