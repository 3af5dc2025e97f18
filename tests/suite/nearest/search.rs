//! How `plumb nearest` searches: exactly, as numpy, or by an index that says what it finds.

use super::ask;
use crate::support::{desk, json, minilm, plumb, plumb_ok, python, shared};
use plumb::store::FileVectors;
use std::path::Path;
use std::process::Command;

#[test]
fn an_index_says_what_it_finds_and_is_kept() {
    let desk = desk();
    plumb_ok(
        desk.path(),
        "extract --model bert --data reviews.csv --out run --quiet",
    );
    let arguments = [
        "run",
        "--row",
        "5",
        "--point",
        "blocks.1.resid_post",
        "--search",
        "hnsw",
    ];
    let first = ask(desk.path(), &arguments);
    assert_eq!(first["search"]["method"], "hnsw");
    assert_eq!(first["search"]["built"], true);
    assert_eq!(first["search"]["certificate"]["lost"], 0);
    let second = ask(desk.path(), &arguments);
    assert_eq!(second["search"]["built"], false);
    assert_eq!(second["neighbors"], first["neighbors"]);
    let exact = ask(
        desk.path(),
        &[
            "run",
            "--row",
            "5",
            "--point",
            "blocks.1.resid_post",
            "--search",
            "exact",
        ],
    );
    assert_eq!(exact["neighbors"], first["neighbors"]);
    // A demand that cannot be met, and a file that was damaged.
    let mut wanting = arguments.to_vec();
    wanting.extend(["--min-recall", "1.5"]);
    let fallen = ask(desk.path(), &wanting);
    assert_eq!(fallen["search"]["method"], "exact");
    assert!(
        fallen["search"]["reason"]
            .as_str()
            .unwrap()
            .contains("--min-recall")
    );
    let file = desk.path().join(first["search"]["file"].as_str().unwrap());
    std::fs::write(&file, b"PLUMBNN1 rubbish").unwrap();
    let output = plumb(
        desk.path(),
        "nearest run --row 5 --point blocks.1.resid_post --search hnsw --json",
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is built again"));
    assert_eq!(
        json(&String::from_utf8_lossy(&output.stdout))["search"]["built"],
        true
    );
    // What lies there does not harm the run.
    plumb_ok(desk.path(), "verify run");
}

#[test]
fn exact_neighbours_of_a_real_run_are_those_of_numpy() {
    let (Some(shared), Some(minilm)) = (shared(), minilm()) else {
        return;
    };
    let Some(python) = python(&["numpy", "polars"]) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let data = shared.join("datasets/places/places.csv");
    let table = std::fs::read_to_string(data).unwrap();
    let few: Vec<&str> = table.lines().take(1201).collect();
    std::fs::write(desk.path().join("places.csv"), few.join("\n")).unwrap();
    let point = "blocks.3.resid_post";
    let extract = format!(
        "extract --model {} --data places.csv --text-column name --points {point} --out run --quiet",
        minilm.display()
    );
    plumb_ok(desk.path(), &extract);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/nearest.py");
    let run = |arguments: &[&str]| {
        let output = Command::new(&python)
            .arg(&script)
            .args(arguments)
            .current_dir(desk.path())
            .output();
        let output = output.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        print!("{}", String::from_utf8_lossy(&output.stdout));
    };
    run(&["write", "run", point, "queries.npy", "300"]);
    assert_eq!(
        FileVectors::read(&desk.path().join("queries.npy"), None)
            .unwrap()
            .width,
        384
    );
    let said = plumb_ok(desk.path(), "nearest run --file queries.npy -k 10 --json");
    std::fs::write(desk.path().join("said.json"), said).unwrap();
    run(&["check", "run", point, "queries.npy", "said.json"]);
}
