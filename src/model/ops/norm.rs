//! Layer norm and RMS norm.

use super::kernel::{dot, f32_slice, fits, in_f32, values, width};
use super::simd::dispatch;
use super::threads;
use crate::error::Result;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, D, Layout, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};
use std::ops::Add;

/// Rows that one task takes.
const ROWS: usize = 64;

/// Layer normalisation over the last axis (Ba et al. 2016): mean and biased variance.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    if let Some(y) = in_f32([x, weight, bias], |[x, w, b]| layer_norm(&x, &w, &b, eps)) {
        return y;
    }
    if fits(&[x, weight, bias]) {
        let (weight, bias) = (weight.contiguous()?, bias.contiguous()?);
        return Ok(x.contiguous()?.apply_op3(&weight, &bias, LayerNorm(eps))?);
    }
    layer_norm_composed(x, weight, bias, eps)
}

pub(super) fn layer_norm_composed(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normed = centred.broadcast_div(&(variance + eps)?.sqrt()?)?;
    Ok(normed.broadcast_mul(weight)?.broadcast_add(bias)?)
}

/// Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019).
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    if let Some(y) = in_f32([x, weight], |[x, w]| rms_norm(&x, &w, eps)) {
        return y;
    }
    if fits(&[x, weight]) {
        return Ok(x
            .contiguous()?
            .apply_op2(&weight.contiguous()?, RmsNorm(eps))?);
    }
    rms_norm_composed(x, weight, eps)
}

pub(super) fn rms_norm_composed(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    let normed = x.broadcast_div(&(mean_square + eps)?.sqrt()?)?;
    Ok(normed.broadcast_mul(weight)?)
}

/// candle's own layer norm computes the variance as a difference of means of squares, which loses digits where the mean is
/// large; this one takes two passes, as PyTorch does. Its argument is `eps`.
struct LayerNorm(f64);

impl LayerNorm {
    /// The row with mean 0 and variance 1, and what it was divided by, inverted.
    #[inline(always)]
    fn normed(&self, x: &[f32], out: &mut [f32]) -> f32 {
        // In f64: in f32 the mean itself would be off by more than what is left after it is taken away.
        let mean = sum(x, f64::from) / x.len() as f64;
        for (out, x) in out.iter_mut().zip(x) {
            *out = (f64::from(*x) - mean) as f32;
        }
        let variance = sum(out, |v| v * v) / x.len() as f32;
        let scale = 1.0 / (variance + self.0 as f32).sqrt();
        out.iter_mut().for_each(|v| *v *= scale);
        scale
    }
}

/// The sum of a function over a row. Sixteen sums side by side, because one would wait for each addition; the order is fixed.
#[inline(always)]
fn sum<T: Copy + Default + Add<Output = T>>(x: &[f32], f: impl Fn(f32) -> T) -> T {
    let (sixteens, rest) = x.as_chunks::<16>();
    let mut sums = [T::default(); 16];
    for sixteen in sixteens {
        for i in 0..16 {
            sums[i] = sums[i] + f(sixteen[i]);
        }
    }
    let tail = rest.iter().map(|x| f(*x));
    sums.into_iter().chain(tail).fold(T::default(), T::add)
}

