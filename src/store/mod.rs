//! Activations on disk: a run is a folder with a `manifest.json` and shards of plain Parquet.

mod extract;
mod manifest;
mod plan;
mod pool;
mod reader;
mod schema;
mod sentence;
mod writer;

pub use extract::{Outcome, Progress, extract};
pub use manifest::{
    DataCard, Manifest, ModelCard, Resolved, SCHEMA_VERSION, ShardCard, SpecialTokens, Truncation,
};
pub use plan::Extraction;
pub use pool::{Mode, Pool};
pub use reader::{Run, Vectors};
pub use schema::{Dtype, Layout};
pub use sentence::{SENTENCE_FILES, SentencePool};
