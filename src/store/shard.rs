//! A shard while its vectors are being computed, batch by batch, in any order.

use super::compute::{Passed, norm};
use super::plan::Extraction;
use super::pool::Pool;
use super::schema::{Dtype, Layout};
use crate::error::{Error, Result};
use crate::text::tokens::Tokens;
use half::f16;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A row is a massive activation if its norm is more than this many medians of its shard. (Sun et al. 2024, who named them, compare single
/// values; a token with one such value has such a norm.)
const MASSIVE: f32 = 100.0;

/// The vectors of one hook point.
pub(super) enum Numbers {
    /// As computed.
    F32(Vec<f32>),
    /// Rounded once.
    F16(Vec<f16>),
}

/// A shard whose vectors are being computed.
pub(super) struct Shard {
    /// Its place in the run.
    pub index: usize,
    /// Its examples.
    pub examples: Range<usize>,
    /// Their tokens.
    pub tokens: Vec<Tokens>,
    /// For each example, the positions of its tokens that count.
    pub positions: Vec<Vec<usize>>,
    /// For each batch, its examples, counted from the shard's first.
    pub batches: Vec<Vec<usize>>,
    /// The first row of each example, and the number of rows.
    starts: Vec<usize>,
    columns: Vec<Mutex<Column>>,
    computed: AtomicUsize,
}

struct Column {
    /// Numbers of a stored vector: more than those that passed where several poolings make one.
    width: usize,
    numbers: Numbers,
    norms: Vec<f32>,
    rounding: f64,
}

/// What is learned about a shard's vectors while they pass. It is kept in the shard's own file, so that a run that is resumed knows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Notes {
    /// For each hook point, how many rows are massive.
    pub massive: Vec<usize>,
    /// The largest relative error that rounding to 16 bits made in a vector.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rounding: Option<f64>,
}

