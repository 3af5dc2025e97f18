//! GGUF files: llama.cpp's spelling of a Hugging Face checkpoint, spelled back.
//!
//! Metadata become the text of a `config.json` and of a `tokenizer.json`, tensors get their names and layout back and are
//! dequantised; from there on such a model is like any other.

mod bytes;
mod config;
mod dialect;
mod file;
mod format;
mod header;
mod keys;
mod layout;
mod rope;
mod tokenizer;

pub(crate) use file::Gguf;

use crate::error::{Error, Result};
use candle_core::Tensor;
use dialect::{DIALECTS, Dialect, ROPE_TENSORS};
use keys::Keys;
use layout::Layout;
use std::collections::BTreeMap;

/// A tensor of a checkpoint, where and how a file has it.
#[derive(Debug)]
pub(crate) struct Spelled {
    /// llama.cpp's name.
    name: String,
    layout: Layout,
    /// Its shape in the checkpoint.
    pub(crate) shape: Vec<usize>,
}

impl Gguf {
    /// The text of the `config.json` that describes this file to transformers.
    ///
    /// # Errors
    /// [`Error::UnsupportedFamily`], [`Error::UnsupportedConfig`], [`Error::Malformed`].
    pub(crate) fn config_json(&self) -> Result<String> {
        Ok(format!("{:#}", config::config(self)?))
    }

    /// The text of a `tokenizer.json` with the vocabulary of this file.
    ///
    /// # Errors
    /// [`Error::NoTokenizer`] for a kind of tokenizer that is not read; [`Error::Malformed`].
    pub(crate) fn tokenizer_json(&self) -> Result<String> {
        Ok(tokenizer::tokenizer(self)?.to_string())
    }

    /// The text of the `tokenizer_config.json` that goes with it: the `tokenizer.json` is complete, and no class of a family changes it.
    pub(crate) fn tokenizer_config_json(&self) -> String {
        tokenizer::settings(self).to_string()
    }

    /// Whether it has a vocabulary at all.
    pub(crate) fn has_vocabulary(&self) -> bool {
        self.text(tokenizer::MODEL).is_some()
    }

    /// Every tensor by the name that a Hugging Face checkpoint has for it.
    ///
    /// # Errors
    /// [`Error::UnsupportedFamily`]; [`Error::Malformed`] if two would have the same name.
    pub(crate) fn spelled(&self) -> Result<BTreeMap<String, Spelled>> {
        let dialect = self.dialect()?;
        let (heads, kv_heads) = Keys::of(self)?.heads()?;
        let mut spelled = BTreeMap::new();
        for (name, shape) in self.shapes() {
            if ROPE_TENSORS.contains(&name) {
                continue;
            }
            let (foreign, layout) = dialect.translate(name, heads, kv_heads);
            let tensor = Spelled {
                name: name.to_owned(),
                layout,
                shape: layout.shape(shape),
            };
            if spelled.insert(foreign.clone(), tensor).is_some() {
                return Err(self.malformed(format!(
                    "two tensors are called `{foreign}` in a checkpoint"
                )));
            }
        }
        Ok(spelled)
    }

    /// A tensor as the checkpoint has it, in f32.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it does not divide among the heads; [`Error::Io`].
    pub(crate) fn read_spelled(&self, tensor: &Spelled) -> Result<Tensor> {
        let stored = self.read(&tensor.name)?;
        let undone = tensor.layout.undo(&stored);
        undone.map_err(|_| {
            let shape = stored.dims();
            self.malformed(format!(
                "the tensor `{}` of shape {shape:?} does not divide among the heads",
                tensor.name
            ))
        })
    }

    fn dialect(&self) -> Result<&'static Dialect> {
        let found = self.text("general.architecture").unwrap_or("(absent)");
        Dialect::of(found).ok_or_else(|| Error::UnsupportedFamily {
            path: self.path().to_owned(),
            found: found.to_owned(),
            supported: DIALECTS.iter().map(|d| d.name.to_owned()).collect(),
        })
    }
}
