//! A normalisation with its weights.

use super::ops;
use super::spec::{Norm as NormSpec, NormKind, Over, QkNorm};
use super::weights::Weights;
use crate::error::Result;
use candle_core::{Device, Tensor};

/// A layer norm or an RMS norm over the last axis.
#[derive(Debug, Clone)]
pub(super) struct Norm {
    eps: f64,
    weight: Tensor,
    /// Layer norms have one, be it zero.
    bias: Option<Tensor>,
}

impl Norm {
    /// Loads `name.weight` (and `name.bias`), each `[width]`, as far as the kind has them.
    pub(super) fn load(
        name: &str,
        width: usize,
        spec: NormSpec,
        weights: &mut dyn Weights,
    ) -> Result<Self> {
        let mut get = |part: &str| weights.get(&format!("{name}.{part}"), &[width]);
        let constant = |value: f32| Tensor::full(value, width, &Device::Cpu);
        let (weight, bias) = match spec.kind {
            NormKind::RmsNorm => (get("weight")?, None),
            NormKind::LayerNorm => (get("weight")?, Some(get("bias")?)),
            NormKind::LayerNormNoBias => (get("weight")?, Some(constant(0.0)?)),
            NormKind::LayerNormPlain => (constant(1.0)?, Some(constant(0.0)?)),
        };
        // Constants take the weights' type, which may be another than f32.
        let bias = bias.map(|b| b.to_dtype(weight.dtype())).transpose()?;
        let eps = spec.eps;
        Ok(Self { eps, weight, bias })
    }

    /// Normalises `[.., width]`.
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        match &self.bias {
            Some(bias) => ops::layer_norm(x, &self.weight, bias, self.eps),
            None => ops::rms_norm(x, &self.weight, self.eps),
        }
    }

    /// Directions `[rows, width]` of what the norm gives (or reads), as directions of what it reads (or gives), up to a positive factor:
    /// its weights, and for a layer norm less the mean that it takes off.
    pub(super) fn fold(&self, rows: &Tensor) -> Result<Tensor> {
        let rows = rows.broadcast_mul(&self.weight.to_dtype(rows.dtype())?)?;
        match &self.bias {
            Some(_) => Ok(rows.broadcast_sub(&rows.mean_keepdim(1)?)?),
            None => Ok(rows),
        }
    }
}

/// A norm of queries or keys, `[tokens, head, d_head]`.
#[derive(Debug, Clone)]
pub(super) struct HeadNorm {
    norm: Norm,
    over: Over,
    /// `[head, d_head]`, where each head has weights of its own.
    each: Option<Tensor>,
}

impl HeadNorm {
    pub(super) fn load(
        name: &str,
        (heads, width): (usize, usize),
        spec: QkNorm,
        weights: &mut dyn Weights,
    ) -> Result<Self> {
        let (norm, each) = match spec.over {
            Over::Head => (Norm::load(name, width, spec.norm, weights)?, None),
            Over::All => (Norm::load(name, heads * width, spec.norm, weights)?, None),
            Over::EachHead => {
                let each = weights.get(&format!("{name}.weight"), &[heads, width])?;
                let plain = NormSpec {
                    kind: NormKind::LayerNormPlain,
                    ..spec.norm
                };
                (Norm::load(name, width, plain, weights)?, Some(each))
            }
        };
        let over = spec.over;
        Ok(Self { norm, over, each })
    }

    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let normed = match self.over {
            Over::All => self.norm.apply(&x.flatten_from(1)?)?.reshape(x.shape())?,
            Over::Head | Over::EachHead => self.norm.apply(x)?,
        };
        match &self.each {
            Some(each) => Ok(normed.broadcast_mul(each)?),
            None => Ok(normed),
        }
    }
}
