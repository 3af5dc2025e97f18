//! One process a run.

use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// The name of the lock in the run's folder. It is there while a run is made, and after a kill.
pub(super) const LOCK: &str = ".lock";

/// The right to write into a run's folder. It ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    /// Closing the file gives the lock back.
    _file: File,
}

impl Lock {
    /// Takes the lock of a folder that exists.
    ///
    /// # Errors
    /// [`Error::BadRun`] while another process holds it.
    pub(super) fn take(run: &Path) -> Result<Self> {
        let path = run.join(LOCK);
        loop {
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .map_err(|e| Error::io(&path, e))?;
            match file.try_lock() {
                // The one before may have removed the file between our opening and our locking it.
                Ok(()) if is_file_at(&file, &path) => return Ok(Self { path, _file: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::BadRun {
                        path: run.to_owned(),
                        problem:
                            "another plumb is working on this run; wait until it ends, or stop it"
                                .to_owned(),
                    });
                }
                Err(TryLockError::Error(e)) => return Err(Error::io(path, e)),
            }
        }
    }
}

impl Drop for Lock {
    /// The file goes while the lock is still held, so that nobody else's is removed.
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_file(&self.path) {
            log::debug!("{}: {e}", self.path.display());
        }
    }
}

#[cfg(unix)]
fn is_file_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.dev() == there.dev() && ours.ino() == there.ino(),
        _ => false,
    }
}

/// An open file cannot be removed here.
#[cfg(not(unix))]
fn is_file_at(_: &File, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_is_done() {
        let run = tempfile::tempdir().unwrap();
        let first = Lock::take(run.path()).unwrap();
        let said = Lock::take(run.path()).unwrap_err().to_string();
        assert!(
            said.contains("another plumb is working on this run"),
            "{said}"
        );
        drop(first);
        let again = Lock::take(run.path()).unwrap();
        drop(again);
        assert!(!run.path().join(LOCK).exists(), "nothing is left behind");
    }
}
