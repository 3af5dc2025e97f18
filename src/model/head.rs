//! What stands on top of the last block: poolers, language-model heads, classifiers.

use super::linear::Linear;
use super::norm::Norm;
use super::ops;
use super::spec::{Activation, ArchSpec, Head as Kind};
use super::weights::Weights;
use crate::error::Result;
use crate::text::batch::Batch;
use candle_core::{Device, Tensor};

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
        let first = rows(batch, |s| s.start)?;
        Ok(self.0.apply(&x.index_select(&first, 0)?)?.tanh()?)
    }
}

/// A head with its weights.
#[derive(Debug, Clone)]
pub(super) enum Head {
    None,
    /// `[tokens, vocab]`
    Lm(Tensor),
    /// `[tokens, vocab]`
    MaskedLm {
        transform: Linear,
        activation: Activation,
        norm: Norm,
        unembed: Tensor,
        bias: Tensor,
    },
    /// `[texts, classes]` from the pooler's output
    Pooled(Linear),
    /// `[texts, classes]` from the last token
    LastToken(Linear),
}

impl Head {
    /// Loads the head; `embed` is the token embedding `[vocab, d_model]` that a tied head uses.
    pub(super) fn load(spec: &ArchSpec, embed: &Tensor, weights: &mut dyn Weights) -> Result<Self> {
        let d = spec.d_model;
        let unembed = |tied: bool, weights: &mut dyn Weights| match tied {
            true => Ok(embed.clone()),
            false => weights.get("head.unembed.weight", &[spec.vocab, d]),
        };
        Ok(match spec.head {
            Kind::None => Head::None,
            Kind::Lm { tied } => Head::Lm(unembed(tied, weights)?),
            Kind::MaskedLm { tied } => Head::MaskedLm {
                transform: Linear::load("head.transform", (d, d), true, weights)?,
                activation: spec.activation,
                norm: Norm::load("head.norm", d, spec.norm, weights)?,
                unembed: unembed(tied, weights)?,
                bias: weights.get("head.bias", &[spec.vocab])?,
            },
            Kind::PooledClassifier { classes } => Head::Pooled(Linear::load(
                "head.classifier",
                (classes, d),
                true,
                weights,
            )?),
            Kind::LastTokenClassifier { classes } => Head::LastToken(Linear::load(
                "head.classifier",
                (classes, d),
                false,
                weights,
            )?),
        })
    }

    /// The logits, from the normed stream and the pooler's output; `None` without a head.
    pub(super) fn apply(
        &self,
        x: &Tensor,
        pooled: Option<&Tensor>,
        batch: &Batch,
    ) -> Result<Option<Tensor>> {
        Ok(match self {
            Head::None => None,
            Head::Lm(unembed) => Some(ops::linear(x, unembed, None)?),
            Head::MaskedLm {
                transform,
                activation,
                norm,
                unembed,
                bias,
            } => {
                let y = norm.apply(&ops::activate(&transform.apply(x)?, *activation)?)?;
                Some(ops::linear(&y, unembed, Some(bias))?)
            }
            Head::Pooled(linear) => match pooled {
                Some(pooled) => Some(linear.apply(pooled)?),
                None => None,
            },
            Head::LastToken(linear) => {
                let last = rows(batch, |s| s.end - 1)?;
                Some(linear.apply(&x.index_select(&last, 0)?)?)
            }
        })
    }
}

/// One row of each text, in the order of the batch's segments.
fn rows(batch: &Batch, pick: impl Fn(&std::ops::Range<usize>) -> usize) -> Result<Tensor> {
    let rows: Vec<u32> = batch.segments().iter().map(|s| pick(s) as u32).collect();
    Ok(Tensor::new(rows, &Device::Cpu)?)
}
