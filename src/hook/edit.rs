//! Hooks that change what passes: patches, and taps for gradients.

use super::{At, Depth, Hook, HookPoint};
use crate::error::{Error, Result};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};

/// Puts a tensor in the place of what passes a hook point with one call per forward pass (any but scores and patterns).
#[derive(Debug, Clone)]
pub struct Patch {
    point: HookPoint,
    value: Tensor,
}

impl Patch {
    /// Replaces what passes `point` by `value`, which must have the same shape.
    pub fn new(point: HookPoint, value: Tensor) -> Self {
        Self { point, value }
    }
}

impl Hook for Patch {
    fn on(&mut self, at: At<'_>, x: Tensor) -> Result<Tensor> {
        if at.point != self.point {
            return Ok(x);
        }
        if x.shape() != self.value.shape() {
            return Err(Error::HookShape {
                point: at.point.to_string(),
                expected: x.dims().to_vec(),
                found: self.value.dims().to_vec(),
            });
        }
        Ok(self.value.clone())
    }

    fn depth(&self) -> Depth {
        self.point.depth()
    }
}

/// Adds a zero variable at a hook point, so that the gradient there can be read after a backward pass.
#[derive(Debug, Clone)]
pub struct Tap {
    point: HookPoint,
    vars: Vec<Var>,
}

impl Tap {
    /// A tap at `point`.
    pub fn new(point: HookPoint) -> Self {
        Self {
            point,
            vars: Vec::new(),
        }
    }

    /// The gradient at the point for each call that it got: one tensor of the point's shape, or one for each group of
    /// equally long texts at `attn_scores` and `attn_pattern`.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] if the forward pass never came by, or if what was differentiated does not depend on the point.
    pub fn gradients(&self, store: &GradStore) -> Result<Vec<Tensor>> {
        let absent = |reason: &str| Error::NoSuchPoint {
            point: self.point.to_string(),
            reason: reason.to_owned(),
        };
        if self.vars.is_empty() {
            return Err(absent("the forward pass did not reach it"));
        }
        self.vars
            .iter()
            .map(|var| {
                store
                    .get(var)
                    .cloned()
                    .ok_or_else(|| absent("the differentiated value does not depend on it"))
            })
            .collect()
    }
}

impl Hook for Tap {
    fn on(&mut self, at: At<'_>, x: Tensor) -> Result<Tensor> {
        if at.point != self.point {
            return Ok(x);
        }
        let var = Var::zeros(x.shape(), x.dtype(), x.device())?;
        let tapped = x.add(var.as_tensor())?;
        self.vars.push(var);
        Ok(tapped)
    }

    fn depth(&self) -> Depth {
        self.point.depth()
    }
}
