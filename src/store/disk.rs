//! Room on the disk, known before it is needed.

use crate::error::{Error, Result};
use std::path::Path;

/// Bytes that this user can still write where `path` is, or will be; `None` where the system does not tell.
pub fn free_bytes(path: &Path) -> Option<u64> {
    let there = std::path::absolute(path).ok()?;
    let there = there.ancestors().find(|p| p.exists())?;
    free(there)
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    // Some file systems (in user space, over a network) do not know their size and say 0.
    (disk.f_blocks > 0).then(|| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Path) -> Option<u64> {
    None
}

/// Refuses a run that the disk cannot hold.
///
/// # Errors
/// [`Error::DiskTooSmall`].
pub(super) fn refuse_small_disk(path: &Path, needed: u64) -> Result<()> {
    match free_bytes(path) {
        Some(free) if free < needed => Err(Error::DiskTooSmall {
            path: path.to_owned(),
            needed,
            free,
        }),
        _ => Ok(()),
    }
}
