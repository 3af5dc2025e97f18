//! A linear layer with its weights.

use super::ops::Matrix;
use super::weights::Weights;
use crate::error::Result;
use candle_core::{DType, Tensor};

/// A linear layer: weight `[out, in]` and, where the architecture has it, bias `[out]`.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    weight: Matrix,
    bias: Option<Tensor>,
}

impl Linear {
    pub(super) fn load(
        name: &str,
        (out, inner): (usize, usize),
        bias: bool,
        weights: &mut dyn Weights,
    ) -> Result<Self> {
        Ok(Self {
            weight: weights.matrix(&format!("{name}.weight"), [out, inner])?,
            bias: match bias {
                true => Some(weights.get(&format!("{name}.bias"), &[out])?),
                false => None,
            },
        })
    }

    /// `[out, in]`, in f32.
    pub(super) fn weight(&self) -> Result<Tensor> {
        Ok(self.weight.plain()?.to_dtype(DType::F32)?)
    }

    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        self.weight.apply(x, self.bias.as_ref())
    }
}
