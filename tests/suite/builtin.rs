//! The built-in model was trained on a world that we wrote down: what is in it is found, what is not in it is not, and both at
//! the depth where they must be. The bars are those of the model's card.

#[path = "../../datasets/answers.rs"]
#[allow(dead_code, reason = "the example that writes the card uses the rest")]
mod answers;

use crate::support::{plumb_ok, python, relative_error, tensors};
use answers::{PENALTY, Question};
use candle_core::{DType, Tensor};
use plumb::analysis::probe::SweepParams;
use plumb::hook::NoHook;
use plumb::model::{Model, ModelSource, RandomWeights, Transformer, load};
use plumb::text::batch::Batch;
use plumb::text::tokens::Tokenizer;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folder() -> PathBuf {
    root().join("models/plumb-tiny")
}

/// What `plumb probe` says of the built-in model's layers, asked as its user would ask.
struct Layers(Vec<Value>);

impl Layers {
    fn of(set: &str, question: &str) -> Self {
        let desk = tempfile::tempdir().unwrap();
        let data = root().join("datasets").join(set).with_extension("csv");
        let extract = format!(
            "extract --model builtin --data {} --pool last --out run --quiet",
            data.display()
        );
        plumb_ok(desk.path(), &extract);
        let probe =
            format!("probe run {question} --split-column split --lambda {PENALTY} --json --quiet");
        let said: Value = serde_json::from_str(&plumb_ok(desk.path(), &probe)).unwrap();
        let layers = said["layers"].as_array().unwrap().clone();
        let names: Vec<&str> = layers
            .iter()
            .filter_map(|l| l["hook_point"].as_str())
            .collect();
        assert_eq!(names.first(), Some(&"blocks.0.resid_pre"));
        assert_eq!(names.last(), Some(&"final_norm"));
        assert_eq!(names.len(), 6, "{names:?}");
        for layer in &layers {
            let overlap = layer["warnings"].as_array().unwrap().iter();
            let mut overlap = overlap.filter(|w| w.as_str().unwrap().contains("group(s) have"));
            assert_eq!(overlap.next(), None, "groups are held out whole");
        }
        Self(layers)
    }

    /// A metric of each layer, in order of depth.
    fn metric(&self, name: &str) -> Vec<f64> {
        let value = |layer: &Value| layer["metrics"][name]["value"].as_f64().unwrap();
        self.0.iter().map(value).collect()
    }

    fn shuffled(&self) -> Vec<f64> {
        let value = |layer: &Value| layer["controls"]["shuffled"].as_f64().unwrap();
        self.0.iter().map(value).collect()
    }
}

