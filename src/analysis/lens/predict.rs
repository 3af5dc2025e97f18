//! Predictions from logits: probabilities, ranks, entropies, divergences.

use serde::Serialize;

/// A token that a layer would say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Candidate {
    /// Its id.
    pub token_id: u32,
    /// Its probability.
    pub probability: f64,
}

/// The token that the text goes on with (or, for a masked language model, that stands there).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Target {
    /// Its id.
    pub token_id: u32,
    /// Its probability.
    pub probability: f64,
    /// 1 for the likeliest token; equally likely ones in order of their ids.
    pub rank: usize,
}

/// The logarithms of the softmax of a row of logits.
pub(super) fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = |v: &f32| f64::from(*v) - f64::from(largest);
    let sum: f64 = logits.iter().map(|v| shifted(v).exp()).sum();
    let log_sum = sum.ln();
    logits.iter().map(|v| shifted(v) - log_sum).collect()
}

/// The entropy in nats.
pub(super) fn entropy(log_p: &[f64]) -> f64 {
    -log_p.iter().map(|l| weighted(*l, *l)).sum::<f64>()
}

/// The Kullback-Leibler divergence of `q` from `p`, `Σ p (ln p - ln q)`, in nats; rounding does not make it negative.
pub(super) fn divergence(log_p: &[f64], log_q: &[f64]) -> f64 {
    let terms = log_p.iter().zip(log_q).map(|(p, q)| weighted(*p, p - q));
    terms.sum::<f64>().max(0.0)
}

/// `p · x`, which is 0 for an impossible token, be `x` infinite.
fn weighted(log_p: f64, x: f64) -> f64 {
    match log_p.exp() {
        0.0 => 0.0,
        p => p * x,
    }
}

/// The likeliest tokens, equally likely ones in order of their ids.
pub(super) fn likeliest(log_p: &[f64], count: usize) -> Vec<Candidate> {
    let best = largest(log_p, count);
    let candidate = |i: usize| Candidate {
        token_id: i as u32,
        probability: log_p[i].exp(),
    };
    best.into_iter().map(candidate).collect()
}

/// The places of the largest values, largest first, equal ones in order.
pub(super) fn largest<T: Copy + PartialOrd>(values: &[T], count: usize) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(count + 1);
    for (i, value) in values.iter().enumerate() {
        if best.len() == count && best.last().is_none_or(|last| *value <= values[*last]) {
            continue;
        }
        let place = best.partition_point(|b| values[*b] >= *value);
        best.insert(place, i);
        best.truncate(count);
    }
    best
}

/// How likely a token is, and how many are likelier.
pub(super) fn target(log_p: &[f64], token_id: u32) -> Option<Target> {
    let own = *log_p.get(token_id as usize)?;
    let before =
        |(i, other): (usize, &f64)| *other > own || (*other == own && i < token_id as usize);
    let likelier = log_p.iter().enumerate().filter(|o| before(*o)).count();
    Some(Target {
        token_id,
        probability: own.exp(),
        rank: likelier + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn predictions_are_distributions(logits in proptest::collection::vec(-30f32..30.0, 2..60), shift in -5f32..5.0) {
            let p = log_softmax(&logits);
            prop_assert!((p.iter().map(|l| l.exp()).sum::<f64>() - 1.0).abs() < 1e-12);
            let h = entropy(&p);
            prop_assert!(h >= -1e-12 && h <= (logits.len() as f64).ln() + 1e-9);
            let moved: Vec<f32> = logits.iter().enumerate().map(|(i, v)| if i % 2 == 0 { v + shift } else { *v }).collect();
            prop_assert!(divergence(&p, &p) == 0.0);
            prop_assert!(divergence(&p, &log_softmax(&moved)) >= 0.0);
            let top = likeliest(&p, 5);
            for (place, candidate) in top.iter().enumerate() {
                prop_assert_eq!(target(&p, candidate.token_id).unwrap().rank, place + 1);
            }
        }
    }

    #[test]
    fn impossible_tokens_count_nothing() {
        let p = log_softmax(&[0.0, f32::NEG_INFINITY]);
        assert_eq!(entropy(&p), 0.0);
        assert_eq!(divergence(&p, &log_softmax(&[1.0, f32::NEG_INFINITY])), 0.0);
        assert_eq!(divergence(&log_softmax(&[0.0, 0.0]), &p), f64::INFINITY);
        assert!(target(&p, 2).is_none());
    }
}
