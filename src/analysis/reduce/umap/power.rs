//! Logarithms and powers of two, many at a time, and the same on every machine.
//!
//! No operation here is fused or reordered by vector instructions, so that wide and narrow ones give the same bits.

/// Numbers that are computed side by side: one vector of AVX-512, two of AVX2.
pub(super) const LANES: usize = 16;

/// As many numbers.
pub(super) type Lanes = [f32; LANES];

/// 1.5 · 2^23: added to a number of moderate size, it leaves the nearest integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// `x^p · 2^offset`, for normal `x` above 0, within a few millionths of itself while the result is a normal number.
#[inline(always)]
pub(super) fn power(x: &Lanes, p: f32, offset: f32) -> Lanes {
    let mut out = [0.0; LANES];
    for lane in 0..LANES {
        out[lane] = exponential(p * logarithm(x[lane]) + offset);
    }
    out
}

/// The logarithm to base 2: the exponent, and a series for what is between √½ and √2.
#[inline(always)]
fn logarithm(x: f32) -> f32 {
    const ROOT_HALF: u32 = 0x3f35_04f3;
    let bits = x.to_bits();
    let exponent = (bits.wrapping_sub(ROOT_HALF) as i32) >> 23;
    let mantissa = f32::from_bits(bits.wrapping_sub((exponent as u32) << 23));
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let square = t * t;
    let series =
        square * (square * (square * 0.412_198_58 + 0.577_078_02) + 0.961_796_7) + 2.885_39;
    exponent as f32 + t * series
}

/// 2 to the `y`, for results that are normal numbers; beyond them the smallest or a large one.
#[inline(always)]
fn exponential(y: f32) -> f32 {
    let y = if y > 126.0 { 126.0 } else { y };
    let y = if y < -126.0 { -126.0 } else { y };
    let rounded = y + ROUND;
    let f = y - (rounded - ROUND);
    let series = 1.0
        + f * (std::f32::consts::LN_2
            + f * (0.240_226_5
                + f * (0.055_504_11
                    + f * (0.009_618_129 + f * (0.001_333_355_8 + f * 0.000_154_035_3)))));
    let two_to_n = (rounded.to_bits() << 23).wrapping_add(1f32.to_bits());
    f32::from_bits(two_to_n) * series
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn powers_are_near_the_true_ones(e in proptest::array::uniform16(-20f32..20.0), p in 0.2f32..2.0, offset in -3f32..3.0) {
            let x = e.map(f32::exp2);
            for (x, found) in x.iter().zip(power(&x, p, offset)) {
                let right = f64::from(*x).powf(f64::from(p)) * f64::from(offset).exp2();
                prop_assert!((f64::from(found) / right - 1.0).abs() < 1e-5, "{x}: {found} not {right}");
            }
        }
    }

    #[test]
    fn extremes_stay_finite() {
        for x in [f32::MIN_POSITIVE, 1e-30, 1.0, 1e30, f32::MAX] {
            let found = [0.9, 1.8].map(|p| power(&[x; LANES], p, 0.0)[0]);
            assert!(found.iter().all(|f| f.is_finite()), "{x}: {found:?}");
        }
        assert_eq!(power(&[1.0; LANES], 0.7, 0.0), [1.0; LANES]);
    }
}
