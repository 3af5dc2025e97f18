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
            bail!(
                "layer norm over {width} numbers with {} weights",
                weight.len()
            );
        }
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(width)
            .zip(x.par_chunks(width))
            .with_min_len(64)
            .for_each(|(out, x)| {
                // In f64: in f32 the mean itself would be off by more than what is left after it is taken away.
                let mean = x.iter().map(|v| f64::from(*v)).sum::<f64>() / width as f64;
                let centred = |v: f32| (f64::from(v) - mean) as f32;
                let variance = x.iter().map(|v| centred(*v).powi(2)).sum::<f32>() / width as f32;
                let scale = 1.0 / (variance + self.0 as f32).sqrt();
                for (i, out) in out.iter_mut().enumerate() {
                    *out = centred(x[i]) * scale * weight[i] + bias[i];
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    fn random(seed: u64, shape: &[usize], spread: f64) -> Tensor {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let count: usize = shape.iter().product();
        let values: Vec<f64> = (0..count)
            .map(|_| rng.random_range(-spread..spread))
            .collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn largest(x: &Tensor) -> f64 {
        let x = x.to_dtype(DType::F64).unwrap().abs().unwrap();
        x.max_all().unwrap().to_scalar::<f64>().unwrap()
    }

    /// The fast path in f32 against the composed one in f64.
    fn close(fast: &Tensor, composed: &Tensor) {
        let fast = fast.to_dtype(DType::F64).unwrap();
        let error = largest(&(fast - composed).unwrap()) / largest(composed);
        assert!(error < 2e-6, "fast and composed differ by {error:.1e}");
    }

    #[test]
    fn fast_and_composed_paths_agree() {
        let f32s = |seed, shape: &[usize], spread| {
            random(seed, shape, spread).to_dtype(DType::F32).unwrap()
        };
        let f64s = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
        // A mean of 500 beside a spread of 3 is what a massive activation looks like.
        let x = (f32s(1, &[9, 4, 48], 3.0) + 500.0).unwrap();
        let (w, b) = (f32s(2, &[48], 1.0), f32s(3, &[48], 1.0));
        close(
            &layer_norm(&x, &w, &b, 1e-5).unwrap(),
            &layer_norm_composed(&f64s(&x), &f64s(&w), &f64s(&b), 1e-5).unwrap(),
        );
        close(
            &rms_norm(&x, &w, 1e-5).unwrap(),
            &rms_norm_composed(&f64s(&x), &f64s(&w), 1e-5).unwrap(),
        );
        let x = f32s(4, &[5, 7, 33], 6.0);
        close(&softmax(&x).unwrap(), &softmax_composed(&f64s(&x)).unwrap());
        close(
            &activate(&x, Activation::GeluErf).unwrap(),
            &f64s(&x).gelu_erf().unwrap(),
        );
        // Transposed input: the kernels read contiguous memory.
        let t = x.transpose(1, 2).unwrap();
        close(&softmax(&t).unwrap(), &softmax_composed(&f64s(&t)).unwrap());
    }

    #[test]
    fn exact_and_tanh_gelu_are_told_apart() {
        let x = Tensor::new(&[1.0f32], &Device::Cpu).unwrap();
        let at_one = |a| activate(&x, a).unwrap().to_vec1::<f32>().unwrap()[0];
        // Phi(1) = 0.841344746...
        assert!((at_one(Activation::GeluErf) - 0.841_344_75).abs() < 1e-6);
        assert!((at_one(Activation::GeluTanh) - 0.841_192).abs() < 1e-5);
    }

    /// The gradient of a random projection of `f`, against central differences in f64, for each argument.
    fn check_gradient(arguments: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
        let vars: Vec<Var> = arguments
            .iter()
            .map(|a| Var::from_tensor(a).unwrap())
            .collect();
        let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let weights = random(99, f(&tracked).unwrap().dims(), 1.0);
        let loss = |args: &[Tensor]| (f(args).unwrap() * &weights).unwrap().sum_all().unwrap();
        let store = loss(&tracked).backward().unwrap();
        for (i, var) in vars.iter().enumerate() {
            let direction = random(50 + i as u64, arguments[i].dims(), 1.0);
            let at = |step: f64| {
                let mut moved = arguments.to_vec();
                moved[i] = (&arguments[i] + (&direction * step).unwrap()).unwrap();
                // Variables, so that the composed path is taken: only that one runs in f64.
                let moved: Vec<Tensor> = moved
                    .iter()
                    .map(|m| Var::from_tensor(m).unwrap().as_tensor().clone())
                    .collect();
                loss(&moved).to_scalar::<f64>().unwrap()
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let gradient = (store.get(var).unwrap() * &direction).unwrap();
            let gradient = gradient.sum_all().unwrap().to_scalar::<f64>().unwrap();
            assert!(
                (gradient - difference).abs() <= 1e-6 * (1.0 + difference.abs()),
                "argument {i}: {gradient} against {difference}"
            );
        }
    }

    #[test]
    fn gradients_are_those_of_central_differences() {
        let x = random(1, &[5, 3, 8], 2.0);
        let (w, b) = (random(2, &[8], 1.0), random(3, &[8], 1.0));
        check_gradient(&[x.clone()], |a| softmax(&a[0]));
        check_gradient(&[x.clone(), w.clone(), b], |a| {
            layer_norm(&a[0], &a[1], &a[2], 1e-5)
        });
        check_gradient(&[x.clone(), w], |a| rms_norm(&a[0], &a[1], 1e-5));
        for activation in [
            Activation::GeluErf,
            Activation::GeluTanh,
            Activation::Relu,
            Activation::Silu,
        ] {
            check_gradient(&[x.clone()], |a| activate(&a[0], activation));
        }
        let angles = random(4, &[5, 4], 3.0);
        check_gradient(&[x], |a| rope(&a[0], &angles.cos()?, &angles.sin()?));
        let (x, w, b) = (
            random(5, &[6, 4], 1.0),
            random(6, &[3, 4], 1.0),
            random(7, &[3], 1.0),
        );
        check_gradient(&[x, w, b], |a| linear(&a[0], &a[1], Some(&a[2])));
    }
}
