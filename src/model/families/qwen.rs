//! Qwen 2 and 3 (Yang et al. 2024, 2025): Llama with biases at queries, keys and values, or with norms of queries and keys.

use super::Family;
use super::common::*;
use super::llama::{decoder, weights};
use super::rope::{self, Defaults};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILIES: [Family; 2] = [
    Family {
        name: "qwen2",
        about: "Qwen 2 and 2.5 decoders: base, LM and sequence-classification heads",
        read: read_2,
    },
    Family {
        name: "qwen3",
        about: "Qwen 3 decoders: base, LM and sequence-classification heads",
        read: read_3,
    },
];

fn read_2(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    read(config, has, |config, spec| {
        grouped_heads(config, spec, Some(32), None)?;
        spec.attention = AttentionSpec::plain(true, false);
        Ok(())
    })
}

fn read_3(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    read(config, has, |config, spec| {
        grouped_heads(config, spec, Some(32), Some(128))?;
        let bias = config.flag("attention_bias", false)?;
        spec.attention = AttentionSpec::plain(bias, bias);
        spec.attention.qk_norm = Some(QkNorm {
            norm: spec.norm,
            over: Over::Head,
        });
        Ok(())
    })
}

fn read(
    config: &Config,
    has: &dyn Fn(&str) -> bool,
    attention: fn(&Config, &mut ArchSpec) -> Result<()>,
) -> Result<(ArchSpec, WeightMap)> {
    let family = config.word("model_type", "qwen2")?;
    let mut spec = decoder(config, family, rms(config, 1e-6)?)?;
    attention(config, &mut spec)?;
    let used = config.flag("use_sliding_window", false)?;
    let window = config
        .nullable_size("sliding_window", Some(4096))?
        .filter(|_| used);
    // Zero is a first block here.
    let first = config.number("max_window_layers", Some(28.0))? as usize;
    windows(config, &mut spec, window, |i| {
        window.is_some() && i >= first
    })?;
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, false, None)?;
    config.finish(&["use_mrope"])?;
    Ok((spec, weights(has)))
}
