//! The real binary on real folders: what a user does.

use crate::support::{desk, files, json, plumb, plumb_ok, plumb_refuses, reviews};
use std::fs;

#[test]
fn from_texts_to_a_probe_per_layer() {
    let desk = desk();
    let desk = desk.path();
    for (model, points) in [("bert", 4), ("llama", 5)] {
        let said = plumb_ok(
            desk,
            &format!("extract --model {model} --data reviews.csv --pool mean --out {model}-run"),
        );
        assert!(
            said.contains("48 examples") && said.contains(&format!("{points} hook points")),
            "{said}"
        );
        let table = plumb_ok(
            desk,
            &format!(
                "probe {model}-run --label label --split-column split --lambda 0.01 --out {model}-probe"
            ),
        );
        assert!(
            table.contains("accuracy") && table.contains("majority") && table.contains("shuffled")
        );
        let folder = desk.join(format!("{model}-probe"));
        let entries = fs::read_dir(&folder).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        assert_eq!(
            names,
            [
                "calibration.parquet",
                "calibration.png",
                "calibration.svg",
                "chart.parquet",
                "chart.png",
                "chart.svg",
                "confusion.parquet",
                "confusion.png",
                "confusion.svg",
                "probe.json",
                "probes"
            ]
        );
        assert!(
            fs::read(folder.join("chart.png"))
                .unwrap()
                .starts_with(b"\x89PNG")
        );
        let chart = fs::read_to_string(folder.join("chart.svg")).unwrap();
        for said in [
            "shuffled labels",
            "majority class",
            "resid_post of block",
            "plumb probe",
            "data sha256",
        ] {
            assert!(chart.contains(said), "the chart says `{said}`");
        }
        let report = json(&fs::read_to_string(folder.join("probe.json")).unwrap());
        let layers = report["layers"].as_array().unwrap();
        assert_eq!(layers.len(), points);
        assert_eq!(layers[0]["hook_point"], "blocks.0.resid_pre");
        assert_eq!(layers[1]["hook_point"], "blocks.0.resid_post");
        // The label is one word of the text, so even random weights keep it.
        assert_eq!(layers[0]["metrics"]["accuracy"]["value"], 1.0, "{model}");
        for layer in layers {
            let accuracy = &layer["metrics"]["accuracy"];
            let value = accuracy["value"].as_f64().unwrap();
            assert!(value >= 0.75, "{model} {layer}");
            assert!(
                accuracy["low"].as_f64() <= Some(value) && accuracy["high"].as_f64() >= Some(value)
            );
            assert_eq!(layer["controls"]["majority"], 0.5);
            assert!(layer["controls"]["shuffled"].as_f64().unwrap() < 0.9);
            assert_eq!(layer["convergence"]["status"], "converged");
        }
    }
}

#[test]
fn other_labels_splits_and_groups() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --pool last --out run",
    );
    let report = json(&plumb_ok(
        desk,
        "probe run --label stars --lambda 0.1 --json",
    ));
    assert_eq!(report["params"]["kind"], "ridge");
    assert!(report["layers"][0]["metrics"]["r2"]["value"].is_number());
    let report = json(&plumb_ok(
        desk,
        "probe run --label label --group author --lambda 0.1 --test-fraction 0.25 --json",
    ));
    assert_eq!(report["split"]["how"], "grouped by author");
    assert_eq!(
        report["split"]["test"].as_u64().unwrap() % 6,
        0,
        "whole authors"
    );
    let again = json(&plumb_ok(
        desk,
        "probe run --label label --group author --lambda 0.1 --test-fraction 0.25 --json",
    ));
    assert_eq!(report, again, "same plan, same bytes");
}

