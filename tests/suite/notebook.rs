//! `plumb notebook`: a valid notebook that runs, and finds the score that plumb found.

use crate::support::{json, plumb_ok, plumb_refuses, python};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The examples in `notebooks-export/`, and the commands that make them after `make demo`.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "truth",
        "notebook demo/truth-run --probe demo/truth --out notebooks-export/truth.ipynb",
    ),
    (
        "places",
        "notebook demo/places-run --probe demo/places --color continent --out notebooks-export/places.ipynb",
    ),
];

fn demo() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    plumb_ok(desk.path(), "demo --out demo");
    desk
}

#[test]
fn the_examples_are_what_the_program_writes_and_run() {
    let desk = demo();
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("notebooks-export");
    for (name, command) in EXAMPLES {
        plumb_ok(desk.path(), command);
        let file = format!("{name}.ipynb");
        let written = fs::read_to_string(desk.path().join("notebooks-export").join(&file)).unwrap();
        let kept = fs::read_to_string(committed.join(&file)).unwrap_or_default();
        assert!(
            written == kept,
            "make notebooks writes notebooks-export/{file} anew"
        );
        let notebook = json(&written);
        assert_eq!(notebook["nbformat"], 4);
        let cells = notebook["cells"].as_array().unwrap();
        assert!(
            cells
                .iter()
                .all(|c| c["id"].is_string() && c["source"].is_array())
        );
    }
    let packages = ["nbconvert", "ipykernel", "matplotlib", "polars", "sklearn"];
    let Some(python) = python(&packages) else {
        return;
    };
    for (name, _) in EXAMPLES {
        let output = Command::new(&python)
            .args([
                "-m",
                "nbconvert",
                "--to",
                "notebook",
                "--execute",
                "--output-dir",
                "executed",
            ])
            .arg(format!("notebooks-export/{name}.ipynb"))
            .current_dir(desk.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        let run = fs::read_to_string(desk.path().join(format!("executed/{name}.ipynb"))).unwrap();
        assert!(run.contains("largest difference between plumb and scikit-learn"));
        assert_eq!(
            run.matches("\"image/png\"").count(),
            3,
            "{name}: three charts"
        );
    }
}

#[test]
fn a_probe_of_another_run_is_refused() {
    let desk = demo();
    let refused = plumb_refuses(
        desk.path(),
        "notebook demo/truth-run --probe demo/places --out x.ipynb",
    );
    assert!(refused.contains("another run"), "{refused}");
    let path = desk.path().join("demo/truth/probe.json");
    let damaged = fs::read_to_string(&path).unwrap().replacen(
        "\"test_rows\": \"",
        "\"test_rows\": \"9999999-99999999,",
        1,
    );
    fs::write(&path, damaged).unwrap();
    let refused = plumb_refuses(
        desk.path(),
        "notebook demo/truth-run --probe demo/truth --out x.ipynb",
    );
    assert!(
        refused.contains("test_rows is no list of rows"),
        "{refused}"
    );
    assert!(!desk.path().join("x.ipynb").exists());
}
