//! Candidates: of the keys of many rows, the largest for each query.
//!
//! Nearly every key is too small, which vectors see for many at once; the loops are plain ones, compiled for what vector instructions
//! the processor has.

use pulp::{Arch, Simd, WithSimd};

/// Keys that are compared at once.
const STEP: usize = 32;

/// Products of consecutive queries with consecutive rows, query after query, and what makes keys of them: `product · of_query · scale +
/// bias`, which is larger for a nearer row.
pub(super) struct Tile<'a> {
    pub(super) products: &'a [f32],
    /// A factor for each query.
    pub(super) of_query: &'a [f32],
    /// A factor for each row.
    pub(super) scale: &'a [f32],
    pub(super) bias: &'a [f32],
    /// The number of the first row.
    pub(super) first: usize,
}

/// The same products, seen from the rows: each is a query, and the queries are what it finds.
pub(super) struct Turned<'a> {
    pub(super) products: &'a [f32],
    /// A factor for each of those that are found: a line of products.
    pub(super) of_line: &'a [f32],
    pub(super) bias_of_line: &'a [f32],
    /// A factor for each query: a column of products.
    pub(super) scale: &'a [f32],
    /// The number of the first that is found.
    pub(super) first: usize,
}

/// The rows with the largest keys so far, for each of some consecutive queries.
pub(super) struct Candidates {
    keep: usize,
    found: Vec<Vec<(f32, u32)>>,
    /// The key that a row must exceed to be one of them.
    least: Vec<f32>,
}

impl Candidates {
    /// None yet; at least `keep` are kept of each query.
    pub(super) fn new(queries: usize, keep: usize) -> Self {
        Self {
            keep,
            found: vec![Vec::new(); queries],
            least: vec![f32::NEG_INFINITY; queries],
        }
    }

    /// Takes the rows of a tile.
    pub(super) fn take(&mut self, tile: &Tile<'_>) {
        Arch::new().dispatch(ByLine(self, tile));
    }

    /// Takes the lines of a tile, for its columns.
    pub(super) fn take_turned(&mut self, tile: &Turned<'_>) {
        Arch::new().dispatch(ByColumn(self, tile));
    }

    /// For each query, the keys and rows of those with the `keep` largest keys, in no order.
    pub(super) fn kept(mut self) -> Vec<Vec<(f32, u32)>> {
        let keep = self.keep;
        self.found.iter_mut().for_each(|found| shrink(found, keep));
        self.found
    }

    fn push(&mut self, query: usize, key: f32, row: usize) {
        let found = &mut self.found[query];
        if found.capacity() == 0 {
            found.reserve_exact(2 * self.keep);
        }
        found.push((key, row as u32));
        if found.len() == 2 * self.keep {
            shrink(found, self.keep);
            self.least[query] = found[self.keep - 1].0;
        }
    }
}

/// Leaves the `keep` largest, the least of them last.
fn shrink(found: &mut Vec<(f32, u32)>, keep: usize) {
    if found.len() > keep {
        let order = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        found.select_nth_unstable_by(keep - 1, order);
        found.truncate(keep);
    }
}

struct ByLine<'a>(&'a mut Candidates, &'a Tile<'a>);

impl WithSimd for ByLine<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self(candidates, tile) = self;
        let lines = tile.products.chunks_exact(tile.scale.len());
        for (query, (line, of_query)) in lines.zip(tile.of_query).enumerate() {
            let key = |i: usize| line[i] * of_query * tile.scale[i] + tile.bias[i];
            let (products, _) = line.as_chunks::<STEP>();
            let (scales, _) = tile.scale.as_chunks::<STEP>();
            let (biases, _) = tile.bias.as_chunks::<STEP>();
            for (step, ((p, s), b)) in products.iter().zip(scales).zip(biases).enumerate() {
                let least = candidates.least[query];
                let mut any = false;
                for i in 0..STEP {
                    any |= p[i] * of_query * s[i] + b[i] > least;
                }
                if any {
                    for i in step * STEP..(step + 1) * STEP {
                        if key(i) > candidates.least[query] {
                            candidates.push(query, key(i), tile.first + i);
                        }
                    }
                }
            }
            for i in products.len() * STEP..line.len() {
                if key(i) > candidates.least[query] {
                    candidates.push(query, key(i), tile.first + i);
                }
            }
        }
    }
}

struct ByColumn<'a>(&'a mut Candidates, &'a Turned<'a>);

impl WithSimd for ByColumn<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self(candidates, tile) = self;
        let lines = tile.products.chunks_exact(tile.scale.len());
        let factors = tile.of_line.iter().zip(tile.bias_of_line);
        for (at, (line, (of_line, bias))) in lines.zip(factors).enumerate() {
            let key = |i: usize| line[i] * of_line * tile.scale[i] + bias;
            let (products, _) = line.as_chunks::<STEP>();
            let (scales, _) = tile.scale.as_chunks::<STEP>();
            for (step, (p, s)) in products.iter().zip(scales).enumerate() {
                let least = &candidates.least[step * STEP..(step + 1) * STEP];
                let mut any = false;
                for i in 0..STEP {
                    any |= p[i] * of_line * s[i] + bias > least[i];
                }
                if any {
                    for i in step * STEP..(step + 1) * STEP {
                        if key(i) > candidates.least[i] {
                            candidates.push(i, key(i), tile.first + at);
                        }
                    }
                }
            }
            for i in products.len() * STEP..line.len() {
                if key(i) > candidates.least[i] {
                    candidates.push(i, key(i), tile.first + at);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn the_largest_keys_are_kept_from_both_sides(lines in 1usize..70, columns in 1usize..150, keep in 1usize..9, seed in 0u64..99) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut numbers = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0f32..1.0)).collect() };
            let (products, of_line, scale) = (numbers(lines * columns), numbers(lines), numbers(columns));
            let (bias, bias_of_line) = (numbers(columns), numbers(lines));
            let key = |line: usize, column: usize| products[line * columns + column] * of_line[line] * scale[column];
            let largest = |mut keys: Vec<(f32, u32)>| {
                keys.sort_by(|a, b| b.0.total_cmp(&a.0));
                keys.truncate(keep);
                keys
            };
            let sorted = |candidates: Candidates| -> Vec<_> { candidates.kept().into_iter().map(largest).collect() };
            let mut by_line = Candidates::new(lines, keep);
            by_line.take(&Tile { products: &products, of_query: &of_line, scale: &scale, bias: &bias, first: 5 });
            let expected: Vec<_> = (0..lines)
                .map(|l| largest((0..columns).map(|c| (key(l, c) + bias[c], c as u32 + 5)).collect()))
                .collect();
            prop_assert_eq!(sorted(by_line), expected);
            let mut by_column = Candidates::new(columns, keep);
            by_column.take_turned(&Turned { products: &products, of_line: &of_line, bias_of_line: &bias_of_line, scale: &scale, first: 7 });
            let expected: Vec<_> = (0..columns)
                .map(|c| largest((0..lines).map(|l| (key(l, c) + bias_of_line[l], l as u32 + 7)).collect()))
                .collect();
            prop_assert_eq!(sorted(by_column), expected);
        }
    }
}
