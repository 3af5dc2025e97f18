//! Imports point down: data walks from text to picture once, and a file knows only what stands above it.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, top to bottom, as in ARCHITECTURE.md.
const LAYERS: &[&str] = &[
    "error", "hook", "text", "model", "store", "analysis", "figure", "report", "recipe", "cli",
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => rust_files(&path, files),
            false if path.extension().is_some_and(|e| e == "rs") => files.push(path),
            false => {}
        }
    }
}

/// The layer of a file below src, by its first component.
fn layer(file: &Path) -> Option<usize> {
    let first = file.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    LAYERS.iter().position(|l| *l == name)
}

/// Every `crate::NAME` in the text of a file, comments left out.
fn imports(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| {
            line.split("crate::")
                .skip(1)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .collect()
}

#[test]
fn imports_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 30, "the sources are where they were");
    let mut wrong = Vec::new();
    for path in &files {
        let file = path.strip_prefix(&root).unwrap();
        if ["lib.rs", "main.rs"].iter().any(|f| file == Path::new(f)) {
            continue;
        }
        let Some(own) = layer(file) else {
            wrong.push(format!("{} is in no layer of the table", file.display()));
            continue;
        };
        for import in imports(&fs::read_to_string(path).unwrap()) {
            let known = LAYERS.iter().position(|l| *l == import);
            // `crate::Error` and the like are re-exports of the crate's root.
            if known.is_some_and(|other| other > own) {
                wrong.push(format!("{} imports crate::{import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_table_in_architecture_md_is_the_one_tested_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '/', '.']).next())
        .filter(|name| LAYERS.contains(name))
        .collect();
    assert_eq!(rows, LAYERS, "the layer table lists the layers in order");
}

#[test]
fn only_ops_calls_the_fused_operations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    for path in files {
        let inside = path
            .strip_prefix(&root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        if !inside.starts_with("model/ops") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                !text.contains("candle_nn::"),
                "{inside} calls candle_nn past model/ops"
            );
        }
    }
}

#[test]
fn architecture_md_has_a_line_for_every_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    for path in &files {
        let file = path.strip_prefix(root.join("src")).unwrap();
        let name = file.to_string_lossy().replace('\\', "/");
        let listed = text.contains(&format!("- `{name}`: "));
        assert!(
            listed || ["lib.rs", "main.rs"].contains(&name.as_str()),
            "{name}"
        );
    }
    for line in text.lines().filter_map(|l| l.strip_prefix("- `")) {
        let name = line.split('`').next().unwrap();
        assert!(
            root.join("src").join(name).is_file(),
            "{name} is listed, but is not there"
        );
    }
}
