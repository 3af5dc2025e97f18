//! Mistral (Jiang et al. 2023): Llama with a sliding window.

use super::Family;
use super::common::*;
use super::llama::{decoder, weights};
use super::rope::{self, Defaults};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "mistral",
    about: "Mistral decoders: base, LM and sequence-classification heads; sliding window",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let mut spec = decoder(config, FAMILY.name, rms(config, 1e-6)?)?;
    grouped_heads(config, &mut spec, Some(8), None)?;
    let window = config.nullable_size("sliding_window", Some(4096))?;
    for layer in &mut spec.layers {
        layer.window = window;
    }
    let rotary = rope::rotary(config, &mut spec, &Defaults::whole(10_000.0))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, false, None)?;
    config.finish(&[])?;
    Ok((spec, weights(has)))
}
