//! What is added to attention scores by distance: ALiBi's slopes, T5's buckets.

use crate::error::Result;
use crate::model::spec::{ArchSpec, ScoreBias};
use crate::model::weights::Weights;
use candle_core::{Device, Tensor};

/// A bias of the scores with its weights.
#[derive(Debug, Clone)]
pub(in crate::model) enum Bias {
    /// A slope a head.
    Alibi(Vec<f32>),
    /// `[buckets, head]`
    Buckets { table: Tensor, max_distance: usize },
}

impl Bias {
    pub(in crate::model) fn load(
        spec: &ArchSpec,
        weights: &mut dyn Weights,
    ) -> Result<Option<Self>> {
        Ok(match spec.attention.bias {
            ScoreBias::None => None,
            ScoreBias::Alibi => Some(Bias::Alibi(slopes(spec.n_heads))),
            ScoreBias::Buckets {
                buckets,
                max_distance,
            } => Some(Bias::Buckets {
                table: weights.get("score_bias.weight", &[buckets, spec.n_heads])?,
                max_distance,
            }),
        })
    }

    /// For texts of this length: `[head, query or 1, key]`.
    pub(in crate::model) fn scores(&self, length: usize) -> Result<Tensor> {
        Ok(match self {
            Bias::Alibi(slopes) => {
                let values: Vec<f32> = slopes
                    .iter()
                    .flat_map(|slope| (0..length).map(move |key| slope * key as f32))
                    .collect();
                Tensor::from_vec(values, (slopes.len(), 1, length), &Device::Cpu)?
            }
            Bias::Buckets {
                table,
                max_distance,
            } => {
                let (buckets, heads) = table.dims2()?;
                let ids: Vec<u32> = (0..length)
                    .flat_map(|query| (0..length).map(move |key| (query, key)))
                    .map(|(query, key)| bucket(query, key, buckets, *max_distance))
                    .collect();
                let ids = Tensor::new(ids, &Device::Cpu)?;
                let rows = table.index_select(&ids, 0)?.t()?.contiguous()?;
                rows.reshape((heads, length, length))?
            }
        })
    }
}

/// Press et al. 2022: a geometric sequence; where the heads are no power of two, every other slope of the next power's is
/// put behind, as in BLOOM's reference code.
fn slopes(heads: usize) -> Vec<f32> {
    let whole = 1usize << heads.max(1).ilog2();
    let base = |n: usize| 2f64.powf(-(2f64.powf(-((n as f64).log2() - 3.0)))) as f32;
    let powers = |base: f32, n: i32| f64::from(base).powi(n) as f32;
    let first = (1..=whole as i32).map(|n| powers(base(whole), n));
    let rest = (0..(heads - whole) as i32).map(|n| powers(base(2 * whole), 2 * n + 1));
    first.chain(rest).collect()
}

/// T5's bidirectional rule: half of the buckets for keys after the query; near distances have one each, farther ones share
/// them on a logarithmic scale. In f32, as in transformers, because the borders are roundings.
fn bucket(query: usize, key: usize, buckets: usize, max_distance: usize) -> u32 {
    let half = buckets / 2;
    let distance = query.abs_diff(key);
    let exact = half / 2;
    let near = match distance < exact {
        true => distance,
        false => {
            let ratio = (distance as f32 / exact as f32).ln();
            let span = (max_distance as f64 / exact as f64).ln() as f32;
            let far = exact + (ratio / span * (half - exact) as f32) as usize;
            far.min(half - 1)
        }
    };
    (near + if key > query { half } else { 0 }) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_the_paper() {
        let eight: Vec<f32> = (1..=8).map(|n| 0.5f32.powi(n)).collect();
        assert_eq!(slopes(8), eight);
        // Twelve heads: eight, then every other of sixteen.
        assert_eq!(slopes(12).len(), 12);
        assert!((slopes(12)[8] - 0.5f32.sqrt()).abs() < 1e-7);
    }

    #[test]
    fn buckets_are_exact_nearby_and_shared_far_away() {
        let far = |distance| bucket(distance, 0, 32, 128);
        assert_eq!(far(7), 7);
        assert_eq!(far(8), 8);
        assert_eq!(far(10_000), 15);
        assert_eq!(bucket(0, 3, 32, 128), 16 + 3);
    }
}
