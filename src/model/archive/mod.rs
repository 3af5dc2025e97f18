//! A file, or set of files, of named tensors.

mod gguf;
mod opcodes;
mod pickle;
mod plain;
mod safetensors;
mod shards;
mod zip;

/// The name of the file that plumb writes weights to.
pub(super) const SAFETENSORS: &str = safetensors::FORMAT.single;

use super::source::{ModelSource, ReadSeek};
use crate::error::{Error, Result};
use candle_core::Tensor;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

/// What is known of a tensor before its bytes are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its shape, the last axis fastest.
    pub shape: Vec<usize>,
}

/// Named tensors in files. Headers are read and checked when one is opened, tensors one by one when they are asked for.
pub(crate) trait Archive: std::fmt::Debug + Send + Sync {
    /// Every tensor, by its foreign (Hugging Face) name.
    fn tensors(&self) -> &BTreeMap<String, Stored>;

    /// A tensor as f32 on the CPU. Its numbers are those of the file: that they are finite is checked by who asks.
    ///
    /// # Errors
    /// [`Error::MissingWeight`]; [`Error::Malformed`] for a dtype that is no float, or a file that changed; [`Error::Io`].
    fn read(&self, name: &str) -> Result<Tensor>;

    /// The file that a tensor lies in (for a name that is not there: that it would lie in), for messages.
    fn path(&self, name: &str) -> PathBuf;

    /// How many tensors are stored in each format, where formats lose precision on purpose (Q8_0, Q4_K, …); else nothing.
    fn quantised(&self) -> BTreeMap<String, usize> {
        BTreeMap::new()
    }

    /// SHA-256 over the bytes of the files, in the order of their names. For a single file this is what `sha256sum` prints.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn sha256(&self) -> Result<String>;
}

/// The formats, the preferred one first.
const FORMATS: [&plain::Format; 2] = [&safetensors::FORMAT, &pickle::FORMAT];

/// The file from which the weights are found, among those that are there: all of them, or an index.
pub(super) fn first_file(has: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    let names = FORMATS.iter().flat_map(|f| [f.single, f.index]);
    names.into_iter().find(|name| has(name))
}

/// The files that the first one needs beside it: the shards of an index.
///
/// # Errors
/// [`Error::Malformed`] for an index that is none or points out of its folder.
pub(super) fn other_files(source: &ModelSource, first: &str) -> Result<Vec<String>> {
    match FORMATS.iter().find(|f| f.index == first) {
        None => Ok(Vec::new()),
        Some(f) => Ok(shards::Shards::listed(source, f.index, f.extension)?.files),
    }
}

/// The weights of a model, in whichever format they are there; where there are several, the first of the list in
/// [`Error::NoWeights`].
///
/// # Errors
/// [`Error::NoWeights`] if there are none; what the format's reader says of its headers.
pub(crate) fn open(source: &ModelSource) -> Result<Box<dyn Archive>> {
    if let ModelSource::Gguf(path) = source {
        return Ok(Box::new(gguf::GgufArchive::open(path)?));
    }
    for format in FORMATS {
        if let Some(archive) = plain::Plain::open(source, format)? {
            return Ok(Box::new(archive));
        }
    }
    Err(Error::NoWeights {
        folder: source.path(""),
        found: source.files(),
    })
}

/// A file of the model, at its beginning, with its size in bytes.
fn open_sized(source: &ModelSource, name: &str) -> Result<(Box<dyn ReadSeek>, u64)> {
    let mut file = source.open(name)?;
    let size = file
        .seek(SeekFrom::End(0))
        .and_then(|size| file.rewind().map(|()| size))
        .map_err(|e| Error::io(source.path(name), e))?;
    Ok((file, size))
}

fn sha256_of(source: &ModelSource, files: &[String]) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for name in files {
        let mut file = source.open(name)?;
        loop {
            let n = file.read(&mut buffer);
            let n = n.map_err(|e| Error::io(source.path(name), e))?;
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
        }
    }
    Ok(format!("{:x}", hasher.finalize()))
}

fn malformed(path: &Path, problem: impl Into<String>) -> Error {
    Error::Malformed {
        path: path.to_owned(),
        problem: problem.into(),
    }
}