#[test]
fn pooling_is_of_the_tokens_that_a_run_without_pooling_stores() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(desk, "extract --model bert --data reviews.csv --out tokens");
    let run = plumb::store::Run::open(&desk.join("tokens")).unwrap();
    let examples = run.examples().unwrap();
    let point = "blocks.2.resid_post";
    let tokens = run.vectors(point).unwrap();
    // Eight words, [CLS] and [SEP] around them.
    assert_eq!(examples.iter().filter(|e| **e == 5).count(), 9);
    let rows = |special: bool| -> Vec<&[f32]> {
        let rows = (0..examples.len()).filter(|r| examples[*r] == 5);
        let all: Vec<&[f32]> = rows.map(|r| &tokens.values[r * 32..(r + 1) * 32]).collect();
        if special {
            all
        } else {
            all[1..all.len() - 1].to_vec()
        }
    };
    for (pool, special) in [
        ("mean", true),
        ("last", true),
        ("first", false),
        ("max", false),
        ("mean", false),
    ] {
        let flag = if special { "" } else { "--no-special" };
        let out = format!("{pool}{special}");
        plumb_ok(
            desk,
            &format!("extract --model bert --data reviews.csv --pool {pool} {flag} --out {out}"),
        );
        let run = plumb::store::Run::open(&desk.join(&out)).unwrap();
        assert_eq!(run.rows(), 48);
        let pooled = run.vectors(point).unwrap();
        let pooled = &pooled.values[5 * 32..6 * 32];
        let rows = rows(special);
        for (j, value) in pooled.iter().enumerate() {
            let column: Vec<f64> = rows.iter().map(|r| f64::from(r[j])).collect();
            let expected = match pool {
                "mean" => column.iter().sum::<f64>() / column.len() as f64,
                "last" => column[column.len() - 1],
                "first" => column[0],
                _ => column.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b)),
            };
            assert!(
                (f64::from(*value) - expected).abs() < 1e-5,
                "{pool} {special} {j}"
            );
        }
    }
}

#[test]
fn what_is_stored_is_what_the_model_computed() {
    use plumb::hook::{HookSet, NoHook, Recorder, Stack};
    use plumb::model::{Model, ModelSource};
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --points resid_post,blocks.1.attn_z,attn_k,logits --out run",
    );
    let run = plumb::store::Run::open(&desk.join("run")).unwrap();
    let model = plumb::model::load(&ModelSource::folder(desk.join("llama")))
        .unwrap()
        .model;
    let tokenizer = plumb::text::tokens::Tokenizer::from_folder(&desk.join("llama")).unwrap();
    let text = reviews()
        .lines()
        .nth(8)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned();
    let tokens = tokenizer.encode(&text, None).unwrap();
    let batch = plumb::text::batch::Batch::new(&[&tokens.ids]).unwrap();
    let mut recorder = Recorder::new(HookSet::new(model.spec().points()));
    let mut whole = NoHook;
    model
        .forward(&batch, &mut Stack(vec![&mut recorder, &mut whole]))
        .unwrap();
    let examples = run.examples().unwrap();
    let first = examples.iter().position(|e| *e == 7).unwrap();
    assert_eq!(run.point_names().len(), 3 + 1 + 3 + 1);
    for point in run.point_names() {
        let stored = run.vectors(&point).unwrap();
        let alone = recorder.get(point.parse().unwrap()).unwrap();
        let alone = alone.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let start = first * stored.width;
        for (a, b) in alone.iter().zip(&stored.values[start..]) {
            assert!((a - b).abs() < 1e-5, "{point}");
        }
    }
}

#[test]
fn same_plan_same_bytes() {
    let desk = desk();
    let desk = desk.path();
    for out in ["a", "b"] {
        plumb_ok(
            desk,
            &format!("extract --model llama --data reviews.csv --out {out}"),
        );
    }
    assert!(files(&desk.join("a")) == files(&desk.join("b")));
    plumb_ok(desk, "verify a");
}

#[test]
fn half_precision_on_disk_is_rounded_once() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool mean --out full",
    );
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool mean --dtype f16 --out half",
    );
    let read = |out: &str| {
        plumb::store::Run::open(&desk.join(out))
            .unwrap()
            .vectors("blocks.0.resid_pre")
            .unwrap()
    };
    let rounded: Vec<f32> = read("full")
        .values
        .iter()
        .map(|v| half::f16::from_f32(*v).to_f32())
        .collect();
    assert_eq!(read("half").values, rounded);
}

