//! The choices of which an architecture is made: one small enum or struct each.

use serde::Serialize;

/// From token ids to what block 0 reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embed {
    /// Width of the table of token embeddings; differs from the stream's in factorised embeddings (ALBERT, OPT-350m).
    pub width: usize,
    /// What token embeddings are multiplied by, before anything is added to them.
    pub scale: f64,
    /// How tokens learn at the embeddings where they stand.
    pub position: Position,
    /// Rows of the token-type table, of which row 0 is added to every token; 0 where there is none.
    pub types: usize,
    /// Whether the sum is normalised.
    pub norm: bool,
    /// How embeddings of another width reach the stream.
    pub project: Project,
}

impl Embed {
    /// Token embeddings alone, as wide as the stream.
    pub fn plain(d_model: usize) -> Self {
        Self {
            width: d_model,
            scale: 1.0,
            position: Position::None,
            types: 0,
            norm: false,
            project: Project::None,
        }
    }
}

/// What is added to the embeddings to say where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// Nothing: positions enter in attention, or nowhere.
    None,
    /// A learned vector for each position.
    Learned {
        /// The row of the table that belongs to position 0.
        offset: usize,
        /// A token that is not counted: it stands at row `offset - 1`, and the next token where it would have stood
        /// (RoBERTa's padding token, which transformers recognises by its id wherever it occurs).
        skips: Option<u32>,
    },
}

/// How embeddings of another width reach the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Project {
    /// They have the stream's width.
    None,
    /// The token embeddings are projected, without bias, before positions are added (OPT-350m).
    Tokens,
    /// The normalised sum is projected, with bias (ALBERT, ELECTRA).
    Sum,
}

/// Rotary positions: queries and keys are turned by an angle that grows with the position (Su et al. 2021).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rotary {
    /// Base of the frequencies.
    pub theta: f64,
    /// How many coordinates of a head are turned, from the first; even.
    pub width: usize,
    /// Whether neighbours form the pairs (GPT-J) instead of the halves (Llama).
    pub interleaved: bool,
    /// How the frequencies are stretched for longer contexts.
    pub scaling: RopeScaling,
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
    /// A base that grows with the text's length beyond `original_context` ("dynamic NTK").
    Dynamic {
        /// The stretch.
        factor: f64,
        /// Texts up to this length are not stretched.
        original_context: f64,
    },
    /// YaRN (Peng et al. 2023): low frequencies divided by `factor`, high ones kept, a ramp between.
    Yarn {
        /// The stretch.
        factor: f64,
        /// Turns within the original context above which a frequency is kept.
        beta_fast: f64,
        /// Turns within the original context below which a frequency is stretched whole.
        beta_slow: f64,
        /// The context that the model was first trained on.
        original_context: f64,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
        /// Whether the ends of the ramp are rounded to whole coordinates.
        truncate: bool,
    },
    /// LongRoPE (Ding et al. 2024): a divisor of its own for each frequency, one list for short and one for long texts.
    LongRope {
        /// Divisors for texts up to the original context.
        short: Vec<f64>,
        /// Divisors for longer texts.
        long: Vec<f64>,
        /// The context that the model was first trained on.
        original_context: f64,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
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

/// What is added to attention scores, by distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreBias {
    /// Nothing.
    None,
    /// A slope for each head times the position of the key (Press et al. 2022).
    Alibi,
    /// A learned number for each head and bucket of distances, the same in all blocks (T5; Raffel et al. 2020).
    Buckets {
        /// Number of buckets.
        buckets: usize,
        /// Distances from here on share a bucket.
        max_distance: usize,
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

/// What differs from block to block.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Layer {
    /// What the products of queries and keys are multiplied by.
    pub scale: f64,
    /// Tokens at this distance or farther are not seen.
    pub window: Option<usize>,
    /// Which of the architecture's rotations turns queries and keys.
    pub rotary: Option<usize>,
    /// Whether attention has its norm (ModernBERT's first block has none).
    pub attn_norm: bool,
}

/// The attention of every block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttentionSpec {
    /// Whether the projections to queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether the projection of the mixed values has a bias.
    pub out_bias: bool,
    /// The norm of queries and keys, between the hook at them and their rotation.
    pub qk_norm: Option<QkNorm>,
    /// Queries, keys and values are cut to `[-clip, clip]`.
    pub clip: Option<f64>,
    /// Scores become `cap * tanh(scores / cap)` before the mask.
    pub softcap: Option<f64>,
    /// What is added to the scores.
    pub bias: ScoreBias,
    /// The rotations that the blocks choose from.
    pub rotary: Vec<Rotary>,
}

