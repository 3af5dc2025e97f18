//! Readers of foreign bytes: whatever is flipped, cut or put in, they answer with a value or an error, never a panic.

use crate::support::{plumb_ok, reviews, tiny_model};
use plumb::model::{Checkpoint, ModelSource, load};
use plumb::store::Run;
use plumb::text::dataset::Dataset;
use plumb::text::tokens::Tokenizer;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// One way to damage a file.
#[derive(Debug, Clone)]
enum Damage {
    Cut(f64),
    Flip(Vec<(f64, u8)>),
    Insert(f64, Vec<u8>),
    Digits(f64, u64),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        (0.0..1.0f64).prop_map(Damage::Cut),
        prop::collection::vec((0.0..1.0f64, any::<u8>()), 1..6).prop_map(Damage::Flip),
        (0.0..1.0f64, prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (0.0..1.0f64, any::<u64>()).prop_map(|(at, n)| Damage::Digits(at, n)),
    ]
}

impl Damage {
    /// Damages the first `reach` bytes (headers are where readers go wrong) of a file's content.
    fn apply(&self, bytes: &[u8], reach: usize) -> Vec<u8> {
        let reach = reach.min(bytes.len());
        let place = |at: f64| ((at * reach as f64) as usize).min(reach.saturating_sub(1));
        let mut bytes = bytes.to_vec();
        match self {
            Damage::Cut(at) => bytes.truncate((at * bytes.len() as f64) as usize),
            Damage::Flip(flips) => {
                for (at, byte) in flips {
                    bytes[place(*at)] = *byte;
                }
            }
            Damage::Insert(at, new) => {
                let at = place(*at);
                bytes.splice(at..at, new.iter().copied());
            }
            // Another number where one stands, which is how sizes lie.
            Damage::Digits(at, n) => {
                let from = place(*at);
                let start = (from..reach).find(|i| bytes[*i].is_ascii_digit());
                if let Some(start) = start {
                    let digits = bytes[start..].iter().take_while(|b| b.is_ascii_digit());
                    let end = start + digits.count();
                    bytes.splice(start..end, n.to_string().into_bytes());
                }
            }
        }
        bytes
    }
}

/// A file that is damaged, again and again, beside others that are whole.
fn attack(file: &Path, reach: usize, cases: u32, read: impl Fn()) {
    let whole = fs::read(file).unwrap();
    // The same cases each time, so that a red run is about the change at hand; PLUMB_FUZZ_CASES tries so many others.
    let wanted = std::env::var("PLUMB_FUZZ_CASES").ok();
    let wanted: Option<u32> = wanted.and_then(|n| n.parse().ok());
    let config = ProptestConfig {
        cases: wanted.unwrap_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = match wanted {
        Some(_) => TestRunner::new(config),
        None => {
            let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            TestRunner::new_with_rng(config, rng)
        }
    };
    let result = runner.run(&damage(), |damage| {
        fs::write(file, damage.apply(&whole, reach)).unwrap();
        read();
        Ok(())
    });
    fs::write(file, whole).unwrap();
    result.unwrap();
}

fn model() -> TempDir {
    let desk = tempfile::tempdir().unwrap();
    tiny_model(&desk.path().join("llama"), "llama");
    desk
}

#[test]
fn damaged_checkpoints_are_errors() {
    let desk = model();
    let folder = desk.path().join("llama");
    let source = ModelSource::folder(&folder);
    attack(&folder.join("model.safetensors"), 3000, 300, || {
        let _ = load(&source);
    });
    attack(&folder.join("config.json"), usize::MAX, 300, || {
        // A larger model than the weights hold must be refused before memory is taken for it.
        let _ = load(&source);
    });
    assert!(load(&source).is_ok(), "the whole files load");
    let index = folder.join("model.safetensors.index.json");
    fs::rename(
        folder.join("model.safetensors"),
        folder.join("a.safetensors"),
    )
    .unwrap();
    let text =
        r#"{"metadata": {"total_size": 1}, "weight_map": {"model.norm.weight": "a.safetensors"}}"#;
    fs::write(&index, text).unwrap();
    attack(&index, usize::MAX, 200, || {
        let _ = load(&source);
    });
    assert!(load(&source).is_ok());
}

#[test]
fn damaged_torch_checkpoints_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pytorch_model.bin");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(root.join("tests/fixtures/pytorch_model.bin"), &file).unwrap();
    let source = ModelSource::folder(folder.path());
    let read = || {
        let checkpoint = Checkpoint::open(&source);
        checkpoint.map(|mut c| ["f32", "bf16", "view", "transposed"].map(|n| c.read(n).is_ok()))
    };
    assert_eq!(read().unwrap(), [true; 4], "the whole file is read");
    // The pickle, which comes first; and the whole file, whose end is the ZIP directory.
    for reach in [1500, usize::MAX] {
        attack(&file, reach, 1000, || drop(read()));
    }
}

