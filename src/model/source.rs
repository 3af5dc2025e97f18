//! Where a model's files come from: a folder, the hub, or the binary itself.

use super::hub::{self, Fetching, HubId, Snapshot};
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
    /// A model of the Hugging Face hub, to be fetched: it has no files yet.
    Hub(HubId),
    /// A model of the hub that was fetched: a folder in its cache.
    Snapshot(Snapshot),
    /// The model in the binary.
    Builtin,
}

/// Something that can be read at any place.
pub(super) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

impl ModelSource {
    /// What `--model` names: `builtin`, a folder, or a model of the hub. What exists as a path is a folder.
    pub fn named(name: &str) -> Self {
        match name {
            BUILTIN => ModelSource::Builtin,
            _ if Path::new(name).exists() => ModelSource::Folder(name.into()),
            _ => match HubId::parse(name) {
                Some(id) => ModelSource::Hub(id),
                None => ModelSource::Folder(name.into()),
            },
        }
    }

    /// The same source with its files at hand: a model of the hub is taken from its cache or downloaded.
    ///
    /// # Errors
    /// [`Error::Hub`], [`Error::NoWeights`].
    pub fn fetched(&self, report: &dyn Fn(Fetching<'_>)) -> Result<Self> {
        match self {
            ModelSource::Hub(id) => hub::fetch(id, report).map(ModelSource::Snapshot),
            here => Ok(here.clone()),
        }
    }

    /// The commit of a model of the hub that was fetched.
    pub fn revision(&self) -> Option<&str> {
        match self {
            ModelSource::Snapshot(snapshot) => Some(snapshot.commit()),
            _ => None,
        }
    }

    /// The folder that the files lie in, if they are in one.
    fn root(&self) -> Option<&Path> {
        match self {
            ModelSource::Folder(folder) => Some(folder),
            ModelSource::Snapshot(snapshot) => Some(snapshot.folder()),
            ModelSource::Hub(_) | ModelSource::Builtin => None,
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
        match self.root() {
            Some(folder) => folder.join(file).is_file(),
            None => self.builtin(file).is_some(),
        }
    }

    /// The names of its files, sorted.
    pub(super) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = match self.root() {
            Some(folder) => std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
            None => BUILTIN_FILES
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .filter(|name| self.has(name))
                .collect(),
        };
        names.sort();
        names
    }

    /// The path of a file, for messages.
    pub fn path(&self, file: &str) -> PathBuf {
        match self.root() {
            Some(folder) => folder.join(file),
            None => Path::new(&self.to_string()).join(file),
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
        match self.root() {
            None => {
                let bytes = self.builtin(file).ok_or_else(missing)?;
                Ok(Box::new(Cursor::new(bytes)))
            }
            Some(folder) => {
                let path = folder.join(file);
                if !path.is_file() {
                    return Err(missing());
                }
                let file = File::open(&path).map_err(|e| Error::io(&path, e))?;
                Ok(Box::new(file))
            }
        }
    }

    fn builtin(&self, file: &str) -> Option<&'static [u8]> {
        let entry = BUILTIN_FILES.iter().find(|(name, _)| *name == file);
        let here = matches!(self, ModelSource::Builtin);
        entry.filter(|_| here).map(|(_, bytes)| *bytes)
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

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelSource::Folder(folder) => write!(f, "{}", folder.display()),
            ModelSource::Hub(id) => write!(f, "{id}"),
            ModelSource::Snapshot(snapshot) => write!(f, "{}", snapshot.id()),
            ModelSource::Builtin => f.write_str(BUILTIN),
        }
    }
}