fn best(scores: &[f64]) -> f64 {
    scores.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The best layer's score for a question that the library asks of a model.
fn best_answer(label: &str, model: &Transformer) -> f64 {
    let question = Question::about(label).unwrap();
    let file = "tokenizer.json";
    let tokenizer = ModelSource::Builtin.read(file).unwrap();
    let tokenizer = Tokenizer::from_bytes(&tokenizer, Path::new(file)).unwrap();
    let params = SweepParams {
        shuffles: 0,
        bootstrap: 0,
        ..question.params()
    };
    let layers = question.ask(&root().join("datasets"), model, &tokenizer, &params);
    let score = |layer: &plumb::analysis::probe::LayerResult| {
        layer.metrics.get(question.metric).unwrap().value
    };
    let scores: Vec<f64> = layers.unwrap().iter().map(score).collect();
    eprintln!("{label}: {scores:.3?}");
    best(&scores)
}

#[test]
fn truth_is_not_in_the_words_and_emerges_with_depth() {
    let scores = Layers::of("truth", "--label label --group entity").metric("balanced_accuracy");
    eprintln!("truth: {scores:.3?}");
    assert!(scores[0] <= 0.6, "at the embeddings: {scores:?}");
    let late = &scores[3..];
    assert!(best(late) >= 0.9, "in the second half: {scores:?}");
    // The final norm is no block: it prepares the next word.
    for (deeper, pair) in scores[..5].windows(2).enumerate() {
        // Layers may differ by less than the interval of a score without meaning it.
        assert!(
            pair[1] >= pair[0] - 0.03,
            "falls at layer {deeper}: {scores:?}"
        );
    }
    assert!(scores[1] <= 0.7, "one block is not enough: {scores:?}");
}

#[test]
fn the_map_is_in_the_names_of_cities() {
    let question = "--label latitude,longitude --kind ridge --group name";
    let layers = Layers::of("places", question);
    for metric in ["r2[latitude]", "r2[longitude]"] {
        let scores = layers.metric(metric);
        eprintln!("{metric}: {scores:.3?}");
        assert!(best(&scores) >= 0.9, "{metric}: {scores:?}");
    }
    let shuffled = layers.shuffled();
    assert!(best(&shuffled) <= 0.05, "shuffled: {shuffled:?}");
}

#[test]
fn the_continent_is_in_the_names_of_cities() {
    let scores = Layers::of("places", "--label continent --group name").metric("accuracy");
    assert!(best(&scores) >= 0.9, "{scores:?}");
}

#[test]
fn a_coin_that_no_text_tells_of_is_at_chance_in_every_layer() {
    let layers = Layers::of("places", "--label coin --group name");
    let near_chance = |x: f64| (x - 0.5).abs() <= 0.15;
    for layer in &layers.0 {
        let point = &layer["hook_point"];
        let accuracy = &layer["metrics"]["accuracy"];
        let [value, low, high] = ["value", "low", "high"].map(|k| accuracy[k].as_f64().unwrap());
        eprintln!("coin, {point}: {value:.3} [{low:.3}, {high:.3}]");
        assert!(near_chance(value), "{point}: {accuracy}");
        assert!(low <= 0.5 && high >= 0.5, "{point}: {accuracy}");
        let shuffled = layer["controls"]["shuffled"].as_f64().unwrap();
        assert!(near_chance(shuffled), "{point}: shuffled {shuffled}");
    }
}

#[test]
fn parts_of_speech_are_found_in_frames_that_the_probe_never_saw() {
    let model = load(&ModelSource::Builtin).unwrap().model;
    let score = best_answer("tags", &model);
    assert!(score >= 0.95, "{score}");
}

#[test]
fn an_untrained_model_of_the_same_shape_knows_neither_truth_nor_the_map() {
    let spec = load(&ModelSource::Builtin).unwrap().model.spec().clone();
    let model = Transformer::build(spec, &mut RandomWeights::for_training(0, 1.0)).unwrap();
    let truth = best_answer("label", &model);
    assert!(truth <= 0.6, "truth: {truth}");
    for coordinate in ["latitude", "longitude"] {
        let score = best_answer(coordinate, &model);
        assert!(score <= 0.1, "{coordinate}: {score}");
    }
}

#[test]
fn the_folder_and_the_binary_hold_the_same_model() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let data = root().join("datasets/sentiment.csv");
    let data = data.display();
    let folder = folder();
    for (model, out) in [("builtin", "a"), (folder.to_str().unwrap(), "b")] {
        let points = "--points resid_post,final_norm,logits --pool last";
        plumb_ok(
            desk,
            &format!("extract --model {model} --data {data} {points} --out {out} --quiet"),
        );
    }
    let shard = |run: &str| {
        let run = plumb::store::Run::open(&desk.join(run)).unwrap();
        let manifest = run.manifest();
        assert_eq!(manifest.shards.len(), 1);
        let model = &manifest.plan.model;
        (
            manifest.shards[0].sha256.clone(),
            model.weights_sha256.clone(),
            model.tokenizer_sha256.clone(),
        )
    };
    assert_eq!(shard("a"), shard("b"));
}

#[test]
fn the_model_in_the_binary_is_small() {
    let files = ["config.json", "model.safetensors", "tokenizer.json"];
    let size = |file: &&str| ModelSource::Builtin.read(file).unwrap().len();
    let total: usize = files.iter().map(size).sum();
    assert!(total <= 3_000_000, "{total} bytes");
}

#[test]
fn transformers_reads_the_folder_unchanged_and_computes_the_same() {
    let Some(python) = python(&["torch", "transformers", "safetensors"]) else {
        return;
    };
    let texts = [
        "Lima is in Peru.",
        "Riyadh is not in France. That is false.",
        "7 plus 5 is",
        "Ivan did not find the story lovely.",
        "Words that the world does not have: naïve, 東京, 🙂.",
    ];
    let desk = tempfile::tempdir().unwrap();
    let (lines, out) = (
        desk.path().join("texts.txt"),
        desk.path().join("out.safetensors"),
    );
    std::fs::write(&lines, texts.join("\n")).unwrap();
    let output = Command::new(python)
        .arg(root().join("tests/peers/logits.py"))
        .args([&folder(), &lines, &out])
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{failed}");
    let theirs = tensors(&out);
    let model = load(&ModelSource::folder(folder())).unwrap().model;
    let tokenizer = Tokenizer::from_folder(&folder()).unwrap();
    for (i, text) in texts.iter().enumerate() {
        let ids = tokenizer.encode(text, None).unwrap().ids;
        let their_ids = theirs[&format!("ids.{i}")].to_dtype(DType::U32).unwrap();
        assert_eq!(ids, their_ids.to_vec1::<u32>().unwrap(), "{text}");
        let output = model.forward(&Batch::new(&[ids]).unwrap(), &mut NoHook);
        let logits: Tensor = output.unwrap().unwrap().logits.unwrap();
        let error = relative_error(&logits, &theirs[&format!("logits.{i}")]);
        eprintln!("{text} {error:.1e}");
        assert!(error <= 1e-4, "{text}: {error:e}");
    }
}
