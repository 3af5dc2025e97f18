//! Weight files other than safetensors: the same numbers, or one sentence.

use crate::support::{plumb_refuses, python, relative_error, reviews, tiny_model};
use plumb::error::Error;
use plumb::model::{Checkpoint, ModelSource, load};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A folder with `pytorch_model.bin` as its only weights.
fn folder_with(bytes: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pytorch_model.bin"), bytes).unwrap();
    folder
}

fn values(checkpoint: &mut Checkpoint, name: &str) -> (Vec<usize>, Vec<f32>) {
    let tensor = checkpoint.read(name).unwrap();
    let values = tensor.flatten_all().unwrap().to_vec1().unwrap();
    (tensor.dims().to_vec(), values)
}

fn refusal(opened: Result<Checkpoint, Error>) -> String {
    opened.expect_err("it must be refused").to_string()
}

#[test]
fn torch_tensors_of_every_float_type_and_layout_are_read() {
    let mut checkpoint = Checkpoint::open(&ModelSource::folder(fixture())).unwrap();
    let base = |scale: f32| -> Vec<f32> { (0..12).map(|i| i as f32 * scale).collect() };
    assert_eq!(values(&mut checkpoint, "f32"), (vec![3, 4], base(1.0)));
    assert_eq!(values(&mut checkpoint, "f16"), (vec![12], base(0.25)));
    assert_eq!(values(&mut checkpoint, "bf16"), (vec![12], base(0.25)));
    assert_eq!(values(&mut checkpoint, "f64"), (vec![12], base(0.125)));
    assert_eq!(values(&mut checkpoint, "scalar"), (vec![], vec![2.5]));
    let view = (vec![4], vec![5.0, 6.0, 7.0, 8.0]);
    assert_eq!(values(&mut checkpoint, "view"), view);
    let row = (vec![1, 4], vec![2.0, 3.0, 4.0, 5.0]);
    assert_eq!(values(&mut checkpoint, "row"), row);
    // arange(12) in 3 rows of 4, transposed: the columns of that.
    let columns = [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].map(|i| i as f32);
    let transposed = (vec![4, 3], columns.to_vec());
    assert_eq!(values(&mut checkpoint, "transposed"), transposed);
}

#[test]
fn torch_tensors_that_are_no_plain_floats_are_refused_by_name_when_asked_for() {
    let mut checkpoint = Checkpoint::open(&ModelSource::folder(fixture())).unwrap();
    assert!(!checkpoint.has("version"), "a number is no tensor");
    for (name, problem) in [
        ("mask", "dtype bool"),
        ("ids", "dtype long"),
        ("stepped", "not contiguous"),
        ("broadcast", "not contiguous"),
        ("damaged", "element 1: the value is not finite"),
    ] {
        let error = checkpoint.read(name).unwrap_err().to_string();
        assert!(error.contains(&format!("weight `{name}`")), "{error}");
        assert!(error.contains(problem), "{error}");
        assert!(error.contains("pytorch_model.bin"), "{error}");
    }
}

/// The fixture with `change` made to the record of one entry in the ZIP directory.
fn with_record_changed(entry: &str, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = fs::read(fixture().join("pytorch_model.bin")).unwrap();
    let is_record = |at: &usize| {
        bytes[*at..].starts_with(b"PK\x01\x02") && bytes[at + 46..].starts_with(entry.as_bytes())
    };
    let at = (0..bytes.len() - 46 - entry.len()).find(is_record).unwrap();
    change(&mut bytes[at..]);
    bytes
}

