//! Activation functions.

use super::kernel::{f32_slice, fits, in_f32, values};
use super::simd::{self, dispatch, erf, map, map_two};
use super::threads;
use crate::error::Result;
use crate::model::spec::Activation;
use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Tensor};
use pulp::{Simd, WithSimd};
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

/// An activation function times another tensor of the same shape: what a gated MLP does.
pub fn gate(x: &Tensor, y: &Tensor, activation: Activation) -> Result<Tensor> {
    let tracked = x.track_op() || y.track_op();
    if !fits(&[x, y]) || tracked || x.dims() != y.dims() {
        return Ok((activate(x, activation)? * y)?);
    }
    let shape = x.shape().clone();
    let (x, y) = (x.contiguous()?, y.contiguous()?);
    let (x, y) = (values(&x), values(&y));
    let (x, y) = (x.slice()?, y.slice()?);
    let mut out = vec![0f32; x.len()];
    threads::pieces(&mut out, CHUNK, |i, out| {
        let here = i * CHUNK..i * CHUNK + out.len();
        dispatch(Activated {
            activation,
            x: &x[here.clone()],
            times: Some(&y[here]),
            out,
        });
    });
    Ok(Tensor::from_vec(out, shape, &Device::Cpu)?)
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
        threads::pieces(&mut out, CHUNK, |i, out| {
            dispatch(Activated {
                activation: self.0,
                x: &x[i * CHUNK..i * CHUNK + out.len()],
                times: None,
                out,
            });
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

/// `out = activation(x) * times`
struct Activated<'a> {
    activation: Activation,
    x: &'a [f32],
    times: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl WithSimd for Activated<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.activation {
            Activation::GeluErf => self.each(
                simd,
                #[inline(always)]
                |x| gelu(simd, x),
            ),
            Activation::GeluTanh => self.each(
                simd,
                #[inline(always)]
                |x| gelu_tanh(simd, x),
            ),
            Activation::GeluQuick => self.each(
                simd,
                #[inline(always)]
                |x| {
                    let steep = simd.mul_f32s(simd.splat_f32s(QUICK as f32), x);
                    simd.mul_f32s(x, simd::sigmoid(simd, steep))
                },
            ),
            Activation::Silu => self.each(
                simd,
                #[inline(always)]
                |x| simd.mul_f32s(x, simd::sigmoid(simd, x)),
            ),
            Activation::Relu => self.each(
                simd,
                #[inline(always)]
                |x| positive(simd, x),
            ),
            Activation::ReluSquared => self.each(
                simd,
                #[inline(always)]
                |x| {
                    let x = positive(simd, x);
                    simd.mul_f32s(x, x)
                },
            ),
            // Of poolers, on one row a text.
            Activation::Tanh => {
                for (i, (out, x)) in self.out.iter_mut().zip(self.x).enumerate() {
                    *out = x.tanh() * self.times.map_or(1.0, |y| y[i]);
                }
            }
        }
    }
}

impl Activated<'_> {
    #[inline(always)]
    fn each<S: Simd>(self, simd: S, f: impl Fn(S::f32s) -> S::f32s) {
        match self.times {
            None => map(simd, self.x, self.out, f),
            Some(y) => map_two(
                simd,
                [self.x, y],
                self.out,
                #[inline(always)]
                |x, y| simd.mul_f32s(f(x), y),
            ),
        }
    }
}

/// `x (1 + erf(x / √2)) / 2`
#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let erf = erf(simd, simd.mul_f32s(simd.splat_f32s(FRAC_1_SQRT_2), x));
    let half = simd.mul_f32s(simd.splat_f32s(0.5), x);
    simd.mul_add_e_f32s(half, erf, half)
}

/// `x (1 + tanh u) / 2`, which is `x sigmoid(2u)`.
#[inline(always)]
fn gelu_tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let cube = simd.splat_f32s(2.0 * GELU_SCALE * GELU_CUBE);
    let slope = simd.splat_f32s(2.0 * GELU_SCALE);
    let slope = simd.mul_add_e_f32s(cube, simd.mul_f32s(x, x), slope);
    simd.mul_f32s(x, simd::sigmoid(simd, simd.mul_f32s(x, slope)))
}

/// The larger of `x` and 0; NaN is not below 0 and stays.
#[inline(always)]
fn positive<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    simd.select_f32s(simd.less_than_f32s(x, zero), zero, x)
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
