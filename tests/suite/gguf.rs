//! GGUF files: against transformers with the dequantised weights, against the libraries of their vocabularies, and on the command line.

use crate::golden::{BAR, errors};
use crate::support::{json, plumb, plumb_ok, plumb_refuses, reviews, tensors};
use plumb::model::{ModelSource, load};
use plumb::text::tokens::Tokenizer;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn golden(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("tests/golden/gguf").join(name)
}

fn models() -> Vec<String> {
    let files = fs::read_dir(golden("")).unwrap();
    let names = files.map(|f| f.unwrap().file_name().into_string().unwrap());
    let models = names.filter_map(|name| Some(name.strip_suffix(".gguf")?.to_owned()));
    let mut models: Vec<String> = models
        .filter(|name| name != "blocks" && !name.starts_with("vocabulary-"))
        .collect();
    models.sort();
    models
}

#[test]
fn every_quantised_golden_holds() {
    let mut failed = Vec::new();
    for name in models() {
        let source = ModelSource::named(golden(&format!("{name}.gguf")).to_str().unwrap());
        let loaded = load(&source).unwrap_or_else(|e| panic!("{name}: {e}"));
        let expected = tensors(&golden(&format!("{name}.safetensors")));
        for (quantity, error) in errors(&loaded.model, &expected) {
            println!("{name:<20} {quantity:<24} {error:.1e}");
            if error.is_nan() || error > BAR {
                failed.push(format!("{name} {quantity}: {error:.1e}"));
            }
        }
    }
    assert!(models().len() >= 16, "the goldens are there");
    assert!(failed.is_empty(), "relative error above {BAR}: {failed:#?}");
}

fn tokenizer(file: &str) -> Tokenizer {
    let source = ModelSource::named(golden(file).to_str().unwrap());
    match file.starts_with("vocabulary-") {
        // There is no model to open.
        true => {
            let json = source.read("tokenizer.json").unwrap();
            Tokenizer::from_bytes(&json, &golden(file)).unwrap()
        }
        false => Tokenizer::open(&source).unwrap(),
    }
}

#[test]
fn vocabularies_tokenize_as_their_own_libraries_do() {
    for (file, ids) in [
        ("llama.gguf", "sentencepiece"),
        ("vocabulary-gpt-2.gguf", "gpt-2"),
        ("vocabulary-llama-bpe.gguf", "llama-bpe"),
        ("vocabulary-qwen2.gguf", "qwen2"),
        ("vocabulary-bert.gguf", "bert"),
    ] {
        let tokenizer = tokenizer(file);
        let rows = fs::read_to_string(golden(&format!("vocabulary-{ids}.json"))).unwrap();
        let rows = json(&rows);
        for row in rows.as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            let tokens = tokenizer.encode(text, None).unwrap();
            assert_eq!(
                serde_json::json!(tokens.ids),
                row["ids"],
                "{file}: {text:?} {:?}",
                tokens.tokens
            );
        }
    }
}

/// A folder with a model, its vocabulary in it, and reviews.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    fs::copy(golden("llama.gguf"), desk.path().join("tiny.gguf")).unwrap();
    fs::write(desk.path().join("reviews.csv"), reviews()).unwrap();
    desk
}

#[test]
fn a_file_alone_is_enough_to_extract() {
    let desk = desk();
    let arguments = "extract --model tiny.gguf --data reviews.csv --pool mean --json";
    let manifest = json(&plumb_ok(desk.path(), &format!("{arguments} --out run")));
    let model = &manifest["plan"]["model"];
    assert_eq!(model["name"], "tiny.gguf");
    assert_eq!(model["family"], "llama");
    assert_eq!(
        model["weights_format"],
        serde_json::json!({"F32": 5, "Q8_0": 15})
    );
    let sha256 = Sha256::digest(fs::read(golden("llama.gguf")).unwrap());
    assert_eq!(model["weights_sha256"], format!("{sha256:x}"));
    plumb_ok(desk.path(), "verify run");

    plumb_ok(desk.path(), &format!("{arguments} --out again"));
    let shard = |run: &str| fs::read(desk.path().join(run).join("shard-00000.parquet")).unwrap();
    assert_eq!(shard("run"), shard("again"));
}

#[test]
fn a_tokenizer_beside_the_file_counts_instead() {
    let desk = desk();
    let source = ModelSource::named(desk.path().join("tiny.gguf").to_str().unwrap());
    let own = source.read("tokenizer.json").unwrap();
    assert!(own.starts_with(b"{\"version\""));
    fs::write(desk.path().join("tokenizer.json"), "another").unwrap();
    assert_eq!(source.read("tokenizer.json").unwrap(), b"another");
    let sentence = plumb_refuses(
        desk.path(),
        "extract --model tiny.gguf --data reviews.csv --out run",
    );
    assert!(
        sentence.contains("tokenizer.json: this is not a tokenizer"),
        "{sentence}"
    );
}

