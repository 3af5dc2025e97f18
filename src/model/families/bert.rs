//! BERT: bidirectional, post-norm, learned positions (Devlin et al. 2018).

use super::common::*;
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
    let mut spec = encoder(
        config,
        FAMILY.name,
        Position::Learned {
            offset: 0,
            skips: None,
        },
    )?;
    let prefix = prefix(has, "bert.", "embeddings.word_embeddings.weight");
    let tied = config.flag("tie_word_embeddings", true)?;
    spec.head = match config.architecture() {
        Some("BertForMaskedLM" | "BertForPreTraining") => {
            masked_lm(tied, spec.d_model, spec.activation)
        }
        Some("BertForSequenceClassification") => classifier(config, Reads::Pooler, None)?,
        _ => Head::None,
    };
    spec.pooler = reads_pooler(&spec.head) || has(&format!("{prefix}pooler.dense.weight"));
    config.finish(HARMLESS)?;
    let map = weights(prefix)
        .also([
            ("head.transform", "cls.predictions.transform.dense"),
            ("head.norm", "cls.predictions.transform.LayerNorm"),
            (
                "head.bias",
                bias_name(tied, "cls.predictions.bias", "cls.predictions.decoder.bias"),
            ),
            ("head.unembed", "cls.predictions.decoder"),
            ("head.classifier", "classifier"),
        ])
        // Heads of other tasks.
        .ignoring(&["cls.", "classifier.", "qa_outputs."]);
    Ok((spec, map))
}

/// Fields of Google's original configurations that no code reads.
pub(super) const HARMLESS: &[&str] = &[
    "chunk_size_feed_forward",
    "directionality",
    "pooler_fc_size",
    "pooler_num_attention_heads",
    "pooler_num_fc_layers",
    "pooler_size_per_head",
    "pooler_type",
];

/// The encoder of BERT and its kin.
pub(super) fn encoder(config: &Config, family: &str, position: Position) -> Result<ArchSpec> {
    config.only("position_embedding_type", "absolute")?;
    config.only("is_decoder", false)?;
    config.only("add_cross_attention", false)?;
    let norm = layer_norm(config, "layer_norm_eps", 1e-12)?;
    let base = base(config, family, &FIELDS, norm)?;
    equal_heads(config, &FIELDS, &base)?;
    let embed = Embed {
        position,
        types: config.size("type_vocab_size", Some(2))?,
        norm: true,
        ..base.embed.clone()
    };
    Ok(ArchSpec {
        d_mlp: config.size("intermediate_size", None)?,
        embed,
        mask: Mask::Bidirectional,
        attention: AttentionSpec::plain(true, true),
        placement: Placement::Post,
        final_norm: false,
        mlp_bias: true,
        activation: activation(config, "hidden_act", "gelu")?,
        ..base
    })
}

/// A masked language model's head: linear layer, activation, norm, projection with bias.
pub(super) fn masked_lm(tied: bool, width: usize, activation: Activation) -> Head {
    Head::Lm {
        tied,
        bias: true,
        transform: Some(Transform {
            width,
            bias: true,
            activation,
            norm: true,
        }),
        scale: 1.0,
        softcap: None,
    }
}

/// A classifier with bias, perhaps behind a linear layer of the stream's width with an activation.
pub(super) fn classifier(
    config: &Config,
    reads: Reads,
    through: Option<(usize, Activation)>,
) -> Result<Head> {
    Ok(Head::Classifier {
        reads,
        transform: through.map(|(width, activation)| Transform {
            width,
            bias: true,
            activation,
            norm: false,
        }),
        classes: config.classes()?,
        bias: true,
    })
}

pub(super) fn reads_pooler(head: &Head) -> bool {
    matches!(
        head,
        Head::Classifier {
            reads: Reads::Pooler,
            ..
        }
    )
}

/// The bias of a masked-LM head is one parameter under two names as long as the head is tied.
pub(super) fn bias_name(
    tied: bool,
    of_head: &'static str,
    of_decoder: &'static str,
) -> &'static str {
    match tied {
        true => of_head,
        false => of_decoder,
    }
}

pub(super) fn weights(prefix: &str) -> WeightMap {
    let layer = "{p}encoder.layer.{i}.";
    let under = |name: &str| format!("{layer}{name}");
    WeightMap::new([
        ("embed.tokens", "{p}embeddings.word_embeddings"),
        ("embed.positions", "{p}embeddings.position_embeddings"),
        ("embed.types", "{p}embeddings.token_type_embeddings"),
        ("embed.norm", "{p}embeddings.LayerNorm"),
        ("blocks.{i}.attn.q", &under("attention.self.query")),
        ("blocks.{i}.attn.k", &under("attention.self.key")),
        ("blocks.{i}.attn.v", &under("attention.self.value")),
        ("blocks.{i}.attn.o", &under("attention.output.dense")),
        ("blocks.{i}.attn_norm", &under("attention.output.LayerNorm")),
        ("blocks.{i}.mlp.in", &under("intermediate.dense")),
        ("blocks.{i}.mlp.out", &under("output.dense")),
        ("blocks.{i}.mlp_norm", &under("output.LayerNorm")),
        ("pooler", "{p}pooler.dense"),
    ])
    .prefix(prefix)
    // Buffers that old versions of transformers saved.
    .ignoring(&["{p}embeddings.position_ids", "{p}embeddings.token_type_ids"])
}
