//! Kernels against composed operations, and those against central differences.

use super::activation::activate_composed;
use super::norm::{layer_norm_composed, rms_norm_composed};
use super::rope::rope_composed;
use super::softmax::{cross_entropy_composed, softmax_composed};
use super::*;
use crate::model::spec::{Activation, Mask};
use crate::text::batch::Batch;
use candle_core::{DType, Device, Var};

fn random(seed: u64, shape: &[usize], spread: f64) -> Tensor {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let count: usize = shape.iter().product();
    let values: Vec<f64> = (0..count)
        .map(|_| rng.random_range(-spread..spread))
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn largest(x: &Tensor) -> f64 {
    let x = x.to_dtype(DType::F64).unwrap().abs().unwrap();
    x.max_all().unwrap().to_scalar::<f64>().unwrap()
}

/// The fast path in f32 against the composed one in f64.
fn close(fast: &Tensor, composed: &Tensor) {
    let fast = fast.to_dtype(DType::F64).unwrap();
    let error = largest(&(fast - composed).unwrap()) / largest(composed);
    assert!(error < 2e-6, "fast and composed differ by {error:.1e}");
}

#[test]
fn fast_and_composed_paths_agree() {
    let f32s =
        |seed, shape: &[usize], spread| random(seed, shape, spread).to_dtype(DType::F32).unwrap();
    let f64s = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
    // A mean of 500 beside a spread of 3 is what a massive activation looks like.
    let x = (f32s(1, &[9, 4, 48], 3.0) + 500.0).unwrap();
    let (w, b) = (f32s(2, &[48], 1.0), f32s(3, &[48], 1.0));
    close(
        &layer_norm(&x, &w, &b, 1e-5).unwrap(),
        &layer_norm_composed(&f64s(&x), &f64s(&w), &f64s(&b), 1e-5).unwrap(),
    );
    close(
        &rms_norm(&x, &w, 1e-5).unwrap(),
        &rms_norm_composed(&f64s(&x), &f64s(&w), 1e-5).unwrap(),
    );
    let x = f32s(4, &[5, 7, 33], 6.0);
    close(&softmax(&x).unwrap(), &softmax_composed(&f64s(&x)).unwrap());
    close(
        &activate(&x, Activation::GeluErf).unwrap(),
        &f64s(&x).gelu_erf().unwrap(),
    );
    // Transposed input: the kernels read contiguous memory.
    let t = x.transpose(1, 2).unwrap();
    close(&softmax(&t).unwrap(), &softmax_composed(&f64s(&t)).unwrap());
}

#[test]
fn exact_and_tanh_gelu_are_told_apart() {
    let x = Tensor::new(&[1.0f32], &Device::Cpu).unwrap();
    let at_one = |a| activate(&x, a).unwrap().to_vec1::<f32>().unwrap()[0];
    // Phi(1) = 0.841344746...
    assert!((at_one(Activation::GeluErf) - 0.841_344_7).abs() < 1e-6);
    assert!((at_one(Activation::GeluTanh) - 0.841_192).abs() < 1e-5);
}

/// The gradient of a random projection of `f`, against central differences in f64, for each argument.
fn check_gradient(arguments: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let vars: Vec<Var> = arguments
        .iter()
        .map(|a| Var::from_tensor(a).unwrap())
        .collect();
    let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let weights = random(99, f(&tracked).unwrap().dims(), 1.0);
    let loss = |args: &[Tensor]| (f(args).unwrap() * &weights).unwrap().sum_all().unwrap();
    let store = loss(&tracked).backward().unwrap();
    for (i, var) in vars.iter().enumerate() {
        let direction = random(50 + i as u64, arguments[i].dims(), 1.0);
        let at = |step: f64| {
            let mut moved = arguments.to_vec();
            moved[i] = (&arguments[i] + (&direction * step).unwrap()).unwrap();
            // Variables, so that the composed path is taken: only that one runs in f64.
            let moved: Vec<Tensor> = moved
                .iter()
                .map(|m| Var::from_tensor(m).unwrap().as_tensor().clone())
                .collect();
            loss(&moved).to_scalar::<f64>().unwrap()
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        let gradient = (store.get(var).unwrap() * &direction).unwrap();
        let gradient = gradient.sum_all().unwrap().to_scalar::<f64>().unwrap();
        assert!(
            (gradient - difference).abs() <= 1e-6 * (1.0 + difference.abs()),
            "argument {i}: {gradient} against {difference}"
        );
    }
}

#[test]
fn gradients_are_those_of_central_differences() {
    let x = random(1, &[5, 3, 8], 2.0);
    let (w, b) = (random(2, &[8], 1.0), random(3, &[8], 1.0));
    check_gradient(std::slice::from_ref(&x), |a| softmax(&a[0]));
    check_gradient(&[x.clone(), w.clone(), b], |a| {
        layer_norm(&a[0], &a[1], &a[2], 1e-5)
    });
    check_gradient(&[x.clone(), w], |a| rms_norm(&a[0], &a[1], 1e-5));
    for activation in [
        Activation::GeluErf,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Silu,
        Activation::GeluQuick,
        Activation::ReluSquared,
        Activation::Tanh,
    ] {
        check_gradient(std::slice::from_ref(&x), |a| activate(&a[0], activation));
    }
    let angles = random(4, &[5, 4], 3.0);
    check_gradient(&[x], |a| rope(&a[0], &angles.cos()?, &angles.sin()?));
    let (x, w, b) = (
        random(5, &[6, 4], 1.0),
        random(6, &[3, 4], 1.0),
        random(7, &[3], 1.0),
    );
    check_gradient(&[x, w, b], |a| linear(&a[0], &a[1], Some(&a[2])));
}

/// A kernel in f32 against the composed operations in f64: the values, and the gradient of a random projection of them for
/// each argument.
fn check_kernel(
    arguments: &[Tensor],
    fast: impl Fn(&[Tensor]) -> Result<Tensor>,
    composed: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let run = |dtype, f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
        let cast = |a: &Tensor| Var::from_tensor(&a.to_dtype(dtype).unwrap()).unwrap();
        let vars: Vec<Var> = arguments.iter().map(cast).collect();
        let tracked: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let y = f(&tracked).unwrap();
        let weights = random(99, y.dims(), 1.0).to_dtype(dtype).unwrap();
        let store = (&y * weights)
            .unwrap()
            .sum_all()
            .unwrap()
            .backward()
            .unwrap();
        let gradients = vars.iter().map(|v| store.get(v).unwrap().clone());
        [y].into_iter().chain(gradients).collect::<Vec<Tensor>>()
    };
    // Both start from the same numbers: those that f32 can hold.
    let (fast, composed) = (run(DType::F32, &fast), run(DType::F64, &composed));
    for (fast, composed) in fast.iter().zip(&composed) {
        close(fast, composed);
    }
}

fn f32_random(seed: u64, shape: &[usize], spread: f64) -> Tensor {
    random(seed, shape, spread).to_dtype(DType::F32).unwrap()
}

#[test]
fn the_gradients_of_kernels_are_those_of_composed_operations() {
    // 13 is no multiple of the eight lanes.
    let x = f32_random(1, &[7, 3, 13], 2.0);
    let (w, b) = (f32_random(2, &[13], 1.0), f32_random(3, &[13], 1.0));
    check_kernel(
        std::slice::from_ref(&x),
        |a| softmax(&a[0]),
        |a| softmax_composed(&a[0]),
    );
    check_kernel(
        &[x.clone(), w.clone(), b],
        |a| layer_norm(&a[0], &a[1], &a[2], 1e-5),
        |a| layer_norm_composed(&a[0], &a[1], &a[2], 1e-5),
    );
    check_kernel(
        &[x.clone(), w],
        |a| rms_norm(&a[0], &a[1], 1e-5),
        |a| rms_norm_composed(&a[0], &a[1], 1e-5),
    );
    for activation in [
        Activation::GeluErf,
        Activation::GeluTanh,
        Activation::Relu,
        Activation::Silu,
        Activation::GeluQuick,
        Activation::ReluSquared,
        Activation::Tanh,
    ] {
        check_kernel(
            std::slice::from_ref(&x),
            |a| activate(&a[0], activation),
            |a| activate_composed(&a[0], activation),
        );
    }
    let (x, angles) = (f32_random(5, &[5, 3, 8], 2.0), f32_random(4, &[5, 4], 3.0));
    let rotated = |f: fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>| {
        let (cos, sin) = (angles.cos().unwrap(), angles.sin().unwrap());
        move |a: &[Tensor]| {
            let cast = |t: &Tensor| t.to_dtype(a[0].dtype()).unwrap();
            f(&a[0], &cast(&cos), &cast(&sin))
        }
    };
    check_kernel(&[x], rotated(rope), rotated(rope_composed));
    let logits = f32_random(6, &[4, 11], 5.0);
    let targets = [3, 0, 10, 3];
    check_kernel(
        &[logits],
        |a| cross_entropy(&a[0], &targets),
        |a| cross_entropy_composed(&a[0], &targets),
    );
}

/// Scores without extras.
fn plain(width: usize, mask: Mask) -> Scoring {
    Scoring {
        scale: (width as f64).powf(-0.5),
        softcap: None,
        mask,
        window: None,
    }
}

/// In one go and in stages, to the last bit, and as composed in f64; with everything that scores can have.
#[test]
fn attention_computes_the_same_whether_or_not_somebody_looks() {
    let lengths = [1usize, 5, 5, 17, 100];
    let texts: Vec<Vec<u32>> = lengths.iter().map(|n| vec![0; *n]).collect();
    let batch = Batch::new(&texts).unwrap();
    let tokens = batch.tokens();
    let bias_of =
        |rows: usize| move |length: usize| Ok(f32_random(7, &[4, rows.min(length), length], 1.0));
    let (one, each) = (bias_of(1), bias_of(usize::MAX));
    let biases: [Option<&dyn Fn(usize) -> Result<Tensor>>; 3] = [None, Some(&one), Some(&each)];
    let mut seed = 0;
    for (mask, kv_heads, window) in [
        (Mask::Bidirectional, 4, None),
        (Mask::Bidirectional, 2, Some(3)),
        (Mask::Causal, 1, None),
        (Mask::Causal, 4, Some(7)),
    ] {
        for bias in biases {
            seed += 1;
            let scoring = Scoring {
                softcap: (seed % 2 == 0).then_some(3.0),
                window,
                ..plain(10, mask)
            };
            let q = f32_random(seed, &[tokens, 4, 10], 2.0);
            let k = f32_random(seed + 100, &[tokens, kv_heads, 10], 2.0);
            let v = f32_random(seed + 200, &[tokens, kv_heads, 10], 2.0);
            let at_once = attention([&q, &k, &v], &batch, scoring, bias);
            let at_once = at_once.unwrap().unwrap();
            let [q64, k64, v64] = [&q, &k, &v].map(|x| x.to_dtype(DType::F64).unwrap());
            let (mut staged, mut composed) = (Vec::new(), Vec::new());
            for group in batch.groups() {
                let texts = &batch.segments()[group.clone()];
                let bias = bias.map(|of| of(texts[0].len()).unwrap());
                let of_group = scores(&q, &k, texts, scoring, bias.as_ref()).unwrap();
                staged.push(mix(&softmax(&of_group).unwrap(), &v, texts).unwrap());
                let of_group = scores(&q64, &k64, texts, scoring, bias.as_ref()).unwrap();
                composed.push(mix(&softmax(&of_group).unwrap(), &v64, texts).unwrap());
            }
            let staged = Tensor::cat(&staged, 0).unwrap();
            let bits = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(bits(&at_once), bits(&staged));
            assert_eq!(
                bits(&at_once),
                bits(&alone(|| {
                    attention([&q, &k, &v], &batch, scoring, bias)
                        .unwrap()
                        .unwrap()
                }))
            );
            close(&at_once, &Tensor::cat(&composed, 0).unwrap());
        }
    }
}

#[test]
fn a_matrix_multiplies_as_its_weight_does_and_passes_gradients() {
    let (w, b) = (f32_random(1, &[37, 50], 1.0), f32_random(2, &[37], 1.0));
    let matrix = Matrix::new(w.clone()).unwrap();
    let f64s = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
    let composed = |a: &[Tensor]| {
        let (w, b) = (w.to_dtype(a[0].dtype())?, b.to_dtype(a[0].dtype())?);
        linear(&a[0], &w, Some(&b))
    };
    let x = f32_random(3, &[21, 50], 1.0);
    close(
        &matrix.apply(&x, Some(&b)).unwrap(),
        &composed(&[f64s(&x)]).unwrap(),
    );
    check_kernel(&[x], |a| matrix.apply(&a[0], Some(&b)), composed);
    // What is trained stays what it was.
    let var = Var::from_tensor(&w).unwrap();
    let matrix = Matrix::new(var.as_tensor().clone()).unwrap();
    let y = matrix
        .apply(&f32_random(3, &[21, 50], 1.0), Some(&b))
        .unwrap();
    assert!(y.sum_all().unwrap().backward().unwrap().get(&var).is_some());
    assert!(matrix.apply(&f32_random(3, &[21, 49], 1.0), None).is_err());
}

#[test]
fn a_gate_is_its_activation_times_what_passes() {
    let (x, y) = (f32_random(1, &[7, 33], 4.0), f32_random(2, &[7, 33], 2.0));
    for activation in [
        Activation::GeluErf,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Tanh,
    ] {
        let [x64, y64] = [&x, &y].map(|x| x.to_dtype(DType::F64).unwrap());
        let composed = (activate_composed(&x64, activation).unwrap() * y64).unwrap();
        close(&gate(&x, &y, activation).unwrap(), &composed);
    }
}

/// One text, head by head: `[tokens, head, width]`, key heads already shared.
fn attention_composed(q: &Tensor, k: &Tensor, v: &Tensor, mask: Mask) -> Result<Tensor> {
    let (length, _, width) = q.dims3()?;
    let heads_first = |x: &Tensor| x.transpose(0, 1)?.contiguous();
    let (q, k, v) = (heads_first(q)?, heads_first(k)?, heads_first(v)?);
    let mut scores = (q.matmul(&k.t()?)? / (width as f64).sqrt())?;
    if mask == Mask::Causal {
        let later = |i: usize| {
            if i % length > i / length {
                f64::NEG_INFINITY
            } else {
                0.0
            }
        };
        let mask: Vec<f64> = (0..length * length).map(later).collect();
        scores = scores.broadcast_add(&Tensor::from_vec(mask, (length, length), &Device::Cpu)?)?;
    }
    Ok(softmax_composed(&scores)?.matmul(&v)?.transpose(0, 1)?)
}

#[test]
fn packed_attention_is_attention_in_each_text_and_so_are_its_gradients() {
    let batch = Batch::new(&[vec![0u32; 1], vec![0; 3], vec![0; 5]]).unwrap();
    let texts = batch.segments();
    for (mask, kv_heads) in [
        (Mask::Causal, 4),
        (Mask::Bidirectional, 4),
        (Mask::Causal, 2),
    ] {
        let q = f32_random(1, &[9, 4, 10], 2.0);
        let (k, v) = (
            f32_random(2, &[9, kv_heads, 10], 2.0),
            f32_random(3, &[9, kv_heads, 10], 2.0),
        );
        check_kernel(
            &[q, k, v],
            |a| Ok(attention([&a[0], &a[1], &a[2]], &batch, plain(10, mask), None)?.unwrap()),
            |a| {
                // Query heads 0 and 1 share key head 0: repeated one by one.
                let of_query: Vec<u32> = (0..4).map(|h| h * kv_heads as u32 / 4).collect();
                let of_query = Tensor::new(of_query, &Device::Cpu)?;
                let mixed = texts.iter().map(|t| {
                    let rows = |x: &Tensor| x.narrow(0, t.start, t.len());
                    let shared = |x: &Tensor| rows(x)?.contiguous()?.index_select(&of_query, 1);
                    attention_composed(&rows(&a[0])?, &shared(&a[1])?, &shared(&a[2])?, mask)
                });
                Ok(Tensor::cat(&mixed.collect::<Result<Vec<_>>>()?, 0)?)
            },
        );
    }
}

#[test]
fn kernels_refuse_shapes_that_do_not_belong_together() {
    let x = f32_random(1, &[4, 2, 6], 1.0);
    let other = f32_random(2, &[4, 2, 5], 1.0);
    let tracked = |x: &Tensor| Var::from_tensor(x).unwrap().as_tensor().clone();
    let refused = |other: &Tensor, tokens: usize| {
        let batch = Batch::new(&[vec![0u32; tokens]]).unwrap();
        let scoring = plain(6, Mask::Causal);
        let fast = attention([&x, other, other], &batch, scoring, None);
        let x = tracked(&x);
        fast.is_err() && attention([&x, other, other], &batch, scoring, None).is_err()
    };
    assert!(refused(&other, 4));
    assert!(refused(&x, 3), "a token of no text");
    assert!(refused(&x, 5), "a text without tokens");
    assert!(rms_norm(&x, &f32_random(3, &[5], 1.0), 1e-5).is_err());
    let angles = f32_random(4, &[4, 2], 1.0);
    assert!(rope(&x, &angles, &angles).is_err());
    let logits = f32_random(5, &[2, 3], 1.0);
    assert!(cross_entropy(&logits, &[0, 3]).is_err(), "no such class");
    assert!(
        cross_entropy(&logits, &[0]).is_err(),
        "a row without a target"
    );
}

/// Rows alike, and one row for all; with the bits of candle's own sums, which a tracked argument still gets.
#[test]
fn sums_are_those_of_candle() {
    let of = |seed, shape: &[usize]| random(seed, shape, 3.0).to_dtype(DType::F32).unwrap();
    let bits = |x: &Tensor| {
        let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>()
    };
    let x = of(1, &[5, 7]);
    for y in [of(2, &[5, 7]), of(3, &[7]), of(4, &[1, 7])] {
        let sum = add(&x, &y).unwrap();
        assert_eq!(bits(&sum), bits(&x.broadcast_add(&y).unwrap()));
        assert_eq!(sum.dims(), [5, 7]);
        let tracked = add(Var::from_tensor(&x).unwrap().as_tensor(), &y).unwrap();
        assert!(tracked.track_op());
        assert_eq!(bits(&tracked), bits(&sum));
    }
    assert!(add(&x, &of(5, &[5])).is_err());
}
