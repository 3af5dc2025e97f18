//! Seeded choices: the one source of chance in the written world.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of choices. Built on ChaCha alone, whose output is fixed by its definition, so that the data sets keep their
/// bytes when the sampling code of another crate changes.
#[derive(Debug, Clone)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream of one purpose: two purposes never share numbers, so adding rows to one set leaves the others alone.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed ^ hash(purpose)))
    }

    /// A number in `0..n`, or 0 where `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        // Multiply-shift: its bias is below n / 2^64.
        ((u128::from(self.0.next_u64()) * n as u128) >> 64) as usize
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of the items, of which there must be one: the lists of this module tree are written down and not empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// An index drawn in proportion to its weight.
    pub(crate) fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, &weight) in weights.iter().enumerate() {
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// Puts the items into a random order (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// A random order of `labels` in which every position holds another label than its own, as indices into `labels`: what
    /// makes false statements use every word as often as true ones do. Needs that no label fills more than half of the
    /// positions; what cannot be moved stays, and the caller leaves it out.
    pub(crate) fn deranged<T: PartialEq>(
        &mut self,
        labels: &[T],
        forbidden: impl Fn(usize, usize) -> bool,
    ) -> Vec<usize> {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        self.shuffle(&mut order);
        let clash = |at: usize, from: usize| labels[at] == labels[from] || forbidden(at, from);
        for at in 0..order.len() {
            if !clash(at, order[at]) {
                continue;
            }
            let start = self.below(order.len());
            let partner = (0..order.len())
                .map(|step| (start + step) % order.len())
                .find(|&other| !clash(at, order[other]) && !clash(other, order[at]));
            if let Some(other) = partner {
                order.swap(at, other);
            }
        }
        order
    }
}

/// FNV-1a: a fixed hash for fixed decisions (the standard library's may change).
pub(crate) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A fixed number in `0..n` for an unordered pair of names.
pub(crate) fn pair_bucket(a: &str, b: &str, n: u64) -> u64 {
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    // The low bits of FNV mix poorly over short strings; the high ones are folded in.
    let state = hash(&format!("{first}|{second}"));
    (state ^ (state >> 29) ^ (state >> 47)) % n
}
