//! The weight of a linear layer, kept as products read it.

use super::kernel::{fits, values};
use super::linear;
use super::product::{Weight, product_of_plain};
use crate::error::Result;
use candle_core::{Device, Tensor};
use std::sync::{Arc, OnceLock};

/// The weight of a linear layer, `[out, in]`.
///
/// A weight in f32 that nobody trains is packed once, so that no product has to. It takes no more memory than before, except where a matrix unit multiplies
/// it: there it has a half, a whole, or one and a half of it, for numbers that use 8, 16 or all of their 24 bits. The plain matrix is made again when
/// the first gradient passes.
#[derive(Debug, Clone)]
pub struct Matrix {
    shape: (usize, usize),
    kept: Kept,
}

#[derive(Debug, Clone)]
enum Kept {
    Plain(Tensor),
    Packed {
        packed: Arc<Weight>,
        plain: Arc<OnceLock<Tensor>>,
    },
}

impl Matrix {
    /// From a weight `[out, in]`.
    ///
    /// # Errors
    /// Whatever has another number of axes.
    pub fn new(weight: Tensor) -> Result<Self> {
        let shape = weight.dims2()?;
        let (out, inner) = shape;
        if !fits(&[&weight]) || weight.track_op() || out * inner == 0 {
            let kept = Kept::Plain(weight);
            return Ok(Self { shape, kept });
        }
        let weight = weight.contiguous()?;
        let packed = Weight::transposed(values(&weight).slice()?, out, inner);
        let kept = Kept::Packed {
            packed: Arc::new(packed),
            plain: Arc::default(),
        };
        Ok(Self { shape, kept })
    }

    /// `x @ self.T + bias`, with `x` `[rows, in]`, `bias` `[out]`.
    ///
    /// # Errors
    /// Shapes that do not belong together.
    pub fn apply(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        match &self.kept {
            Kept::Packed { packed, .. } if is_plain_product(x, self.shape, bias) => {
                product(x, self.shape.0, bias, |x, bias| packed.product(x, bias))
            }
            _ => linear(x, &self.plain()?, bias),
        }
    }

    /// `[out, in]`, as it was given.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn plain(&self) -> Result<Tensor> {
        let (packed, plain) = match &self.kept {
            Kept::Plain(weight) => return Ok(weight.clone()),
            Kept::Packed { packed, plain } => (packed, plain),
        };
        if let Some(plain) = plain.get() {
            return Ok(plain.clone());
        }
        let unpacked = Tensor::from_vec(packed.unpacked(), self.shape, &Device::Cpu)?;
        // Another thread may have been faster, with the same numbers.
        Ok(plain.get_or_init(|| unpacked).clone())
    }
}

/// `x @ weight.T + bias` where nothing tracks a graph; `None` for tensors that there is no kernel for.
pub(super) fn untracked(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
) -> Result<Option<Tensor>> {
    let shape = weight.dims2()?;
    if !fits(&[weight]) || weight.track_op() || !is_plain_product(x, shape, bias) {
        return Ok(None);
    }
    let weight = weight.contiguous()?;
    let weight = values(&weight);
    let (weight, shape) = (weight.slice()?, [shape.0, shape.1]);
    product(x, shape[0], bias, |x, bias| {
        product_of_plain(x, weight, shape, bias)
    })
    .map(Some)
}

/// Whether the kernels can multiply `x` by a weight of this shape and add a bias.
fn is_plain_product(x: &Tensor, (out, inner): (usize, usize), bias: Option<&Tensor>) -> bool {
    let fits = |x: &Tensor| fits(&[x]) && !x.track_op();
    let shaped = matches!(x.dims(), [_, width] if *width == inner);
    fits(x) && shaped && bias.is_none_or(|b| fits(b) && b.dims() == [out])
}

fn product(
    x: &Tensor,
    out: usize,
    bias: Option<&Tensor>,
    multiply: impl FnOnce(&[f32], Option<&[f32]>) -> Vec<f32>,
) -> Result<Tensor> {
    let x = x.contiguous()?;
    let bias = bias.map(Tensor::contiguous).transpose()?;
    let bias = bias.as_ref().map(values);
    let bias = bias.as_ref().map(|b| b.slice()).transpose()?;
    let y = multiply(values(&x).slice()?, bias);
    Ok(Tensor::from_vec(y, (x.dim(0)?, out), &Device::Cpu)?)
}
