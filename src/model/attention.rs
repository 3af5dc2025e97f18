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
            "vocab_size": 30, "tie_word_embeddings": true}"#;
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
