//! Falcon (Almazrouei et al. 2023): rotary positions, one or few key heads, attention and MLP in parallel or not.

use super::common::*;
use super::rope::{self, Defaults};
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "falcon",
    about: "Falcon decoders: base, LM and sequence-classification heads",
    read,
};

const NAMES: Fields = Fields {
    d_model: "n_embed",
    ..FIELDS
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "layer_norm_epsilon", 1e-5)?;
    let base = base(config, FAMILY.name, &NAMES, norm)?;
    equal_heads(config, &NAMES, &base)?;
    let bias = config.flag("bias", false)?;
    let d_mlp = config.nullable_size("ffn_hidden_size", None)?;
    let mut spec = ArchSpec {
        d_mlp: d_mlp.unwrap_or(4 * base.d_model),
        attention: AttentionSpec::plain(bias, bias),
        mlp_bias: bias,
        activation: activation(config, "activation", "gelu")?,
        head: decoder_head(config, true, None)?,
        ..base
    };
    let new = config.flag("new_decoder_architecture", false)?;
    let slots = key_heads(config, &mut spec, new)?;
    spec.residual = residual(config, new)?;
    if config.flag("alibi", false)? {
        let problem = "transformers' eager attention adds the slopes twice and its fused one once, so there is no number to agree with";
        return Err(config.unsupported("alibi", problem));
    }
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    config.only("apply_residual_connection_post_layernorm", false)?;
    // The width of the MLP is `ffn_hidden_size`, in transformers too.
    config.finish(&["intermediate_size"])?;
    let map = weights(has, &spec, slots);
    Ok((spec, map))
}

/// Sets the number of key heads; returns how queries, keys and values stand in the fused tensor: groups, and heads of each in
/// a group.
fn key_heads(config: &Config, spec: &mut ArchSpec, new: bool) -> Result<(usize, [usize; 3])> {
    let heads = spec.n_heads;
    let kv = config.nullable_size("num_kv_heads", None)?.unwrap_or(heads);
    let multi_query = config.flag("multi_query", true)?;
    let (kv, slots) = match (new, multi_query) {
        (true, _) => {
            config.multiple("num_attention_heads", heads, ("num_kv_heads", kv))?;
            (kv, (kv, [heads / kv, 1, 1]))
        }
        (false, true) => (1, (1, [heads, 1, 1])),
        (false, false) => (heads, (heads, [1, 1, 1])),
    };
    spec.n_kv_heads = kv;
    Ok(slots)
}

fn residual(config: &Config, new: bool) -> Result<Residual> {
    let parallel = config.flag("parallel_attn", true)?;
    let norms = config.nullable_size("num_ln_in_parallel_attn", None)?;
    match (new, parallel, norms) {
        (false, false, None | Some(1)) => Ok(Residual::Serial),
        (false, true, None | Some(1)) => Ok(Residual::Parallel { shared_norm: true }),
        (true, true, None | Some(2)) => Ok(Residual::Parallel { shared_norm: false }),
        (true, true, Some(1)) => Ok(Residual::Parallel { shared_norm: true }),
        (true, false, _) => Err(config.unsupported("parallel_attn", "the new decoder is parallel")),
        (_, _, _) => {
            let problem = "transformers has no such block either";
            Err(config.unsupported("num_ln_in_parallel_attn", problem))
        }
    }
}

fn weights(
    has: &dyn Fn(&str) -> bool,
    spec: &ArchSpec,
    (groups, slots): (usize, [usize; 3]),
) -> WeightMap {
    let under = |name: &str| format!("{{p}}h.{{i}}.{name}");
    let (attn_norm, mlp_norm) = match spec.residual {
        Residual::Parallel { shared_norm: false } => ("ln_attn", "ln_mlp"),
        _ => ("input_layernorm", "post_attention_layernorm"),
    };
    WeightMap::new([
        ("embed.tokens", "{p}word_embeddings"),
        ("blocks.{i}.attn_norm", &under(attn_norm)),
        ("blocks.{i}.attn.o", &under("self_attention.dense")),
        ("blocks.{i}.mlp_norm", &under(mlp_norm)),
        ("blocks.{i}.mlp.in", &under("mlp.dense_h_to_4h")),
        ("blocks.{i}.mlp.out", &under("mlp.dense_4h_to_h")),
        ("final_norm", "{p}ln_f"),
        ("head.unembed", "lm_head"),
        ("head.classifier", "score"),
    ])
    .prefix(prefix(has, "transformer.", "word_embeddings.weight"))
    .fused_qkv(
        "{p}h.{i}.self_attention.query_key_value",
        groups,
        slots,
        false,
    )
    .ignoring(&[
        "lm_head.",
        "score.",
        "qa_outputs.",
        "{p}h.{i}.self_attention.rotary_emb.inv_freq",
    ])
}
