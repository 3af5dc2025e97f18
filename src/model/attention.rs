//! Multi-head attention over a packed batch, group by group of equally long texts.

use super::linear::Linear;
use super::ops;
use super::pass::{Pass, visit};
use super::spec::{ArchSpec, Mask};
use super::weights::Weights;
use crate::error::Result;
use crate::hook::{At, Hook, HookPoint, Site};
use candle_core::{Device, Tensor};

/// The attention of one block.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    heads: usize,
    kv_heads: usize,
    width: usize,
    mask: Mask,
}

impl Attention {
    pub(super) fn load(name: &str, spec: &ArchSpec, weights: &mut dyn Weights) -> Result<Self> {
        let (d, inner) = (spec.d_model, spec.n_heads * spec.d_head);
        let kv = spec.n_kv_heads * spec.d_head;
        let mut linear = |part: &str, shape| {
            Linear::load(&format!("{name}.{part}"), shape, spec.attn_bias, weights)
        };
        Ok(Self {
            q: linear("q", (inner, d))?,
            k: linear("k", (kv, d))?,
            v: linear("v", (kv, d))?,
            o: linear("o", (d, inner))?,
            heads: spec.n_heads,
            kv_heads: spec.n_kv_heads,
            width: spec.d_head,
            mask: spec.mask,
        })
    }

    /// What attention adds to the stream, `[tokens, d_model]`, from what it reads.
    pub(super) fn apply(&self, x: &Tensor, pass: &Pass<'_>, hook: &mut dyn Hook) -> Result<Tensor> {
        let split = |y: Tensor, heads| y.reshape((y.dim(0)?, heads, self.width));
        let q = pass.visit(Site::AttnQ, split(self.q.apply(x)?, self.heads)?, hook)?;
        let k = pass.visit(Site::AttnK, split(self.k.apply(x)?, self.kv_heads)?, hook)?;
        let v = pass.visit(Site::AttnV, split(self.v.apply(x)?, self.kv_heads)?, hook)?;
        let (q, k) = match pass.rotation {
            Some(rotation) => (rotation.apply(&q)?, rotation.apply(&k)?),
            None => (q, k),
        };
        let z = self.mix_all([&q, &k, &v], pass, hook)?;
        let z = pass.visit(Site::AttnZ, z, hook)?;
        self.o.apply(&z.flatten_from(1)?)
    }

    /// The values of all texts mixed, `[tokens, head, d_head]`.
    fn mix_all(
        &self,
        [q, k, v]: [&Tensor; 3],
        pass: &Pass<'_>,
        hook: &mut dyn Hook,
    ) -> Result<Tensor> {
        let tracked = [q, k, v].iter().any(|t| t.track_op());
        if tracked && !hook.sees_patterns() {
            let mixed = ops::attention(q, k, v, pass.batch.segments(), self.mask)?;
            if let Some(mixed) = mixed {
                return Ok(mixed);
            }
        }
        let groups = pass.batch.groups().iter();
        let mixed: Vec<Tensor> = groups
            .map(|group| self.mix(q, k, v, group.clone(), pass, hook))
            .collect::<Result<_>>()?;
        Ok(Tensor::cat(&mixed, 0)?)
    }

    /// The values of one group mixed by its pattern, `[tokens of the group, head, d_head]`.
    fn mix(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        group: std::ops::Range<usize>,
        pass: &Pass<'_>,
        hook: &mut dyn Hook,
    ) -> Result<Tensor> {
        let segments = &pass.batch.segments()[group];
        let (texts, length) = (segments.len(), segments[0].len());
        // [tokens, head, d_head] -> [text, head, position, d_head]
        let split = |x: &Tensor| -> Result<Tensor> {
            let rows = x.narrow(0, segments[0].start, texts * length)?;
            let split = rows.reshape((texts, length, x.dim(1)?, self.width))?;
            Ok(split.transpose(1, 2)?.contiguous()?)
        };
        let (q, k, v) = (split(q)?, self.share(split(k)?)?, self.share(split(v)?)?);
        let scores = (q.matmul(&k.t()?)? * (self.width as f64).powf(-0.5))?;
        let scores = match self.mask {
            Mask::Bidirectional => scores,
            Mask::Causal => scores.broadcast_add(&causal_mask(length)?)?,
        };
        let at = |site| At {
            point: HookPoint::at(Some(pass.layer), site),
            segments,
        };
        let scores = visit(at(Site::AttnScores), scores, hook)?;
        let pattern = visit(at(Site::AttnPattern), ops::softmax(&scores)?, hook)?;
        let z = pattern.matmul(&v)?.transpose(1, 2)?;
        Ok(z.reshape((texts * length, self.heads, self.width))?)
    }

    /// Repeats key or value heads so that each query head has one: `[text, kv_head, ..]` to `[text, head, ..]`.
    fn share(&self, x: Tensor) -> Result<Tensor> {
        let repeats = self.heads / self.kv_heads;
        if repeats == 1 {
            return Ok(x);
        }
        let (texts, kv_heads, length, width) = x.dims4()?;
        let x = x.unsqueeze(2)?;
        let x = x.broadcast_as((texts, kv_heads, repeats, length, width))?;
        Ok(x.contiguous()?
            .reshape((texts, self.heads, length, width))?)
    }
}

/// 0 where a query (row) may look at a key (column), `-inf` where it may not.
fn causal_mask(length: usize) -> Result<Tensor> {
    let values: Vec<f32> = (0..length)
        .flat_map(|query| (0..length).map(move |key| (query, key)))
        .map(|(query, key)| if key > query { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    Ok(Tensor::from_vec(values, (length, length), &Device::Cpu)?)
}
