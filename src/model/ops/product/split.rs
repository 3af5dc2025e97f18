//! Numbers of 32 bits as sums of numbers of 16: how a matrix unit that multiplies bf16 multiplies f32.
//!
//! An f32 has 24 significant bits, a bf16 8: `x = x₀ + x₁ + x₂`, exactly, each the bf16 next to what those before leave. Of the nine products of two
//! such sums the three smallest are below 2⁻²⁵ of the whole and left out (Henry, Tang & Heinecke 2019, "Leveraging the bfloat16 artificial
//! intelligence datatype for higher-precision computations"); each of the others is exact in f32. Weights that were published with
//! 16 bits have one part (bf16) or two (f16), and take less room and time.

use super::amx::{BLOCK, LANES, LEFT_TILES, PARTS, STEP, Tile};
use std::ops::Range;

const UPPER: u32 = 0xffff_0000;

/// The three parts, as f32 with 16 bits of zeros. NaN stays in the last part; what is infinite becomes NaN.
#[inline(always)]
fn parts(x: f32) -> [u32; PARTS] {
    let nearest = |x: f32| x.to_bits().wrapping_add(0x8000) & UPPER;
    let first = nearest(x);
    let rest = x - f32::from_bits(first);
    let second = nearest(rest);
    let third = (rest - f32::from_bits(second)).to_bits() & UPPER;
    [first, second, third]
}

/// Rows of a tile for each part: pair `i` of a step is its terms `i` and `i + 16`, so that whole vectors become whole rows.
#[inline(always)]
fn pairs(step: &[f32; STEP]) -> [[u32; LANES]; PARTS] {
    let mut pairs = [[0; LANES]; PARTS];
    for i in 0..LANES {
        let (x, y) = (parts(step[i]), parts(step[i + LANES]));
        for part in 0..PARTS {
            pairs[part][i] = x[part] >> 16 | y[part];
        }
    }
    pairs
}

/// The last step of a row, if it is not whole; what it has too much is zero.
#[inline(always)]
fn last_step(rest: &[f32]) -> Option<[f32; STEP]> {
    let mut step = [0.0; STEP];
    step[..rest.len()].copy_from_slice(rest);
    (!rest.is_empty()).then_some(step)
}

/// Steps that all blocks of rows take before the next ones: two of each side stay in the first-level cache.
pub(super) const PASS: usize = 2;

/// Where the tiles of a block for a pass lie: pass after pass, block after block, step after step.
#[inline(always)]
pub(super) fn of_pass(first: usize, steps: usize, [block, blocks]: [usize; 2]) -> Range<usize> {
    let length = PASS.min(steps - first);
    let begin = first * blocks + block * length;
    LEFT_TILES * begin..LEFT_TILES * (begin + length)
}

/// Splits rows of the left side into `tiles`, as [`of_pass`] says. What a last block of [`BLOCK`] rows has too much keeps what it held: nobody reads
/// the sums of those rows.
#[inline(always)]
pub(super) fn split_rows<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f32]>,
    steps: usize,
    tiles: &mut [Tile],
) {
    let blocks = rows.len().div_ceil(BLOCK);
    for (i, row) in rows.enumerate() {
        let (block, i) = (i / BLOCK, i % BLOCK);
        let (whole, rest) = row.as_chunks::<STEP>();
        for (step, x) in whole.iter().chain(&last_step(rest)).enumerate() {
            let pass = of_pass(step - step % PASS, steps, [block, blocks]);
            let at = pass.start + LEFT_TILES * (step % PASS);
            for (part, pairs) in pairs(x).into_iter().enumerate() {
                tiles[at + 2 * part + i / LANES].0[i % LANES] = pairs;
            }
        }
    }
}

/// The right side of a product, `[inner, columns]`, in parts.
#[derive(Debug)]
pub(in crate::model::ops) struct Split {
    pub(super) inner: usize,
    pub(super) columns: usize,
    /// As many as its numbers need, 1 to 3.
    pub(super) parts: usize,
    /// Panel after panel of [`BLOCK`] columns, step after step, two tiles a part.
    tiles: Vec<Tile>,
}

impl Split {
    /// The transpose of a weight `[columns, inner]`; `None` if it has a number that is not the sum of its parts (one that is
    /// none, or below 1e-33), or none at all.
    pub(super) fn transposed(x: &[f32], columns: usize, inner: usize) -> Option<Self> {
        if columns * inner == 0 {
            return None;
        }
        let mut used = 1;
        for x in x {
            let parts = parts(*x);
            if sum(parts) != *x {
                return None;
            }
            let last = parts.iter().rposition(|p| p << 1 != 0).unwrap_or(0);
            used = used.max(last + 1);
        }
        let steps = inner.div_ceil(STEP);
        let mut split = Self {
            inner,
            columns,
            parts: used,
            tiles: vec![Tile::default(); columns.div_ceil(BLOCK) * steps * 2 * used],
        };
        let panels = split.tiles.chunks_exact_mut((steps * 2 * used).max(1));
        for (panel, rows) in panels.zip(x.chunks((BLOCK * inner).max(1))) {
            for (column, row) in rows.chunks_exact(inner).enumerate() {
                let (whole, rest) = row.as_chunks::<STEP>();
                for (step, x) in whole.iter().chain(&last_step(rest)).enumerate() {
                    for (part, pairs) in pairs(x)[..used].iter().enumerate() {
                        let tile = &mut panel[2 * (used * step + part) + column / LANES];
                        for (slots, pair) in tile.0.iter_mut().zip(pairs) {
                            slots[column % LANES] = *pair;
                        }
                    }
                }
            }
        }
        Some(split)
    }

    /// The matrix whose transpose was split, `[columns, inner]`; -0 has become 0.
    pub(super) fn unpacked(&self) -> Vec<f32> {
        let at = |column: usize, i: usize| {
            let tiles = self.panel(column / BLOCK);
            let mut parts = [0; PARTS];
            for (part, bits) in parts[..self.parts].iter_mut().enumerate() {
                let tile = 2 * (self.parts * (i / STEP) + part) + column % BLOCK / LANES;
                let pair = tiles[tile].0[i % LANES][column % LANES];
                *bits = match i % STEP < LANES {
                    true => pair << 16,
                    false => pair & UPPER,
                };
            }
            sum(parts)
        };
        let columns = 0..self.columns;
        columns
            .flat_map(|column| (0..self.inner).map(move |i| at(column, i)))
            .collect()
    }

    pub(super) fn panels(&self) -> usize {
        self.columns.div_ceil(BLOCK)
    }

    pub(super) fn steps(&self) -> usize {
        self.inner.div_ceil(STEP)
    }

    /// The tiles of some columns.
    pub(super) fn panel(&self, panel: usize) -> &[Tile] {
        let tiles = self.steps() * 2 * self.parts;
        &self.tiles[panel * tiles..][..tiles]
    }
}

/// A number from its parts, the small ones first: exact.
fn sum([first, second, third]: [u32; PARTS]) -> f32 {
    f32::from_bits(first) + (f32::from_bits(second) + f32::from_bits(third))
}
