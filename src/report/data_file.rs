//! A data file as reports name it.

use crate::text::dataset::Dataset;
use serde::Serialize;

/// A data file.
#[derive(Debug, Clone, Serialize)]
pub struct DataFile {
    /// As it was named.
    pub data: String,
    /// SHA-256 of its bytes.
    pub data_sha256: String,
}

impl DataFile {
    /// The card of a file that was read.
    pub fn of(data: &Dataset) -> Self {
        Self {
            data: data.path().display().to_string(),
            data_sha256: data.sha256().to_owned(),
        }
    }
}
