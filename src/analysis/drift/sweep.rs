//! From texts and their edits to numbers: one walk over the data, in pieces that are forgotten.
//!
//! A piece is some originals. They pass the model together, then their edits and random edits, batch by batch; what is kept of a batch is the
//! numbers of each edit. So memory does not grow with the texts but for those numbers, and each original is computed once for all of its edits.

use super::edits::{Edits, Planned};
use super::measure::{MEASURES, Measure};
use super::reference::{Compared, Numbers, Reference};
use super::states::{Probed, States, divergence};
use super::vector::{cosine_distance, euclidean_distance};
use crate::analysis::neighbors::Rows;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::store::Pool;
use crate::text::align::{Link, links, pieces};
use crate::text::perturb::{Null, Vocabulary};
use crate::text::tokens::{Tokenizer, Tokens};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
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

/// The direction that a probe reads at each hook point for each pair of labels.
pub(super) type Directions = BTreeMap<Option<(usize, usize)>, Vec<Option<Vec<f32>>>>;

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
    /// Texts whose pooled vectors are kept: those of the references up to here.
    pub(super) kept: usize,
    pub(super) progress: &'a (dyn Fn(usize) + Sync),
}

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was compared.
    Compared,
    /// The edited text is the original.
    Identical,
    /// The texts differ, but the tokenizer makes the same tokens of them.
    SameTokens,
    /// One of the two is longer than the context.
    TooLong,
    /// The text gave the edit nothing to change.
    NotApplicable,
}

/// The numbers of one edit at all hook points, and those of its random edits.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) text: usize,
    pub(super) kind: usize,
    pub(super) fate: Fate,
    pub(super) edit: Vec<Numbers>,
    /// The mean over random edits; `None` without any.
    pub(super) null: Option<Vec<Numbers>>,
    /// The divergence of the next-token distribution, of the edit and of random edits.
    pub(super) kl: Option<(f32, f32)>,
}

/// The pooled vector of an edit at every hook point.
pub(super) struct Kept {
    pub(super) kind: usize,
    /// The place of its original in the references.
    pub(super) place: usize,
    pub(super) pooled: Vec<Vec<f32>>,
}

/// What one piece gave.
#[derive(Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) kept: Vec<Kept>,
}

/// One sequence that passes a model.
struct Job {
    /// The original, by its place in the piece.
    original: usize,
    /// The record that it belongs to.
    record: usize,
    /// Whether it is a random edit.
    null: bool,
    tokens: Tokens,
    links: Vec<Link>,
    labels: Option<(usize, usize)>,
    model: usize,
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
            let piece = piece?;
            all.records.extend(piece.records);
            all.kept.extend(piece.kept);
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
        })
    }

    /// Tokens of a text and of its edits, and what is not to be computed.
    fn plan(&self, text: usize, piece: &mut Piece) -> Result<()> {
        let original = self.edits.original(text);
        let own = self
            .base
            .tokenizer
            .encode(original, None)
            .map_err(|e| at_row(e, text))?;
        let too_long = own.len() > self.base.context;
        let mut place = None;
        for (number, planned) in self.edits.planned(text).into_iter().enumerate() {
            let record = Record {
                text,
                kind: planned.kind,
                fate: Fate::Compared,
                edit: Vec::new(),
                null: None,
                kl: None,
            };
            let Some(edited) = &planned.text else {
                piece.records.push(Record {
                    fate: Fate::NotApplicable,
                    ..record
                });
                continue;
            };
            let reader = self.others.get(planned.kind).unwrap_or(&self.base);
            let tokens = reader
                .tokenizer
                .encode(edited, None)
                .map_err(|e| at_row(e, planned.row))?;
            if too_long || tokens.len() > reader.context {
                piece.records.push(Record {
                    fate: Fate::TooLong,
                    ..record
                });
                continue;
            }
            let original_at = *place.get_or_insert_with(|| {
                piece.originals.push((text, own.clone()));
                piece.originals.len() - 1
            });
            let edit = Edited {
                number,
                planned: &planned,
                edited,
                tokens,
                original_at,
            };
            self.plan_edit(edit, record, original, &own, piece);
        }
        Ok(())
    }

    fn plan_edit(
        &self,
        edit: Edited<'_>,
        mut record: Record,
        original: &str,
        own: &Tokens,
        piece: &mut Piece,
    ) {
        let nothing = || vec![self.nothing(edit.planned.labels); self.references.len()];
        let at = piece.records.len();
        let found = pieces(original, edit.edited);
        let other_model = !self.others.is_empty();
        record.fate = match (
            other_model,
            edit.edited == original,
            edit.tokens.ids == own.ids,
        ) {
            (false, true, _) => Fate::Identical,
            (false, false, true) => Fate::SameTokens,
            _ => Fate::Compared,
        };
        let mut job = |tokens: Tokens, links: Vec<Link>, null| {
            piece.jobs.push(Job {
                original: edit.original_at,
                record: at,
                null,
                tokens,
                links,
                labels: edit.planned.labels,
                model: if other_model { edit.planned.kind } else { 0 },
            });
        };
        match record.fate {
            Fate::Compared => {
                let links = links(own, &edit.tokens, &found);
                job(edit.tokens, links, false);
            }
            _ => record.edit = nothing(),
        }
        if record.fate != Fate::Compared && self.probed.predicts() {
            record.kl = Some((0.0, f32::NAN));
        }
        let Some((null, vocabulary)) = self.null.filter(|_| !other_model) else {
            piece.records.push(record);
            return;
        };
        for draw in 0..self.draws {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x6e75_6c6c);
            rng.set_stream(
                ((record.text as u64) << 24) | ((edit.number as u64) << 8) | draw as u64,
            );
            let random = vocabulary.random_edit(null, original, edit.edited, &found, &mut rng);
            let same = random == original;
            let tokens = match same {
                true => Ok(own.clone()),
                false => self.base.tokenizer.encode(&random, None),
            };
            // A random edit that the model cannot read is none.
            let Ok(tokens) = tokens else { continue };
            if tokens.len() > self.base.context {
                continue;
            }
            if tokens.ids == own.ids {
                piece.still.push((at, edit.planned.labels));
                continue;
            }
            let links = links(own, &tokens, &pieces(original, &random));
            job(tokens, links, true);
        }
        piece.records.push(record);
    }

    /// What an edit measures that changes nothing.
    fn nothing(&self, labels: Option<(usize, usize)>) -> Numbers {
        let mut numbers = [f32::NAN; MEASURES];
        let probed = self.directions.contains_key(&labels);
        for measure in Measure::ALL {
            let defined = measure != Measure::ProbeShift || probed;
            if let Some(value) = measure.of_nothing().filter(|_| defined) {
                numbers[measure.index()] = value;
            }
        }
        numbers
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
        let wanted =
            |job: &Job| !job.null && originals.places[job.original].is_some_and(|p| p < self.kept);
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
                let kind = piece.records[job.record].kind;
                kept.push((
                    job.record,
                    Kept {
                        kind,
                        place,
                        pooled,
                    },
                ));
            }
        }
        Ok(())
    }
}

