//! Rotary positions in configurations, in the old spelling (`rope_theta`, `rope_scaling`) and the new one (`rope_parameters`).

use crate::error::Result;
use crate::model::config::Config;
use crate::model::spec::{ArchSpec, RopeScaling, Rotary};

/// What a family says about its rotary positions where the configuration is silent.
pub(super) struct Defaults {
    pub(super) theta: f64,
    /// The old name of the base's field.
    pub(super) theta_field: &'static str,
    /// The part of a head that is turned, and the old name of its field; `None` where the family turns all of it.
    pub(super) part: Option<(f64, &'static str)>,
    /// Pre-training context that is assumed where `original_max_position_embeddings` is absent.
    pub(super) original_context: Option<usize>,
}

impl Defaults {
    /// All of a head, base `theta`.
    pub(super) fn whole(theta: f64) -> Self {
        Self {
            theta,
            theta_field: "rope_theta",
            part: None,
            original_context: None,
        }
    }

    /// A part of a head, `partial_rotary_factor`.
    pub(super) fn part(part: f64) -> Self {
        Self {
            part: Some((part, "partial_rotary_factor")),
            ..Self::whole(10_000.0)
        }
    }
}

/// Reads the rotary positions of a configuration that has one kind for all blocks.
pub(super) fn rotary(config: &Config, spec: &mut ArchSpec, defaults: &Defaults) -> Result<Rotary> {
    // transformers lets a `rope_scaling` that is not empty win.
    let old = config.object("rope_scaling")?.filter(|o| !o.is_empty());
    let new = config.object("rope_parameters")?;
    let (field, inner) = match old {
        Some(old) => ("rope_scaling", Some(old)),
        None => ("rope_parameters", new),
    };
    let theta = config.number(defaults.theta_field, Some(defaults.theta))?;
    let part = match defaults.part {
        Some((part, field)) => Some(config.number(field, Some(part))?),
        None => None,
    };
    read(config, spec, (field, inner), theta, part, defaults)
}

/// Reads one object of rotary parameters; `theta` and `part` are what holds outside of it.
pub(super) fn read(
    config: &Config,
    spec: &mut ArchSpec,
    (field, inner): (&str, Option<Config>),
    theta: f64,
    part: Option<f64>,
    defaults: &Defaults,
) -> Result<Rotary> {
    let wrong = |problem: &str| config.unsupported(field, problem);
    let empty = inner.is_none();
    let inner = inner.unwrap_or_else(|| config.nothing());
    let theta = inner.number("rope_theta", Some(theta))?;
    let part = inner.number("partial_rotary_factor", Some(part.unwrap_or(1.0)))?;
    if defaults.part.is_none() && part != 1.0 {
        return Err(wrong("this family turns whole heads"));
    }
    // transformers rounds towards zero.
    let width = (spec.d_head as f64 * part) as usize;
    if width == 0 || !width.is_multiple_of(2) || width > spec.d_head {
        let problem = format!(
            "{width} of {} coordinates cannot be turned in pairs",
            spec.d_head
        );
        return Err(config.unsupported("head_dim", problem));
    }
    let kind = match inner.get("rope_type") {
        Some(_) => inner.word("rope_type", "default")?,
        None => inner.word("type", "default")?,
    };
    let (scaling, context) = scaling(config, &inner, kind, spec.context, width, defaults)?;
    let Some(scaling) = scaling else {
        return Err(wrong(
            "implemented rope types are default, linear, dynamic, yarn, longrope and llama3",
        ));
    };
    spec.context = spec.context.max(context);
    if !empty {
        // A `type` beside a `rope_type` says the same thing in the old spelling.
        inner.finish(&["type"])?;
    }
    Ok(Rotary {
        theta,
        width,
        interleaved: false,
        scaling,
    })
}

/// The stretch, and the context that it reaches.
fn scaling(
    config: &Config,
    inner: &Config,
    kind: &str,
    context: usize,
    width: usize,
    defaults: &Defaults,
) -> Result<(Option<RopeScaling>, usize)> {
    // The field beside the object wins over the one in it, as in transformers.
    let original = || -> Result<f64> {
        let outer = config.nullable_size("original_max_position_embeddings", None)?;
        let own = inner.nullable_size("original_max_position_embeddings", None)?;
        let original = outer.or(defaults.original_context).or(own);
        Ok(original.unwrap_or(context) as f64)
    };
    let factor = || inner.number("factor", None);
    let reach = |factor: f64, context: f64| (factor * context) as usize;
    let context_f = context as f64;
    Ok(match kind {
        "default" => (Some(RopeScaling::None), context),
        "linear" => {
            let factor = factor()?;
            (
                Some(RopeScaling::Linear { factor }),
                reach(factor, context_f),
            )
        }
        "dynamic" => {
            if width <= 2 {
                return Err(inner.unsupported("rope_type", "it needs more than one pair"));
            }
            let factor = factor()?;
            let original_context = context_f;
            let scaling = RopeScaling::Dynamic {
                factor,
                original_context,
            };
            (Some(scaling), reach(factor, context_f))
        }
        "llama3" => {
            let scaling = RopeScaling::Llama3 {
                factor: factor()?,
                low_freq_factor: inner.number("low_freq_factor", None)?,
                high_freq_factor: inner.number("high_freq_factor", None)?,
                original_context: original()?,
            };
            (Some(scaling), context)
        }
        "yarn" => yarn(inner, context_f, original()?)?,
        "longrope" => (
            Some(longrope(inner, context_f, original()?, width)?),
            context,
        ),
        _ => (None, context),
    })
}

fn yarn(inner: &Config, context: f64, original: f64) -> Result<(Option<RopeScaling>, usize)> {
    let factor = inner.nullable_number("factor", None)?;
    let factor = factor.unwrap_or(context / original);
    // YaRN's temperature (Peng et al. 2023, equation 22), and DeepSeek's two-sided form of it.
    let scale = |mscale: f64| match factor <= 1.0 {
        true => 1.0,
        false => 0.1 * mscale * factor.ln() + 1.0,
    };
    let mscale = inner.nullable_number("mscale", None)?.filter(|m| *m != 0.0);
    let all = inner
        .nullable_number("mscale_all_dim", None)?
        .filter(|m| *m != 0.0);
    let derived = match (mscale, all) {
        (Some(mscale), Some(all)) => scale(mscale) / scale(all),
        _ => scale(1.0),
    };
    let attention = inner.nullable_number("attention_factor", None)?;
    let or = |field, default| -> Result<f64> {
        let value = inner.nullable_number(field, None)?.filter(|v| *v != 0.0);
        Ok(value.unwrap_or(default))
    };
    let scaling = RopeScaling::Yarn {
        factor,
        beta_fast: or("beta_fast", 32.0)?,
        beta_slow: or("beta_slow", 1.0)?,
        original_context: original,
        attention_factor: attention.unwrap_or(derived),
        truncate: inner.flag("truncate", true)?,
    };
    Ok((Some(scaling), (factor * original) as usize))
}

fn longrope(inner: &Config, context: f64, original: f64, width: usize) -> Result<RopeScaling> {
    let divisors = |field: &str| -> Result<Vec<f64>> {
        let list = inner.list(field, "numbers", serde_json::Value::as_f64)?;
        match list.filter(|l| l.len() == width / 2) {
            Some(list) => Ok(list),
            None => {
                Err(inner.unsupported(field, format!("it must be a list of {} numbers", width / 2)))
            }
        }
    };
    let factor = inner.nullable_number("factor", None)?;
    let factor = factor.unwrap_or(context / original);
    let derived = match factor <= 1.0 {
        true => 1.0,
        false => (1.0 + factor.ln() / original.ln()).sqrt(),
    };
    let attention = inner.nullable_number("attention_factor", None)?;
    Ok(RopeScaling::LongRope {
        short: divisors("short_factor")?,
        long: divisors("long_factor")?,
        original_context: original,
        attention_factor: attention.unwrap_or(derived),
    })
}
