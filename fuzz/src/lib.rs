//! plumb's readers of bytes that somebody else wrote. Whatever the bytes are, a reader answers with a value or an error: no panic, no endless loop,
//! no memory that the bytes do not account for.
//!
//! The fuzz targets hand them any bytes (`make fuzz`); `tests/suite/hostile.rs`, which includes this file, damaged files. `desk` is a folder in which a
//! reader may write what it reads.

use plumb::analysis::lens::Translators;
use plumb::analysis::neighbors::hnsw::{Demand, Hnsw, Params};
use plumb::analysis::neighbors::{Correction, Expression, Metric, Rows, Space};
use plumb::hook::{HookPoint, HookSet, Site};
use plumb::model::{Checkpoint, ModelSource, load, read_spec};
use plumb::recipe::Recipe;
use plumb::report::html::{COMMANDS, Finding, Page, Picture};
use plumb::report::probe_file;
use plumb::store::{FileVectors, Run, SentencePool};
use plumb::text::dataset::Dataset;
use plumb::text::tokens::Tokenizer;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::LazyLock;

/// Has bytes read at a desk of this process.
pub fn at_a_desk(read: fn(&[u8], &Path), bytes: &[u8]) {
    static DESK: LazyLock<PathBuf> = LazyLock::new(|| {
        let desk = std::env::temp_dir().join(format!("plumb-fuzz-{}", std::process::id()));
        fs::create_dir_all(&desk).expect("a folder for what is read");
        // The fuzzer's own hook ends the process at any panic, and plumb catches those of the `tokenizers` library.
        std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
        desk
    });
    read(bytes, &DESK);
}

const TEXT: &str = "the red film was very good .";

fn put(desk: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = desk.join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder for what is read");
    }
    fs::write(&path, bytes).expect("room for what is read");
    path
}

/// `config.json` of a model.
pub fn config(bytes: &[u8], desk: &Path) {
    let _ = read_spec(&put(desk, "config.json", bytes), &|_| true);
}

/// `model.safetensors`, and the index of several.
pub fn safetensors(bytes: &[u8], desk: &Path) {
    for name in [
        "whole/model.safetensors",
        "parts/model.safetensors.index.json",
    ] {
        let path = put(desk, name, bytes);
        let folder = path.parent().unwrap_or(desk);
        if let Ok(mut checkpoint) = Checkpoint::open(&ModelSource::folder(folder)) {
            let _ = (
                checkpoint.parameters(),
                checkpoint.read("model.norm.weight"),
            );
        }
    }
}

/// `pytorch_model.bin`; the names are those of the fixture.
pub fn torch(bytes: &[u8], desk: &Path) {
    put(desk, "pytorch_model.bin", bytes);
    if let Ok(mut checkpoint) = Checkpoint::open(&ModelSource::folder(desk)) {
        for name in ["f32", "bf16", "view", "transposed"] {
            let _ = checkpoint.read(name);
        }
    }
}

/// A GGUF file: its model and its tokenizer.
pub fn gguf(bytes: &[u8], desk: &Path) {
    let path = put(desk, "model.gguf", bytes);
    let source = ModelSource::named(&path.display().to_string());
    let _ = load(&source);
    if let Ok(json) = source.read("tokenizer.json") {
        tokenizer(&json, desk);
    }
}

/// `tokenizer.json`.
pub fn tokenizer(bytes: &[u8], _: &Path) {
    if let Ok(tokenizer) = Tokenizer::from_bytes(bytes, Path::new("tokenizer.json")) {
        let _ = tokenizer.encode(TEXT, Some(16));
    }
}

/// A vocabulary without `tokenizer.json`: the bytes are each of its files in turn, the others are right.
pub fn vocabulary(bytes: &[u8], desk: &Path) {
    let right: [(&str, &str); 4] = [
        (
            "bert/vocab.txt",
            "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\nred\n##s\n",
        ),
        (
            "bert/tokenizer_config.json",
            r#"{"tokenizer_class": "BertTokenizer"}"#,
        ),
        (
            "gpt2/vocab.json",
            r#"{"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}"#,
        ),
        ("gpt2/merges.txt", "#version: 0.2\na b\n"),
    ];
    for (foreign, _) in right {
        for (name, text) in right {
            let bytes = if name == foreign {
                bytes
            } else {
                text.as_bytes()
            };
            put(desk, name, bytes);
        }
        for folder in ["bert", "gpt2"] {
            if let Ok(tokenizer) = Tokenizer::from_folder(&desk.join(folder)) {
                let _ = tokenizer.encode(TEXT, Some(16));
            }
        }
    }
}

