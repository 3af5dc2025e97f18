//! Where a model's files come from: a folder, or the binary itself.

use crate::error::{Error, Result};
use crate::text::tokens::Files;
use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};

/// The name that stands for the model in the binary.
pub const BUILTIN: &str = "builtin";

/// The files of the built-in model, `models/plumb-tiny`.
const BUILTIN_FILES: &[(&str, &[u8])] = &[
    (
        "config.json",
        include_bytes!("../../models/plumb-tiny/config.json"),
    ),
    (
        "model.safetensors",
        include_bytes!("../../models/plumb-tiny/model.safetensors"),
    ),
    (
        "tokenizer.json",
        include_bytes!("../../models/plumb-tiny/tokenizer.json"),
    ),
];

/// The files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// A folder in Hugging Face layout.
    Folder(PathBuf),
    /// The model in the binary.
    Builtin,
}

/// Something that can be read at any place.
pub(super) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl ModelSource {
    /// What `--model` names: `builtin`, or a folder.
    pub fn named(name: &str) -> Self {
        match name {
            BUILTIN => ModelSource::Builtin,
            folder => ModelSource::Folder(folder.into()),
        }
    }

    /// A folder in Hugging Face layout.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        ModelSource::Folder(path.into())
    }

    /// Checks that the source is there at all.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`].
    pub(super) fn check(&self) -> Result<()> {
        match self {
            ModelSource::Folder(folder) if !folder.is_dir() => Err(Error::NoSuchFile {
                path: folder.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether the source has a file.
    pub fn has(&self, file: &str) -> bool {
        match self {
            ModelSource::Folder(folder) => folder.join(file).is_file(),
            ModelSource::Builtin => builtin(file).is_some(),
        }
    }

    /// The path of a file, for messages.
    pub fn path(&self, file: &str) -> PathBuf {
        match self {
            ModelSource::Folder(folder) => folder.join(file),
            ModelSource::Builtin => Path::new(BUILTIN).join(file),
        }
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`Error::MissingModelFile`], [`Error::Io`].
    pub fn read(&self, file: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(file)?
            .read_to_end(&mut bytes)
            .map_err(|e| Error::io(self.path(file), e))?;
        Ok(bytes)
    }

    /// A file, to be read in pieces.
    ///
    /// # Errors
    /// [`Error::MissingModelFile`], [`Error::Io`].
    pub(super) fn open(&self, file: &str) -> Result<Box<dyn ReadSeek>> {
        let missing = || Error::MissingModelFile {
            folder: self.path(""),
            file: file.to_owned(),
        };
        match self {
            ModelSource::Builtin => {
                let bytes = builtin(file).ok_or_else(missing)?;
                Ok(Box::new(Cursor::new(bytes)))
            }
            ModelSource::Folder(folder) => {
                let path = folder.join(file);
                if !path.is_file() {
                    return Err(missing());
                }
                let file = File::open(&path).map_err(|e| Error::io(&path, e))?;
                Ok(Box::new(file))
            }
        }
    }
}

impl Files for ModelSource {
    fn read_if_there(&self, file: &str) -> Result<Option<Vec<u8>>> {
        match self.has(file) {
            true => self.read(file).map(Some),
            false => Ok(None),
        }
    }

    fn shown(&self, file: &str) -> PathBuf {
        self.path(file)
    }
}

fn builtin(file: &str) -> Option<&'static [u8]> {
    let entry = BUILTIN_FILES.iter().find(|(name, _)| *name == file);
    entry.map(|(_, bytes)| *bytes)
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelSource::Folder(folder) => write!(f, "{}", folder.display()),
            ModelSource::Builtin => f.write_str(BUILTIN),
        }
    }
}
