//! The real binary on real folders: what a user does, and what a user gets wrong.

use crate::support::{plumb, plumb_ok, plumb_refuses, reviews, tensors, tiny_model};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder with a BERT, a Llama and the reviews in it.
fn desk() -> TempDir {
    let desk = tempfile::tempdir().unwrap();
    tiny_model(&desk.path().join("bert"), "bert");
    tiny_model(&desk.path().join("llama"), "llama");
    fs::write(desk.path().join("reviews.csv"), reviews()).unwrap();
    desk
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap())
        .map(|e| {
            (
                e.file_name().into_string().unwrap(),
                fs::read(e.path()).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

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
        let names: Vec<String> = files(&folder).into_iter().map(|f| f.0).collect();
        assert_eq!(names, ["chart.png", "chart.svg", "probe.json"]);
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

/// Massive activations do not fit in 16 bits: they must not become infinities.
#[test]
fn half_precision_refuses_what_it_cannot_hold() {
    let desk = desk();
    let desk = desk.path();
    let weights = desk.join("llama/model.safetensors");
    let mut all = tensors(&weights);
    let norm = (&all["model.norm.weight"] * 1e6).unwrap();
    all.insert("model.norm.weight".to_owned(), norm);
    candle_core::safetensors::save(&all, &weights).unwrap();
    let extract = "extract --model llama --data reviews.csv --pool mean --out";
    let said = plumb_refuses(desk, &format!("{extract} half --dtype f16"));
    assert!(
        said.contains("dtype = f16") && said.contains("final_norm"),
        "{said}"
    );
    plumb_ok(desk, &format!("{extract} full"));
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

/// A killed run finishes with `--resume`, byte by byte as if it had not been killed.
#[test]
fn a_killed_run_resumes_to_the_same_bytes() {
    let desk = desk();
    let desk = desk.path();
    // Three shards of 65,536 tokens.
    let text = "the red film was very good . ".repeat(8);
    let rows: String = (0..2800).map(|i| format!("{text},{i}\n")).collect();
    fs::write(desk.join("data.csv"), format!("text,n\n{rows}")).unwrap();
    let extract = "extract --model llama --data data.csv --pool mean --out";
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(extract.split(' ').chain(["killed"]))
        .current_dir(desk)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !desk.join("killed/shard-00000.parquet").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it was killed in time");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = plumb_refuses(desk, "probe killed --label n");
    assert!(said.contains("--resume"), "{said}");
    let said = plumb_refuses(
        desk,
        "extract --model llama --data data.csv --pool last --out killed --resume",
    );
    assert!(
        said.contains("`pool` (\"mean\" in the run, \"last\" now)"),
        "{said}"
    );
    let said = plumb_ok(desk, &format!("{extract} killed --resume"));
    assert!(said.contains("from before"), "{said}");
    plumb_ok(desk, &format!("{extract} whole"));
    assert!(files(&desk.join("killed")) == files(&desk.join("whole")));
}

#[test]
fn an_output_folder_that_exists_is_kept_unless_it_is_a_run_and_force_is_given() {
    let desk = desk();
    let desk = desk.path();
    let extract = "extract --model bert --data reviews.csv --pool mean --out run";
    plumb_ok(desk, extract);
    let before = files(&desk.join("run"));
    let said = plumb_refuses(desk, extract);
    assert!(
        said.contains("--resume") && said.contains("--force"),
        "{said}"
    );
    plumb_refuses(
        desk,
        "extract --model nowhere --data reviews.csv --out run --force",
    );
    assert!(
        files(&desk.join("run")) == before,
        "a plan that cannot begin replaces nothing"
    );
    plumb_ok(desk, &format!("{extract} --force"));
    plumb_ok(desk, "probe run --label label --lambda 1 --out probe");
    let said = plumb_refuses(desk, "probe run --label label --lambda 1 --out probe");
    assert!(said.contains("--force"), "{said}");
    let said = plumb_refuses(
        desk,
        "probe run --label label --lambda 1 --out bert --force",
    );
    assert!(said.contains("plumb did not make it"), "{said}");
}

#[test]
fn damaged_runs_are_refused() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool mean --out run",
    );
    let shard = desk.join("run/shard-00000.parquet");
    let mut bytes = fs::read(&shard).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&shard, &bytes).unwrap();
    let said = plumb_refuses(desk, "verify run");
    assert!(
        said.contains("shard-00000.parquet") && said.contains("SHA-256"),
        "{said}"
    );
    fs::write(&shard, &bytes[..middle]).unwrap();
    plumb_refuses(desk, "probe run --label label");
    fs::remove_file(&shard).unwrap();
    let said = plumb_refuses(desk, "probe run --label label");
    assert!(said.contains("shard-00000.parquet: no such file"), "{said}");
    fs::write(desk.join("run/manifest.json"), "{\"schema_version\": 99}").unwrap();
    assert!(plumb_refuses(desk, "verify run").contains("use a newer plumb"));
    fs::write(desk.join("run/manifest.json"), "{").unwrap();
    assert!(plumb_refuses(desk, "verify run").contains("damaged"));
    assert!(plumb_refuses(desk, "verify bert").contains("this is no run"));
    assert!(plumb_refuses(desk, "verify nowhere").contains("no such file or folder"));
}

#[test]
fn bad_data_is_refused_in_one_sentence() {
    let desk = desk();
    let desk = desk.path();
    let cases: [(&str, &[u8], &str); 8] = [
        (
            "latin1.csv",
            b"text\ngood\ncaf\xe9\n",
            "line 3 is not valid UTF-8",
        ),
        ("zero.csv", b"", "no rows"),
        ("header.csv", b"text,label\n", "no rows"),
        (
            "blank.csv",
            b"text,label\ngood,1\n\" \",0\n",
            "row 1, column `text`: the text is empty",
        ),
        (
            "other.csv",
            b"txt,label\ngood,1\n",
            "no column `text`, did you mean `txt`?",
        ),
        ("ragged.csv", b"text,label\ngood,1\nbad\n", "line 3"),
        (
            "broken.jsonl",
            b"{\"text\": \"good\"}\n{\"text\": \n",
            "line 2",
        ),
        (
            "broken.parquet",
            b"PAR1 this is no parquet PAR1",
            "broken.parquet",
        ),
    ];
    for (name, bytes, expected) in cases {
        fs::write(desk.join(name), bytes).unwrap();
        let said = plumb_refuses(
            desk,
            &format!("extract --model bert --data {name} --out run"),
        );
        assert!(said.contains(expected), "{name}: {said}");
        assert!(!desk.join("run").exists(), "{name} leaves nothing");
    }
    let said = plumb_refuses(desk, "extract --model bert --data nowhere.csv --out run");
    assert!(
        said.contains("nowhere.csv: no such file or folder"),
        "{said}"
    );
    let said = plumb_refuses(
        desk,
        "extract --model bert --data reviews.csv --columns lable --out run",
    );
    assert!(said.contains("did you mean `label`?"), "{said}");
    fs::write(desk.join("taken.csv"), "text,example\ngood,1\n").unwrap();
    let said = plumb_refuses(desk, "extract --model bert --data taken.csv --out run");
    assert!(
        said.contains("column `example`") && said.contains("--columns"),
        "{said}"
    );
}

#[test]
fn bad_labels_are_refused_in_one_sentence() {
    let desk = desk();
    let desk = desk.path();
    let rows: String = (0..30)
        .map(|i| {
            format!(
                "good {i},same,{},{}\n",
                i % 15 == 0,
                if i == 3 { "" } else { "x" }
            )
        })
        .collect();
    fs::write(
        desk.join("data.csv"),
        format!("text,constant,rare,hole\n{rows}"),
    )
    .unwrap();
    plumb_ok(
        desk,
        "extract --model bert --data data.csv --pool mean --out run",
    );
    let refused = |arguments: &str| plumb_refuses(desk, &format!("probe run {arguments}"));
    assert!(refused("--label constant").contains("every row has the label `same`"));
    assert!(refused("--label hole").contains("every row has the label `x`"));
    let said = refused("--label rare");
    assert!(
        said.contains("`true`") && said.contains("5"),
        "too few for the folds: {said}"
    );
    assert!(refused("--label raer").contains("did you mean `rare`?"));
    assert!(refused("--label constant --kind ridge").contains("`same`"));
    assert!(refused("--label rare --lambda 0").starts_with("error: lambda = 0"));
    assert!(refused("--label rare --split-column constant").contains("same"));
    plumb_ok(desk, "extract --model bert --data data.csv --out tokens");
    assert!(plumb_refuses(desk, "probe tokens --label rare").contains("--pool"));
}

#[test]
fn bad_models_are_refused_in_one_sentence() {
    let desk = desk();
    let desk = desk.path();
    let weights = fs::read(desk.join("bert/model.safetensors")).unwrap();
    let config = fs::read_to_string(desk.join("bert/config.json")).unwrap();
    let refused = |expected: &str| {
        let said = plumb_refuses(desk, "extract --model bert --data reviews.csv --out run");
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!desk.join("run").exists());
    };
    let weights_file = desk.join("bert/model.safetensors");
    fs::write(&weights_file, &weights[..weights.len() / 2]).unwrap();
    refused("truncated or damaged");
    fs::write(&weights_file, &weights[..5]).unwrap();
    refused("no safetensors file");
    let mut lying = weights.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&weights_file, &lying).unwrap();
    refused("the header claims 18446744073709551615 bytes");
    let mut lying = weights.clone();
    lying[8] = b'[';
    fs::write(&weights_file, &lying).unwrap();
    refused("the safetensors header is invalid");
    let mut poisoned = weights.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights_file, &poisoned).unwrap();
    refused("the value is not finite (NaN)");
    fs::remove_file(&weights_file).unwrap();
    refused("has no model.safetensors");
    fs::write(&weights_file, &weights).unwrap();

    let with = |from: &str, to: &str, expected: &str| {
        assert!(config.contains(from), "{from}");
        fs::write(desk.join("bert/config.json"), config.replace(from, to)).unwrap();
        refused(expected);
    };
    with(
        "\"intermediate_size\": 64",
        "\"intermediate_size\": 48",
        "has shape [64, 32] where config.json implies [48, 32]",
    );
    with(
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 4",
        "the weight `bert.encoder.layer.3.",
    );
    with(
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 2",
        "are not part of the architecture",
    );
    with(
        "\"model_type\": \"bert\"",
        "\"model_type\": \"brt\"",
        "`brt` is not supported, did you mean `bert`?; supported are: bert, llama",
    );
    with(
        "\"is_decoder\": false",
        "\"is_decoder\": true",
        "`is_decoder` = true is not supported",
    );
    with(
        "\"use_cache\": true",
        "\"rotary_dim\": 4",
        "`rotary_dim` = 4 is not supported",
    );
    with(
        "\"hidden_act\": \"gelu\"",
        "\"hidden_act\": \"mish\"",
        "`hidden_act` = \"mish\" is not supported",
    );
    with("{", "[", "not a JSON object");
    fs::remove_file(desk.join("bert/config.json")).unwrap();
    refused("has no config.json");
    fs::write(desk.join("bert/config.json"), &config).unwrap();
    fs::write(desk.join("bert/tokenizer.json"), "{}").unwrap();
    refused("tokenizer.json");
    fs::remove_file(desk.join("bert/tokenizer.json")).unwrap();
    refused("has no tokenizer.json");
    let said = plumb_refuses(desk, "extract --model nowhere --data reviews.csv --out run");
    assert!(said.contains("nowhere: no such file or folder"), "{said}");
}

