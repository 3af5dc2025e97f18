//! The matrix unit of Intel's server processors (AMX, since Sapphire Rapids): one instruction multiplies 16 × 32 by 32 × 16 numbers of 16 bits
//! and adds up in 32. The file with assembly in it, and so with `unsafe`.
//!
//! The language has no stable access to the unit, so this is assembly. Its whole surface is [`Amx`], which exists only where the
//! processor and the system have the unit; [`Unit::configured`], which brackets its use; and [`Blocks::add_product`], which touches nothing but the
//! slices that it is given. Between two calls nothing is kept in a tile. Without the unit the same numbers are added up by `Plain`, which the tests
//! compare with.

use std::marker::PhantomData;

/// A register of the unit: 16 rows of 16 pairs of bf16, the first number of a pair in the lower half; `[row][pair]` on the left of a product,
/// `[pair][column]` on the right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Tile(pub [[u32; LANES]; LANES]);

/// Numbers of 32 bits in a row of a tile, and rows of a tile.
pub(super) const LANES: usize = 16;
/// Rows, and columns, of a block of sums: two tiles.
pub(super) const BLOCK: usize = 2 * LANES;
/// Terms of a sum that one step adds to it.
pub(super) const STEP: usize = 2 * LANES;
/// Parts of a number on the left side: all 24 bits of an f32, by eights.
pub(super) const PARTS: usize = 3;
/// Tiles of a step on the left side: for each part one with the upper and one with the lower rows.
pub(super) const LEFT_TILES: usize = 2 * PARTS;

/// A block of sums, `[row][column]`.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Sums(pub [[f32; BLOCK]; BLOCK]);

/// What multiplies blocks.
pub(super) trait Blocks {
    /// Adds the product of two sides to the sums: `left` has [`LEFT_TILES`] a step, `right` two for each of its `parts` (the left and the right
    /// columns). Parts i and j (from 0) are multiplied if i + j < 3: what is left out is below the
    /// rounding of an f32.
    ///
    /// # Panics
    /// If the sides differ in their steps or `parts` is not from 1 to 3.
    fn add_product(&self, left: &[Tile], right: &[Tile], parts: usize, sums: &mut Sums);
}

/// Where blocks are multiplied.
pub(super) trait Unit: Copy + Sync {
    /// The unit while it is ready, on one thread.
    type Ready: Blocks;

    /// Calls `f` with the unit ready on this thread. Not from within `f`: the inner call would leave the unit as if nobody used it.
    fn configured<T>(self, f: impl FnOnce(&Self::Ready) -> T) -> T;
}

/// Which parts of the left and the right side are multiplied, in this order: each step but the first loads one side only.
#[cfg(any(test, not(all(target_arch = "x86_64", target_os = "linux"))))]
const ORDER: [(usize, usize); 6] = [(2, 0), (1, 0), (0, 0), (0, 2), (0, 1), (1, 1)];

fn check(left: &[Tile], right: &[Tile], parts: usize) -> usize {
    let steps = left.len() / LEFT_TILES;
    let fits = left.len() == steps * LEFT_TILES && right.len() == steps * 2 * parts;
    assert!(
        fits && (1..=PARTS).contains(&parts),
        "{} and {} tiles of {parts} parts are no product",
        left.len(),
        right.len()
    );
    steps
}

/// That this processor has the unit and the system lets us use it.
#[derive(Debug, Clone, Copy)]
pub(in crate::model::ops) struct Amx(());

impl Amx {
    /// The unit, if there is one. `PLUMB_AMX=off` (or 0) says that there is none.
    pub(super) fn find() -> Option<Self> {
        static FOUND: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        FOUND
            .get_or_init(|| {
                std::env::var_os("PLUMB_AMX")
                    .is_none_or(|v| !v.eq_ignore_ascii_case("off") && v != "0")
                    && unit::allowed()
            })
            .then_some(Self(()))
    }
}

impl Unit for Amx {
    type Ready = Configured;

    fn configured<T>(self, f: impl FnOnce(&Configured) -> T) -> T {
        unit::configure();
        // Also when `f` panics.
        let configured = Configured(PhantomData);
        f(&configured)
    }
}

/// The unit while it is ready, on this thread.
pub(super) struct Configured(PhantomData<*const ()>);

impl Drop for Configured {
    fn drop(&mut self) {
        unit::release();
    }
}

