//! StarCoder2 (Lozhkov et al. 2024): Llama with layer norms, plain MLPs, biases and a sliding window.

use super::common::*;
use super::llama;
use super::rope::{self, Defaults};
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "starcoder2",
    about: "StarCoder2 decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "norm_epsilon", 1e-5)?;
    let base = base(config, FAMILY.name, &FIELDS, norm)?;
    let bias = config.flag("use_bias", true)?;
    let mut spec = ArchSpec {
        d_mlp: config.size("intermediate_size", None)?,
        attention: AttentionSpec::plain(bias, bias),
        mlp_bias: bias,
        activation: activation(config, "hidden_act", "gelu_pytorch_tanh")?,
        ..base
    };
    grouped_heads(config, &mut spec, Some(2), None)?;
    let window = config.nullable_size("sliding_window", None)?;
    for layer in &mut spec.layers {
        layer.window = window;
    }
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, true, None)?;
    config.finish(&["mlp_type", "norm_type", "residual_dropout"])?;
    let map = llama::weights(has).also([
        ("blocks.{i}.mlp.in", "{p}layers.{i}.mlp.c_fc"),
        ("blocks.{i}.mlp.out", "{p}layers.{i}.mlp.c_proj"),
    ]);
    Ok((spec, map))
}
