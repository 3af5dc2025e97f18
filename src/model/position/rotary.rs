//! Rotary positions.

use crate::error::Result;
use crate::model::ops;
use crate::model::spec::{RopeScaling, Rotary};
use crate::text::batch::Batch;
use candle_core::{D, Device, Tensor};
use std::f64::consts::TAU;

/// The cosines and sines by which a batch's queries and keys are rotated, `[tokens, width / 2]` each.
#[derive(Debug, Clone)]
pub(in crate::model) struct Rotation {
    cos: Tensor,
    sin: Tensor,
    interleaved: bool,
}

impl Rotation {
    /// For the tokens of a batch. Angles are products in f32, as transformers computes them: models were trained on
    /// those, and at position 8000 the exact product differs in the fourth digit.
    pub(in crate::model) fn new(batch: &Batch, rotary: &Rotary) -> Result<Self> {
        let pairs = rotary.width / 2;
        let factor = attention_factor(&rotary.scaling);
        let mut cos = Vec::with_capacity(batch.tokens() * pairs);
        let mut sin = Vec::with_capacity(batch.tokens() * pairs);
        for group in batch.groups() {
            // All texts of a group have one length, and some stretches depend on it.
            let segments = &batch.segments()[group.clone()];
            let length = segments.first().map_or(0, |s| s.len());
            let frequencies = frequencies(rotary, length);
            let angles = (0..length as u32)
                .flat_map(|p| frequencies.iter().map(move |f| f64::from(p as f32 * f)));
            let (c, s): (Vec<f32>, Vec<f32>) = angles
                .map(|a| ((a.cos() as f32) * factor, (a.sin() as f32) * factor))
                .unzip();
            for _ in segments {
                cos.extend_from_slice(&c);
                sin.extend_from_slice(&s);
            }
        }
        let shape = (batch.tokens(), pairs);
        Ok(Self {
            cos: Tensor::from_vec(cos, shape, &Device::Cpu)?,
            sin: Tensor::from_vec(sin, shape, &Device::Cpu)?,
            interleaved: rotary.interleaved,
        })
    }

    /// Rotates `[tokens, head, d_head]`. Of neighbouring pairs the first coordinates are moved before the second ones: products
    /// of queries and keys, all that these tensors are for, do not depend on the order.
    pub(in crate::model) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, heads, d_head) = x.dims3()?;
        let pairs = self.cos.dim(1)?;
        let turned = x.narrow(D::Minus1, 0, 2 * pairs)?;
        let turned = match self.interleaved {
            false => turned,
            true => turned
                .reshape((tokens, heads, pairs, 2))?
                .transpose(2, 3)?
                .contiguous()?
                .reshape((tokens, heads, 2 * pairs))?,
        };
        let (cos, sin) = (self.cos.to_dtype(x.dtype())?, self.sin.to_dtype(x.dtype())?);
        let turned = ops::rope(&turned, &cos, &sin)?;
        match d_head - 2 * pairs {
            0 => Ok(turned),
            rest => {
                let kept = x.narrow(D::Minus1, 2 * pairs, rest)?;
                Ok(Tensor::cat(&[turned, kept], D::Minus1)?)
            }
        }
    }
}

/// The angle by which each pair of coordinates turns per position in a text of this length, `[width / 2]`. Powers and
/// quotients are rounded to f32 where transformers rounds them.
fn frequencies(rotary: &Rotary, length: usize) -> Vec<f32> {
    let width = rotary.width as f64;
    let theta = match rotary.scaling {
        RopeScaling::Dynamic {
            factor,
            original_context,
        } => {
            let length = (length as f64).max(original_context);
            let stretch = factor * length / original_context - (factor - 1.0);
            rotary.theta * stretch.powf(width / (width - 2.0))
        }
        _ => rotary.theta,
    };
    let power = |i: usize| {
        let exponent = 2.0 * i as f32 / rotary.width as f32;
        f64::from(theta as f32).powf(f64::from(exponent)) as f32
    };
    (0..rotary.width / 2)
        .map(|i| scaled(i, power(i), rotary, length))
        .collect()
}

