//! `--svg`, `--png` and `--chart-data`: the chart of the folder as single files, in every command that draws.

use crate::support::document::{shell, typed};
use std::fs;
use std::path::Path;

/// One line of each command that draws, on what `plumb demo` leaves.
const COMMANDS: &[&str] = &[
    "plumb probe demo/truth-run --label label --split-column split --controls text-length --lambda 0.01",
    "plumb transfer demo/truth-run --label label --split-column split --lambda 0.01",
    "plumb score --probe demo/truth/probes/final_norm.json --model builtin --text 'Lima is in Peru.'",
    "plumb map demo/places-run --layer 2 --method pca --mean-by name",
    "plumb lens --model builtin --text 'Lima is'",
    "plumb lens train --model builtin --data datasets/pos.csv --steps 2",
    "plumb lens params --model builtin --block 0 --mlp-values --data datasets/pos.csv --texts 20",
    "plumb nearest --model builtin --token ' Paris'",
    "plumb geometry demo/places-run --permutations 2",
    "plumb drift --model builtin --data datasets/edits.csv --limit 30 --resamples 20",
    "plumb drift --model builtin --original 'Lima is.' --edited 'Cairo is.'",
    "plumb gate --baseline demo/places-run --candidate demo/places-run",
];

#[test]
fn single_files_are_those_of_the_folder() {
    let desk = tempfile::tempdir().unwrap();
    shell(desk.path(), "plumb demo --out demo");
    for (i, command) in COMMANDS.iter().enumerate() {
        let line = format!(
            "{command} --out out-{i} --svg new/{i}.svg --png {i}.png --chart-data {i}.parquet"
        );
        // A gate that is closed has a chart too.
        let output = typed(desk.path(), &line);
        let said = String::from_utf8_lossy(&output.stderr);
        let closed = command.starts_with("plumb gate") && said.contains("the gate is closed");
        assert!(output.status.success() || closed, "{line}: {said}");
        let read = |name: String| fs::read(desk.path().join(&name)).expect(&name);
        for (single, kept) in [
            (format!("new/{i}.svg"), "chart.svg"),
            (format!("{i}.png"), "chart.png"),
            (format!("{i}.parquet"), "chart.parquet"),
        ] {
            assert_eq!(read(single), read(format!("out-{i}/{kept}")), "{line}");
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_command_that_fails_leaves_no_file_and_no_folder() {
    let desk = tempfile::tempdir().unwrap();
    shell(desk.path(), "plumb models");
    fs::write(desk.path().join("kept.png"), "mine").unwrap();
    let before = names(desk.path());
    for line in [
        "plumb lens --model builtin --text 'Lima is' --top 0 --svg a.svg --out a",
        "plumb lens --model builtin --text 'Lima is' --png kept.png --out a",
        "plumb lens params --model builtin --ov --svg a.svg --out a",
        "plumb nearest --model builtin --token 'no token' --svg a.svg --chart-data a.parquet --out a",
        "plumb drift --model builtin --original 'Lima' --edited '' --svg a.svg --out a",
    ] {
        let output = typed(desk.path(), line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert_eq!(names(desk.path()), before, "{line}");
    }
    assert_eq!(fs::read(desk.path().join("kept.png")).unwrap(), b"mine");
}
