//! One transformer, configured by data.
//!
//! `families` turns a `config.json` into an [`ArchSpec`] and a [`WeightMap`]; everything else reads those two and knows no
//! family by name.

mod archive;
mod attention;
mod block;
mod checkpoint;
mod circuits;
mod config;
mod cost;
mod families;
mod generate;
mod gguf;
mod head;
mod hub;
mod linear;
mod load;
mod mlp;
mod norm;
pub mod ops;
mod pass;
mod position;
mod precision;
mod source;
mod spec;
mod take;
mod transformer;
mod weights;

pub use checkpoint::{Checkpoint, write_checkpoint};
pub use circuits::HeadWeights;
pub use families::{FAMILIES, Family, family_of};
pub use generate::greedy;
pub use hub::{Fetching, HubId, Snapshot};
pub use load::{LoadedModel, load, load_in, load_rounded, read_spec};
pub use precision::{Precision, Rounding};
pub use source::{BUILTIN, ModelSource};
pub use spec::*;
pub use transformer::{Model, Output, Transformer, unknown_id};
pub use weights::{RandomWeights, Recorded, WeightMap, Weights};