impl Blocks for Configured {
    #[inline(always)]
    fn add_product(&self, left: &[Tile], right: &[Tile], parts: usize, sums: &mut Sums) {
        let steps = check(left, right, parts);
        if steps > 0 {
            unit::add_product(left, right, [steps, parts], sums);
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[allow(unsafe_code, reason = "see the module's documentation")]
mod unit {
    use super::{BLOCK, LANES, Sums, Tile};
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count};

    /// Whether the processor has the unit, and the system keeps its registers for this process from now on.
    pub(super) fn allowed() -> bool {
        // Intel's manual, volume 1, 18.2 and volume 2, CPUID: leaf 7, EDX: AMX-BF16 and AMX-TILE.
        const WANTED: u32 = 1 << 22 | 1 << 24;
        let has_it = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & WANTED == WANTED;
        has_it && ask()
    }

    /// Linux hands out the unit's 8 KiB of registers only to processes that ask for them (Documentation/arch/x86/xstate.rst).
    fn ask() -> bool {
        const ARCH_PRCTL: isize = 158;
        const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
        const XFEATURE_XTILEDATA: usize = 18;
        let status: isize;
        // SAFETY: the system call reads its two numbers and no memory of ours; it clobbers rcx, r11 and its result. What it does to the process is to
        // make signal frames larger, for which the standard library's signal stacks have room (it asks the system how much that is).
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => status,
                in("rdi") ARCH_REQ_XCOMP_PERM,
                in("rsi") XFEATURE_XTILEDATA,
                out("rcx") _, out("r11") _,
                options(nostack, nomem)
            );
        }
        status == 0
    }

    /// Shapes of the eight tiles, as LDTILECFG reads them: all of 16 rows of 64 bytes.
    #[repr(C, align(64))]
    struct Shapes {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    static SHAPES: Shapes = {
        let mut shapes = Shapes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        let mut tile = 0;
        while tile < 8 {
            shapes.row_bytes[tile] = 4 * LANES as u16;
            shapes.rows[tile] = LANES as u8;
            tile += 1;
        }
        shapes
    };

    pub(super) fn configure() {
        // SAFETY: only called through `Amx`, so the unit is there; reads the 64 bytes of SHAPES. The compiler keeps nothing in tiles.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const SHAPES, options(nostack, readonly)) }
    }

    pub(super) fn release() {
        // SAFETY: as above; the unit's registers become empty.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }

    /// Loads one part of a step: two tiles side by side in memory.
    macro_rules! load {
        (left $part:literal) => {
            concat!(
                "tileloadd tmm4, [{left} + {row}*1 + 2048*",
                $part,
                "]\n",
                "tileloadd tmm5, [{left} + {row}*1 + 2048*",
                $part,
                " + 1024]"
            )
        };
        (right $part:literal) => {
            concat!(
                "tileloadd tmm6, [{right} + {row}*1 + 2048*",
                $part,
                "]\n",
                "tileloadd tmm7, [{right} + {row}*1 + 2048*",
                $part,
                " + 1024]"
            )
        };
    }

    /// Multiplies what was loaded last, and adds it to the four tiles of sums.
    macro_rules! multiply {
        () => {
            "tdpbf16ps tmm0, tmm4, tmm6\ntdpbf16ps tmm1, tmm4, tmm7\ntdpbf16ps tmm2, tmm5, tmm6\ntdpbf16ps tmm3, tmm5, tmm7"
        };
    }

    /// A block's product: all parts of the left side by the first of the right, and what else a step has.
    macro_rules! block {
        ($left:expr, $right:expr, $steps:expr, $sums:expr, $right_bytes:literal $(, $line:expr)*) => {
            asm!(
                "tileloadd tmm0, [{sums} + {sums_row}*1]",
                "tileloadd tmm1, [{sums} + {sums_row}*1 + 64]",
                "tileloadd tmm2, [{sums} + {sums_row}*1 + 2048]",
                "tileloadd tmm3, [{sums} + {sums_row}*1 + 2112]",
                "2:",
                load!(left 2), load!(right 0), multiply!(),
                load!(left 1), multiply!(),
                load!(left 0), multiply!(),
                $($line,)*
                "add {left}, 6144",
                concat!("add {right}, ", $right_bytes),
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {sums_row}*1], tmm0",
                "tilestored [{sums} + {sums_row}*1 + 64], tmm1",
                "tilestored [{sums} + {sums_row}*1 + 2048], tmm2",
                "tilestored [{sums} + {sums_row}*1 + 2112], tmm3",
                left = inout(reg) $left.as_ptr() => _,
                right = inout(reg) $right.as_ptr() => _,
                steps = inout(reg) $steps => _,
                sums = in(reg) $sums,
                row = in(reg) 4 * LANES,
                sums_row = in(reg) 4 * BLOCK,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            )
        };
    }

