//! `--pool model`: the published embedding of a sentence-transformers folder.

use crate::support::{
    desk, json, minilm, plumb, plumb_ok, plumb_refuses, relative_error, shared, tensors,
};
use candle_core::{Device, Tensor};
use plumb::store::Run;
use std::fs;
use std::path::Path;

/// Makes the tiny BERT a sentence-transformers folder.
fn sentence_folder(bert: &Path, normalize: bool) {
    let module = |path: &str, kind: &str| {
        format!("{{\"path\": \"{path}\", \"type\": \"sentence_transformers.models.{kind}\"}}")
    };
    let mut modules = vec![module("", "Transformer"), module("1_Pooling", "Pooling")];
    if normalize {
        modules.push(module("2_Normalize", "Normalize"));
    }
    fs::write(
        bert.join("modules.json"),
        format!("[{}]", modules.join(", ")),
    )
    .unwrap();
    fs::create_dir_all(bert.join("1_Pooling")).unwrap();
    let pooling = "{\"word_embedding_dimension\": 32, \"pooling_mode_mean_tokens\": true, \"pooling_mode_cls_token\": true}";
    fs::write(bert.join("1_Pooling/config.json"), pooling).unwrap();
    fs::write(
        bert.join("sentence_bert_config.json"),
        "{\"max_seq_length\": 6}",
    )
    .unwrap();
}

#[test]
fn minilm_gives_its_published_embedding() {
    let (Some(shared), Some(minilm)) = (shared(), minilm()) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let texts = fs::read_to_string(shared.join("golden-real/minilm-texts.json")).unwrap();
    let texts = json(&texts);
    let lines: Vec<String> = texts
        .as_array()
        .unwrap()
        .iter()
        .map(|case| format!("{{\"text\": {}}}\n", case["text"]))
        .collect();
    fs::write(desk.path().join("texts.jsonl"), lines.concat()).unwrap();
    std::os::unix::fs::symlink(&minilm, desk.path().join("minilm")).unwrap();
    plumb_ok(
        desk.path(),
        "extract --model minilm --data texts.jsonl --pool model --out run",
    );
    let run = Run::open(&desk.path().join("run")).unwrap();
    assert_eq!(run.point_names(), ["blocks.5.resid_post"]);
    let manifest = json(&fs::read_to_string(desk.path().join("run/manifest.json")).unwrap());
    let pool =
        json("{\"model\": {\"modes\": [\"mean\"], \"normalize\": true, \"max_tokens\": 256}}");
    assert_eq!(manifest["plan"]["pool"], pool);
    assert_eq!(manifest["plan"]["bos"], "auto");
    let vectors = run.vectors("blocks.5.resid_post").unwrap();
    let golden = tensors(&shared.join("golden-real/minilm.safetensors"));
    assert_eq!(vectors.rows(), 16);
    let mut worst = 0.0f64;
    for (i, row) in vectors.values.chunks(384).enumerate() {
        let ours = Tensor::from_slice(row, 384, &Device::Cpu).unwrap();
        worst = worst.max(relative_error(
            &ours,
            &golden[&format!("{i}.sentence_embedding")],
        ));
    }
    println!("largest relative error of 16 sentence embeddings: {worst:.1e}");
    assert!(worst <= 1e-5, "{worst:e}");
}

