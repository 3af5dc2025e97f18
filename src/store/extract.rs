//! Running a model over a data set and storing what passes the hook points.

use super::budget::Pieces;
use super::certificate::certify;
use super::disk::refuse_small_disk;
use super::lock::{LOCK, Lock};
use super::manifest::{Manifest, PartCard, ShardCard, shard_name};
use super::pipeline::{Pipeline, Todo};
use super::plan::Extraction;
use super::schema::refuse_collisions;
use super::writer::{ShardWriter, Written};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What becomes known while an extraction runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many more tokens went through the model.
    Tokens(usize),
    /// So many tokens were already there, from the run that is being resumed, or are another part's.
    Skipped(usize),
    /// So many more bytes are on disk.
    Written(u64),
}

/// Which part of a run to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Which one, from 1.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl Part {
    /// The shards of this part.
    pub(super) fn shards(self, all: usize) -> Range<usize> {
        (self.index - 1) * all / self.of..self.index * all / self.of
    }
}

/// How an extraction is carried out; nothing of this changes the numbers.
pub struct Control<'a> {
    /// Finish the run that is in the folder.
    pub resume: bool,
    /// Replace the run that is in the folder.
    pub force: bool,
    /// Make only this part.
    pub part: Option<Part>,
    /// Set from outside (Ctrl-C): finish nothing new.
    pub stop: &'a AtomicBool,
    /// Called from many threads.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// What an extraction left.
#[derive(Debug)]
pub struct Outcome {
    /// The manifest as written.
    pub manifest: Manifest,
    /// Shards that were already there.
    pub resumed_shards: usize,
    /// Bytes of all shards.
    pub bytes: u64,
}

/// Runs the plan into a folder that is new, or resumes the same plan there. Memory holds a few shards and the batches at work, however
/// large the data are.
///
/// # Errors
/// Everything that can be wrong with the plan is found before the model runs: unknown columns, hook points that have no row
/// per token, a folder that holds another run or that another process works on ([`Error::BadRun`]), a disk that is too small, a sample of
/// the data that does not pass its checks ([`Error::Certificate`]). Later: the disk ([`Error::Stopped`]), Ctrl-C ([`Error::Interrupted`]),
/// and [`Error::NotFinite`] for an activation that is NaN or infinite.
pub fn extract(plan: &Extraction<'_>, out: &Path, control: &Control<'_>) -> Result<Outcome> {
    let points = plan.widths()?;
    refuse_collisions(plan.layout(), plan.carried, &points, plan.data.path())?;
    let mut lock = match (out.exists(), control.resume || control.force) {
        (true, true) => Some(Lock::take(out)?),
        (true, false) => {
            return Err(Error::OutputExists {
                path: out.to_owned(),
                advice: "--resume to finish it, --force to replace it,",
            });
        }
        (false, _) => None,
    };
    let there = what_is_there(out, control)?;
    // Whoever resumes with more memory keeps the pieces that the run was begun with.
    let pieces = there.as_ref().map_or(plan.pieces(), |m| m.plan.pieces);
    let shards = plan.shards(&points, &pieces);
    log::debug!(
        "plan: {} examples in {} shards, {} workers, {pieces:?}",
        plan.census.examples(),
        shards.len(),
        plan.workers()
    );
    let own = control
        .part
        .map_or(0..shards.len(), |p| p.shards(shards.len()));
    let mut manifest = plan.manifest(&shards, pieces)?;
    manifest.part = control.part.map(|part| PartCard {
        index: part.index,
        of: part.of,
        complete: false,
    });
    refuse_other_plan(out, there.as_ref(), &manifest)?;
    let run = Work {
        plan,
        out,
        control,
        pieces,
        shards: &shards,
        own,
    };
    run.refuse_small_disk(&points)?;
    let certificates = certify(plan)?;
    // A run that is resumed keeps what it was begun with.
    let before = there.and_then(|m| m.certificates);
    manifest.certificates = Some(before.unwrap_or(certificates));
    begin(out, &mut lock, &manifest, control)?;
    let writer = ShardWriter::new(plan.layout(), plan.carried, &points, plan.dtype, &pieces);
    let (written, resumed_shards) = run.make(&writer)?;
    run.finish(manifest, written, resumed_shards)
}

/// The manifest of an unfinished run in the folder, if there is one that counts.
fn what_is_there(out: &Path, control: &Control<'_>) -> Result<Option<Manifest>> {
    if !out.exists() || control.force {
        return Ok(None);
    }
    match Manifest::is_run(out) || !holds_nothing(out)? {
        true => Manifest::read(out).map(Some),
        // Killed before it had written anything.
        false => Ok(None),
    }
}

/// Whether a folder holds nothing but what a process that was killed at its beginning leaves.
fn holds_nothing(out: &Path) -> Result<bool> {
    let entries = std::fs::read_dir(out).map_err(|e| Error::io(out, e))?;
    let mut names = entries.flatten().map(|e| e.file_name());
    Ok(names.all(|name| name == LOCK || is_temporary(&name.to_string_lossy())))
}

fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

