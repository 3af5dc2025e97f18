//! Translators: affine maps from a layer's stream to what the last layer would have made of it.

use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::model::ops;
use candle_core::{DType, Device, Tensor};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// `h + A h + b`.
#[derive(Debug, Clone)]
pub struct Translator {
    /// `A`, `[d_model, d_model]`.
    pub weight: Tensor,
    /// `b`, `[d_model]`.
    pub bias: Tensor,
}

impl Translator {
    /// The translator that changes nothing.
    ///
    /// # Errors
    /// [`Error::Candle`].
    pub fn identity(width: usize) -> Result<Self> {
        Ok(Self {
            weight: Tensor::zeros((width, width), DType::F32, &Device::Cpu)?,
            bias: Tensor::zeros(width, DType::F32, &Device::Cpu)?,
        })
    }

    /// The stream `[tokens, d_model]`, translated.
    ///
    /// # Errors
    /// [`Error::Candle`].
    pub fn apply(&self, stream: &Tensor) -> Result<Tensor> {
        let weight = self.weight.to_dtype(stream.dtype())?;
        let bias = self.bias.to_dtype(stream.dtype())?;
        Ok((stream + ops::linear(stream, &weight, Some(&bias))?)?)
    }
}

/// The translators of a model, by hook point.
#[derive(Debug, Clone, Default)]
pub struct Translators(pub BTreeMap<HookPoint, Translator>);

impl Translators {
    /// The translator of a hook point, if it has one.
    pub fn at(&self, point: HookPoint) -> Option<&Translator> {
        self.0.get(&point)
    }

    /// As the bytes of a safetensors file: `blocks.3.resid_post.weight`, `blocks.3.resid_post.bias`, …
    ///
    /// # Errors
    /// [`Error::Malformed`] if they cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let tensors: BTreeMap<String, Tensor> = self
            .0
            .iter()
            .flat_map(|(point, t)| {
                [
                    (format!("{point}.weight"), t.weight.clone()),
                    (format!("{point}.bias"), t.bias.clone()),
                ]
            })
            .collect();
        safetensors::serialize(tensors, None).map_err(|e| Error::Malformed {
            path: "(translators)".into(),
            problem: format!("could not be written ({e})"),
        })
    }

    /// Reads a file that [`Translators::to_bytes`] made, for a stream of this width.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Malformed`], [`Error::WrongShape`], [`Error::MissingWeight`].
    pub fn read(path: &Path, width: usize) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
        let tensors: HashMap<String, Tensor> = tensors.map_err(|e| Error::Malformed {
            path: path.to_owned(),
            problem: format!("this is no safetensors file ({e})"),
        })?;
        let take = |name: String, shape: &[usize]| match tensors.get(&name) {
            None => Err(Error::MissingWeight {
                path: path.to_owned(),
                name,
            }),
            Some(t) if t.dims() != shape => Err(Error::WrongShape {
                path: path.to_owned(),
                name,
                found: t.dims().to_vec(),
                expected: shape.to_vec(),
            }),
            Some(t) => Ok(t.to_dtype(DType::F32)?),
        };
        let names = tensors
            .keys()
            .filter_map(|name| name.strip_suffix(".weight"));
        let translators = names.map(|name| {
            let point: HookPoint = name.parse()?;
            let translator = Translator {
                weight: take(format!("{name}.weight"), &[width, width])?,
                bias: take(format!("{name}.bias"), &[width])?,
            };
            Ok((point, translator))
        });
        Ok(Self(translators.collect::<Result<_>>()?))
    }
}
