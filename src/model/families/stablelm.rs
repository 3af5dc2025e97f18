//! StableLM 2 and 3 (Stability AI 2023): Llama with layer norms and rotary positions on a part of each head.

use super::Family;
use super::common::*;
use super::llama::{decoder, weights};
use super::rope::{self, Defaults};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::take::Take;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "stablelm",
    about: "StableLM decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "layer_norm_eps", 1e-5)?;
    let mut spec = decoder(config, FAMILY.name, norm)?;
    equal_heads(config, &FIELDS, &spec)?;
    config.only("head_dim", spec.d_head)?;
    grouped_heads(config, &mut spec, Some(32), None)?;
    spec.attention = AttentionSpec::plain(config.flag("use_qkv_bias", false)?, false);
    if config.flag("qk_layernorm", false)? {
        spec.attention.qk_norm = Some(QkNorm {
            norm,
            over: Over::EachHead,
        });
    }
    if config.flag("use_parallel_residual", false)? {
        spec.residual = Residual::Parallel { shared_norm: true };
    }
    let rotary = rope::rotary(config, &mut spec, &Defaults::part(0.25))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, false, None)?;
    config.finish(&[])?;
    let map = weights(has)
        .also([
            (
                "blocks.{i}.attn.q_norm.weight",
                "{p}layers.{i}.self_attn.q_layernorm.norms.{h}.weight",
            ),
            (
                "blocks.{i}.attn.k_norm.weight",
                "{p}layers.{i}.self_attn.k_layernorm.norms.{h}.weight",
            ),
        ])
        .taking(
            ["blocks.{i}.attn.q_norm", "blocks.{i}.attn.k_norm"],
            &Take::Rows,
        );
    Ok((spec, map))
}
