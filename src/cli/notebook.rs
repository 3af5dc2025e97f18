//! `plumb notebook`: a run as a Jupyter notebook.

use super::output::command_line;
use crate::error::{Error, Result};
use crate::report::notebook::{Notebook, ProbeCells};
use crate::report::probe::rows_of;
use crate::store::{Run, write_atomically};
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// Write a Jupyter notebook that reads a run and fits its probe again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb notebook run/ --out notebooks-export/run.ipynb
  plumb notebook run/ --probe probe/ --color label --out run.ipynb

The notebook finds the run by its path from the notebook's own folder. It asserts that scikit-learn's probe has the score that plumb's has.")]
pub(super) struct Args {
    /// Folder of a run
    run: PathBuf,
    /// The --out folder of a `plumb probe` of that run
    #[arg(long, value_name = "DIR")]
    probe: Option<PathBuf>,
    /// Column that colours the map of one layer; default: the probe's label
    #[arg(long, value_name = "C")]
    color: Option<String>,
    /// The notebook to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the notebook
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    if args.out.exists() && !args.force {
        return Err(Error::OutputExists {
            path: args.out.clone(),
            advice: "--force to replace it",
        }
        .into());
    }
    let run = Run::open(&args.run)?;
    let probe = args
        .probe
        .as_deref()
        .map(|p| Probe::read(p, &run))
        .transpose()?;
    let color = match (&args.color, &probe) {
        (Some(color), _) => Some(checked_column(&run, color)?),
        (None, Some(probe)) => probe.label.first().cloned(),
        (None, None) => None,
    };
    let folder = match args.out.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let notebook = Notebook {
        command: command_line(),
        run: relative(folder, &args.run)?,
        manifest: run.manifest(),
        color,
        probe: match probe {
            Some(probe) => Some(ProbeCells {
                path: relative(folder, &probe.path)?,
                train: probe.train,
                test: probe.test,
            }),
            None => None,
        },
    };
    let mut text = serde_json::to_string_pretty(&notebook.to_json())?;
    text.push('\n');
    write_atomically(&args.out, text.as_bytes())?;
    Ok(format!("{}\n", args.out.display()))
}

/// What a notebook needs of a `probe.json`.
struct Probe {
    path: PathBuf,
    label: Vec<String>,
    train: Vec<usize>,
    test: Vec<usize>,
}

impl Probe {
    fn read(folder: &Path, run: &Run) -> Result<Self> {
        let path = folder.join("probe.json");
        let bad = |problem: String| Error::Malformed {
            path: path.clone(),
            problem,
        };
        let text = std::fs::read(&path).map_err(|_| Error::NoSuchFile { path: path.clone() })?;
        let value: Value = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
        let at = |pointer: &str| {
            let missing = || {
                bad(format!(
                    "it lacks {pointer}; make it with this plumb's `probe --out`"
                ))
            };
            value.pointer(pointer).ok_or_else(missing)
        };
        let plan = &run.manifest().plan;
        for (field, expected) in [
            ("/source/weights_sha256", &plan.model.weights_sha256),
            ("/source/data_sha256", &plan.data.sha256),
        ] {
            if at(field)?.as_str() != Some(expected) {
                return Err(bad(format!(
                    "it is of another run than {} ({field} differs); give the probe of this run",
                    run.path().display()
                )));
            }
        }
        let kind = at("/params/kind")?.as_str().unwrap_or_default();
        if !["logistic", "ridge"].contains(&kind) {
            return Err(bad(format!(
                "its kind is {kind}, and notebooks fit logistic and ridge probes again; leave --probe out"
            )));
        }
        let unit = value.pointer("/rows/unit").and_then(Value::as_str);
        if unit.is_some_and(|unit| unit != "text") || value.get("test_source").is_some() {
            return Err(bad(
                "its rows are not the texts of one run, which is what notebooks fit again; leave --probe out".to_owned(),
            ));
        }
        let rows = |pointer: &str| -> Result<Vec<usize>> {
            let text = at(pointer)?.as_str().unwrap_or_default();
            rows_of(text, run.rows())
                .ok_or_else(|| bad(format!("{pointer} is no list of rows of the run")))
        };
        let label = at("/label")?.as_array().into_iter().flatten();
        let (train, test) = (rows("/split/train_rows")?, rows("/split/test_rows")?);
        Ok(Self {
            label: label
                .filter_map(|l| l.as_str().map(str::to_owned))
                .collect(),
            train,
            test,
            path,
        })
    }
}

fn checked_column(run: &Run, column: &str) -> Result<String> {
    run.column(column).map(|_| column.to_owned())
}

/// The path of `target` as seen from `folder`, with `/`.
fn relative(folder: &Path, target: &Path) -> Result<String> {
    let whole = |path: &Path| std::fs::canonicalize(path).map_err(|e| Error::io(path, e));
    let (folder, target) = (whole(folder)?, whole(target)?);
    let shared = folder
        .components()
        .zip(target.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir);
    let down = target.components().skip(shared);
    let parts: Vec<String> = up
        .chain(down)
        .map(|c| c.as_os_str().to_string_lossy().into_owned())
        .collect();
    Ok(match parts.is_empty() {
        true => ".".to_owned(),
        false => parts.join("/"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_from_the_notebook_to_the_run() {
        let desk = tempfile::tempdir().unwrap();
        for folder in ["a/b", "c"] {
            std::fs::create_dir_all(desk.path().join(folder)).unwrap();
        }
        let at = |path: &str| desk.path().join(path);
        assert_eq!(relative(&at("a/b"), &at("c")).unwrap(), "../../c");
        assert_eq!(relative(&at("a"), &at("a/b")).unwrap(), "b");
        assert_eq!(relative(&at("a"), &at("a")).unwrap(), ".");
    }
}
