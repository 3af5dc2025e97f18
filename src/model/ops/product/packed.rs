//! The right side of a product, packed as the kernel reads it.
//!
//! A packed matrix lies in panels of as many columns as fill two vectors (three, where there are 32 registers), row after row.

use crate::model::ops::simd::dispatch;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// Longest part of a sum that is added up in registers: a panel's part must stay in the first-level cache.
const DEPTH: usize = 512;

/// How many columns a panel has on this processor.
fn panel_width() -> usize {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;

        fn with_simd<S: Simd>(self, _: S) -> usize {
            vectors::<S>() * S::F32_LANES
        }
    }
    dispatch(Width)
}

/// Vectors side by side in a panel. Registers hold a tile's sums, a row of the panel and a number of the left side: 6 rows by 2 vectors are 12
/// sums in 16 registers, 8 by 3 are 24 in 32.
pub(super) const fn vectors<S: Simd>() -> usize {
    match S::REGISTER_COUNT {
        32.. => 3,
        _ => 2,
    }
}

/// The right side of a product, `[inner, columns]`.
#[derive(Debug, Clone)]
pub(in crate::model::ops) struct Packed {
    pub(super) inner: usize,
    pub(super) columns: usize,
    /// Columns of a panel.
    pub(super) width: usize,
    values: Vec<f32>,
}

impl Default for Packed {
    fn default() -> Self {
        Self {
            inner: 0,
            columns: 0,
            width: panel_width(),
            values: Vec::new(),
        }
    }
}

impl Packed {
    /// Nothing yet, in panels of so many columns.
    #[cfg(test)]
    pub(super) fn of_width(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    /// The transpose of `[columns, inner]`, whose rows begin every `stride` numbers: a weight `[out, in]`, or keys.
    pub(in crate::model::ops) fn transposed(
        x: &[f32],
        columns: usize,
        inner: usize,
        stride: usize,
    ) -> Self {
        let mut packed = Self::default();
        packed.pack_transposed(x, columns, inner, stride);
        packed
    }

    /// `[inner, columns]` as it is, whose rows begin every `stride` numbers: values.
    pub(in crate::model::ops) fn plain(
        x: &[f32],
        inner: usize,
        columns: usize,
        stride: usize,
    ) -> Self {
        let mut packed = Self::default();
        packed.pack(x, inner, columns, stride);
        packed
    }

    pub(super) fn pack_transposed(
        &mut self,
        x: &[f32],
        columns: usize,
        inner: usize,
        stride: usize,
    ) {
        self.resize(inner, columns);
        let width = self.width;
        let panels = self.values.chunks_exact_mut((inner * width).max(1));
        for (panel, first) in panels.zip((0..columns).step_by(width)) {
            for column in first..(first + width).min(columns) {
                let row = &x[column * stride..][..inner];
                let slots = panel[column - first..].iter_mut().step_by(width);
                for (slot, value) in slots.zip(row) {
                    *slot = *value;
                }
            }
        }
    }

    fn pack(&mut self, x: &[f32], inner: usize, columns: usize, stride: usize) {
        self.resize(inner, columns);
        let width = self.width;
        let panels = self.values.chunks_exact_mut((inner * width).max(1));
        for (panel, first) in panels.zip((0..columns).step_by(width)) {
            let filled = width.min(columns - first);
            for (row, slots) in panel.chunks_exact_mut(width).enumerate() {
                slots[..filled].copy_from_slice(&x[row * stride + first..][..filled]);
            }
        }
    }

    /// Room for a matrix; what a last panel has too much is zero.
    fn resize(&mut self, inner: usize, columns: usize) {
        self.values = vec![0.0; columns.div_ceil(self.width) * self.width * inner];
        (self.inner, self.columns) = (inner, columns);
    }

    /// The matrix whose transpose was packed, `[columns, inner]`.
    pub(super) fn unpacked(&self) -> Vec<f32> {
        let mut x = vec![0.0; self.columns * self.inner];
        let panels = self.values.chunks_exact((self.inner * self.width).max(1));
        let blocks = x.chunks_mut((self.inner * self.width).max(1));
        for (block, panel) in blocks.zip(panels) {
            for (column, row) in block.chunks_exact_mut(self.inner).enumerate() {
                let slots = panel[column..].iter().step_by(self.width);
                for (value, slot) in row.iter_mut().zip(slots) {
                    *value = *slot;
                }
            }
        }
        x
    }

    /// Into how many parts a sum is cut.
    pub(super) fn depths(&self) -> usize {
        self.inner.div_ceil(DEPTH).max(1)
    }

    /// One of these parts, as equal as can be.
    pub(super) fn depth(&self, part: usize) -> Range<usize> {
        let parts = self.depths();
        part * self.inner / parts..(part + 1) * self.inner / parts
    }

    /// A part of a panel, row after row.
    pub(super) fn part(&self, panel: usize, depth: &Range<usize>) -> &[f32] {
        let begin = (panel * self.inner + depth.start) * self.width;
        &self.values[begin..][..depth.len() * self.width]
    }
}
