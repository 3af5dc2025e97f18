//! Tokenising, computing and writing side by side.
//!
//! One thread tokenises the shards ahead, every thread of the pool runs whole batches (going on with the next shard while the last batches
//! of one are at work), and one thread encodes, hashes and writes. What is between them is bounded: [`SHARDS_IN_MEMORY`] shards.

use super::budget::{Pieces, SHARDS_IN_MEMORY};
use super::extract::Progress;
use super::manifest::Manifest;
use super::plan::Extraction;
use super::shard::Shard;
use super::writer::{ShardWriter, Written};
use crate::error::{Error, Result};
use crate::model::ops;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often somebody who waits looks whether there is still something to wait for.
const GLANCE: Duration = Duration::from_millis(20);

/// What a run of the pipeline needs to know.
pub(super) struct Pipeline<'p, 'd> {
    pub plan: &'p Extraction<'d>,
    pub out: &'p Path,
    pub pieces: Pieces,
    /// Batches at work at once.
    pub workers: usize,
    /// Set from outside: finish nothing new.
    pub stop: &'p AtomicBool,
    pub progress: &'p (dyn Fn(Progress) + Sync),
}

/// A shard to make: its place in the run and its examples.
pub(super) type Todo = (usize, Range<usize>);

/// The batches that nobody has taken yet.
struct Queue {
    opened: Receiver<Result<Shard>>,
    /// One for each shard that memory still has room for.
    room: Receiver<()>,
    current: Option<(Arc<Shard>, usize)>,
}

/// What went wrong, with the place in the run: the first place counts, whoever comes first.
#[derive(Default)]
struct Failure {
    failed: AtomicBool,
    first: Mutex<Option<(usize, Error)>>,
}

impl Failure {
    fn set(&self, shard: usize, error: Error) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if first.as_ref().is_none_or(|(earlier, _)| shard < *earlier) {
            *first = Some((shard, error));
        }
        self.failed.store(true, Ordering::Release);
    }
}

/// A thread that panics must not leave the others waiting.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}

impl Pipeline<'_, '_> {
    /// Makes these shards. What was written is returned, and on an error too.
    pub(super) fn run(
        &self,
        todo: &[Todo],
        writer: &ShardWriter<'_>,
    ) -> (BTreeMap<usize, Written>, Result<()>) {
        let failure = Failure::default();
        let (open_into, opened) = sync_channel(1);
        let (write_into, to_write) = sync_channel(SHARDS_IN_MEMORY);
        let (room_into, room) = sync_channel(SHARDS_IN_MEMORY);
        for _ in 0..SHARDS_IN_MEMORY {
            // The channel holds as many.
            let _ = room_into.try_send(());
        }
        let failure_of = &failure;
        let written = std::thread::scope(|scope| {
            scope.spawn(|| self.open_all(todo, writer, open_into, failure_of));
            let writing = scope.spawn(|| self.write_all(writer, to_write, room_into, failure_of));
            let queue = Mutex::new(Queue {
                opened,
                room,
                current: None,
            });
            let alone = self.has_a_batch_for_every_thread(todo);
            // Once a thread, never twice: a batch that waits for a part of its product must not begin another one.
            rayon::broadcast(|thread| {
                let work = || self.work(&queue, &write_into, failure_of);
                match thread.index() < self.workers {
                    true if alone => ops::alone(work),
                    true => work(),
                    false => {}
                }
            });
            // Whoever sends or receives at the other ends sees that nobody is here any more.
            drop((queue, write_into));
            match writing.join() {
                Ok(written) => written,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
        let first = failure.first.into_inner();
        let result = match first.unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        };
        (written, result)
    }

    /// Whether all threads have a batch to run. If not, those that have none help with the products of the others.
    fn has_a_batch_for_every_thread(&self, todo: &[Todo]) -> bool {
        let threads = rayon::current_num_threads();
        let examples = || todo.iter().flat_map(|(_, examples)| examples.clone());
        let tokens: usize = examples().map(|e| self.plan.census.tokens_of(e)).sum();
        let batches = tokens / self.pieces.batch_tokens.max(1);
        self.workers >= threads && batches.min(examples().count()) >= threads
    }

    fn halted(&self, failure: &Failure) -> bool {
        self.stop.load(Ordering::Acquire) || failure.failed.load(Ordering::Acquire)
    }

    /// Tokenises the shards, one ahead of the model.
    fn open_all(
        &self,
        todo: &[Todo],
        writer: &ShardWriter<'_>,
        into: SyncSender<Result<Shard>>,
        failure: &Failure,
    ) {
        let _alarm = Alarm(&failure.failed);
        let widths = writer.widths();
        for (index, examples) in todo {
            if self.halted(failure) {
                return;
            }
            let batch_tokens = self.pieces.batch_tokens;
            let shard = Shard::open(self.plan, *index, examples.clone(), batch_tokens, &widths);
            if into.send(shard).is_err() {
                return;
            }
        }
    }

    /// Runs batches until there are none.
    fn work(&self, queue: &Mutex<Queue>, full: &SyncSender<Shard>, failure: &Failure) {
        let _alarm = Alarm(&failure.failed);
        while let Some((shard, batch)) = self.next(queue, failure) {
            if let Err(error) = shard.compute(self.plan, batch) {
                failure.set(shard.index, error);
                return;
            }
            (self.progress)(Progress::Tokens(shard.batch_tokens(batch)));
            // Exactly one of those who held the shard gets it.
            if let Some(shard) = Arc::into_inner(shard).filter(Shard::is_whole)
                && full.send(shard).is_err()
            {
                return;
            }
        }
    }

    /// The next batch, of a new shard when memory has room for it.
    fn next(&self, queue: &Mutex<Queue>, failure: &Failure) -> Option<(Arc<Shard>, usize)> {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if self.halted(failure) {
            return None;
        }
        if queue.current.is_none() {
            match self.patiently(&queue.opened, failure)? {
                Ok(shard) => queue.current = Some((Arc::new(shard), 0)),
                Err(error) => {
                    failure.set(0, error);
                    return None;
                }
            }
            self.patiently(&queue.room, failure)?;
        }
        let (shard, batch) = queue.current.take()?;
        if batch + 1 < shard.batches.len() {
            queue.current = Some((shard.clone(), batch + 1));
        }
        Some((shard, batch))
    }

    /// Waits for a message, but not beyond the end of the run.
    fn patiently<T>(&self, channel: &Receiver<T>, failure: &Failure) -> Option<T> {
        loop {
            match channel.recv_timeout(GLANCE) {
                Ok(message) => return Some(message),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if self.halted(failure) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Writes the shards that are whole. After a failure the rest are dropped, so that nobody waits for room.
    fn write_all(
        &self,
        writer: &ShardWriter<'_>,
        full: Receiver<Shard>,
        room: SyncSender<()>,
        failure: &Failure,
    ) -> BTreeMap<usize, Written> {
        let _alarm = Alarm(&failure.failed);
        let mut written = BTreeMap::new();
        for shard in full {
            if failure.failed.load(Ordering::Acquire) {
                continue;
            }
            let index = shard.index;
            match writer.write(&Manifest::shard_path(self.out, index), shard) {
                Ok(shard) => {
                    log::debug!("shard {index} written: {} bytes", shard.bytes);
                    (self.progress)(Progress::Written(shard.bytes));
                    written.insert(index, shard);
                }
                Err(error) => failure.set(index, error),
            }
            // Nobody may be left to care.
            let _ = room.try_send(());
        }
        written
    }
}
