//! Granite 3 (IBM 2024): Llama with multipliers at embeddings, scores, outputs and logits.

use super::Family;
use super::common::*;
use super::llama::{decoder, weights};
use super::rope::{self, Defaults};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "granite",
    about: "Granite 3 decoders: base and LM heads; multipliers",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let mut spec = decoder(config, FAMILY.name, rms(config, 1e-6)?)?;
    grouped_heads(config, &mut spec, None, None)?;
    let bias = config.flag("attention_bias", false)?;
    spec.attention = AttentionSpec::plain(bias, bias);
    spec.mlp_bias = config.flag("mlp_bias", false)?;
    spec.embed.scale = config.number("embedding_multiplier", Some(1.0))?;
    spec.residual_scale = config.number("residual_multiplier", Some(1.0))?;
    set_scale(&mut spec, config.number("attention_multiplier", Some(1.0))?);
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, false, None)?;
    let divisor = config.number("logits_scaling", Some(1.0))?;
    if let Head::Lm { scale, .. } = &mut spec.head {
        *scale = 1.0 / divisor;
    }
    config.finish(&[])?;
    Ok((spec, weights(has)))
}
