//! The two precisions that a pass over rows can compute in.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// `f32`, for the many passes that look for a solution, or `f64`, for the few that make it exact.
pub(super) trait Real:
    Copy
    + PartialOrd
    + Send
    + Sync
    + Default
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    const ZERO: Self;
    const ONE: Self;
    /// What rounding takes from the mean of a function over rows, relative to it.
    const ROUNDING: f64;
    /// Pairs of steps that a fit remembers: more of them pay where the last digits are wanted, and one fit is at work.
    const MEMORY: usize;
    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
    /// `e^-|self|`, to the precision of the type.
    fn decay(self) -> Self;
    /// `out = left · right`, or `out += left · right`, on one core.
    fn product(out: MatMut<'_, Self>, add: Accum, left: MatRef<'_, Self>, right: MatRef<'_, Self>);
}

impl Real for f64 {
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    const ROUNDING: f64 = 1e-14;
    const MEMORY: usize = 40;

    fn of(value: f64) -> f64 {
        value
    }

    fn wide(self) -> f64 {
        self
    }

    #[inline(always)]
    fn decay(self) -> f64 {
        (-self.abs()).exp()
    }

    fn product(out: MatMut<'_, f64>, add: Accum, left: MatRef<'_, f64>, right: MatRef<'_, f64>) {
        matmul(out, add, left, right, 1.0, Par::Seq);
    }
}

impl Real for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    const ROUNDING: f64 = 1e-7;
    const MEMORY: usize = 10;

    fn of(value: f64) -> f32 {
        value as f32
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }

    /// Cephes' `expf`, written without branches, so that the compiler makes vectors of it: the library's takes longer than the
    /// products around it. Below `e^-87` it stays there.
    #[inline(always)]
    fn decay(self) -> f32 {
        // Adding this number rounds to a whole one, which then stands in the lowest bits.
        const SHIFT: f32 = 12_582_912.0;
        const LN2_HIGH: f32 = 0.693_359_4;
        const LN2_LOW: f32 = -2.121_944_4e-4;
        let x = (-self.abs()).max(-87.0);
        let shifted = x * std::f32::consts::LOG2_E + SHIFT;
        let whole = shifted - SHIFT;
        let r = x - whole * LN2_HIGH - whole * LN2_LOW;
        let p = 1.987_569_1e-4;
        let p = p * r + 1.398_199_9e-3;
        let p = p * r + 8.333_452e-3;
        let p = p * r + 4.166_579_6e-2;
        let p = p * r + 1.666_666_5e-1;
        let p = p * r + 0.5;
        let p = p * r * r + r + 1.0;
        let exponent = shifted
            .to_bits()
            .wrapping_sub(SHIFT.to_bits())
            .wrapping_add(127);
        p * f32::from_bits(exponent << 23)
    }

    fn product(out: MatMut<'_, f32>, add: Accum, left: MatRef<'_, f32>, right: MatRef<'_, f32>) {
        matmul(out, add, left, right, 1.0, Par::Seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_is_right_to_the_last_bits_of_its_type() {
        for i in 0..200_000 {
            let x = i as f32 * 4.35e-4;
            let (ours, exact) = (x.decay().wide(), (-f64::from(x)).exp());
            assert!((ours - exact).abs() <= 2e-7 * exact, "{x}: {ours} {exact}");
            assert_eq!((-x).decay(), x.decay());
        }
        assert!(1e30f32.decay() > 0.0 && 1e30f32.decay() < 1e-37);
        assert!(f32::INFINITY.decay() < 1e-37);
    }
}
