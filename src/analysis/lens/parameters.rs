//! Parameters in the space of tokens (Dar, Geva, Gupta & Berant 2022): what neurons and heads say, without running the model.

use super::predict::largest;
use crate::error::Result;
use crate::model::Transformer;
use candle_core::{DType, Tensor};
use rayon::prelude::*;
use serde::Serialize;

/// Directions in a block of a product with the vocabulary, and tokens in one of a product of two vocabularies.
const DIRECTIONS: usize = 256;
const TOKENS: usize = 4096;

/// A token and how strongly it is promoted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Promoted {
    /// Its id.
    pub token_id: u32,
    /// The product of the direction with the token's, before what is left of the final norm.
    pub score: f32,
}

/// The tokens that each direction `[rows, d_model]` promotes most, given the directions of tokens ([`Transformer::output_directions`]).
///
/// # Errors
/// [`Candle`](crate::error::Error::Candle) for directions of another width.
pub fn promoted(
    directions: &Tensor,
    vocabulary: &Tensor,
    count: usize,
) -> Result<Vec<Vec<Promoted>>> {
    let rows = directions.dim(0)?;
    let vocabulary = vocabulary.t()?;
    let mut found = Vec::with_capacity(rows);
    for first in (0..rows).step_by(DIRECTIONS) {
        let part = directions.narrow(0, first, DIRECTIONS.min(rows - first))?;
        let scores = part.contiguous()?.matmul(&vocabulary)?.to_vec2::<f32>()?;
        let best = scores.par_iter().map(|scores| {
            let best = largest(scores, count).into_iter();
            let promoted = best.map(|i| Promoted {
                token_id: i as u32,
                score: scores[i],
            });
            promoted.collect::<Vec<_>>()
        });
        found.extend(best.collect::<Vec<_>>());
    }
    Ok(found)
}

/// Which circuit of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Circuit {
    /// From the token that is attended to, to the token that is promoted there.
    Ov,
    /// From the token that attends to the token that it attends to.
    Qk,
}

/// Two tokens that a head joins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// The token that is attended to (OV), or that attends (QK).
    pub from: u32,
    /// The token that is promoted (OV), or that is attended to (QK).
    pub to: u32,
    /// The score, in standard deviations from the mean over all pairs.
    pub z: f64,
}

/// What a head does to pairs of tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadPairs {
    /// The block.
    pub layer: usize,
    /// The head.
    pub head: usize,
    /// The circuit.
    pub circuit: Circuit,
    /// The mean score of a token with itself, in standard deviations from the mean over all pairs: above 0 the head copies (OV), or looks
    /// for the same token (QK).
    pub self_z: f64,
    /// The pairs of largest score.
    pub top: Vec<Pair>,
}

/// The pairs of tokens that a head's circuit joins most strongly, of all pairs of the vocabulary, or of those tokens that are given (tokens that a
/// model never met in training have embeddings that mean nothing, and often the largest scores): block by block, so that the matrix is
/// never held.
///
/// # Errors
/// As [`Transformer::head_weights`], [`Transformer::input_directions`] and [`Transformer::output_directions`]; [`Candle`](crate::error::Error::Candle) for a token
/// that is not in the vocabulary.
pub fn head_pairs(
    model: &Transformer,
    (layer, head): (usize, usize),
    circuit: Circuit,
    count: usize,
    among: Option<&[u32]>,
) -> Result<HeadPairs> {
    let weights = model.head_weights(layer, head)?;
    let input = chosen(model.input_directions(layer)?, among)?;
    let (left, right) = match circuit {
        Circuit::Ov => {
            let output = chosen(model.output_directions()?, among)?;
            (
                input.matmul(&weights.v.t()?)?,
                output.matmul(&weights.o.t()?)?,
            )
        }
        Circuit::Qk => (
            input.matmul(&weights.q.t()?)?,
            input.matmul(&weights.k.t()?)?,
        ),
    };
    let (mean, sd) = moments(&left, &right)?;
    let own = (&left * &right)?.sum(1)?.to_vec1::<f32>()?;
    let own = own.iter().map(|v| f64::from(*v)).sum::<f64>() / own.len().max(1) as f64;
    let z = |score: f64| match sd > 0.0 {
        true => (score - mean) / sd,
        false => 0.0,
    };
    let id = |place: u32| among.map_or(place, |among| among[place as usize]);
    let pair = |(score, from, to): &(f32, u32, u32)| Pair {
        from: id(*from),
        to: id(*to),
        z: z(f64::from(*score)),
    };
    let top = largest_pairs(&left, &right, count)?;
    Ok(HeadPairs {
        layer,
        head,
        circuit,
        self_z: z(own),
        top: top.iter().map(pair).collect(),
    })
}

/// The directions of all tokens, or of some.
fn chosen(directions: Tensor, among: Option<&[u32]>) -> Result<Tensor> {
    match among {
        None => Ok(directions),
        Some(among) => {
            let among = Tensor::new(among, directions.device())?;
            Ok(directions.index_select(&among, 0)?)
        }
    }
}

/// The mean and the standard deviation of all products of two rows, from the sums and the second moments of each side.
fn moments(left: &Tensor, right: &Tensor) -> Result<(f64, f64)> {
    let (left, right) = (left.to_dtype(DType::F64)?, right.to_dtype(DType::F64)?);
    let pairs = left.dim(0)? as f64 * right.dim(0)? as f64;
    let scalar = |t: Tensor| t.sum_all()?.to_scalar::<f64>();
    let mean = scalar((left.sum(0)? * right.sum(0)?)?)? / pairs;
    let gram = |x: &Tensor| x.t()?.contiguous()?.matmul(x);
    let square = scalar((gram(&left)? * gram(&right)?)?)? / pairs;
    Ok((mean, (square - mean * mean).max(0.0).sqrt()))
}

