//! Where the files of a tokenizer are read from.

use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// The files of a model, by name: a folder, or whatever else holds them.
pub trait Files {
    /// The bytes of a file, `None` if there is no such file.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that is there and cannot be read.
    fn read_if_there(&self, file: &str) -> Result<Option<Vec<u8>>>;

    /// What messages call a file; the whole for the empty name.
    fn shown(&self, file: &str) -> PathBuf;
}

impl Files for &Path {
    fn read_if_there(&self, file: &str) -> Result<Option<Vec<u8>>> {
        let path = self.join(file);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && self.is_dir() => Ok(None),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::io(*self, e)),
            Err(e) => Err(Error::io(path, e)),
        }
    }

    fn shown(&self, file: &str) -> PathBuf {
        match file {
            "" => self.to_path_buf(),
            file => self.join(file),
        }
    }
}

/// The text of a file.
///
/// # Errors
/// [`Error::NotUtf8`] with the line.
pub(super) fn text(files: &dyn Files, file: &str) -> Result<Option<String>> {
    let Some(bytes) = files.read_if_there(file)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = e.as_bytes().get(..e.utf8_error().valid_up_to());
        let lines = before.unwrap_or_default().iter().filter(|b| **b == b'\n');
        Error::NotUtf8 {
            path: files.shown(file),
            line: 1 + lines.count(),
        }
    })?;
    Ok(Some(text))
}

/// The fields of a JSON file; none if there is no such file.
///
/// # Errors
/// [`Error::Malformed`] with line and column.
pub(super) fn object(files: &dyn Files, file: &str) -> Result<Map<String, Value>> {
    let Some(text) = text(files, file)? else {
        return Ok(Map::new());
    };
    serde_json::from_str(&text).map_err(|e| Error::Malformed {
        path: files.shown(file),
        problem: format!("this is not a JSON object ({e})"),
    })
}
