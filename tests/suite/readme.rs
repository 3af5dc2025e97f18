//! The README and the pages in `docs/` as a reader follows them: every command runs, and what the README says is printed is printed.

use crate::support::document::{shell, typed};
use crate::support::{minilm, python, shared};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A fenced block of a page.
struct Block {
    language: String,
    lines: Vec<String>,
    /// What stands in the text block that follows it.
    printed: Option<Vec<String>>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<(String, Vec<String>)> = None;
    // Output belongs to the commands that it stands directly under.
    let mut adjacent = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => open = Some((language.to_owned(), Vec::new())),
            (Some(_), Some((language, lines))) if language == "text" => {
                if let Some(block) = found.last_mut().filter(|_| adjacent) {
                    block.printed = Some(lines);
                }
                adjacent = false;
            }
            (Some(_), Some((language, lines))) => {
                found.push(Block {
                    language,
                    lines,
                    printed: None,
                });
                adjacent = true;
            }
            (None, Some((language, mut lines))) => {
                lines.push(line.to_owned());
                open = Some((language, lines));
            }
            (None, None) => {
                adjacent = false;
                assert!(
                    !line.starts_with("    "),
                    "a command in an indented block would escape this test: {line}"
                );
            }
        }
    }
    found
}

/// A command without the remark behind it.
fn command(line: &str) -> &str {
    line.split("   ").next().unwrap_or_default().trim()
}

/// What the page takes as given: a model and texts that are not the project's. `false`, with a clear line, where they are not there.
fn foreign(desk: &Path) -> bool {
    let (Some(model), Some(shared)) = (minilm(), shared()) else {
        return false;
    };
    let folder = desk.join("all-MiniLM-L6-v2");
    if folder.exists() {
        return true;
    }
    fs::create_dir(&folder).unwrap();
    for file in fs::read_dir(model).unwrap().map(|f| f.unwrap()) {
        if file.path().is_file() {
            let to = folder.join(file.file_name());
            fs::hard_link(file.path(), &to)
                .or_else(|_| fs::copy(file.path(), &to).map(|_| ()))
                .unwrap();
        }
    }
    // Some of them will do to see that the commands run.
    let sst = fs::read_to_string(shared.join("datasets/sst/sst.tsv")).unwrap();
    let mut lines = sst.lines();
    let head = lines.next().unwrap();
    let of = |part: &str| -> Vec<&str> {
        let rows = lines.clone().filter(|l| l.ends_with(part));
        rows.take(120).collect()
    };
    let rows = [vec![head], of("train"), of("test")].concat().join("\n");
    fs::write(desk.join("reviews.tsv"), rows + "\n").unwrap();
    // A class of the test words that no training word has is refused, so there are more of those.
    for (name, sentences) in [("en_ewt-ud-dev.conllu", 800), ("en_ewt-ud-test.conllu", 40)] {
        let all = fs::read_to_string(shared.join("datasets/ewt").join(name)).unwrap();
        let some: Vec<&str> = all.split("\n\n").take(sentences).collect();
        fs::write(desk.join(name), some.join("\n\n") + "\n\n").unwrap();
    }
    true
}

/// Runs a command that stands in a page; returns what it prints, if it was run.
fn follow(desk: &Path, line: &str) -> Option<String> {
    let line = command(line);
    if let Some(target) = line.strip_prefix("make ") {
        // What these do is done by other tests; that they are there is seen without doing it again.
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let dry = Command::new("make")
            .args(["--dry-run", target])
            .current_dir(root)
            .output();
        assert!(dry.unwrap().status.success(), "{line}");
        return None;
    }
    assert!(line.starts_with("plumb "), "who runs `{line}`?");
    Some(shell(desk, line))
}

fn run_python(desk: &Path, lines: &[String]) {
    let Some(python) = python(&["polars"]) else {
        return;
    };
    let script = desk.join("script.py");
    fs::write(&script, lines.join("\n")).unwrap();
    let line = format!("'{}' script.py", python.display());
    let output = typed(desk, &line);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

fn follow_page(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join(name)).unwrap();
    let desk = tempfile::tempdir().unwrap();
    for block in blocks(&page) {
        match block.language.as_str() {
            "sh" => {
                let needs = block.lines.iter().any(|l| l.contains("MiniLM"));
                if needs && !foreign(desk.path()) {
                    continue;
                }
                let printed = block.lines.iter().filter_map(|l| follow(desk.path(), l));
                let printed = printed.collect::<String>();
                if let Some(promised) = block.printed {
                    compare(&promised, &printed);
                }
            }
            "python" => run_python(desk.path(), &block.lines),
            other => panic!("{name}: nobody tests blocks of `{other}`"),
        }
    }
}

/// Line by line and word by word; numbers may differ in their last digits between processors, and `…` stands for the rest of a line.
fn compare(promised: &[String], printed: &str) {
    let printed: Vec<&str> = printed.lines().collect();
    assert_eq!(promised.len(), printed.len(), "{promised:#?}\n{printed:#?}");
    for (promised, printed) in promised.iter().zip(printed) {
        let mut found = printed.split_whitespace();
        for word in promised.split_whitespace() {
            if word == "…" {
                found = "".split_whitespace();
                break;
            }
            let same = found.next().is_some_and(|found| alike(word, found));
            assert!(same, "promised: {promised}\n printed: {printed}");
        }
        assert_eq!(
            found.next(),
            None,
            "promised: {promised}\n printed: {printed}"
        );
    }
}

fn alike(promised: &str, printed: &str) -> bool {
    let number = |word: &str| {
        let digits = word.replace(',', "");
        let digits = digits.trim_matches(|c: char| !c.is_ascii_digit() && c != '-');
        digits.parse::<f64>().ok()
    };
    promised == printed
        || match (number(promised), number(printed)) {
            (Some(a), Some(b)) => (a - b).abs() <= 0.02 + 0.02 * a.abs(),
            _ => false,
        }
}

#[test]
fn every_command_of_the_readme_runs_and_prints_what_it_promises() {
    follow_page("README.md");
}

#[test]
fn every_command_of_the_pages_runs() {
    for page in [
        "docs/models.md",
        "docs/runs.md",
        "docs/probes.md",
        "docs/space.md",
    ] {
        follow_page(page);
    }
}

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("plots/README.md")];
    pages.extend(
        fs::read_dir(root.join("docs"))
            .unwrap()
            .map(|f| f.unwrap().path()),
    );
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap();
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            assert!(to.exists(), "{}: {target}", page.display());
            if !anchor.is_empty() {
                let headings = fs::read_to_string(&to).unwrap().to_lowercase();
                let there = headings
                    .lines()
                    .filter_map(|l| l.strip_prefix('#'))
                    .any(|l| l.trim_matches(['#', ' ']).replace(' ', "-") == anchor);
                assert!(there, "{}: {target}", page.display());
            }
        }
    }
}
