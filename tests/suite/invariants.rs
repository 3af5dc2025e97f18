//! What must hold for every architecture, whatever its weights: tried on tiny random ones.

use crate::support::relative_error;
use candle_core::{D, Device, Tensor};
use plumb::hook::{Depth, HookPoint, HookSet, NoHook, Patch, Recorder, Site, Stack, Tap};
use plumb::model::{
    ArchSpec, FAMILIES, Mask, Model, Output, Placement, RandomWeights, Residual, Transformer,
    read_spec,
};
use plumb::text::batch::Batch;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::path::Path;

/// The architectures of the goldens, with random weights.
pub(crate) fn models() -> Vec<(String, Transformer)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path());
    let mut folders: Vec<_> = entries
        .filter(|p| p.join("config.json").is_file())
        .collect();
    folders.sort();
    folders
        .into_iter()
        .map(|folder| {
            let (spec, _) =
                read_spec(&folder.join("config.json"), &|n| n.contains("pooler")).unwrap();
            let model = Transformer::build(spec, &mut RandomWeights::new(7)).unwrap();
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            (name, model)
        })
        .collect()
}

/// The model of one golden.
fn model(golden: &str) -> Transformer {
    let named = |(name, model)| (name == golden).then_some(model);
    models().into_iter().find_map(named).unwrap()
}

#[test]
fn every_family_is_here() {
    let here: BTreeSet<String> = models()
        .into_iter()
        .map(|(_, m)| m.spec().family.clone())
        .collect();
    let missing: Vec<&str> = FAMILIES
        .iter()
        .map(|f| f.name)
        .filter(|n| !here.contains(*n))
        .collect();
    assert!(missing.is_empty(), "no golden of {missing:?}");
}

/// Random texts that a model can read.
pub(crate) fn texts(model: &Transformer, count: usize, longest: usize, seed: u64) -> Vec<Vec<u32>> {
    let (vocab, context) = (model.spec().vocab as u32, model.spec().context);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let length = rng.random_range(1..=longest.min(context));
            (0..length).map(|_| rng.random_range(3..vocab)).collect()
        })
        .collect()
}

pub(crate) fn everything(spec: &ArchSpec) -> HookSet {
    HookSet::new(spec.points())
}

pub(crate) fn record(model: &Transformer, batch: &Batch, set: HookSet) -> Recorder {
    let mut recorder = Recorder::new(set);
    let mut whole = NoHook;
    let mut stack = Stack(vec![&mut recorder, &mut whole]);
    model.forward(batch, &mut stack).unwrap();
    recorder
}

/// The end of a forward pass: logits, or hidden states where there is no head.
fn end(output: Option<Output>) -> Tensor {
    let output = output.unwrap();
    output.logits.unwrap_or(output.last)
}

