//! ALBERT (Lan et al. 2019): BERT with factorised embeddings and blocks that share their weights.

use super::Family;
use super::bert::{bias_name, classifier, encoder, masked_lm, reads_pooler};
use super::common::prefix;
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "albert",
    about: "ALBERT encoders: base, masked-LM and sequence-classification heads, pooler",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    config.only("inner_group_num", 1)?;
    let mut spec = encoder(
        config,
        FAMILY.name,
        Position::Learned {
            offset: 0,
            skips: None,
        },
    )?;
    spec.activation = super::activation(config, "hidden_act", "gelu_new")?;
    spec.embed.width = config.size("embedding_size", Some(128))?;
    spec.embed.project = Project::Sum;
    let prefix = prefix(has, "albert.", "embeddings.word_embeddings.weight");
    let tied = config.flag("tie_word_embeddings", true)?;
    spec.head = match config.architecture() {
        Some("AlbertForMaskedLM" | "AlbertForPreTraining") => {
            masked_lm(tied, spec.embed.width, spec.activation)
        }
        Some("AlbertForSequenceClassification") => classifier(config, Reads::Pooler, None)?,
        _ => Head::None,
    };
    spec.pooler = reads_pooler(&spec.head) || has(&format!("{prefix}pooler.weight"));
    let groups = config.size("num_hidden_groups", Some(1))?;
    // As in transformers: block i belongs to group i / (layers / groups), rounded down.
    let group = |i: usize| (i as f64 / (spec.n_layers as f64 / groups as f64)) as usize;
    let shared = (0..spec.n_layers).map(group).collect();
    config.finish(&[
        "classifier_dropout_prob",
        "down_scale_factor",
        "gap_size",
        "layers_to_keep",
        "net_structure_type",
        "num_memory_blocks",
    ])?;
    let map = weights(prefix).sharing(shared).also([(
        "head.bias",
        bias_name(tied, "predictions.bias", "predictions.decoder.bias"),
    )]);
    Ok((spec, map))
}

fn weights(prefix: &str) -> WeightMap {
    let group = "{p}encoder.albert_layer_groups.{i}.albert_layers.0.";
    let under = |name: &str| format!("{group}{name}");
    WeightMap::new([
        ("embed.tokens", "{p}embeddings.word_embeddings"),
        ("embed.positions", "{p}embeddings.position_embeddings"),
        ("embed.types", "{p}embeddings.token_type_embeddings"),
        ("embed.norm", "{p}embeddings.LayerNorm"),
        ("embed.project", "{p}encoder.embedding_hidden_mapping_in"),
        ("blocks.{i}.attn.q", &under("attention.query")),
        ("blocks.{i}.attn.k", &under("attention.key")),
        ("blocks.{i}.attn.v", &under("attention.value")),
        ("blocks.{i}.attn.o", &under("attention.dense")),
        ("blocks.{i}.attn_norm", &under("attention.LayerNorm")),
        ("blocks.{i}.mlp.in", &under("ffn")),
        ("blocks.{i}.mlp.out", &under("ffn_output")),
        ("blocks.{i}.mlp_norm", &under("full_layer_layer_norm")),
        ("pooler", "{p}pooler"),
        ("head.transform", "predictions.dense"),
        ("head.norm", "predictions.LayerNorm"),
        ("head.unembed", "predictions.decoder"),
        ("head.classifier", "classifier"),
    ])
    .prefix(prefix)
    .ignoring(&[
        "predictions.",
        "sop_classifier.",
        "classifier.",
        "qa_outputs.",
        "{p}embeddings.position_ids",
        "{p}embeddings.token_type_ids",
    ])
}
