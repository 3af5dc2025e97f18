//! The operations of a transformer whose fast kernels drop gradients: fast where no graph is tracked, composed where one is.
//!
//! This is the only file that may call candle's fused operations (clippy's `disallowed-methods`). The composed path is the
//! reference; the tests compare the two, and the composed one with central differences.

use super::spec::Activation;
use crate::error::Result;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, D, Layout, Shape, Tensor, bail};
use rayon::prelude::*;

/// `x @ weight.T + bias`, with `x` `[rows, in]`, `weight` `[out, in]`, `bias` `[out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = x.matmul(&weight.t()?)?;
    Ok(match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    })
}

/// Softmax over the last axis. A row that is all `-inf` has no softmax; the masks of this crate never make one.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if !x.track_op() {
        #[expect(clippy::disallowed_methods, reason = "no graph is tracked")]
        return Ok(candle_nn::ops::softmax_last_dim(&x.contiguous()?)?);
    }
    softmax_composed(x)
}

fn softmax_composed(x: &Tensor) -> Result<Tensor> {
    // The maximum only keeps exp in range; the result does not depend on it, so neither does the gradient.
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    let e = shifted.exp()?;
    Ok(e.broadcast_div(&e.sum_keepdim(D::Minus1)?)?)
}

/// Layer normalisation over the last axis (Ba et al. 2016): mean and biased variance.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    if !(x.track_op() || weight.track_op() || bias.track_op()) {
        return Ok(x.contiguous()?.apply_op3_no_bwd(
            &weight.contiguous()?,
            &bias.contiguous()?,
            &LayerNorm(eps),
        )?);
    }
    layer_norm_composed(x, weight, bias, eps)
}

fn layer_norm_composed(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    let normed = centred.broadcast_div(&(variance + eps)?.sqrt()?)?;
    Ok(normed.broadcast_mul(weight)?.broadcast_add(bias)?)
}

/// Root-mean-square normalisation over the last axis (Zhang & Sennrich 2019).
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    if !(x.track_op() || weight.track_op()) {
        #[expect(clippy::disallowed_methods, reason = "no graph is tracked")]
        return Ok(candle_nn::ops::rms_norm(
            &x.contiguous()?,
            &weight.contiguous()?,
            eps as f32,
        )?);
    }
    rms_norm_composed(x, weight, eps)
}

fn rms_norm_composed(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
    let normed = x.broadcast_div(&(mean_square + eps)?.sqrt()?)?;
    Ok(normed.broadcast_mul(weight)?)
}

/// An activation function, elementwise. candle's `gelu` is the tanh variant, `gelu_erf` the exact one.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    if activation == Activation::GeluErf && !x.track_op() {
        return Ok(x.contiguous()?.apply_op1_no_bwd(&GeluErf)?);
    }
    Ok(match activation {
        Activation::GeluErf => x.gelu_erf()?,
        Activation::GeluTanh => x.gelu()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
    })
}

/// Rotates pairs of coordinates, the first half of a head's width paired with the second (Llama's convention): `x`
/// `[tokens, head, width]`, `cos` and `sin` `[tokens, width / 2]`. Composed always: it is a small part of the work.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let (a, b) = (
        x.narrow(D::Minus1, 0, half)?,
        x.narrow(D::Minus1, half, half)?,
    );
    let (cos, sin) = (cos.unsqueeze(1)?, sin.unsqueeze(1)?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    Ok(Tensor::cat(&[first, second], D::Minus1)?)
}

/// Layer norm without a graph. candle's own computes the variance as a difference of means of squares, which loses digits
/// where the mean is large; this one takes two passes, as PyTorch does.
struct LayerNorm(f64);

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
        let width = layout.dims().last().copied().unwrap_or(0);
        let x = f32_slice(x, layout)?;
        let (weight, bias) = (
            f32_slice(weight, weight_layout)?,
            f32_slice(bias, bias_layout)?,
        );
        if width == 0 || weight.len() != width || bias.len() != width {
            bail!("layer norm over {width} numbers with {} weights", weight.len());
        }
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(width)
            .zip(x.par_chunks(width))
            .with_min_len(64)
            .for_each(|(out, x)| {
                let mean = x.iter().sum::<f32>() / width as f32;
                let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / width as f32;
                let scale = 1.0 / (variance + self.0 as f32).sqrt();
                for (i, out) in out.iter_mut().enumerate() {
                    *out = (x[i] - mean) * scale * weight[i] + bias[i];
                }
            });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// Exact GELU without a graph, on all cores (candle's unary operations use one).
struct GeluErf;

impl CustomOp1 for GeluErf {
    fn name(&self) -> &'static str {
        "plumb-gelu-erf"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, layout)?;
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(4096)
            .zip(x.par_chunks(4096))
            .for_each(|(out, x)| {
                for (out, x) in out.iter_mut().zip(x) {
                    *out = gelu_erf(*x);
                }
            });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

fn gelu_erf(x: f32) -> f32 {
    0.5 * x * (1.0 + candle_core::cpu::erf::erf_f32(x * std::f32::consts::FRAC_1_SQRT_2))
}

fn f32_slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("the fast kernels read contiguous f32 tensors"),
    }
}
