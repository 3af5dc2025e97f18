//! Models of the Hugging Face hub: from a name and a revision to a folder in the cache.
//!
//! The cache is the one that Python's `huggingface_hub` uses (`HF_HUB_CACHE`, or `hub` in `HF_HOME`), in its layout, through the
//! `hf-hub` crate. All files of a model come from one commit, which is looked up first. A model that is in the cache is taken from
//! there without a request: a branch that has moved on since is seen when the cache's folder is deleted, or its commit named.

mod download;

use super::archive;
use super::source::ModelSource;
use crate::error::{Error, Result};
use download::Download;
use hf_hub::{Cache, Repo, RepoType};
use std::fmt;
use std::path::{Path, PathBuf};

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
/// What a model is read from beside its weights, where it is there.
const FILES: &[&str] = &[
    CONFIG,
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "sentence_bert_config.json",
];
/// What a tokenizer is made from if there is no `tokenizer.json`.
const VOCABULARY: &[&str] = &["vocab.txt", "vocab.json", "merges.txt", "added_tokens.json"];
/// How the files of sentence-transformers' pooling modules end (`1_Pooling/config.json`).
const POOLING: &str = "_Pooling/config.json";

/// What happens while a model is fetched, for a progress bar.
#[derive(Debug, Clone, Copy)]
pub enum Fetching<'a> {
    /// A file begins (or begins again, after its connection was cut).
    File {
        /// Its name in the model's folder.
        name: &'a str,
        /// Its size.
        bytes: u64,
    },
    /// So many bytes of it are there, those of an earlier try included.
    Bytes(u64),
}

/// A model on the hub: `name`, `owner/name` or either with `@revision` (a branch, tag or commit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubId {
    name: String,
    revision: Option<String>,
}

/// A model of the hub, in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    id: HubId,
    commit: String,
    folder: PathBuf,
}

