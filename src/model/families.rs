//! The families: each turns a `config.json` into an architecture and the names of its weights.

mod bert;
mod llama;

use super::config::Config;
use super::spec::{Activation, ArchSpec};
use super::weights::WeightMap;
use crate::error::{Error, Result};

/// Reads a configuration; the second argument tells whether the checkpoint has a weight of this (foreign) name.
pub(crate) type ReadFamily = fn(&Config, &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)>;

/// A family of models, as Hugging Face's `model_type` names it.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// The value of `model_type`.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// From a configuration to an architecture and the names of its weights.
    pub(crate) read: ReadFamily,
}

/// Every supported family.
pub const FAMILIES: &[Family] = &[bert::FAMILY, llama::FAMILY];

/// The family that a configuration names.
///
/// # Errors
/// [`Error::UnsupportedFamily`] with the list of those there are.
pub fn family_of(config: &Config) -> Result<&'static Family> {
    let found = config.word("model_type", "(absent)")?;
    FAMILIES
        .iter()
        .find(|f| f.name == found)
        .ok_or_else(|| Error::UnsupportedFamily {
            path: config.path().to_owned(),
            found: found.to_owned(),
            supported: FAMILIES.iter().map(|f| f.name.to_owned()).collect(),
        })
}

/// The activation function that transformers means by a name.
fn activation(config: &Config, field: &str, default: &str) -> Result<Activation> {
    match config.word(field, default)? {
        "gelu" => Ok(Activation::GeluErf),
        "gelu_new" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        "relu" => Ok(Activation::Relu),
        "silu" | "swish" => Ok(Activation::Silu),
        _ => Err(config.unsupported(
            field,
            "implemented are gelu, gelu_new, gelu_pytorch_tanh, relu, silu and swish",
        )),
    }
}
