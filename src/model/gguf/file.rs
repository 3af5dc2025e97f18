//! An open GGUF file.

use super::header::{Header, Value};
use crate::error::{Error, Result};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A GGUF file, its header read and checked. Tensors are read one by one when they are asked for.
#[derive(Debug)]
pub(crate) struct Gguf {
    pub(super) path: PathBuf,
    pub(super) header: Header,
}

impl Gguf {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Io`]; [`Error::Malformed`] for a header that lies, a truncated file, or a format of numbers
    /// that is not read.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let io = |e| Error::io(path, e);
        let file = File::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let header =
            Header::read(BufReader::new(file), size).map_err(|problem| malformed(path, problem))?;
        Ok(Self {
            path: path.to_owned(),
            header,
        })
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its metadata, by key.
    pub(super) fn metadata(&self) -> &BTreeMap<String, Value> {
        &self.header.metadata
    }

    /// The texts of a list, if it is there and is one of texts.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<&str>> {
        let Value::List(values) = self.header.metadata.get(key)? else {
            return None;
        };
        let texts = values.iter().map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// A text, if it is there and is one.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.header.metadata.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A number that is not negative, if it is there and is one.
    pub(super) fn unsigned(&self, key: &str) -> Option<u64> {
        match self.header.metadata.get(key)? {
            Value::Unsigned(n) => Some(*n),
            Value::Signed(n) => u64::try_from(*n).ok(),
            _ => None,
        }
    }

    /// `true` or `false`, if it is there and is one.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        match self.header.metadata.get(key)? {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The names of its tensors, as llama.cpp gives them, with their shapes.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        let tensors = self.header.tensors.iter();
        tensors.map(|(name, place)| (name.as_str(), place.shape.as_slice()))
    }

    /// The shape of a tensor, if it is there.
    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.header.tensors.get(name)?.shape)
    }

    /// How many tensors are stored in each format.
    pub(crate) fn formats(&self) -> BTreeMap<String, usize> {
        let mut formats = BTreeMap::new();
        for place in self.header.tensors.values() {
            *formats.entry(place.format.to_string()).or_insert(0) += 1;
        }
        formats
    }

    /// A tensor as f32, in the layout of the file.
    ///
    /// # Errors
    /// [`Error::MissingWeight`]; [`Error::Io`].
    pub(crate) fn read(&self, name: &str) -> Result<Tensor> {
        let place = self.header.tensors.get(name);
        let place = place.ok_or_else(|| Error::MissingWeight {
            path: self.path.clone(),
            name: name.to_owned(),
        })?;
        let io = |e| Error::io(&self.path, e);
        let mut file = File::open(&self.path).map_err(io)?;
        // The file may have become shorter since its header was checked.
        let size = file.metadata().map_err(io)?.len();
        if place.offset.saturating_add(place.bytes) > size {
            let problem =
                format!("the tensor `{name}` is cut off; the file changed while it was read");
            return Err(malformed(&self.path, problem));
        }
        let mut bytes = vec![0; place.bytes as usize];
        file.seek(SeekFrom::Start(place.offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(io)?;
        Ok(place.format.dequantise(bytes, &place.shape)?)
    }

    /// A file that is well-formed and cannot be used for this reason.
    pub(super) fn malformed(&self, problem: impl Into<String>) -> Error {
        malformed(&self.path, problem.into())
    }

    /// A key of the metadata with a value that plumb does not implement.
    pub(super) fn unsupported(&self, key: &str, problem: impl Into<String>) -> Error {
        Error::UnsupportedConfig {
            path: self.path.clone(),
            field: key.to_owned(),
            value: self
                .header
                .metadata
                .get(key)
                .map_or("(absent)".to_owned(), |v| v.json().to_string()),
            problem: problem.into(),
        }
    }
}

fn malformed(path: &Path, problem: String) -> Error {
    Error::Malformed {
        path: path.to_owned(),
        problem,
    }
}