fn scaled(i: usize, power: f32, rotary: &Rotary, length: usize) -> f32 {
    let frequency = 1.0 / power;
    match rotary.scaling {
        RopeScaling::None | RopeScaling::Dynamic { .. } => frequency,
        RopeScaling::Linear { factor } => frequency / factor as f32,
        RopeScaling::Yarn { factor, .. } => {
            let kept = 1.0 - yarn_ramp(i, rotary);
            let stretched = 1.0 / (factor as f32 * power);
            stretched * (1.0 - kept) + frequency * kept
        }
        RopeScaling::LongRope {
            ref short,
            ref long,
            original_context,
            ..
        } => {
            let divisors = match length as f64 > original_context {
                true => long,
                false => short,
            };
            1.0 / (divisors[i] as f32 * power)
        }
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_context,
        } => {
            // Llama 3.1's reference code: https://arxiv.org/abs/2407.21783, section 3.2 of the model card's release.
            let frequency = f64::from(frequency);
            let turns = original_context * frequency / TAU;
            let keep =
                ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
            (frequency * keep + frequency / factor * (1.0 - keep)) as f32
        }
    }
}

/// How much of a frequency is stretched, from 0 to 1: equations 18 to 23 of Peng et al. 2023, as in transformers.
fn yarn_ramp(i: usize, rotary: &Rotary) -> f32 {
    let RopeScaling::Yarn {
        beta_fast,
        beta_slow,
        original_context,
        truncate,
        ..
    } = rotary.scaling
    else {
        return 0.0;
    };
    let width = rotary.width as f64;
    let coordinate =
        |turns: f64| width * (original_context / (turns * TAU)).ln() / (2.0 * rotary.theta.ln());
    let (mut low, mut high) = (coordinate(beta_fast), coordinate(beta_slow));
    if truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(width - 1.0));
    if low == high {
        high += 0.001;
    }
    ((i as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0)
}

fn attention_factor(scaling: &RopeScaling) -> f32 {
    match scaling {
        RopeScaling::Yarn {
            attention_factor, ..
        }
        | RopeScaling::LongRope {
            attention_factor, ..
        } => *attention_factor as f32,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    fn rotary(width: usize, theta: f64, scaling: RopeScaling) -> Rotary {
        Rotary {
            theta,
            width,
            interleaved: false,
            scaling,
        }
    }

    #[test]
    fn llama3_keeps_high_frequencies_and_stretches_low_ones() {
        let plain = frequencies(&rotary(64, 500_000.0, RopeScaling::None), 1);
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8192.0,
        };
        let stretched = frequencies(&rotary(64, 500_000.0, scaling), 1);
        assert_eq!(plain[0], stretched[0]);
        let last = plain.len() - 1;
        assert!((plain[last] / stretched[last] - 8.0).abs() < 1e-5);
    }

    #[test]
    fn a_rotation_keeps_lengths_and_relative_angles() {
        let batch = Batch::new(&[vec![0u32; 13]]).unwrap();
        for interleaved in [false, true] {
            let rotary = Rotary {
                interleaved,
                ..rotary(6, 10_000.0, RopeScaling::None)
            };
            let rotation = Rotation::new(&batch, &rotary).unwrap();
            // The last two coordinates are not turned.
            let x = Tensor::ones((13, 1, 8), DType::F32, &Device::Cpu).unwrap();
            let rows = rotation.apply(&x).unwrap().squeeze(1).unwrap();
            let products = rows.matmul(&rows.t().unwrap()).unwrap();
            let products = products.to_vec2::<f32>().unwrap();
            assert!((products[3][3] - 8.0).abs() < 1e-4, "length");
            assert!(
                (products[3][5] - products[10][12]).abs() < 1e-4,
                "two apart is two apart"
            );
            assert_eq!(rows.to_vec2::<f32>().unwrap()[5][6..], [1.0, 1.0]);
        }
    }

    #[test]
    fn a_dynamic_base_grows_only_beyond_the_original_context() {
        let plain = frequencies(&rotary(16, 10_000.0, RopeScaling::None), 1);
        let dynamic = RopeScaling::Dynamic {
            factor: 2.0,
            original_context: 8.0,
        };
        let dynamic = rotary(16, 10_000.0, dynamic);
        assert_eq!(frequencies(&dynamic, 8), plain);
        assert!(frequencies(&dynamic, 12)[3] < plain[3]);
    }
}
