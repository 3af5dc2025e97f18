//! `plumb nearest`, asked as its user would ask.

mod search;

use crate::support::{desk, json, plumb, plumb_ok, plumb_refuses};
use plumb::analysis::inference::Bootstrap;
use plumb::analysis::neighbors::{Correction, Metric, Rows, Space, nearest};
use plumb::model::{Model, ModelSource, greedy, load};
use plumb::text::tokens::Tokenizer;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// `plumb nearest … --json` with arguments that hold spaces.
fn ask(folder: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .arg("nearest")
        .args(arguments)
        .arg("--json")
        .current_dir(folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    json(&String::from_utf8(output.stdout).unwrap())
}

fn neighbors(said: &Value) -> &Vec<Value> {
    said["neighbors"].as_array().unwrap()
}

#[test]
fn the_nearest_tokens_of_a_city_are_cities_of_its_country() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("datasets/places.csv")).unwrap();
    let tokenizer = Tokenizer::open(&ModelSource::Builtin).unwrap();
    let mut country: BTreeMap<u32, String> = BTreeMap::new();
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        // Names of several tokens have no vector of their own.
        if let Ok(id) = tokenizer.one_token(&format!(" {}", cells[1])) {
            country.insert(id, cells[4].to_owned());
        }
    }
    let model = load(&ModelSource::Builtin).unwrap();
    let vectors = model.model.token_vectors().unwrap();
    let width = vectors.dim(1).unwrap();
    let vectors: Vec<f32> = vectors.flatten_all().unwrap().to_vec1().unwrap();
    let rows = Rows::new(width, vectors).unwrap();
    let space = Space::new(&rows, Metric::Cosine, Correction::None, 0).unwrap();
    let (mut hits, mut chances) = (Vec::new(), Vec::new());
    let same = |a: u32, b: u32| country.get(&a).is_some_and(|c| country.get(&b) == Some(c));
    for city in country.keys().copied() {
        let others = country
            .keys()
            .filter(|o| **o != city && same(city, **o))
            .count();
        if others == 0 {
            continue;
        }
        let query = space.query(rows.row(city as usize)).unwrap();
        let own = space.different_row(city as usize);
        let found = &nearest(&space, &[query], 3, &[own]).unwrap()[0];
        let found = found.iter().map(|f| space.members(f.row as usize)[0]);
        hits.push(found.filter(|f| same(city, *f)).count() as f64 / 3.0);
        // The stricter chance: a random city, not a random token.
        chances.push(others as f64 / (country.len() - 1) as f64);
    }
    let n = hits.len();
    let mean = |values: &[f64], weights: &[f64]| {
        let total: f64 = weights.iter().sum();
        let sum: f64 = values.iter().zip(weights).map(|(v, w)| v * w).sum();
        (total > 0.0).then_some(sum / total)
    };
    let share = mean(&hits, &vec![1.0; n]).unwrap();
    let chance = mean(&chances, &vec![1.0; n]).unwrap();
    let interval = Bootstrap::default()
        .intervals(n, None, |weights| vec![mean(&hits, weights)])
        .unwrap()[0]
        .unwrap();
    println!(
        "of the 3 tokens nearest to each of {n} cities, {share:.3} [{:.3}, {:.3}] are cities of its country; of random cities {chance:.3}",
        interval.0, interval.1
    );
    assert!(n > 50, "{n} cities are tokens");
    assert!(interval.0 > 3.0 * chance, "{share} {interval:?} {chance}");
}

#[test]
fn a_token_is_left_out_and_its_neighbours_come_best_first() {
    let desk = tempfile::tempdir().unwrap();
    for space in ["embed", "unembed"] {
        for (metric, descending) in [("cosine", true), ("dot", true), ("euclid", false)] {
            let said = ask(
                desk.path(),
                &[
                    "--model", "builtin", "--token", " Paris", "--space", space, "-k", "7",
                    "--metric", metric,
                ],
            );
            let found = neighbors(&said);
            assert_eq!(found.len(), 7);
            let scores: Vec<f64> = found.iter().map(|f| f["score"].as_f64().unwrap()).collect();
            assert!(
                scores.is_sorted_by(|a, b| if descending { a >= b } else { a <= b }),
                "{scores:?}"
            );
            assert!(
                found
                    .iter()
                    .all(|f| f["token"] != "ĠParis" && f["token_id"].is_u64())
            );
            assert_eq!(said["schema_version"], 1);
            assert_eq!(said["queries"][0]["without"][0], "ĠParis");
            assert!(said["baseline"]["mean"].is_number() && said["baseline"]["p99"].is_number());
        }
    }
}

