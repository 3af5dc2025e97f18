//! One original and one edit of it, token by token.

use super::states::{Probed, pooled};
use super::sweep::Reader;
use super::vector::{cosine_distance, degrees, dot, euclidean_distance};
use crate::error::{Error, Result};
use crate::hook::HookSet;
use crate::model::Model;
use crate::store::Pool;
use crate::text::align::{links, pieces};
use crate::text::tokens::Tokens;
use serde::Serialize;

/// The drift of one pair.
#[derive(Debug, Clone, Serialize)]
pub struct PairDrift {
    /// Whether the tokenizer makes the same tokens of both texts.
    pub same_tokens: bool,
    /// The pooled texts, one entry a hook point.
    pub layers: Vec<PairLayer>,
    /// The tokens of both texts, matched through the edit, in their order.
    pub tokens: Vec<TokenDrift>,
    /// KL of the next-token distribution after the edit from that before it, in nats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token_kl: Option<f64>,
}

/// The pooled vectors of both texts at one hook point.
#[derive(Debug, Clone, Serialize)]
pub struct PairLayer {
    /// The hook point.
    pub hook_point: String,
    /// The measures that need no other texts, as [`super::Measure`] names them.
    pub measures: PairMeasures,
}

/// Measures of one pair.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct PairMeasures {
    /// 1 − cosine.
    pub cosine_distance: f64,
    /// The length of the difference.
    pub euclidean_distance: f64,
    /// How much longer the edit's vector is.
    pub norm_change: f64,
    /// The angle.
    pub rotation_degrees: f64,
}

/// A token, or a group of tokens that an edit exchanged for another.
#[derive(Debug, Clone, Serialize)]
pub struct TokenDrift {
    /// Tokens of the original; none where something was put in.
    pub before: Vec<String>,
    /// Tokens of the edited text; none where something was taken out.
    pub after: Vec<String>,
    /// Whether it is the same token on both sides.
    pub same: bool,
    /// 1 − cosine at each hook point, between the means of both groups; none where one side is empty.
    pub cosine_distance: Vec<Option<f64>>,
    /// The length of the difference.
    pub euclidean_distance: Vec<Option<f64>>,
}

/// Compares two texts.
///
/// # Errors
/// [`Error::TooLong`] for a text beyond the context; [`Error::BadText`]; as [`super::drift`] otherwise.
pub fn drift_of_pair(
    reader: Reader<'_>,
    points: &HookSet,
    pool: &Pool,
    original: &str,
    edited: &str,
) -> Result<PairDrift> {
    let probed = Probed::new(points.clone(), reader.model.spec())?;
    let before = encode(reader, original, 0)?;
    let after = encode(reader, edited, 1)?;
    let links = links(&before, &after, &pieces(original, edited));
    let same_tokens = before.ids == after.ids;
    // Equal tokens are one sequence: what is compared with itself has not moved.
    let sequences: Vec<&[u32]> = match same_tokens {
        true => vec![&before.ids],
        false => vec![&before.ids, &after.ids],
    };
    let states = probed.run(reader.model, &sequences)?;
    let second = sequences.len() - 1;
    let mut layers = Vec::new();
    let mut tokens: Vec<TokenDrift> = links
        .iter()
        .map(|link| TokenDrift {
            before: before.tokens[link.before.clone()].to_vec(),
            after: after.tokens[link.after.clone()].to_vec(),
            same: link.same,
            cosine_distance: Vec::new(),
            euclidean_distance: Vec::new(),
        })
        .collect();
    for (point, name) in points.points().iter().enumerate() {
        let texts = pooled(pool, &states, &[0, second], point)?;
        layers.push(PairLayer {
            hook_point: name.to_string(),
            measures: measures(texts.row(0), texts.row(1)),
        });
        for (link, token) in links.iter().zip(&mut tokens) {
            let group = |sequence: usize, range: &std::ops::Range<usize>| {
                let (matrix, width) = states.of(sequence, point);
                let rows: Vec<usize> = range.clone().collect();
                (!rows.is_empty()).then(|| Pool::Mean.apply(matrix, width, &rows))
            };
            let both = group(0, &link.before).zip(group(second, &link.after));
            let of = |distance: fn(&[f32], &[f32]) -> f64| {
                let (a, b) = both.as_ref()?;
                Some(distance(a, b)).filter(|d| d.is_finite())
            };
            token.cosine_distance.push(of(cosine_distance));
            token.euclidean_distance.push(of(euclidean_distance));
        }
    }
    Ok(PairDrift {
        same_tokens,
        layers,
        tokens,
        next_token_kl: states
            .logits
            .as_ref()
            .map(|logits| super::states::divergence(&logits[0], &logits[second])),
    })
}

fn encode(reader: Reader<'_>, text: &str, row: usize) -> Result<Tokens> {
    let tokens = reader.tokenizer.encode(text, None)?;
    match tokens.len() > reader.context {
        false => Ok(tokens),
        true => Err(Error::BadText {
            row,
            problem: format!(
                "the text has {} tokens, but the model reads at most {}; give a shorter one",
                tokens.len(),
                reader.context
            ),
        }),
    }
}

fn measures(before: &[f32], after: &[f32]) -> PairMeasures {
    let cosine = cosine_distance(before, after);
    let norm = dot(before, before).sqrt();
    PairMeasures {
        cosine_distance: cosine,
        euclidean_distance: euclidean_distance(before, after),
        norm_change: match before == after {
            true => 0.0,
            false => (dot(after, after).sqrt() - norm) / norm,
        },
        rotation_degrees: degrees(cosine),
    }
}
