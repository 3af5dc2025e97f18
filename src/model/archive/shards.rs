//! Which file of a checkpoint holds which tensor, where there are several.

use super::malformed;
use crate::error::Result;
use crate::model::source::ModelSource;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The files of a checkpoint, in the order of their names.
#[derive(Debug)]
pub(super) struct Shards {
    pub files: Vec<String>,
    index: &'static str,
    /// What the index says: tensor -> file. Empty for a single file.
    listed: BTreeMap<String, String>,
}

impl Shards {
    /// One file.
    pub(super) fn single(file: &str) -> Self {
        Self {
            files: vec![file.to_owned()],
            index: "",
            listed: BTreeMap::new(),
        }
    }

    /// The files that an index lists. A shard must lie in the folder itself and have this extension (with its dot).
    ///
    /// # Errors
    /// [`crate::error::Error::Malformed`] for an index that is none, lists nothing or points out of the folder.
    pub(super) fn listed(
        source: &ModelSource,
        index: &'static str,
        extension: &str,
    ) -> Result<Self> {
        let listed = read_index(source, index, extension)?;
        let files: BTreeSet<String> = listed.values().cloned().collect();
        Ok(Self {
            files: files.into_iter().collect(),
            index,
            listed,
        })
    }

    /// Where every tensor lies, from `read`, which reads a file's header (its name and number are given).
    ///
    /// # Errors
    /// Those of `read`; [`crate::error::Error::Malformed`] for a tensor in two shards, or one that is listed and nowhere.
    pub(super) fn places<P>(
        &self,
        source: &ModelSource,
        read: impl Fn(&str, usize) -> Result<Vec<(String, P)>>,
    ) -> Result<BTreeMap<String, P>> {
        let mut places = BTreeMap::new();
        for (i, file) in self.files.iter().enumerate() {
            for (name, place) in read(file, i)? {
                if places.insert(name.clone(), place).is_some() {
                    let problem = format!("the tensor `{name}` is in two shards");
                    return Err(malformed(&source.path(file), problem));
                }
            }
        }
        match self.listed.keys().find(|n| !places.contains_key(*n)) {
            None => Ok(places),
            Some(name) => Err(malformed(
                &source.path(self.index),
                format!("it lists the tensor `{name}`, which is in none of its shards"),
            )),
        }
    }
}

fn read_index(
    source: &ModelSource,
    index: &str,
    extension: &str,
) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let path = &source.path(index);
    let kind = &extension[1..];
    let index: Index = serde_json::from_slice(&source.read(index)?)
        .map_err(|e| malformed(path, format!("not a {kind} index ({e})")))?;
    let outside = index.weight_map.values().find(|file| {
        Path::new(file).file_name() != Some(file.as_ref()) || !file.ends_with(extension)
    });
    match outside {
        Some(file) => Err(malformed(
            path,
            format!("the shard `{file}` is not a {kind} file of this folder"),
        )),
        None if index.weight_map.is_empty() => Err(malformed(path, "the index lists no tensors")),
        None => Ok(index.weight_map),
    }
}