/// Normalises rows, compiled for the widest vectors.
struct LayerNormRows<'a> {
    norm: &'a LayerNorm,
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for LayerNormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.weight.len();
        let rows = self.out.chunks_exact_mut(width);
        for (out, x) in rows.zip(self.x.chunks_exact(width)) {
            self.norm.normed(x, out);
            for ((out, weight), bias) in out.iter_mut().zip(self.weight).zip(self.bias) {
                *out = *out * weight + bias;
            }
        }
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "plumb-layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let width = width(layout.dims())?;
        let x = f32_slice(x, layout)?;
        let weight = of_width(f32_slice(weight, weight_layout)?, width)?;
        let bias = of_width(f32_slice(bias, bias_layout)?, width)?;
        let mut out = vec![0f32; x.len()];
        threads::pieces(&mut out, ROWS * width, |i, out| {
            dispatch(LayerNormRows {
                norm: self,
                x: &x[i * ROWS * width..][..out.len()],
                weight,
                bias,
                out,
            });
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (x, grad) = (x.contiguous()?, grad.contiguous()?);
        let width = width(x.dims())?;
        let (x_values, weight, grad_values) = (values(&x), values(weight), values(&grad));
        let (rows, weight, grads) = (x_values.slice()?, weight.slice()?, grad_values.slice()?);
        let mut dx = vec![0f32; rows.len()];
        let (mut dweight, mut dbias) = (vec![0f32; width], vec![0f32; width]);
        let mut normed = vec![0f32; width];
        let mut weighted = vec![0f32; width];
        let rows = rows.chunks_exact(width).zip(grads.chunks_exact(width));
        for ((x, grad), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let scale = self.normed(x, &mut normed);
            for i in 0..width {
                dweight[i] += grad[i] * normed[i];
                dbias[i] += grad[i];
                weighted[i] = grad[i] * weight[i];
            }
            // The norm forgets the mean and the length of a row, so the gradient has neither.
            let along_mean = weighted.iter().sum::<f32>() / width as f32;
            let along_row = dot(&weighted, &normed) / width as f32;
            for i in 0..width {
                dx[i] = scale * (weighted[i] - along_mean - normed[i] * along_row);
            }
        }
        let tensor = |values, shape: &Shape| Tensor::from_vec(values, shape, x.device()).map(Some);
        let each = Shape::from(width);
        Ok((
            tensor(dx, x.shape())?,
            tensor(dweight, &each)?,
            tensor(dbias, &each)?,
        ))
    }
}

/// Its argument is `eps`.
struct RmsNorm(f64);

impl RmsNorm {
    /// The inverse of the row's root mean square.
    #[inline(always)]
    fn scale(&self, x: &[f32]) -> f32 {
        1.0 / (sum(x, |v| v * v) / x.len() as f32 + self.0 as f32).sqrt()
    }
}

/// Normalises rows, compiled for the widest vectors.
struct RmsNormRows<'a> {
    norm: &'a RmsNorm,
    x: &'a [f32],
    weight: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for RmsNormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.weight.len();
        let rows = self.out.chunks_exact_mut(width);
        for (out, x) in rows.zip(self.x.chunks_exact(width)) {
            let scale = self.norm.scale(x);
            for ((out, x), weight) in out.iter_mut().zip(x).zip(self.weight) {
                *out = x * scale * weight;
            }
        }
    }
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "plumb-rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let width = width(layout.dims())?;
        let x = f32_slice(x, layout)?;
        let weight = of_width(f32_slice(weight, weight_layout)?, width)?;
        let mut out = vec![0f32; x.len()];
        threads::pieces(&mut out, ROWS * width, |i, out| {
            dispatch(RmsNormRows {
                norm: self,
                x: &x[i * ROWS * width..][..out.len()],
                weight,
                out,
            });
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>)> {
        let (x, grad) = (x.contiguous()?, grad.contiguous()?);
        let width = width(x.dims())?;
        let (x_values, weight, grad_values) = (values(&x), values(weight), values(&grad));
        let (rows, weight, grads) = (x_values.slice()?, weight.slice()?, grad_values.slice()?);
        let mut dx = vec![0f32; rows.len()];
        let mut dweight = vec![0f32; width];
        let rows = rows.chunks_exact(width).zip(grads.chunks_exact(width));
        for ((x, grad), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let scale = self.scale(x);
            for i in 0..width {
                dweight[i] += grad[i] * x[i] * scale;
                dx[i] = grad[i] * weight[i] * scale;
            }
            // The norm forgets the length of a row, so the gradient has no part along it.
            let along_row = dot(dx, x) * scale * scale / width as f32;
            for (dx, x) in dx.iter_mut().zip(x) {
                *dx -= x * along_row;
            }
        }
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), x.device())?),
            Some(Tensor::from_vec(dweight, width, x.device())?),
        ))
    }
}

fn of_width(values: &[f32], width: usize) -> candle_core::Result<&[f32]> {
    match values.len() == width {
        true => Ok(values),
        false => bail!("a norm over {width} numbers with {} weights", values.len()),
    }
}
