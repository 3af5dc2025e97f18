//! What commands share on their way out: output folders, the command line as text, progress bars.

use crate::error::{Error, Result};
use crate::figure::{Figure, render_parquet, render_png, render_svg};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An output folder that appears under its name only when everything is in it.
pub(super) struct OutputFolder {
    path: PathBuf,
    building: TempDir,
    replace: bool,
}

impl OutputFolder {
    /// Opens the folder, before the expensive work starts. With `force`, a folder that holds `mark` (a file that only plumb
    /// writes) is replaced in the end.
    ///
    /// # Errors
    /// [`Error::OutputExists`], [`Error::Io`].
    pub(super) fn open(path: &Path, mark: &str, force: bool) -> Result<Self> {
        let replace = path.exists();
        if replace && !force {
            return Err(Error::OutputExists {
                path: path.to_owned(),
                advice: "--force to replace it",
            });
        }
        if replace {
            refuse_foreign(path, mark)?;
        }
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
        let building = tempfile::Builder::new()
            .prefix(".plumb-")
            .tempdir_in(parent)
            .map_err(|e| Error::io(parent, e))?;
        Ok(Self {
            path: path.to_owned(),
            building,
            replace,
        })
    }

    /// Adds a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.building.path().join(name);
        std::fs::write(&path, bytes).map_err(|e| Error::io(self.path.join(name), e))
    }

    /// Adds a figure as `NAME.svg`, `NAME.png` and, its own rows, `NAME.parquet`.
    ///
    /// # Errors
    /// [`Error::Drawing`], [`Error::Io`].
    pub(super) fn write_figure(&self, name: &str, figure: &Figure) -> Result<()> {
        self.write(&format!("{name}.svg"), render_svg(figure)?.as_bytes())?;
        self.write(&format!("{name}.png"), &render_png(figure)?)?;
        self.write(&format!("{name}.parquet"), &render_parquet(figure)?)
    }

    /// Where the folder is being built.
    pub(super) fn path(&self) -> &Path {
        self.building.path()
    }

    /// Adds a folder with files.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write_folder(&self, name: &str, files: &[(String, Vec<u8>)]) -> Result<()> {
        let path = self.building.path().join(name);
        std::fs::create_dir(&path).map_err(|e| Error::io(self.path.join(name), e))?;
        let mut files = files.iter();
        files.try_for_each(|(file, bytes)| self.write(&format!("{name}/{file}"), bytes))
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn publish(self) -> Result<()> {
        let io = |e| Error::io(&self.path, e);
        if self.replace {
            std::fs::remove_dir_all(&self.path).map_err(io)?;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let everyone = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(self.building.path(), everyone).map_err(io)?;
        }
        std::fs::rename(self.building.keep(), &self.path).map_err(io)
    }
}

/// `--force` replaces what plumb made, never somebody's folder.
///
/// # Errors
/// [`Error::BadRun`] for a folder with files in it that lacks `mark`.
pub(super) fn refuse_foreign(folder: &Path, mark: &str) -> Result<()> {
    let empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    match empty || folder.join(mark).is_file() {
        true => Ok(()),
        false => Err(Error::BadRun {
            path: folder.to_owned(),
            problem: format!(
                "it holds no {mark}, so plumb did not make it and will not replace it; give another --out"
            ),
        }),
    }
}

/// The command as it was typed, quoted for a shell where it must be.
pub(super) fn command_line() -> String {
    let words = std::env::args_os().skip(1);
    let words: Vec<String> = words.map(|w| w.to_string_lossy().into_owned()).collect();
    format!("plumb {}", quoted(&words))
}

/// Words as a shell reads them, quoted where they must be.
pub(super) fn quoted(words: &[String]) -> String {
    let words = words.iter().map(|word| {
        let plain = |c: char| c.is_alphanumeric() || "-_./=:,@+*".contains(c);
        match !word.is_empty() && word.chars().all(plain) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        }
    });
    words.collect::<Vec<String>>().join(" ")
}

/// A progress bar on standard error, hidden where that is no terminal.
pub(super) fn progress_bar(total: u64, unit: &str, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let template = format!(
        "{{msg}} {{wide_bar}} {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left"
    );
    let bar = ProgressBar::new(total);
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A number of bytes, as people read it.
pub(super) fn bytes(n: u64) -> String {
    indicatif::DecimalBytes(n).to_string()
}

/// A count with its noun, in the plural where due.
pub(super) fn count(n: usize, noun: &str) -> String {
    let digits = n.to_string();
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|c| std::str::from_utf8(c).ok())
        .collect();
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_and_in_the_plural() {
        assert_eq!(count(1, "text"), "1 text");
        assert_eq!(count(0, "text"), "0 texts");
        assert_eq!(count(1234567, "token"), "1,234,567 tokens");
    }

    #[test]
    fn a_folder_that_was_not_published_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("out");
        let folder = OutputFolder::open(&path, "probe.json", false).unwrap();
        folder.write("probe.json", b"{}").unwrap();
        drop(folder);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn force_replaces_only_what_plumb_made() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("out");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("thesis.tex"), "years of work").unwrap();
        assert!(OutputFolder::open(&path, "probe.json", true).is_err());
        std::fs::write(path.join("probe.json"), "{}").unwrap();
        let folder = OutputFolder::open(&path, "probe.json", true).unwrap();
        folder.write("probe.json", b"[]").unwrap();
        folder.publish().unwrap();
        assert_eq!(std::fs::read(path.join("probe.json")).unwrap(), b"[]");
        assert!(!path.join("thesis.tex").exists());
    }
}
