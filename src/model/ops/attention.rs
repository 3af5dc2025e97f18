//! Attention over a packed batch as one operation, for when nobody looks at its patterns.

use super::kernel::{add_scaled, dot, f32_slice, fits, values};
use super::patterns::{Scoring, attend};
use super::softmax::softmax_row;
use crate::error::Result;
use crate::model::spec::Mask;
use crate::text::batch::Batch;
use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor, bail};
use rayon::prelude::*;
use std::ops::Range;

/// Values mixed by attention, `[tokens, head, width]`, from `q` `[tokens, head, width]` and `k`, `v` `[tokens, kv_head, width]`;
/// `bias` gives what is added to the scores of texts of a length. `None` for tensors that it has no kernel for.
///
/// Without a graph these are the kernels of [`super::scores`], softmax and [`super::mix`], one after the other. With one it exists for
/// gradients: composed, each group of equally long texts leaves a gradient as large as the batch.
pub(crate) fn attention(
    [q, k, v]: [&Tensor; 3],
    batch: &Batch,
    scoring: Scoring,
    bias: Option<&dyn Fn(usize) -> Result<Tensor>>,
) -> Result<Option<Tensor>> {
    if !fits(&[q, k, v]) {
        return Ok(None);
    }
    let covered = q.dim(0)? == batch.tokens();
    if covered && !q.track_op() && !k.track_op() && !v.track_op() {
        return attend([q, k, v], batch, scoring, bias);
    }
    let plain = scoring.window.is_none()
        && scoring.scale == (q.dim(2)? as f64).powf(-0.5)
        && scoring.softcap.is_none()
        && bias.is_none();
    if !plain {
        return Ok(None);
    }
    let op = Attention {
        texts: batch.segments().to_vec(),
        mask: scoring.mask,
    };
    let (q, k, v) = (q.contiguous()?, k.contiguous()?, v.contiguous()?);
    Ok(Some(q.apply_op3(&k, &v, op)?))
}

struct Attention {
    texts: Vec<Range<usize>>,
    mask: Mask,
}

/// Heads and their width.
#[derive(Clone, Copy)]
struct Sizes {
    heads: usize,
    kv_heads: usize,
    width: usize,
    mask: Mask,
}

impl Sizes {
    /// Numbers in a token's queries, and in its keys or values.
    fn strides(self) -> (usize, usize) {
        (self.heads * self.width, self.kv_heads * self.width)
    }

    /// Where in the token's numbers a query head and its key head begin.
    fn offsets(self, head: usize) -> (usize, usize) {
        let kv_head = head / (self.heads / self.kv_heads);
        (head * self.width, kv_head * self.width)
    }

    /// How many tokens a query sees, from the first.
    fn seen(self, query: usize, length: usize) -> usize {
        match self.mask {
            Mask::Causal => query + 1,
            Mask::Bidirectional => length,
        }
    }

    fn scale(self) -> f32 {
        (self.width as f64).powf(-0.5) as f32
    }

    /// Calls `f` with head, query and pattern (one weight for each key that it sees).
    fn patterns(self, q: &[f32], k: &[f32], mut f: impl FnMut(usize, usize, &[f32])) {
        let (q_stride, k_stride) = self.strides();
        let length = q.len() / q_stride;
        let mut scores = vec![0f32; length];
        let mut pattern = vec![0f32; length];
        for head in 0..self.heads {
            let (at, kv_at) = self.offsets(head);
            for query in 0..length {
                let seen = self.seen(query, length);
                let row = &q[query * q_stride + at..][..self.width];
                for (key, score) in scores[..seen].iter_mut().enumerate() {
                    *score = dot(row, &k[key * k_stride + kv_at..][..self.width]) * self.scale();
                }
                softmax_row(&scores[..seen], &mut pattern[..seen]);
                f(head, query, &pattern[..seen]);
            }
        }
    }

    /// One text forward.
    fn mix(self, q: &[f32], k: &[f32], v: &[f32], z: &mut [f32]) {
        let (stride, v_stride) = self.strides();
        self.patterns(q, k, |head, query, pattern| {
            let (at, kv_at) = self.offsets(head);
            let z = &mut z[query * stride + at..][..self.width];
            for (key, weight) in pattern.iter().enumerate() {
                add_scaled(z, *weight, &v[key * v_stride + kv_at..][..self.width]);
            }
        });
    }