#[test]
fn the_embedding_is_made_of_the_tokens_that_a_run_without_pooling_stores() {
    let desk = desk();
    let desk = desk.path();
    sentence_folder(&desk.join("bert"), true);
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool model --out pooled",
    );
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --points blocks.2.resid_post --out tokens",
    );
    let manifest = json(&fs::read_to_string(desk.join("pooled/manifest.json")).unwrap());
    assert_eq!(manifest["plan"]["points"][0]["shape"], json("[64]"));
    // Nine tokens each, cut to six.
    assert_eq!(
        manifest["truncation"],
        json("{\"texts\": 48, \"tokens\": 144, \"longest\": 9}")
    );
    let pooled = Run::open(&desk.join("pooled"))
        .unwrap()
        .vectors("blocks.2.resid_post")
        .unwrap();
    assert_eq!((pooled.rows(), pooled.width), (48, 64));
    for row in pooled.values.chunks(64) {
        let length: f32 = row.iter().map(|v| v * v).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    sentence_folder(&desk.join("bert"), false);
    fs::write(desk.join("bert/sentence_bert_config.json"), "{}").unwrap();
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool model --force --out pooled",
    );
    let pooled = Run::open(&desk.join("pooled"))
        .unwrap()
        .vectors("blocks.2.resid_post")
        .unwrap();
    let tokens = Run::open(&desk.join("tokens"))
        .unwrap()
        .vectors("blocks.2.resid_post")
        .unwrap();
    assert_eq!(
        pooled.values[..32],
        tokens.values[..32],
        "[CLS] comes first"
    );
    for d in 0..32 {
        let mean: f32 = (0..9).map(|t| tokens.values[t * 32 + d]).sum::<f32>() / 9.0;
        assert!((pooled.values[32 + d] - mean).abs() < 1e-5);
    }
}

#[test]
fn a_probe_reads_embeddings() {
    let desk = desk();
    let desk = desk.path();
    sentence_folder(&desk.join("bert"), true);
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool model --out run",
    );
    let report = json(&plumb_ok(
        desk,
        "probe run --label label --split-column split --lambda 0.01 --json",
    ));
    assert_eq!(report["layers"].as_array().unwrap().len(), 1);
    assert!(
        report["layers"][0]["metrics"]["accuracy"]["value"]
            .as_f64()
            .unwrap()
            >= 0.75
    );
    assert!(plumb_ok(desk, "verify run").contains("48"));
}

#[test]
fn what_would_be_another_embedding_is_refused() {
    let desk = desk();
    let desk = desk.path();
    let none = plumb_refuses(
        desk,
        "extract --model bert --data reviews.csv --pool model --out run",
    );
    assert!(none.contains("no modules.json"), "{none}");
    let builtin = plumb_refuses(
        desk,
        "extract --model builtin --data reviews.csv --pool model --out run",
    );
    assert!(builtin.contains("no modules.json"), "{builtin}");
    sentence_folder(&desk.join("bert"), true);
    for flag in [
        "--points resid_post",
        "--points blocks.0.resid_pre",
        "--no-special",
        "--bos never",
    ] {
        let error = plumb_refuses(
            desk,
            &format!("extract --model bert --data reviews.csv --pool model --out run {flag}"),
        );
        assert!(error.contains("pool = model"), "{flag}: {error}");
    }
    assert!(!desk.join("run").exists());
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool model --points blocks.2.resid_post --out run",
    );
}

#[test]
fn the_beginning_of_texts_is_in_the_manifest() {
    let desk = desk();
    let desk = desk.path();
    let first = |bos: &str| {
        plumb_ok(
            desk,
            &format!("extract --model llama --data reviews.csv --bos {bos} --out {bos}"),
        );
        let manifest = json(&fs::read_to_string(desk.join(bos).join("manifest.json")).unwrap());
        assert_eq!(manifest["plan"]["bos"], bos);
        manifest["plan"]["data"]["tokens"].as_u64().unwrap()
    };
    assert_eq!((first("auto"), first("always")), (48 * 8, 48 * 8));
    assert_eq!(first("never"), 48 * 7);
    let resumed = plumb_refuses(
        desk,
        "extract --model llama --data reviews.csv --bos never --out auto --resume",
    );
    assert!(resumed.contains("another plan"), "{resumed}");
    fs::write(desk.join("ids.jsonl"), "{\"ids\": [1, 2]}\n").unwrap();
    plumb_ok(
        desk,
        "extract --model llama --data ids.jsonl --ids-column ids --out ids",
    );
    let manifest = json(&fs::read_to_string(desk.join("ids/manifest.json")).unwrap());
    assert!(manifest["plan"].get("bos").is_none());
    let clash = plumb(
        desk,
        "extract --model llama --data ids.jsonl --ids-column ids --bos always --out x",
    );
    assert_eq!(clash.status.code(), Some(2));
}