fn bits(x: &Tensor) -> Vec<u32> {
    let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

fn block(layer: usize, site: Site) -> HookPoint {
    HookPoint::block(layer, site).unwrap()
}

#[test]
fn the_residual_stream_adds_up() {
    for (name, model) in models() {
        let batch = Batch::new(&texts(&model, 5, 12, 1)).unwrap();
        let r = record(&model, &batch, everything(model.spec()));
        let get = |l, s| r.get(block(l, s)).unwrap();
        for layer in 0..model.spec().n_layers {
            if layer > 0 {
                assert_eq!(
                    bits(get(layer, Site::ResidPre)),
                    bits(get(layer - 1, Site::ResidPost)),
                    "{name}: what block {layer} reads is what the one before left"
                );
            }
            // Elsewhere the stream itself is normalised.
            let adds = !matches!(
                model.spec().placement,
                Placement::Post | Placement::PreNormedStream
            );
            if adds {
                let mid = (get(layer, Site::ResidPre) + get(layer, Site::AttnOut)).unwrap();
                if model.spec().residual == Residual::Serial {
                    assert_eq!(bits(&mid), bits(get(layer, Site::ResidMid)), "{name}");
                }
                let post = (mid + get(layer, Site::MlpOut)).unwrap();
                assert_eq!(bits(&post), bits(get(layer, Site::ResidPost)), "{name}");
            }
        }
    }
}

#[test]
fn patterns_are_probabilities_and_see_only_what_they_may() {
    for (name, model) in models() {
        let batch = Batch::new(&texts(&model, 5, 12, 2)).unwrap();
        let r = record(&model, &batch, everything(model.spec()));
        for layer in 0..model.spec().n_layers {
            for call in r.calls(block(layer, Site::AttnPattern)).unwrap() {
                let sums = call.tensor.sum(D::Minus1).unwrap().flatten_all().unwrap();
                for sum in sums.to_vec1::<f32>().unwrap() {
                    assert!((sum - 1.0).abs() < 1e-5, "{name}: a row sums to {sum}");
                }
                let (texts, heads, n, keys) = call.tensor.dims4().unwrap();
                assert_eq!((texts, n), (call.segments.len(), keys));
                assert_eq!(heads, model.spec().n_heads);
                let flat = call.tensor.reshape((texts * heads, n, n)).unwrap();
                for rows in flat.to_vec3::<f32>().unwrap() {
                    for (query, row) in rows.iter().enumerate() {
                        for (key, p) in row.iter().enumerate() {
                            let window = model.spec().layers[layer].window;
                            let hidden = model.spec().mask == Mask::Causal && key > query
                                || window.is_some_and(|w| query.abs_diff(key) >= w);
                            assert_eq!(*p == 0.0, hidden, "{name}: {query} looks at {key} by {p}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_text_gives_the_same_numbers_alone_and_in_company() {
    for (name, model) in models() {
        let texts = texts(&model, 64, 40, 3);
        let batch = Batch::new(&texts).unwrap();
        let all = record(&model, &batch, everything(model.spec()));
        for (i, rows) in batch
            .rows_in_given_order()
            .into_iter()
            .enumerate()
            .step_by(9)
        {
            let alone = Batch::new(&texts[i..=i]).unwrap();
            let single = record(&model, &alone, everything(model.spec()));
            for point in model.spec().points() {
                if !point.site().is_per_token() || point.site() == Site::Logits {
                    continue;
                }
                let packed = all.get(point).unwrap();
                let packed = packed.narrow(0, rows.start, rows.len()).unwrap();
                let error = relative_error(&packed, single.get(point).unwrap());
                // Products of another number of rows are rounded in another order; four blocks with one set of weights add it up.
                assert!(error <= 2e-6, "{name}, text {i}, {point}: {error:.1e}");
            }
        }
    }
}

#[test]
fn hooks_that_only_look_change_nothing() {
    for (name, model) in models() {
        let batch = Batch::new(&texts(&model, 6, 12, 4)).unwrap();
        let off = model.forward(&batch, &mut NoHook).unwrap();
        let mut recorder = Recorder::new(everything(model.spec()));
        let mut whole = NoHook;
        let mut stack = Stack(vec![&mut recorder, &mut whole]);
        let on = model.forward(&batch, &mut stack).unwrap();
        let last = |o: &Option<Output>| bits(&o.as_ref().unwrap().last);
        assert_eq!(last(&off), last(&on), "{name}");
        assert_eq!(bits(&end(off)), bits(&end(on)), "{name}");
    }
}

#[test]
fn every_hook_point_is_met_once_in_the_documented_shape() {
    for (name, model) in models() {
        let batch = Batch::new(&texts(&model, 6, 12, 4)).unwrap();
        let r = record(&model, &batch, everything(model.spec()));
        for point in model.spec().points() {
            let calls = r.calls(point).unwrap();
            let rows = match point.site() {
                Site::AttnScores | Site::AttnPattern => {
                    assert_eq!(calls.len(), batch.groups().len(), "{name} {point}");
                    continue;
                }
                Site::Logits if model.spec().classifies_texts() => batch.segments().len(),
                _ => batch.tokens(),
            };
            assert_eq!(calls.len(), 1, "{name} {point}");
            let mut shape = vec![rows];
            shape.extend(model.spec().row_shape(point.site()).unwrap());
            assert_eq!(calls[0].tensor.dims(), shape, "{name} {point}");
        }
    }
}

#[test]
fn stopping_early_changes_nothing_before_the_stop() {
    for (name, model) in models() {
        let batch = Batch::new(&texts(&model, 4, 9, 5)).unwrap();
        let full = record(&model, &batch, everything(model.spec()));
        for point in model.spec().points() {
            if !point.site().is_per_token() {
                continue;
            }
            let mut recorder = Recorder::new(HookSet::new([point]));
            let output = model.forward(&batch, &mut recorder).unwrap();
            let reaches_head = point.depth() >= Depth::FinalNorm;
            assert_eq!(output.is_some(), reaches_head, "{name} {point}");
            assert_eq!(
                bits(recorder.get(point).unwrap()),
                bits(full.get(point).unwrap()),
                "{name} {point}"
            );
        }
    }
}

#[test]
fn patching_a_point_with_its_own_value_is_the_identity_and_another_value_is_not() {
    for (name, model) in models() {
        let batch = Batch::new(&texts(&model, 4, 9, 6)).unwrap();
        let plain = record(&model, &batch, everything(model.spec()));
        let whole = end(model.forward(&batch, &mut NoHook).unwrap());
        for point in model.spec().points() {
            if !point.site().is_per_token() {
                continue;
            }
            let own = plain.get(point).unwrap().clone();
            let run = |value: Tensor| {
                let mut patch = Patch::new(point, value);
                let mut whole = NoHook;
                let mut stack = Stack(vec![&mut patch, &mut whole]);
                end(model.forward(&batch, &mut stack).unwrap())
            };
            assert_eq!(bits(&whole), bits(&run(own.clone())), "{name} {point}");
            let other = (own + 1.5).unwrap();
            assert_ne!(bits(&whole), bits(&run(other)), "{name} {point}");
        }
    }
}

#[test]
fn a_patch_of_another_shape_is_refused() {
    let model = model("llama");
    let batch = Batch::new(&[[5u32, 6, 7]]).unwrap();
    let value = Tensor::zeros((2, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
    let mut patch = Patch::new(block(1, Site::ResidPost), value);
    let error = model.forward(&batch, &mut patch).unwrap_err().to_string();
    assert_eq!(
        error,
        "hook point `blocks.1.resid_post` has shape [3, 32], but the tensor has shape [2, 32]"
    );
}

/// The gradient at every site, tapped, against central differences along a random direction.
#[test]
fn gradients_at_every_site_are_those_of_central_differences() {
    for (name, model) in models() {
        let batch = Batch::new(&[vec![5u32, 9, 11, 20], vec![7, 8, 15, 12]]).unwrap();
        let plain = record(&model, &batch, everything(model.spec()));
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let mut random = |like: &Tensor| {
            let values: Vec<f32> = (0..like.elem_count())
                .map(|_| rng.random_range(-1.0..1.0))
                .collect();
            Tensor::from_vec(values, like.shape(), &Device::Cpu).unwrap()
        };
        let weights = random(&end(model.forward(&batch, &mut NoHook).unwrap()));
        let loss = |hook: &mut dyn plumb::hook::Hook| {
            let mut whole = NoHook;
            let mut stack = Stack(vec![hook, &mut whole]);
            let end = end(model.forward(&batch, &mut stack).unwrap());
            (end * &weights).unwrap().sum_all().unwrap()
        };
        for point in model.spec().points() {
            // Masked scores are -inf: there is no difference to take around them.
            let layer = point.layer().map(|l| model.spec().layers[l]);
            let masked =
                model.spec().mask == Mask::Causal || layer.is_some_and(|l| l.window.is_some());
            if point.site() == Site::AttnScores && masked {
                continue;
            }
            let value = &plain.calls(point).unwrap()[0].tensor;
            let direction = random(value);
            let shifted = |step: f64| {
                let value = (value + (&direction * step).unwrap()).unwrap();
                let loss = loss(&mut Patch::new(point, value));
                f64::from(loss.to_scalar::<f32>().unwrap())
            };
            let slope = |step: f64| (shifted(step) - shifted(-step)) / (2.0 * step);
            // Richardson's extrapolation: the loss curves where embeddings are small before a norm.
            let difference = (4.0 * slope(1e-3) - slope(2e-3)) / 3.0;
            let mut tap = Tap::new(point);
            let store = loss(&mut tap).backward().unwrap();
            let gradient = tap.gradients(&store).unwrap().remove(0);
            let along = (gradient * &direction).unwrap().sum_all().unwrap();
            let along = f64::from(along.to_scalar::<f32>().unwrap());
            assert!(
                (difference - along).abs() <= 1e-2 * (1.0 + difference.abs()),
                "{name} {point}: {along} against {difference}"
            );
        }
    }
}

#[test]
fn a_token_outside_the_vocabulary_and_a_text_beyond_the_context_are_refused() {
    let model = model("bert");
    let refused = |texts: &[Vec<u32>]| {
        let batch = Batch::new(texts).unwrap();
        let error = model.forward(&batch, &mut NoHook).unwrap_err();
        error.to_string()
    };
    assert!(refused(&[vec![1; 5], vec![1, 96]]).starts_with("row 1: token id 96 is outside"));
    assert!(refused(&[vec![1; 3], vec![1; 65]]).starts_with("row 1: 65 tokens"));
}
