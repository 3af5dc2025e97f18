//! Softmax, and the cross-entropy of what it predicts.

use super::kernel::{dot, f32_slice, fits, values, width};
use super::simd::{dispatch, exp};
use super::threads;
use crate::error::Result;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Rows that one task takes.
const ROWS: usize = 64;

/// Softmax over the last axis. A row that is all `-inf` has no softmax; the masks of this crate never make one.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    match fits(&[x]) {
        true => Ok(x.contiguous()?.apply_op1(Softmax)?),
        false => softmax_composed(x),
    }
}

pub(super) fn softmax_composed(x: &Tensor) -> Result<Tensor> {
    // The maximum only keeps exp in range; the result does not depend on it, so neither does the gradient.
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    let e = shifted.exp()?;
    Ok(e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?)
}

/// Writes the softmax of a row; returns the logarithm of the sum of its exponentials.
pub(super) fn softmax_row(x: &[f32], out: &mut [f32]) -> f32 {
    out.copy_from_slice(x);
    let (largest, sum) = dispatch(SoftmaxRows {
        width: out.len(),
        rows: out,
    });
    largest + sum.ln()
}

/// Turns rows into their softmax.
struct SoftmaxRows<'a> {
    rows: &'a mut [f32],
    width: usize,
}

impl WithSimd for SoftmaxRows<'_> {
    /// What [`softmax_in_place`] says of the last row.
    type Output = (f32, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f32, f32) {
        let mut last = (0.0, 0.0);
        for row in self.rows.chunks_exact_mut(self.width) {
            last = softmax_in_place(simd, row);
        }
        last
    }
}

/// Turns a row into its softmax; returns its maximum and the sum of the exponentials of what the others lie below it.
#[inline(always)]
pub(super) fn softmax_in_place<S: Simd>(simd: S, row: &mut [f32]) -> (f32, f32) {
    let (vectors, rest) = S::as_mut_simd_f32s(row);
    let lanes = vectors
        .iter()
        .fold(simd.splat_f32s(f32::NEG_INFINITY), |m, x| {
            simd.max_f32s(m, *x)
        });
    let largest = rest
        .iter()
        .copied()
        .fold(simd.reduce_max_f32s(lanes), f32::max);
    let shift = simd.splat_f32s(largest);
    let mut sums = simd.splat_f32s(0.0);
    for x in vectors.iter_mut() {
        *x = exp(simd, simd.sub_f32s(*x, shift));
        sums = simd.add_f32s(sums, *x);
    }
    if !rest.is_empty() {
        let last = exp(simd, simd.sub_f32s(simd.partial_load_f32s(rest), shift));
        simd.partial_store_f32s(rest, last);
        sums = simd.add_f32s(sums, simd.partial_load_f32s(rest));
    }
    let sum = simd.reduce_sum_f32s(sums);
    let divisor = simd.splat_f32s(sum);
    for x in vectors {
        *x = simd.div_f32s(*x, divisor);
    }
    rest.iter_mut().for_each(|x| *x /= sum);
    (largest, sum)
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "plumb-softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let width = width(layout.dims())?;
        let mut out = f32_slice(x, layout)?.to_vec();
        threads::pieces(&mut out, ROWS * width, |_, rows| {
            dispatch(SoftmaxRows { rows, width });
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let width = width(y.dims())?;
        let (y_values, grad_values) = (values(y), values(&grad));
        let (y_slice, grads) = (y_values.slice()?, grad_values.slice()?);
        let mut dx = vec![0f32; y_slice.len()];
        let rows = y_slice.chunks_exact(width).zip(grads.chunks_exact(width));
        for ((y, grad), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let mean = dot(y, grad);
            for i in 0..width {
                dx[i] = y[i] * (grad[i] - mean);
            }
        }
        Tensor::from_vec(dx, y.shape(), y.device()).map(Some)
    }
}

/// The cross-entropy (natural logarithm) of the softmax of `logits` `[rows, classes]` with one target class a row, summed over
/// the rows: a scalar.
///
/// # Errors
/// If the number of targets is not that of the rows, or a target is no class.
pub fn cross_entropy(logits: &Tensor, targets: &[u32]) -> Result<Tensor> {
    let (rows, classes) = logits.dims2()?;
    if rows != targets.len() || targets.iter().any(|t| *t as usize >= classes) {
        return Err(crate::error::Error::BadParameter {
            name: "targets",
            value: format!("{} targets", targets.len()),
            problem: format!(
                "logits of {rows} rows and {classes} classes need a class for each row"
            ),
        });
    }
    if fits(&[logits]) {
        return Ok(logits
            .contiguous()?
            .apply_op1(CrossEntropy(targets.to_vec()))?);
    }
    cross_entropy_composed(logits, targets)
}

pub(super) fn cross_entropy_composed(logits: &Tensor, targets: &[u32]) -> Result<Tensor> {
    let targets = Tensor::new(targets, logits.device())?.unsqueeze(1)?;
    Ok(softmax_composed(logits)?
        .log()?
        .gather(&targets, 1)?
        .sum_all()?
        .neg()?)
}

/// Holds the targets. The softmax is not kept for the gradient: computing it twice is cheaper than the memory.
struct CrossEntropy(Vec<u32>);

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "plumb-cross-entropy"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let width = width(layout.dims())?;
        let x = f32_slice(x, layout)?;
        let losses: Vec<f32> = x
            .par_chunks(width)
            .zip(&self.0)
            .with_min_len(64)
            .map_init(
                || vec![0f32; width],
                |scratch, (x, target)| softmax_row(x, scratch) - x[*target as usize],
            )
            .collect();
        // Summed in order, so that the number of threads does not matter.
        let sum: f64 = losses.iter().map(|l| f64::from(*l)).sum();
        Ok((CpuStorage::F32(vec![sum as f32]), Shape::from(())))
    }

    fn bwd(&self, x: &Tensor, _sum: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let width = width(x.dims())?;
        let scale = grad.to_scalar::<f32>()?;
        let x_values = values(x);
        let values = x_values.slice()?;
        if values.len() != width * self.0.len() {
            bail!(
                "cross-entropy has {} targets for {:?}",
                self.0.len(),
                x.dims()
            );
        }
        let mut dx = vec![0f32; values.len()];
        dx.par_chunks_mut(width)
            .zip(values.par_chunks(width))
            .zip(&self.0)
            .with_min_len(64)
            .for_each(|((dx, x), target)| {
                softmax_row(x, dx);
                dx[*target as usize] -= 1.0;
                dx.iter_mut().for_each(|v| *v *= scale);
            });
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}
