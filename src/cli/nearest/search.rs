//! How the rows are searched: all of them, or by an index that is kept beside the run.

use super::Args;
use crate::analysis::neighbors::hnsw::{Certificate, Demand, Hnsw, Params};
use crate::analysis::neighbors::{Correction, Metric, Neighbor, Query, Space, nearest};
use crate::error::{Error, Result};
use crate::report::nearest::SearchCard;
use crate::store::{Run, write_atomically};
use clap::ValueEnum;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SearchArg {
    /// Exact, but for so many vectors that building an index is the shorter way
    Auto,
    /// Every row is looked at
    Exact,
    /// By an index (HNSW), which is kept in the run's folder
    Hnsw,
}

/// Products from which on an index is the shorter way, its building included (an estimate).
const MUCH: f64 = 1e12;

/// Why so many products are taken all the same.
const NO_INDEX: &str = "an index needs a distance, which dot products and CSLS scores are not";

/// The way that was chosen.
pub(super) enum Search {
    Exact(Option<String>),
    Index {
        index: Box<Hnsw>,
        certificate: Certificate,
        built: bool,
        file: Option<PathBuf>,
    },
}

impl Search {
    /// Chooses the way for so many vectors, and opens or builds the index where it is due.
    pub(super) fn choose(
        args: &Args,
        space: &Space,
        run: Option<&Run>,
        vectors: usize,
    ) -> Result<Self> {
        let products = vectors as f64 * space.rows() as f64 * space.vectors().cols() as f64;
        let has_distance = args.metric() != Metric::Dot && args.correction() != Correction::Csls;
        match args.search {
            SearchArg::Exact => return Ok(Self::Exact(None)),
            SearchArg::Auto if products < MUCH => return Ok(Self::Exact(None)),
            SearchArg::Auto if !has_distance => return Ok(Self::Exact(Some(NO_INDEX.to_owned()))),
            SearchArg::Auto | SearchArg::Hnsw => {}
        }
        let demand = Demand {
            min_recall: args.min_recall,
            seed: args.seed,
            ..Demand::default()
        };
        let found = match Kept::of(args, run) {
            Some(kept) => kept.open_or_build(args, space, demand)?,
            None => {
                let index = Hnsw::build(space, params(args))?;
                let certificate = index.certify(space, demand)?;
                (index, certificate, true, None)
            }
        };
        let (index, certificate, built, file) = found;
        if certificate.holds() {
            return Ok(Self::Index {
                index: Box::new(index),
                certificate,
                built,
                file,
            });
        }
        Ok(Self::Exact(Some(format!(
            "the index finds {:.3} of the 10 nearest (--min-recall is {}) and {} of {} rows do not find themselves",
            certificate.recall, args.min_recall, certificate.lost, certificate.rows
        ))))
    }

    /// The nearest rows of each query.
    pub(super) fn nearest(
        &self,
        space: &Space,
        queries: &[Query],
        k: usize,
    ) -> Result<Vec<Vec<Neighbor>>> {
        match self {
            Self::Exact(_) => nearest(space, queries, k, &[]),
            Self::Index {
                index, certificate, ..
            } => index.nearest(space, queries, k, certificate.ef),
        }
    }

    pub(super) fn card(self) -> SearchCard {
        match self {
            Self::Exact(reason) => SearchCard::Exact { reason },
            Self::Index {
                index,
                certificate,
                built,
                file,
            } => SearchCard::Hnsw {
                params: index.params(),
                certificate,
                built,
                file: file.map(|f| f.display().to_string()),
            },
        }
    }
}

fn params(args: &Args) -> Params {
    Params {
        seed: args.seed,
        ..Params::default()
    }
}

/// Where the index of a run's rows is kept, and how it says whose it is.
struct Kept {
    file: PathBuf,
    of: String,
}

impl Kept {
    /// `None` where the rows are not those of a run.
    fn of(args: &Args, run: Option<&Run>) -> Option<Self> {
        let run = run.filter(|_| args.vocabulary().is_none())?;
        let point = args.named_point(Some(run)).ok()??;
        let name = format!("{point}-{:?}-{:?}", args.metric(), args.correction()).to_lowercase();
        let mut shards = Sha256::new();
        for shard in &run.manifest().shards {
            shards.update(shard.sha256.as_bytes());
        }
        let shards: String = shards
            .finalize()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        Some(Self {
            file: run.path().join("neighbors").join(format!("{name}.hnsw")),
            of: format!("{name} of {shards}"),
        })
    }

    fn open_or_build(
        self,
        args: &Args,
        space: &Space,
        demand: Demand,
    ) -> Result<(Hnsw, Certificate, bool, Option<PathBuf>)> {
        if let Some((index, certificate)) = self.open(args, space) {
            let enough = certificate.lost == 0 && certificate.recall >= demand.min_recall;
            let certificate = match enough {
                true => Certificate {
                    min_recall: demand.min_recall,
                    ..certificate
                },
                false => index.certify(space, demand)?,
            };
            return Ok((index, certificate, false, Some(self.file)));
        }
        let index = Hnsw::build(space, params(args))?;
        let certificate = index.certify(space, demand)?;
        let bytes = index.to_bytes(&self.of, &certificate);
        let written = match self.file.parent() {
            Some(folder) => std::fs::create_dir_all(folder)
                .map_err(|e| Error::io(folder, e))
                .and_then(|()| write_atomically(&self.file, &bytes)),
            None => Ok(()),
        };
        // An answer is worth more than its index.
        match written {
            Ok(()) => Ok((index, certificate, true, Some(self.file))),
            Err(error) => {
                eprintln!("note: the index could not be kept: {error}");
                Ok((index, certificate, true, None))
            }
        }
    }

    /// The index in the file, if it is of these rows and was built as asked.
    fn open(&self, args: &Args, space: &Space) -> Option<(Hnsw, Certificate)> {
        let bytes = std::fs::read(&self.file).ok()?;
        match Hnsw::from_bytes(&bytes, &self.of, space) {
            Ok((index, certificate)) if index.params() == params(args) => {
                Some((index, certificate))
            }
            Ok(_) => None,
            Err(problem) => {
                eprintln!(
                    "note: {}: {problem}; it is built again",
                    self.file.display()
                );
                None
            }
        }
    }
}