#[test]
fn damaged_tokenizers_are_errors() {
    let desk = model();
    let path = desk.path().join("llama/tokenizer.json");
    attack(&path, usize::MAX, 300, || {
        if let Ok(tokenizer) = Tokenizer::from_bytes(&fs::read(&path).unwrap(), &path) {
            let _ = tokenizer.encode("the red film was very good .", Some(16));
        }
    });
}

#[test]
fn damaged_text_data_are_errors() {
    let desk = tempfile::tempdir().unwrap();
    let csv = reviews();
    let jsonl = "{\"text\": \"good\", \"n\": 1, \"ids\": [1, 2]}\n".repeat(5);
    for (name, content) in [
        ("d.csv", &csv),
        ("d.tsv", &csv.replace(',', "\t")),
        ("d.jsonl", &jsonl),
    ] {
        let path = desk.path().join(name);
        fs::write(&path, content).unwrap();
        attack(&path, usize::MAX, 300, || {
            if let Ok(data) = Dataset::read(&path) {
                for name in data.names() {
                    let _ = (data.column(&name), data.texts(&name), data.token_ids(&name));
                }
            }
        });
    }
}

#[test]
fn damaged_manifests_are_errors() {
    let desk = model();
    fs::write(desk.path().join("reviews.csv"), reviews()).unwrap();
    plumb_ok(
        desk.path(),
        "extract --model llama --data reviews.csv --pool mean --out run",
    );
    let run = desk.path().join("run");
    attack(&run.join("manifest.json"), usize::MAX, 300, || {
        if let Ok(run) = Run::open(&run) {
            for point in run.point_names() {
                let _ = run.vectors(&point);
            }
            let _ = (run.column("label"), run.examples(), run.rows());
        }
    });
}

#[test]
fn damaged_gguf_files_are_errors() {
    let desk = tempfile::tempdir().unwrap();
    for (name, reach) in [
        ("llama.gguf", 700),
        ("llama.gguf", usize::MAX),
        ("llama3.gguf", usize::MAX),
    ] {
        let path = desk.path().join(name);
        fs::copy(crate::gguf::golden(name), &path).unwrap();
        let source = ModelSource::named(path.to_str().unwrap());
        attack(&path, reach, 300, || {
            let _ = load(&source);
        });
        assert!(load(&source).is_ok(), "the whole file loads");
    }
    for name in [
        "llama.gguf",
        "vocabulary-qwen2.gguf",
        "vocabulary-bert.gguf",
    ] {
        let path = desk.path().join(name);
        fs::copy(crate::gguf::golden(name), &path).unwrap();
        let source = ModelSource::named(path.to_str().unwrap());
        attack(&path, 9000, 300, || {
            let json = source.read("tokenizer.json");
            let tokenizer = json.and_then(|json| Tokenizer::from_bytes(&json, &path));
            if let Ok(tokenizer) = tokenizer {
                let _ = tokenizer.encode("the red film was very good .", Some(16));
            }
        });
    }
}
