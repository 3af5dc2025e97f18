//! MPNet (Song et al. 2020): RoBERTa's positions, and T5's buckets of distances in attention.

use super::Family;
use super::bert::{HARMLESS, bias_name, classifier, encoder, masked_lm};
use super::common::prefix;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "mpnet",
    about: "MPNet encoders: base, masked-LM and sequence-classification heads, pooler",
    read,
};

/// transformers counts positions from this id, whatever the configuration says.
const PAD: u32 = 1;

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    // transformers' code has this number, whatever the configuration says.
    config.only("relative_attention_num_buckets", 32)?;
    let position = Position::Learned {
        offset: PAD as usize + 1,
        skips: Some(PAD),
    };
    let mut spec = encoder(config, FAMILY.name, position)?;
    spec.embed.types = 0;
    spec.context = config.rows_beyond("max_position_embeddings", spec.context, PAD as usize + 1)?;
    spec.attention.bias = ScoreBias::Buckets {
        buckets: 32,
        max_distance: 128,
    };
    let prefix = prefix(has, "mpnet.", "embeddings.word_embeddings.weight");
    let tied = config.flag("tie_word_embeddings", true)?;
    spec.head = match config.architecture() {
        Some("MPNetForMaskedLM") => masked_lm(tied, spec.d_model, Activation::GeluErf),
        Some("MPNetForSequenceClassification") => {
            classifier(config, Reads::First, Some((spec.d_model, Activation::Tanh)))?
        }
        _ => Head::None,
    };
    spec.pooler = has(&format!("{prefix}pooler.dense.weight"));
    config.finish(HARMLESS)?;
    let transform = match spec.classifies_texts() {
        true => "classifier.dense",
        false => "lm_head.dense",
    };
    let map = weights(prefix).also([
        ("head.transform", transform),
        (
            "head.bias",
            bias_name(tied, "lm_head.bias", "lm_head.decoder.bias"),
        ),
    ]);
    Ok((spec, map))
}

fn weights(prefix: &str) -> WeightMap {
    let under = |name: &str| format!("{{p}}encoder.layer.{{i}}.{name}");
    WeightMap::new([
        ("embed.tokens", "{p}embeddings.word_embeddings"),
        ("embed.positions", "{p}embeddings.position_embeddings"),
        ("embed.norm", "{p}embeddings.LayerNorm"),
        ("score_bias", "{p}encoder.relative_attention_bias"),
        ("blocks.{i}.attn.q", &under("attention.attn.q")),
        ("blocks.{i}.attn.k", &under("attention.attn.k")),
        ("blocks.{i}.attn.v", &under("attention.attn.v")),
        ("blocks.{i}.attn.o", &under("attention.attn.o")),
        ("blocks.{i}.attn_norm", &under("attention.LayerNorm")),
        ("blocks.{i}.mlp.in", &under("intermediate.dense")),
        ("blocks.{i}.mlp.out", &under("output.dense")),
        ("blocks.{i}.mlp_norm", &under("output.LayerNorm")),
        ("pooler", "{p}pooler.dense"),
        ("head.norm", "lm_head.layer_norm"),
        ("head.unembed", "lm_head.decoder"),
        ("head.classifier", "classifier.out_proj"),
    ])
    .prefix(prefix)
    .ignoring(&[
        "lm_head.",
        "classifier.",
        "qa_outputs.",
        "{p}embeddings.position_ids",
    ])
}
