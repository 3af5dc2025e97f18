//! Keeping what passes hook points.

use super::{At, Depth, Hook, HookPoint, HookSet, Site};
use crate::error::{Error, Result};
use candle_core::Tensor;
use std::collections::BTreeMap;
use std::ops::Range;

/// One call of a hook point: the texts it was for, and the tensor.
#[derive(Debug, Clone)]
pub struct Record {
    /// The rows of the packed batch that each text covers.
    pub segments: Vec<Range<usize>>,
    /// What passed.
    pub tensor: Tensor,
}

/// A hook that keeps the tensors of a set of hook points (cheaply: tensors share their storage).
#[derive(Debug, Default)]
pub struct Recorder {
    wanted: HookSet,
    seen: BTreeMap<HookPoint, Vec<Record>>,
}

impl Recorder {
    /// A recorder of these points.
    pub fn new(wanted: HookSet) -> Self {
        Self {
            wanted,
            seen: BTreeMap::new(),
        }
    }

    /// What passed this point in the one call that sites with a row per token get.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] if the point was not recorded.
    pub fn get(&self, point: HookPoint) -> Result<&Tensor> {
        self.calls(point)?
            .first()
            .map(|r| &r.tensor)
            .ok_or_else(|| not_recorded(point))
    }

    /// Every call of this point (attention scores and patterns have one for each group of equally long texts).
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] if the point was not recorded.
    pub fn calls(&self, point: HookPoint) -> Result<&[Record]> {
        self.seen
            .get(&point)
            .map(Vec::as_slice)
            .ok_or_else(|| not_recorded(point))
    }

    /// Forgets what was recorded, to be used for the next batch.
    pub fn clear(&mut self) {
        self.seen.clear();
    }
}

fn not_recorded(point: HookPoint) -> Error {
    Error::NoSuchPoint {
        point: point.to_string(),
        reason: "it was not recorded in this forward pass".to_owned(),
    }
}

impl Hook for Recorder {
    fn on(&mut self, at: At<'_>, x: Tensor) -> Result<Tensor> {
        if self.wanted.contains(at.point) {
            self.seen.entry(at.point).or_default().push(Record {
                segments: at.segments.to_vec(),
                tensor: x.clone(),
            });
        }
        Ok(x)
    }

    fn depth(&self) -> Depth {
        self.wanted.depth()
    }

    fn sees_patterns(&self) -> bool {
        let mut sites = self.wanted.points().iter().map(|p| p.site());
        sites.any(|site| matches!(site, Site::AttnScores | Site::AttnPattern))
    }
}

/// Several hooks as one, called in order. Put recorders last, so that what is stored is what the next layer sees.
#[derive(Default)]
pub struct Stack<'a>(pub Vec<&'a mut dyn Hook>);

impl Hook for Stack<'_> {
    fn on(&mut self, at: At<'_>, x: Tensor) -> Result<Tensor> {
        self.0.iter_mut().try_fold(x, |x, hook| hook.on(at, x))
    }

    fn depth(&self) -> Depth {
        self.0
            .iter()
            .map(|h| h.depth())
            .max()
            .unwrap_or(Depth::Embed)
    }

    fn sees_patterns(&self) -> bool {
        self.0.iter().any(|h| h.sees_patterns())
    }
}