    /// One text backward: gradients of queries, keys and values from that of the mixed values.
    fn unmix(self, [q, k, v, dz]: [&[f32]; 4], [dq, dk, dv]: [&mut [f32]; 3]) {
        let (stride, kv_stride) = self.strides();
        let mut dpattern = vec![0f32; q.len() / stride];
        self.patterns(q, k, |head, query, pattern| {
            let (at, kv_at) = self.offsets(head);
            let row = query * stride + at..query * stride + at + self.width;
            let kv_row = |key: usize| key * kv_stride + kv_at..key * kv_stride + kv_at + self.width;
            let dz = &dz[row.clone()];
            for (key, weight) in pattern.iter().enumerate() {
                dpattern[key] = dot(dz, &v[kv_row(key)]);
                add_scaled(&mut dv[kv_row(key)], *weight, dz);
            }
            let mean = dot(pattern, &dpattern[..pattern.len()]);
            for (key, weight) in pattern.iter().enumerate() {
                let dscore = weight * (dpattern[key] - mean) * self.scale();
                add_scaled(&mut dq[row.clone()], dscore, &k[kv_row(key)]);
                add_scaled(&mut dk[kv_row(key)], dscore, &q[row.clone()]);
            }
        });
    }
}

impl Attention {
    fn sizes(&self, q: &[usize], k: &[usize], v: &[usize]) -> candle_core::Result<Sizes> {
        let (&[tokens, heads, width], &[keys, kv_heads, key_width]) = (q, k) else {
            bail!("attention of {q:?} over {k:?}, which are not [tokens, head, width]");
        };
        let joined = self.texts.iter().try_fold(0, |end, text| {
            (text.start == end && text.end > end).then_some(text.end)
        });
        let shared = kv_heads > 0 && heads % kv_heads == 0;
        if k != v || keys != tokens || width != key_width || !shared || joined != Some(tokens) {
            bail!(
                "attention of {q:?} over {k:?} and {v:?} in {} texts",
                self.texts.len()
            );
        }
        if heads * width == 0 {
            bail!("attention with {heads} heads of {width}");
        }
        Ok(Sizes {
            heads,
            kv_heads,
            width,
            mask: self.mask,
        })
    }

    /// The part of each text.
    fn split<'a>(&self, values: &'a [f32], stride: usize) -> Vec<&'a [f32]> {
        let texts = self.texts.iter();
        texts
            .map(|t| &values[t.start * stride..t.end * stride])
            .collect()
    }

    fn split_mut<'a>(&self, mut values: &'a mut [f32], stride: usize) -> Vec<&'a mut [f32]> {
        let texts = self.texts.iter();
        texts
            .map(|t| {
                let (text, rest) = std::mem::take(&mut values).split_at_mut(t.len() * stride);
                values = rest;
                text
            })
            .collect()
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "plumb-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let sizes = self.sizes(q_layout.dims(), k_layout.dims(), v_layout.dims())?;
        let (stride, kv_stride) = sizes.strides();
        let q = self.split(f32_slice(q, q_layout)?, stride);
        let k = self.split(f32_slice(k, k_layout)?, kv_stride);
        let v = self.split(f32_slice(v, v_layout)?, kv_stride);
        let mut z = vec![0f32; q_layout.shape().elem_count()];
        self.split_mut(&mut z, stride)
            .into_par_iter()
            .zip(q)
            .zip(k.into_par_iter().zip(v))
            .for_each(|((z, q), (k, v))| sizes.mix(q, k, v, z));
        Ok((CpuStorage::F32(z), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _z: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes = self.sizes(q.dims(), k.dims(), v.dims())?;
        let (stride, kv_stride) = sizes.strides();
        let grad = grad.contiguous()?;
        let [mut dq, mut dk, mut dv] = [q, k, v].map(|t| vec![0f32; t.elem_count()]);
        let values = [q, k, v, &grad].map(values);
        let [q_values, k_values, v_values, grads] = &values;
        let ins = self
            .split(q_values.slice()?, stride)
            .into_par_iter()
            .zip(self.split(k_values.slice()?, kv_stride))
            .zip(self.split(v_values.slice()?, kv_stride))
            .zip(self.split(grads.slice()?, stride));
        self.split_mut(&mut dq, stride)
            .into_par_iter()
            .zip(self.split_mut(&mut dk, kv_stride))
            .zip(self.split_mut(&mut dv, kv_stride))
            .zip(ins)
            .for_each(|(((dq, dk), dv), (((q, k), v), dz))| {
                sizes.unmix([q, k, v, dz], [dq, dk, dv]);
            });
        let tensor =
            |values, like: &Tensor| Tensor::from_vec(values, like.shape(), like.device()).map(Some);
        Ok((tensor(dq, q)?, tensor(dk, k)?, tensor(dv, v)?))
    }
}