fn refuse_other_plan(out: &Path, there: Option<&Manifest>, manifest: &Manifest) -> Result<()> {
    let Some(there) = there else {
        return Ok(());
    };
    let part = |m: &Manifest| m.part.map(|p| (p.index, p.of));
    let differs = match part(there) == part(manifest) {
        true => there.plan.difference(&manifest.plan),
        false => Some("`--shard`".to_owned()),
    };
    match differs {
        None => Ok(()),
        Some(field) => Err(Error::BadRun {
            path: out.to_owned(),
            problem: format!(
                "it cannot be resumed with another plan: {field} differs; give --force to replace it"
            ),
        }),
    }
}

/// Makes the folder with its manifest, or clears the one that is there of what does not belong to this run.
fn begin(
    out: &Path,
    lock: &mut Option<Lock>,
    manifest: &Manifest,
    control: &Control<'_>,
) -> Result<()> {
    if lock.is_none() {
        std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
        *lock = Some(Lock::take(out)?);
    }
    let entries = std::fs::read_dir(out).map_err(|e| Error::io(out, e))?;
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let replaced = control.force && name != LOCK;
        if replaced || is_temporary(&name.to_string_lossy()) {
            let removed = match path.is_dir() {
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.map_err(|e| Error::io(path, e))?;
        }
    }
    manifest.write(out)
}

/// A run that has begun.
struct Work<'a, 'd> {
    plan: &'a Extraction<'d>,
    out: &'a Path,
    control: &'a Control<'a>,
    pieces: Pieces,
    shards: &'a [Range<usize>],
    /// Those that this process makes.
    own: Range<usize>,
}

impl Work<'_, '_> {
    /// The shards of this process: those that are there, and those that are to be made.
    fn divided(&self) -> (Vec<Todo>, Vec<Todo>) {
        let is_there = |i: usize| Manifest::shard_path(self.out, i).is_file();
        let own = self.own.clone().map(|i| (i, self.shards[i].clone()));
        own.partition(|(i, _)| is_there(*i) && !self.control.force)
    }

    /// Looks for room before anything is replaced; a run that will be replaced makes room.
    fn refuse_small_disk(&self, points: &[(String, usize)]) -> Result<()> {
        let (_, todo) = self.divided();
        let bytes = todo
            .into_iter()
            .map(|(_, e)| self.plan.disk_bytes(e, points));
        let entries = std::fs::read_dir(self.out)
            .ok()
            .filter(|_| self.control.force);
        let replaced = entries.into_iter().flatten().flatten();
        let replaced = replaced.filter_map(|e| e.metadata().ok()).map(|m| m.len());
        let needed = bytes.sum::<u64>().saturating_sub(replaced.sum());
        refuse_small_disk(self.out, needed)
    }

    /// Makes the shards that are not there. Returns what is known about all, and how many were there.
    fn make(&self, writer: &ShardWriter<'_>) -> Result<(BTreeMap<usize, Written>, usize)> {
        let (there, todo) = self.divided();
        let tokens = |examples: &Range<usize>| -> usize {
            examples
                .clone()
                .map(|e| self.plan.census.tokens_of(e))
                .sum()
        };
        let made: usize = todo.iter().map(|(_, examples)| tokens(examples)).sum();
        (self.control.progress)(Progress::Skipped(self.plan.census.tokens() - made));
        log::debug!("{} shards to make, {} there", todo.len(), there.len());
        let pipeline = Pipeline {
            plan: self.plan,
            out: self.out,
            pieces: self.pieces,
            workers: self.plan.workers(),
            stop: self.control.stop,
            progress: self.control.progress,
        };
        let (mut written, result) = pipeline.run(&todo, writer);
        let done = there.len() + written.len();
        result.map_err(|error| self.stopped(error, done))?;
        if done < self.own.len() {
            return Err(Error::Interrupted {
                path: self.out.to_owned(),
                done,
                of: self.own.len(),
            });
        }
        let resumed = there.len();
        for (i, _) in there {
            written.insert(i, Written::read(&Manifest::shard_path(self.out, i))?);
        }
        Ok((written, resumed))
    }

    /// A disk that fails can be put right, and then the run goes on; other errors would come again.
    fn stopped(&self, error: Error, done: usize) -> Error {
        match error {
            Error::Io { .. } | Error::Parquet { .. } | Error::NoSuchFile { .. } => Error::Stopped {
                done,
                of: self.own.len(),
                source: Box::new(error),
            },
            other => other,
        }
    }

    /// Writes the manifest of a run that is whole.
    fn finish(
        &self,
        mut manifest: Manifest,
        written: BTreeMap<usize, Written>,
        resumed_shards: usize,
    ) -> Result<Outcome> {
        for (i, shard) in &written {
            manifest.add_notes(&shard.notes);
            manifest.shards.push(ShardCard {
                file: shard_name(*i),
                first_example: self.shards[*i].start,
                examples: self.shards[*i].len(),
                rows: shard.rows,
                sha256: shard.sha256.clone(),
            });
        }
        match &mut manifest.part {
            Some(part) => part.complete = true,
            None => manifest.complete = true,
        }
        manifest.write(self.out)?;
        Ok(Outcome {
            bytes: written.values().map(|w| w.bytes).sum(),
            manifest,
            resumed_shards,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_cover_every_shard_once(all in 0usize..50, of in 1usize..9) {
            let parts = (1..=of).flat_map(|index| Part { index, of }.shards(all));
            prop_assert_eq!(parts.collect::<Vec<_>>(), (0..all).collect::<Vec<_>>());
        }
    }
}
