//! Drift and gates: the real binary on pairs, perturbations and runs.

use crate::support::{desk, json, minilm, plumb, plumb_ok, plumb_refuses, shared};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn kind<'a>(result: &'a Value, name: &str) -> &'a Value {
    let kinds = result["kinds"].as_array().unwrap();
    kinds.iter().find(|k| k["kind"] == name).unwrap()
}

fn distances(kind: &Value) -> Vec<f64> {
    let layers = kind["layers"].as_array().unwrap();
    let value = |l: &Value| l["measures"]["cosine_distance"]["value"].as_f64().unwrap();
    layers.iter().map(value).collect()
}

fn write_pairs(folder: &Path) {
    let mut rows = String::from("original,edited,kind\n");
    for noun in ["film", "book", "day", "night"] {
        for color in ["red", "blue", "green"] {
            let text = format!("the {color} {noun} was good .");
            rows += &format!("{text},{text},empty\n");
            rows += &format!("{text},{},case\n", text.to_uppercase());
            rows += &format!("{text},{},word\n", text.replace("good", "awful"));
        }
    }
    rows += &format!(
        "the film was good .,the film {}was good .,long\n",
        "very ".repeat(3000)
    );
    std::fs::write(folder.join("pairs.csv"), rows).unwrap();
}

#[test]
fn an_edit_that_the_model_cannot_see_is_exactly_nothing() {
    let desk = desk();
    write_pairs(desk.path());
    let result = json(&plumb_ok(
        desk.path(),
        "drift --model bert --data pairs.csv --json",
    ));
    assert_eq!(result["schema_version"], 1);
    for name in ["empty", "case"] {
        let kind = kind(&result, name);
        assert!(distances(kind).iter().all(|d| *d == 0.0), "{name}");
        for layer in kind["layers"].as_array().unwrap() {
            assert_eq!(layer["measures"]["euclidean_distance"]["value"], 0.0);
            assert_eq!(layer["measures"]["mahalanobis"]["value"], 0.0);
        }
    }
    assert_eq!(kind(&result, "empty")["counts"]["identical"], 12);
    assert_eq!(kind(&result, "case")["counts"]["same_tokens"], 12);
    assert_eq!(kind(&result, "long")["counts"]["too_long"], 1);
    assert_eq!(kind(&result, "long")["counts"]["measured"], 0);
    assert!(distances(kind(&result, "word")).iter().all(|d| *d > 1e-6));
    let findings = result["findings"].to_string();
    assert!(
        findings.contains("case: the tokenizer leaves nothing"),
        "{findings}"
    );
    // One text alone and in company is one text.
    assert!(result["company"]["cosine_distance"].as_f64().unwrap() < 1e-10);
}

#[test]
fn drift_is_the_same_on_any_number_of_threads_and_shows_its_pictures() {
    let desk = desk();
    let run = |threads: &str, out: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args("drift --model llama --data reviews.csv --edit typo-drop,word-swap,unk --json --out".split(' '))
            .arg(out)
            .env("RAYON_NUM_THREADS", threads)
            .current_dir(desk.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.replace(out, "OUT")
    };
    let one = run("1", "first-out");
    assert_eq!(one, run("3", "second-out"));
    let result = json(&one);
    let swap = kind(&result, "word-swap");
    assert!(swap["next_token_kl"]["value"].as_f64().unwrap() > 0.0);
    assert_eq!(swap["layers"][0]["set"]["texts"], 48);
    for file in [
        "chart.svg",
        "effects.png",
        "ranking.svg",
        "movement.parquet",
        "drift.json",
    ] {
        assert!(desk.path().join("first-out").join(file).is_file(), "{file}");
    }
    plumb_ok(desk.path(), "report first-out --out page.html");
    let page = std::fs::read_to_string(desk.path().join("page.html")).unwrap();
    assert!(page.contains("same size and place"));
}

/// The file has its kinds one after another, and more originals than are compared as a set.
#[test]
fn a_file_sorted_by_kind_has_sets_of_every_kind() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/edits.csv");
    let desk = tempfile::tempdir().unwrap();
    let command = format!("drift --model builtin --data {data} --null none --json --quiet");
    let result = json(&plumb_ok(desk.path(), &command));
    let kinds = result["kinds"].as_array().unwrap();
    assert_eq!(kinds.len(), 12);
    for kind in kinds {
        let texts = kind["layers"][3]["set"]["texts"].as_u64();
        assert!(texts >= Some(10), "{}: {texts:?}", kind["kind"]);
    }
}

#[test]
fn texts_of_any_script_are_edited() {
    let desk = desk();
    let texts = "text\nЭто был очень хороший фильм.\nМария приехала в 1990 году.\n这部电影很好。\n小明在1990年去了北京。\n";
    std::fs::write(desk.path().join("texts.csv"), texts).unwrap();
    let result = json(&plumb_ok(
        desk.path(),
        "drift --model builtin --data texts.csv --edit typo,negation,name,number,word --json",
    ));
    for (name, least) in [
        ("typo-swap", 4),
        ("negation", 2),
        ("name", 2),
        ("number", 2),
        ("word-swap", 4),
    ] {
        let measured = kind(&result, name)["counts"]["measured"].as_u64().unwrap();
        assert!(measured >= least, "{name}: {measured}");
    }
}

