//! What stands on top of the last block: poolers, language-model heads, classifiers.

use super::linear::Linear;
use super::norm::Norm;
use super::ops;
use super::spec::{Activation, ArchSpec, Head as Kind, Reads, Transform as TransformSpec};
use super::weights::Weights;
use crate::error::Result;
use crate::text::batch::Batch;
use candle_core::{Device, Tensor};
use std::ops::Range;

/// `tanh` of a linear layer on each text's first token.
#[derive(Debug, Clone)]
pub(super) struct Pooler(Linear);

impl Pooler {
    pub(super) fn load(spec: &ArchSpec, weights: &mut dyn Weights) -> Result<Self> {
        let shape = (spec.d_model, spec.d_model);
        Ok(Self(Linear::load("pooler", shape, true, weights)?))
    }

    /// `[texts, d_model]`, texts in the order of the batch's segments.
    pub(super) fn apply(&self, x: &Tensor, batch: &Batch) -> Result<Tensor> {
        let first = rows(x, batch, |s| s.start)?;
        Ok(self.0.apply(&first)?.tanh()?)
    }
}

/// A linear layer, an activation and perhaps a norm, with their weights.
#[derive(Debug, Clone)]
pub(super) struct Transform {
    linear: Linear,
    activation: Activation,
    norm: Option<Norm>,
}

impl Transform {
    fn load(
        kind: Option<TransformSpec>,
        spec: &ArchSpec,
        weights: &mut dyn Weights,
    ) -> Result<Option<Self>> {
        let Some(kind) = kind else { return Ok(None) };
        let shape = (kind.width, spec.last_width());
        Ok(Some(Self {
            linear: Linear::load("head.transform", shape, kind.bias, weights)?,
            activation: kind.activation,
            norm: match kind.norm {
                true => Some(Norm::load("head.norm", kind.width, spec.norm, weights)?),
                false => None,
            },
        }))
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let y = ops::activate(&self.linear.apply(x)?, self.activation)?;
        match &self.norm {
            Some(norm) => norm.apply(&y),
            None => Ok(y),
        }
    }
}

/// A head with its weights.
#[derive(Debug, Clone)]
pub(super) enum Head {
    None,
    /// `[tokens, vocab]`
    Lm {
        transform: Option<Transform>,
        unembed: Tensor,
        bias: Option<Tensor>,
        scale: f64,
        softcap: Option<f64>,
    },
    /// `[texts, classes]`
    Classifier {
        reads: Reads,
        transform: Option<Transform>,
        linear: Linear,
    },
}

impl Head {
    /// Loads the head; `embed` is the token embedding that a tied head uses.
    pub(super) fn load(spec: &ArchSpec, embed: &Tensor, weights: &mut dyn Weights) -> Result<Self> {
        let last = spec.last_width();
        let width = |t: Option<TransformSpec>| t.map_or(last, |t| t.width);
        Ok(match spec.head {
            Kind::None => Head::None,
            Kind::Lm {
                tied,
                bias,
                transform,
                scale,
                softcap,
            } => Head::Lm {
                unembed: match tied {
                    true => embed.clone(),
                    false => weights.get("head.unembed.weight", &[spec.vocab, width(transform)])?,
                },
                bias: match bias {
                    true => Some(weights.get("head.bias", &[spec.vocab])?),
                    false => None,
                },
                transform: Transform::load(transform, spec, weights)?,
                scale,
                softcap,
            },
            Kind::Classifier {
                reads,
                transform,
                classes,
                bias,
            } => Head::Classifier {
                reads,
                linear: Linear::load(
                    "head.classifier",
                    (classes, width(transform)),
                    bias,
                    weights,
                )?,
                transform: Transform::load(transform, spec, weights)?,
            },
        })
    }

    /// The output embeddings of a language-model head.
    pub(super) fn unembedding(&self) -> Option<&Tensor> {
        match self {
            Head::Lm { unembed, .. } => Some(unembed),
            _ => None,
        }
    }

    /// What a language-model head multiplies with its output embeddings.
    pub(super) fn input(&self, x: &Tensor) -> Result<Option<Tensor>> {
        match self {
            Head::Lm {
                transform: Some(transform),
                ..
            } => transform.apply(x).map(Some),
            Head::Lm { .. } => Ok(Some(x.clone())),
            _ => Ok(None),
        }
    }

    /// The logits, from the normed stream and the pooler's output; `None` without a head.
    pub(super) fn apply(
        &self,
        x: &Tensor,
        pooled: Option<&Tensor>,
        batch: &Batch,
    ) -> Result<Option<Tensor>> {
        let transformed = |t: &Option<Transform>, x: Tensor| match t {
            Some(t) => t.apply(&x),
            None => Ok(x),
        };
        Ok(match self {
            Head::None => None,
            Head::Lm {
                transform,
                unembed,
                bias,
                scale,
                softcap,
            } => {
                let y = transformed(transform, x.clone())?;
                let logits = ops::linear(&y, unembed, bias.as_ref())?;
                let logits = if *scale == 1.0 {
                    logits
                } else {
                    (logits * *scale)?
                };
                Some(match softcap {
                    None => logits,
                    Some(cap) => ((logits / *cap)?.tanh()? * *cap)?,
                })
            }
            Head::Classifier {
                reads,
                transform,
                linear,
            } => match read(*reads, x, pooled, batch)? {
                Some(row) => Some(linear.apply(&transformed(transform, row)?)?),
                None => None,
            },
        })
    }
}

/// What a classifier reads of each text, `[texts, d_model]`.
fn read(
    reads: Reads,
    x: &Tensor,
    pooled: Option<&Tensor>,
    batch: &Batch,
) -> Result<Option<Tensor>> {
    Ok(match reads {
        Reads::Pooler => pooled.cloned(),
        Reads::First => Some(rows(x, batch, |s| s.start)?),
        Reads::Last { pad } => Some(rows(x, batch, |s| last_row(s, batch.ids(), pad))?),
        Reads::Mean => {
            let means = batch
                .segments()
                .iter()
                .map(|s| x.narrow(0, s.start, s.len())?.mean_keepdim(0))
                .collect::<candle_core::Result<Vec<Tensor>>>()?;
            Some(Tensor::cat(&means, 0)?)
        }
    })
}

/// The last token that is not padding; the first one where all are, as in transformers.
fn last_row(segment: &Range<usize>, ids: &[u32], pad: Option<u32>) -> usize {
    let real = segment.clone().rfind(|i| Some(ids[*i]) != pad);
    real.unwrap_or(segment.start)
}

/// One row of each text, in the order of the batch's segments.
fn rows(x: &Tensor, batch: &Batch, pick: impl Fn(&Range<usize>) -> usize) -> Result<Tensor> {
    let rows: Vec<u32> = batch.segments().iter().map(|s| pick(s) as u32).collect();
    Ok(x.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?)
}
