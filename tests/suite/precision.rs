//! Computing in 16 bits: as near to the exact numbers as torch comes, and said in the manifest.

use crate::support::{
    desk, json, plumb_ok, plumb_refuses, python, relative_error, tensors, tiny_model,
};
use candle_core::{DType, Device, Tensor};
use plumb::hook::{HookSet, Recorder};
use plumb::model::{Model, ModelSource, Precision, load_in};
use plumb::text::batch::Batch;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const IDS: [u32; 8] = [2, 7, 1, 8, 2, 8, 1, 9];

/// The golden models that are read, each of another architecture (tests/suite/golden.rs is about which are).
fn goldens() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    folders
        .filter(|folder| folder.join("model.safetensors").is_file())
        .filter(|folder| load_in(&ModelSource::folder(folder), Precision::F32).is_ok())
        .collect()
}

/// What passes every hook point with a row a token, in f32, by name.
fn states(folder: &Path, precision: Precision) -> BTreeMap<String, Tensor> {
    let loaded = load_in(&ModelSource::folder(folder), precision).unwrap();
    let points = HookSet::new(loaded.model.spec().default_points());
    let mut recorder = Recorder::new(points.clone());
    let batch = Batch::new(&[&IDS[..], &IDS[..3]]).unwrap();
    loaded.model.forward(&batch, &mut recorder).unwrap();
    let rows = batch.rows_in_given_order()[0].clone();
    let of = |point| {
        let tensor = recorder.get(point).unwrap();
        assert_eq!(tensor.dtype(), precision.dtype(), "{point}");
        let text = tensor.narrow(0, rows.start, rows.len()).unwrap();
        text.to_dtype(DType::F32).unwrap()
    };
    points
        .points()
        .iter()
        .map(|p| (p.to_string(), of(*p)))
        .collect()
}

fn largest_error(ours: &BTreeMap<String, Tensor>, theirs: &BTreeMap<String, Tensor>) -> f64 {
    let errors = ours
        .iter()
        .map(|(name, t)| relative_error(t, &theirs[name]));
    errors.fold(0.0, f64::max)
}

#[test]
fn sixteen_bits_lose_digits_and_no_more() {
    for folder in goldens() {
        let exact = states(&folder, Precision::F32);
        for (precision, low, high) in [(Precision::Bf16, 1e-3, 0.15), (Precision::F16, 1e-4, 0.02)]
        {
            let error = largest_error(&states(&folder, precision), &exact);
            println!("{} {precision}: {error:.1e}", folder.display());
            assert!(
                (low..high).contains(&error),
                "{folder:?} {precision}: {error:.1e}"
            );
        }
    }
}

/// transformers' hidden states, for folders and dtypes in turn; one process, because importing it takes long.
const TORCH: &str = "import sys, torch\nfrom safetensors.torch import save_file\n\
    from transformers import AutoModel\n\
    for out, folder, dtype in zip(*[iter(sys.argv[1:])] * 3):\n\
    \u{20}   model = AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()\n\
    \u{20}   states = model(torch.tensor([[2, 7, 1, 8, 2, 8, 1, 9]]), output_hidden_states=True).hidden_states\n\
    \u{20}   save_file({str(i): s[0].float().contiguous() for i, s in enumerate(states)}, out)\n";

#[test]
fn sixteen_bits_are_as_near_as_in_torch() {
    let Some(python) = python(&["torch", "transformers", "safetensors"]) else {
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let precisions = [
        (Precision::Bf16, "bfloat16", 8e-3),
        (Precision::F16, "float16", 1e-3),
    ];
    let cases = ["bert", "llama"].map(|golden| precisions.map(|p| (root.join(golden), p)));
    let out = tempfile::tempdir().unwrap();
    let file = |i: usize| out.path().join(format!("{i}.safetensors"));
    let mut command = Command::new(&python);
    command.args(["-c", TORCH]);
    for (i, (folder, (_, dtype, _))) in cases.iter().flatten().enumerate() {
        command.args([&file(i), folder, Path::new(dtype)]);
    }
    let ran = command.output().unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    for (i, (folder, (precision, _, digit))) in cases.iter().flatten().enumerate() {
        let theirs = tensors(&file(i));
        let (ours, exact) = (states(folder, *precision), states(folder, Precision::F32));
        let spec = load_in(&ModelSource::folder(folder), *precision).unwrap();
        let spec = spec.model.spec().clone();
        let mut points = spec.default_points();
        if spec.final_norm {
            // The last of transformers' states is after the final norm.
            points.remove(spec.n_layers);
        }
        for (i, point) in points.iter().map(ToString::to_string).enumerate() {
            let theirs = &theirs[&i.to_string()];
            let rounding = relative_error(theirs, &exact[&point]);
            let distance = relative_error(&ours[&point], theirs);
            println!("{precision} {point}: {distance:.1e} from torch, which is {rounding:.1e} off");
            assert!(
                distance < 2.0 * rounding + digit,
                "{folder:?} {precision} {point}"
            );
        }
    }
}

#[test]
fn the_manifest_has_the_precision_and_a_run_keeps_it() {
    let desk = desk();
    let desk = desk.path();
    let run = |precision: &str| -> serde_json::Value {
        let command = format!(
            "extract --model llama --data reviews.csv --pool mean --precision {precision} --out {precision} --json"
        );
        json(&plumb_ok(desk, &command))
    };
    let (exact, rounded) = (run("f32"), run("bf16"));
    assert_eq!(exact["plan"]["precision"], "f32");
    assert_eq!(rounded["plan"]["precision"], "bf16");
    assert_ne!(exact["shards"], rounded["shards"]);
    let again = "extract --model llama --data reviews.csv --pool mean --out bf16 --resume";
    assert!(plumb_refuses(desk, again).contains("precision"));
}

#[test]
fn a_weight_that_sixteen_bits_do_not_hold_is_refused_by_name() {
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path().join("llama");
    tiny_model(&folder, "llama");
    let file = folder.join("model.safetensors");
    let mut all = tensors(&file);
    let norm = all.get_mut("model.norm.weight").unwrap();
    *norm = Tensor::full(1e5_f32, norm.dims(), &Device::Cpu).unwrap();
    candle_core::safetensors::save(&all, &file).unwrap();
    let source = ModelSource::folder(&folder);
    let error = load_in(&source, Precision::F16).unwrap_err().to_string();
    assert!(
        error.contains("final_norm.weight") && error.contains("65504"),
        "{error}"
    );
    assert!(load_in(&source, Precision::Bf16).is_ok());
}
