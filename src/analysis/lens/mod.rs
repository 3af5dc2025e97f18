//! Lenses: what the middle of a model would say, read through its own head.

mod logit;
mod parameters;
mod predict;
mod translator;
mod tuned;

pub use logit::{Aim, LensLayer, Reading, aim, lens};
pub use parameters::{
    Circuit, HeadPairs, Pair, Promoted, Recovery, head_pairs, promoted, recovery,
};
pub use predict::{Candidate, Target};
pub use translator::{Translator, Translators};
pub use tuned::{HeldOut, TrainParams, held_out, train};
