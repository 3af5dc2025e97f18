//! Phi 3 and 4 (Abdin et al. 2024): Llama with fused projections and LongRoPE.

use super::Family;
use super::common::*;
use super::llama::{decoder, weights};
use super::rope::{self, Defaults};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "phi3",
    about: "Phi 3, 3.5 and 4 decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let mut spec = decoder(config, FAMILY.name, rms(config, 1e-5)?)?;
    grouped_heads(config, &mut spec, None, None)?;
    let window = config.nullable_size("sliding_window", None)?;
    for layer in &mut spec.layers {
        layer.window = window;
    }
    let defaults = Defaults {
        original_context: Some(4096),
        ..Defaults::part(1.0)
    };
    let rotary = rope::rotary(config, &mut spec, &defaults)?;
    rotate(&mut spec, rotary);
    for bias in ["attention_bias", "mlp_bias", "lm_head_bias"] {
        config.only(bias, false)?;
    }
    spec.head = decoder_head(config, false, Some(32_000))?;
    config.finish(&[
        "full_attn_mod",
        "interpolate_factor",
        "original_max_position_embeddings",
    ])?;
    let (heads, kv) = (spec.n_heads, spec.n_kv_heads);
    let map = weights(has)
        .fused_qkv(
            "{p}layers.{i}.self_attn.qkv_proj",
            1,
            [heads, kv, kv],
            false,
        )
        .stacked(
            "{p}layers.{i}.mlp.gate_up_proj",
            ["blocks.{i}.mlp.gate", "blocks.{i}.mlp.in"],
        );
    Ok((spec, map))
}
