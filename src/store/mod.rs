//! Activations on disk: a run is a folder with a `manifest.json` and shards of plain Parquet.

mod activations;
mod budget;
mod certificate;
mod columns;
mod compute;
mod disk;
mod estimate;
mod extract;
mod lock;
mod manifest;
mod merge;
mod pending;
mod pipeline;
mod plan;
mod pool;
mod reader;
mod schema;
mod scratch;
mod sentence;
mod shard;
mod source;
mod text_vector;
mod units;
mod vector_file;
mod verify;
mod writer;

pub use activations::{TokenVectors, token_vectors};
pub use budget::{Budget, DEFAULT_MEMORY, Pieces};
pub use certificate::{Certificates, SpanCheck};
pub use disk::free_bytes;
pub use estimate::{Estimate, estimate};
pub use extract::{Control, Outcome, Part, Progress, extract};
pub use manifest::{
    DataCard, Manifest, MassiveCard, ModelCard, PartCard, PointCard, Resolved, SCHEMA_VERSION,
    ShardCard, SpecialTokens, Truncation,
};
pub use merge::merge;
pub use pending::{PendingFile, write_atomically};
pub use plan::Extraction;
pub use pool::{Mode, Pool};
pub use reader::{RowTokens, Run, Vectors};
pub use schema::{Dtype, Layout};
pub use scratch::{Scratch, ScratchWriter};
pub use sentence::{SENTENCE_FILES, SentencePool};
pub use source::{Census, Texts};
pub use text_vector::TextVectors;
pub use units::{TokenRows, Units, point_and_head};
pub use vector_file::FileVectors;
pub use verify::{Recomputed, check_shards, recompute, refuse_other_inputs};
