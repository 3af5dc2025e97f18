//! From texts and their edits to numbers: one walk over the data, in pieces that are forgotten.
//!
//! A piece is some originals. They pass the model together, then their edits and random edits, batch by batch; what is kept of a batch is the
//! numbers of each edit. So memory does not grow with the texts but for those numbers, and each original is computed once for all of its edits.

use super::directions::Directions;
use super::edits::Edits;
use super::measure::Measure;
use super::piece::{Job, Piece};
use super::record::{Found, Kept, Sum};
use super::reference::{Compared, Reference};
use super::result::Passes;
use super::states::{Probed, States, divergence, pooled};
use super::vector::{cosine_distance, euclidean_distance};
use crate::analysis::neighbors::Rows;
use crate::error::Result;
use crate::model::Transformer;
use crate::store::Pool;
use crate::text::align::Link;
use crate::text::perturb::{Null, Vocabulary};
use crate::text::tokens::Tokenizer;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A model and its tokenizer.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// The model.
    pub model: &'a Transformer,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The most tokens that it reads.
    pub context: usize,
}

/// What a walk needs.
pub(super) struct Sweep<'a> {
    pub(super) base: Reader<'a>,
    /// For edits of the model: the models that read the same texts, one a kind.
    pub(super) others: Vec<Reader<'a>>,
    pub(super) probed: &'a Probed,
    pub(super) pool: &'a Pool,
    pub(super) edits: &'a dyn Edits,
    /// One a hook point.
    pub(super) references: &'a [Reference],
    /// The place of each text in the references.
    pub(super) places: &'a BTreeMap<usize, usize>,
    pub(super) directions: &'a Directions,
    pub(super) null: Option<(Null, &'a Vocabulary)>,
    /// Random edits for each edit.
    pub(super) draws: usize,
    pub(super) seed: u64,
    pub(super) batch_tokens: usize,
    /// Texts whose pooled vectors are kept, by their places in the references.
    pub(super) kept: &'a BTreeSet<usize>,
    pub(super) progress: &'a (dyn Fn(usize) + Sync),
}

