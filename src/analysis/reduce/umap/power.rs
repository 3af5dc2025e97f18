//! Powers of positive numbers, fast and the same on every machine.

/// `x` to the `p`, for normal `x` above 0, within a few millionths of itself while the result is a normal number.
pub(super) fn power(x: f32, p: f32) -> f32 {
    exponential(p * logarithm(x))
}

/// The logarithm to base 2: the exponent, and a series for what is between √½ and √2.
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
fn exponential(y: f32) -> f32 {
    let y = y.clamp(-126.0, 126.0);
    // Positive before it is cut, so that cutting rounds.
    let biased = (y + 127.5) as u32;
    let f = y - (biased as f32 - 127.0);
    let series = 1.0
        + f * (std::f32::consts::LN_2
            + f * (0.240_226_5
                + f * (0.055_504_11
                    + f * (0.009_618_129 + f * (0.001_333_355_8 + f * 0.000_154_035_3)))));
    f32::from_bits(biased << 23) * series
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn powers_are_near_the_true_ones(e in -20f32..20.0, p in 0.2f32..2.0) {
            let x = e.exp2();
            let right = f64::from(x).powf(f64::from(p));
            prop_assert!((f64::from(power(x, p)) / right - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn extremes_stay_finite() {
        for x in [f32::MIN_POSITIVE, 1e-30, 1.0, 1e30, f32::MAX] {
            assert!(power(x, 0.9).is_finite() && power(x, 1.8).is_finite());
        }
        assert_eq!(power(1.0, 0.7), 1.0);
    }
}
