//! Files of one commit of a model, fetched from the hub into its cache.

use super::{Fetching, HubId, is_inside};
use crate::error::{Error, Result};
use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a connection that was cut is made again.
const RETRIES: u32 = 3;
/// Before the first new try; each further one waits twice as long.
const WAIT: Duration = Duration::from_millis(200);

/// A model on the hub at one commit.
pub(super) struct Download<'a> {
    id: &'a HubId,
    api: Api,
    remote: ApiRepo,
    cache: Cache,
    commit: String,
    files: Vec<String>,
    report: &'a dyn Fn(Fetching<'_>),
}

impl<'a> Download<'a> {
    /// Asks which commit a name stands for and which files it has.
    ///
    /// # Errors
    /// [`Error::Hub`].
    pub(super) fn begin(
        cache: &Cache,
        id: &'a HubId,
        token: Option<String>,
        endpoint: Option<String>,
        report: &'a dyn Fn(Fetching<'_>),
    ) -> Result<Self> {
        // hf-hub's own retries go wrong after a failure without a byte: they append the file's beginning to its part.
        let mut builder = ApiBuilder::from_cache(cache.clone())
            .with_progress(false)
            .with_retries(0)
            .with_token(token)
            .with_user_agent("plumb", env!("CARGO_PKG_VERSION"));
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint.trim_end_matches('/').to_owned());
        }
        let api = builder.build().map_err(|e| explain(id, "it", &e))?;
        let info = api.repo(id.repo()).info();
        let info = info.map_err(|e| explain(id, "it", &e))?;
        if !is_inside(&info.sha) {
            return Err(id.error("the hub names no commit; check HF_ENDPOINT"));
        }
        Ok(Self {
            remote: api.repo(id.at(&info.sha)),
            id,
            api,
            cache: cache.clone(),
            commit: info.sha,
            files: info.siblings.into_iter().map(|s| s.rfilename).collect(),
            report,
        })
    }

    pub(super) fn commit(&self) -> &str {
        &self.commit
    }

    /// The names of all files of the model.
    pub(super) fn files(&self) -> &[String] {
        &self.files
    }

    pub(super) fn has(&self, file: &str) -> bool {
        self.files.iter().any(|f| f == file)
    }

    /// Where the files lie when they are there.
    pub(super) fn folder(&self) -> PathBuf {
        self.place().pointer_path(&self.commit)
    }

    /// Lets the name stand for this commit in the cache.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn name(&self, id: &HubId) -> Result<()> {
        let reference = self.cache.repo(id.repo());
        let named = reference.create_ref(&self.commit);
        named.map_err(|e| Error::io(self.cache.path(), e))
    }

    /// Fetches a file unless it is there. What an earlier try left is continued.
    ///
    /// # Errors
    /// [`Error::Hub`].
    pub(super) fn file(&self, file: &str) -> Result<()> {
        if self.folder().join(file).exists() {
            return Ok(());
        }
        let mut wait = WAIT;
        for _ in 0..RETRIES {
            match self.attempt(file) {
                // The connection was cut, or what came is not what was announced.
                Err(ApiError::IoError(_)) => std::thread::sleep(wait),
                done => return done.map_err(|e| explain(self.id, file, &e)),
            }
            wait *= 2;
        }
        self.attempt(file).map_err(|e| explain(self.id, file, &e))
    }

    fn attempt(&self, file: &str) -> Result<(), ApiError> {
        let announced = self.api.metadata(&self.remote.url(file))?;
        // Both become parts of paths.
        if !is_inside(announced.etag()) || announced.commit_hash() != self.commit {
            return Err(ApiError::InvalidHeader("etag"));
        }
        let size = announced.size() as u64;
        let blob = self.place().blob_path(announced.etag());
        let part = blob.with_extension("part");
        // A part that is all there, or too long, cannot be continued: servers refuse an empty range.
        if part.metadata().is_ok_and(|m| m.len() >= size) {
            std::fs::remove_file(&part)?;
        }
        let meter = Meter(self.report);
        let link = self.remote.download_with_progress(file, meter)?;
        match is_what_was_announced(&link, size, announced.etag())? {
            true => Ok(()),
            false => {
                std::fs::remove_file(&link)?;
                std::fs::remove_file(&blob)?;
                Err(
                    std::io::Error::other("the file that came is not the one that was announced")
                        .into(),
                )
            }
        }
    }

    fn place(&self) -> CacheRepo {
        self.cache.repo(self.id.at(&self.commit))
    }
}

/// Large files are named after their SHA-256; small ones after a hash of git's, for which the size must do.
fn is_what_was_announced(file: &Path, size: u64, etag: &str) -> std::io::Result<bool> {
    if file.metadata()?.len() != size {
        return Ok(false);
    }
    if etag.len() != 64 {
        return Ok(true);
    }
    let mut hasher = Sha256::new();
    std::io::copy(&mut std::fs::File::open(file)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()) == etag)
}

/// Passes hf-hub's progress on.
struct Meter<'a>(&'a dyn Fn(Fetching<'_>));

impl Progress for Meter<'_> {
    fn init(&mut self, size: usize, file: &str) {
        (self.0)(Fetching::File {
            name: file,
            bytes: size as u64,
        });
    }

    fn update(&mut self, bytes: usize) {
        (self.0)(Fetching::Bytes(bytes as u64));
    }

    fn finish(&mut self) {}
}

/// What went wrong and what to do, in one sentence.
fn explain(id: &HubId, what: &str, error: &ApiError) -> Error {
    id.error(match error {
        ApiError::RequestError(request) => {
            // The HTTP library is hf-hub's; of its errors only the text is known here.
            let text = request.to_string();
            match text.strip_prefix("http status: ") {
                Some(status) => refused(what, status),
                None => format!(
                    "no such file or folder, and the hub could not be reached ({text}); check the name and the network, give a \
                     folder, or set HF_HUB_OFFLINE=1 to use what is in the cache"
                ),
            }
        }
        ApiError::IoError(cut) => format!(
            "{what} could not be downloaded ({cut}); try again, what is there is continued"
        ),
        ApiError::LockAcquisition(lock) => format!(
            "{what} is being downloaded by another process, which holds {}; wait for it",
            lock.display()
        ),
        other => format!("{what} was not answered as a hub does ({other}); check HF_ENDPOINT"),
    })
}

fn refused(what: &str, status: &str) -> String {
    match status {
        "404" => "no such file or folder, and no such model or revision on the hub (404); check the name, and set HF_TOKEN if \
                  the model is private"
            .to_owned(),
        "401" | "403" => format!(
            "the hub refused {what} ({status}): the model is private, gated or not there; check the name, ask for access on \
             its page, and set HF_TOKEN to a token that may read it"
        ),
        _ => format!("the hub answered with status {status} for {what}; try again later"),
    }
}
