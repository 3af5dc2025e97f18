//! Activation functions.

use super::kernel::{f32_slice, fits, in_f32, values};
use crate::error::Result;
use crate::model::spec::Activation;
use candle_core::{CpuStorage, CustomOp1, Layout, Shape, Tensor};
use rayon::prelude::*;
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// Numbers that one task takes.
const CHUNK: usize = 4096;

/// An activation function, elementwise.
pub fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    if let Some(y) = in_f32([x], |[x]| activate(&x, activation)) {
        return y;
    }
    match fits(&[x]) {
        true => Ok(x.contiguous()?.apply_op1(Activate(activation))?),
        false => activate_composed(x, activation),
    }
}

/// candle's `gelu` is the tanh variant, `gelu_erf` the exact one.
pub(super) fn activate_composed(x: &Tensor, activation: Activation) -> Result<Tensor> {
    Ok(match activation {
        Activation::GeluErf => x.gelu_erf()?,
        Activation::GeluTanh => x.gelu()?,
        Activation::Relu => x.relu()?,
        Activation::Silu => x.silu()?,
        Activation::GeluQuick => ((x * QUICK)?.neg()?.exp()? + 1.0)?.recip()?.mul(x)?,
        Activation::ReluSquared => x.relu()?.sqr()?,
        Activation::Tanh => x.tanh()?,
    })
}

struct Activate(Activation);

impl CustomOp1 for Activate {
    fn name(&self) -> &'static str {
        "plumb-activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let x = f32_slice(x, layout)?;
        let mut out = vec![0f32; x.len()];
        let value = value(self.0);
        out.par_chunks_mut(CHUNK)
            .zip(x.par_chunks(CHUNK))
            .for_each(|(out, x)| {
                for (out, x) in out.iter_mut().zip(x) {
                    *out = value(*x);
                }
            });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (x_values, grad_values) = (values(x), values(&grad));
        let (values, grads) = (x_values.slice()?, grad_values.slice()?);
        let mut dx = vec![0f32; values.len()];
        let slope = slope(self.0);
        dx.par_chunks_mut(CHUNK)
            .zip(values.par_chunks(CHUNK))
            .zip(grads.par_chunks(CHUNK))
            .for_each(|((dx, x), grad)| {
                for ((dx, x), grad) in dx.iter_mut().zip(x).zip(grad) {
                    *dx = slope(*x) * grad;
                }
            });
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

fn value(activation: Activation) -> fn(f32) -> f32 {
    match activation {
        Activation::GeluErf => |x| x * normal_cdf(x),
        Activation::GeluTanh => |x| 0.5 * x * (1.0 + gelu_inner(x).tanh()),
        Activation::Relu => |x| x.max(0.0),
        Activation::Silu => |x| x * sigmoid(x),
        Activation::GeluQuick => |x| x * sigmoid(QUICK as f32 * x),
        Activation::ReluSquared => |x| x.max(0.0) * x.max(0.0),
        Activation::Tanh => f32::tanh,
    }
}

fn slope(activation: Activation) -> fn(f32) -> f32 {
    match activation {
        Activation::GeluErf => |x| {
            let density = 0.5 * FRAC_1_SQRT_2 * FRAC_2_SQRT_PI * (-0.5 * x * x).exp();
            normal_cdf(x) + x * density
        },
        Activation::GeluTanh => |x| {
            let tanh = gelu_inner(x).tanh();
            let inner = GELU_SCALE * (1.0 + 3.0 * GELU_CUBE * x * x);
            0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * inner
        },
        Activation::Relu => |x| if x > 0.0 { 1.0 } else { 0.0 },
        Activation::Silu => |x| {
            let s = sigmoid(x);
            s * (1.0 + x * (1.0 - s))
        },
        Activation::GeluQuick => |x| {
            let s = sigmoid(QUICK as f32 * x);
            s * (1.0 + QUICK as f32 * x * (1.0 - s))
        },
        Activation::ReluSquared => |x| 2.0 * x.max(0.0),
        Activation::Tanh => |x| 1.0 - x.tanh() * x.tanh(),
    }
}

/// Of the sigmoid approximation of GELU (Hendrycks & Gimpel 2016).
const QUICK: f64 = 1.702;
/// `sqrt(2 / pi)`
const GELU_SCALE: f32 = FRAC_1_SQRT_2 * FRAC_2_SQRT_PI;
const GELU_CUBE: f32 = 0.044_715;

fn gelu_inner(x: f32) -> f32 {
    GELU_SCALE * x * (1.0 + GELU_CUBE * x * x)
}

fn normal_cdf(x: f32) -> f32 {
    0.5 * (1.0 + candle_core::cpu::erf::erf_f32(x * FRAC_1_SQRT_2))
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
