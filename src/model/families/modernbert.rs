//! ModernBERT (Warner et al. 2024): a pre-norm encoder with rotary positions, gated MLPs and local attention.

use super::common::*;
use super::rope::{self, Defaults};
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "modernbert",
    about: "ModernBERT encoders: base, masked-LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let kind = match config.flag("norm_bias", false)? {
        true => NormKind::LayerNorm,
        false => NormKind::LayerNormNoBias,
    };
    let eps = config.number("norm_eps", Some(1e-5))?;
    let base = base(config, FAMILY.name, &FIELDS, Norm { kind, eps })?;
    equal_heads(config, &FIELDS, &base)?;
    let bias = config.flag("attention_bias", false)?;
    let mut spec = ArchSpec {
        d_mlp: config.size("intermediate_size", None)?,
        mask: Mask::Bidirectional,
        attention: AttentionSpec::plain(bias, bias),
        mlp_bias: config.flag("mlp_bias", false)?,
        mlp: Mlp::Gated,
        activation: activation(config, "hidden_activation", "gelu")?,
        embed: Embed {
            norm: true,
            ..base.embed.clone()
        },
        ..base
    };
    // The embeddings' norm stands for the first block's.
    spec.layers[0].attn_norm = false;
    local_attention(config, &mut spec)?;
    spec.head = head(config, &spec)?;
    config.finish(&[
        "cls_token_id",
        "deterministic_flash_attn",
        "initializer_cutoff_factor",
        // Beside `norm_eps`, in the published files; no code reads it.
        "layer_norm_eps",
        "mlp_dropout",
        "position_embedding_type",
        "reference_compile",
        "repad_logits_with_grad",
        "sparse_pred_ignore_index",
        "sparse_prediction",
    ])?;
    let prefix = prefix(has, "model.", "embeddings.tok_embeddings.weight");
    Ok((spec.clone(), weights(prefix, spec.n_heads)))
}

/// Every third block sees all tokens, the others a window, each kind with rotary positions of its own.
fn local_attention(config: &Config, spec: &mut ArchSpec) -> Result<()> {
    let every = config.size("global_attn_every_n_layers", Some(3))?;
    // Half of the width on either side, the token itself beside it.
    let window = config.size("local_attention", Some(128))? / 2 + 1;
    let sliding = windows(config, spec, Some(window), |i| i % every != 0)?;
    spec.attention.rotary = layer_ropes(
        config,
        spec,
        ["global_rope_theta", "local_rope_theta"],
        [160_000.0, 10_000.0],
    )?;
    for (layer, sliding) in spec.layers.iter_mut().zip(sliding) {
        layer.rotary = Some(usize::from(sliding));
    }
    Ok(())
}

/// The rotations of blocks with full and with sliding attention.
pub(super) fn layer_ropes(
    config: &Config,
    spec: &mut ArchSpec,
    old: [&str; 2],
    thetas: [f64; 2],
) -> Result<Vec<Rotary>> {
    let nested = config.object("rope_parameters")?;
    let kinds = ["full_attention", "sliding_attention"];
    let mut ropes = Vec::new();
    for i in 0..2 {
        let theta = config.number(old[i], Some(thetas[i]))?;
        let inner = match &nested {
            Some(nested) => nested.object(kinds[i])?,
            None => None,
        };
        let defaults = Defaults::whole(theta);
        ropes.push(rope::read(
            config,
            spec,
            ("rope_parameters", inner),
            theta,
            None,
            &defaults,
        )?);
    }
    if let Some(nested) = nested {
        nested.finish(&[])?;
    }
    Ok(ropes)
}

fn head(config: &Config, spec: &ArchSpec) -> Result<Head> {
    let transform = Some(Transform {
        width: spec.d_model,
        bias: config.flag("classifier_bias", false)?,
        activation: activation(config, "classifier_activation", "gelu")?,
        norm: true,
    });
    let bias = config.flag("decoder_bias", true)?;
    let tied = config.flag("tie_word_embeddings", true)?;
    let reads = match config.word("classifier_pooling", "cls")? {
        "cls" => Reads::First,
        "mean" => Reads::Mean,
        _ => return Err(config.unsupported("classifier_pooling", "implemented are cls and mean")),
    };
    Ok(match config.architecture() {
        Some("ModernBertForMaskedLM") => Head::Lm {
            tied,
            bias,
            transform,
            scale: 1.0,
            softcap: None,
        },
        Some("ModernBertForSequenceClassification") => Head::Classifier {
            reads,
            transform,
            classes: config.classes()?,
            bias: true,
        },
        _ => Head::None,
    })
}

fn weights(prefix: &str, heads: usize) -> WeightMap {
    WeightMap::new([
        ("embed.tokens", "{p}embeddings.tok_embeddings"),
        ("embed.norm", "{p}embeddings.norm"),
        ("blocks.{i}.attn_norm", "{p}layers.{i}.attn_norm"),
        ("blocks.{i}.attn.o", "{p}layers.{i}.attn.Wo"),
        ("blocks.{i}.mlp_norm", "{p}layers.{i}.mlp_norm"),
        ("blocks.{i}.mlp.out", "{p}layers.{i}.mlp.Wo"),
        ("final_norm", "{p}final_norm"),
        ("head.transform", "head.dense"),
        ("head.norm", "head.norm"),
        ("head.unembed", "decoder"),
        ("head.bias", "decoder.bias"),
        ("head.classifier", "classifier"),
    ])
    .prefix(prefix)
    .fused_qkv("{p}layers.{i}.attn.Wqkv", 1, [heads; 3], false)
    .stacked(
        "{p}layers.{i}.mlp.Wi",
        ["blocks.{i}.mlp.gate", "blocks.{i}.mlp.in"],
    )
    .ignoring(&["head.", "decoder.", "classifier."])
}
