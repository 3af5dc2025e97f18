//! Squared distances of codes, by the vector instructions that the processor has.

use super::super::fetch::{AHEAD, Fetch};

/// Numbers that are taken at once; rows are padded with zeros to a multiple.
pub(super) const LANES: usize = 16;

/// Codes row after row.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    pub(super) data: &'a [i16],
    pub(super) padded: usize,
}

impl<'a> Table<'a> {
    #[inline(always)]
    fn row(self, row: u32) -> &'a [i16] {
        let first = row as usize * self.padded;
        &self.data[first..first + self.padded]
    }
}

/// What a distance is computed with. Every way gives the same number: sums of whole numbers do not depend on their order.
#[derive(Clone, Copy)]
pub(super) enum Kernel {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
}

impl Kernel {
    /// The fastest that this processor runs.
    pub(super) fn detected() -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = pulp::x86::V3::try_new() {
            return Self::Avx2(avx2::Avx2(v3));
        }
        Self::Portable(Portable)
    }

    /// The squared distances of a code to some rows.
    pub(super) fn distances(
        self,
        from: &[i16],
        table: Table<'_>,
        rows: &[u32],
        out: &mut Vec<u32>,
    ) {
        out.clear();
        match self {
            Self::Portable(portable) => distances(portable, from, table, rows, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.distances(from, table, rows, out),
        }
    }

    /// Whether one of some rows is nearer to a code than `limit`.
    pub(super) fn any_nearer(
        self,
        from: &[i16],
        table: Table<'_>,
        rows: &[u32],
        limit: u32,
    ) -> bool {
        match self {
            Self::Portable(portable) => any_nearer(portable, from, table, rows, limit),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(avx2) => avx2.any_nearer(from, table, rows, limit),
        }
    }
}

/// A way to compute.
trait Way: Copy {
    /// The squared distance of two codes of equal length, a multiple of [`LANES`].
    fn squared(self, a: &[i16], b: &[i16]) -> u32;
}

#[inline(always)]
fn distances<W: Way>(way: W, from: &[i16], table: Table<'_>, rows: &[u32], out: &mut Vec<u32>) {
    let fetch = Fetch::detected();
    for row in rows.iter().take(AHEAD) {
        fetch.ahead(table.row(*row));
    }
    for (i, row) in rows.iter().enumerate() {
        if let Some(next) = rows.get(i + AHEAD) {
            fetch.ahead(table.row(*next));
        }
        out.push(way.squared(from, table.row(*row)));
    }
}

#[inline(always)]
fn any_nearer<W: Way>(way: W, from: &[i16], table: Table<'_>, rows: &[u32], limit: u32) -> bool {
    let mut rows = rows.iter();
    rows.any(|row| way.squared(from, table.row(*row)) < limit)
}

/// Plain loops, which compilers turn into what vector instructions every processor of the architecture has.
#[derive(Clone, Copy)]
pub(super) struct Portable;

impl Way for Portable {
    #[inline(always)]
    fn squared(self, a: &[i16], b: &[i16]) -> u32 {
        let (a, _) = a.as_chunks::<LANES>();
        let (b, _) = b.as_chunks::<LANES>();
        let mut sums = [0i32; LANES];
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                let off = i32::from(a[lane].wrapping_sub(b[lane]));
                sums[lane] = sums[lane].wrapping_add(off.wrapping_mul(off));
            }
        }
        total(&sums)
    }
}

