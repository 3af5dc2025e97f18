//! Llama: causal, pre-norm, rotary, grouped query heads, gated MLP (Touvron et al. 2023).

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
    let n_heads = config.size("num_attention_heads", None)?;
    let d_model = config.size("hidden_size", None)?;
    let n_kv_heads = config.size("num_key_value_heads", Some(n_heads))?;
    if n_heads % n_kv_heads != 0 {
        return Err(config.unsupported("num_key_value_heads", "it must divide num_attention_heads"));
    }
    let d_head = config.size("head_dim", Some((d_model / n_heads).max(1)))?;
    if d_head % 2 != 0 {
        return Err(config.unsupported("head_dim", "rotary positions need an even width"));
    }
    let tied = config.flag("tie_word_embeddings", false)?;
    let head = match config.architecture() {
        Some("LlamaForCausalLM") => Head::Lm { tied },
        Some("LlamaForSequenceClassification") => Head::LastTokenClassifier {
            classes: config.classes()?,
        },
        _ => Head::None,
    };
    let spec = ArchSpec {
        family: FAMILY.name.to_owned(),
        d_model,
        n_layers: config.size("num_hidden_layers", None)?,
        n_heads,
        n_kv_heads,
        d_head,
        d_mlp: config.size("intermediate_size", None)?,
        vocab: config.size("vocab_size", None)?,
        context: config.size("max_position_embeddings", Some(2048))?,
        token_types: 0,
        embed_norm: false,
        position: rotary(config)?,
        mask: Mask::Causal,
        norm: Norm {
            kind: NormKind::RmsNorm,
            eps: config.number("rms_norm_eps", Some(1e-6))?,
        },
        placement: Placement::Pre,
        final_norm: true,
        attn_bias: config.flag("attention_bias", false)?,
        mlp_bias: config.flag("mlp_bias", false)?,
        mlp: Mlp::Gated,
        activation: activation(config, "hidden_act", "silu")?,
        head,
        pooler: false,
    };
    // `pretraining_tp` splits the same product over devices.
    config.finish(&["pretraining_tp"])?;
    let prefix = match has("model.embed_tokens.weight") {
        true => "model.",
        false => "",
    };
    Ok((spec, weights(prefix)))
}

/// Both spellings: `rope_theta` beside `rope_scaling`, and `rope_parameters` (transformers 5).
fn rotary(config: &Config) -> Result<Position> {
    let outer_theta = config.number("rope_theta", Some(10_000.0))?;
    let context = config.size("max_position_embeddings", Some(2048))?;
    let field = match config.get("rope_parameters") {
        Some(_) => "rope_parameters",
        None => "rope_scaling",
    };
    let Some(rope) = config.object(field)? else {
        return Ok(Position::Rotary {
            theta: outer_theta,
            scaling: RopeScaling::None,
        });
    };
    let theta = rope.number("rope_theta", Some(outer_theta))?;
    let kind = match rope.get("rope_type") {
        Some(_) => rope.word("rope_type", "default")?,
        None => rope.word("type", "default")?,
    };
    let scaling = match kind {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear {
            factor: rope.number("factor", None)?,
        },
        "llama3" => RopeScaling::Llama3 {
            factor: rope.number("factor", None)?,
            low_freq_factor: rope.number("low_freq_factor", None)?,
            high_freq_factor: rope.number("high_freq_factor", None)?,
            original_context: rope
                .number("original_max_position_embeddings", Some(context as f64))?,
        },
        _ => {
            return Err(config.unsupported(
                field,
                "implemented rope types are default, linear and llama3",
            ));
        }
    };
    // A `type` beside a `rope_type` says the same thing in the old spelling.
    rope.finish(&["type"])?;
    Ok(Position::Rotary { theta, scaling })
}

fn weights(prefix: &str) -> WeightMap {
    WeightMap::new([
        ("embed.tokens", "{p}embed_tokens"),
        ("blocks.{i}.attn_norm", "{p}layers.{i}.input_layernorm"),
        ("blocks.{i}.attn.q", "{p}layers.{i}.self_attn.q_proj"),
        ("blocks.{i}.attn.k", "{p}layers.{i}.self_attn.k_proj"),
        ("blocks.{i}.attn.v", "{p}layers.{i}.self_attn.v_proj"),
        ("blocks.{i}.attn.o", "{p}layers.{i}.self_attn.o_proj"),
        (
            "blocks.{i}.mlp_norm",
            "{p}layers.{i}.post_attention_layernorm",
        ),
        ("blocks.{i}.mlp.gate", "{p}layers.{i}.mlp.gate_proj"),
        ("blocks.{i}.mlp.in", "{p}layers.{i}.mlp.up_proj"),
        ("blocks.{i}.mlp.out", "{p}layers.{i}.mlp.down_proj"),
        ("final_norm", "{p}norm"),
        ("head.unembed", "lm_head"),
        ("head.classifier", "score"),
    ])
    .prefix(prefix)
    // Heads of other tasks, and the rotary tables that old versions of transformers saved.
    .ignoring(&[
        "lm_head.",
        "score.",
        "{p}layers.{i}.self_attn.rotary_emb.inv_freq",
        "{p}rotary_emb.inv_freq",
    ])
}
