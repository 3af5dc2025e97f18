//! The families: each turns a `config.json` into an architecture and the names of its weights.

mod albert;
mod bert;
mod bloom;
mod cohere;
mod common;
mod distilbert;
mod electra;
mod falcon;
mod gemma;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod gptj;
mod granite;
mod llama;
mod mistral;
mod modernbert;
mod mpnet;
mod nomic_bert;
mod olmo;
mod opt;
mod phi;
mod phi3;
mod qwen;
mod roberta;
mod rope;
mod smollm3;
mod stablelm;
mod starcoder2;
mod t5;

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
pub const FAMILIES: &[Family] = &[
    bert::FAMILY,
    roberta::FAMILIES[0],
    roberta::FAMILIES[1],
    roberta::FAMILIES[2],
    distilbert::FAMILY,
    electra::FAMILY,
    albert::FAMILY,
    mpnet::FAMILY,
    modernbert::FAMILY,
    nomic_bert::FAMILY,
    t5::FAMILY,
    gpt2::FAMILY,
    gpt_neo::FAMILY,
    gpt_neox::FAMILY,
    gptj::FAMILY,
    opt::FAMILY,
    bloom::FAMILY,
    falcon::FAMILY,
    llama::FAMILY,
    mistral::FAMILY,
    qwen::FAMILIES[0],
    qwen::FAMILIES[1],
    gemma::FAMILIES[0],
    gemma::FAMILIES[1],
    gemma::FAMILIES[2],
    phi::FAMILY,
    phi3::FAMILY,
    stablelm::FAMILY,
    olmo::FAMILIES[0],
    olmo::FAMILIES[1],
    starcoder2::FAMILY,
    cohere::FAMILY,
    granite::FAMILY,
    smollm3::FAMILY,
];

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

/// The activation function that a field names.
fn activation(config: &Config, field: &str, default: &str) -> Result<Activation> {
    activation_named(config, field, config.word(field, default)?)
}

/// The activation function that transformers means by a name; `field` is where it stands.
fn activation_named(config: &Config, field: &str, name: &str) -> Result<Activation> {
    match name {
        "gelu" | "gelu_python" => Ok(Activation::GeluErf),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_fast" | "gelu_accurate" => {
            Ok(Activation::GeluTanh)
        }
        "quick_gelu" => Ok(Activation::GeluQuick),
        "relu" => Ok(Activation::Relu),
        "relu2" => Ok(Activation::ReluSquared),
        "silu" | "swish" => Ok(Activation::Silu),
        "tanh" => Ok(Activation::Tanh),
        _ => Err(config.unsupported(
            field,
            "implemented are gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, relu, relu2, silu, swish and tanh",
        )),
    }
}
