//! Multi-head attention over a packed batch, group by group of equally long texts.

use super::linear::Linear;
use super::norm::HeadNorm;
use super::ops;
use super::pass::{Pass, visit};
use super::position::Bias;
use super::spec::{ArchSpec, Layer, Mask};
use super::weights::Weights;
use crate::error::Result;
use crate::hook::{At, Hook, HookPoint, Site};
use candle_core::{Device, Tensor};
use std::ops::Range;

/// The attention of one block.
#[derive(Debug, Clone)]
pub(super) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    norms: Option<(HeadNorm, HeadNorm)>,
    heads: usize,
    kv_heads: usize,
    width: usize,
    mask: Mask,
    layer: Layer,
    clip: Option<f64>,
    softcap: Option<f64>,
}

impl Attention {
    pub(super) fn load(
        name: &str,
        layer: Layer,
        spec: &ArchSpec,
        weights: &mut dyn Weights,
    ) -> Result<Self> {
        let (d, inner) = (spec.d_model, spec.n_heads * spec.d_head);
        let kv = spec.n_kv_heads * spec.d_head;
        let (qkv_bias, out_bias) = (spec.attention.qkv_bias, spec.attention.out_bias);
        let mut linear =
            |part: &str, shape, bias| Linear::load(&format!("{name}.{part}"), shape, bias, weights);
        let (q, k) = (
            linear("q", (inner, d), qkv_bias)?,
            linear("k", (kv, d), qkv_bias)?,
        );
        let (v, o) = (
            linear("v", (kv, d), qkv_bias)?,
            linear("o", (d, inner), out_bias)?,
        );
        let mut norm = |part: &str, heads, spec_| {
            HeadNorm::load(
                &format!("{name}.{part}"),
                (heads, spec.d_head),
                spec_,
                weights,
            )
        };
        let norms = match spec.attention.qk_norm {
            None => None,
            Some(n) => Some((
                norm("q_norm", spec.n_heads, n)?,
                norm("k_norm", spec.n_kv_heads, n)?,
            )),
        };
        Ok(Self {
            q,
            k,
            v,
            o,
            norms,
            heads: spec.n_heads,
            kv_heads: spec.n_kv_heads,
            width: spec.d_head,
            mask: spec.mask,
            layer,
            clip: spec.attention.clip,
            softcap: spec.attention.softcap,
        })
    }

    /// The weights of one head: queries, keys and values `[d_head, d_model]`, and what its numbers add to the stream, likewise.
    pub(super) fn head(&self, head: usize) -> Result<[Tensor; 4]> {
        let shared = head / (self.heads / self.kv_heads);
        let rows = |linear: &Linear, head: usize| -> Result<Tensor> {
            Ok(linear.weight()?.narrow(0, head * self.width, self.width)?)
        };
        let out = self.o.weight()?.narrow(1, head * self.width, self.width)?;
        Ok([
            rows(&self.q, head)?,
            rows(&self.k, shared)?,
            rows(&self.v, shared)?,
            out.t()?.contiguous()?,
        ])
    }

