//! Readers of foreign bytes: whatever is flipped, cut or put in, they answer with a value or an error, never a panic.

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, unreachable_pub, reason = "fuzz targets use all of it")]
mod foreign;

use crate::support::{plumb_ok, plumb_refuses, reviews, tiny_model};
use plumb::model::{Checkpoint, ModelSource, load};
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

/// Bytes that are damaged, again and again.
fn damaged(whole: &[u8], reach: usize, cases: u32, read: impl Fn(&[u8])) {
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
        read(&damage.apply(whole, reach));
        Ok(())
    });
    result.unwrap();
}

/// A file that is damaged, again and again, beside others that are whole.
fn attack(file: &Path, reach: usize, cases: u32, read: impl Fn()) {
    let whole = fs::read(file).unwrap();
    damaged(&whole, reach, cases, |bytes| {
        fs::write(file, bytes).unwrap();
        read();
    });
    fs::write(file, whole).unwrap();
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

/// Blocks take memory before the first weight is looked for.
#[test]
fn models_of_too_many_blocks_are_refused() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let golden = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/golden")
            .join(name);
        fs::read_to_string(path.join("config.json")).unwrap()
    };
    for (name, field, value) in [
        ("llama", "num_hidden_layers", 1_629_487_105u32),
        ("gpt2-classifier", "n_layer", 1_629_487_105),
        ("albert-groups", "inner_group_num", 9_000),
        ("albert-groups", "num_hidden_layers", 1_629_487_105),
    ] {
        let mut config = crate::support::json(&golden(name));
        assert!(config[field].is_number(), "{name} has `{field}`");
        config[field] = value.into();
        fs::create_dir_all(desk.join(name)).unwrap();
        fs::write(desk.join(name).join("config.json"), config.to_string()).unwrap();
        let why = plumb_refuses(desk, &format!("inspect {name}"));
        assert!(
            why.contains(field) && why.contains("at most 10000"),
            "{why}"
        );
    }
    let mut gguf = fs::read(crate::gguf::golden("llama.gguf")).unwrap();
    let key = b"llama.block_count";
    let at = gguf.windows(key.len()).position(|w| w == key).unwrap();
    // After the key and four bytes of type.
    gguf[at + key.len() + 4..][..4].copy_from_slice(&1_629_487_105u32.to_le_bytes());
    fs::write(desk.join("deep.gguf"), gguf).unwrap();
    let why = plumb_refuses(desk, "inspect deep.gguf");
    assert!(why.contains("at most 10000"), "{why}");
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
    let whole = fs::read(desk.path().join("llama/tokenizer.json")).unwrap();
    damaged(&whole, usize::MAX, 300, |bytes| {
        foreign::tokenizer(bytes, desk.path())
    });
    for whole in [
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\nred\n",
        "{\"a\": 0, \"b\": 1, \"ab\": 2}",
        "#version: 0.2\na b\nab c\n",
    ] {
        damaged(whole.as_bytes(), usize::MAX, 100, |bytes| {
            foreign::vocabulary(bytes, desk.path())
        });
    }
}