#[test]
fn a_single_pair_shows_which_token_is_which() {
    let desk = desk();
    std::fs::write(desk.path().join("pairs.csv"), "original,edited\na,b\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(["drift", "--model", "bert", "--json"])
        .args([
            "--original",
            "the red film was good .",
            "--edited",
            "the film was very bad .",
        ])
        .current_dir(desk.path())
        .output()
        .unwrap();
    let result = json(&String::from_utf8(output.stdout).unwrap());
    let tokens = result["tokens"].as_array().unwrap();
    let shown: Vec<String> = tokens
        .iter()
        .map(|t| format!("{}>{}", t["before"], t["after"]))
        .collect();
    assert_eq!(
        shown,
        [
            r#"["[CLS]"]>["[CLS]"]"#,
            r#"["the"]>["the"]"#,
            r#"["red"]>[]"#,
            r#"["film"]>["film"]"#,
            r#"["was"]>["was"]"#,
            r#"["good"]>["very","bad"]"#,
            r#"["."]>["."]"#,
            r#"["[SEP]"]>["[SEP]"]"#,
        ]
    );
    assert_eq!(tokens[2]["cosine_distance"][0], Value::Null);
    assert!(tokens[5]["cosine_distance"][0].as_f64().unwrap() > 0.0);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let desk = desk();
    write_pairs(desk.path());
    let refused =
        |arguments: &str| plumb_refuses(desk.path(), &format!("drift --model bert {arguments}"));
    assert!(refused("--data reviews.csv").contains("no column `original`"));
    assert!(refused("--data reviews.csv --edit tpyo-swap").contains("did you mean `typo-swap`"));
    assert!(refused("--data pairs.csv --margin 0").contains("margin"));
    assert!(
        refused("--data pairs.csv --points attn_pattern").contains("a row for each pair of tokens")
    );
    let other = plumb_refuses(
        desk.path(),
        "drift --model llama --data reviews.csv --against-model bert",
    );
    assert!(other.contains("choose --points"), "{other}");
    let nothing = plumb_refuses(
        desk.path(),
        "drift --model bert --data reviews.csv --edit number",
    );
    assert!(nothing.contains("found nothing to edit"), "{nothing}");
    plumb_ok(
        desk.path(),
        "extract --model bert --data reviews.csv --pool last --out last",
    );
    assert!(
        refused("--data pairs.csv --probe-run last --probe-label label")
            .contains("pooled in another way")
    );
}

/// A probe that was trained and written by `plumb probe` is the one that drift trains on the same run itself.
#[test]
fn a_trained_probe_is_followed_from_its_files() {
    let desk = desk();
    write_pairs(desk.path());
    let make = |arguments: &str| plumb_ok(desk.path(), arguments);
    make("extract --model bert --data reviews.csv --pool mean --out run");
    make("probe run --label label --lambda 0.01 --controls none --out probe");
    let shifts = |arguments: &str| -> Vec<f64> {
        let result = make(&format!(
            "drift --model bert --data pairs.csv --json {arguments}"
        ));
        let layers = json(&result)["layers"].as_array().unwrap().clone();
        let each = layers.iter();
        each.map(|l| l["measures"]["probe_shift"]["value"].as_f64().unwrap())
            .collect()
    };
    let trained = shifts("--probe-run run --probe-label label");
    let read = shifts("--probe probe");
    assert_eq!(trained.len(), read.len());
    for (trained, read) in trained.iter().zip(&read) {
        assert!(
            (trained - read).abs() < 1e-9 + 1e-6 * trained.abs(),
            "{trained} {read}"
        );
    }
    make("extract --model bert --data reviews.csv --pool last --out last");
    make("probe last --label label --lambda 0.01 --controls none --out other");
    let refused = plumb_refuses(
        desk.path(),
        "drift --model bert --data pairs.csv --probe other",
    );
    assert!(refused.contains("pooled in another way"), "{refused}");
    let refused = plumb_refuses(
        desk.path(),
        "drift --model bert --data pairs.csv --probe run",
    );
    assert!(refused.contains("it has no probe"), "{refused}");
}

#[test]
fn rounder_weights_move_texts_farther() {
    let desk = desk();
    let result = json(&plumb_ok(
        desk.path(),
        "drift --model builtin --data reviews.csv --against-precision f16,bf16,q4 --json",
    ));
    let last = |name: &str| *distances(kind(&result, name)).last().unwrap();
    let (f16, bf16, q4) = (last("f16"), last("bf16"), last("q4"));
    assert!(0.0 < f16 && f16 < bf16 && bf16 < q4, "{f16} {bf16} {q4}");
    assert!(result["layers"][0]["null"].is_null(), "no null for weights");
}

#[test]
fn a_gate_opens_for_the_same_model_and_closes_for_another() {
    let desk = desk();
    plumb_ok(
        desk.path(),
        "extract --model bert --data reviews.csv --pool mean --out base",
    );
    let same = plumb_ok(
        desk.path(),
        "gate --baseline base --candidate bert --out open --junit junit.xml --json",
    );
    let same = json(&same);
    assert_eq!(same["passed"], true);
    assert!(
        same["checks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|c| c["value"] == 0.0)
    );
    plumb_ok(
        desk.path(),
        "extract --model bert --data reviews.csv --pool mean --precision bf16 --out rounded",
    );
    plumb_ok(
        desk.path(),
        "gate --baseline base --candidate rounded --churn 1",
    );

    for file in ["gate.json", "junit.xml", "report.html", "chart.png"] {
        assert!(desk.path().join("open").join(file).is_file(), "{file}");
    }
    let xml = std::fs::read_to_string(desk.path().join("junit.xml")).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let root = document.root_element();
    assert_eq!(root.attribute("failures"), Some("0"));
    assert_eq!(
        root.attribute("tests").unwrap().parse::<usize>().unwrap(),
        same["checks"].as_array().unwrap().len()
    );
}

#[test]
fn a_gate_that_closes_says_where() {
    let desk = desk();
    plumb_ok(
        desk.path(),
        "extract --model builtin --data reviews.csv --pool mean --out base",
    );
    plumb_ok(
        desk.path(),
        "extract --model builtin --data reviews.csv --pool mean --precision bf16 --out rounded",
    );
    let output = plumb(
        desk.path(),
        "gate --baseline base --candidate rounded --margin 1e-9 --json --junit junit.xml",
    );
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: the gate is closed: "), "{said}");
    assert_eq!(said.lines().count(), 1);
    let result = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(result["passed"], false);
    let xml = std::fs::read_to_string(desk.path().join("junit.xml")).unwrap();
    assert!(xml.contains("<failure message="), "{xml}");
}

/// Means over 30 pairs of a straightforward script on transformers' hidden states (tests/peers/drift.py).
#[test]
fn numbers_are_those_of_a_plain_python_script() {
    let Some((shared, model)) = shared().zip(minilm()) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let data = shared.join("datasets/cad/pairs.tsv");
    let result = json(&plumb_ok(
        desk.path(),
        &format!(
            "drift --model {} --data {} --limit 30 --null none --resamples 0 --json",
            model.display(),
            data.display()
        ),
    ));
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/drift-reference.json");
    let reference = json(&std::fs::read_to_string(reference).unwrap());
    let layers = result["layers"].as_array().unwrap();
    assert_eq!(layers.len(), reference.as_array().unwrap().len());
    for (ours, theirs) in layers.iter().zip(reference.as_array().unwrap()) {
        let point = &ours["hook_point"];
        for (name, expected) in theirs["measures"].as_object().unwrap() {
            let expected = expected.as_f64().unwrap();
            let found = ours["measures"][name]["value"].as_f64().unwrap();
            let error = (found - expected).abs() / expected.abs();
            assert!(
                error < 1e-4 || (found - expected).abs() < 1e-7,
                "{point}, {name}: {found} {expected}"
            );
        }
        for name in ["cka", "procrustes"] {
            let expected = theirs["set"][name].as_f64().unwrap();
            let found = ours["set"][name].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-4,
                "{point}, {name}: {found} {expected}"
            );
        }
    }
}

/// Human edits that flip the sentiment of reviews, against random edits of the same size and place.
#[test]
fn flipped_sentiment_moves_along_the_sentiment_probe() {
    let Some((shared, model)) = shared().zip(minilm()) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let sst = std::fs::read_to_string(shared.join("datasets/sst/sst.tsv")).unwrap();
    let some: Vec<&str> = sst.lines().take(801).collect();
    std::fs::write(desk.path().join("sst.tsv"), some.join("\n")).unwrap();
    let model = model.display();
    plumb_ok(
        desk.path(),
        &format!("extract --model {model} --data sst.tsv --pool mean --out sst"),
    );
    let result = json(&plumb_ok(
        desk.path(),
        &format!(
            "drift --model {model} --data {} --limit 24 --probe-run sst --probe-label label --null words --json",
            shared.join("datasets/cad/pairs.tsv").display()
        ),
    ));
    let layers = result["layers"].as_array().unwrap();
    let shift = |layer: &Value| -> (f64, String) {
        let effects = layer["effects"].as_array().unwrap();
        let effect = effects
            .iter()
            .find(|e| e["measure"] == "probe_shift")
            .unwrap();
        (
            effect["band_low"].as_f64().unwrap(),
            effect["verdict"].as_str().unwrap().to_owned(),
        )
    };
    assert!(
        layers
            .iter()
            .any(|l| shift(l).0 > 0.0 && shift(l).1 == "more")
    );
    let findings = result["findings"].to_string();
    assert!(
        findings.contains("moves the probe's score more than random edits"),
        "{findings}"
    );
}