/// An edit that is to be compared.
struct Edited<'p> {
    number: usize,
    planned: &'p Planned,
    edited: &'p str,
    tokens: Tokens,
    original_at: usize,
}

#[derive(Default)]
struct Piece {
    originals: Vec<(usize, Tokens)>,
    records: Vec<Record>,
    jobs: Vec<Job>,
    /// Records of random edits that changed no token, once for each.
    still: Vec<(usize, Option<(usize, usize)>)>,
}

struct Originals {
    states: States,
    /// For each point, one row a text.
    pooled: Vec<Rows>,
    places: Vec<Option<usize>>,
}

/// What was found of one record so far.
#[derive(Default)]
struct Sum {
    edit: Vec<Numbers>,
    /// For each point, the sums of the defined numbers and how many there were.
    null: Vec<([f64; MEASURES], [u32; MEASURES])>,
    kl: Option<f64>,
    null_kl: (f64, u32),
}

impl Sum {
    fn add(&mut self, null: bool, point: usize, numbers: &Numbers) {
        if !null {
            self.edit.push(*numbers);
            return;
        }
        if self.null.len() <= point {
            self.null.push(([0.0; MEASURES], [0; MEASURES]));
        }
        let (sums, counts) = &mut self.null[point];
        for (measure, value) in numbers.iter().enumerate() {
            if value.is_finite() {
                sums[measure] += f64::from(*value);
                counts[measure] += 1;
            }
        }
    }

    fn add_kl(&mut self, null: bool, kl: f64) {
        match null {
            false => self.kl = Some(kl),
            true => self.null_kl = (self.null_kl.0 + kl, self.null_kl.1 + 1),
        }
    }

    fn settle(self, record: &mut Record) {
        if !self.edit.is_empty() {
            record.edit = self.edit;
        }
        let mean = |(sums, counts): ([f64; MEASURES], [u32; MEASURES])| -> Numbers {
            std::array::from_fn(|m| (sums[m] / f64::from(counts[m])) as f32)
        };
        if !self.null.is_empty() {
            record.null = Some(self.null.into_iter().map(mean).collect());
        }
        let null_kl = (self.null_kl.0 / f64::from(self.null_kl.1)) as f32;
        let kl = self.kl.map(|kl| kl as f32).or(record.kl.map(|kl| kl.0));
        record.kl = kl.map(|kl| (kl, null_kl));
    }
}

/// The pooled vectors of some sequences at a point.
pub(super) fn pooled(
    pool: &Pool,
    states: &States,
    sequences: &[usize],
    point: usize,
) -> Result<Rows> {
    let mut data = Vec::new();
    let mut cols = 0;
    for sequence in sequences {
        let (matrix, width) = states.of(*sequence, point);
        let rows: Vec<usize> = (0..matrix.len() / width.max(1)).collect();
        let vector = pool.apply(matrix, width, &rows);
        cols = vector.len();
        data.extend(vector);
    }
    Rows::new(cols, data)
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

/// The error of a text with the row that it stands in.
fn at_row(error: Error, row: usize) -> Error {
    match error {
        Error::BadText { problem, .. } => Error::BadText { row, problem },
        other => other,
    }
}
