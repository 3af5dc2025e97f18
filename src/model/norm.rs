//! A normalisation with its weights.

use super::ops;
use super::spec::{Norm as NormSpec, NormKind};
use super::weights::Weights;
use crate::error::Result;
use candle_core::Tensor;

/// A layer norm or an RMS norm over the last axis.
#[derive(Debug, Clone)]
pub(super) struct Norm {
    spec: NormSpec,
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Norm {
    /// Loads `name.weight` (and `name.bias`), each `[width]`.
    pub(super) fn load(
        name: &str,
        width: usize,
        spec: NormSpec,
        weights: &mut dyn Weights,
    ) -> Result<Self> {
        let bias = match spec.kind {
            NormKind::LayerNorm => Some(weights.get(&format!("{name}.bias"), &[width])?),
            NormKind::RmsNorm => None,
        };
        Ok(Self {
            spec,
            weight: weights.get(&format!("{name}.weight"), &[width])?,
            bias,
        })
    }

    /// Normalises `[.., width]`.
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => ops::layer_norm(x, &self.weight, bias, self.spec.eps),
            None => ops::rms_norm(x, &self.weight, self.spec.eps),
        }
    }
}