impl Shard {
    /// Makes room for a shard.
    pub(super) fn open(
        plan: &Extraction<'_>,
        index: usize,
        examples: Range<usize>,
        batch_tokens: usize,
        widths: &[usize],
    ) -> Result<Self> {
        let limit = plan.limit();
        let tokens: Vec<Tokens> = examples
            .clone()
            .map(|e| plan.texts.tokens(e, limit))
            .collect::<Result<_>>()?;
        let positions: Vec<Vec<usize>> = examples
            .clone()
            .zip(&tokens)
            .map(|(e, tokens)| plan.special_tokens.positions(tokens, e))
            .collect::<Result<_>>()?;
        let mut starts = vec![0];
        for positions in &positions {
            let rows = match plan.layout() {
                Layout::Tokens => positions.len(),
                Layout::Examples => 1,
            };
            starts.push(starts.last().copied().unwrap_or(0) + rows);
        }
        let rows = starts.last().copied().unwrap_or(0);
        let columns = widths
            .iter()
            .map(|w| Mutex::new(Column::new(plan.dtype, rows, *w)));
        Ok(Self {
            index,
            examples,
            batches: micro_batches(&tokens, batch_tokens),
            columns: columns.collect(),
            tokens,
            positions,
            starts,
            computed: AtomicUsize::new(0),
        })
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// The example (counted from the shard's first) that a row belongs to, and which of its rows that is.
    pub(super) fn example_of(&self, row: usize) -> (usize, usize) {
        let example = self.starts.partition_point(|start| *start <= row) - 1;
        (example, row - self.starts[example])
    }

    /// How many tokens a batch has.
    pub(super) fn batch_tokens(&self, batch: usize) -> usize {
        let examples = self.batches[batch].iter();
        examples.map(|e| self.tokens[*e].len()).sum()
    }

    /// Runs one batch.
    ///
    /// # Errors
    /// [`Error::NotFinite`]; [`Error::BadParameter`] for a number that 16 bits do not hold.
    pub(super) fn compute(&self, plan: &Extraction<'_>, batch: usize) -> Result<()> {
        let examples = &self.batches[batch];
        let texts: Vec<&[u32]> = examples
            .iter()
            .map(|e| self.tokens[*e].ids.as_slice())
            .collect();
        let positions: Vec<&[usize]> = examples
            .iter()
            .map(|e| self.positions[*e].as_slice())
            .collect();
        plan.forward(&texts, &positions, |point, passed| {
            let mut column = self.columns[point]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            column.norms.extend_from_slice(passed.norms);
            for (example, rows) in examples.iter().zip(passed.rows) {
                let largest = column.put(self.starts[*example], &passed, &plan.pool, rows);
                refuse_overflow(plan, point, largest)?;
            }
            Ok(())
        })?;
        self.computed.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Whether every batch has run.
    pub(super) fn is_whole(&self) -> bool {
        self.computed.load(Ordering::Acquire) == self.batches.len()
    }

    /// The vectors of each hook point, which leave the shard, and what was learned about them.
    pub(super) fn take_vectors(&mut self) -> (Vec<Numbers>, Notes) {
        let columns = std::mem::take(&mut self.columns).into_iter();
        let columns = columns.map(|c| c.into_inner().unwrap_or_else(PoisonError::into_inner));
        let (mut numbers, mut massive, mut worst) = (Vec::new(), Vec::new(), None);
        for column in columns {
            if let Numbers::F16(_) = column.numbers {
                worst = Some(column.rounding.max(worst.unwrap_or(0.0)));
            }
            massive.push(count_massive(column.norms));
            numbers.push(column.numbers);
        }
        let notes = Notes {
            massive,
            rounding: worst,
        };
        (numbers, notes)
    }
}

impl Column {
    fn new(dtype: Dtype, rows: usize, width: usize) -> Self {
        let numbers = rows * width;
        Self {
            width,
            numbers: match dtype {
                Dtype::F32 => Numbers::F32(vec![0.0; numbers]),
                Dtype::F16 => Numbers::F16(vec![f16::ZERO; numbers]),
            },
            norms: Vec::new(),
            rounding: 0.0,
        }
    }

    /// Stores the vectors of one example from row `first` on. Returns a number that this type cannot hold, if there is one.
    fn put(
        &mut self,
        first: usize,
        passed: &Passed<'_>,
        pool: &Pool,
        rows: &[usize],
    ) -> Option<f32> {
        let row = |r: usize| &passed.matrix[r * passed.width..(r + 1) * passed.width];
        let (width, start) = (self.width, first * self.width);
        match (pool, &mut self.numbers) {
            // Not through `apply`, whose copy is for nothing here.
            (Pool::None, Numbers::F32(numbers)) => {
                let slots = numbers[start..].chunks_exact_mut(width);
                for (slot, r) in slots.zip(rows) {
                    slot.copy_from_slice(row(*r));
                }
                None
            }
            (_, Numbers::F32(numbers)) => {
                let pooled = pool.apply(passed.matrix, passed.width, rows);
                numbers[start..start + pooled.len()].copy_from_slice(&pooled);
                None
            }
            (_, Numbers::F16(numbers)) => {
                let exact = pool.apply(passed.matrix, passed.width, rows);
                let slots = numbers[start..].chunks_exact_mut(width);
                for (slot, exact) in slots.zip(exact.chunks_exact(width)) {
                    let error = round(exact, slot);
                    self.rounding = self.rounding.max(error);
                }
                let largest = Dtype::F16.largest();
                exact.into_iter().find(|v| v.abs() > largest)
            }
        }
    }
}

/// Rounds a vector to 16 bits and returns the relative error, ‖x − rounded‖ / ‖x‖ (0 for the zero vector).
fn round(exact: &[f32], rounded: &mut [f16]) -> f64 {
    let mut difference = Vec::with_capacity(exact.len());
    for (slot, value) in rounded.iter_mut().zip(exact) {
        *slot = f16::from_f32(*value);
        difference.push(*value - slot.to_f32());
    }
    match norm(exact) {
        0.0 => 0.0,
        length => norm(&difference) / length,
    }
}

/// Massive activations do not fit in 16 bits.
fn refuse_overflow(plan: &Extraction<'_>, point: usize, value: Option<f32>) -> Result<()> {
    let Some(value) = value else {
        return Ok(());
    };
    let point = plan.points.points()[point];
    let largest = Dtype::F16.largest();
    Err(Error::BadParameter {
        name: "dtype",
        value: "f16".to_owned(),
        problem: format!(
            "hook point `{point}` holds {value}, and 16 bits hold at most {largest}; give --dtype f32"
        ),
    })
}

/// How many norms are more than [`MASSIVE`] times their median (the upper one of two).
fn count_massive(mut norms: Vec<f32>) -> usize {
    let middle = norms.len() / 2;
    if norms.is_empty() {
        return 0;
    }
    let (_, median, _) = norms.select_nth_unstable_by(middle, f32::total_cmp);
    let limit = *median * MASSIVE;
    norms.iter().filter(|norm| **norm > limit).count()
}

/// Examples that pass the model together: of similar length, so that attention groups are large.
fn micro_batches(texts: &[Tokens], batch_tokens: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    // Longest first: the last batches, when cores run out of work, are short.
    order.sort_by_key(|&i| std::cmp::Reverse(texts[i].len()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for example in order {
        let length = texts[example].len();
        match batches.last_mut() {
            Some(batch) if tokens + length <= batch_tokens => {
                batch.push(example);
                tokens += length;
            }
            _ => {
                batches.push(vec![example]);
                tokens = length;
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_massive_row_is_more_than_a_hundred_medians_long() {
        assert_eq!(count_massive(vec![1.0, 2.0, 3.0, 200.0, 2.0]), 0);
        assert_eq!(count_massive(vec![201.0, 1.0, 2.0, 3.0, 2.0, 1.0]), 1);
        assert_eq!(count_massive(Vec::new()), 0);
    }

    #[test]
    fn rounding_to_16_bits_loses_at_most_half_a_unit_in_the_last_place() {
        let mut rounded = [f16::ZERO; 2];
        // 1 + 2^-11 lies half way between two numbers of 11 bits.
        let error = round(&[1.0 + 2f32.powi(-11), 0.0], &mut rounded);
        assert!((error - 2f64.powi(-11)).abs() < 1e-6, "{error}");
        assert_eq!(round(&[0.0, 0.0], &mut rounded), 0.0);
        assert_eq!(round(&[0.5, -3.0], &mut rounded), 0.0);
    }

    #[test]
    fn every_text_is_in_one_batch_and_batches_are_full() {
        let text = |length: usize| Tokens {
            ids: vec![0; length],
            ..Tokens::default()
        };
        let texts: Vec<Tokens> = [3, 9, 4, 4, 1].map(text).into();
        assert_eq!(micro_batches(&texts, 8), [vec![1], vec![2, 3], vec![0, 4]]);
    }
}
