//! The operations of a transformer: one kernel each for f32, with the gradient worked out by hand, beside a composed reference.
//!
//! candle's fused operations drop gradients, and are denied everywhere (clippy's `disallowed-methods`); its composed ones have them,
//! but a training step spends most of its time on their many small passes. The kernels here take f32 on the CPU. Whatever else comes
//! goes the composed way (16 bits: the kernels, rounded), which is also what the tests compare with: kernels with composed operations in f64, composed gradients
//! with central differences. Kernels have first derivatives only. Products of weights and attention have kernels without gradients, for when
//! no argument tracks a graph; where one does, they go the composed way.

mod activation;
mod add;
mod attention;
mod buffers;
mod kernel;
mod matrix;
mod norm;
mod patterns;
mod product;
mod rope;
mod simd;
mod softmax;
mod threads;

pub use activation::{activate, gate};
pub use add::add;
pub(super) use attention::attention;
pub(super) use buffers::keep as keep_buffers;
pub use matrix::Matrix;
pub use norm::{layer_norm, rms_norm};
pub(super) use patterns::{Scoring, mix, scores};
pub use rope::rope;
pub use softmax::{cross_entropy, softmax};
pub use threads::alone;

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
    if let Some(y) = matrix::untracked(x, weight, bias)? {
        return Ok(y);
    }
    let y = x.matmul(&weight.t()?)?;
    Ok(match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    })
}

#[cfg(test)]
mod tests;
