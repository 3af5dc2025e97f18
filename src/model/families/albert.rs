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
    let shared = shared_blocks(config, &mut spec)?;
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

/// A group of `inner_group_num` blocks is run once for each of the `num_hidden_layers`; these share `num_hidden_groups` groups.
/// Returns which group and block of it stands for each of ours.
fn shared_blocks(config: &Config, spec: &mut ArchSpec) -> Result<Vec<String>> {
    let groups = config.size("num_hidden_groups", Some(1))?;
    let inner = config.depth("inner_group_num", Some(1))?;
    let rounds = spec.n_layers;
    config.bounded_depth("inner_group_num", rounds * inner)?;
    // As in transformers: round i runs group i / (rounds / groups), rounded down.
    let group = |i: usize| (i as f64 / (rounds as f64 / groups as f64)) as usize;
    let blocks = (0..rounds).flat_map(|i| (0..inner).map(move |j| (group(i), j)));
    let shared: Vec<String> = blocks
        .map(|(group, j)| format!("{group}.albert_layers.{j}"))
        .collect();
    spec.layers = spec.layers.repeat(inner);
    spec.n_layers = shared.len();
    Ok(shared)
}

fn weights(prefix: &str) -> WeightMap {
    let group = "{p}encoder.albert_layer_groups.{i}.";
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