/// Wrapping, because sums that fit 32 bits without a sign come out right whatever their halves were.
#[inline(always)]
fn total(sums: &[i32]) -> u32 {
    let add = |sum: i32, part: &i32| sum.wrapping_add(*part);
    sums.iter().fold(0, add).cast_unsigned()
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{LANES, Table, Way, total};
    use pulp::x86::V3;
    use pulp::{Simd, WithSimd, cast};
    use std::arch::x86_64::__m256i;

    /// AVX2, proved to be there by `pulp`.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Avx2(pub(in super::super) V3);

    impl Avx2 {
        pub(super) fn distances(
            self,
            from: &[i16],
            table: Table<'_>,
            rows: &[u32],
            out: &mut Vec<u32>,
        ) {
            Simd::vectorize(
                self.0,
                Distances {
                    way: self,
                    from,
                    table,
                    rows,
                    out,
                },
            );
        }

        pub(super) fn any_nearer(
            self,
            from: &[i16],
            table: Table<'_>,
            rows: &[u32],
            limit: u32,
        ) -> bool {
            Simd::vectorize(
                self.0,
                AnyNearer {
                    way: self,
                    from,
                    table,
                    rows,
                    limit,
                },
            )
        }
    }

    struct Distances<'a> {
        way: Avx2,
        from: &'a [i16],
        table: Table<'a>,
        rows: &'a [u32],
        out: &'a mut Vec<u32>,
    }

    impl WithSimd for Distances<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            super::distances(self.way, self.from, self.table, self.rows, self.out);
        }
    }

    struct AnyNearer<'a> {
        way: Avx2,
        from: &'a [i16],
        table: Table<'a>,
        rows: &'a [u32],
        limit: u32,
    }

    impl WithSimd for AnyNearer<'_> {
        type Output = bool;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> bool {
            super::any_nearer(self.way, self.from, self.table, self.rows, self.limit)
        }
    }

    impl Way for Avx2 {
        #[inline(always)]
        fn squared(self, a: &[i16], b: &[i16]) -> u32 {
            let avx2 = self.0.avx2;
            let (a, _) = a.as_chunks::<LANES>();
            let (b, _) = b.as_chunks::<LANES>();
            let mut sums: [__m256i; 2] = [cast([0i32; 8]); 2];
            let square = |a: &[i16; LANES], b: &[i16; LANES]| {
                let off = avx2._mm256_sub_epi16(cast(*a), cast(*b));
                avx2._mm256_madd_epi16(off, off)
            };
            // Two sums, because one would wait for each addition.
            let (a_pairs, a_rest) = a.as_chunks::<2>();
            let (b_pairs, b_rest) = b.as_chunks::<2>();
            for (a, b) in a_pairs.iter().zip(b_pairs) {
                sums[0] = avx2._mm256_add_epi32(sums[0], square(&a[0], &b[0]));
                sums[1] = avx2._mm256_add_epi32(sums[1], square(&a[1], &b[1]));
            }
            if let ([a], [b]) = (a_rest, b_rest) {
                sums[0] = avx2._mm256_add_epi32(sums[0], square(a, b));
            }
            let sum: [i32; 8] = cast(avx2._mm256_add_epi32(sums[0], sums[1]));
            total(&sum)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_way_gives_the_same(pairs in 0usize..9, seed in any::<u64>()) {
            let padded = pairs * LANES;
            let number = |i: usize| ((i as u64).wrapping_mul(seed | 1) >> 40) as i16 / 16;
            let data: Vec<i16> = (0..4 * padded).map(number).collect();
            let table = Table { data: &data, padded };
            let from = &data[..padded];
            let expected: Vec<u32> = (0..4).map(|row| {
                let pairs = from.iter().zip(table.row(row));
                pairs.map(|(a, b)| (i32::from(*a) - i32::from(*b)).pow(2) as u32).sum()
            }).collect();
            for kernel in [Kernel::Portable(Portable), Kernel::detected()] {
                let mut found = Vec::new();
                kernel.distances(from, table, &[0, 1, 2, 3], &mut found);
                prop_assert_eq!(&found, &expected);
                let least = expected[1..].iter().min().copied().unwrap_or(0);
                prop_assert!(!kernel.any_nearer(from, table, &[1, 2, 3], least));
                prop_assert!(kernel.any_nearer(from, table, &[1, 2, 3], least + 1));
            }
        }
    }
}
