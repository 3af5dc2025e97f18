//! DistilBERT (Sanh et al. 2019): BERT without token types and pooler.

use super::bert::{classifier, masked_lm};
use super::common::*;
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "distilbert",
    about: "DistilBERT encoders: base, masked-LM and sequence-classification heads",
    read,
};

const NAMES: Fields = Fields {
    d_model: "dim",
    n_layers: "n_layers",
    n_heads: "n_heads",
    context: "max_position_embeddings",
    default_context: Some(512),
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = Norm {
        kind: NormKind::LayerNorm,
        eps: 1e-12,
    };
    let base = base(config, FAMILY.name, &NAMES, norm)?;
    equal_heads(config, &NAMES, &base)?;
    let activation = activation(config, "activation", "gelu")?;
    let tied = config.flag("tie_word_embeddings", true)?;
    let head = match config.architecture() {
        Some("DistilBertForMaskedLM") => masked_lm(tied, base.d_model, activation),
        Some("DistilBertForSequenceClassification") => {
            classifier(config, Reads::First, Some((base.d_model, Activation::Relu)))?
        }
        _ => Head::None,
    };
    let spec = ArchSpec {
        d_mlp: config.size("hidden_dim", None)?,
        embed: Embed {
            position: Position::Learned {
                offset: 0,
                skips: None,
            },
            norm: true,
            ..base.embed.clone()
        },
        mask: Mask::Bidirectional,
        attention: AttentionSpec::plain(true, true),
        placement: Placement::Post,
        final_norm: false,
        mlp_bias: true,
        activation,
        head,
        ..base
    };
    // Sinusoidal positions are in the checkpoint like learned ones.
    config.finish(&[
        "qa_dropout",
        "seq_classif_dropout",
        "sinusoidal_pos_embds",
        "tie_weights_",
    ])?;
    let prefix = prefix(has, "distilbert.", "embeddings.word_embeddings.weight");
    let map = weights(prefix, spec.classifies_texts());
    Ok((spec, map))
}

fn weights(prefix: &str, classifies: bool) -> WeightMap {
    let under = |name: &str| format!("{{p}}transformer.layer.{{i}}.{name}");
    let transform = if classifies {
        "pre_classifier"
    } else {
        "vocab_transform"
    };
    WeightMap::new([
        ("embed.tokens", "{p}embeddings.word_embeddings"),
        ("embed.positions", "{p}embeddings.position_embeddings"),
        ("embed.norm", "{p}embeddings.LayerNorm"),
        ("blocks.{i}.attn.q", &under("attention.q_lin")),
        ("blocks.{i}.attn.k", &under("attention.k_lin")),
        ("blocks.{i}.attn.v", &under("attention.v_lin")),
        ("blocks.{i}.attn.o", &under("attention.out_lin")),
        ("blocks.{i}.attn_norm", &under("sa_layer_norm")),
        ("blocks.{i}.mlp.in", &under("ffn.lin1")),
        ("blocks.{i}.mlp.out", &under("ffn.lin2")),
        ("blocks.{i}.mlp_norm", &under("output_layer_norm")),
        ("head.transform", transform),
        ("head.norm", "vocab_layer_norm"),
        ("head.unembed", "vocab_projector"),
        ("head.bias", "vocab_projector.bias"),
        ("head.classifier", "classifier"),
    ])
    .prefix(prefix)
    .ignoring(&[
        "vocab_transform.",
        "vocab_layer_norm.",
        "vocab_projector.",
        "pre_classifier.",
        "classifier.",
        "qa_outputs.",
        "{p}embeddings.position_ids",
    ])
}
