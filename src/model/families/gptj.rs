//! GPT-J (Wang & Komatsuzaki 2021): attention and MLP in parallel behind one norm, rotary positions in neighbouring pairs.

use super::common::*;
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "gptj",
    about: "GPT-J decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "layer_norm_epsilon", 1e-5)?;
    let base = base(config, FAMILY.name, &GPT2_FIELDS, norm)?;
    equal_heads(config, &GPT2_FIELDS, &base)?;
    let mut spec = ArchSpec {
        d_mlp: config
            .nullable_size("n_inner", None)?
            .unwrap_or(4 * base.d_model),
        residual: Residual::Parallel { shared_norm: true },
        mlp_bias: true,
        activation: activation(config, "activation_function", "gelu_new")?,
        ..base
    };
    let width = config.nullable_size("rotary_dim", Some(64))?;
    let Some(width) = width.filter(|w| w % 2 == 0 && *w <= spec.d_head) else {
        let problem = format!("it must be an even number up to {}", spec.d_head);
        return Err(config.unsupported("rotary_dim", problem));
    };
    rotate(
        &mut spec,
        Rotary {
            theta: 10_000.0,
            width,
            interleaved: true,
            scaling: RopeScaling::None,
        },
    );
    spec.head = decoder_head(config, false, None)?;
    if let Head::Lm { bias, .. } = &mut spec.head {
        *bias = true;
    }
    // As in GPT-2; `rotary` was true in all that were published.
    config.only("rotary", true)?;
    config.finish(&[
        "n_ctx",
        "scale_attn_weights",
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
        "tokenizer_class",
    ])?;
    Ok((spec, weights(has)))
}

fn weights(has: &dyn Fn(&str) -> bool) -> WeightMap {
    let under = |name: &str| format!("{{p}}h.{{i}}.{name}");
    WeightMap::new([
        ("embed.tokens", "{p}wte"),
        ("blocks.{i}.attn_norm", &under("ln_1")),
        ("blocks.{i}.attn.q", &under("attn.q_proj")),
        ("blocks.{i}.attn.k", &under("attn.k_proj")),
        ("blocks.{i}.attn.v", &under("attn.v_proj")),
        ("blocks.{i}.attn.o", &under("attn.out_proj")),
        ("blocks.{i}.mlp.in", &under("mlp.fc_in")),
        ("blocks.{i}.mlp.out", &under("mlp.fc_out")),
        ("final_norm", "{p}ln_f"),
        ("head.unembed", "lm_head"),
        ("head.bias", "lm_head.bias"),
        ("head.classifier", "score"),
    ])
    .prefix(prefix(has, "transformer.", "wte.weight"))
    .ignoring(&[
        "lm_head.",
        "score.",
        "qa_outputs.",
        "{p}h.{i}.attn.bias",
        "{p}h.{i}.attn.masked_bias",
        "{p}h.{i}.attn.embed_positions",
    ])
}
