//! Where a model's files come from: a folder, a GGUF file, the hub, or the binary itself.

use super::gguf::Gguf;
use super::hub::{self, Fetching, HubId, Snapshot};
use crate::error::{Error, Result};
use crate::text::tokens::{Files, TOKENIZER_FILES};
use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};

/// The name that stands for the model in the binary.
pub const BUILTIN: &str = "builtin";
const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

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
    /// A GGUF file, which is read as if it were a folder: its metadata as `config.json` and `tokenizer.json`. A
    /// `tokenizer.json` that lies beside it counts instead.
    Gguf(PathBuf),
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
    /// What `--model` names: `builtin`, a GGUF file, a folder, or a model of the hub. What else exists as a path is a folder.
    pub fn named(name: &str) -> Self {
        match name {
            BUILTIN => ModelSource::Builtin,
            file if is_gguf(Path::new(file)) => ModelSource::Gguf(file.into()),
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
            ModelSource::Hub(_) | ModelSource::Gguf(_) | ModelSource::Builtin => None,
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
            ModelSource::Gguf(file) if !file.is_file() => {
                Err(Error::NoSuchFile { path: file.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Whether the source has a file.
    pub fn has(&self, file: &str) -> bool {
        match (self.root(), self) {
            (Some(folder), _) => folder.join(file).is_file(),
            (None, ModelSource::Gguf(path)) => {
                beside(path, file).is_some()
                    || Gguf::open(path).is_ok_and(|gguf| spells(&gguf, file))
            }
            (None, _) => self.builtin(file).is_some(),
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
        match (self.root(), self) {
            (Some(folder), _) => folder.join(file),
            (None, ModelSource::Gguf(path)) => beside(path, file).unwrap_or_else(|| path.clone()),
            (None, _) => Path::new(&self.to_string()).join(file),
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
        match (self.root(), self) {
            (Some(folder), _) => {
                let path = folder.join(file);
                if !path.is_file() {
                    return Err(missing());
                }
                open_file(&path)
            }
            (None, ModelSource::Gguf(path)) => match beside(path, file) {
                Some(path) => open_file(&path),
                None => {
                    let gguf = Gguf::open(path)?;
                    if !spells(&gguf, file) {
                        return Err(missing());
                    }
                    let text = match file {
                        CONFIG => gguf.config_json()?,
                        TOKENIZER => gguf.tokenizer_json()?,
                        _ => gguf.tokenizer_config_json(),
                    };
                    Ok(Box::new(Cursor::new(text.into_bytes())))
                }
            },
            (None, _) => {
                let bytes = self.builtin(file).ok_or_else(missing)?;
                Ok(Box::new(Cursor::new(bytes)))
            }
        }
    }

    fn builtin(&self, file: &str) -> Option<&'static [u8]> {
        let entry = BUILTIN_FILES.iter().find(|(name, _)| *name == file);
        let here = matches!(self, ModelSource::Builtin);
        entry.filter(|_| here).map(|(_, bytes)| *bytes)
    }
}

fn open_file(path: &Path) -> Result<Box<dyn ReadSeek>> {
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    Ok(Box::new(file))
}

fn is_gguf(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    extension.is_some_and(|e| e.eq_ignore_ascii_case("gguf")) && !path.is_dir()
}

/// The file that counts instead of what a GGUF file says: itself, or one of the tokenizer that lies beside it.
fn beside(gguf: &Path, file: &str) -> Option<PathBuf> {
    if gguf.file_name()?.to_string_lossy() == file {
        return Some(gguf.to_owned());
    }
    let there = |file| Some(gguf.with_file_name(file)).filter(|path| path.is_file());
    there(TOKENIZER)?;
    TOKENIZER_FILES.contains(&file).then(|| there(file))?
}

/// Whether a GGUF file says what stands in a file of a checkpoint.
fn spells(gguf: &Gguf, file: &str) -> bool {
    match file {
        CONFIG => true,
        // One that lies beside it has no part of its vocabulary.
        TOKENIZER | TOKENIZER_CONFIG => {
            gguf.has_vocabulary() && beside(gguf.path(), TOKENIZER).is_none()
        }
        _ => false,
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
            ModelSource::Folder(path) | ModelSource::Gguf(path) => write!(f, "{}", path.display()),
            ModelSource::Hub(id) => write!(f, "{id}"),
            ModelSource::Snapshot(snapshot) => write!(f, "{}", snapshot.id()),
            ModelSource::Builtin => f.write_str(BUILTIN),
        }
    }
}
