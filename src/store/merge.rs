//! Joining the parts of a run that several machines made.

use super::extract::Part;
use super::lock::Lock;
use super::manifest::{Manifest, shard_name};
use super::shard::Notes;
use super::writer::copy_hashed;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Joins the parts of one run (`--shard 1/3`, `2/3`, `3/3`, in any order) into a folder that exists. The result is that of one run that
/// made all shards, byte for byte.
///
/// # Errors
/// [`Error::BadRun`] for folders that are not all parts of one run, each once and finished, and for a shard whose hash is not the one in
/// its manifest.
pub fn merge(parts: &[PathBuf], into: &Path) -> Result<Manifest> {
    let parts = in_order(parts)?;
    let locks = parts.iter().map(|(folder, _)| Lock::take(folder));
    let locks: Vec<Lock> = locks.collect::<Result<_>>()?;
    let mut joined: Option<Manifest> = None;
    for (folder, manifest) in parts {
        for shard in &manifest.shards {
            let found = copy_hashed(&folder.join(&shard.file), &into.join(&shard.file))?;
            if found != shard.sha256 {
                return Err(Error::BadRun {
                    path: folder.join(&shard.file),
                    problem: "its SHA-256 is not the one in the part's manifest: the shard was damaged or replaced; extract the part again"
                        .to_owned(),
                });
            }
        }
        match &mut joined {
            None => joined = Some(manifest),
            Some(joined) => {
                joined.add_notes(&notes(&manifest));
                joined.shards.extend(manifest.shards);
            }
        }
    }
    drop(locks);
    let mut joined = joined.ok_or_else(|| Error::BadRun {
        path: into.to_owned(),
        problem: "there are no parts to join".to_owned(),
    })?;
    refuse_gaps(&joined, into)?;
    joined.part = None;
    joined.complete = true;
    joined.write(into)?;
    Ok(joined)
}

/// What a part's manifest says about its vectors.
fn notes(manifest: &Manifest) -> Notes {
    Notes {
        massive: manifest.massive.iter().map(|card| card.rows).collect(),
        rounding: manifest.rounding_error,
    }
}

/// The parts with their manifests, from the first to the last, if they are all parts of one run.
fn in_order(folders: &[PathBuf]) -> Result<Vec<(PathBuf, Manifest)>> {
    let mut parts: Vec<(Part, PathBuf, Manifest)> = Vec::new();
    for folder in folders {
        let bad = |problem: String| Error::BadRun {
            path: folder.clone(),
            problem,
        };
        let manifest = Manifest::read(folder)?;
        let part = manifest.part.ok_or_else(|| {
            bad(
                "this is no part of a run; parts are made by `plumb extract --shard i/n`"
                    .to_owned(),
            )
        })?;
        if !part.complete {
            return Err(bad(
                "the part is unfinished; finish it with `plumb extract … --resume`".to_owned(),
            ));
        }
        if let Some((_, first, other)) = parts.first()
            && let Some(field) = other.plan.difference(&manifest.plan)
        {
            return Err(bad(format!(
                "it is not part of the same run as {}: {field} differs",
                first.display()
            )));
        }
        let (index, of) = (part.index, part.of);
        parts.push((Part { index, of }, folder.clone(), manifest));
    }
    parts.sort_by_key(|(part, ..)| part.index);
    let of = parts.first().map_or(0, |(part, ..)| part.of);
    for index in 1..=of.max(parts.len()) {
        match parts.get(index - 1) {
            Some((part, ..)) if (part.index, part.of) == (index, of) => {}
            found => {
                let folder = found.or(parts.last()).map(|(_, folder, _)| folder.clone());
                return Err(Error::BadRun {
                    path: folder.unwrap_or_default(),
                    problem: format!(
                        "to join {of} parts, each must be there once; part {index} of {of} is missing, or another is there twice"
                    ),
                });
            }
        }
    }
    Ok(parts
        .into_iter()
        .map(|(_, folder, manifest)| (folder, manifest))
        .collect())
}

/// The parts' shards, one after another, must be those of the plan.
fn refuse_gaps(joined: &Manifest, into: &Path) -> Result<()> {
    let planned = joined.plan.shard_examples.iter().enumerate();
    let planned = planned.map(|(i, (first, examples))| (shard_name(i), *first, *examples));
    let there = joined.shards.iter();
    let there = there.map(|s| (s.file.clone(), s.first_example, s.examples));
    match planned.eq(there) {
        true => Ok(()),
        false => Err(Error::BadRun {
            path: into.to_owned(),
            problem: "the parts do not hold every shard of the plan; extract them again".to_owned(),
        }),
    }
}