#[test]
fn corrections_move_the_baseline_towards_zero() {
    let desk = tempfile::tempdir().unwrap();
    for correction in ["center", "standardize", "abtt", "csls"] {
        let said = ask(
            desk.path(),
            &[
                "--model",
                "builtin",
                "--token",
                "Paris",
                "--correction",
                correction,
            ],
        );
        assert_eq!(said["correction"], correction);
        if correction != "csls" {
            let number = |name: &str| said["baseline"][name].as_f64().unwrap();
            let (before, after) = (number("uncorrected_mean"), number("mean"));
            // Tokens that were never trained lie together, so not all of it goes.
            assert!(after.abs() < 0.5 * before, "{correction}: {before} {after}");
        }
        assert_eq!(neighbors(&said).len(), 10);
    }
}

#[test]
fn what_the_model_would_say_is_nearest_to_its_last_state() {
    let desk = tempfile::tempdir().unwrap();
    let text = "Paris is in";
    let said = ask(
        desk.path(),
        &[
            "--model", "builtin", "--text", text, "--layer", "3", "--space", "unembed", "--metric",
            "dot", "-k", "1",
        ],
    );
    let tokenizer = Tokenizer::open(&ModelSource::Builtin).unwrap();
    let model = load(&ModelSource::Builtin).unwrap();
    let ids = tokenizer.encode(text, None).unwrap().ids;
    let next = greedy(&model.model, &ids, 1).unwrap();
    assert_eq!(neighbors(&said)[0]["token_id"], *next.last().unwrap());
    // The final norm's own point is the same place.
    let normed = ask(
        desk.path(),
        &[
            "--model",
            "builtin",
            "--text",
            text,
            "--point",
            "final_norm",
            "--space",
            "unembed",
            "--metric",
            "dot",
            "-k",
            "1",
        ],
    );
    assert_eq!(neighbors(&normed), neighbors(&said));
    assert!(model.model.spec().final_norm);
}

#[test]
fn a_text_of_the_run_finds_its_own_row_first() {
    let desk = desk();
    for (pool, rows) in [("mean", "pooled"), ("none", "tokens")] {
        let extract =
            format!("extract --model bert --data reviews.csv --pool {pool} --out {rows} --quiet");
        plumb_ok(desk.path(), &extract);
        let text = "The blue day was very bad .";
        let said = ask(
            desk.path(),
            &[
                rows,
                "--text",
                text,
                "--point",
                "blocks.1.resid_post",
                "-k",
                "3",
            ],
        );
        let first = &neighbors(&said)[0];
        assert!(
            (first["score"].as_f64().unwrap() - 1.0).abs() < 1e-6,
            "{first}"
        );
        assert!(first["example"].is_u64());
        assert_eq!(first["position"].is_u64(), pool == "none");
        let table = plumb_ok(
            desk.path(),
            &format!("nearest {rows} --row 3 --point blocks.0.resid_post"),
        );
        assert!(table.contains("random pairs"), "{table}");
    }
    let said = ask(
        desk.path(),
        &[
            "pooled",
            "--row",
            "3",
            "--point",
            "blocks.1.resid_post",
            "-k",
            "100",
        ],
    );
    let without = said["queries"][0]["without"][0].as_str().unwrap();
    assert_eq!(without, "3");
    // Every text stands twice in the data, which count once.
    let found = neighbors(&said).len();
    let (rows, copies) = (
        said["space"]["rows"].as_u64().unwrap(),
        said["space"]["duplicates"].as_u64().unwrap(),
    );
    assert_eq!((rows + copies, found as u64), (48, rows - 1));
}

