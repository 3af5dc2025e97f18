//! `plumb report`: runs, and what was found in them, as one offline HTML page.

use super::output::{bytes, command_line};
use crate::error::{Error, Result};
use crate::report::html::{COMMANDS, Finding, Page, Picture, RunPart};
use crate::store::{Manifest, Run, write_atomically};
use crate::text::dataset::Values;
use std::path::{Path, PathBuf};

/// Put runs, and what was found in them, into one offline HTML page.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb report run/ probe/ --out report.html
  plumb report demo/

A folder is a run, the --out folder of an analysis, or a folder that holds such folders. The page loads nothing from the network; it
has at most 5 MB, for which figures with many points are thinned (the page says so).")]
pub(super) struct Args {
    /// Runs and results
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// The page to write
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
    /// The title of the page; default: the names of the folders
    #[arg(long)]
    title: Option<String>,
    /// Replace the page
    #[arg(long)]
    force: bool,
}

/// Rows of the data that a page shows, and columns.
const SAMPLE: (usize, usize) = (12, 10);
/// No result that plumb writes is larger.
const MOST_JSON: u64 = 256 << 20;

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    if args.out.exists() && !args.force {
        return Err(Error::OutputExists {
            path: args.out.clone(),
            advice: "--force to replace it",
        }
        .into());
    }
    let names: Vec<String> = args.folders.iter().map(|f| shown(f)).collect();
    let mut page = Page {
        title: args.title.clone().unwrap_or_else(|| names.join(", ")),
        command: command_line(),
        ..Page::default()
    };
    for folder in &args.folders {
        let (before, first) = (page.runs.len() + page.findings.len(), page.findings.len());
        collect(folder, &mut page)?;
        for inner in subfolders(folder)? {
            collect(&inner, &mut page)?;
        }
        page.findings[first..].sort_by_key(|finding| rank(&finding.command));
        if page.runs.len() + page.findings.len() == before {
            return Err(Error::BadRun {
                path: folder.clone(),
                problem: "it holds neither a run nor a result that plumb wrote; give the --out folder of `plumb extract` or of an analysis".to_owned(),
            }
            .into());
        }
    }
    let html = page.render()?;
    write_atomically(&args.out, html.as_bytes())?;
    Ok(format!(
        "{}: {} of {} and {} of {}\n",
        args.out.display(),
        bytes(html.len() as u64),
        super::output::count(page.runs.len(), "run"),
        super::output::count(page.findings.len(), "result"),
        names.join(", "),
    ))
}

/// The place of a result among those of one folder.
fn rank(command: &str) -> usize {
    let place = COMMANDS.iter().position(|name| *name == command);
    place.unwrap_or(COMMANDS.len())
}

/// What a folder itself holds.
fn collect(folder: &Path, page: &mut Page) -> Result<()> {
    if Manifest::is_run(folder) {
        page.runs.push(read_run(folder)?);
        return Ok(());
    }
    let figures = figures(folder)?;
    let before = page.findings.len();
    for path in files(folder, "json")? {
        let Some(result) = read_result(&path)? else {
            continue;
        };
        let command = path
            .file_stem()
            .and_then(|n| n.to_str())
            .unwrap_or_default();
        page.findings.push(Finding {
            command: command.to_owned(),
            name: shown(folder),
            result,
            // Figures belong to the folder, so they are shown once.
            figures: match page.findings.len() == before {
                true => figures.clone(),
                false => Vec::new(),
            },
        });
    }
    if page.findings.len() == before && !figures.is_empty() {
        page.findings.push(Finding {
            command: "figures".to_owned(),
            name: shown(folder),
            result: serde_json::Value::Null,
            figures,
        });
    }
    Ok(())
}

fn read_run(folder: &Path) -> Result<RunPart> {
    let run = Run::open(folder)?;
    let columns: Vec<String> = run
        .manifest()
        .plan
        .data
        .columns
        .iter()
        .take(SAMPLE.1)
        .cloned()
        .collect();
    let mut first = run.examples()?.into_iter().enumerate().collect::<Vec<_>>();
    first.dedup_by_key(|(_, example)| *example);
    first.truncate(SAMPLE.0);
    let mut rows = vec![Vec::new(); first.len()];
    for column in &columns {
        let values = run.column(column)?;
        for (row, (at, _)) in rows.iter_mut().zip(&first) {
            row.push(value(&values, *at));
        }
    }
    Ok(RunPart {
        name: shown(folder),
        manifest: run.manifest().clone(),
        sample: (columns, rows),
    })
}

fn value(values: &Values, row: usize) -> String {
    crate::analysis::probe::spelled(values, row).unwrap_or_default()
}

/// The JSON of an analysis; `None` for other JSON files.
fn read_result(path: &Path) -> Result<Option<serde_json::Value>> {
    let size = std::fs::metadata(path)
        .map_err(|e| Error::io(path, e))?
        .len();
    if size > MOST_JSON {
        return Ok(None);
    }
    let text = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(|e| Error::Malformed {
        path: path.to_owned(),
        problem: format!("{e}; make it again with the command that wrote it, or remove it"),
    })?;
    // The card of a trained probe is of the probe's numbers; what was found with them stands in probe.json.
    let result = value.get("schema_version").is_some() && value.get("tensors_sha256").is_none();
    Ok(result.then_some(value))
}

/// The figures of a folder, `chart.svg` first.
fn figures(folder: &Path) -> Result<Vec<Picture>> {
    let mut paths = files(folder, "svg")?;
    paths.sort_by_key(|p| (p.file_stem().is_none_or(|n| n != "chart"), p.clone()));
    paths
        .iter()
        .map(|path| {
            let svg = std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
            Picture::new(path, svg)
        })
        .collect()
}

fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    Ok(entries(folder)?
        .into_iter()
        .filter(|p| p.is_file() && p.extension().is_some_and(|e| e == extension))
        .collect())
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(entries(folder)?
        .into_iter()
        .filter(|p| p.is_dir())
        .collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Err(Error::NoSuchFile {
            path: folder.to_owned(),
        });
    }
    let io = |e| Error::io(folder, e);
    let entries = std::fs::read_dir(folder).map_err(io)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|e| e.map(|e| e.path()))
        .collect::<std::io::Result<_>>()
        .map_err(io)?;
    paths.sort();
    Ok(paths)
}

/// A folder as it was named, without the slash at its end.
fn shown(folder: &Path) -> String {
    folder
        .components()
        .collect::<PathBuf>()
        .display()
        .to_string()
}
