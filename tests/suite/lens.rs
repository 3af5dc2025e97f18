//! `plumb lens`: logit lens, tuned lens, parameters in the space of tokens.

use crate::support::{desk, files, json, plumb_ok, plumb_refuses, python, shared, tiny_model};
use std::process::Command;

#[test]
fn what_layers_say_is_what_transformers_computes() {
    let Some((shared, python)) = shared().zip(python(&["torch", "transformers"])) else {
        return;
    };
    let model = shared.join("models/stories260K");
    let desk = tempfile::tempdir().unwrap();
    let text = "Once_upon_a_time";
    let said = plumb_ok(
        desk.path(),
        &format!("lens --model {} --text {text} --json", model.display()),
    );
    let ours = json(&said);
    let tokenizer = plumb::text::tokens::Tokenizer::from_folder(&model).unwrap();
    let ids = tokenizer.encode(text, None).unwrap().ids;
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/lens.py");
    let output = Command::new(python)
        .args([script, model.to_str().unwrap(), &ids.join(",")])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let theirs = json(std::str::from_utf8(&output.stdout).unwrap());
    let layers = ours["layers"].as_array().unwrap();
    assert_eq!(layers.len(), theirs.as_array().unwrap().len());
    for (layer, theirs) in layers.iter().zip(theirs.as_array().unwrap()) {
        let readings = layer["positions"].as_array().unwrap();
        assert_eq!(readings.len(), ids.len());
        for (ours, theirs) in readings.iter().zip(theirs.as_array().unwrap()) {
            let near = |ours: &serde_json::Value, name: &str| {
                let (a, b) = (ours.as_f64().unwrap(), theirs[name].as_f64().unwrap());
                assert!(
                    (a - b).abs() < 1e-4 * (1.0 + b.abs()),
                    "{}: {name} {a} {b}",
                    layer["hook_point"]
                );
            };
            near(&ours["entropy"], "entropy");
            near(&ours["kl"], "kl");
            if theirs["rank"].is_null() {
                assert!(ours["target"].is_null());
            } else {
                near(&ours["target"]["probability"], "probability");
                assert_eq!(ours["target"]["rank"], theirs["rank"]);
            }
        }
    }
}

#[test]
fn a_lens_is_a_table_a_chart_and_json() {
    let desk = desk();
    let desk = desk.path();
    let table = plumb_ok(
        desk,
        "lens --model builtin --text Lima --color kl --out lens",
    );
    assert!(
        table.contains("blocks.3.resid_post") && table.contains("logit lens"),
        "{table}"
    );
    let names: Vec<String> = files(&desk.join("lens")).into_iter().map(|f| f.0).collect();
    assert_eq!(
        names,
        ["chart.parquet", "chart.png", "chart.svg", "lens.json"]
    );
    let report = json(&std::fs::read_to_string(desk.join("lens/lens.json")).unwrap());
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(layers[0]["hook_point"], "blocks.0.resid_pre");
    assert_eq!(layers[4]["mean_kl"], 0.0, "the last layer is the model");
    assert_eq!(
        layers[0]["positions"][0]["top"].as_array().unwrap().len(),
        5
    );
    let masked = json(&plumb_ok(desk, "lens --model bert --text good --json"));
    assert_eq!(
        masked["aim"], "own",
        "a masked model is read at the token itself"
    );
    // A model without a language-model head has nothing to read the stream with.
    tiny_model(&desk.join("classifier"), "bert-classifier");
    let said = plumb_refuses(desk, "lens --model classifier --text good");
    assert!(said.contains("language-model head"), "{said}");
    plumb_refuses(desk, "lens --model builtin --text Lima --tuned nowhere");
    plumb_refuses(desk, "lens --model builtin --text Lima --top 0");
    plumb_refuses(desk, "lens params --model builtin --mlp-values --block 4");
    plumb_refuses(desk, "lens params --model builtin");
}

#[test]
fn translators_are_trained_saved_and_used_again() {
    let desk = desk();
    let desk = desk.path();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/sentiment.csv");
    let train = format!(
        "lens train --model builtin --data {data} --steps 40 --tokens 128 --rate 0.003 --quiet"
    );
    let report = json(&plumb_ok(desk, &format!("{train} --json --out tuned")));
    for layer in report["layers"].as_array().unwrap() {
        let value = |lens: &str| layer[lens]["value"].as_f64().unwrap();
        assert!(value("tuned_lens") < value("logit_lens"), "{layer}");
    }
    plumb_ok(desk, &format!("{train} --out again"));
    let bytes =
        |folder: &str| std::fs::read(desk.join(folder).join("translators.safetensors")).unwrap();
    assert_eq!(bytes("tuned"), bytes("again"), "same plan, same bytes");
    let kl = |options: &str| {
        let text = "lens --model builtin --json --text Lima";
        let report = json(&plumb_ok(desk, &format!("{text} {options}")));
        let of = |layer: &serde_json::Value| layer["mean_kl"].as_f64().unwrap();
        report["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(of)
            .collect::<Vec<_>>()
    };
    let (logit, tuned) = (kl(""), kl("--tuned tuned"));
    assert_eq!((logit[4], tuned[4]), (0.0, 0.0));
    assert_ne!(logit[1], tuned[1]);
    let said = plumb_refuses(desk, "lens --model llama --text good --tuned tuned");
    assert!(said.contains("belong to builtin"), "{said}");
}

#[test]
fn neurons_and_heads_speak_in_tokens() {
    let desk = desk();
    let desk = desk.path();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/truth.csv");
    let report = json(&plumb_ok(
        desk,
        &format!(
            "lens params --model builtin --mlp-values --ov --qk --block 3 --data {data} --texts 60 --json --quiet --out params"
        ),
    ));
    assert_eq!(report["neurons"].as_array().unwrap().len(), 10);
    assert_eq!(report["heads"].as_array().unwrap().len(), 8);
    let recovery = &report["recovery"][0];
    let (own, other) = (&recovery["recall"], &recovery["shuffled"]);
    assert!(
        own["low"].as_f64() > other["high"].as_f64(),
        "beyond the control: {recovery}"
    );
    assert!(desk.join("params/chart.svg").is_file());
}