    /// [`super::Blocks::add_product`], for at least one step of as many tiles as there are.
    #[inline(always)]
    pub(super) fn add_product(
        left: &[Tile],
        right: &[Tile],
        [steps, parts]: [usize; 2],
        sums: &mut Sums,
    ) {
        let sums: *mut Sums = sums;
        // SAFETY: only called through `Configured`, so the unit is ready. Its caller has seen that `left` holds 6 tiles (6,144 bytes) a step, `right` 2 tiles (2,048
        // bytes) for each of 1 to 3 parts a step, and that there is a step; each pass reads one step of both and goes on to the next. `sums` is 32 rows of
        // 128 bytes, read and written whole. The tiles are empty again for the next call, which begins by loading the sums.
        unsafe {
            match parts {
                1 => block!(left, right, steps, sums, "2048"),
                2 => block!(
                    left,
                    right,
                    steps,
                    sums,
                    "4096",
                    load!(right 1),
                    multiply!(),
                    load!(left 1),
                    multiply!()
                ),
                _ => block!(
                    left,
                    right,
                    steps,
                    sums,
                    "6144",
                    load!(right 2),
                    multiply!(),
                    load!(right 1),
                    multiply!(),
                    load!(left 1),
                    multiply!()
                ),
            }
        }
    }
}

/// No such unit.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod unit {
    use super::{Plain, Sums, Tile};

    pub(super) fn allowed() -> bool {
        false
    }

    pub(super) fn configure() {}

    pub(super) fn release() {}

    pub(super) fn add_product(
        left: &[Tile],
        right: &[Tile],
        [_, parts]: [usize; 2],
        sums: &mut Sums,
    ) {
        super::Blocks::add_product(&Plain, left, right, parts, sums);
    }
}

/// What the unit does, number by number.
#[cfg(any(test, not(all(target_arch = "x86_64", target_os = "linux"))))]
#[derive(Clone, Copy)]
pub(super) struct Plain;

#[cfg(test)]
impl Unit for Plain {
    type Ready = Self;

    fn configured<T>(self, f: impl FnOnce(&Self) -> T) -> T {
        f(&self)
    }
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_os = "linux"))))]
impl Blocks for Plain {
    fn add_product(&self, left: &[Tile], right: &[Tile], parts: usize, sums: &mut Sums) {
        check(left, right, parts);
        let halves = |pair: u32| [pair << 16, pair & 0xffff_0000].map(f32::from_bits);
        let steps = left.chunks(LEFT_TILES).zip(right.chunks(2 * parts));
        for (left, right) in steps {
            for (i, j) in ORDER.into_iter().filter(|(_, j)| *j < parts) {
                for (row, sums) in sums.0.iter_mut().enumerate() {
                    for (column, sum) in sums.iter_mut().enumerate() {
                        let left = &left[2 * i + row / LANES].0[row % LANES];
                        let right = &right[2 * j + column / LANES].0;
                        // Two sums, of the first and of the second number of each pair (Intel's manual, volume 2, TDPBF16PS).
                        let mut two = [0f32; 2];
                        for (pair, right) in left.iter().zip(right) {
                            let (x, y) = (halves(*pair), halves(right[column % LANES]));
                            two = [0, 1].map(|k| x[k].mul_add(y[k], two[k]));
                        }
                        *sum += two[0] + two[1];
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn tiles(seed: u64, n: usize) -> Vec<Tile> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut half = || u32::from(half::bf16::from_f32(rng.random_range(-1.0..1.0)).to_bits());
        let mut row = || std::array::from_fn(|_| half() << 16 | half());
        (0..n)
            .map(|_| Tile(std::array::from_fn(|_| row())))
            .collect()
    }

    #[test]
    fn the_unit_does_what_is_written_out() {
        let Some(amx) = Amx::find() else {
            eprintln!("skipped: no AMX on this machine");
            return;
        };
        for (steps, parts) in [(1, 1), (1, 2), (1, 3), (5, 3), (3, 1), (4, 2), (0, 3)] {
            let left = tiles(1, steps * LEFT_TILES);
            let right = tiles(2, steps * 2 * parts);
            let begin = Sums(std::array::from_fn(|i| [i as f32; BLOCK]));
            let (mut sums, mut wanted) = (begin.clone(), begin);
            amx.configured(|unit| unit.add_product(&left, &right, parts, &mut sums));
            Plain.add_product(&left, &right, parts, &mut wanted);
            for (sum, wanted) in sums.0.as_flattened().iter().zip(wanted.0.as_flattened()) {
                // The order within an instruction is the processor's own.
                assert!((sum - wanted).abs() < 1e-4, "{sum} not {wanted}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "are no product")]
    fn sides_of_different_length_are_no_product() {
        let mut sums = Sums([[0.0; BLOCK]; BLOCK]);
        Plain.add_product(&tiles(1, 6), &tiles(2, 5), 3, &mut sums);
    }
}
