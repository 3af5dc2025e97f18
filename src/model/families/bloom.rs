//! BLOOM (BigScience 2022): ALiBi, and a norm on the embeddings.

use super::Family;
use super::common::*;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "bloom",
    about: "BLOOM decoders: base, LM and sequence-classification heads",
    read,
};

const NAMES: Fields = Fields {
    d_model: "n_embed",
    n_layers: "n_layer",
    n_heads: "n_head",
    // The length that it was trained on; slopes have no limit.
    context: "seq_length",
    default_context: Some(2048),
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "layer_norm_epsilon", 1e-5)?;
    let base = base(config, FAMILY.name, &NAMES, norm)?;
    equal_heads(config, &NAMES, &base)?;
    let normed_stream = config.flag("apply_residual_connection_post_layernorm", false)?;
    let mut spec = ArchSpec {
        embed: Embed {
            norm: true,
            ..base.embed.clone()
        },
        attention: AttentionSpec::plain(true, true),
        placement: match normed_stream {
            true => Placement::PreNormedStream,
            false => Placement::Pre,
        },
        mlp_bias: true,
        activation: Activation::GeluTanh,
        head: decoder_head(config, true, None)?,
        ..base
    };
    spec.attention.bias = ScoreBias::Alibi;
    // How products were split over devices, and dropouts and fusions of the training code.
    config.finish(&[
        "attention_softmax_in_fp32",
        "bias_dropout_fusion",
        "masked_softmax_fusion",
        "offset_alibi",
        "pretraining_tp",
        "skip_bias_add",
        "skip_bias_add_qkv",
        "slow_but_exact",
        "unk_token_id",
    ])?;
    let map = weights(has, spec.n_heads);
    Ok((spec, map))
}

fn weights(has: &dyn Fn(&str) -> bool, heads: usize) -> WeightMap {
    let under = |name: &str| format!("{{p}}h.{{i}}.{name}");
    WeightMap::new([
        ("embed.tokens", "{p}word_embeddings"),
        ("embed.norm", "{p}word_embeddings_layernorm"),
        ("blocks.{i}.attn_norm", &under("input_layernorm")),
        ("blocks.{i}.attn.o", &under("self_attention.dense")),
        ("blocks.{i}.mlp_norm", &under("post_attention_layernorm")),
        ("blocks.{i}.mlp.in", &under("mlp.dense_h_to_4h")),
        ("blocks.{i}.mlp.out", &under("mlp.dense_4h_to_h")),
        ("final_norm", "{p}ln_f"),
        ("head.unembed", "lm_head"),
        ("head.classifier", "score"),
    ])
    .prefix(prefix(has, "transformer.", "word_embeddings.weight"))
    .fused_qkv(
        "{p}h.{i}.self_attention.query_key_value",
        heads,
        [1; 3],
        false,
    )
    .ignoring(&["lm_head.", "score.", "qa_outputs."])
}
