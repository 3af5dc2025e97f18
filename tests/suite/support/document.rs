//! Documents that are tested: their commands, their tables, and a shell to run commands in.

use std::path::Path;
use std::process::{Command, Output};

/// The indented commands of a page with the heading that each stands under, in order.
pub(crate) fn commands(page: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        } else if let Some(command) = line.strip_prefix("    plumb ") {
            found.push((section.clone(), format!("plumb {command}")));
        }
    }
    found
}

/// The rows of the tables of a page, without their heads, by the heading that they stand under.
pub(crate) fn tables(page: &str) -> Vec<(String, Vec<Vec<String>>)> {
    let mut found: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    let mut section = String::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        } else if line.starts_with("| `") {
            let cells = line.trim_matches('|').split(" | ");
            let row = cells.map(|cell| cell.trim().to_owned()).collect();
            match found.last_mut().filter(|(name, _)| *name == section) {
                Some((_, rows)) => rows.push(row),
                None => found.push((section.clone(), vec![row])),
            }
        }
    }
    found
}

/// Runs a command as a reader would type it, where `plumb` is on the path, and the project's data and recipes are in the folder.
pub(crate) fn typed(folder: &Path, line: &str) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["datasets", "probes", "models"] {
        let link = folder.join(name);
        if !link.exists() {
            link_folder(&root.join(name), &link);
        }
    }
    let program = Path::new(env!("CARGO_BIN_EXE_plumb")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    Command::new("sh")
        .args(["-e", "-c", line])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(all).unwrap())
        .env("HF_HUB_OFFLINE", "1")
        .output()
        .unwrap()
}

#[cfg(unix)]
fn link_folder(from: &Path, to: &Path) {
    std::os::unix::fs::symlink(from, to).unwrap();
}

#[cfg(windows)]
fn link_folder(from: &Path, to: &Path) {
    std::os::windows::fs::symlink_dir(from, to).unwrap();
}

/// The same, and insists on success; returns standard output.
pub(crate) fn shell(folder: &Path, line: &str) -> String {
    let output = typed(folder, line);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}
