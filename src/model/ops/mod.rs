//! The operations of a transformer: one kernel each for f32, with the gradient worked out by hand, beside a composed reference.
//!
//! candle's fused operations drop gradients, and are denied everywhere (clippy's `disallowed-methods`); its composed ones have them,
//! but a training step spends most of its time on their many small passes. The kernels here take f32 on the CPU. Whatever else comes
//! goes the composed way (16 bits: the kernels, rounded), which is also what the tests compare with: kernels with composed operations in f64, composed gradients
//! with central differences. Kernels have first derivatives only.

mod activation;
mod attention;
mod kernel;
mod norm;
mod rope;
mod softmax;

pub use activation::activate;
pub(super) use attention::attention;
pub(super) use kernel::widened;
pub use norm::{layer_norm, rms_norm};
pub use rope::rope;
pub use softmax::{cross_entropy, softmax};

use crate::error::Result;
use candle_core::Tensor;

/// `x @ weight.T + bias`, with `x` `[rows, in]`, `weight` `[out, in]`, `bias` `[out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let rounded = match bias {
        Some(bias) => kernel::in_f32([x, weight, bias], |[x, w, b]| linear(&x, &w, Some(&b))),
        None => kernel::in_f32([x, weight], |[x, w]| linear(&x, &w, None)),
    };
    if let Some(y) = rounded {
        return y;
    }
    let y = x.matmul(&weight.t()?)?;
    Ok(match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    })
}

#[cfg(test)]
mod tests;