#[test]
fn a_zip_that_could_inflate_or_claims_what_it_has_not_is_refused() {
    let open = |bytes: &[u8]| Checkpoint::open(&ModelSource::folder(folder_with(bytes).path()));
    let entry = "pytorch_model/data/0";
    let compressed = with_record_changed(entry, |record| record[10] = 8);
    assert!(refusal(open(&compressed)).contains("is compressed"));
    let bomb = with_record_changed(entry, |record| record[24..28].fill(0xf0));
    assert!(refusal(open(&bomb)).contains("is compressed"));
    let beyond = with_record_changed(entry, |record| {
        record[20..24].fill(0x70);
        record[24..28].fill(0x70);
    });
    assert!(refusal(open(&beyond)).contains("does not lie within the file"));
    let small = with_record_changed(entry, |record| {
        record[20] -= 4;
        record[24] -= 4;
    });
    let error = refusal(open(&small));
    assert!(error.contains("`f32` claims other sizes"), "{error}");
    let whole = fs::read(fixture().join("pytorch_model.bin")).unwrap();
    let cut = refusal(open(&whole[..whole.len() / 2]));
    assert!(cut.contains("truncated"), "{cut}");
    let old = refusal(open(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."));
    assert!(old.contains("before 1.6"), "{old}");
}

#[test]
fn a_pickle_that_calls_something_is_refused_and_nothing_is_called() {
    let whole = fs::read(fixture().join("pytorch_model.bin")).unwrap();
    let call = b"ctorch._utils\n_rebuild_tensor_v2\n";
    let evil = format!("cos\n{:_<28}\n", "system");
    let at = whole.windows(call.len()).position(|w| w == call).unwrap();
    let mut bytes = whole.clone();
    bytes[at..at + call.len()].copy_from_slice(evil.as_bytes());
    let folder = folder_with(&bytes);
    let error = refusal(Checkpoint::open(&ModelSource::folder(folder.path())));
    assert!(error.contains("is not a tensor"), "{error}");
}

#[test]
fn an_index_that_leaves_the_folder_or_points_at_itself_is_refused() {
    let folder = folder_with(b"");
    fs::remove_file(folder.path().join("pytorch_model.bin")).unwrap();
    fs::copy(
        fixture().join("pytorch_model.bin"),
        folder.path().join("a.bin"),
    )
    .unwrap();
    let open = |shard: &str| {
        let index = serde_json::json!({"weight_map": {"f32": shard}}).to_string();
        fs::write(folder.path().join("pytorch_model.bin.index.json"), index).unwrap();
        Checkpoint::open(&ModelSource::folder(folder.path()))
    };
    let mut checkpoint = open("a.bin").unwrap();
    assert_eq!(values(&mut checkpoint, "f32").0, [3, 4]);
    for outside in [
        "../a.bin",
        "/etc/a.bin",
        "a/../a.bin",
        "pytorch_model.bin.index.json",
        "",
    ] {
        assert!(refusal(open(outside)).contains("is not a bin file of this folder"));
    }
}

#[test]
fn a_folder_without_weights_says_what_is_looked_for_and_what_is_there() {
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path().join("llama");
    tiny_model(&folder, "llama");
    fs::write(desk.path().join("reviews.csv"), reviews()).unwrap();
    fs::rename(folder.join("model.safetensors"), folder.join("tf_model.h5")).unwrap();
    let error = plumb_refuses(
        desk.path(),
        "extract --model llama --data reviews.csv --out run",
    );
    for named in [
        "model.safetensors",
        "pytorch_model.bin",
        "it holds config.json, tf_model.h5",
    ] {
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn a_model_saved_by_torch_is_the_model_in_safetensors() {
    let Some(python) = python(&["torch", "safetensors"]) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let folder = desk.path().join("llama");
    tiny_model(&folder, "llama");
    let script = "import json, torch\nfrom safetensors.torch import load_file\n\
        t = load_file('model.safetensors')\nnames = sorted(t)\nparts = [names[::2], names[1::2]]\n\
        for i, part in enumerate(parts): torch.save({n: t[n] for n in part}, f'part-{i}.bin')\n\
        index = {n: f'part-{i}.bin' for i, part in enumerate(parts) for n in part}\n\
        json.dump({'weight_map': index}, open('pytorch_model.bin.index.json', 'w'))\n";
    let before = load(&ModelSource::folder(&folder)).unwrap();
    let made = Command::new(python)
        .args(["-c", script])
        .current_dir(&folder)
        .status();
    assert!(made.unwrap().success());
    fs::remove_file(folder.join("model.safetensors")).unwrap();
    let after = load(&ModelSource::folder(&folder)).unwrap();
    let difference = relative_error(after.model.embedding(), before.model.embedding());
    assert_eq!(difference, 0.0);
    assert_ne!(after.weights_sha256, before.weights_sha256);
}
