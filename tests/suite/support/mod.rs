//! What several tests need: data that is not in the project, and comparisons.

pub(crate) mod browser;
pub(crate) mod document;

use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of reference data that is not part of the project (`PLUMB_SHARED`), or `None` with one clear line.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("PLUMB_SHARED").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match folder.map(|f| root.join(f)).filter(|f| f.is_dir()) {
        Some(folder) => Some(folder),
        None => {
            eprintln!("skipped: needs reference data; set PLUMB_SHARED to its folder");
            None
        }
    }
}

/// A folder that holds all-MiniLM-L6-v2, or `None` with one clear line.
pub(crate) fn minilm() -> Option<PathBuf> {
    let output = Command::new("bash")
        .arg(shared()?.join("bin/minilm"))
        .output();
    match output {
        Ok(output) if output.status.success() => Some(PathBuf::from(
            String::from_utf8(output.stdout).unwrap().trim(),
        )),
        _ => {
            eprintln!("skipped: needs all-MiniLM-L6-v2, which could not be fetched");
            None
        }
    }
}

/// The tensors of a safetensors file.
pub(crate) fn tensors(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

/// max|ours - theirs| / max|theirs|; infinite if the shapes differ.
pub(crate) fn relative_error(ours: &Tensor, theirs: &Tensor) -> f64 {
    if ours.dims() != theirs.dims() {
        return f64::INFINITY;
    }
    let max = |t: &Tensor| {
        let t = t.abs().unwrap().flatten_all().unwrap();
        let t = t.to_dtype(DType::F64).unwrap().max(0).unwrap();
        t.to_scalar::<f64>().unwrap()
    };
    max(&(ours - theirs).unwrap()) / max(theirs)
}

/// The words of the tiny models' vocabulary; every other word is `[UNK]`.
pub(crate) const WORDS: &[&str] = &[
    "the", "a", "film", "book", "was", "is", "good", "bad", "great", "awful", "very", "not", ".",
    "day", "night", "red", "blue", "green", "one", "two",
];

/// A tokenizer of whole words that adds `[CLS]` and `[SEP]`, or `<s>` alone.
fn word_tokenizer(decoder: bool) -> serde_json::Value {
    let mut vocab = serde_json::Map::new();
    for (i, word) in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<s>"]
        .iter()
        .chain(WORDS)
        .enumerate()
    {
        vocab.insert((*word).to_owned(), i.into());
    }
    let special = |name: &str| serde_json::json!({"SpecialToken": {"id": name, "type_id": 0}});
    let text = serde_json::json!({"Sequence": {"id": "A", "type_id": 0}});
    let single = match decoder {
        true => vec![special("<s>"), text],
        false => vec![special("[CLS]"), text, special("[SEP]")],
    };
    let entry =
        |name: &str| serde_json::json!({"id": name, "ids": [vocab[name]], "tokens": [name]});
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": {"type": "Lowercase"},
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "TemplateProcessing", "single": single, "pair": single,
            "special_tokens": {"[CLS]": entry("[CLS]"), "[SEP]": entry("[SEP]"), "<s>": entry("<s>")}},
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]"},
    })
}

/// Writes a model folder: the architecture of a golden with random weights, and a tokenizer of words.
pub(crate) fn tiny_model(folder: &Path, golden: &str) {
    use plumb::model::{RandomWeights, Recorded, Transformer, read_spec, write_checkpoint};
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::fs::create_dir_all(folder).unwrap();
    let config = folder.join("config.json");
    std::fs::copy(root.join(golden).join("config.json"), &config).unwrap();
    let (spec, map) = read_spec(&config, &|name| !name.contains("pooler")).unwrap();
    let mut weights = Recorded::new(RandomWeights::new(3));
    let decoder = spec.final_norm;
    Transformer::build(spec, &mut weights).unwrap();
    // A tied head is the embedding; a checkpoint of transformers does not hold it twice.
    write_checkpoint(folder, &weights.taken, &map, DType::F32).unwrap();
    let tokenizer = serde_json::to_string(&word_tokenizer(decoder)).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
}

/// The `plumb` binary with arguments, run in `folder`.
pub(crate) fn plumb(folder: &Path, arguments: &str) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        // A mistyped folder can look like a name on the hub; no test but those of the hub asks for one.
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap()
}

/// Runs it, insists on success and returns standard output.
pub(crate) fn plumb_ok(folder: &Path, arguments: &str) -> String {
    let output = plumb(folder, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "plumb {arguments}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it, insists on one clear sentence and exit code 1 or 2, and returns the sentence.
pub(crate) fn plumb_refuses(folder: &Path, arguments: &str) -> String {
    let output = plumb(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        matches!(output.status.code(), Some(1 | 2)),
        "plumb {arguments}: {:?} {stderr}",
        output.status
    );
    assert_eq!(stderr.lines().count(), 1, "one sentence: {stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(output.stdout.is_empty(), "no result beside an error");
    stderr
}

/// 48 short reviews whose label is in the words, with a group, a number and a split.
pub(crate) fn reviews() -> String {
    let mut rows = String::from("text,label,author,stars,split\n");
    for i in 0..48 {
        let noun = ["film", "book", "day", "night"][i % 4];
        let color = ["red", "blue", "green"][i % 3];
        let (word, label) = match (i / 2) % 2 {
            0 => (["good", "great"][i / 4 % 2], "positive"),
            _ => (["bad", "awful"][i / 4 % 2], "negative"),
        };
        let split = if i % 12 < 8 { "train" } else { "test" };
        let stars = (i * 7 % 11) as f64 / 2.0;
        rows += &format!(
            "The {color} {noun} was very {word} .,{label},author {},{stars},{split}\n",
            i / 6
        );
    }
    rows
}

/// A Python that has these packages (`PLUMB_PYTHON`, or `python3`), or `None` with one clear line.
pub(crate) fn python(packages: &[&str]) -> Option<PathBuf> {
    let python = std::env::var_os("PLUMB_PYTHON").map_or("python3".into(), PathBuf::from);
    let imports = format!("import {}", packages.join(", "));
    let found = Command::new(&python).arg("-c").arg(&imports).output();
    match found.is_ok_and(|o| o.status.success()) {
        true => Some(python),
        false => {
            eprintln!(
                "skipped: needs Python with {} (tests/peers/requirements.txt); PLUMB_PYTHON names one",
                packages.join(", ")
            );
            None
        }
    }
}

/// A folder with a BERT, a Llama and the reviews in it.
pub(crate) fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    tiny_model(&desk.path().join("bert"), "bert");
    tiny_model(&desk.path().join("llama"), "llama");
    std::fs::write(desk.path().join("reviews.csv"), reviews()).unwrap();
    desk
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap())
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                std::fs::read(e.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}
