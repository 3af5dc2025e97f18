//! The kinds of places inside a transformer where a hook can stand, named as TransformerLens names them.

use std::fmt;

/// A kind of place inside a model. Shapes are of the packed batch: `tokens` counts the tokens of all texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// Token embeddings alone, `[tokens, d_model]`.
    Embed,
    /// What is added to them for the position, `[tokens, d_model]` (only with learned positions).
    PosEmbed,
    /// What a block reads, `[tokens, d_model]`.
    ResidPre,
    /// Queries before rotation, `[tokens, head, d_head]`.
    AttnQ,
    /// Keys before rotation, `[tokens, kv_head, d_head]`.
    AttnK,
    /// Values, `[tokens, kv_head, d_head]`.
    AttnV,
    /// Attention scores after scaling and masking, `[text, head, query, key]`, per group of equally long texts.
    AttnScores,
    /// Attention probabilities, `[text, head, query, key]`, per group of equally long texts.
    AttnPattern,
    /// Values mixed by the pattern, before the output projection, `[tokens, head, d_head]`.
    AttnZ,
    /// What attention adds to the residual stream, `[tokens, d_model]`.
    AttnOut,
    /// The stream between attention and MLP, `[tokens, d_model]`.
    ResidMid,
    /// What enters the activation function, `[tokens, d_mlp]`; with a gated MLP, the gate.
    MlpPre,
    /// What enters the MLP's output projection, `[tokens, d_mlp]`.
    MlpPost,
    /// What the MLP adds to the residual stream, `[tokens, d_model]`.
    MlpOut,
    /// What the next block reads, `[tokens, d_model]`.
    ResidPost,
    /// The stream after the model's final norm, `[tokens, d_model]`.
    FinalNorm,
    /// The head's output, `[tokens, vocab]`, or `[texts, classes]` for a sequence classifier.
    Logits,
}

impl Site {
    /// Every site, in the order in which the forward pass meets them.
    pub const ALL: [Site; 17] = [
        Site::Embed,
        Site::PosEmbed,
        Site::ResidPre,
        Site::AttnQ,
        Site::AttnK,
        Site::AttnV,
        Site::AttnScores,
        Site::AttnPattern,
        Site::AttnZ,
        Site::AttnOut,
        Site::ResidMid,
        Site::MlpPre,
        Site::MlpPost,
        Site::MlpOut,
        Site::ResidPost,
        Site::FinalNorm,
        Site::Logits,
    ];

    /// The site's name, as in `blocks.3.resid_post`.
    pub fn name(self) -> &'static str {
        match self {
            Site::Embed => "embed",
            Site::PosEmbed => "pos_embed",
            Site::ResidPre => "resid_pre",
            Site::AttnQ => "attn_q",
            Site::AttnK => "attn_k",
            Site::AttnV => "attn_v",
            Site::AttnScores => "attn_scores",
            Site::AttnPattern => "attn_pattern",
            Site::AttnZ => "attn_z",
            Site::AttnOut => "attn_out",
            Site::ResidMid => "resid_mid",
            Site::MlpPre => "mlp_pre",
            Site::MlpPost => "mlp_post",
            Site::MlpOut => "mlp_out",
            Site::ResidPost => "resid_post",
            Site::FinalNorm => "final_norm",
            Site::Logits => "logits",
        }
    }

    /// The site with this name.
    pub fn from_name(name: &str) -> Option<Site> {
        Site::ALL.into_iter().find(|s| s.name() == name)
    }

    /// True for sites that every block has one of; false for those that the model has once.
    pub fn in_block(self) -> bool {
        !matches!(
            self,
            Site::Embed | Site::PosEmbed | Site::FinalNorm | Site::Logits
        )
    }

    /// True where the tensor's first axis counts tokens, so that a row is a vector that a run can store.
    pub fn is_per_token(self) -> bool {
        !matches!(self, Site::AttnScores | Site::AttnPattern)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