#[test]
fn wrong_hook_points_are_refused_with_the_nearest() {
    let desk = desk();
    let desk = desk.path();
    let refused = |points: &str| {
        plumb_refuses(
            desk,
            &format!("extract --model bert --data reviews.csv --out run --points {points}"),
        )
    };
    assert!(refused("resid_pots").contains("did you mean `resid_post`?"));
    assert!(refused("final_norm").contains("no such place"));
    assert!(refused("blocks.7.mlp_out").contains("it has 3 blocks, numbered 0 to 2"));
    assert!(refused("blocks.1.attn_pattern").contains("a row for each pair of tokens"));
    assert!(!desk.join("run").exists());
}

#[test]
fn a_sharded_checkpoint_is_the_same_model_and_a_bad_index_is_refused() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --pool mean --out whole",
    );
    let folder = desk.join("llama");
    let all = tensors(&folder.join("model.safetensors"));
    let (mut one, mut two) = (all.clone(), all.clone());
    one.retain(|name, _| name.contains("layers.1."));
    two.retain(|name, _| !name.contains("layers.1."));
    let index = |shard_of: &dyn Fn(&str) -> String| {
        let map: serde_json::Map<String, serde_json::Value> = all
            .keys()
            .map(|n| (n.clone(), shard_of(n).into()))
            .collect();
        let index = serde_json::json!({"metadata": {}, "weight_map": map});
        fs::write(
            folder.join("model.safetensors.index.json"),
            index.to_string(),
        )
        .unwrap();
    };
    candle_core::safetensors::save(&one, folder.join("a.safetensors")).unwrap();
    candle_core::safetensors::save(&two, folder.join("b.safetensors")).unwrap();
    fs::remove_file(folder.join("model.safetensors")).unwrap();
    let right =
        |n: &str| if n.contains("layers.1.") { "a" } else { "b" }.to_owned() + ".safetensors";
    index(&right);
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --pool mean --out sharded",
    );
    let read = |out: &str| {
        plumb::store::Run::open(&desk.join(out))
            .unwrap()
            .vectors("final_norm")
            .unwrap()
    };
    assert_eq!(read("whole"), read("sharded"));
    let refused = || plumb_refuses(desk, "extract --model llama --data reviews.csv --out other");
    index(&|_| "../../etc/passwd".to_owned());
    assert!(refused().contains("is not a safetensors file of this folder"));
    index(&|_| "c.safetensors".to_owned());
    assert!(refused().contains("has no c.safetensors"));
    index(&right);
    fs::copy(folder.join("a.safetensors"), folder.join("b.safetensors")).unwrap();
    assert!(refused().contains("is in two shards"));
}

/// A full disk: one sentence, and no shard that looks whole. Needs a small file system of its own.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_one_sentence_and_leaves_no_half_shard() {
    let desk = desk();
    let desk = desk.path();
    let disk = desk.join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&disk)
        .output();
    if !mount.is_ok_and(|m| m.status.success()) {
        eprintln!("skipped: needs the right to mount a small file system");
        return;
    }
    let said = plumb(
        desk,
        "extract --model bert --data reviews.csv --out disk/run",
    );
    let left: Vec<String> = files(&disk.join("run")).into_iter().map(|f| f.0).collect();
    std::process::Command::new("umount")
        .arg(&disk)
        .status()
        .unwrap();
    let stderr = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(
        stderr.contains("No space left on device") && stderr.lines().count() == 1,
        "{stderr}"
    );
    assert_eq!(left, ["manifest.json"]);
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
