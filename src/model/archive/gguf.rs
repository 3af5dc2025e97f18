//! Tensors in a GGUF file.

use super::{Archive, Stored, sha256_of};
use crate::error::{Error, Result};
use crate::model::gguf::{Gguf, Spelled};
use crate::model::source::ModelSource;
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A GGUF file, its tensors named and laid out as in a Hugging Face checkpoint. Memory holds one tensor's bytes at a time.
#[derive(Debug)]
pub(super) struct GgufArchive {
    file: Gguf,
    spelled: BTreeMap<String, Spelled>,
    tensors: BTreeMap<String, Stored>,
}

impl GgufArchive {
    /// Reads the header and checks it against the file's size.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Malformed`], [`Error::UnsupportedFamily`].
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = Gguf::open(path)?;
        let spelled = file.spelled()?;
        let tensors = spelled.iter().map(|(name, tensor)| {
            let shape = tensor.shape.clone();
            (name.clone(), Stored { shape })
        });
        Ok(Self {
            tensors: tensors.collect(),
            spelled,
            file,
        })
    }
}

impl Archive for GgufArchive {
    fn tensors(&self) -> &BTreeMap<String, Stored> {
        &self.tensors
    }

    fn read(&self, name: &str) -> Result<Tensor> {
        let tensor = self.spelled.get(name);
        let tensor = tensor.ok_or_else(|| Error::MissingWeight {
            path: self.path(name),
            name: name.to_owned(),
        })?;
        self.file.read_spelled(tensor)
    }

    fn path(&self, _: &str) -> PathBuf {
        self.file.path().to_owned()
    }

    fn quantised(&self) -> BTreeMap<String, usize> {
        self.file.formats()
    }

    fn sha256(&self) -> Result<String> {
        let source = ModelSource::Gguf(self.file.path().to_owned());
        let file = self.file.path().file_name().unwrap_or_default();
        sha256_of(&source, &[file.to_string_lossy().into_owned()])
    }
}
