//! What a transformer is made of, as data: the architecture that the model code runs.

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
    /// Rows of the token-type table, of which row 0 is added to every token; 0 where there is none.
    pub token_types: usize,
    /// Whether the embeddings are normalised before the first block.
    pub embed_norm: bool,
    /// How tokens know where they stand.
    pub position: Position,
    /// Which tokens see which.
    pub mask: Mask,
    /// The normalisation.
    pub norm: Norm,
    /// Where in a block it stands.
    pub placement: Placement,
    /// Whether the stream is normalised once more after the last block.
    pub final_norm: bool,
    /// Which projections of attention have a bias.
    pub attn_bias: bool,
    /// Whether the projections of the MLP have a bias.
    pub mlp_bias: bool,
    /// Plain or gated MLP.
    pub mlp: Mlp,
    /// The MLP's activation function.
    pub activation: Activation,
    /// What stands on top.
    pub head: Head,
    /// Whether the model has a pooler (`tanh` of a linear layer on the first token).
    pub pooler: bool,
}

/// How tokens know where they stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// A learned vector for each position, added to the embeddings.
    Learned,
    /// Queries and keys are rotated by an angle that grows with the position (Su et al. 2021), halves paired as in Llama.
    Rotary {
        /// Base of the frequencies.
        theta: f64,
        /// How the frequencies are stretched for longer contexts.
        scaling: RopeScaling,
    },
}

/// How rotary frequencies are stretched for contexts longer than those first trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RopeScaling {
    /// Not at all.
    None,
    /// Position interpolation: all frequencies divided by `factor` (Chen et al. 2023).
    Linear {
        /// The stretch.
        factor: f64,
    },
    /// Llama 3.1's rule: low frequencies divided by `factor`, high ones kept, a ramp between.
    Llama3 {
        /// The stretch of low frequencies.
        factor: f64,
        /// Wavelengths above `original_context / low_freq_factor` are stretched whole.
        low_freq_factor: f64,
        /// Wavelengths below `original_context / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// The context that the model was first trained on.
        original_context: f64,
    },
}

/// Which tokens see which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// Every token sees every token of its text.
    Bidirectional,
    /// A token sees itself and those before it.
    Causal,
}

/// A normalisation over the last axis.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Norm {
    /// Which one.
    pub kind: NormKind,
    /// What is added to the variance.
    pub eps: f64,
}

/// The kinds of normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NormKind {
    /// Mean and variance, with weight and bias (Ba et al. 2016).
    LayerNorm,
    /// Root mean square, with weight (Zhang & Sennrich 2019).
    RmsNorm,
}

/// Where in a block the norms stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Before attention and before the MLP; the stream itself is never normalised (GPT-2, Llama).
    Pre,
    /// After each addition to the stream (the original transformer, BERT).
    Post,
}

/// The shape of the MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mlp {
    /// `out(act(in(x)))`.
    Plain,
    /// `out(act(gate(x)) * in(x))` (Shazeer 2020).
    Gated,
}

/// Activation functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * Phi(x)`, exact.
    GeluErf,
    /// The tanh approximation of it.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `x * sigmoid(x)`.
    Silu,
}

/// What stands on top of the last block (and the final norm, if there is one).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// Nothing: the model ends with its hidden states.
    None,
    /// A projection to the vocabulary; `tied` to the token embeddings or with a matrix of its own.
    Lm {
        /// Whether the projection is the embedding matrix.
        tied: bool,
    },
    /// BERT's: linear, activation, norm, then a projection with bias.
    MaskedLm {
        /// Whether the projection is the embedding matrix.
        tied: bool,
    },
    /// A linear layer on the pooler's output, one row a text.
    PooledClassifier {
        /// Number of classes.
        classes: usize,
    },
    /// A linear layer without bias on the last token, one row a text.
    LastTokenClassifier {
        /// Number of classes.
        classes: usize,
    },
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
        if self.final_norm {
            points.push(HookPoint::at(None, Site::FinalNorm));
        }
        points
    }

    /// Why this architecture has no such site; `None` if it has it.
    pub fn absence(&self, site: Site) -> Option<&'static str> {
        match site {
            Site::PosEmbed if self.position != Position::Learned => {
                Some("positions are not added to the embeddings")
            }
            Site::FinalNorm if !self.final_norm => Some("there is no norm after the last block"),
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
            Site::Logits => vec![match self.head {
                Head::PooledClassifier { classes } | Head::LastTokenClassifier { classes } => {
                    classes
                }
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
        matches!(
            self.head,
            Head::PooledClassifier { .. } | Head::LastTokenClassifier { .. }
        )
    }
}
