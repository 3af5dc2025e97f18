//! Products on a matrix unit, of matrices in parts of 16 bits.

use super::amx::{BLOCK, Blocks, LEFT_TILES, Sums, Tile, Unit};
use super::prefetch::prefetch;
use super::split::{PASS, Split, of_pass, split_rows};
use super::{Left, Right};
use crate::model::ops::simd::dispatch;
use pulp::{Simd, WithSimd};
use std::cell::RefCell;
use std::ops::Range;

/// Tiles of the left side that pass all panels before the next ones do: they share the second-level cache (2 MiB where there is such a unit, for
/// two threads) with a panel and its sums.
const TILES: usize = 1152;

/// Of so many cache lines of the next panel one is fetched: the hardware fetches those between.
const AHEAD: usize = 4;

/// A split matrix, on a unit.
pub(super) struct On<'a, U>(pub &'a Split, pub U);

impl<U: Unit> Right for On<'_, U> {
    const ROWS: usize = BLOCK;

    fn inner(&self) -> usize {
        self.0.inner
    }

    fn columns(&self) -> usize {
        self.0.columns
    }

    fn width(&self) -> usize {
        BLOCK
    }

    fn multiply_panels(
        &self,
        panels: Range<usize>,
        left: Left<'_>,
        bias: Option<&[f32]>,
        out: &mut [f32],
        stride: usize,
    ) {
        self.1.configured(|unit| {
            dispatch(Multiply {
                unit,
                right: self.0,
                panels,
                left,
                bias,
                out,
                stride,
            });
        });
    }
}

/// A product on one thread.
pub(super) struct Multiply<'a, B> {
    pub unit: &'a B,
    pub right: &'a Split,
    pub panels: Range<usize>,
    pub left: Left<'a>,
    pub bias: Option<&'a [f32]>,
    pub out: &'a mut [f32],
    pub stride: usize,
}

thread_local! {
    /// The left side, split. Kept, because the system takes as long to hand out so much memory as the unit to multiply what is in it.
    static LEFT: RefCell<Vec<Tile>> = const { RefCell::new(Vec::new()) };
}

impl<B: Blocks> WithSimd for Multiply<'_, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let rows = self.out.len().div_ceil(self.stride.max(1));
        let tiles_a_block = (self.right.steps() * LEFT_TILES).max(1);
        let most = (TILES / tiles_a_block).max(1) * BLOCK;
        // Not `with`, whose closure would be compiled for no vectors.
        let mut kept = LEFT.take();
        for first in (0..rows).step_by(most) {
            let rows = first..(first + most).min(rows);
            let used = rows.len().div_ceil(BLOCK) * tiles_a_block;
            if kept.len() < used {
                kept.resize(used, Tile::default());
            }
            let tiles = &mut kept[..used];
            let Left { x, stride } = self.left;
            let inner = self.right.inner;
            let each = rows.clone().map(|row| &x[row * stride..][..inner]);
            split_rows(each, self.right.steps(), tiles);
            self.rows(rows, tiles);
        }
        LEFT.set(kept);
    }
}

impl<B: Blocks> Multiply<'_, B> {
    /// Some rows, split, by all panels.
    #[inline(always)]
    fn rows(&mut self, rows: Range<usize>, tiles: &[Tile]) {
        let (steps, parts) = (self.right.steps(), self.right.parts);
        let blocks = rows.len().div_ceil(BLOCK);
        let mut sums = vec![Sums([[0.0; BLOCK]; BLOCK]); blocks];
        for (place, panel) in self.panels.clone().enumerate() {
            let columns = panel * BLOCK..((panel + 1) * BLOCK).min(self.right.columns);
            let mut begin = [0.0; BLOCK];
            if let Some(bias) = self.bias {
                begin[..columns.len()].copy_from_slice(&bias[columns.clone()]);
            }
            sums.fill(Sums([begin; BLOCK]));
            let right = self.right.panel(panel);
            let passes = right.chunks(PASS * 2 * parts);
            let next = self.right.panel((panel + 1) % self.right.panels());
            let mut shares = next.chunks(next.len().div_ceil(passes.len() * blocks));
            for (pass, right) in passes.enumerate() {
                for (block, sums) in sums.iter_mut().enumerate() {
                    fetch(shares.next().unwrap_or_default());
                    let left = &tiles[of_pass(pass * PASS, steps, [block, blocks])];
                    self.unit.add_product(left, right, parts, sums);
                }
            }
            self.put(&sums, rows.clone(), place * BLOCK, columns.len());
        }
    }

    /// Some columns of some rows.
    #[inline(always)]
    fn put(&mut self, sums: &[Sums], rows: Range<usize>, at: usize, columns: usize) {
        let sums = sums.iter().flat_map(|sums| &sums.0);
        for (row, sums) in rows.zip(sums) {
            let out = &mut self.out[row * self.stride + at..];
            match out.first_chunk_mut().filter(|_| columns == BLOCK) {
                Some(out) => *out = *sums,
                None => out[..columns].copy_from_slice(&sums[..columns]),
            }
        }
    }
}

/// Asks for tiles that are read soon: the unit waits for each line that is in no cache of its core, and there are few registers to load ahead into.
#[inline(always)]
fn fetch(tiles: &[Tile]) {
    for tile in tiles {
        for row in tile.0.iter().step_by(AHEAD) {
            prefetch(row.as_ptr().cast());
        }
    }
}
