//! What a transformer is made of, as data: the architecture that the model code runs.

mod parts;

pub use parts::*;

use crate::error::{Error, Result};
use crate::hook::{HookPoint, Site};
use serde::Serialize;

/// Everything that the model code needs to know about an architecture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ArchSpec {
    /// The name that Hugging Face gives the family (`model_type`); for display, nothing branches on it.
    pub family: String,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads; fewer than `n_heads` in grouped-query attention.
    pub n_kv_heads: usize,
    /// Width of a head.
    pub d_head: usize,
    /// Width inside the MLP.
    pub d_mlp: usize,
    /// Number of token ids.
    pub vocab: usize,
    /// The most tokens of one text that the model reads.
    pub context: usize,
    /// From token ids to what block 0 reads.
    pub embed: Embed,
    /// Which tokens see which.
    pub mask: Mask,
    /// The attention of every block.
    pub attention: AttentionSpec,
    /// What differs from block to block, one entry each.
    pub layers: Vec<Layer>,
    /// What the MLP reads.
    pub residual: Residual,
    /// What attention's and the MLP's outputs are multiplied by before they are added to the stream.
    pub residual_scale: f64,
    /// The normalisation.
    pub norm: Norm,
    /// Where in a block it stands.
    pub placement: Placement,
    /// Whether the stream is normalised once more after the last block.
    pub final_norm: bool,
    /// Whether the stream is projected back to the embeddings' width after that (OPT-350m).
    pub project_out: bool,
    /// Whether the projections of the MLP have a bias.
    pub mlp_bias: bool,
    /// Plain or gated MLP.
    pub mlp: Mlp,
    /// The MLP's activation function.
    pub activation: Activation,
    /// What stands on top.
    pub head: Head,
    /// Whether the model has a pooler.
    pub pooler: bool,
}

impl ArchSpec {
    /// Every hook point of this architecture, in the order in which the forward pass meets them.
    pub fn points(&self) -> Vec<HookPoint> {
        let mut points: Vec<HookPoint> = Site::ALL
            .into_iter()
            .filter(|s| self.absence(*s).is_none())
            .flat_map(|site| match site.in_block() {
                true => (0..self.n_layers)
                    .map(|l| HookPoint::at(Some(l), site))
                    .collect(),
                false => vec![HookPoint::at(None, site)],
            })
            .collect();
        points.sort();
        points
    }

    /// Hugging Face's `hidden_states`, in order: what block 0 reads, what each block leaves, and the final norm's output
    /// where the family has one.
    pub fn default_points(&self) -> Vec<HookPoint> {
        let mut points = vec![HookPoint::at(Some(0), Site::ResidPre)];
        points.extend((0..self.n_layers).map(|l| HookPoint::at(Some(l), Site::ResidPost)));
        if self.absence(Site::FinalNorm).is_none() {
            points.push(HookPoint::at(None, Site::FinalNorm));
        }
        points
    }

    /// Why this architecture has no such site; `None` if it has it.
    pub fn absence(&self, site: Site) -> Option<&'static str> {
        match site {
            Site::PosEmbed if self.embed.position == Position::None => {
                Some("positions are not added to the embeddings")
            }
            Site::ResidMid if self.residual != Residual::Serial => {
                Some("attention and MLP read the same stream, in parallel")
            }
            Site::FinalNorm if !self.final_norm && !self.project_out => {
                Some("there is no norm after the last block")
            }
            Site::Logits if self.head == Head::None => Some("the model has no head"),
            _ => None,
        }
    }

    /// The shape of one row (one token) at a site: `[d_model]`, `[head, d_head]`, `[d_mlp]`, `[vocab]`, `[classes]`.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`] for scores and patterns, which have no row per token.
    pub fn row_shape(&self, site: Site) -> Result<Vec<usize>> {
        Ok(match site {
            Site::AttnQ | Site::AttnZ => vec![self.n_heads, self.d_head],
            Site::AttnK | Site::AttnV => vec![self.n_kv_heads, self.d_head],
            Site::MlpPre | Site::MlpPost => vec![self.d_mlp],
            Site::Embed | Site::PosEmbed => vec![self.summed_width()],
            Site::FinalNorm => vec![self.last_width()],
            Site::Logits => vec![match self.head {
                Head::Classifier { classes, .. } => classes,
                _ => self.vocab,
            }],
            Site::AttnScores | Site::AttnPattern => {
                return Err(Error::NoSuchPoint {
                    point: site.to_string(),
                    reason: "it has a row for each pair of tokens, not for each token".to_owned(),
                });
            }
            _ => vec![self.d_model],
        })
    }

    /// Whether the head gives one row a text instead of one a token.
    pub fn classifies_texts(&self) -> bool {
        matches!(self.head, Head::Classifier { .. })
    }

    /// The width in which token embeddings, positions and types are summed.
    pub(super) fn summed_width(&self) -> usize {
        match self.embed.project {
            Project::Sum => self.embed.width,
            Project::None | Project::Tokens => self.d_model,
        }
    }

    /// The width of what the head reads.
    pub(super) fn last_width(&self) -> usize {
        match self.project_out {
            true => self.embed.width,
            false => self.d_model,
        }
    }
}
