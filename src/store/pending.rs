//! Files that are there whole or not at all.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Writes a file under a temporary name, syncs it and renames it.
///
/// # Errors
/// [`Error::Io`]; the temporary file is removed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    persist(path, |file| {
        file.write_all(bytes).map_err(|e| Error::io(path, e))
    })
}

/// Lets `fill` write a temporary file beside `path`, syncs it and renames it to `path`. Whatever goes wrong, `path` is
/// untouched and the temporary file is gone.
pub(super) fn persist<T>(path: &Path, fill: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let mut pending = PendingFile::beside(path)?;
    let result = fill(pending.temporary.as_file_mut())?;
    pending.publish()?;
    Ok(result)
}

/// A file that is opened before the work starts, and has its name only when it is published. Dropped before, it leaves nothing.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    temporary: NamedTempFile,
}

impl PendingFile {
    /// Opens a temporary file beside `path`; folders on the way are made.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let folder = folder_of(path);
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        Self::beside(path)
    }

    fn beside(path: &Path) -> Result<Self> {
        let temporary = tempfile::Builder::new()
            .prefix(".")
            .suffix(".tmp")
            .tempfile_in(folder_of(path))
            .map_err(|e| Error::io(path, e))?;
        Ok(Self {
            path: path.to_owned(),
            temporary,
        })
    }

    /// The name that the file will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.temporary.as_file_mut().write_all(bytes);
        written.map_err(|e| Error::io(&self.path, e))
    }

    /// Syncs the file and gives it its name; a file of that name is replaced.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn publish(self) -> Result<()> {
        let Self { path, temporary } = self;
        let io = |e| Error::io(&path, e);
        temporary.as_file().sync_all().map_err(io)?;
        readable_by_others(temporary.as_file()).map_err(io)?;
        temporary.persist(&path).map_err(|e| io(e.error))?;
        // The rename is on disk only once the folder is.
        #[cfg(unix)]
        File::open(folder_of(&path))
            .and_then(|f| f.sync_all())
            .map_err(io)?;
        Ok(())
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Temporary files are private to their owner; results are not.
#[cfg(unix)]
fn readable_by_others(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_others(_: &File) -> std::io::Result<()> {
    Ok(())
}
