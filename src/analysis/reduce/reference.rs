//! Agreement with scikit-learn and umap-learn (tests/peers/make_map_reference.py).

use super::graph::Graph;
use super::quality::quality;
use super::umap::weights;
use crate::analysis::neighbors::{Correction, Metric, Rows, Space};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("../../../tests/peers/map-reference.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    let rows = value.as_array().unwrap().iter();
    let cells = rows.flat_map(|row| row.as_array().unwrap());
    cells.map(|v| v.as_f64().unwrap() as f32).collect()
}

fn ready(reference: &Value, k: usize) -> (Space, Graph) {
    let rows = Rows::new(6, numbers(&reference["rows"])).unwrap();
    let space = Space::new(&rows, Metric::Euclid, Correction::None, 0).unwrap();
    let graph = Graph::of(&space, k).unwrap();
    (space, graph)
}

#[test]
fn quality_is_scikit_learns() {
    let reference = reference();
    let (space, graph) = ready(&reference, 15);
    let map = numbers(&reference["map"]);
    let map: Vec<[f32; 2]> = map.chunks_exact(2).map(|p| [p[0], p[1]]).collect();
    for expected in reference["quality"].as_array().unwrap() {
        let k = expected["k"].as_u64().unwrap() as usize;
        let found = quality(&space, &graph, &map, k, 0).unwrap();
        for (name, value) in [
            ("trustworthiness", found.trustworthiness),
            ("continuity", found.continuity),
            ("preservation", found.preservation),
        ] {
            let expected = expected[name].as_f64().unwrap();
            assert!(
                (value.value - expected).abs() < 1e-9,
                "{name}({k}): {value:?} {expected}"
            );
            assert_eq!(value.low, None, "all rows are counted");
        }
    }
}

#[test]
fn weights_are_umap_learns() {
    let reference = reference();
    let fuzzy = &reference["fuzzy"];
    let (_, graph) = ready(&reference, 9);
    let found = weights(&graph, 9);
    let expected: Vec<(u32, u32, f64)> = fuzzy["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let id = |i: usize| e[i].as_u64().unwrap() as u32;
            (id(0), id(1), e[2].as_f64().unwrap())
        })
        .collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        assert!(
            (f64::from(found.2) - expected.2).abs() < 1e-4,
            "{found:?} {expected:?}"
        );
    }
}
