//! OPT (Zhang et al. 2022): GPT-2 with ReLU; one size has projected embeddings and norms behind the additions.

use super::common::*;
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "opt",
    about: "OPT decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let kind = match config.flag("layer_norm_elementwise_affine", true)? {
        true => NormKind::LayerNorm,
        false => NormKind::LayerNormPlain,
    };
    let base = base(config, FAMILY.name, &FIELDS, Norm { kind, eps: 1e-5 })?;
    equal_heads(config, &FIELDS, &base)?;
    let bias = config.flag("enable_bias", true)?;
    let width = config
        .nullable_size("word_embed_proj_dim", None)?
        .unwrap_or(base.d_model);
    let projected = width != base.d_model;
    let pre = config.flag("do_layer_norm_before", true)?;
    let removed = config.flag("_remove_final_layer_norm", false)?;
    let spec = ArchSpec {
        d_mlp: config.size("ffn_dim", None)?,
        embed: Embed {
            width,
            // transformers' table begins with two rows that no token reads.
            position: Position::Learned {
                offset: 2,
                skips: None,
            },
            project: if projected {
                Project::Tokens
            } else {
                Project::None
            },
            ..base.embed.clone()
        },
        attention: AttentionSpec::plain(bias, bias),
        placement: if pre { Placement::Pre } else { Placement::Post },
        final_norm: pre && !removed,
        project_out: projected,
        mlp_bias: bias,
        activation: activation(config, "activation_function", "relu")?,
        head: decoder_head(config, true, Some(1))?,
        ..base
    };
    config.finish(&["activation_dropout", "init_std", "layerdrop"])?;
    Ok((spec, weights(has)))
}

fn weights(has: &dyn Fn(&str) -> bool) -> WeightMap {
    let prefix = match has("model.decoder.embed_tokens.weight") {
        true => "model.decoder.",
        false => "decoder.",
    };
    let under = |name: &str| format!("{{p}}layers.{{i}}.{name}");
    WeightMap::new([
        ("embed.tokens", "{p}embed_tokens"),
        ("embed.positions", "{p}embed_positions"),
        ("embed.project", "{p}project_in"),
        ("blocks.{i}.attn_norm", &under("self_attn_layer_norm")),
        ("blocks.{i}.attn.q", &under("self_attn.q_proj")),
        ("blocks.{i}.attn.k", &under("self_attn.k_proj")),
        ("blocks.{i}.attn.v", &under("self_attn.v_proj")),
        ("blocks.{i}.attn.o", &under("self_attn.out_proj")),
        ("blocks.{i}.mlp_norm", &under("final_layer_norm")),
        ("blocks.{i}.mlp.in", &under("fc1")),
        ("blocks.{i}.mlp.out", &under("fc2")),
        ("final_norm", "{p}final_layer_norm"),
        ("project_out", "{p}project_out"),
        ("head.unembed", "lm_head"),
        ("head.classifier", "score"),
    ])
    .prefix(prefix)
    .ignoring(&["lm_head.", "score.", "qa_outputs."])
}
