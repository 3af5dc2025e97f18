//! Command R (Cohere 2024): attention and MLP in parallel behind one norm, rotary positions in neighbouring pairs.

use super::Family;
use super::common::*;
use super::llama::{decoder, weights};
use super::rope::{self, Defaults};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "cohere",
    about: "Command R decoders: base and LM heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = Norm {
        kind: NormKind::LayerNormNoBias,
        eps: config.number("layer_norm_eps", Some(1e-5))?,
    };
    let mut spec = decoder(config, FAMILY.name, norm)?;
    grouped_heads(config, &mut spec, None, None)?;
    let bias = config.flag("attention_bias", false)?;
    spec.attention = AttentionSpec::plain(bias, bias);
    if config.flag("use_qk_norm", false)? {
        spec.attention.qk_norm = Some(QkNorm {
            norm,
            over: Over::EachHead,
        });
    }
    spec.residual = Residual::Parallel { shared_norm: true };
    let mut rotary = rope::rotary(config, &mut spec, &Defaults::whole(500_000.0))?;
    rotary.interleaved = true;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, true, Some(0))?;
    let factor = config.number("logit_scale", Some(0.0625))?;
    if let Head::Lm { scale, .. } = &mut spec.head {
        *scale = factor;
    }
    config.finish(&["model_max_length", "pretraining_tp"])?;
    Ok((spec, weights(has)))
}
