//! Vectors as wide as the processor's, and the elementary functions that activations and softmax need of them.
//!
//! Kernels are written once over [`pulp::Simd`] and compiled for AVX-512, AVX2 with FMA, NEON and a portable form; which one runs is found
//! out when the program does. All of a kernel must be inlined into the function that is compiled for those vectors, closures too, or it becomes a
//! hundred times slower. Functions are good to a few units in the last place and pass NaN on: a number that is none must not come
//! out as one that is.

use pulp::{Arch, Scalar128b, Simd, WithSimd};

/// Runs an operation on the widest vectors that this processor has.
pub(super) fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    match Arch::new() {
        // Four numbers side by side are what every compiler target of today can do.
        Arch::Scalar => op.with_simd(Scalar128b),
        wider => wider.dispatch(op),
    }
}

/// `out[i] = f(x[i])`
#[inline(always)]
pub(super) fn map<S: Simd>(simd: S, x: &[f32], out: &mut [f32], f: impl Fn(S::f32s) -> S::f32s) {
    let (xs, x_rest) = S::as_simd_f32s(x);
    let (outs, out_rest) = S::as_mut_simd_f32s(out);
    for (out, x) in outs.iter_mut().zip(xs) {
        *out = f(*x);
    }
    if !x_rest.is_empty() {
        simd.partial_store_f32s(out_rest, f(simd.partial_load_f32s(x_rest)));
    }
}

/// `out[i] = f(x[i], y[i])`
#[inline(always)]
pub(super) fn map_two<S: Simd>(
    simd: S,
    [x, y]: [&[f32]; 2],
    out: &mut [f32],
    f: impl Fn(S::f32s, S::f32s) -> S::f32s,
) {
    let (xs, x_rest) = S::as_simd_f32s(x);
    let (ys, y_rest) = S::as_simd_f32s(y);
    let (outs, out_rest) = S::as_mut_simd_f32s(out);
    for ((out, x), y) in outs.iter_mut().zip(xs).zip(ys) {
        *out = f(*x, *y);
    }
    if !x_rest.is_empty() {
        let (x, y) = (
            simd.partial_load_f32s(x_rest),
            simd.partial_load_f32s(y_rest),
        );
        simd.partial_store_f32s(out_rest, f(x, y));
    }
}

/// Cuts to `[low, high]`; NaN compares false and stays.
#[inline(always)]
pub(super) fn clamp<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
    let x = simd.select_f32s(simd.less_than_f32s(x, low), low, x);
    simd.select_f32s(simd.greater_than_f32s(x, high), high, x)
}

/// The polynomial with these coefficients, the highest first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::f32s, coefficients: [f32; N]) -> S::f32s {
    let mut y = simd.splat_f32s(coefficients[0]);
    for coefficient in &coefficients[1..] {
        y = simd.mul_add_e_f32s(y, x, simd.splat_f32s(*coefficient));
    }
    y
}

/// 1.5 · 2^23: added to a number of moderate size, it leaves the nearest integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// `2^n` for an integer `n` to which [`ROUND`] was added, from -126 to 127.
#[inline(always)]
fn power_of_two<S: Simd>(simd: S, rounded: S::f32s) -> S::f32s {
    let exponent = simd.wrapping_dyn_shl_u32s(
        simd.transmute_u32s_f32s(rounded),
        simd.splat_u32s(f32::MANTISSA_DIGITS - 1),
    );
    let one = simd.splat_u32s(1f32.to_bits());
    simd.transmute_f32s_u32s(simd.add_u32s(exponent, one))
}

/// `e^x`, good to one unit in the last place, denormal results included. The reduction by multiples of ln 2 in two parts is Cody and
/// Waite's; the polynomial is that of Moshier's Cephes library.
#[inline(always)]
pub(super) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];
    let x = clamp(simd, x, -104.0, 89.0);
    let round = simd.splat_f32s(ROUND);
    let log2_e = simd.splat_f32s(std::f32::consts::LOG2_E);
    let n = simd.sub_f32s(simd.mul_add_e_f32s(x, log2_e, round), round);
    let r = simd.negate_mul_add_e_f32s(n, simd.splat_f32s(LN_2[0]), x);
    let r = simd.negate_mul_add_e_f32s(n, simd.splat_f32s(LN_2[1]), r);
    let p = polynomial(
        simd,
        r,
        [
            1.987_569_1e-4,
            1.398_2e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            0.166_666_65,
            0.5,
        ],
    );
    let tail = simd.mul_add_e_f32s(p, simd.mul_f32s(r, r), r);
    let y = simd.add_f32s(tail, simd.splat_f32s(1.0));
    // In two steps, because 2^n itself may be beyond what a float holds where e^x is not.
    let half = simd.mul_add_e_f32s(n, simd.splat_f32s(0.5), round);
    let other = simd.add_f32s(simd.sub_f32s(n, simd.sub_f32s(half, round)), round);
    let y = simd.mul_f32s(y, power_of_two(simd, half));
    simd.mul_f32s(y, power_of_two(simd, other))
}