    /// What attention gives, `[tokens, d_model]`, from what it reads.
    pub(super) fn apply(&self, x: &Tensor, pass: &Pass<'_>, hook: &mut dyn Hook) -> Result<Tensor> {
        let mut project = |linear: &Linear, heads, site| {
            let y = linear.apply(x)?;
            let y = match self.clip {
                None => y,
                Some(clip) => y.clamp(-clip, clip)?,
            };
            pass.visit(site, y.reshape((y.dim(0)?, heads, self.width))?, hook)
        };
        let q = project(&self.q, self.heads, Site::AttnQ)?;
        let k = project(&self.k, self.kv_heads, Site::AttnK)?;
        let v = project(&self.v, self.kv_heads, Site::AttnV)?;
        let (q, k) = match &self.norms {
            Some((q_norm, k_norm)) => (q_norm.apply(&q)?, k_norm.apply(&k)?),
            None => (q, k),
        };
        let (q, k) = match self.layer.rotary {
            Some(rotary) => {
                let rotation = &pass.rotations[rotary];
                (rotation.apply(&q)?, rotation.apply(&k)?)
            }
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
        let plain = self.layer.window.is_none()
            && self.layer.scale == (self.width as f64).powf(-0.5)
            && self.softcap.is_none()
            && pass.bias.is_none();
        if tracked && plain && !hook.sees_patterns() {
            let mixed = ops::attention(q, k, v, pass.batch.segments(), self.mask)?;
            if let Some(mixed) = mixed {
                return Ok(mixed);
            }
        }
        let groups = pass.batch.groups().iter();
        let mixed: Vec<Tensor> = groups
            .map(|group| self.mix([q, k, v], group.clone(), pass, hook))
            .collect::<Result<_>>()?;
        Ok(Tensor::cat(&mixed, 0)?)
    }

    /// The values of one group mixed by its pattern, `[tokens of the group, head, d_head]`.
    fn mix(
        &self,
        [q, k, v]: [&Tensor; 3],
        group: Range<usize>,
        pass: &Pass<'_>,
        hook: &mut dyn Hook,
    ) -> Result<Tensor> {
        let segments = &pass.batch.segments()[group];
        let (texts, length) = (segments.len(), segments[0].len());
        // [tokens, head, d_head] -> [text, head, position, d_head]
        let split = |x: &Tensor| -> Result<Tensor> {
            let rows = x.narrow(0, segments[0].start, texts * length)?;
            let split = rows.reshape((texts, length, x.dim(1)?, self.width))?;
            // Patterns of a model in 16 bits are computed in f32, as torch's fused attention does.
            Ok(ops::widened(&split.transpose(1, 2)?)?.contiguous()?)
        };
        let precision = q.dtype();
        let (q, k, v) = (split(q)?, self.share(split(k)?)?, self.share(split(v)?)?);
        let scores = self.masked(q.matmul(&k.t()?)?, length, pass.bias)?;
        let at = |site| At {
            point: HookPoint::at(Some(pass.layer), site),
            segments,
        };
        let scores = visit(at(Site::AttnScores), scores, hook)?;
        let pattern = visit(at(Site::AttnPattern), ops::softmax(&scores)?, hook)?;
        let z = pattern.matmul(&v)?.transpose(1, 2)?;
        let z = z.reshape((texts * length, self.heads, self.width))?;
        Ok(z.to_dtype(precision)?)
    }

    /// Products of queries and keys `[text, head, query, key]` scaled, capped, biased and masked.
    fn masked(&self, products: Tensor, length: usize, bias: Option<&Bias>) -> Result<Tensor> {
        let dtype = products.dtype();
        let scores = (products * self.layer.scale)?;
        let scores = match bias {
            None => scores,
            Some(bias) => scores.broadcast_add(&bias.scores(length, dtype)?)?,
        };
        let scores = match self.softcap {
            None => scores,
            Some(cap) => ((scores / cap)?.tanh()? * cap)?,
        };
        match (self.mask, self.layer.window) {
            (Mask::Bidirectional, None) => Ok(scores),
            (Mask::Bidirectional, Some(window)) if length <= window => Ok(scores),
            (mask, window) => {
                Ok(scores.broadcast_add(&mask_of(mask, window, length)?.to_dtype(dtype)?)?)
            }
        }
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
fn mask_of(mask: Mask, window: Option<usize>, length: usize) -> Result<Tensor> {
    let seen = |query: usize, key: usize| {
        (mask == Mask::Bidirectional || key <= query)
            && window.is_none_or(|w| query.abs_diff(key) < w)
    };
    let values: Vec<f32> = (0..length)
        .flat_map(|query| (0..length).map(move |key| (query, key)))
        .map(|(query, key)| {
            if seen(query, key) {
                0.0
            } else {
                f32::NEG_INFINITY
            }
        })
        .collect();
    Ok(Tensor::from_vec(values, (length, length), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::NoHook;
    use crate::model::config::Config;
    use crate::model::{Model, RandomWeights, Recorded, Transformer, family_of};
    use crate::text::batch::Batch;
    use candle_core::Var;
    use std::collections::BTreeMap;

    /// Looks at everything and changes nothing.
    struct Looker(usize);

    impl Hook for Looker {
        fn on(&mut self, at: At<'_>, x: Tensor) -> Result<Tensor> {
            self.0 += usize::from(at.point == HookPoint::at(Some(1), Site::AttnPattern));
            Ok(x)
        }
    }

    #[test]
    fn looking_at_patterns_changes_neither_logits_nor_gradients() {
        let config = r#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 16,
            "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2, "intermediate_size": 24,
            "vocab_size": 30, "max_position_embeddings": 16, "tie_word_embeddings": true}"#;
        let config = Config::parse(std::path::Path::new("config.json"), config).unwrap();
        let (spec, _) = (family_of(&config).unwrap().read)(&config, &|_| true).unwrap();
        let mut weights = Recorded::new(RandomWeights::new(1));
        Transformer::build(spec.clone(), &mut weights).unwrap();
        let var = |(name, t)| (name, Var::from_tensor(&t).unwrap());
        let vars: BTreeMap<String, Var> = weights.taken.into_iter().map(var).collect();
        let tensor = |(name, v): (&String, &Var)| (name.clone(), v.as_tensor().clone());
        let mut tensors: BTreeMap<String, Tensor> = vars.iter().map(tensor).collect();
        let model = Transformer::build(spec, &mut tensors).unwrap();

        let batch = Batch::new(&[vec![3u32, 1, 4, 1], vec![5], vec![9, 2, 6, 5], vec![3, 5]]);
        let batch = batch.unwrap();
        let run = |hook: &mut dyn Hook| {
            let logits = model
                .forward(&batch, hook)
                .unwrap()
                .unwrap()
                .logits
                .unwrap();
            let loss = logits.sqr().unwrap().mean_all().unwrap();
            (logits, loss.backward().unwrap())
        };
        let mut looker = Looker(0);
        let ((blind, blind_store), (seen, seen_store)) = (run(&mut NoHook), run(&mut looker));
        assert_eq!(looker.0, 3, "one call a length");
        close(&blind, &seen, "logits");
        for (name, var) in &vars {
            let of = |store: &candle_core::backprop::GradStore| store.get(var).unwrap().clone();
            close(&of(&blind_store), &of(&seen_store), name);
        }
    }

    fn close(a: &Tensor, b: &Tensor, what: &str) {
        let largest = |x: &Tensor| {
            let x = x.abs().unwrap().flatten_all().unwrap();
            x.max(0).unwrap().to_scalar::<f32>().unwrap()
        };
        let error = largest(&(a - b).unwrap()) / largest(b);
        assert!(error < 1e-5, "{what}: {error:.1e}");
    }
}