/// A data file of any kind.
pub fn data(bytes: &[u8], desk: &Path) {
    for kind in ["csv", "tsv", "jsonl", "conllu", "parquet"] {
        let path = put(desk, &format!("data.{kind}"), bytes);
        if let Ok(data) = Dataset::read(&path) {
            for name in data.names() {
                let _ = (data.column(&name), data.texts(&name), data.token_ids(&name));
            }
        }
    }
}

/// A file of vectors of any kind.
pub fn vectors(bytes: &[u8], desk: &Path) {
    for kind in ["npy", "json", "safetensors"] {
        let path = put(desk, &format!("vectors.{kind}"), bytes);
        let _ = FileVectors::read(&path, None);
    }
}

/// The manifest of a run, beside whatever else of it is on the desk.
pub fn manifest(bytes: &[u8], desk: &Path) {
    put(desk, "manifest.json", bytes);
    run(desk);
}

/// A run as it lies in a folder.
pub fn run(folder: &Path) {
    if let Ok(run) = Run::open(folder) {
        for point in run.point_names() {
            let _ = run.vectors(&point);
        }
        let _ = (
            run.column("label"),
            run.examples(),
            run.row_tokens(),
            run.rows(),
        );
    }
}

/// A trained probe: its card, its numbers.
pub fn probe(bytes: &[u8], desk: &Path) {
    for name in ["probe.json", "probe.safetensors"] {
        let _ = probe_file::read(&put(desk, name, bytes));
    }
}

/// The translators of a tuned lens.
pub fn translators(bytes: &[u8], desk: &Path) {
    let path = put(desk, "translators.safetensors", bytes);
    let _ = Translators::read(&path, 8);
}

/// Sixty rows of four numbers, all different.
pub fn space() -> Space {
    let numbers = (0..240u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32 - 2048.0);
    let rows = Rows::new(4, numbers.collect()).expect("finite numbers");
    Space::new(&rows, Metric::Cosine, Correction::None, 0).expect("rows that are not zero")
}

/// A whole index of [`space`], as it is written, without its checksum.
pub fn whole_index(space: &Space) -> Vec<u8> {
    let index = Hnsw::build(space, Params::default()).expect("an index of sixty rows");
    let certificate = index
        .certify(space, Demand::default())
        .expect("a certificate");
    let mut bytes = index.to_bytes("these", &certificate);
    bytes.truncate(bytes.len() - Sha256::output_size());
    bytes
}

/// An index of neighbours; a checksum that fits is put behind the bytes, or nothing would be read of them.
pub fn index(bytes: &[u8], space: &Space) {
    let mut bytes = bytes.to_vec();
    bytes.extend(Sha256::digest(&bytes));
    if let Ok((index, _)) = Hnsw::from_bytes(&bytes, "these", space) {
        let _ = index.nearest(space, &[space.row_query(0)], 5, 20);
    }
}

/// `modules.json` of sentence-transformers, and the modules it names.
pub fn sentence(bytes: &[u8], desk: &Path) {
    let modules = r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#;
    for foreign in ["modules.json", "1_Pooling/config.json"] {
        put(desk, "modules.json", modules.as_bytes());
        put(desk, foreign, bytes);
        let _ = SentencePool::read(&desk, 8, 16);
    }
}

/// A recipe.
pub fn recipe(bytes: &[u8], desk: &Path) {
    let _ = Recipe::read(&put(desk, "recipe.toml", bytes));
}

/// What is typed: an expression over vectors, the name of a hook point, a selector of some.
pub fn words(bytes: &[u8], _: &Path) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = (Expression::parse(text), HookPoint::from_str(text));
    let points = (0..4).filter_map(|layer| HookPoint::block(layer, Site::ResidPost).ok());
    let _ = HookSet::select(text, &points.collect::<Vec<_>>());
}

/// What a report shows: the JSON of any command, and a figure.
pub fn page(bytes: &[u8], desk: &Path) {
    let mut page = Page::default();
    let text = String::from_utf8_lossy(bytes);
    let figure = Picture::new(&desk.join("chart.svg"), text.into_owned());
    let figures: Vec<Picture> = figure.into_iter().collect();
    if let Ok(result) = serde_json::from_slice::<serde_json::Value>(bytes) {
        for command in COMMANDS {
            page.findings.push(Finding {
                command: (*command).to_owned(),
                name: "result".to_owned(),
                result: result.clone(),
                figures: Vec::new(),
            });
        }
    }
    page.findings.push(Finding {
        command: "figures".to_owned(),
        name: "figure".to_owned(),
        result: serde_json::Value::Null,
        figures,
    });
    let _ = page.render();
}
