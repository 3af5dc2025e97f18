//! OLMo 1 and 2 (Groeneveld et al. 2024; OLMo Team 2025): Llama with norms without weights, or with norms on outputs.

use super::Family;
use super::common::*;
use super::llama::{decoder, weights};
use super::rope::{self, Defaults};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILIES: [Family; 2] = [
    Family {
        name: "olmo",
        about: "OLMo decoders: base and LM heads",
        read: read_1,
    },
    Family {
        name: "olmo2",
        about: "OLMo 2 decoders: base and LM heads",
        read: read_2,
    },
];

fn read_1(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = Norm {
        kind: NormKind::LayerNormPlain,
        eps: 1e-5,
    };
    let mut spec = read(config, norm)?;
    spec.attention.clip = config.nullable_number("clip_qkv", None)?;
    config.finish(&[])?;
    Ok((spec, weights(has)))
}

fn read_2(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = rms(config, 1e-5)?;
    let mut spec = read(config, norm)?;
    spec.placement = Placement::Output;
    spec.attention.qk_norm = Some(QkNorm {
        norm,
        over: Over::All,
    });
    config.finish(&[])?;
    let map = weights(has).also([
        (
            "blocks.{i}.attn_out_norm",
            "{p}layers.{i}.post_attention_layernorm",
        ),
        (
            "blocks.{i}.mlp_out_norm",
            "{p}layers.{i}.post_feedforward_layernorm",
        ),
    ]);
    Ok((spec, map))
}

fn read(config: &Config, norm: Norm) -> Result<ArchSpec> {
    let mut spec = decoder(config, config.word("model_type", "olmo")?, norm)?;
    grouped_heads(config, &mut spec, None, None)?;
    let bias = config.flag("attention_bias", false)?;
    spec.attention = AttentionSpec::plain(bias, bias);
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, false, Some(1))?;
    Ok(spec)
}
