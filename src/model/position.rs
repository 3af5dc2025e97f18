//! Rotary positions.

use super::ops;
use super::spec::RopeScaling;
use crate::error::Result;
use candle_core::{Device, Tensor};

/// The cosines and sines by which a batch's queries and keys are rotated, `[tokens, d_head / 2]` each.
#[derive(Debug, Clone)]
pub(super) struct Rotation {
    cos: Tensor,
    sin: Tensor,
}

impl Rotation {
    /// For tokens at these positions. Angles are products in f32, as transformers computes them: models were trained on
    /// those, and at position 8000 the exact product differs in the fourth digit.
    pub(super) fn new(positions: &[u32], frequencies: &[f32]) -> Result<Self> {
        let angles = positions
            .iter()
            .flat_map(|p| frequencies.iter().map(move |f| f64::from(*p as f32 * f)));
        let (cos, sin): (Vec<f32>, Vec<f32>) =
            angles.map(|a| (a.cos() as f32, a.sin() as f32)).unzip();
        let shape = (positions.len(), frequencies.len());
        Ok(Self {
            cos: Tensor::from_vec(cos, shape, &Device::Cpu)?,
            sin: Tensor::from_vec(sin, shape, &Device::Cpu)?,
        })
    }

    /// Rotates `[tokens, head, d_head]`.
    pub(super) fn apply(&self, x: &Tensor) -> Result<Tensor> {
        ops::rope(x, &self.cos, &self.sin)
    }
}

/// The angle by which each pair of coordinates turns per position, `[d_head / 2]`.
pub(super) fn frequencies(d_head: usize, theta: f64, scaling: &RopeScaling) -> Vec<f32> {
    (0..d_head / 2)
        .map(|i| theta.powf(-2.0 * i as f64 / d_head as f64))
        .map(|frequency| scaled(frequency, scaling) as f32)
        .collect()
}

fn scaled(frequency: f64, scaling: &RopeScaling) -> f64 {
    match *scaling {
        RopeScaling::None => frequency,
        RopeScaling::Linear { factor } => frequency / factor,
        RopeScaling::Llama3 {
            factor,
            low_freq_factor,
            high_freq_factor,
            original_context,
        } => {
            // Llama 3.1's reference code: https://arxiv.org/abs/2407.21783, section 3.2 of the model card's release.
            let turns = original_context * frequency / std::f64::consts::TAU;
            let keep =
                ((turns - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
            frequency * keep + frequency / factor * (1.0 - keep)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_keeps_high_frequencies_and_stretches_low_ones() {
        let plain = frequencies(64, 500_000.0, &RopeScaling::None);
        let scaling = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8192.0,
        };
        let stretched = frequencies(64, 500_000.0, &scaling);
        assert_eq!(plain[0], stretched[0]);
        let last = plain.len() - 1;
        assert!((plain[last] / stretched[last] - 8.0).abs() < 1e-5);
    }

    #[test]
    fn a_rotation_keeps_lengths_and_relative_angles() {
        let frequencies = frequencies(8, 10_000.0, &RopeScaling::None);
        let rotation = Rotation::new(&[3, 5, 10, 12], &frequencies).unwrap();
        let x = Tensor::ones((4, 1, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        let rows = rotation.apply(&x).unwrap().squeeze(1).unwrap();
        let products = rows
            .matmul(&rows.t().unwrap())
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        assert!((products[0][0] - 8.0).abs() < 1e-4, "length");
        assert!(
            (products[0][1] - products[2][3]).abs() < 1e-4,
            "two apart is two apart"
        );
    }
}
