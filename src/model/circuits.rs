//! The weights of a model as directions of its stream: what heads and neurons read from it and write to it, and what tokens they stand for.
//!
//! Norms are folded in as far as they are linear (their weights, and the mean that a layer norm takes off); what is left of them is one
//! positive factor a token, which changes no order. Biases and positions are left out.

use super::head::Head;
use super::norm::Norm;
use super::spec::{Head as HeadKind, Project};
use super::transformer::{Model, Transformer};
use crate::error::{Error, Result};
use candle_core::{DType, Tensor};

/// The weights of one attention head.
#[derive(Debug, Clone)]
pub struct HeadWeights {
    /// `[d_head, d_model]`
    pub q: Tensor,
    /// `[d_head, d_model]`
    pub k: Tensor,
    /// `[d_head, d_model]`
    pub v: Tensor,
    /// `[d_head, d_model]`: what each number of the head adds to the stream.
    pub o: Tensor,
}

impl Transformer {
    /// For each token, the direction of the stream after the last block along which its logit grows, `[vocab, d_model]`.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] for a model without a language-model head, and for one whose head bends the stream before it reads it.
    pub fn output_directions(&self) -> Result<Tensor> {
        let refuse = |reason: &str| {
            Err(Error::NoSuchPoint {
                point: "logits".to_owned(),
                reason: reason.to_owned(),
            })
        };
        let unembed = match (self.spec().head, self.head()) {
            (
                HeadKind::Lm {
                    transform: Some(_), ..
                },
                _,
            ) => {
                return refuse(
                    "its head has an activation before the vocabulary, so no direction of the stream stands for a token",
                );
            }
            _ if self.spec().project_out => {
                return refuse("its stream is projected to another width before the vocabulary");
            }
            (_, Head::Lm { unembed, .. }) => unembed,
            _ => return refuse("the model has no language-model head"),
        };
        folded(self.final_norm(), unembed)
    }

    /// For each token, its embedding as the attention of a block reads it, `[vocab, d_model]`.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] for a model whose embeddings are of another width than its stream, or without such a block.
    pub fn input_directions(&self, layer: usize) -> Result<Tensor> {
        if self.spec().embed.project != Project::None {
            return Err(Error::NoSuchPoint {
                point: "embed".to_owned(),
                reason: "its embeddings are projected to the width of the stream".to_owned(),
            });
        }
        folded(self.block(layer)?.attention_norm(), self.embedding())
    }

    /// What each neuron of a block's MLP adds to the stream, `[d_mlp, d_model]`.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] for a block that the model does not have.
    pub fn mlp_values(&self, layer: usize) -> Result<Tensor> {
        let block = self.block(layer)?;
        let values = block.mlp().values()?;
        folded(block.mlp_output_norm(), &values)
    }

    /// The weights of one head, those of its keys and values being shared with others in grouped-query attention.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] for a block or a head that the model does not have.
    pub fn head_weights(&self, layer: usize, head: usize) -> Result<HeadWeights> {
        let block = self.block(layer)?;
        if head >= self.spec().n_heads {
            return Err(Error::NoSuchPoint {
                point: format!("blocks.{layer} head {head}"),
                reason: format!("it has {} heads, numbered from 0", self.spec().n_heads),
            });
        }
        let [q, k, v, o] = block.attention().head(head)?;
        let o = folded(block.attention_output_norm(), &o)?;
        Ok(HeadWeights { q, k, v, o })
    }
}

/// Rows of directions as they are on the other side of a norm.
fn folded(norm: Option<&Norm>, rows: &Tensor) -> Result<Tensor> {
    let rows = rows.to_dtype(DType::F32)?;
    match norm {
        Some(norm) => norm.fold(&rows),
        None => Ok(rows),
    }
}