/// The largest products of a row of one side with a row of the other, largest first, equal ones in order.
fn largest_pairs(left: &Tensor, right: &Tensor, count: usize) -> Result<Vec<(f32, u32, u32)>> {
    let (rows, columns) = (left.dim(0)?, right.dim(0)?);
    let order = |a: &(f32, u32, u32), b: &(f32, u32, u32)| {
        b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2)))
    };
    let mut best: Vec<(f32, u32, u32)> = Vec::new();
    for top in (0..rows).step_by(DIRECTIONS) {
        let part = left.narrow(0, top, DIRECTIONS.min(rows - top))?;
        for first in (0..columns).step_by(TOKENS) {
            let other = right.narrow(0, first, TOKENS.min(columns - first))?;
            let scores = part.contiguous()?.matmul(&other.t()?)?.to_vec2::<f32>()?;
            let least = match best.len() == count {
                true => best.last().map_or(f32::INFINITY, |b| b.0),
                false => f32::NEG_INFINITY,
            };
            let found = scores.par_iter().enumerate().flat_map_iter(|(i, scores)| {
                let over = largest(scores, count).into_iter();
                let over = over.filter(move |j| scores[*j] > least);
                over.map(move |j| (scores[j], (top + i) as u32, (first + j) as u32))
            });
            best.extend(found.collect::<Vec<_>>());
            best.sort_by(order);
            best.truncate(count);
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::super::logit::read;
    use super::*;
    use crate::hook::{HookPoint, HookSet, Recorder};
    use crate::model::{Model, ModelSource, load};
    use crate::text::batch::Batch;
    use candle_core::Device;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn blocks_find_the_largest_of_all_pairs() {
        let numbers = |n: usize, seed: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let data: Vec<f32> = (0..n * 5)
                .map(|_| rand::Rng::random_range(&mut rng, -1.0..1.0))
                .collect();
            Tensor::from_vec(data, (n, 5), &Device::Cpu).unwrap()
        };
        let (left, right) = (numbers(600, 1), numbers(700, 2));
        let all = left
            .matmul(&right.t().unwrap())
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        let mut expected: Vec<(f32, u32, u32)> = Vec::new();
        for (i, row) in all.iter().enumerate() {
            expected.extend(
                row.iter()
                    .enumerate()
                    .map(|(j, v)| (*v, i as u32, j as u32)),
            );
        }
        let n = expected.len() as f64;
        let mean = expected.iter().map(|e| f64::from(e.0)).sum::<f64>() / n;
        let variance = expected
            .iter()
            .map(|e| (f64::from(e.0) - mean).powi(2))
            .sum::<f64>()
            / n;
        let found = moments(&left, &right).unwrap();
        assert!((found.0 - mean).abs() < 1e-6 && (found.1 - variance.sqrt()).abs() < 1e-6);
        expected.sort_by(|a, b| b.0.total_cmp(&a.0));
        let pairs: Vec<(u32, u32)> = expected[..20].iter().map(|e| (e.1, e.2)).collect();
        let found = largest_pairs(&left, &right, 20).unwrap();
        assert_eq!(found.iter().map(|e| (e.1, e.2)).collect::<Vec<_>>(), pairs);
    }

    #[test]
    fn a_direction_promotes_what_the_lens_reads_of_it() {
        let model = load(&ModelSource::named("builtin")).unwrap().model;
        let values = model.mlp_values(2).unwrap();
        let vocabulary = model.output_directions().unwrap();
        let found = promoted(&values, &vocabulary, 5).unwrap();
        // The lens's logits of a stream that is the direction alone differ by one positive factor.
        let batch = Batch::new(&[vec![1u32; 8]]).unwrap();
        let stream = values.narrow(0, 100, 8).unwrap();
        let logits = read(&model, stream, &batch)
            .unwrap()
            .to_vec2::<f32>()
            .unwrap();
        for (found, logits) in found[100..108].iter().zip(&logits) {
            let ids: Vec<usize> = found.iter().map(|p| p.token_id as usize).collect();
            assert_eq!(ids, largest(logits, 5));
        }
    }

    #[test]
    fn circuits_are_those_that_the_forward_pass_has() {
        let model = load(&ModelSource::named("builtin")).unwrap().model;
        let weights = model.head_weights(1, 3).unwrap();
        let batch = Batch::new(&[vec![7u32]]).unwrap();
        let points = ["blocks.1.attn_v", "blocks.1.attn_z", "blocks.1.attn_out"];
        let points = points.map(|p| p.parse::<HookPoint>().unwrap());
        let mut recorder = Recorder::new(HookSet::new(points));
        model.forward(&batch, &mut recorder).unwrap();
        // One token: attention hands its own value on, and the heads' outputs sum to what is added.
        let z = recorder.get(points[1]).unwrap();
        let added = recorder.get(points[2]).unwrap().to_vec2::<f32>().unwrap();
        let mut sum = vec![0.0f32; model.spec().d_model];
        for head in 0..model.spec().n_heads {
            let o = model.head_weights(1, head).unwrap().o;
            let own = z.narrow(1, head, 1).unwrap().squeeze(1).unwrap();
            let part = own.matmul(&o).unwrap().to_vec2::<f32>().unwrap();
            sum.iter_mut().zip(&part[0]).for_each(|(s, p)| *s += p);
        }
        for (a, b) in sum.iter().zip(&added[0]) {
            assert!((a - b).abs() < 1e-5);
        }
        assert_eq!(weights.q.dims(), [24, 96]);
        assert!(model.head_weights(1, 4).is_err() && model.head_weights(4, 0).is_err());
    }
}
