//! Llama: causal, pre-norm, rotary, grouped query heads, gated MLP (Touvron et al. 2023).

use super::common::*;
use super::rope::{self, Defaults};
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "llama",
    about: "Llama 1 to 3 decoders: base, LM (tied or untied) and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let mut spec = decoder(config, FAMILY.name, rms(config, 1e-6)?)?;
    grouped_heads(config, &mut spec, None, None)?;
    let bias = config.flag("attention_bias", false)?;
    spec.attention = AttentionSpec::plain(bias, bias);
    spec.mlp_bias = config.flag("mlp_bias", false)?;
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, false, None)?;
    config.only("rope_interleaved", false)?;
    // `pretraining_tp` splits the same product over devices; nobody reads the others.
    config.finish(&["is_llama_config", "max_sequence_length", "pretraining_tp"])?;
    Ok((spec, weights(has)))
}

/// A decoder with gated MLPs, in the field names that Llama and its kin share.
pub(super) fn decoder(config: &Config, family: &str, norm: Norm) -> Result<ArchSpec> {
    let base = base(config, family, &FIELDS, norm)?;
    Ok(ArchSpec {
        d_mlp: config.size("intermediate_size", None)?,
        mlp: Mlp::Gated,
        activation: activation(config, "hidden_act", "silu")?,
        ..base
    })
}

/// The names that Llama and its kin share.
pub(super) fn weights(has: &dyn Fn(&str) -> bool) -> WeightMap {
    WeightMap::new([
        ("embed.tokens", "{p}embed_tokens"),
        ("blocks.{i}.attn_norm", "{p}layers.{i}.input_layernorm"),
        ("blocks.{i}.attn.q", "{p}layers.{i}.self_attn.q_proj"),
        ("blocks.{i}.attn.k", "{p}layers.{i}.self_attn.k_proj"),
        ("blocks.{i}.attn.v", "{p}layers.{i}.self_attn.v_proj"),
        ("blocks.{i}.attn.o", "{p}layers.{i}.self_attn.o_proj"),
        ("blocks.{i}.attn.q_norm", "{p}layers.{i}.self_attn.q_norm"),
        ("blocks.{i}.attn.k_norm", "{p}layers.{i}.self_attn.k_norm"),
        (
            "blocks.{i}.mlp_norm",
            "{p}layers.{i}.post_attention_layernorm",
        ),
        ("blocks.{i}.mlp.gate", "{p}layers.{i}.mlp.gate_proj"),
        ("blocks.{i}.mlp.in", "{p}layers.{i}.mlp.up_proj"),
        ("blocks.{i}.mlp.out", "{p}layers.{i}.mlp.down_proj"),
        ("final_norm", "{p}norm"),
        ("head.unembed", "lm_head"),
        ("head.bias", "lm_head.bias"),
        ("head.classifier", "score"),
    ])
    .prefix(prefix(has, "model.", "embed_tokens.weight"))
    // Heads of other tasks, and the rotary tables that old versions of transformers saved.
    .ignoring(&[
        "lm_head.",
        "score.",
        "qa_outputs.",
        "{p}layers.{i}.self_attn.rotary_emb.inv_freq",
        "{p}rotary_emb.inv_freq",
    ])
}