impl Sweep<'_> {
    /// Walks over all texts. The same on any number of threads.
    pub(super) fn run(&self) -> Result<Found> {
        let pieces = self.pieces();
        let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let found: Mutex<Vec<(usize, Result<Found>)>> = Mutex::new(Vec::new());
        // Once a thread, never twice: a piece that waits for a part of a product must not begin another one.
        rayon::broadcast(|_| {
            loop {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= pieces.len() || failed.load(Ordering::Relaxed) < piece {
                    return;
                }
                let result = self.piece(pieces[piece].clone());
                if result.is_err() {
                    failed.fetch_min(piece, Ordering::Relaxed);
                }
                (self.progress)(pieces[piece].len());
                let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                found.push((piece, result));
            }
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|(piece, _)| *piece);
        let mut all = Found::default();
        for (_, piece) in found {
            all.append(piece?);
        }
        Ok(all)
    }

    /// The texts in pieces whose originals are about half a batch: a token is about four bytes of text.
    fn pieces(&self) -> Vec<Range<usize>> {
        let most = 2 * self.batch_tokens;
        let mut pieces: Vec<Range<usize>> = Vec::new();
        let mut bytes = usize::MAX;
        for text in 0..self.edits.texts() {
            let own = self.edits.original(text).len();
            match pieces.last_mut() {
                Some(piece) if bytes.saturating_add(own) <= most => {
                    piece.end = text + 1;
                    bytes += own;
                }
                _ => {
                    pieces.push(text..text + 1);
                    bytes = own;
                }
            }
        }
        pieces
    }

    fn piece(&self, texts: Range<usize>) -> Result<Found> {
        let mut piece = Piece::default();
        for text in texts {
            self.plan(text, &mut piece)?;
        }
        let originals = match piece.jobs.is_empty() {
            true => None,
            false => Some(self.originals(&piece)?),
        };
        let mut passes = Passes::default();
        passes.add(piece.originals.iter().map(|(_, tokens)| tokens.len()));
        passes.add(piece.jobs.iter().map(|job| job.tokens.len()));
        // Equally long sequences side by side, so that attention runs on them as one.
        piece.jobs.sort_by_key(|job| (job.model, job.tokens.len()));
        let mut kept = Vec::new();
        let mut sums: Vec<Sum> = piece.records.iter().map(|_| Sum::default()).collect();
        let mut rest = piece.jobs.as_slice();
        while let (Some(first), Some(originals)) = (rest.first(), &originals) {
            let mut tokens = 0;
            let fits = |job: &&Job| {
                tokens += job.tokens.len();
                job.model == first.model && tokens <= self.batch_tokens
            };
            let count = rest.iter().take_while(fits).count().max(1);
            self.batch(&rest[..count], &piece, originals, &mut sums, &mut kept)?;
            rest = &rest[count..];
        }
        for (record, labels) in &piece.still {
            let nothing = self.nothing(*labels);
            (0..self.references.len()).for_each(|p| sums[*record].add(true, p, &nothing));
            if self.probed.predicts() {
                sums[*record].add_kl(true, 0.0);
            }
        }
        for (record, sum) in piece.records.iter_mut().zip(sums) {
            sum.settle(record);
        }
        // In the order of the edits, not of their lengths.
        kept.sort_by_key(|(record, _)| *record);
        Ok(Found {
            records: piece.records,
            kept: kept.into_iter().map(|(_, kept)| kept).collect(),
            passes,
        })
    }

    /// The originals of a piece through the base model.
    fn originals(&self, piece: &Piece) -> Result<Originals> {
        let sequences: Vec<&[u32]> = piece
            .originals
            .iter()
            .map(|(_, t)| t.ids.as_slice())
            .collect();
        let states = self.probed.run(self.base.model, &sequences)?;
        let all: Vec<usize> = (0..sequences.len()).collect();
        let pooled =
            (0..self.references.len()).map(|point| pooled(self.pool, &states, &all, point));
        Ok(Originals {
            pooled: pooled.collect::<Result<_>>()?,
            places: piece
                .originals
                .iter()
                .map(|(text, _)| self.places.get(text).copied())
                .collect(),
            states,
        })
    }

    fn batch(
        &self,
        jobs: &[Job],
        piece: &Piece,
        originals: &Originals,
        sums: &mut [Sum],
        kept: &mut Vec<(usize, Kept)>,
    ) -> Result<()> {
        let reader = match self.others.is_empty() {
            true => &self.base,
            false => &self.others[jobs[0].model],
        };
        let sequences: Vec<&[u32]> = jobs.iter().map(|j| j.tokens.ids.as_slice()).collect();
        let states = self.probed.run(reader.model, &sequences)?;
        let all: Vec<usize> = (0..jobs.len()).collect();
        let of: Vec<usize> = jobs.iter().map(|j| j.original).collect();
        let wanted = |job: &Job| {
            let place = originals.places[job.original];
            !job.null && place.is_some_and(|place| self.kept.contains(&place))
        };
        let mut pooled_of: Vec<Vec<Vec<f32>>> = jobs.iter().map(|_| Vec::new()).collect();
        for (point, reference) in self.references.iter().enumerate() {
            let edits = pooled(self.pool, &states, &all, point)?;
            let directions = jobs.iter().map(|job| {
                let of_points = self.directions.get(&job.labels)?;
                of_points[point].as_deref()
            });
            let mut numbers = reference.compare(&Compared {
                originals: &originals.pooled[point],
                edits: &edits,
                of: &of,
                own: &originals.places,
                directions: directions.collect(),
            })?;
            for (i, job) in jobs.iter().enumerate() {
                let before = originals.states.of(job.original, point);
                let (cosine, euclid) = unchanged(&job.links, before, states.of(i, point));
                numbers[i][Measure::UnchangedCosineDistance.index()] = cosine as f32;
                numbers[i][Measure::UnchangedEuclideanDistance.index()] = euclid as f32;
                sums[job.record].add(job.null, point, &numbers[i]);
                if wanted(job) {
                    pooled_of[i].push(edits.row(i).to_vec());
                }
            }
        }
        for (i, (job, pooled)) in jobs.iter().zip(pooled_of).enumerate() {
            if let (Some(before), Some(after)) = (&originals.states.logits, &states.logits) {
                let kl = divergence(&before[job.original], &after[i]);
                sums[job.record].add_kl(job.null, kl);
            }
            if let (true, Some(place)) = (wanted(job), originals.places[job.original]) {
                let record = &piece.records[job.record];
                kept.push((
                    job.record,
                    Kept {
                        kind: record.kind,
                        text: record.text,
                        place,
                        pooled,
                    },
                ));
            }
        }
        Ok(())
    }
}

struct Originals {
    states: States,
    /// For each point, one row a text.
    pooled: Vec<Rows>,
    places: Vec<Option<usize>>,
}

/// Of the tokens that an edit left alone, the mean cosine and Euclidean distance to themselves.
fn unchanged(links: &[Link], before: (&[f32], usize), after: (&[f32], usize)) -> (f64, f64) {
    let (mut cosines, mut lengths, mut count) = (0.0, 0.0, 0.0);
    let width = before.1;
    for link in links.iter().filter(|l| l.same && !l.special) {
        let row = |matrix: &'_ [f32], at: usize| -> Range<usize> {
            debug_assert!((at + 1) * width <= matrix.len());
            at * width..(at + 1) * width
        };
        let old = &before.0[row(before.0, link.before.start)];
        let new = &after.0[row(after.0, link.after.start)];
        let cosine = cosine_distance(old, new);
        if cosine.is_finite() {
            cosines += cosine;
            lengths += euclidean_distance(old, new);
            count += 1.0;
        }
    }
    (cosines / count, lengths / count)
}
