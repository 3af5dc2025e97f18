//! Lenses: what the middle of a model would say, read through its own head.

mod logit;
mod parameters;
mod predict;
mod recovery;
mod translator;
mod tuned;

pub use logit::{Aim, LensLayer, Reading, aim, lens};
pub use parameters::{Circuit, HeadPairs, Pair, Promoted, head_pairs, promoted};
pub use predict::{Candidate, Target};
pub use recovery::{Recovery, recovery};
pub use translator::{Translator, Translators};
pub use tuned::{HeldOut, TrainParams, held_out, train};
