//! Products on the processor's vectors.

use super::packed::{Packed, vectors};
use super::prefetch::prefetch;
use super::{Left, Right};
use crate::model::ops::simd::dispatch;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Rows that pass all panels before the next ones do: with `DEPTH` columns they stay in the second-level cache.
const BLOCK: usize = 96;

impl Right for Packed {
    /// What 6 and 8 rows a tile have about in common.
    const ROWS: usize = 12;

    fn inner(&self) -> usize {
        self.inner
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn width(&self) -> usize {
        self.width
    }

    fn multiply_panels(
        &self,
        panels: Range<usize>,
        left: Left<'_>,
        bias: Option<&[f32]>,
        out: &mut [f32],
        stride: usize,
    ) {
        dispatch(Multiply {
            right: self,
            panels,
            left,
            bias,
            out,
            stride,
        });
    }
}

/// A product on one thread.
pub(super) struct Multiply<'a> {
    pub right: &'a Packed,
    pub panels: Range<usize>,
    pub left: Left<'a>,
    pub bias: Option<&'a [f32]>,
    pub out: &'a mut [f32],
    pub stride: usize,
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match vectors::<S>() {
            3 => self.run::<S, 8, 3>(simd),
            _ => self.run::<S, 6, 2>(simd),
        }
    }
}

/// One tile of a product: some rows by one panel, over a part of the sums.
struct Tile<'a> {
    left: Left<'a>,
    depth: Range<usize>,
    panel: &'a [f32],
    /// What comes after the panel: each strip of rows fetches its share of it into the cache.
    next: &'a [f32],
    bias: Option<&'a [f32]>,
    stride: usize,
    columns: usize,
    /// Whether there are sums of earlier parts to be added to.
    onto: bool,
}

impl Multiply<'_> {
    #[inline(always)]
    pub(super) fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S) {
        let rows = self.out.len().div_ceil(self.stride.max(1));
        let (width, panels) = (self.right.width, self.panels.len());
        let count = panels * self.right.depths();
        let at = |i: usize| {
            let depth = self.right.depth(i / panels);
            (self.panels.start + i % panels, depth)
        };
        for block in (0..rows).step_by(BLOCK) {
            let block = block..(block + BLOCK).min(rows);
            for i in 0..count {
                let (panel, depth) = at(i);
                let (next_panel, next_depth) = at((i + 1) % count);
                let columns = panel * width..((panel + 1) * width).min(self.right.columns);
                let last = depth.end == self.right.inner;
                let tile = Tile {
                    left: self.left,
                    panel: self.right.part(panel, &depth),
                    next: self.right.part(next_panel, &next_depth),
                    bias: self.bias.filter(|_| last).map(|b| &b[columns.clone()]),
                    stride: self.stride,
                    columns: columns.len(),
                    onto: depth.start > 0,
                    depth,
                };
                let first = (panel - self.panels.start) * width;
                tile.down::<S, ROWS, VECTORS>(simd, block.clone(), first, self.out);
            }
        }
    }
}

impl Tile<'_> {
    /// All rows of a block, as many at once as registers allow.
    #[inline(always)]
    fn down<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        rows: Range<usize>,
        at: usize,
        out: &mut [f32],
    ) {
        let share = self.next.len().div_ceil(rows.len().div_ceil(ROWS).max(1));
        let mut shares = self.next.chunks(share.max(1));
        let mut row = rows.start;
        while row + ROWS <= rows.end {
            let ahead = shares.next().unwrap_or_default();
            self.sum::<S, ROWS, VECTORS>(simd, row, at, out, ahead);
            row += ROWS;
        }
        let ahead = shares.next().unwrap_or_default();
        while row + 4 <= rows.end {
            self.sum::<S, 4, VECTORS>(simd, row, at, out, ahead);
            row += 4;
        }
        match rows.end - row {
            3 => self.sum::<S, 3, VECTORS>(simd, row, at, out, ahead),
            2 => self.sum::<S, 2, VECTORS>(simd, row, at, out, ahead),
            1 => self.sum::<S, 1, VECTORS>(simd, row, at, out, ahead),
            _ => {}
        }
    }

    /// `ROWS` rows by one panel, while a share of the next one is fetched.
    #[inline(always)]
    fn sum<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        row: usize,
        at: usize,
        out: &mut [f32],
        ahead: &[f32],
    ) {
        let (panel, _) = S::as_simd_f32s(self.panel);
        let (panel, _) = panel.as_chunks::<VECTORS>();
        let mut rows: [&[f32]; ROWS] = [&[]; ROWS];
        for (i, slot) in rows.iter_mut().enumerate() {
            let start = (row + i) * self.left.stride + self.depth.start;
            *slot = &self.left.x[start..][..panel.len()];
        }
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        let stride = ahead.len().div_ceil(panel.len().max(1));
        let mut fetched = ahead.as_ptr();
        // By index, so that the compiler sees that all of them are within bounds.
        #[allow(clippy::needless_range_loop, reason = "it is twice as fast")]
        for i in 0..panel.len() {
            prefetch(fetched);
            fetched = fetched.wrapping_add(stride);
            let right = panel[i];
            for row in 0..ROWS {
                let left = simd.splat_f32s(rows[row][i]);
                for vector in 0..VECTORS {
                    let sum = sums[row][vector];
                    sums[row][vector] = simd.mul_add_e_f32s(left, right[vector], sum);
                }
            }
        }
        for (i, sums) in sums.iter().enumerate() {
            let out = &mut out[(row + i) * self.stride + at..][..self.columns];
            self.store(simd, sums, out);
        }
    }

    /// Adds sums to those of earlier parts, and to the bias after the last.
    #[inline(always)]
    fn store<S: Simd>(&self, simd: S, sums: &[S::f32s], out: &mut [f32]) {
        for (j, sum) in sums.iter().enumerate() {
            let start = (j * S::F32_LANES).min(out.len());
            let end = (start + S::F32_LANES).min(out.len());
            let out = &mut out[start..end];
            let mut sum = *sum;
            if self.onto {
                sum = simd.add_f32s(sum, load(simd, out));
            }
            if let Some(bias) = self.bias {
                sum = simd.add_f32s(sum, load(simd, &bias[start..end]));
            }
            match S::as_mut_simd_f32s(out) {
                ([whole], _) => *whole = sum,
                (_, part) => simd.partial_store_f32s(part, sum),
            }
        }
    }
}

/// A vector, or the part of one that there is.
#[inline(always)]
fn load<S: Simd>(simd: S, x: &[f32]) -> S::f32s {
    match S::as_simd_f32s(x) {
        ([whole], _) => *whole,
        (_, part) => simd.partial_load_f32s(part),
    }
}
