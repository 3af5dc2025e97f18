//! T5's encoder (Raffel et al. 2020): pre-norm, no biases, buckets of distances in attention.

use super::common::*;
use super::{Family, activation_named};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "t5",
    about: "T5 1.0 and 1.1: the encoder",
    read,
};

const NAMES: Fields = Fields {
    d_model: "d_model",
    n_layers: "num_layers",
    n_heads: "num_heads",
    context: "n_positions",
    // The length that it was trained on; distances have no limit.
    default_context: Some(512),
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    config.only("is_decoder", false)?;
    if let Some(a) = config
        .architecture()
        .filter(|a| a.contains("Classification"))
    {
        let problem = format!("{a} reads the decoder, and only the encoder is implemented");
        return Err(config.unsupported("architectures", problem));
    }
    let norm = Norm {
        kind: NormKind::RmsNorm,
        eps: config.number("layer_norm_epsilon", Some(1e-6))?,
    };
    let words = config.word("feed_forward_proj", "relu")?;
    let (mlp, function) = match words.strip_prefix("gated-") {
        // The one name that does not mean what it means elsewhere.
        Some("gelu") => (Mlp::Gated, "gelu_new"),
        Some(function) => (Mlp::Gated, function),
        None => (Mlp::Plain, words),
    };
    let activation = activation_named(config, "feed_forward_proj", function)?;
    let base = base(config, FAMILY.name, &NAMES, norm)?;
    let d_mlp = config.size("d_ff", None)?;
    let mut spec = ArchSpec {
        d_mlp,
        mask: Mask::Bidirectional,
        mlp,
        activation,
        ..base
    };
    set_head_width(&mut spec, config.size("d_kv", Some(64))?);
    // The scale is in the initial weights.
    set_scale(&mut spec, 1.0);
    spec.attention.bias = ScoreBias::Buckets {
        buckets: config.size("relative_attention_num_buckets", Some(32))?,
        max_distance: config.size("relative_attention_max_distance", Some(128))?,
    };
    // Said of the decoder, or said twice.
    config.finish(&[
        "dense_act_fn",
        "dropout_rate",
        "initializer_factor",
        "is_encoder_decoder",
        "is_gated_act",
        "num_decoder_layers",
        "output_past",
        "scale_decoder_outputs",
        "tie_encoder_decoder",
        "tie_word_embeddings",
    ])?;
    Ok((spec, weights(has)))
}

fn weights(has: &dyn Fn(&str) -> bool) -> WeightMap {
    // Where both are there, transformers' encoder reads its own.
    let embed = match has("encoder.embed_tokens.weight") {
        true => "encoder.embed_tokens",
        false => "shared",
    };
    let under = |name: &str| format!("encoder.block.{{i}}.layer.{name}");
    let first = match has("encoder.block.0.layer.1.DenseReluDense.wi.weight") {
        true => "1.DenseReluDense.wi",
        false => "1.DenseReluDense.wi_1",
    };
    WeightMap::new([
        ("embed.tokens", embed),
        (
            "score_bias",
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias",
        ),
        ("blocks.{i}.attn_norm", &under("0.layer_norm")),
        ("blocks.{i}.attn.q", &under("0.SelfAttention.q")),
        ("blocks.{i}.attn.k", &under("0.SelfAttention.k")),
        ("blocks.{i}.attn.v", &under("0.SelfAttention.v")),
        ("blocks.{i}.attn.o", &under("0.SelfAttention.o")),
        ("blocks.{i}.mlp_norm", &under("1.layer_norm")),
        ("blocks.{i}.mlp.gate", &under("1.DenseReluDense.wi_0")),
        ("blocks.{i}.mlp.in", &under(first)),
        ("blocks.{i}.mlp.out", &under("1.DenseReluDense.wo")),
        ("final_norm", "encoder.final_layer_norm"),
    ])
    .ignoring(&["decoder.", "lm_head.", "shared."])
}