/// `1 / (1 + e^-x)`
#[inline(always)]
pub(super) fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let e = exp(simd, simd.neg_f32s(x));
    simd.div_f32s(one, simd.add_f32s(one, e))
}

/// The error function, good to 4e-7: `x P(x²) / Q(x²)`, a rational minimax fit of our own (its error 2e-8, before rounding) up to where the
/// function is 1 in f32.
#[inline(always)]
pub(super) fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const END: f32 = 3.93;
    let x = clamp(simd, x, -END, END);
    let t = simd.mul_f32s(x, x);
    let p = polynomial(
        simd,
        t,
        [
            2.041_973_6e-6,
            2.848_084e-4,
            3.779_598e-3,
            5.279_025e-2,
            0.190_783_56,
            std::f32::consts::FRAC_2_SQRT_PI,
        ],
    );
    let q = polynomial(
        simd,
        t,
        [
            3.800_409_3e-5,
            1.165_210_1e-3,
            1.499_741_5e-2,
            0.114_257_41,
            0.502_410_25,
            1.0,
        ],
    );
    simd.div_f32s(simd.mul_f32s(x, p), q)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Scalar, Scalar256b, Scalar512b};

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Erf,
        Sigmoid,
    }

    struct Call<'a>(Function, &'a [f32]);

    impl WithSimd for Call<'_> {
        type Output = Vec<f32>;

        fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
            let mut out = vec![0.0; self.1.len()];
            map(simd, self.1, &mut out, |x| match self.0 {
                Function::Exp => exp(simd, x),
                Function::Erf => erf(simd, x),
                Function::Sigmoid => sigmoid(simd, x),
            });
            out
        }
    }

    fn dispatched(function: Function, x: &[f32]) -> Vec<f32> {
        dispatch(Call(function, x))
    }

    fn grid(low: f32, high: f32) -> Vec<f32> {
        // No multiple of any vector's length.
        let n = 40_003;
        let step = f64::from(high - low) / f64::from(n);
        (0..=n)
            .map(|i| (f64::from(low) + f64::from(i) * step) as f32)
            .collect()
    }

    #[test]
    fn exponentials_are_good_to_units_in_the_last_place() {
        let x = grid(-103.0, 88.7);
        for (x, y) in x.iter().zip(dispatched(Function::Exp, &x)) {
            let exact = f64::from(*x).exp();
            // Below the smallest normal number, what is lost is counted in the smallest denormal one.
            let unit = (exact * f64::from(f32::EPSILON)).max(1.5e-45);
            assert!(
                (f64::from(y) - exact).abs() <= unit,
                "e^{x}: {y} not {exact}"
            );
        }
        let ends = [f32::NEG_INFINITY, -1e30, 0.0, 89.0, f32::INFINITY, f32::NAN];
        let ends = dispatched(Function::Exp, &ends);
        assert_eq!(ends[..5], [0.0, 0.0, 1.0, f32::INFINITY, f32::INFINITY]);
        assert!(ends[5].is_nan());
    }

    #[test]
    fn the_error_function_is_that_of_libm() {
        let x = grid(-6.0, 6.0);
        for (x, y) in x.iter().zip(dispatched(Function::Erf, &x)) {
            let exact = candle_core::cpu::erf::erf_f64(f64::from(*x));
            assert!(
                (f64::from(y) - exact).abs() < 4e-7,
                "erf {x}: {y} not {exact}"
            );
            assert!(y.abs() <= 1.0 + f32::EPSILON);
        }
        assert!(dispatched(Function::Erf, &[f32::NAN])[0].is_nan());
        assert_eq!(dispatched(Function::Erf, &[0.0]), [0.0]);
        let end = dispatched(Function::Erf, &[f32::INFINITY])[0];
        assert!((end - 1.0).abs() <= f32::EPSILON);
    }

    #[test]
    fn every_width_of_vectors_computes_the_same() {
        let x = grid(-20.0, 20.0);
        for function in [Function::Exp, Function::Erf, Function::Sigmoid] {
            let wanted = dispatched(function, &x);
            let widths = [
                Call(function, &x).with_simd(Scalar::new()),
                Call(function, &x).with_simd(Scalar128b),
                Call(function, &x).with_simd(Scalar256b),
                Call(function, &x).with_simd(Scalar512b),
            ];
            for width in widths {
                for (a, b) in width.iter().zip(&wanted) {
                    assert!((a - b).abs() <= 4e-7 * b.abs(), "{a} and {b}");
                }
            }
        }
    }
}
