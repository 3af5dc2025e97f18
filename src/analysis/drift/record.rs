//! What is kept of each edit.

use super::measure::MEASURES;
use super::reference::Numbers;
use super::result::Passes;

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
    /// Its original.
    pub(super) text: usize,
    /// The place of its original in the references.
    pub(super) place: usize,
    pub(super) pooled: Vec<Vec<f32>>,
}

/// What one piece gave.
#[derive(Default)]
pub(super) struct Found {
    pub(super) records: Vec<Record>,
    pub(super) kept: Vec<Kept>,
    pub(super) passes: Passes,
}

impl Found {
    /// Adds what a later piece gave.
    pub(super) fn append(&mut self, other: Self) {
        self.records.extend(other.records);
        self.kept.extend(other.kept);
        self.passes.merge(other.passes);
    }
}

impl Record {
    /// Whether it counts.
    pub(super) fn is_measured(&self) -> bool {
        matches!(
            self.fate,
            Fate::Compared | Fate::Identical | Fate::SameTokens
        )
    }
}

/// What was found of one record so far.
#[derive(Default)]
pub(super) struct Sum {
    edit: Vec<Numbers>,
    /// For each point, the sums of the defined numbers and how many there were.
    null: Vec<([f64; MEASURES], [u32; MEASURES])>,
    kl: Option<f64>,
    null_kl: (f64, u32),
}

impl Sum {
    pub(super) fn add(&mut self, null: bool, point: usize, numbers: &Numbers) {
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

    pub(super) fn add_kl(&mut self, null: bool, kl: f64) {
        match null {
            false => self.kl = Some(kl),
            true => self.null_kl = (self.null_kl.0 + kl, self.null_kl.1 + 1),
        }
    }

    pub(super) fn settle(self, record: &mut Record) {
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
