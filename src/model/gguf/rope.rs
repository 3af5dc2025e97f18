//! Rotary positions, as a GGUF file states them.

use super::keys::{Fields, Keys};
use crate::error::Result;
use serde_json::{Value, json};

/// llama.cpp's default.
const THETA: f64 = 10_000.0;
/// The tensor by which a file says that Llama 3 stretches its slow rotations.
const FACTORS: &str = "rope_freqs.weight";

/// Positions that rotate whole heads.
pub(super) fn whole(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    keys.only("rope.dimension_count", keys.head_dim()?)?;
    let parameters = parameters(keys)?;
    fields.put("rope_parameters", parameters);
    Ok(())
}

/// Positions that may rotate the first part of each head alone.
pub(super) fn partial(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    let d_head = keys.head_dim()?;
    let rotated = keys.size("rope.dimension_count", Some(d_head))?;
    let mut share = rotated as f64 / d_head as f64;
    // transformers multiplies and cuts the decimals off.
    if (share * d_head as f64) < rotated as f64 {
        share = share.next_up();
    }
    let mut parameters = parameters(keys)?;
    parameters["partial_rotary_factor"] = share.into();
    fields.put("rope_parameters", parameters);
    Ok(())
}

/// Gemma 3: blocks that look back all the way rotate more slowly, and they alone may be stretched.
pub(super) fn global_and_local(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    keys.only("rope.dimension_count", keys.head_dim()?)?;
    let local = keys.number("rope.freq_base_swa", Some(THETA))?;
    let parameters = json!({
        "full_attention": parameters(keys)?,
        "sliding_attention": {"rope_type": "default", "rope_theta": local},
    });
    fields.put("rope_parameters", parameters);
    Ok(())
}

fn parameters(keys: &Keys<'_>) -> Result<Value> {
    let theta = keys.number("rope.freq_base", Some(THETA))?;
    // Whether a model was trained further after its context was extended does not say how it computes.
    keys.flag("rope.scaling.finetuned", false)?;
    let old = keys.number("rope.scale_linear", Some(0.0))?;
    let factor = keys.number("rope.scaling.factor", Some(old))?;
    let kind = keys.word("rope.scaling.type", "linear")?;
    let mut parameters = match (kind.as_str(), factor) {
        ("none", _) | ("linear", 0.0 | 1.0) => json!({"rope_type": "default"}),
        ("linear", factor) => json!({"rope_type": "linear", "factor": factor}),
        ("yarn", factor) => yarn(keys, factor)?,
        _ => {
            return Err(
                keys.unsupported("rope.scaling.type", "implemented are none, linear and yarn")
            );
        }
    };
    if keys.gguf.shape(FACTORS).is_some() {
        parameters = llama3(keys, theta, &parameters)?;
    }
    parameters["rope_theta"] = theta.into();
    Ok(parameters)
}

fn yarn(keys: &Keys<'_>, factor: f64) -> Result<Value> {
    let original = keys.size("rope.scaling.original_context_length", None)?;
    let fast = keys.number("rope.scaling.yarn_beta_fast", Some(32.0))?;
    let slow = keys.number("rope.scaling.yarn_beta_slow", Some(1.0))?;
    Ok(json!({
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": original,
        "beta_fast": fast,
        "beta_slow": slow,
    }))
}

/// Llama 3's scaling, which a file holds as its result: one divisor a frequency. What made them has to be found again, and
/// it is only taken if it makes the very same divisors.
fn llama3(keys: &Keys<'_>, theta: f64, others: &Value) -> Result<Value> {
    let stored = keys.gguf.read(FACTORS)?.flatten_all()?.to_vec1::<f32>()?;
    let d_head = keys.head_dim()?;
    if stored.len() == d_head / 2 && stored.iter().all(|f| *f == 1.0) {
        return Ok(others.clone());
    }
    let largest = stored.iter().copied().fold(0.0, f32::max);
    let found = Llama3 {
        factor: f64::from(largest),
        low: 1.0,
        high: 4.0,
        original: 8192.0,
    };
    let divisors = found.divisors(theta, d_head);
    let same = stored.len() == divisors.len()
        && stored
            .iter()
            .zip(&divisors)
            .all(|(stored, made)| (f64::from(*stored) / made - 1.0).abs() < 1e-5);
    match same && others["rope_type"] == "default" {
        true => Ok(json!({
            "rope_type": "llama3",
            "factor": found.factor,
            "low_freq_factor": found.low,
            "high_freq_factor": found.high,
            "original_max_position_embeddings": found.original as u64,
        })),
        false => Err(keys.gguf.malformed(format!(
            "the divisors in `{FACTORS}` are not those of Llama 3 (low_freq_factor 1, high_freq_factor 4, original context \
             8192), and no others are read"
        ))),
    }
}

/// The scaling of Llama 3.1.
struct Llama3 {
    factor: f64,
    low: f64,
    high: f64,
    original: f64,
}

impl Llama3 {
    /// What each frequency is divided by.
    fn divisors(&self, theta: f64, d_head: usize) -> Vec<f64> {
        let divisor = |i: usize| {
            let frequency = theta.powf(-(2.0 * i as f64) / d_head as f64);
            let turns = self.original * frequency / std::f64::consts::TAU;
            let smooth = ((turns - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
            1.0 / ((1.0 - smooth) / self.factor + smooth)
        };
        (0..d_head / 2).map(divisor).collect()
    }
}
