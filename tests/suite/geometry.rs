//! `plumb geometry`: numbers against numpy, scipy and scikit-learn, and the program on real folders.

use crate::support::{desk, json, plumb_ok, plumb_refuses};
use plumb::analysis::geometry::{
    Hubness, Portrait, SimilarityParams, participation_ratio, similarity, two_nn,
};
use plumb::analysis::neighbors::{Correction, Metric, Rows, Space, neighbor_graph};
use plumb::analysis::reduce::Pca;
use serde_json::Value;
use std::path::Path;

fn rows(value: &Value) -> Rows {
    let table = value.as_array().unwrap();
    let cols = table[0].as_array().unwrap().len();
    let numbers = table.iter().flat_map(|row| row.as_array().unwrap());
    Rows::new(cols, numbers.map(|v| v.as_f64().unwrap() as f32).collect()).unwrap()
}

#[test]
fn every_number_is_that_of_its_definition() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/geometry-reference.json");
    let reference = json(&std::fs::read_to_string(path).unwrap());
    let expected = |name: &str| reference[name].as_f64().unwrap();
    let (x, y) = (rows(&reference["x"]), rows(&reference["y"]));
    let params = SimilarityParams {
        permutations: 10,
        seed: 0,
    };
    let (a, b) = (Portrait::of(&x, 0).unwrap(), Portrait::of(&y, 0).unwrap());
    let found = similarity(&a, &b, params).unwrap();
    let close = |name: &str, found: f64| {
        let off = (found - expected(name)).abs();
        assert!(off < 1e-4, "{name}: {found} is not {}", expected(name));
    };
    close("cka", found.cka.value.unwrap());
    close("procrustes", found.procrustes.value.unwrap());
    close("mutual_knn", found.mutual_knn.value.unwrap());
    close("two_nn", two_nn(&x, 0).unwrap().value);
    close("participation_ratio", participation_ratio(&x).unwrap());
    close("hub_skewness", Hubness::of(&x, 0).unwrap().skewness);
    let pca = Pca::fit(&x, 3).unwrap();
    for (i, share) in reference["pca_share"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
    {
        assert!((pca.share[i] - share.as_f64().unwrap()).abs() < 1e-4);
        let direction = reference["pca_components"][i].as_array().unwrap().iter();
        for (ours, theirs) in pca.components.row(i).iter().zip(direction) {
            assert!(
                (ours - theirs.as_f64().unwrap()).abs() < 1e-4,
                "component {i}"
            );
        }
    }
    let space = Space::new(&x, Metric::Cosine, Correction::None, 0).unwrap();
    let graph = neighbor_graph(&space, 10).unwrap();
    let graph: Vec<Vec<u32>> = graph
        .iter()
        .map(|near| near.iter().map(|n| n.row).collect())
        .collect();
    assert_eq!(serde_json::to_value(graph).unwrap(), reference["neighbors"]);
}

#[test]
fn layers_of_a_run_and_of_two_are_measured() {
    let desk = desk();
    for model in ["bert", "llama"] {
        let extract = format!(
            "extract --model {model} --data reviews.csv --pool mean --out run-{model} --quiet"
        );
        plumb_ok(desk.path(), &extract);
    }
    let one = json(&plumb_ok(
        desk.path(),
        "geometry run-bert --permutations 5 --out geometry --json --quiet",
    ));
    let layers = one["layers"].as_array().unwrap();
    let n = layers.len();
    assert_eq!(one["similarity"].as_array().unwrap().len(), n * (n - 1) / 2);
    for pair in one["similarity"].as_array().unwrap() {
        assert!(pair["cka"]["value"].as_f64().unwrap() <= 1.0 + 1e-9);
        assert!(pair["procrustes"]["null_mean"].is_number());
    }
    for layer in layers {
        assert!(layer["cosine"]["mean"].is_number() && layer["norm"]["median"].is_number());
    }
    for chart in [
        "chart",
        "procrustes",
        "mutual-knn",
        "cosine",
        "dimension",
        "hubness",
    ] {
        assert!(
            desk.path().join(format!("geometry/{chart}.png")).is_file(),
            "{chart}"
        );
    }
    plumb_ok(desk.path(), "report geometry --out page.html");
    let two = json(&plumb_ok(
        desk.path(),
        "geometry run-bert run-llama --permutations 0 --json --quiet",
    ));
    let other = two["other_layers"].as_array().unwrap().len();
    assert_eq!(two["similarity"].as_array().unwrap().len(), n * other);
    assert!(two["similarity"][0]["cka"].get("p").is_none());
    let table = plumb_ok(
        desk.path(),
        "geometry run-bert run-llama --permutations 2 --quiet",
    );
    assert!(
        table.contains("CKA (debiased); rows paired at random"),
        "{table}"
    );
}

#[test]
fn runs_of_other_rows_are_not_compared() {
    let desk = desk();
    plumb_ok(
        desk.path(),
        "extract --model bert --data reviews.csv --pool mean --out mean --quiet",
    );
    plumb_ok(
        desk.path(),
        "extract --model bert --data reviews.csv --out tokens --quiet",
    );
    let said = plumb_refuses(desk.path(), "geometry mean tokens");
    assert!(said.contains("its rows are not those of mean"), "{said}");
    let said = plumb_refuses(desk.path(), "geometry mean --points blocks.7.resid_post");
    assert!(said.contains("blocks.7.resid_post"), "{said}");
}
