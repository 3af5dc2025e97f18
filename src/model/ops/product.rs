//! Matrix products with a packed right side: weights, and the keys and values of attention.
//!
//! Each element of a product is a sum in an order that depends on the length of the sum alone, so a row's result depends neither on the other rows nor on how the work
//! is divided among threads.

use super::packed::{Packed, vectors};
use super::prefetch::prefetch;
use super::simd::dispatch;
use super::threads;
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Rows that pass all panels before the next ones do: with `DEPTH` columns they stay in the second-level cache.
const BLOCK: usize = 96;
/// Columns that are packed at once where a weight is not.
const PART: usize = 512;
/// Fewer operations are not worth another thread.
const PARALLEL: usize = 1 << 21;

impl Packed {
    /// `x @ self + bias`, `[rows, columns]`, from `x` `[rows, inner]`. On all threads, unless this one is told to work alone.
    pub(super) fn product(&self, x: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
        let rows = x.len() / self.inner.max(1);
        let mut out = vec![0f32; rows * self.columns];
        let workers = match 2 * x.len() * self.columns < PARALLEL {
            true => 1,
            false => threads::workers(),
        };
        let left = Left {
            x,
            stride: self.inner,
        };
        if workers == 1 {
            self.multiply(left, bias, &mut out, self.columns);
        } else if rows >= 24 * workers {
            let share = rows.div_ceil(workers).next_multiple_of(12);
            out.par_chunks_mut(share * self.columns)
                .zip(x.par_chunks(share * self.inner))
                .for_each(|(out, x)| {
                    let left = Left {
                        x,
                        stride: self.inner,
                    };
                    self.multiply(left, bias, out, self.columns);
                });
        } else {
            self.product_by_columns(left, rows, bias, workers, &mut out);
        }
        out
    }

    /// Few rows: threads share the columns.
    fn product_by_columns(
        &self,
        left: Left<'_>,
        rows: usize,
        bias: Option<&[f32]>,
        workers: usize,
        out: &mut [f32],
    ) {
        let panels = self.panels();
        let share = panels.div_ceil(workers);
        let shares: Vec<Range<usize>> = (0..panels)
            .step_by(share)
            .map(|p| p..(p + share).min(panels))
            .collect();
        let columns = |panels: &Range<usize>| {
            panels.start * self.width..(panels.end * self.width).min(self.columns)
        };
        let parts: Vec<Vec<f32>> = shares
            .par_iter()
            .map(|panels| {
                let width = columns(panels).len();
                let mut part = vec![0f32; rows * width];
                dispatch(Multiply {
                    right: self,
                    panels: panels.clone(),
                    left,
                    bias,
                    out: &mut part,
                    stride: width,
                });
                part
            })
            .collect();
        for (panels, part) in shares.iter().zip(&parts) {
            put_columns(out, self.columns, &columns(panels), part);
        }
    }

    /// `out = left @ self + bias` on this thread; rows of `out` begin every `stride` numbers, and `out` ends with its last row.
    pub(super) fn multiply(
        &self,
        left: Left<'_>,
        bias: Option<&[f32]>,
        out: &mut [f32],
        stride: usize,
    ) {
        dispatch(Multiply {
            right: self,
            panels: 0..self.panels(),
            left,
            bias,
            out,
            stride,
        });
    }
}

/// `x @ weight.T + bias`, `[rows, columns]`, for a weight `[columns, inner]` that is not packed: it is, part by part.
pub(super) fn product_of_plain(
    x: &[f32],
    weight: &[f32],
    [columns, inner]: [usize; 2],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    let left = Left { x, stride: inner };
    let rows = x.len() / inner.max(1);
    let mut out = vec![0f32; rows * columns];
    let part = |columns: &Range<usize>, out: &mut [f32], stride: usize| {
        let weight = &weight[columns.start * inner..columns.end * inner];
        let packed = Packed::transposed(weight, columns.len(), inner, inner);
        packed.multiply(left, bias.map(|b| &b[columns.clone()]), out, stride);
    };
    let parts = (0..columns).step_by(PART);
    let parts: Vec<Range<usize>> = parts.map(|c| c..(c + PART).min(columns)).collect();
    if rows == 0 || threads::workers() == 1 || parts.len() == 1 {
        for columns_of_part in &parts {
            part(columns_of_part, &mut out[columns_of_part.start..], columns);
        }
        return out;
    }
    let products: Vec<Vec<f32>> = parts
        .par_iter()
        .map(|columns| {
            let mut out = vec![0f32; rows * columns.len()];
            part(columns, &mut out, columns.len());
            out
        })
        .collect();
    for (part, product) in parts.iter().zip(&products) {
        put_columns(&mut out, columns, part, product);
    }
    out
}

