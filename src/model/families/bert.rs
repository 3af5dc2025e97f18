//! BERT: bidirectional, post-norm, learned positions (Devlin et al. 2018).

use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "bert",
    about: "BERT encoders: base, masked-LM and sequence-classification heads, pooler",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    config.only("position_embedding_type", "absolute")?;
    config.only("is_decoder", false)?;
    config.only("add_cross_attention", false)?;
    let n_heads = config.size("num_attention_heads", None)?;
    let d_model = config.size("hidden_size", None)?;
    if d_model % n_heads != 0 {
        return Err(config.unsupported(
            "hidden_size",
            "it must be a multiple of num_attention_heads",
        ));
    }
    let tied = config.flag("tie_word_embeddings", true)?;
    let head = match config.architecture() {
        Some("BertForMaskedLM" | "BertForPreTraining") => Head::MaskedLm { tied },
        Some("BertForSequenceClassification") => Head::PooledClassifier {
            classes: config.classes()?,
        },
        _ => Head::None,
    };
    let prefix = match has("bert.embeddings.word_embeddings.weight") {
        true => "bert.",
        false => "",
    };
    let spec = ArchSpec {
        family: FAMILY.name.to_owned(),
        d_model,
        n_layers: config.size("num_hidden_layers", None)?,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        d_mlp: config.size("intermediate_size", None)?,
        vocab: config.size("vocab_size", None)?,
        context: config.size("max_position_embeddings", Some(512))?,
        token_types: config.size("type_vocab_size", Some(2))?,
        embed_norm: true,
        position: Position::Learned,
        mask: Mask::Bidirectional,
        norm: Norm {
            kind: NormKind::LayerNorm,
            eps: config.number("layer_norm_eps", Some(1e-12))?,
        },
        placement: Placement::Post,
        final_norm: false,
        attn_bias: true,
        mlp_bias: true,
        mlp: Mlp::Plain,
        activation: activation(config, "hidden_act", "gelu")?,
        pooler: matches!(head, Head::PooledClassifier { .. })
            || has(&format!("{prefix}pooler.dense.weight")),
        head,
    };
    config.finish(&[
        "chunk_size_feed_forward",
        "directionality",
        "pooler_fc_size",
        "pooler_num_attention_heads",
        "pooler_num_fc_layers",
        "pooler_size_per_head",
        "pooler_type",
    ])?;
    Ok((spec, weights(prefix)))
}

fn weights(prefix: &str) -> WeightMap {
    WeightMap::new([
        ("embed.tokens", "{p}embeddings.word_embeddings"),
        ("embed.positions", "{p}embeddings.position_embeddings"),
        ("embed.types", "{p}embeddings.token_type_embeddings"),
        ("embed.norm", "{p}embeddings.LayerNorm"),
        (
            "blocks.{i}.attn.q",
            "{p}encoder.layer.{i}.attention.self.query",
        ),
        (
            "blocks.{i}.attn.k",
            "{p}encoder.layer.{i}.attention.self.key",
        ),
        (
            "blocks.{i}.attn.v",
            "{p}encoder.layer.{i}.attention.self.value",
        ),
        (
            "blocks.{i}.attn.o",
            "{p}encoder.layer.{i}.attention.output.dense",
        ),
        (
            "blocks.{i}.attn_norm",
            "{p}encoder.layer.{i}.attention.output.LayerNorm",
        ),
        (
            "blocks.{i}.mlp.in",
            "{p}encoder.layer.{i}.intermediate.dense",
        ),
        ("blocks.{i}.mlp.out", "{p}encoder.layer.{i}.output.dense"),
        (
            "blocks.{i}.mlp_norm",
            "{p}encoder.layer.{i}.output.LayerNorm",
        ),
        ("pooler", "{p}pooler.dense"),
        ("head.transform", "cls.predictions.transform.dense"),
        ("head.norm", "cls.predictions.transform.LayerNorm"),
        ("head.bias", "cls.predictions.bias"),
        ("head.unembed", "cls.predictions.decoder"),
        ("head.classifier", "classifier"),
    ])
    .prefix(prefix)
    // Heads of other tasks, and buffers that old versions of transformers saved.
    .ignoring(&[
        "cls.",
        "classifier.",
        "qa_outputs.",
        "{p}embeddings.position_ids",
        "{p}embeddings.token_type_ids",
    ])
}
