//! `plumb inspect` and `plumb models`: what is said of a model is true of it.

use crate::support::plumb_ok;
use plumb::model::FAMILIES;
use serde_json::Value;
use std::path::Path;

fn json(arguments: &str) -> Value {
    serde_json::from_str(&plumb_ok(Path::new("."), arguments)).unwrap()
}

#[test]
fn a_models_parameters_points_and_missing_sites_are_told() {
    let told = json("inspect builtin --json");
    // models/plumb-tiny: 1346 x 96 embeddings and 4 blocks of 4 x 96 x 96 + 3 x 96 x 256 + 2 x 96 numbers, one norm.
    let expected = 1346 * 96 + 4 * (4 * 96 * 96 + 3 * 96 * 256 + 2 * 96) + 96;
    assert_eq!(told["parameters"], expected);
    assert_eq!(told["spec"]["n_layers"], 4);
    let points = told["hook_points"].as_array().unwrap();
    let named = |name: &str| points.iter().find(|p| p["name"] == name);
    assert_eq!(named("blocks.3.mlp_post").unwrap()["shape"], "[token, 256]");
    assert_eq!(
        named("blocks.0.attn_pattern").unwrap()["shape"],
        "[text, 4, query, key]"
    );
    assert!(named("pos_embed").is_none());
    let absent = &told["absent_sites"][0];
    assert_eq!(absent["site"], "pos_embed");
    assert_eq!(
        absent["reason"],
        "positions are not added to the embeddings"
    );
}

#[test]
fn the_table_says_the_same_in_words() {
    let text = plumb_ok(Path::new("."), "inspect builtin");
    for part in [
        "builtin: llama, 4 blocks of width 96",
        "572,448 parameters in f32",
        "blocks.0-3.resid_mid",
        "no pos_embed: positions are not added to the embeddings",
        "at the default hook points",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[test]
fn every_family_is_listed() {
    let told = json("models --json");
    let listed = told["families"].as_array().unwrap();
    assert_eq!(listed.len(), FAMILIES.len());
    assert!(listed.iter().any(|f| f["model_type"] == "gemma3_text"));
}
