//! `--svg`, `--png` and `--chart-data`: the chart of a command as single files.

use crate::error::{Error, Result};
use crate::figure::{Figure, render_parquet, render_png, render_svg};
use crate::store::PendingFile;
use std::path::{Path, PathBuf};

/// Where the chart goes, beside the folder of `--out`.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct ChartFiles {
    /// Write the chart as an SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the chart as a PNG, two pixels for each of the SVG
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Write the chart's own numbers as Parquet
    #[arg(long, value_name = "FILE")]
    chart_data: Option<PathBuf>,
}

/// How a figure becomes the bytes of a file.
type Render = fn(&Figure) -> Result<Vec<u8>>;

/// The files, opened under temporary names: they appear whole or not at all.
#[derive(Debug)]
pub(super) struct OpenChartFiles(Vec<(PendingFile, Render)>);

impl ChartFiles {
    /// True if a file was asked for.
    pub(super) fn wanted(&self) -> bool {
        self.named().next().is_some()
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, &Path, Render)> {
        let svg: Render = |figure| render_svg(figure).map(String::into_bytes);
        let all = [
            ("svg", self.svg.as_deref(), svg),
            ("png", self.png.as_deref(), render_png as Render),
            ("chart-data", self.chart_data.as_deref(), render_parquet),
        ];
        all.into_iter()
            .filter_map(|(name, path, render)| Some((name, path?, render)))
    }

    /// Opens the files, before the expensive work starts.
    ///
    /// # Errors
    /// [`Error::OutputExists`] without `force`, [`Error::BadParameter`] where two are one file, [`Error::Io`].
    pub(super) fn open(&self, force: bool) -> Result<OpenChartFiles> {
        let mut open: Vec<(PendingFile, Render)> = Vec::new();
        for (name, path, render) in self.named() {
            if open.iter().any(|(file, _)| file.path() == path) {
                return Err(Error::BadParameter {
                    name,
                    value: path.display().to_string(),
                    problem: "another file of the chart has this name; give each its own"
                        .to_owned(),
                });
            }
            if path.is_dir() {
                return Err(Error::BadParameter {
                    name,
                    value: path.display().to_string(),
                    problem: "this is a folder; give the name of a file, or --out for a folder with everything".to_owned(),
                });
            }
            if path.exists() && !force {
                return Err(Error::OutputExists {
                    path: path.to_owned(),
                    advice: "--force to replace it",
                });
            }
            open.push((PendingFile::open(path)?, render));
        }
        Ok(OpenChartFiles(open))
    }
}

impl OpenChartFiles {
    /// True if a file was asked for.
    pub(super) fn wanted(&self) -> bool {
        !self.0.is_empty()
    }

    /// Writes the figure to each, and gives them their names once all are written.
    ///
    /// # Errors
    /// [`Error::Drawing`], also where a file was asked for and there is no figure; [`Error::Io`].
    pub(super) fn write(self, figure: Option<&Figure>) -> Result<()> {
        let mut written = Vec::with_capacity(self.0.len());
        for (mut file, render) in self.0 {
            let Some(figure) = figure else {
                return Err(Error::Drawing(
                    "this result has none; leave --svg, --png and --chart-data out".to_owned(),
                ));
            };
            file.write(&render(figure)?)?;
            written.push(file);
        }
        written.into_iter().try_for_each(PendingFile::publish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{LineChart, Series};

    fn files(folder: &Path) -> ChartFiles {
        ChartFiles {
            svg: Some(folder.join("new/chart.svg")),
            png: None,
            chart_data: Some(folder.join("chart.parquet")),
        }
    }

    fn line() -> Figure {
        Figure::Line(LineChart {
            title: "one line".to_owned(),
            series: vec![Series {
                name: "score".to_owned(),
                points: vec![(0.0, 0.5), (1.0, 0.75)],
                ..Series::default()
            }],
            ..LineChart::default()
        })
    }

    #[test]
    fn files_appear_together_and_are_not_replaced_unasked() {
        let desk = tempfile::tempdir().unwrap();
        let files = files(desk.path());
        files.open(false).unwrap().write(Some(&line())).unwrap();
        let svg = std::fs::read_to_string(desk.path().join("new/chart.svg")).unwrap();
        assert!(svg.contains("one line"), "{svg}");
        let parquet = std::fs::read(desk.path().join("chart.parquet")).unwrap();
        assert!(parquet.starts_with(b"PAR1"));
        let refused = files.open(false).unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        assert!(files.open(true).is_ok());
    }

    #[test]
    fn what_was_opened_and_not_written_leaves_nothing() {
        let desk = tempfile::tempdir().unwrap();
        let files = files(desk.path());
        drop(files.open(false).unwrap());
        assert!(files.open(false).unwrap().write(None).is_err());
        let left = std::fs::read_dir(desk.path()).unwrap();
        assert_eq!(left.count(), 1, "the folder new/ alone");
        assert_eq!(
            std::fs::read_dir(desk.path().join("new")).unwrap().count(),
            0
        );
    }

    #[test]
    fn a_folder_is_refused_before_the_work() {
        let desk = tempfile::tempdir().unwrap();
        let files = ChartFiles {
            svg: Some(desk.path().to_owned()),
            ..ChartFiles::default()
        };
        assert!(files.open(true).unwrap_err().is_usage());
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let files = ChartFiles {
            svg: Some("same".into()),
            png: Some("same".into()),
            chart_data: None,
        };
        let refused = files.open(true).unwrap_err();
        assert!(refused.is_usage(), "{refused}");
    }
}
