use super::amx::Plain;
use super::*;
use proptest::prelude::*;
use pulp::{Simd, WithSimd};
use rand::{Rng, SeedableRng};

fn random(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Numbers of very different size.
fn scattered(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut number = || rng.random_range(-1f32..1.0) * rng.random_range(-20f32..20.0).exp2();
    (0..n).map(|_| number()).collect()
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

/// `x @ w.T + bias` by every kernel that runs on this machine.
fn products(x: &[f32], w: &[f32], columns: usize, bias: Option<&[f32]>) -> Vec<Vec<f32>> {
    let inner = w.len() / columns;
    let packed = Packed::transposed(w, columns, inner, inner);
    let split = Split::transposed(w, columns, inner).unwrap();
    let mut products = vec![
        product(&packed, x, bias),
        product(&tiles::On(&split, Plain), x, bias),
    ];
    if let Some(amx) = Amx::find() {
        products.push(product(&tiles::On(&split, amx), x, bias));
    }
    products
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn products_are_those_of_f64(rows in 1usize..70, columns in 1usize..70, inner in 1usize..1200, scatter: bool) {
        let numbers = if scatter { scattered } else { random };
        let (x, w) = (numbers(1, rows * inner), numbers(2, columns * inner));
        let bias = numbers(3, columns);
        let exact = exact(&x, &w, &bias, inner);
        for (kernel, y) in products(&x, &w, columns, Some(&bias)).iter().enumerate() {
            for (y, exact) in y.iter().zip(&exact) {
                prop_assert!(is_close(*y, *exact, inner), "{y} not {exact:?} by kernel {kernel}");
            }
        }
    }

    #[test]
    fn packing_loses_nothing(columns in 1usize..70, inner in 1usize..140, rows in 1usize..5) {
        let w = scattered(2, columns * inner);
        let packed = Packed::transposed(&w, columns, inner, inner);
        prop_assert_eq!(&packed.unpacked(), &w);
        prop_assert_eq!(Split::transposed(&w, columns, inner).unwrap().unpacked(), w.clone());
        prop_assert_eq!(&Weight::transposed(&w, columns, inner).unpacked(), &w);
        // The other way to pack the same matrix.
        let mut transposed = vec![0.0; w.len()];
        for (i, value) in w.iter().enumerate() {
            transposed[i % inner * columns + i / inner] = *value;
        }
        let other = Packed::plain(&transposed, inner, columns, columns);
        let x = random(1, rows * inner);
        prop_assert_eq!(product(&other, &x, None), product(&packed, &x, None));
    }
}

#[test]
fn a_row_depends_neither_on_the_others_nor_on_threads() {
    let (columns, inner) = (1000, 600);
    let x = random(1, 150 * inner);
    let w = random(2, columns * inner);
    let all = products(&x, &w, columns, None);
    assert_eq!(all, threads::alone(|| products(&x, &w, columns, None)));
    for rows in [1, 3, 11, 33] {
        let few = products(&x[..rows * inner], &w, columns, None);
        for (few, all) in few.iter().zip(&all) {
            assert_eq!(few, &all[..rows * columns]);
        }
    }
}

#[test]
fn weights_have_as_many_parts_as_their_numbers_need() {
    let (columns, inner) = (40, 50);
    let w = random(2, columns * inner);
    let x = random(1, 9 * inner);
    let rounded: [fn(f32) -> f32; 3] = [
        |x| half::bf16::from_f32(x).to_f32(),
        |x| half::f16::from_f32(x).to_f32(),
        |x| x,
    ];
    for (parts, round) in rounded.into_iter().enumerate() {
        let w: Vec<f32> = w.iter().map(|x| round(*x)).collect();
        let split = Split::transposed(&w, columns, inner).unwrap();
        assert_eq!(split.parts, parts + 1);
        assert_eq!(split.unpacked(), w);
        let exact = exact(&x, &w, &vec![0.0; columns], inner);
        for y in products(&x, &w, columns, None) {
            for (y, exact) in y.iter().zip(&exact) {
                assert!(is_close(*y, *exact, inner), "{y} not {exact:?}");
            }
        }
    }
}

#[test]
fn what_is_no_number_stays_none() {
    let inner = 40;
    for wrong in [
        f32::NAN,
        f32::INFINITY,
        -f32::INFINITY,
        f32::from_bits(u32::MAX >> 1),
    ] {
        let mut w = random(2, 3 * inner);
        let mut x = random(1, 2 * inner);
        x[inner + 7] = wrong;
        for y in products(&x, &w, 3, None) {
            assert!(y[..3].iter().all(|y| y.is_finite()));
            assert!(y[3..].iter().all(|y| !y.is_finite()), "{wrong}: {y:?}");
        }
        w[inner] = wrong;
        assert!(Split::transposed(&w, 3, inner).is_none());
    }
    let tiny = vec![f32::from_bits(3); inner];
    assert!(Split::transposed(&tiny, 1, inner).is_none());
    assert!(matches!(
        Weight::transposed(&tiny, 1, inner),
        Weight::Packed(_)
    ));
    assert!(Split::transposed(&[], 0, 0).is_none());
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
        let multiply = vectors::Multiply {
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
    fn on_tiles<S: Simd>(simd: S, x: &[f32], w: &[f32], [columns, inner]: [usize; 2]) -> Vec<f32> {
        let split = Split::transposed(w, columns, inner).unwrap();
        let mut out = vec![0.0; x.len() / inner * columns];
        let multiply = tiles::Multiply {
            unit: &Plain,
            panels: 0..columns.div_ceil(amx::BLOCK),
            left: Left { x, stride: inner },
            bias: None,
            out: &mut out,
            stride: columns,
            right: &split,
        };
        multiply.with_simd(simd);
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
        on_tiles(pulp::Scalar::new(), &x, &w, shape),
    ] {
        for (y, exact) in y.iter().zip(&exact) {
            assert!(is_close(*y, *exact, inner), "{y} not {exact:?}");
        }
    }
}
