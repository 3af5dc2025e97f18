//! GPT-NeoX and Pythia (Black et al. 2022): attention and MLP in parallel with a norm each, rotary positions on a part of each head.

use super::common::*;
use super::rope::{self, Defaults};
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "gpt_neox",
    about: "GPT-NeoX and Pythia decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "layer_norm_eps", 1e-5)?;
    let base = base(config, FAMILY.name, &FIELDS, norm)?;
    equal_heads(config, &FIELDS, &base)?;
    let bias = config.flag("attention_bias", true)?;
    let mut spec = ArchSpec {
        d_mlp: config.size("intermediate_size", None)?,
        attention: AttentionSpec::plain(bias, bias),
        mlp_bias: true,
        activation: activation(config, "hidden_act", "gelu")?,
        ..base
    };
    if config.flag("use_parallel_residual", true)? {
        spec.residual = Residual::Parallel { shared_norm: false };
    }
    let defaults = Defaults {
        theta_field: "rotary_emb_base",
        part: Some((0.25, "rotary_pct")),
        ..Defaults::whole(10_000.0)
    };
    let rotary = rope::rotary(config, &mut spec, &defaults)?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, false, None)?;
    config.finish(&["is_decoder"])?;
    Ok((spec.clone(), weights(has, spec.n_heads)))
}

fn weights(has: &dyn Fn(&str) -> bool, heads: usize) -> WeightMap {
    let under = |name: &str| format!("{{p}}layers.{{i}}.{name}");
    // The published name; where both are there, transformers reads it.
    let unembed = match has("embed_out.weight") {
        true => "embed_out",
        false => "lm_head",
    };
    WeightMap::new([
        ("embed.tokens", "{p}embed_in"),
        ("blocks.{i}.attn_norm", &under("input_layernorm")),
        ("blocks.{i}.attn.o", &under("attention.dense")),
        ("blocks.{i}.mlp_norm", &under("post_attention_layernorm")),
        ("blocks.{i}.mlp.in", &under("mlp.dense_h_to_4h")),
        ("blocks.{i}.mlp.out", &under("mlp.dense_4h_to_h")),
        ("final_norm", "{p}final_layer_norm"),
        ("head.unembed", unembed),
        ("head.classifier", "score"),
    ])
    .prefix(prefix(has, "gpt_neox.", "embed_in.weight"))
    .fused_qkv(
        "{p}layers.{i}.attention.query_key_value",
        heads,
        [1; 3],
        false,
    )
    .ignoring(&[
        "embed_out.",
        "lm_head.",
        "score.",
        "qa_outputs.",
        "{p}layers.{i}.attention.bias",
        "{p}layers.{i}.attention.masked_bias",
        "{p}layers.{i}.attention.rotary_emb.inv_freq",
    ])
}