#[test]
fn sums_files_and_directions_are_vectors_too() {
    let desk = tempfile::tempdir().unwrap();
    let sum = ask(
        desk.path(),
        &["--model", "builtin", "--expr", "' Paris' + 0 * ' Rome'"],
    );
    let token = ask(
        desk.path(),
        &["--model", "builtin", "--token", "Paris", "-k", "11"],
    );
    let ids = |said: &Value| -> Vec<u64> {
        neighbors(said)
            .iter()
            .map(|f| f["token_id"].as_u64().unwrap())
            .collect()
    };
    let rome = Tokenizer::open(&ModelSource::Builtin)
        .unwrap()
        .one_token(" Rome")
        .unwrap();
    let expected: Vec<u64> = ids(&token)
        .into_iter()
        .filter(|id| *id != u64::from(rome))
        .take(10)
        .collect();
    assert_eq!(ids(&sum), expected);
    let model = load(&ModelSource::Builtin).unwrap();
    let vectors = model.model.token_vectors().unwrap();
    let rows: Vec<Vec<f32>> = vectors.narrow(0, 300, 2).unwrap().to_vec2().unwrap();
    std::fs::write(
        desk.path().join("two.json"),
        serde_json::to_string(&rows).unwrap(),
    )
    .unwrap();
    let file = ask(
        desk.path(),
        &["--model", "builtin", "--file", "two.json", "-k", "2"],
    );
    let found = neighbors(&file);
    assert_eq!(found.len(), 4);
    assert_eq!(
        (found[0]["token_id"].as_u64(), found[2]["token_id"].as_u64()),
        (Some(300), Some(301))
    );
    assert_eq!(found[2]["query"], 1);
    let direction = ask(
        desk.path(),
        &[
            "--model",
            "builtin",
            "--file",
            "two.json",
            "--direction",
            "--correction",
            "center",
        ],
    );
    assert_ne!(neighbors(&direction)[0]["score"], 1.0);
}

#[test]
fn the_folder_has_a_chart_that_a_report_shows() {
    let desk = tempfile::tempdir().unwrap();
    plumb_ok(
        desk.path(),
        "nearest --model builtin --token Paris --out near",
    );
    for file in ["nearest.json", "chart.svg", "chart.png", "chart.parquet"] {
        assert!(desk.path().join("near").join(file).is_file(), "{file}");
    }
    let svg = std::fs::read_to_string(desk.path().join("near/chart.svg")).unwrap();
    assert!(svg.contains("random pairs") && svg.contains("plumb nearest"));
    plumb_ok(desk.path(), "report near --out page.html");
}

#[test]
fn what_cannot_be_asked_is_refused_in_a_sentence() {
    let desk = desk();
    plumb_ok(
        desk.path(),
        "extract --model bert --data reviews.csv --pool mean --out run --quiet",
    );
    std::fs::write(desk.path().join("wide.json"), "[1, 2, 3]").unwrap();
    std::fs::write(desk.path().join("zero.json"), format!("{:?}", [0.0; 32])).unwrap();
    for (arguments, said) in [
        ("--model builtin --token Zzzyzx", "it is "),
        ("--model builtin --token Paris -k 0", "k = 0"),
        ("--model builtin --text Paris", "--layer or --point"),
        (
            "--model builtin --text Paris --layer 9",
            "blocks.9.resid_post",
        ),
        (
            "--model builtin --text Paris --layer 1 --position 9",
            "position = 9",
        ),
        ("--model builtin --expr 'Paris'+", "expr ="),
        ("run --row 99 --point blocks.0.resid_post", "row = 99"),
        ("run --row 0", "several hook points"),
        (
            "run --file wide.json --point blocks.0.resid_post",
            "3 numbers",
        ),
        (
            "run --file zero.json --point blocks.0.resid_post",
            "zero vector",
        ),
        (
            "run --model llama --text film --point blocks.0.resid_post",
            "other weights",
        ),
        (
            "run --row 0 --point blocks.0.resid_post --metric dot --search hnsw",
            "needs a distance",
        ),
        ("nowhere --row 0", "nowhere"),
    ] {
        let sentence = plumb_refuses(desk.path(), &format!("nearest {arguments}"));
        assert!(sentence.contains(said), "{arguments}: {sentence}");
    }
    let output = plumb(desk.path(), "nearest --model builtin");
    assert_eq!(output.status.code(), Some(2));
}
