//! SmolLM3 (Hugging Face 2025): Llama with blocks that have no rotary positions.

use super::Family;
use super::common::*;
use super::llama::{decoder, weights};
use super::rope::{self, Defaults};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "smollm3",
    about: "SmolLM3 decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let mut spec = decoder(config, FAMILY.name, rms(config, 1e-6)?)?;
    grouped_heads(config, &mut spec, Some(4), None)?;
    let bias = config.flag("attention_bias", false)?;
    spec.attention = AttentionSpec::plain(bias, bias);
    spec.mlp_bias = config.flag("mlp_bias", false)?;
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(2_000_000.0))?;
    rotate(&mut spec, rotary);
    let turned = turned_layers(config, spec.n_layers)?;
    for (layer, turned) in spec.layers.iter_mut().zip(&turned) {
        layer.rotary = layer.rotary.filter(|_| *turned);
    }
    let used = config.flag("use_sliding_window", false)?;
    let window = config.nullable_size("sliding_window", None)?;
    windows(config, &mut spec, window, |i| {
        used && window.is_some() && !turned[i]
    })?;
    spec.head = decoder_head(config, true, Some(128_004))?;
    config.finish(&["max_window_layers", "pretraining_tp"])?;
    Ok((spec, weights(has)))
}

/// Which blocks turn queries and keys: 1 in `no_rope_layers`, or all but every fourth.
fn turned_layers(config: &Config, n_layers: usize) -> Result<Vec<bool>> {
    let every = config.size("no_rope_layer_interval", Some(4))?;
    let listed = config.list("no_rope_layers", "0 and 1", |v| v.as_u64().map(|v| v != 0))?;
    let turned = listed.unwrap_or_else(|| (0..n_layers).map(|i| (i + 1) % every != 0).collect());
    match turned.len() == n_layers {
        true => Ok(turned),
        false => Err(config.unsupported("no_rope_layers", "it must have an entry for each layer")),
    }
}
