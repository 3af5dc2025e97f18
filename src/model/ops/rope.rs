//! Rotation of queries and keys.

use super::kernel::{f32_slice, fits, in_f32};
use super::simd::dispatch;
use super::threads;
use crate::error::Result;
use candle_core::{CpuStorage, CustomOp3, D, Layout, Shape, Tensor, bail};
use pulp::{Simd, WithSimd};

/// Rotates pairs of coordinates, the first half of a head's width paired with the second (Llama's convention): `x`
/// `[tokens, head, width]`, `cos` and `sin` `[tokens, width / 2]`.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    if let Some(y) = in_f32([x, cos, sin], |[x, cos, sin]| rope(&x, &cos, &sin)) {
        return y;
    }
    // The kernel has no gradient for the angles.
    if fits(&[x, cos, sin]) && !cos.track_op() && !sin.track_op() {
        let (cos, sin) = (cos.contiguous()?, sin.contiguous()?);
        return Ok(x.contiguous()?.apply_op3(&cos, &sin, Rope)?);
    }
    rope_composed(x, cos, sin)
}

pub(super) fn rope_composed(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
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

/// Tokens that one task takes.
const TOKENS: usize = 64;

/// Rotates the heads of tokens, compiled for the widest vectors.
struct Turn<'a> {
    x: &'a [f32],
    cos: &'a [f32],
    sin: &'a [f32],
    /// Numbers in a token, and in a head.
    sizes: [usize; 2],
    out: &'a mut [f32],
}

impl WithSimd for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let [token, width] = self.sizes;
        let half = width / 2;
        let angles = self.cos.chunks_exact(half).zip(self.sin.chunks_exact(half));
        let tokens = self
            .out
            .chunks_exact_mut(token)
            .zip(self.x.chunks_exact(token));
        for ((out, x), (cos, sin)) in tokens.zip(angles) {
            for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                let (a, b) = x.split_at(half);
                let (first, second) = out.split_at_mut(half);
                for i in 0..half {
                    first[i] = a[i] * cos[i] - b[i] * sin[i];
                    second[i] = b[i] * cos[i] + a[i] * sin[i];
                }
            }
        }
    }
}

struct Rope;

impl CustomOp3 for Rope {
    fn name(&self) -> &'static str {
        "plumb-rope"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        cos: &CpuStorage,
        cos_layout: &Layout,
        sin: &CpuStorage,
        sin_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let [tokens, heads, width] = *layout.dims() else {
            bail!(
                "rotation of {:?}, which is not [tokens, head, width]",
                layout.dims()
            );
        };
        let half = width / 2;
        let angles = [tokens, half];
        if half == 0 || width % 2 != 0 || cos_layout.dims() != angles || sin_layout.dims() != angles
        {
            bail!(
                "rotation of {:?} by angles {:?}",
                layout.dims(),
                cos_layout.dims()
            );
        }
        let x = f32_slice(x, layout)?;
        let (cos, sin) = (f32_slice(cos, cos_layout)?, f32_slice(sin, sin_layout)?);
        let mut out = vec![0f32; x.len()];
        let token = heads * width;
        threads::pieces(&mut out, TOKENS * token, |i, out| {
            let first = i * TOKENS;
            dispatch(Turn {
                x: &x[first * token..][..out.len()],
                cos: &cos[first * half..],
                sin: &sin[first * half..],
                sizes: [token, width],
                out,
            });
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// The gradient turns back.
    fn bwd(
        &self,
        _x: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let dx = grad
            .contiguous()?
            .apply_op3_no_bwd(cos, &sin.neg()?, &Rope)?;
        Ok((Some(dx), None, None))
    }
}
