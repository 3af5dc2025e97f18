//! What families have in common: sizes, heads on top, names of weights.

use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;

/// What a configuration calls the sizes that every architecture has.
pub(super) struct Fields {
    pub(super) d_model: &'static str,
    pub(super) n_layers: &'static str,
    pub(super) n_heads: &'static str,
    pub(super) context: &'static str,
    /// The context where the configuration does not say it.
    pub(super) default_context: Option<usize>,
}

/// The names of most families.
pub(super) const FIELDS: Fields = Fields {
    d_model: "hidden_size",
    n_layers: "num_hidden_layers",
    n_heads: "num_attention_heads",
    context: "max_position_embeddings",
    default_context: None,
};

/// GPT-2's names; transformers takes the general ones too.
pub(super) const GPT2_FIELDS: Fields = Fields {
    d_model: "n_embd",
    n_layers: "n_layer",
    n_heads: "n_head",
    context: "n_positions",
    default_context: None,
};

/// A pre-norm decoder without biases and positions, with the sizes of the configuration: what families start from.
pub(super) fn base(config: &Config, family: &str, fields: &Fields, norm: Norm) -> Result<ArchSpec> {
    let size = |field: &'static str, general: &'static str, default| {
        config.size(config.either(field, general)?, default)
    };
    let d_model = size(fields.d_model, FIELDS.d_model, None)?;
    let n_layers = config.depth(config.either(fields.n_layers, FIELDS.n_layers)?, None)?;
    let n_heads = size(fields.n_heads, FIELDS.n_heads, None)?;
    let mut spec = ArchSpec {
        family: family.to_owned(),
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        d_head: 0,
        d_mlp: 4 * d_model,
        vocab: config.size("vocab_size", None)?,
        context: size(fields.context, FIELDS.context, fields.default_context)?,
        embed: Embed::plain(d_model),
        mask: Mask::Causal,
        attention: AttentionSpec::plain(false, false),
        layers: vec![
            Layer {
                scale: 1.0,
                window: None,
                rotary: None,
                attn_norm: true,
            };
            n_layers
        ],
        residual: Residual::Serial,
        residual_scale: 1.0,
        norm,
        placement: Placement::Pre,
        final_norm: true,
        project_out: false,
        mlp_bias: false,
        mlp: Mlp::Plain,
        activation: Activation::GeluErf,
        head: Head::None,
        pooler: false,
    };
    set_head_width(&mut spec, (d_model / n_heads).max(1));
    Ok(spec)
}

/// Heads that share the stream's width equally.
pub(super) fn equal_heads(config: &Config, fields: &Fields, spec: &ArchSpec) -> Result<()> {
    let of = (fields.n_heads, spec.n_heads);
    config.multiple(fields.d_model, spec.d_model, of)
}

/// Sets the width of heads, and the scale of scores that goes with it.
pub(super) fn set_head_width(spec: &mut ArchSpec, d_head: usize) {
    spec.d_head = d_head;
    set_scale(spec, (d_head as f64).powf(-0.5));
}

pub(super) fn set_scale(spec: &mut ArchSpec, scale: f64) {
    for layer in &mut spec.layers {
        layer.scale = scale;
    }
}

/// Reads `num_key_value_heads` (as many as query heads where it is null) and an explicit `head_dim`.
pub(super) fn grouped_heads(
    config: &Config,
    spec: &mut ArchSpec,
    default_kv: Option<usize>,
    default_width: Option<usize>,
) -> Result<()> {
    let default = Some(default_kv.unwrap_or(spec.n_heads));
    let kv = config.nullable_size("num_key_value_heads", default)?;
    spec.n_kv_heads = kv.unwrap_or(spec.n_heads);
    let of = ("num_key_value_heads", spec.n_kv_heads);
    config.multiple("num_attention_heads", spec.n_heads, of)?;
    let own = spec.d_model / spec.n_heads;
    let width = config.nullable_size("head_dim", default_width)?;
    set_head_width(spec, width.unwrap_or(own).max(1));
    Ok(())
}

/// Turns queries and keys in every block.
pub(super) fn rotate(spec: &mut ArchSpec, rotary: Rotary) {
    spec.attention.rotary = vec![rotary];
    for layer in &mut spec.layers {
        layer.rotary = Some(0);
    }
}

/// What `architectures` says to stand on a decoder: the classes end alike in all families. `pad` is the class's default for
/// `pad_token_id`.
pub(super) fn decoder_head(config: &Config, tied: bool, pad: Option<u32>) -> Result<Head> {
    let tied = config.flag("tie_word_embeddings", tied)?;
    let pad = config.token("pad_token_id", pad)?;
    Ok(match config.architecture() {
        Some(a) if a.ends_with("ForCausalLM") || a.ends_with("LMHeadModel") => Head::lm(tied),
        Some(a) if a.ends_with("ForSequenceClassification") => Head::Classifier {
            reads: Reads::Last { pad },
            transform: None,
            classes: config.classes()?,
            bias: false,
        },
        _ => Head::None,
    })
}

/// The base model's name in front of every weight, where the checkpoint has it.
pub(super) fn prefix(
    has: &dyn Fn(&str) -> bool,
    prefix: &'static str,
    weight: &str,
) -> &'static str {
    match has(&format!("{prefix}{weight}")) {
        true => prefix,
        false => "",
    }
}

pub(super) fn rms(config: &Config, default: f64) -> Result<Norm> {
    Ok(Norm {
        kind: NormKind::RmsNorm,
        eps: config.number("rms_norm_eps", Some(default))?,
    })
}

pub(super) fn layer_norm(config: &Config, field: &str, default: f64) -> Result<Norm> {
    Ok(Norm {
        kind: NormKind::LayerNorm,
        eps: config.number(field, Some(default))?,
    })
}

/// Which blocks see only a window: `layer_types`, or what the rule says of each block.
pub(super) fn windows(
    config: &Config,
    spec: &mut ArchSpec,
    window: Option<usize>,
    rule: impl Fn(usize) -> bool,
) -> Result<Vec<bool>> {
    let sliding = |v: &serde_json::Value| match v.as_str() {
        Some("sliding_attention") => Some(true),
        Some("full_attention") => Some(false),
        _ => None,
    };
    let listed = config.list(
        "layer_types",
        "full_attention and sliding_attention",
        sliding,
    )?;
    let sliding = listed.unwrap_or_else(|| (0..spec.n_layers).map(rule).collect());
    if sliding.len() != spec.n_layers {
        return Err(config.unsupported("layer_types", "it must have an entry for each layer"));
    }
    if sliding.contains(&true) && window.is_none() {
        return Err(config.unsupported("layer_types", "sliding attention needs a window"));
    }
    for (layer, sliding) in spec.layers.iter_mut().zip(&sliding) {
        layer.window = window.filter(|_| *sliding);
    }
    Ok(sliding)
}
