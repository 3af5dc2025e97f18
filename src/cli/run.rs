//! `plumb run`: a recipe, from texts to the chart.

use super::line;
use super::output::{OutputFolder, quoted};
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Carry out a recipe: extract, probe and draw.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb run probes/truth.toml --out truth/
  plumb run probes/truth.toml --model ./llama --out truth-llama/

A recipe (TOML) names the concept, the data, the label, the position that is read, groups and controls; those in probes/ can be copied. The folder
holds the run (run/), the result with its chart and trained probes (probe/), and the commands as they would be typed (recipe.txt).")]
pub(super) struct Args {
    /// The recipe
    recipe: PathBuf,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Another model than the recipe's
    #[arg(long, value_name = "DIR|FILE.gguf|ID[@REV]|builtin")]
    model: Option<String>,
    /// Replace the output folder
    #[arg(long)]
    force: bool,
    /// No progress bars
    #[arg(long)]
    quiet: bool,
}

/// The file by which such a folder is known.
const MARK: &str = "recipe.txt";

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let mut recipe = Recipe::read(&args.recipe)?;
    if let Some(model) = &args.model {
        recipe.model.clone_from(model);
    }
    refuse_missing(&recipe.data)?;
    let out = OutputFolder::open(&args.out, MARK, args.force)?;
    let places = |folder: &Path| (folder.join("run"), folder.join("probe"));
    let ((run, probe), (shown_run, shown_probe)) = (places(out.path()), places(&args.out));
    let quiet = args.quiet.then(|| "--quiet".to_owned());
    let mut story = String::new();
    if !recipe.question.is_empty() {
        writeln!(story, "{}", recipe.question)?;
    }
    writeln!(
        story,
        "$ plumb extract {}",
        quoted(&recipe.extract_arguments(&shown_run))
    )?;
    let mut line = recipe.extract_arguments(&run);
    line.extend(quiet.clone());
    line::extract(&line, &recipe.data)?;
    let command = format!(
        "plumb probe {}",
        quoted(&recipe.probe_arguments(&shown_run, &shown_probe))
    );
    let mut line = recipe.probe_arguments(&run, &probe);
    line.extend(quiet);
    let table = line::probe(&line, command.clone(), &shown_run)?;
    writeln!(story, "$ {command}")?;
    out.write(MARK, story.as_bytes())?;
    out.publish()?;
    Ok(format!("{story}{table}"))
}

/// Found out before a model is loaded.
fn refuse_missing(data: &Path) -> Result<()> {
    match data.is_file() {
        true => Ok(()),
        false => Err(Error::NoSuchFile {
            path: data.to_owned(),
        }),
    }
}
