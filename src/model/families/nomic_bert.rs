//! NomicBERT (Nussbaum et al. 2024), as transformers has it: a post-norm encoder with rotary positions and gated MLPs.

use super::bert::{bias_name, classifier, masked_lm, reads_pooler};
use super::common::*;
use super::rope::{self, Defaults};
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "nomic_bert",
    about: "NomicBERT encoders: base, masked-LM and sequence-classification heads, pooler",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "layer_norm_eps", 1e-12)?;
    let base = base(config, FAMILY.name, &FIELDS, norm)?;
    let mut spec = ArchSpec {
        d_mlp: config.size("intermediate_size", None)?,
        embed: Embed {
            types: config.size("type_vocab_size", Some(2))?,
            norm: true,
            ..base.embed.clone()
        },
        mask: Mask::Bidirectional,
        placement: Placement::Post,
        final_norm: false,
        mlp: Mlp::Gated,
        activation: activation(config, "hidden_act", "silu")?,
        ..base
    };
    let own = (spec.d_model / spec.n_heads).max(1);
    let width = config.nullable_size("head_dim", None)?;
    set_head_width(&mut spec, width.unwrap_or(own));
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(1000.0))?;
    rotate(&mut spec, rotary);
    let prefix = prefix(has, "nomic_bert.", "embeddings.word_embeddings.weight");
    let tied = config.flag("tie_word_embeddings", true)?;
    spec.head = match config.architecture() {
        Some("NomicBertForMaskedLM") => masked_lm(tied, spec.d_model, spec.activation),
        Some("NomicBertForSequenceClassification") => classifier(config, Reads::Pooler, None)?,
        _ => Head::None,
    };
    spec.pooler = reads_pooler(&spec.head) || has(&format!("{prefix}pooler.dense.weight"));
    config.finish(&[])?;
    let bias = bias_name(tied, "cls.predictions.bias", "cls.predictions.decoder.bias");
    let map = weights(prefix, spec.n_heads).also([("head.bias", bias)]);
    Ok((spec, map))
}

/// The names of the published checkpoints, which transformers writes too.
fn weights(prefix: &str, heads: usize) -> WeightMap {
    let under = |name: &str| format!("{{p}}encoder.layers.{{i}}.{name}");
    WeightMap::new([
        ("embed.tokens", "{p}embeddings.word_embeddings"),
        ("embed.types", "{p}embeddings.token_type_embeddings"),
        ("embed.norm", "{p}emb_ln"),
        ("blocks.{i}.attn.o", &under("attn.out_proj")),
        ("blocks.{i}.attn_norm", &under("norm1")),
        ("blocks.{i}.mlp.gate", &under("mlp.fc12")),
        ("blocks.{i}.mlp.in", &under("mlp.fc11")),
        ("blocks.{i}.mlp.out", &under("mlp.fc2")),
        ("blocks.{i}.mlp_norm", &under("norm2")),
        ("pooler", "{p}pooler.dense"),
        ("head.transform", "cls.predictions.transform.dense"),
        ("head.norm", "cls.predictions.transform.layer_norm"),
        ("head.unembed", "cls.predictions.decoder"),
        ("head.classifier", "classifier"),
    ])
    .prefix(prefix)
    .fused_qkv(&under("attn.Wqkv"), 1, [heads; 3], false)
    .ignoring(&["cls.", "classifier.", "{p}embeddings.position_ids"])
}
