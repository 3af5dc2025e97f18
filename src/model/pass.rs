//! What is known about the batch while it passes the blocks, and how hooks are called.

use super::position::{Bias, Rotation};
use crate::error::{Error, Result};
use crate::hook::{At, Hook, HookPoint, Site};
use crate::text::batch::Batch;
use candle_core::Tensor;

/// What a block needs to know about the batch that passes.
pub(super) struct Pass<'a> {
    pub(super) batch: &'a Batch,
    /// One for each of the architecture's rotations.
    pub(super) rotations: &'a [Rotation],
    pub(super) bias: Option<&'a Bias>,
    pub(super) layer: usize,
}

impl Pass<'_> {
    /// Calls the hook at a site that has one row per token, and checks what it returns.
    pub(super) fn visit(&self, site: Site, x: Tensor, hook: &mut dyn Hook) -> Result<Tensor> {
        let point = HookPoint::at(Some(self.layer), site);
        let segments = self.batch.segments();
        visit(At { point, segments }, x, hook)
    }
}

/// Calls a hook and insists that it returns the shape that it was given.
pub(super) fn visit(at: At<'_>, x: Tensor, hook: &mut dyn Hook) -> Result<Tensor> {
    let expected = x.shape().clone();
    let y = hook.on(at, x)?;
    match *y.shape() == expected {
        true => Ok(y),
        false => Err(Error::HookShape {
            point: at.point.to_string(),
            expected: expected.into_dims(),
            found: y.dims().to_vec(),
        }),
    }
}
