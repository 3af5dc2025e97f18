//! Phi 1 and 2 (Li et al. 2023): attention and MLP in parallel behind one norm, rotary positions on a part of each head.

use super::common::*;
use super::llama;
use super::rope::{self, Defaults};
use super::{Family, activation};
use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::*;
use crate::model::weights::WeightMap;

pub(super) const FAMILY: Family = Family {
    name: "phi",
    about: "Phi 1, 1.5 and 2 decoders: base, LM and sequence-classification heads",
    read,
};

fn read(config: &Config, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let norm = layer_norm(config, "layer_norm_eps", 1e-5)?;
    let base = base(config, FAMILY.name, &FIELDS, norm)?;
    let mut spec = ArchSpec {
        d_mlp: config.size("intermediate_size", None)?,
        attention: AttentionSpec::plain(true, true),
        residual: Residual::Parallel { shared_norm: true },
        mlp_bias: true,
        activation: activation(config, "hidden_act", "gelu_new")?,
        ..base
    };
    grouped_heads(config, &mut spec, None, None)?;
    if config.flag("qk_layernorm", false)? {
        spec.attention.qk_norm = Some(QkNorm {
            norm,
            over: Over::Head,
        });
    }
    let rotary = rope::rotary(config, &mut spec, &Defaults::part(0.5))?;
    rotate(&mut spec, rotary);
    spec.head = decoder_head(config, false, None)?;
    if let Head::Lm { bias, .. } = &mut spec.head {
        *bias = true;
    }
    config.finish(&[])?;
    let map = llama::weights(has).also([
        ("blocks.{i}.attn.o", "{p}layers.{i}.self_attn.dense"),
        (
            "blocks.{i}.attn.q_norm",
            "{p}layers.{i}.self_attn.q_layernorm",
        ),
        (
            "blocks.{i}.attn.k_norm",
            "{p}layers.{i}.self_attn.k_layernorm",
        ),
        ("blocks.{i}.mlp.in", "{p}layers.{i}.mlp.fc1"),
        ("blocks.{i}.mlp.out", "{p}layers.{i}.mlp.fc2"),
        ("final_norm", "{p}final_layernorm"),
    ]);
    Ok((spec, map))
}