impl AttentionSpec {
    /// Attention without extras.
    pub fn plain(qkv_bias: bool, out_bias: bool) -> Self {
        Self {
            qkv_bias,
            out_bias,
            qk_norm: None,
            clip: None,
            softcap: None,
            bias: ScoreBias::None,
            rotary: Vec::new(),
        }
    }
}

/// The norm of queries and keys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct QkNorm {
    /// Which one.
    pub norm: Norm,
    /// What it runs over.
    pub over: Over,
}

/// What a norm of queries or keys runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Each head, all with the same weights `[d_head]`.
    Head,
    /// Each head, with weights of its own, `[head, d_head]`.
    EachHead,
    /// All heads together, weights `[head * d_head]`.
    All,
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
    /// The same without bias.
    LayerNormNoBias,
    /// The same without weight and bias.
    LayerNormPlain,
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
    /// On what attention and the MLP give, before it is added (OLMo 2).
    Output,
    /// Both before and on what they give (Gemma 2).
    Sandwich,
    /// Before, and the normed stream is what is added to (BLOOM's `apply_residual_connection_post_layernorm`).
    PreNormedStream,
}

/// What the MLP reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Residual {
    /// The stream with attention's output added.
    Serial,
    /// What the block reads, like attention (GPT-NeoX).
    Parallel {
        /// Whether attention and MLP share one norm (GPT-J) or have one each.
        shared_norm: bool,
    },
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
    /// The sigmoid approximation of it, `x * sigmoid(1.702 x)`.
    GeluQuick,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)^2`.
    ReluSquared,
    /// `x * sigmoid(x)`.
    Silu,
    /// `tanh(x)`.
    Tanh,
}

/// What stands on top of the last block (and the final norm, if there is one).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// Nothing: the model ends with its hidden states.
    None,
    /// A projection to the vocabulary.
    Lm {
        /// Whether the projection is the embedding matrix.
        tied: bool,
        /// Whether it has a bias.
        bias: bool,
        /// What stands before it (masked language models).
        transform: Option<Transform>,
        /// What logits are multiplied by.
        scale: f64,
        /// Logits become `cap * tanh(logits / cap)`.
        softcap: Option<f64>,
    },
    /// One row a text.
    Classifier {
        /// What it reads.
        reads: Reads,
        /// What stands before it.
        transform: Option<Transform>,
        /// Number of classes.
        classes: usize,
        /// Whether it has a bias.
        bias: bool,
    },
}

impl Head {
    /// A projection to the vocabulary without extras.
    pub fn lm(tied: bool) -> Self {
        Head::Lm {
            tied,
            bias: false,
            transform: None,
            scale: 1.0,
            softcap: None,
        }
    }
}

/// A linear layer, an activation and perhaps a norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Transform {
    /// Width of what it gives.
    pub width: usize,
    /// Whether the linear layer has a bias.
    pub bias: bool,
    /// The activation.
    pub activation: Activation,
    /// Whether the architecture's norm follows.
    pub norm: bool,
}

/// Which row of a text a classifier reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// The pooler's output.
    Pooler,
    /// The first token.
    First,
    /// The last token that is not `pad`; transformers tells padding by the id.
    Last {
        /// The padding token.
        pad: Option<u32>,
    },
    /// The mean of all tokens.
    Mean,
}