#[test]
fn token_ids_need_no_tokenizer_and_get_nothing_added() {
    let desk = desk();
    let desk = desk.path();
    fs::remove_file(desk.join("llama/tokenizer.json")).unwrap();
    fs::write(
        desk.join("ids.jsonl"),
        "{\"ids\": [5, 6, 7], \"n\": 1}\n{\"ids\": [9], \"n\": 2}\n",
    )
    .unwrap();
    plumb_ok(
        desk,
        "extract --model llama --data ids.jsonl --ids-column ids --out run",
    );
    let run = plumb::store::Run::open(&desk.join("run")).unwrap();
    assert_eq!(run.examples().unwrap(), [0, 0, 0, 1]);
    assert_eq!(run.manifest().plan.data.columns, ["n"]);
    let said = plumb_refuses(desk, "extract --model llama --data reviews.csv --out other");
    assert!(said.contains("has no tokenizer.json"), "{said}");
    fs::write(
        desk.join("bad.jsonl"),
        "{\"ids\": [5]}\n{\"ids\": [5, 96]}\n",
    )
    .unwrap();
    let said = plumb_refuses(
        desk,
        "extract --model llama --data bad.jsonl --ids-column ids --out other",
    );
    assert!(said.contains("row 1: token id 96"), "{said}");
}

#[test]
fn long_texts_are_cut_with_a_count_or_refused() {
    let desk = desk();
    let desk = desk.path();
    let long = "red ".repeat(100);
    fs::write(desk.join("long.csv"), format!("text\nblue day\n{long}\n")).unwrap();
    let output = plumb(desk, "extract --model bert --data long.csv --out run");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "note: 1 text cut to the model's 64 tokens (the longest had 102; 38 tokens lost)\n"
    );
    let manifest = json(&fs::read_to_string(desk.join("run/manifest.json")).unwrap());
    assert_eq!(
        manifest["truncation"],
        serde_json::json!({"texts": 1, "tokens": 38, "longest": 102})
    );
    let said = plumb_refuses(
        desk,
        "extract --model bert --data long.csv --no-truncate --out other",
    );
    assert!(said.contains("row 1: 102 tokens"), "{said}");
    assert!(!desk.join("other").exists());
}

/// A run that is not finished says so, and does not go on as another one.
#[test]
fn an_unfinished_run_is_not_taken_for_a_run() {
    let desk = desk();
    let desk = desk.path();
    let extract = "extract --model llama --data reviews.csv --pool mean --out run";
    plumb_ok(desk, extract);
    let manifest = desk.join("run/manifest.json");
    let finished = fs::read_to_string(&manifest).unwrap();
    let unfinished = finished.replace("\"complete\": true", "\"complete\": false");
    fs::write(&manifest, unfinished).unwrap();
    let said = plumb_refuses(desk, "probe run --label label");
    assert!(said.contains("--resume"), "{said}");
    let said = plumb_refuses(
        desk,
        &format!("{} --resume", extract.replace("mean", "last")),
    );
    assert!(
        said.contains("`pool` (\"mean\" in the run, \"last\" now)"),
        "{said}"
    );
    let said = plumb_ok(desk, &format!("{extract} --resume"));
    assert!(said.contains("from before"), "{said}");
    assert_eq!(fs::read_to_string(&manifest).unwrap(), finished);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool mean --out run",
    );
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args("probe run --label label --lambda 1 --json".split(' '))
        .current_dir(desk)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let desk = tempfile::tempdir().unwrap();
    let help = plumb_ok(desk.path(), "--help");
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|l| !l.starts_with("Commands:"))
        .skip(1)
        .take_while(|l| !l.trim().is_empty())
        .filter_map(|l| l.split_whitespace().next())
        .filter(|c| *c != "help")
        .collect();
    assert!(commands.len() >= 4, "{help}");
    for command in commands {
        let help = plumb_ok(desk.path(), &format!("{command} --help"));
        assert!(help.contains("Example"), "{command}: {help}");
        assert!(help.contains(&format!("  plumb {command}")), "{command}");
    }
}

#[test]
fn shells_get_completions_of_every_command() {
    let desk = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = plumb_ok(desk.path(), &format!("completions {shell}"));
        for word in ["extract", "probe", "split-column"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let desk = tempfile::tempdir().unwrap();
    plumb_ok(desk.path(), "man --out pages");
    let main = std::fs::read_to_string(desk.path().join("pages/plumb.1")).unwrap();
    let page = std::fs::read_to_string(desk.path().join("pages/plumb-probe.1")).unwrap();
    assert!(
        main.contains(".TH plumb 1") && main.contains("plumb\\-probe(1)"),
        "{main}"
    );
    assert!(
        page.contains(".TH plumb-probe 1") && page.contains("Examples:"),
        "{page}"
    );
    assert_eq!(plumb_ok(desk.path(), "man probe"), page);
    plumb_ok(desk.path(), "man --out pages --force");
}
