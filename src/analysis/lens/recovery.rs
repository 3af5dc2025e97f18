//! How much of what a layer says can be read off its neurons, on texts (R@k of Dar et al. 2022).

use super::logit::{aim, read, streams};
use super::parameters::promoted;
use super::predict::largest;
use crate::analysis::inference::{Bootstrap, Estimate};
use crate::error::{Error, Result};
use crate::hook::{Hook, HookPoint, HookSet, Recorder, Site};
use crate::model::{Model, Transformer};
use crate::text::batch::Batch;
use candle_core::DType;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// How much of what a layer says can be read off its most active neurons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recovery {
    /// The block.
    pub layer: usize,
    /// Tokens of a state that count, and neurons.
    pub k: usize,
    /// Neurons of a position that count.
    pub neurons: usize,
    /// R@k: the share of the `k` tokens that the layer's own state promotes most that are among the `k` that one of its most active neurons
    /// promotes most; with a 95 % interval over texts.
    pub recall: Estimate,
    /// The same with the neurons of another position, drawn at random.
    pub shuffled: Estimate,
    /// Positions that were looked at.
    pub positions: usize,
}

/// What one position shows: the tokens of its state, and those of its neurons.
struct Seen {
    text: usize,
    state: Vec<u32>,
    neurons: Vec<u32>,
}

/// A block whose neurons are read, and what each says when it is positive, and when it is negative.
struct Block<'a> {
    model: &'a Transformer,
    layer: usize,
    /// Tokens, and neurons of a position, that count.
    counts: (usize, usize),
    norms: Vec<f32>,
    says: [Vec<Vec<u32>>; 2],
}

/// Compares the neurons of a block's MLP with the stream after it, on texts.
///
/// # Errors
/// [`Error::NoSuchPoint`] without a language-model head, or for a block that the model does not have; [`Error::BadParameter`] for fewer than two positions.
pub fn recovery(
    model: &Transformer,
    texts: &[Vec<u32>],
    layer: usize,
    (k, neurons): (usize, usize),
    seed: u64,
) -> Result<Recovery> {
    let block = Block::new(model, layer, (k, neurons))?;
    let mut seen = Vec::new();
    for (text, ids) in texts.iter().enumerate() {
        seen.extend(block.seen(text, ids)?);
    }
    if seen.len() < 2 {
        return Err(Error::BadParameter {
            name: "texts",
            value: format!("{} tokens", seen.len()),
            problem: "the shuffled control needs at least two positions".to_owned(),
        });
    }
    let share = |state: &[u32], said: &[u32]| {
        state.iter().filter(|t| said.contains(t)).count() as f64 / state.len().max(1) as f64
    };
    let own: Vec<f64> = seen.iter().map(|s| share(&s.state, &s.neurons)).collect();
    let shuffled = seen.iter().zip(others(seen.len(), seed));
    let shuffled: Vec<f64> = shuffled
        .map(|(s, o)| share(&s.state, &seen[o].neurons))
        .collect();
    let groups: Vec<usize> = seen.iter().map(|s| s.text).collect();
    Ok(Recovery {
        layer,
        k,
        neurons,
        recall: over_texts(&own, &groups, seed)?,
        shuffled: over_texts(&shuffled, &groups, seed)?,
        positions: seen.len(),
    })
}

impl<'a> Block<'a> {
    fn new(model: &'a Transformer, layer: usize, counts: (usize, usize)) -> Result<Self> {
        aim(model.spec())?;
        let values = model.mlp_values(layer)?;
        let vocabulary = model.output_directions()?;
        let ids = |values| -> Result<Vec<Vec<u32>>> {
            let found = promoted(&values, &vocabulary, counts.0)?.into_iter();
            Ok(found
                .map(|said| said.iter().map(|p| p.token_id).collect())
                .collect())
        };
        Ok(Self {
            norms: values.sqr()?.sum(1)?.sqrt()?.to_vec1::<f32>()?,
            // A neuron that is negative promotes what its direction demotes.
            says: [ids(values.clone())?, ids(values.neg()?)?],
            model,
            layer,
            counts,
        })
    }

    /// The positions of a text.
    fn seen(&self, text: usize, ids: &Vec<u32>) -> Result<Vec<Seen>> {
        let batch = Batch::new(&[ids])?;
        let point = HookPoint::block(self.layer, Site::MlpPost)?;
        let mut recorder = Recorder::new(HookSet::new([point]));
        self.model.forward(&batch, &mut recorder as &mut dyn Hook)?;
        let active = recorder.get(point)?.to_dtype(DType::F32)?;
        let after = HookPoint::block(self.layer, Site::ResidPost)?;
        let mut streams = streams(self.model, &batch)?.streams.into_iter();
        let Some((_, stream)) = streams.find(|s| s.0 == after) else {
            return Ok(Vec::new());
        };
        let states = read(self.model, stream, &batch)?.to_dtype(DType::F32)?;
        let (k, neurons) = self.counts;
        let positions = active.to_vec2::<f32>()?.into_iter();
        let positions = positions.zip(states.to_vec2::<f32>()?);
        let of_position = |(active, state): (Vec<f32>, Vec<f32>)| {
            let strength = active.iter().zip(&self.norms);
            let strength: Vec<f32> = strength.map(|(a, n)| (a * n).abs()).collect();
            let most = largest(&strength, neurons).into_iter();
            let said = most.flat_map(|j| &self.says[usize::from(active[j] < 0.0)][j]);
            Seen {
                text,
                neurons: said.copied().collect(),
                state: largest(&state, k).into_iter().map(|i| i as u32).collect(),
            }
        };
        Ok(positions.map(of_position).collect())
    }
}

/// For each of `n` positions another one: the next in a random circle.
fn others(n: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut other = vec![0; n];
    for (place, position) in order.iter().enumerate() {
        other[*position] = order[(place + 1) % n];
    }
    other
}

/// A mean over tokens with its 95 % interval over texts.
pub(super) fn over_texts(values: &[f64], texts: &[usize], seed: u64) -> Result<Estimate> {
    let bootstrap = Bootstrap {
        seed,
        ..Bootstrap::default()
    };
    let mean = |weights: &[f64]| {
        let total: f64 = weights.iter().sum();
        let sum: f64 = values.iter().zip(weights).map(|(v, w)| v * w).sum();
        vec![(total > 0.0).then(|| sum / total)]
    };
    let intervals = bootstrap.intervals(values.len(), Some(texts), mean)?;
    let value = values.iter().sum::<f64>() / values.len().max(1) as f64;
    Ok(Estimate::new(value, intervals.first().copied().flatten()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_position_gets_another_one_and_each_is_given_once(n in 2usize..50, seed: u64) {
            let mut found = others(n, seed);
            prop_assert!(found.iter().enumerate().all(|(own, other)| own != *other));
            found.sort_unstable();
            prop_assert_eq!(found, (0..n).collect::<Vec<_>>());
        }
    }
}
