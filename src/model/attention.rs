//! Multi-head attention over a packed batch, group by group of equally long texts.

use super::linear::Linear;
use super::norm::HeadNorm;
use super::ops::{self, Scoring};
use super::pass::{Pass, visit};
use super::spec::{ArchSpec, Layer};
use super::weights::Weights;
use crate::error::Result;
use crate::hook::{At, Hook, HookPoint, Site};
use candle_core::Tensor;
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
    rotary: Option<usize>,
    clip: Option<f64>,
    scoring: Scoring,
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
            rotary: layer.rotary,
            clip: spec.attention.clip,
            scoring: Scoring {
                scale: layer.scale,
                softcap: spec.attention.softcap,
                mask: spec.mask,
                window: layer.window,
            },
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
        let (q, k) = match self.rotary {
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
        let bias = pass.bias.map(|bias| move |length| bias.scores(length));
        if !hook.sees_patterns() {
            let bias = bias.as_ref().map(|b| b as &dyn Fn(usize) -> Result<Tensor>);
            if let Some(z) = ops::attention([q, k, v], pass.batch, self.scoring, bias)? {
                return Ok(z);
            }
        }
        let mix = |group: &Range<usize>| {
            let segments = &pass.batch.segments()[group.clone()];
            let at = |site| At {
                point: HookPoint::at(Some(pass.layer), site),
                segments,
            };
            let bias = bias.as_ref().map(|b| b(segments[0].len())).transpose()?;
            let scores = ops::scores(q, k, segments, self.scoring, bias.as_ref())?;
            let scores = visit(at(Site::AttnScores), scores, hook)?;
            let pattern = visit(at(Site::AttnPattern), ops::softmax(&scores)?, hook)?;
            ops::mix(&pattern, v, segments)
        };
        let mixed: Vec<Tensor> = pass.batch.groups().iter().map(mix).collect::<Result<_>>()?;
        Ok(Tensor::cat(&mixed, 0)?)
    }
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
