//! Gemma 1 to 3 (Gemma Team 2024, 2025): Llama with scaled embeddings and norms of `1 + weight`; soft caps, norms on both sides
//! and local attention in the later ones.

use super::common::*;
use super::llama;
use super::modernbert::layer_ropes;
use super::rope::{self, Defaults};
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::take::Take;
use crate::model::weights::WeightMap;

pub(super) const FAMILIES: [Family; 3] = [
    Family {
        name: "gemma",
        about: "Gemma decoders: base, LM and sequence-classification heads",
        read: read_1,
    },
    Family {
        name: "gemma2",
        about: "Gemma 2 decoders: base, LM and sequence-classification heads; soft caps, local attention",
        read: read_2,
    },
    Family {
        name: "gemma3_text",
        about: "Gemma 3 text decoders: base, LM and sequence-classification heads; local attention",
        read: read_3,
    },
];

fn read_1(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let mut spec = decoder(config, 16)?;
    config.refuse_true("use_bidirectional_attention")?;
    // An old value that stands for the tanh approximation; `hidden_activation` is what replaced it for a while.
    spec.activation = match config.word("hidden_act", "gelu_pytorch_tanh")? {
        "gelu" => Activation::GeluTanh,
        _ => activation(config, "hidden_act", "gelu_pytorch_tanh")?,
    };
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, true, Some(0))?;
    config.finish(&["hidden_activation"])?;
    Ok((spec, llama::weights(has).taking(NORMS, &Take::PlusOne)))
}

fn read_2(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    config.refuse_true("use_bidirectional_attention")?;
    let mut spec = later_decoder(config, Some(50.0), Some(30.0))?;
    let window = config.nullable_size("sliding_window", Some(4096))?;
    windows(config, &mut spec, window, |i| i % 2 == 0)?;
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    config.finish(&["cache_implementation", "hidden_act", "sliding_window_size"])?;
    Ok((spec, later_weights(has)))
}

fn read_3(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let mut spec = later_decoder(config, None, None)?;
    if spec.attention.softcap.is_some() {
        let problem = "transformers reads it, and then does not cap the scores";
        return Err(config.unsupported("attn_logit_softcapping", problem));
    }
    let mut window = config.nullable_size("sliding_window", Some(4096))?;
    if config.flag("use_bidirectional_attention", false)? {
        spec.mask = Mask::Bidirectional;
        // Half on either side.
        window = window.map(|w| w / 2 + 1);
    }
    let every = config.size("sliding_window_pattern", Some(6))?;
    let sliding = windows(config, &mut spec, window, |i| (i + 1) % every != 0)?;
    spec.attention.qk_norm = Some(QkNorm {
        norm: spec.norm,
        over: Over::Head,
    });
    let scaling = config.object("rope_scaling")?.filter(|o| !o.is_empty());
    if scaling.is_some() && config.get("rope_parameters").is_some() {
        return Err(config.unsupported("rope_scaling", "`rope_parameters` is there too"));
    }
    let fields = ["rope_theta", "rope_local_base_freq"];
    spec.attention.rotary = layer_ropes(config, &mut spec, fields, [1_000_000.0, 10_000.0])?;
    if scaling.is_some() {
        // Of the blocks with full attention alone.
        let theta = spec.attention.rotary[0].theta;
        let place = ("rope_scaling", scaling);
        let defaults = Defaults::whole(theta);
        spec.attention.rotary[0] = rope::read(config, &mut spec, place, theta, None, &defaults)?;
    }
    for (layer, sliding) in spec.layers.iter_mut().zip(sliding) {
        layer.rotary = Some(usize::from(sliding));
    }
    config.finish(&[
        "_sliding_window_pattern",
        "cache_implementation",
        "hidden_act",
    ])?;
    let norms = ["blocks.{i}.attn.q_norm", "blocks.{i}.attn.k_norm"];
    Ok((spec, later_weights(has).taking(norms, &Take::PlusOne)))
}

fn decoder(config: &Config, kv_heads: usize) -> Result<ArchSpec> {
    let base = base(
        config,
        config.word("model_type", "gemma")?,
        &FIELDS,
        rms(config, 1e-6)?,
    )?;
    let bias = config.flag("attention_bias", false)?;
    let mut spec = ArchSpec {
        d_mlp: config.size("intermediate_size", None)?,
        mlp: Mlp::Gated,
        attention: AttentionSpec::plain(bias, bias),
        ..base
    };
    // transformers keeps the factor in f32.
    spec.embed.scale = f64::from((spec.d_model as f64).sqrt() as f32);
    grouped_heads(config, &mut spec, Some(kv_heads), Some(256))?;
    Ok(spec)
}

/// What Gemma 2 and 3 have in common.
fn later_decoder(
    config: &Config,
    scores_cap: Option<f64>,
    logits_cap: Option<f64>,
) -> Result<ArchSpec> {
    let mut spec = decoder(config, 4)?;
    spec.placement = Placement::Sandwich;
    spec.activation = activation(config, "hidden_activation", "gelu_pytorch_tanh")?;
    let scalar = config.number("query_pre_attn_scalar", Some(256.0))?;
    set_scale(&mut spec, scalar.powf(-0.5));
    spec.attention.softcap = config.nullable_number("attn_logit_softcapping", scores_cap)?;
    spec.head = decoder_head(config, true, Some(0))?;
    let cap = config.nullable_number("final_logit_softcapping", logits_cap)?;
    if let Head::Lm { softcap, .. } = &mut spec.head {
        *softcap = cap;
    }
    Ok(spec)
}

const NORMS: [&str; 3] = ["blocks.{i}.attn_norm", "blocks.{i}.mlp_norm", "final_norm"];

fn later_weights(has: &dyn Fn(&str) -> bool) -> WeightMap {
    let under = |name: &str| format!("{{p}}layers.{{i}}.{name}");
    llama::weights(has)
        .also([
            (
                "blocks.{i}.attn_out_norm",
                &under("post_attention_layernorm"),
            ),
            ("blocks.{i}.mlp_norm", &under("pre_feedforward_layernorm")),
            (
                "blocks.{i}.mlp_out_norm",
                &under("post_feedforward_layernorm"),
            ),
        ])
        .taking(NORMS, &Take::PlusOne)
        .taking(
            ["blocks.{i}.attn_out_norm", "blocks.{i}.mlp_out_norm"],
            &Take::PlusOne,
        )
}
