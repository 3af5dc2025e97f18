//! How large the pieces of a run are, so that memory stays within what was allowed.

use crate::error::{Error, Result};
use crate::hook::{Depth, HookSet};
use crate::model::ArchSpec;
use serde::{Deserialize, Serialize};

/// What a run may take beside the weights and the data file's own text, unless it is told otherwise.
pub const DEFAULT_MEMORY: usize = 1 << 30;
/// Less than this holds no pipeline.
const LEAST_MEMORY: usize = 16 << 20;

/// Shards in memory at once: one is written while the next is computed, and the last texts of one overlap with the first of the next.
pub(super) const SHARDS_IN_MEMORY: usize = 3;

/// The sizes of a run's pieces. They decide which examples share a shard and a forward pass, hence the bytes on disk: they are part of the
/// plan, and depend on `--memory` but never on the number of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pieces {
    /// A shard holds no more than about this many bytes of vectors …
    pub shard_bytes: usize,
    /// … and no more than this many tokens, so that a killed run loses little work.
    pub shard_tokens: usize,
    /// Tokens that pass the model together. Each core runs whole batches: it scales better than many cores in one product.
    pub batch_tokens: usize,
}

impl Default for Pieces {
    fn default() -> Self {
        Self {
            shard_bytes: 32 << 20,
            shard_tokens: 1 << 15,
            batch_tokens: 512,
        }
    }
}

/// How much memory a run may take beside the weights and the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(DEFAULT_MEMORY)
    }
}

impl Budget {
    /// A budget in bytes.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for less than 16 MiB.
    pub fn new(bytes: usize) -> Result<Self> {
        match bytes >= LEAST_MEMORY {
            true => Ok(Self(bytes)),
            false => Err(Error::BadParameter {
                name: "memory",
                value: bytes.to_string(),
                problem:
                    "a run needs at least 16 MiB beside the weights; give --memory 16MiB or more"
                        .to_owned(),
            }),
        }
    }

    /// In bytes.
    pub fn bytes(self) -> usize {
        self.0
    }

    /// The pieces of a run that records these points. A quarter of the budget is for shards and what turns them into Parquet, half for the
    /// batches at work.
    pub fn pieces(self, spec: &ArchSpec, points: &HookSet) -> Pieces {
        let most = Pieces::default();
        let of_four_batches = self.0 / 8 / bytes_a_token(spec, points);
        Pieces {
            shard_bytes: (self.0 / 16).min(most.shard_bytes),
            shard_tokens: (self.0 / (16 << 10)).min(most.shard_tokens),
            batch_tokens: of_four_batches.clamp(16, most.batch_tokens),
        }
    }

    /// How many batches may be at work at once, at most one a thread.
    pub fn workers(
        self,
        pieces: &Pieces,
        spec: &ArchSpec,
        points: &HookSet,
        threads: usize,
    ) -> usize {
        let batch = pieces
            .batch_tokens
            .saturating_mul(bytes_a_token(spec, points));
        (self.0 / 2 / batch.max(1)).clamp(1, threads.max(1))
    }
}

/// About what one token takes while it passes the model: what is recorded, and what a block works with.
fn bytes_a_token(spec: &ArchSpec, points: &HookSet) -> usize {
    let recorded: usize = points
        .points()
        .iter()
        .filter_map(|p| spec.row_shape(p.site()).ok())
        .map(|shape| shape.iter().product::<usize>())
        .sum();
    let head = match points.depth() == Depth::Head {
        true => spec.vocab,
        false => 0,
    };
    size_of::<f32>() * (recorded + 12 * spec.d_model + 3 * spec.d_mlp + head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::read_spec;
    use std::path::Path;

    fn spec() -> ArchSpec {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/llama/config.json");
        read_spec(&golden, &|_| true).unwrap().0
    }

    #[test]
    fn the_default_budget_gives_the_default_pieces() {
        let points = HookSet::new(spec().default_points());
        assert_eq!(
            Budget::default().pieces(&spec(), &points),
            Pieces::default()
        );
    }

    #[test]
    fn batches_at_work_and_shards_fit_into_the_budget() {
        let mut wide = spec();
        wide.d_model = 4096;
        wide.d_mlp = 16384;
        for memory in [16 << 20, 256 << 20, 1 << 30, 64 << 30] {
            let points = HookSet::new(wide.default_points());
            let budget = Budget::new(memory).unwrap();
            let pieces = budget.pieces(&wide, &points);
            let workers = budget.workers(&pieces, &wide, &points, 64);
            assert!(SHARDS_IN_MEMORY * pieces.shard_bytes <= memory / 4);
            let batch = pieces.batch_tokens * bytes_a_token(&wide, &points);
            // The smallest batch that is worth its overhead may be all there is.
            assert!(workers * batch <= memory / 2 || (workers == 1 && pieces.batch_tokens == 16));
        }
    }

    #[test]
    fn too_little_memory_is_refused() {
        assert!(
            Budget::new(1 << 20)
                .unwrap_err()
                .to_string()
                .contains("16 MiB")
        );
    }
}
