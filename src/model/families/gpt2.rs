//! GPT-2 (Radford et al. 2019): pre-norm, learned positions, fused and transposed projections.

use super::common::*;
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::take::Take;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "gpt2",
    about: "GPT-2 decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    config.only("add_cross_attention", false)?;
    let norm = layer_norm(config, "layer_norm_epsilon", 1e-5)?;
    let base = base(config, FAMILY.name, &GPT2_FIELDS, norm)?;
    equal_heads(config, &GPT2_FIELDS, &base)?;
    let mut spec = ArchSpec {
        d_mlp: config
            .nullable_size("n_inner", None)?
            .unwrap_or(4 * base.d_model),
        embed: Embed {
            position: Position::Learned {
                offset: 0,
                skips: None,
            },
            ..base.embed.clone()
        },
        attention: AttentionSpec::plain(true, true),
        mlp_bias: true,
        activation: activation(config, "activation_function", "gelu_new")?,
        ..base
    };
    if !config.flag("scale_attn_weights", true)? {
        set_scale(&mut spec, 1.0);
    }
    if config.flag("scale_attn_by_inverse_layer_idx", false)? {
        for (i, layer) in spec.layers.iter_mut().enumerate() {
            layer.scale /= (i + 1) as f64;
        }
    }
    spec.head = decoder_head(config, true, None)?;
    // f32 needs no reordering; `summary_*` belong to the multiple-choice head, `n_ctx` is an old name of the context.
    config.finish(&[
        "n_ctx",
        "reorder_and_upcast_attn",
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
    ])?;
    Ok((spec.clone(), weights(has, spec.n_heads)))
}

fn weights(has: &dyn Fn(&str) -> bool, heads: usize) -> WeightMap {
    let under = |name: &str| format!("{{p}}h.{{i}}.{name}");
    WeightMap::new([
        ("embed.tokens", "{p}wte"),
        ("embed.positions", "{p}wpe"),
        ("blocks.{i}.attn_norm", &under("ln_1")),
        ("blocks.{i}.attn.o", &under("attn.c_proj")),
        ("blocks.{i}.mlp_norm", &under("ln_2")),
        ("blocks.{i}.mlp.in", &under("mlp.c_fc")),
        ("blocks.{i}.mlp.out", &under("mlp.c_proj")),
        ("final_norm", "{p}ln_f"),
        ("head.unembed", "lm_head"),
        ("head.classifier", "score"),
    ])
    .prefix(prefix(has, "transformer.", "wte.weight"))
    .fused_qkv("{p}h.{i}.attn.c_attn", 1, [heads; 3], true)
    .taking(
        [
            "blocks.{i}.attn.o",
            "blocks.{i}.mlp.in",
            "blocks.{i}.mlp.out",
        ],
        &Take::Transposed,
    )
    // Heads of other tasks, and masks that old versions of transformers saved.
    .ignoring(&[
        "lm_head.",
        "score.",
        "multiple_choice_head.",
        "qa_outputs.",
        "{p}h.{i}.attn.bias",
        "{p}h.{i}.attn.masked_bias",
    ])
}
