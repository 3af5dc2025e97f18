//! The names of places inside a model, and what may happen there.

mod point;
mod record;
mod site;

mod edit;

pub use edit::{Patch, Tap};
pub use point::{HookPoint, HookSet};
pub use record::{Recorder, Stack};
pub use site::Site;

use crate::error::Result;
use candle_core::Tensor;
use std::ops::Range;

/// Where the forward pass stands when it calls a hook.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The hook point.
    pub point: HookPoint,
    /// The texts of this call, as the rows of the packed batch that each covers, in the order of the batch. At
    /// `attn_scores` and `attn_pattern` these are the texts of one group of equal length, and the tensor's first axis
    /// counts them; at `logits` of a sequence classifier it counts all texts; everywhere else the first axis counts tokens.
    pub segments: &'a [Range<usize>],
}

/// How deep into the model somebody needs to look; the forward pass stops there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Nothing beyond the embeddings (`blocks.0.resid_pre` is computed by this stage).
    Embed,
    /// Up to and including this block.
    Block(usize),
    /// Up to the final norm, but not the head.
    FinalNorm,
    /// Everything.
    Head,
}

/// Something that looks at, or changes, what passes a hook point.
///
/// The model calls `on` once at every hook point that it reaches (at `attn_scores` and `attn_pattern`, once per group of
/// equally long texts). Returning the tensor unchanged is the identity, and costs nothing.
pub trait Hook {
    /// Reads or replaces the tensor at a hook point. The returned tensor must have the shape of `x`.
    fn on(&mut self, at: At<'_>, x: Tensor) -> Result<Tensor>;

    /// How deep this hook needs the model to run. The default asks for everything.
    fn depth(&self) -> Depth {
        Depth::Head
    }

    /// Whether this hook may look at attention scores or patterns. If it says no, the model need not compute them one by one, and
    /// need not call it there.
    fn sees_patterns(&self) -> bool {
        true
    }
}

/// The hook that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHook;

impl Hook for NoHook {
    fn on(&mut self, _at: At<'_>, x: Tensor) -> Result<Tensor> {
        Ok(x)
    }

    fn sees_patterns(&self) -> bool {
        false
    }
}
