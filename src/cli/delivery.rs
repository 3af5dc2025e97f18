//! Where the result of a command that draws goes: standard output, a folder, single files of the chart.

use super::chart_files::{ChartFiles, OpenChartFiles};
use super::output::OutputFolder;
use crate::error::Result;
use crate::figure::Figure;
use crate::report::table::stdout_is_styled;
use serde::Serialize;
use std::path::PathBuf;

/// The options of every command that draws a chart.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Delivery {
    /// Folder to make, with the result as JSON and its charts (.svg, .png, and their numbers as .parquet)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    chart: ChartFiles,
    /// Replace a folder or files that are there
    #[arg(long)]
    force: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// No progress bar
    #[arg(long)]
    pub(super) quiet: bool,
}

/// What was asked for, opened: nothing appears under its name before the result is there.
pub(super) struct OpenDelivery {
    folder: Option<OutputFolder>,
    /// The file of the result in the folder, by which the folder is known.
    mark: &'static str,
    chart: OpenChartFiles,
    json: bool,
}

impl Delivery {
    /// Opens everything, before the expensive work starts. `mark` is the name of the result in the folder.
    ///
    /// # Errors
    /// [`crate::error::Error::OutputExists`], [`crate::error::Error::BadRun`] for a folder that plumb did not make,
    /// [`crate::error::Error::Io`].
    pub(super) fn open(&self, mark: &'static str) -> Result<OpenDelivery> {
        let open = |path: &PathBuf| OutputFolder::open(path, mark, self.force);
        Ok(OpenDelivery {
            folder: self.out.as_ref().map(open).transpose()?,
            mark,
            chart: self.chart.open(self.force)?,
            json: self.json,
        })
    }

    /// True if a file of the chart was asked for by its name.
    pub(super) fn names_chart(&self) -> bool {
        self.chart.wanted()
    }
}

/// What the folder of a command holds, in the help of `--out`: an argument for `mut_arg`.
pub(super) fn holds(what: &str) -> impl FnOnce(clap::Arg) -> clap::Arg {
    let help = format!("Folder to make, with {what}");
    |out| out.help(help)
}

/// `--data` for `--chart-data`, where `--data` does not name the input: an argument for `mut_arg`.
pub(super) fn also_data(chart_data: clap::Arg) -> clap::Arg {
    chart_data.visible_alias("data")
}

/// A result as JSON, as it is printed and as it stands in the folder.
///
/// # Errors
/// What serde refuses.
pub(super) fn json_of(result: &impl Serialize) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(result)?))
}

impl OpenDelivery {
    /// The folder that is being built, for what a command adds to it.
    pub(super) fn folder(&self) -> Option<&OutputFolder> {
        self.folder.as_ref()
    }

    /// Writes the result and its charts, and returns what standard output is to say. The first of the charts is the one of
    /// `--svg`, `--png` and `--chart-data`; none is drawn unless it is asked for.
    ///
    /// # Errors
    /// [`crate::error::Error::Drawing`], [`crate::error::Error::Io`].
    pub(super) fn deliver(
        self,
        json: String,
        charts: impl FnOnce() -> Vec<(&'static str, Figure)>,
        table: impl FnOnce(bool) -> String,
    ) -> Result<String> {
        let drawn = match self.folder.is_some() || self.chart.wanted() {
            true => charts(),
            false => Vec::new(),
        };
        if let Some(folder) = &self.folder {
            folder.write(self.mark, json.as_bytes())?;
            for (name, figure) in &drawn {
                folder.write_figure(name, figure)?;
            }
        }
        self.chart.write(drawn.first().map(|(_, figure)| figure))?;
        if let Some(folder) = self.folder {
            folder.publish()?;
        }
        Ok(match self.json {
            true => json,
            false => table(stdout_is_styled()),
        })
    }
}
