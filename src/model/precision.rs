//! The precision that a model computes in.

use super::ops::Matrix;
use super::weights::Weights;
use crate::error::{Error, Result};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The type of a model's weights and of its stream. With 16 bits an operation (a linear layer, a norm, an activation, a rotation)
/// computes in f32 and rounds what it gives, and attention from rotated queries to mixed values computes in f32: torch's kernels
/// do the same, except for where exactly they round. Memory for weights is halved; nothing becomes faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// 16 bits, of which 8 are the exponent: the range of f32, two to three digits.
    Bf16,
    /// 16 bits, of which 5 are the exponent: three digits, up to 65504.
    F16,
}

impl Precision {
    /// The tensors' type.
    pub fn dtype(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::F16 => DType::F16,
        }
    }

    /// The largest number that it holds; a larger one would become infinite.
    pub fn largest(self) -> f32 {
        match self {
            Precision::F32 => f32::MAX,
            Precision::Bf16 => half::bf16::MAX.to_f32(),
            Precision::F16 => half::f16::MAX.to_f32(),
        }
    }

    /// The error for a number that it does not hold; `place` says where it is.
    pub(crate) fn exceeded(self, place: &str) -> Error {
        Error::BadParameter {
            name: "precision",
            value: self.to_string(),
            problem: format!(
                "{place} goes beyond {}, the largest number; give --precision bf16 or f32",
                self.largest()
            ),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        })
    }
}

/// What is done to the weights of a model when it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Weights and stream are rounded to a precision.
    To(Precision),
    /// Matrices are rounded as in llama.cpp's Q8_0 (blocks of 32 numbers along a row, 8 bits each and a 16-bit scale); the model computes in f32.
    /// A matrix whose rows are no multiple of 32 is left as it is, and so are norms and biases.
    Q8,
    /// The same as in Q4_0, 4 bits each.
    Q4,
}

impl Rounding {
    /// What the model then computes in.
    pub fn precision(self) -> Precision {
        match self {
            Rounding::To(precision) => precision,
            Rounding::Q8 | Rounding::Q4 => Precision::F32,
        }
    }

    /// A weight, rounded.
    pub(super) fn round(self, exact: &Tensor) -> Result<Tensor> {
        let format = match self {
            Rounding::To(precision) => return Ok(exact.to_dtype(precision.dtype())?),
            Rounding::Q8 => GgmlDType::Q8_0,
            Rounding::Q4 => GgmlDType::Q4_0,
        };
        let (dims, block) = (exact.dims(), format.block_size());
        match dims.len() == 2 && dims[1].is_multiple_of(block) {
            true => {
                Ok(QTensor::quantize(&exact.contiguous()?, format)?.dequantize(exact.device())?)
            }
            false => Ok(exact.clone()),
        }
    }
}

/// Weights of another source, rounded.
pub(super) struct Rounded<'a> {
    pub weights: &'a mut dyn Weights,
    pub rounding: Rounding,
}

impl Weights for Rounded<'_> {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let exact = self.weights.get(name, shape)?;
        let rounded = self.rounding.round(&exact)?;
        let precision = self.rounding.precision();
        if precision != Precision::F32 && rounded.elem_count() > 0 {
            let magnitude = rounded.to_dtype(DType::F32)?.abs()?.flatten_all()?;
            if magnitude.max(0)?.to_scalar::<f32>()?.is_infinite() {
                return Err(precision.exceeded(&format!("the weight `{name}`")));
            }
        }
        Ok(rounded)
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix> {
        match self.rounding {
            // The source may share it among blocks.
            Rounding::To(Precision::F32) => self.weights.matrix(name, shape),
            _ => Matrix::new(self.get(name, &shape)?),
        }
    }
}
