//! `plumb map`: runs as pictures, with how far they can be trusted.

use crate::support::{desk, json, plumb_ok, plumb_refuses};
use std::fs;
use std::path::Path;

fn places(desk: &Path) {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/places.csv");
    plumb_ok(
        desk,
        &format!("extract --model builtin --data {data} --pool last --out run --quiet"),
    );
}

#[test]
fn the_layer_film_shows_continents_separating() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    places(desk);
    let film = "map run --method pca --mean-by name --color continent --label-column name --labels Tokyo,Lima --quiet";
    let table = plumb_ok(desk, &format!("{film} --projector --out film"));
    assert!(table.contains("331 texts (means by name)"), "{table}");
    let entries = fs::read_dir(desk.join("film")).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "chart.parquet",
            "chart.png",
            "chart.svg",
            "map.json",
            "points.csv",
            "points.parquet",
            "projector"
        ]
    );
    let report = json(&fs::read_to_string(desk.join("film/map.json")).unwrap());
    let layers = report["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 6);
    let on_map = |layer: usize, bound: &str| {
        layers[layer]["same_color"]["on_map"][bound]
            .as_f64()
            .unwrap()
    };
    let chance = layers[2]["same_color"]["by_chance"].as_f64().unwrap();
    assert!(
        on_map(2, "low") > 4.0 * chance,
        "neighbours share a continent"
    );
    assert!(
        on_map(2, "low") > on_map(0, "high"),
        "and more so than on the map of the embeddings"
    );
    for layer in layers {
        // One frame: every map centred, of radius 1.
        let axis = |name: &str| -> Vec<f64> {
            let values = layer["places"][name].as_array().unwrap();
            values.iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let (x, y) = (axis("x"), axis("y"));
        let square: f64 = x.iter().chain(&y).map(|v| v * v).sum();
        assert!((square / 331.0 - 1.0).abs() < 1e-3 && x.iter().sum::<f64>().abs() < 0.1);
        let share = layer["variance"]["share"].as_array().unwrap();
        assert!(share[0].as_f64() >= share[1].as_f64());
    }
    let vectors =
        fs::read_to_string(desk.join("film/projector/blocks.1.resid_post.vectors.tsv")).unwrap();
    assert_eq!(vectors.lines().count(), 331);
    assert!(vectors.lines().all(|line| line.split('\t').count() == 96));
    let metadata = fs::read_to_string(desk.join("film/projector/metadata.tsv")).unwrap();
    assert_eq!(metadata.lines().next(), Some("name\tcontinent"));
    assert_eq!(metadata.lines().count(), 332);
    let points = fs::read_to_string(desk.join("film/points.csv")).unwrap();
    assert!(
        points.starts_with("name,continent,hook_point,x,y,torn\n"),
        "{}",
        &points[..99]
    );
    assert_eq!(points.lines().count(), 1 + 6 * 331);
    let chart = fs::read_to_string(desk.join("film/chart.svg")).unwrap();
    for said in [
        "layer by layer",
        "trustworthiness 0.",
        "Tokyo",
        "Europe",
        "data sha256",
    ] {
        assert!(chart.contains(said), "the chart says `{said}`");
    }
}

#[test]
fn umap_is_the_same_from_the_same_seed_on_any_number_of_threads() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    places(desk);
    let map = |threads: &str, seed: u64| {
        let arguments = format!(
            "map run --layer 2 --mean-by name --color latitude --epochs 60 --seeds 2 --seed {seed} --json --quiet"
        );
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_plumb"))
            .args(arguments.split_whitespace())
            .current_dir(desk)
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let one = map("1", 0);
    assert_eq!(one, map("3", 0));
    assert_ne!(one, map("1", 1));
    let layer = &json(&one)["layers"][0];
    assert_eq!(layer["hook_point"], "blocks.1.resid_post");
    assert!(
        layer["quality"]["trustworthiness"]["value"].as_f64() > Some(0.9),
        "{}",
        layer["quality"]
    );
    let overlap = layer["stability"]["overlap"]["value"].as_f64().unwrap();
    assert!(overlap > 5.0 * layer["stability"]["overlap_by_chance"].as_f64().unwrap());
}

#[test]
fn runs_of_tokens_are_mapped_and_coloured_by_what_runs_know() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --out tokens",
    );
    let report = json(&plumb_ok(
        desk,
        "map tokens --layer 1 --method pacmap --color token --no-special --json --quiet",
    ));
    assert_eq!(report["rows"]["unit"], "token");
    assert_eq!(report["layers"][0]["hook_point"], "blocks.0.resid_post");
    assert!(
        report["layers"][0]["duplicates"].as_u64() > Some(0),
        "reviews repeat themselves"
    );
    assert!(report["layers"][0]["same_color"]["on_map"]["value"].as_f64() > Some(0.2));
    let some = json(&plumb_ok(
        desk,
        "map tokens --layers 0-1 --method pca --color position --max-points 100 --json --quiet",
    ));
    assert_eq!(some["rows"]["points"], 100);
    assert_eq!(some["layers"].as_array().unwrap().len(), 2);
}

#[test]
fn what_cannot_be_mapped_is_refused_before_the_work() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --pool mean --out run",
    );
    for (options, said) in [
        (
            "--layer 9",
            "layer 9 is blocks.8.resid_post, and the run holds",
        ),
        ("--layer two", "a list with ranges"),
        ("--layer 3-1", "no range"),
        ("--point attn_z", "attn_z"),
        ("--color colour", "there is no column `colour`"),
        ("--labels x", "--label-column"),
        (
            "--labels Nobody --label-column author",
            "no point has this name",
        ),
        ("--no-special", "special tokens"),
        ("--max-points 5", "at least 8"),
        ("--neighbors 1 --layer 1", "at least 2"),
        ("--seeds 0 --layer 1", "at least 1"),
        ("--min-dist 3 --layer 1", "0 to the spread"),
        ("--method pacmap --metric cosine --layer 1", "euclid"),
        ("--mean-by nothing", "there is no column"),
    ] {
        let refusal = plumb_refuses(desk, &format!("map run {options} --quiet"));
        assert!(refusal.contains(said), "{options}: {refusal}");
    }
    plumb_refuses(desk, "map nowhere");
    plumb_refuses(desk, "map run --layer 1 --out reviews.csv --quiet");
}