#[test]
fn rotary_divisors_that_llama_3_does_not_make_are_refused() {
    let desk = tempfile::tempdir().unwrap();
    let path = desk.path().join("tiny.gguf");
    let slowest = |last: f32| {
        [
            8.0_f32.to_le_bytes(),
            8.0_f32.to_le_bytes(),
            last.to_le_bytes(),
        ]
        .concat()
    };
    altered("llama3.gguf", desk.path(), &slowest(8.0), &slowest(7.9));
    let sentence = load(&ModelSource::named(path.to_str().unwrap()))
        .unwrap_err()
        .to_string();
    assert!(
        sentence.contains("the divisors in `rope_freqs.weight`"),
        "{sentence}"
    );
}

/// The file with other bytes of the same length somewhere.
fn altered(file: &str, desk: &Path, old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    let mut bytes = fs::read(golden(file)).unwrap();
    let at = bytes.windows(old.len()).position(|w| w == old).unwrap();
    bytes[at..at + new.len()].copy_from_slice(new);
    fs::write(desk.join("tiny.gguf"), bytes).unwrap();
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let desk = desk();
    let size =
        |key: &str, n: u32| [key.as_bytes(), &4_u32.to_le_bytes(), &n.to_le_bytes()].concat();
    for (old, new, sentence) in [
        // Keys that nobody reads could change numbers.
        (
            b"llama.block_count".to_vec(),
            b"llama.block_kount".to_vec(),
            "`llama.block_count` = (absent)",
        ),
        (
            b"llama.rope.freq_base".to_vec(),
            b"llama.rope.freq_basf".to_vec(),
            "`llama.rope.freq_basf` = 10000",
        ),
        (
            b"llama.rope.freq_base".to_vec(),
            b"llama.residual_scale".to_vec(),
            "plumb does not know this field",
        ),
        (
            b"llama.rope.freq_base".to_vec(),
            b"other.rope.freq_base".to_vec(),
            "",
        ),
        (
            size("llama.rope.dimension_count", 8),
            size("llama.rope.dimension_count", 4),
            "only 8 is implemented",
        ),
        (
            size("llama.vocab_size", 352),
            size("llama.vocab_size", 353),
            "only 352 is implemented",
        ),
        (
            size("llama.attention.head_count", 4),
            size("llama.attention.head_count", 3),
            "`llama.rope.dimension_count`",
        ),
        (
            b"general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0llama".to_vec(),
            b"general.architecture\x08\0\0\0\x05\0\0\0\0\0\0\0lamma".to_vec(),
            "`lamma` is not supported; supported are: llama, qwen2",
        ),
        (
            b"blk.0.attn_q.weight".to_vec(),
            b"blk.0.attn_w.weight".to_vec(),
            "`model.layers.0.self_attn.q_proj.weight` is missing",
        ),
        (
            b"tokenizer.ggml.model\x08\0\0\0\x05\0\0\0\0\0\0\0llama".to_vec(),
            b"tokenizer.ggml.model\x08\0\0\0\x05\0\0\0\0\0\0\0rwkvx".to_vec(),
            "put the model's tokenizer.json beside the file",
        ),
    ] {
        altered("llama.gguf", desk.path(), &old, &new);
        let arguments = "extract --model tiny.gguf --data reviews.csv --force --out run";
        match sentence {
            "" => drop(plumb_ok(desk.path(), arguments)),
            sentence => {
                let found = plumb_refuses(desk.path(), arguments);
                assert!(
                    found.contains(sentence) && found.contains("tiny.gguf"),
                    "{found}"
                );
            }
        }
    }
}

#[test]
fn token_ids_need_no_tokenizer_that_is_understood() {
    let desk = desk();
    altered(
        "llama.gguf",
        desk.path(),
        b"tokenizer.ggml.model",
        b"tokenizer.ggml.modem",
    );
    fs::write(
        desk.path().join("ids.jsonl"),
        "{\"ids\": [1, 5, 9]}\n{\"ids\": [2]}\n",
    )
    .unwrap();
    plumb_ok(
        desk.path(),
        "extract --model tiny.gguf --data ids.jsonl --ids-column ids --out run",
    );
    let refused = plumb(
        desk.path(),
        "extract --model missing.gguf --data ids.jsonl --ids-column ids --out r",
    );
    assert!(String::from_utf8_lossy(&refused.stderr).contains("missing.gguf: no such file"));
}
