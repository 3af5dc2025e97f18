//! The metadata of an architecture, read so that no key goes unnoticed.

use super::file::Gguf;
use crate::error::Result;
use crate::model::config::Config;
use serde_json::{Map, Value};

/// The metadata under the architecture's prefix, with the guarantee of [`Config`] that no key goes unnoticed.
pub(super) struct Keys<'a> {
    pub gguf: &'a Gguf,
    metadata: Config,
    prefix: String,
}

impl<'a> Keys<'a> {
    pub(super) fn of(gguf: &'a Gguf) -> Result<Self> {
        let prefix = format!("{}.", gguf.dialect()?.name);
        let entries = gguf.metadata().iter();
        let own: Map<String, Value> = entries
            .filter(|(key, _)| key.starts_with(&prefix))
            .map(|(key, value)| (key.clone(), value.json()))
            .collect();
        Ok(Self {
            metadata: Config::parse(gguf.path(), &Value::Object(own).to_string())?,
            gguf,
            prefix,
        })
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(super) fn size(&self, key: &str, default: Option<usize>) -> Result<usize> {
        self.metadata.size(&self.name(key), default)
    }

    pub(super) fn number(&self, key: &str, default: Option<f64>) -> Result<f64> {
        self.metadata.number(&self.name(key), default)
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        self.metadata.flag(&self.name(key), default)
    }

    pub(super) fn word(&self, key: &str, default: &str) -> Result<String> {
        let name = self.name(key);
        Ok(self.metadata.word(&name, default)?.to_owned())
    }

    /// Insists that a key is absent or has this value.
    pub(super) fn only(&self, key: &str, value: impl Into<Value>) -> Result<()> {
        self.metadata.only(&self.name(key), value)
    }

    pub(super) fn there(&self, key: &str) -> bool {
        self.metadata.get(&self.name(key)).is_some()
    }

    pub(super) fn unsupported(&self, key: &str, problem: &str) -> crate::error::Error {
        self.metadata.unsupported(&self.name(key), problem)
    }

    /// Checks that every key was read.
    pub(super) fn finish(&self) -> Result<()> {
        self.metadata.finish(&[])
    }

    /// Keys that change no number.
    pub(super) fn skip(&self, keys: &[&str]) {
        for key in keys {
            self.there(key);
        }
    }

    pub(super) fn has(&self, tensor: &str) -> bool {
        self.gguf.shape(tensor).is_some()
    }

    pub(super) fn rows(&self, tensor: &str) -> Option<usize> {
        self.gguf.shape(tensor)?.first().copied()
    }

    pub(super) fn heads(&self) -> Result<(usize, usize)> {
        let heads = self.size("attention.head_count", None)?;
        Ok((heads, self.size("attention.head_count_kv", Some(heads))?))
    }

    /// Width of a head: `key_length`, or the stream's width over the heads.
    pub(super) fn head_dim(&self) -> Result<usize> {
        let (heads, _) = self.heads()?;
        let even = self.size("embedding_length", None)? / heads;
        let d_head = self.size("attention.key_length", Some(even.max(1)))?;
        self.only("attention.value_length", d_head)?;
        Ok(d_head)
    }
}

/// The fields of a `config.json` in the making.
#[derive(Default)]
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn put(&mut self, field: &str, value: impl Into<Value>) {
        self.0.insert(field.to_owned(), value.into());
    }

    pub(super) fn remove(&mut self, field: &str) {
        self.0.remove(field);
    }

    pub(super) fn object(self) -> Value {
        Value::Object(self.0)
    }
}