#[test]
fn damaged_data_are_errors() {
    let desk = tempfile::tempdir().unwrap();
    let csv = reviews();
    let tsv = csv.replace(',', "\t");
    let jsonl = "{\"text\": \"good\", \"n\": 1, \"ids\": [1, 2]}\n".repeat(5);
    let conllu = "# text = It's red.\n1-2\tIt's\t_\t_\t_\t_\t_\t_\t_\t_\n1\tIt\tit\tPRON\tPRP\tCase=Nom\t3\tnsubj\t_\t_\n\
        2\t's\tbe\tAUX\tVBZ\t_\t3\tcop\t_\t_\n3\tred\tred\tADJ\tJJ\t_\t0\troot\t_\tSpaceAfter=No\n4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_\n\n";
    for whole in [&csv, &tsv, &jsonl, &conllu.repeat(3)] {
        damaged(whole.as_bytes(), usize::MAX, 300, |bytes| {
            foreign::data(bytes, desk.path())
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
    let whole = fs::read(run.join("manifest.json")).unwrap();
    damaged(&whole, usize::MAX, 300, |bytes| {
        foreign::manifest(bytes, &run)
    });
    fs::write(run.join("manifest.json"), whole).unwrap();
    let shards = fs::read_dir(&run).unwrap().map(|e| e.unwrap().path());
    let shard = shards.filter(|p| p.extension().is_some_and(|e| e == "parquet"));
    let shard = shard.into_iter().next().unwrap();
    attack(&shard, usize::MAX, 500, || foreign::run(&run));
    // A shard is a data file too, and its end is what says where things lie.
    let whole = fs::read(&shard).unwrap();
    damaged(&whole, usize::MAX, 300, |bytes| {
        foreign::data(bytes, desk.path())
    });
    let (body, end) = whole.split_at(whole.len().saturating_sub(4000));
    damaged(end, usize::MAX, 500, |end| {
        foreign::data(&[body, end].concat(), desk.path())
    });
}

#[test]
fn damaged_vectors_are_errors() {
    let desk = tempfile::tempdir().unwrap();
    let mut npy = b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }          \n".to_vec();
    npy.extend((0..6).flat_map(|i| (i as f32).to_le_bytes()));
    let json = b"[[1.0, 2, 3e-2], [4, 5, 6]]";
    let mut safetensors =
        br#"{"weights":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}"#.to_vec();
    safetensors.splice(0..0, (safetensors.len() as u64).to_le_bytes());
    safetensors.extend([0; 24]);
    for whole in [&npy[..], json, &safetensors] {
        damaged(whole, usize::MAX, 1000, |bytes| {
            foreign::vectors(bytes, desk.path())
        });
    }
    damaged(&safetensors, usize::MAX, 300, |bytes| {
        foreign::translators(bytes, desk.path())
    });
}

#[test]
fn damaged_indices_are_refused() {
    let space = foreign::space();
    let whole = foreign::whole_index(&space);
    damaged(&whole, usize::MAX, 2000, |bytes| {
        foreign::index(bytes, &space)
    });
    damaged(&whole, 400, 1000, |bytes| foreign::index(bytes, &space));
}

#[test]
fn damaged_recipes_and_questions_are_errors() {
    let desk = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recipe = fs::read(root.join("probes/truth.toml")).unwrap();
    damaged(&recipe, usize::MAX, 500, |bytes| {
        foreign::recipe(bytes, desk.path())
    });
    for whole in [
        "\"king\" - \"man\" + 0.5 * row 7",
        "blocks.0-2.resid_post,final_norm",
        "blocks.*.attn_z",
    ] {
        damaged(whole.as_bytes(), usize::MAX, 1000, |bytes| {
            foreign::words(bytes, desk.path())
        });
    }
    let modules = r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]"#;
    let pooling = r#"{"word_embedding_dimension": 8, "pooling_mode_mean_tokens": true}"#;
    for whole in [modules, pooling] {
        damaged(whole.as_bytes(), usize::MAX, 500, |bytes| {
            foreign::sentence(bytes, desk.path())
        });
    }
}

#[test]
fn damaged_results_are_errors_or_shown() {
    let desk = model();
    fs::write(desk.path().join("reviews.csv"), reviews()).unwrap();
    for command in [
        "extract --model llama --data reviews.csv --pool mean --out run",
        "probe run --label label --out probe",
        "geometry run --out geometry",
        "map run --layer 1 --color label --out map",
        "drift --model llama --original the_good_film --edited the_bad_film --out drift",
        "lens --model llama --text the --out lens",
    ] {
        plumb_ok(desk.path(), command);
    }
    let of = |folder: &str, extension: &str| {
        let files = fs::read_dir(desk.path().join(folder))
            .unwrap()
            .map(|e| e.unwrap().path());
        let files = files.filter(|p| p.extension().is_some_and(|e| e == extension));
        files.map(|p| fs::read(p).unwrap()).collect::<Vec<_>>()
    };
    for folder in ["probe", "geometry", "map", "drift", "lens"] {
        for whole in of(folder, "json").iter().chain(of(folder, "svg").first()) {
            damaged(whole, usize::MAX, 60, |bytes| {
                foreign::page(bytes, desk.path())
            });
        }
    }
    for whole in of("probe/probes", "json")
        .iter()
        .chain(&of("probe/probes", "safetensors"))
    {
        damaged(whole, usize::MAX, 60, |bytes| {
            foreign::probe(bytes, desk.path())
        });
    }
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