impl HubId {
    /// Reads a name; `None` if it can only be a path.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let parts = name.split('/').count();
        let valid = parts <= 2 && is_inside(name) && revision.is_none_or(is_inside);
        valid.then(|| Self {
            name: name.to_owned(),
            revision: revision.map(str::to_owned),
        })
    }

    fn repo(&self) -> Repo {
        let revision = self.revision.as_deref().unwrap_or("main");
        self.at(revision)
    }

    fn at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.name.clone(), RepoType::Model, revision.to_owned())
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::Hub {
            model: self.to_string(),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.revision {
            Some(revision) => write!(f, "{}@{revision}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

impl Snapshot {
    /// As it was named.
    pub fn id(&self) -> &HubId {
        &self.id
    }

    /// The commit that the name stood for.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Where its files lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn source(&self) -> ModelSource {
        ModelSource::folder(&self.folder)
    }

    /// Whether a model can be loaded from it. Weights are fetched last, so that all else is there when they are.
    fn is_loadable(&self) -> bool {
        let source = self.source();
        let has = |file: &str| source.has(file);
        let weights = archive::first_file(&has).is_some_and(|first| {
            archive::other_files(&source, first).is_ok_and(|files| files.iter().all(|f| has(f)))
        });
        weights && has(CONFIG)
    }

    /// Whether it has what texts are tokenized with: a folder that another program made can hold a part of a model's files.
    fn is_whole(&self) -> bool {
        let source = self.source();
        let mut tokenizers = [TOKENIZER].iter().chain(VOCABULARY);
        self.is_loadable() && tokenizers.any(|file| source.has(file))
    }
}

/// The model's folder in the cache, downloaded if it is not there.
///
/// # Errors
/// [`Error::Hub`], with what to do; [`Error::NoWeights`] for a model that has weights in other formats only.
pub(super) fn fetch(id: &HubId, report: &dyn Fn(Fetching<'_>)) -> Result<Snapshot> {
    let cache = cache();
    let cached = cached(&cache, id);
    match cached {
        Some(snapshot) if snapshot.is_whole() => Ok(snapshot),
        Some(snapshot) if offline() && snapshot.is_loadable() => Ok(snapshot),
        _ if offline() => Err(id.error(
            "no such file or folder, and no such model in the cache of the hub, while HF_HUB_OFFLINE is set; check the name, \
             or unset HF_HUB_OFFLINE to download it",
        )),
        _ => download_caught(&cache, id, report),
    }
}

/// The crate for the hub trusts answers in places where it should not; a panic there must not end the process.
fn download_caught(cache: &Cache, id: &HubId, report: &dyn Fn(Fetching<'_>)) -> Result<Snapshot> {
    let run = std::panic::AssertUnwindSafe(|| download(cache, id, report));
    std::panic::catch_unwind(run).unwrap_or_else(|_| {
        Err(id.error("the hub's answers are not those of a hub; check HF_ENDPOINT"))
    })
}

fn download(cache: &Cache, id: &HubId, report: &dyn Fn(Fetching<'_>)) -> Result<Snapshot> {
    let download = Download::begin(cache, id, token(), variable("HF_ENDPOINT"), report)?;
    let has = |file: &str| download.has(file);
    let first = archive::first_file(&has).ok_or_else(|| Error::NoWeights {
        folder: id.to_string().into(),
        found: download.files().to_vec(),
    })?;
    let vocabulary = VOCABULARY.iter().filter(|_| !has(TOKENIZER));
    let wanted = FILES.iter().chain(vocabulary).copied();
    for file in wanted.filter(|file| has(file)) {
        download.file(file)?;
    }
    for file in download.files() {
        if file.ends_with(POOLING) && file.matches('/').count() == 1 && is_inside(file) {
            download.file(file)?;
        }
    }
    download.file(first)?;
    let snapshot = Snapshot {
        id: id.clone(),
        commit: download.commit().to_owned(),
        folder: download.folder(),
    };
    for shard in archive::other_files(&snapshot.source(), first)? {
        download.file(&shard)?;
    }
    // Last, so that a name in the cache stands for a model that is whole.
    download.name(id)?;
    Ok(snapshot)
}

/// What the cache has of a model, without asking anyone.
fn cached(cache: &Cache, id: &HubId) -> Option<Snapshot> {
    let repo = id.repo();
    let place = cache.repo(repo.clone());
    let root = place.pointer_path("").parent()?.to_owned();
    let named = std::fs::read_to_string(root.join("refs").join(repo.revision())).ok();
    // Python's cache has no reference for a commit that is named itself.
    let commit = named.map_or_else(|| repo.revision().to_owned(), |c| c.trim().to_owned());
    let folder = place.pointer_path(&commit);
    (is_inside(&commit) && folder.is_dir()).then(|| Snapshot {
        id: id.clone(),
        commit,
        folder,
    })
}

fn cache() -> Cache {
    match variable("HF_HUB_CACHE") {
        Some(folder) => Cache::new(folder.into()),
        None => Cache::from_env(),
    }
}

fn token() -> Option<String> {
    variable("HF_TOKEN").or_else(|| Cache::from_env().token())
}

fn offline() -> bool {
    let on = ["1", "on", "yes", "true"];
    variable("HF_HUB_OFFLINE").is_some_and(|value| on.contains(&value.to_lowercase().as_str()))
}

/// An environment variable that is not empty.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok()?.trim().to_owned();
    (!value.is_empty()).then_some(value)
}

/// Whether a relative path, as people and servers name it, stays inside the folder that it is appended to.
fn is_inside(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut parts = path.split('/');
    parts.all(|part| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_hub_are_told_from_paths() {
        for name in ["gpt2", "org/name", "org/na-me.v1_0@main", "gpt2@refs/pr/5"] {
            assert_eq!(HubId::parse(name).unwrap().to_string(), name);
        }
        for path in [
            "./gpt2", "../gpt2", "/gpt2", "a/b/c", "a/", "", "a@", "a@../b", "a b", "a@b@c", "~/a",
            "a//b",
        ] {
            assert_eq!(HubId::parse(path), None, "{path}");
        }
    }
}
