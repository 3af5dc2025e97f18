//! GPT-Neo (Black et al. 2021): GPT-2 with local attention in every other block and unscaled scores.

use super::common::*;
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;
use serde_json::Value;

pub(super) const FAMILY: Family = Family {
    name: "gpt_neo",
    about: "GPT-Neo decoders: base, LM and sequence-classification heads; local attention",
    read,
};

const NAMES: Fields = Fields {
    d_model: "hidden_size",
    n_layers: "num_layers",
    n_heads: "num_heads",
    ..FIELDS
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "layer_norm_epsilon", 1e-5)?;
    let base = base(config, FAMILY.name, &NAMES, norm)?;
    equal_heads(config, &NAMES, &base)?;
    let d_mlp = config.nullable_size("intermediate_size", None)?;
    let mut spec = ArchSpec {
        d_mlp: d_mlp.unwrap_or(4 * base.d_model),
        embed: Embed {
            position: Position::Learned {
                offset: 0,
                skips: None,
            },
            ..base.embed.clone()
        },
        attention: AttentionSpec::plain(false, true),
        mlp_bias: true,
        activation: activation(config, "activation_function", "gelu_new")?,
        ..base
    };
    set_scale(&mut spec, 1.0);
    let window = config.size("window_size", Some(256))?;
    let local = local_layers(config, spec.n_layers)?;
    for (layer, local) in spec.layers.iter_mut().zip(local) {
        layer.window = Some(window).filter(|_| local);
    }
    spec.head = decoder_head(config, true, None)?;
    // `attention_layers` is `attention_types` written out.
    config.finish(&[
        "attention_layers",
        "embed_dropout",
        "resid_dropout",
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
    ])?;
    Ok((spec, weights(has)))
}

/// `[[["global", "local"], 6]]` means six times these two.
fn local_layers(config: &Config, n_layers: usize) -> Result<Vec<bool>> {
    let kind = |v: &Value| match v.as_str()? {
        "local" => Some(true),
        "global" => Some(false),
        _ => None,
    };
    let item = |v: &Value| -> Option<Vec<bool>> {
        let kinds: Vec<bool> = v
            .get(0)?
            .as_array()?
            .iter()
            .map(kind)
            .collect::<Option<_>>()?;
        let times = usize::try_from(v.get(1)?.as_u64()?).ok()?;
        (kinds.len().checked_mul(times)? <= n_layers).then(|| kinds.repeat(times))
    };
    let wrong = || {
        config.unsupported(
            "attention_types",
            format!("it must name {n_layers} layers, global or local"),
        )
    };
    let layers = match config.get("attention_types") {
        None => [false, true].repeat(12),
        Some(v) => {
            let items = v.as_array().map(|items| items.iter().map(item).collect());
            let items: Option<Option<Vec<Vec<bool>>>> = items;
            items.flatten().ok_or_else(wrong)?.concat()
        }
    };
    if layers.len() == n_layers {
        Ok(layers)
    } else {
        Err(wrong())
    }
}

fn weights(has: &dyn Fn(&str) -> bool) -> WeightMap {
    let under = |name: &str| format!("{{p}}h.{{i}}.{name}");
    WeightMap::new([
        ("embed.tokens", "{p}wte"),
        ("embed.positions", "{p}wpe"),
        ("blocks.{i}.attn_norm", &under("ln_1")),
        ("blocks.{i}.attn.q", &under("attn.attention.q_proj")),
        ("blocks.{i}.attn.k", &under("attn.attention.k_proj")),
        ("blocks.{i}.attn.v", &under("attn.attention.v_proj")),
        ("blocks.{i}.attn.o", &under("attn.attention.out_proj")),
        ("blocks.{i}.mlp_norm", &under("ln_2")),
        ("blocks.{i}.mlp.in", &under("mlp.c_fc")),
        ("blocks.{i}.mlp.out", &under("mlp.c_proj")),
        ("final_norm", "{p}ln_f"),
        ("head.unembed", "lm_head"),
        ("head.classifier", "score"),
    ])
    .prefix(prefix(has, "transformer.", "wte.weight"))
    .ignoring(&[
        "lm_head.",
        "score.",
        "qa_outputs.",
        "{p}h.{i}.attn.attention.bias",
        "{p}h.{i}.attn.attention.masked_bias",
    ])
}