/// Puts a matrix into some columns of one that is `width` wide.
fn put_columns(out: &mut [f32], width: usize, columns: &Range<usize>, part: &[f32]) {
    let rows = out.chunks_exact_mut(width);
    for (row, part) in rows.zip(part.chunks_exact(columns.len())) {
        row[columns.clone()].copy_from_slice(part);
    }
}

/// The left side of a product: rows that begin every `stride` numbers.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub x: &'a [f32],
    pub stride: usize,
}

/// A product on one thread.
struct Multiply<'a> {
    right: &'a Packed,
    panels: Range<usize>,
    left: Left<'a>,
    bias: Option<&'a [f32]>,
    out: &'a mut [f32],
    stride: usize,
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
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};

    fn random(seed: u64, n: usize) -> Vec<f32> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    /// In f64, from `x` `[rows, inner]` and `w` `[columns, inner]`: each sum, and the sum of its terms' magnitudes.
    fn exact(x: &[f32], w: &[f32], bias: &[f32], inner: usize) -> Vec<(f64, f64)> {
        x.chunks_exact(inner)
            .flat_map(|x| {
                w.chunks_exact(inner).zip(bias).map(move |(w, b)| {
                    let terms = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w));
                    let terms = terms.chain([f64::from(*b)]);
                    terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()))
                })
            })
            .collect()
    }

    /// Roundings of a sum of n terms add up like a random walk (Higham & Mary 2019): √n units of the terms' magnitudes.
    fn is_close(y: f32, (exact, size): (f64, f64), inner: usize) -> bool {
        let unit = f64::from(f32::EPSILON) / 2.0;
        (f64::from(y) - exact).abs() <= ((inner as f64).sqrt() + 2.0) * unit * size
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn products_are_those_of_f64(rows in 1usize..40, columns in 1usize..70, inner in 1usize..1200) {
            let (x, w) = (random(1, rows * inner), random(2, columns * inner));
            let bias = random(3, columns);
            let packed = Packed::transposed(&w, columns, inner, inner);
            prop_assert_eq!(&packed.unpacked(), &w);
            let y = packed.product(&x, Some(&bias));
            for (y, exact) in y.iter().zip(exact(&x, &w, &bias, inner)) {
                prop_assert!(is_close(*y, exact, inner), "{y} not {exact:?}");
            }
            // The other way to pack the same matrix.
            let mut transposed = vec![0.0; w.len()];
            for (i, value) in w.iter().enumerate() {
                transposed[i % inner * columns + i / inner] = *value;
            }
            let other = Packed::plain(&transposed, inner, columns, columns);
            prop_assert_eq!(other.product(&x, Some(&bias)), y);
        }
    }

    #[test]
    fn a_row_depends_neither_on_the_others_nor_on_threads() {
        let (columns, inner) = (1000, 600);
        let x = random(1, 100 * inner);
        let packed = Packed::transposed(&random(2, columns * inner), columns, inner, inner);
        let all = packed.product(&x, None);
        assert_eq!(all, threads::alone(|| packed.product(&x, None)));
        for rows in [1, 3, 11] {
            let few = packed.product(&x[..rows * inner], None);
            assert_eq!(few, all[..rows * columns]);
        }
    }

    #[test]
    fn every_width_of_vectors_computes_the_same() {
        let (rows, columns, inner) = (29, 75, 130);
        let (x, w) = (random(1, rows * inner), random(2, columns * inner));
        let exact = exact(&x, &w, &vec![0.0; columns], inner);
        fn on<S: Simd, const ROWS: usize, const VECTORS: usize>(
            simd: S,
            x: &[f32],
            w: &[f32],
            [columns, inner]: [usize; 2],
        ) -> Vec<f32> {
            let mut packed = Packed::of_width(VECTORS * S::F32_LANES);
            packed.pack_transposed(w, columns, inner, inner);
            let mut out = vec![0.0; x.len() / inner * columns];
            let multiply = Multiply {
                panels: 0..packed.panels(),
                left: Left { x, stride: inner },
                bias: None,
                out: &mut out,
                stride: columns,
                right: &packed,
            };
            multiply.run::<S, ROWS, VECTORS>(simd);
            out
        }
        let shape = [columns, inner];
        for y in [
            on::<_, 6, 2>(pulp::Scalar::new(), &x, &w, shape),
            on::<_, 6, 2>(pulp::Scalar128b, &x, &w, shape),
            on::<_, 6, 2>(pulp::Scalar256b, &x, &w, shape),
            on::<_, 6, 2>(pulp::Scalar512b, &x, &w, shape),
            // The tiles of NEON and AVX-512.
            on::<_, 8, 3>(pulp::Scalar128b, &x, &w, shape),
            on::<_, 8, 3>(pulp::Scalar512b, &x, &w, shape),
        ] {
            for (y, exact) in y.iter().zip(&exact) {
                assert!(is_close(*y, *exact, inner), "{y} not {exact:?}");
            }
        }
    }
}
