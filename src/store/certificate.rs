//! What is checked on a sample of the data before a run begins.

use super::plan::Extraction;
use super::schema::Dtype;
use crate::error::{Error, Result};
use crate::model::{ArchSpec, Model, Precision};
use crate::text::tokens::Tokens;
use rand::SeedableRng;
use rand::seq::index::sample;
use serde::{Deserialize, Serialize};

/// The sample is drawn with this seed: two runs of one plan have the same certificates.
const SEED: u64 = 0;
/// No more texts than this.
const MOST_TEXTS: usize = 16;
/// … and no more than the model reads with about this many operations, so that slow models do not check for minutes.
const OPERATIONS: f64 = 1e10;

/// Alone and in company a text takes the same way through the model; only the order of sums may differ, and what is rounded after them.
fn rounding(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-4,
        Precision::F16 => 1e-2,
        Precision::Bf16 => 5e-2,
    }
}

/// What was checked on a sample of the data before the run began. A check that fails stops the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certificates {
    /// Texts in the sample.
    pub texts: usize,
    /// Their tokens.
    pub tokens: usize,
    /// The largest difference between the vectors of a text that passed the model alone and those of the same text in company, over all
    /// hook points; relative to the largest number of the text at the hook point.
    pub alone_and_in_company: f64,
    /// Whether spans lead to the text that their tokens spell.
    pub spans: SpanCheck,
    /// The special tokens that the tokenizer adds to a text, in order of appearance.
    pub special_tokens: Vec<String>,
    /// The median norm of the sample's rows at the first hook point of the plan, which is finite.
    pub first_norm: f32,
    /// The same at the last one.
    pub last_norm: f32,
}

/// Tokens and the places in the text that they claim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanCheck {
    /// Tokens of text (those that the tokenizer adds have no place in it).
    pub tokens: usize,
    /// Those with a span.
    pub with_span: usize,
    /// Those whose letters could be compared with the text's, and are the same: both in ASCII, and a word of the vocabulary.
    pub compared: usize,
}

/// Checks a sample of the data.
///
/// # Errors
/// [`Error::Certificate`], [`Error::NotFinite`].
pub(super) fn certify(plan: &Extraction<'_>) -> Result<Certificates> {
    let examples = sampled(plan);
    let limit = plan.limit();
    let texts: Vec<Tokens> = examples
        .iter()
        .map(|e| plan.texts.tokens(*e, limit))
        .collect::<Result<_>>()?;
    let mut spans = SpanCheck::default();
    let mut special_tokens: Vec<String> = Vec::new();
    for (example, tokens) in examples.iter().zip(&texts) {
        if let Some(text) = plan.texts.text(*example) {
            spans.add(text, tokens, *example)?;
        }
        for (token, _) in tokens.tokens.iter().zip(&tokens.special).filter(|t| *t.1) {
            if !special_tokens.contains(token) {
                special_tokens.push(token.clone());
            }
        }
    }
    let together = vectors(plan, &examples, &texts)?;
    let mut difference: f64 = 0.0;
    for (i, (example, tokens)) in examples.iter().zip(&texts).enumerate() {
        let alone = vectors(plan, &[*example], std::slice::from_ref(tokens))?;
        let company = together.values.get(i).into_iter().flatten();
        for (a, b) in alone.values.iter().flatten().zip(company) {
            difference = difference.max(relative_difference(a, b));
        }
    }
    let allowed = rounding(plan.model.precision);
    if difference > allowed {
        return Err(Error::Certificate {
            check: "a text alone and in company",
            problem: format!(
                "its vectors differ by {difference:.1e} of their largest number, and only {allowed:.0e} is rounding; this is a fault of \
                 plumb, please report it with the model"
            ),
        });
    }
    Ok(Certificates {
        texts: texts.len(),
        tokens: texts.iter().map(Tokens::len).sum(),
        alone_and_in_company: difference,
        spans,
        special_tokens,
        first_norm: together.first_norm,
        last_norm: together.last_norm,
    })
}

/// The examples of the sample. Two at least where there are two: without company there is nothing to compare.
fn sampled(plan: &Extraction<'_>) -> Vec<usize> {
    let n = plan.census.examples();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(SEED);
    let most = tokens_for(OPERATIONS, plan.model.model.spec());
    let mut tokens = 0;
    let drawn = sample(&mut rng, n, n.min(MOST_TEXTS)).into_iter();
    let affordable = drawn.enumerate().take_while(|(i, example)| {
        tokens += plan.census.tokens_of(*example);
        *i < 2 || tokens <= most
    });
    affordable.map(|(_, example)| example).collect()
}

/// How many tokens pass the model with about so many operations.
pub(super) fn tokens_for(operations: f64, spec: &ArchSpec) -> usize {
    (operations / spec.flops_per_token(spec.n_layers, 32).max(1.0)) as usize
}

/// What a forward pass would store of each text.
pub(super) struct Vectors {
    /// For each text and hook point, all vectors in line.
    pub values: Vec<Vec<Vec<f32>>>,
    first_norm: f32,
    last_norm: f32,
}

/// Runs texts through the model together.
pub(super) fn vectors(
    plan: &Extraction<'_>,
    examples: &[usize],
    texts: &[Tokens],
) -> Result<Vectors> {
    let positions: Vec<Vec<usize>> = examples
        .iter()
        .zip(texts)
        .map(|(example, tokens)| plan.special_tokens.positions(tokens, *example))
        .collect::<Result<_>>()?;
    let ids: Vec<&[u32]> = texts.iter().map(|t| t.ids.as_slice()).collect();
    let positions: Vec<&[usize]> = positions.iter().map(Vec::as_slice).collect();
    let points = plan.points.points().len();
    let mut norms = vec![0.0; points];
    let mut values = vec![vec![Vec::new(); points]; texts.len()];
    plan.forward(&ids, &positions, |point, passed| {
        norms[point] = median(passed.norms);
        for (of_text, rows) in values.iter_mut().zip(passed.rows) {
            of_text[point] = plan.pool.apply(passed.matrix, passed.width, rows);
        }
        Ok(())
    })?;
    Ok(Vectors {
        values,
        first_norm: norms.first().copied().unwrap_or(0.0),
        last_norm: norms.last().copied().unwrap_or(0.0),
    })
}

fn median(norms: &[f32]) -> f32 {
    let mut norms = norms.to_vec();
    norms.sort_by(f32::total_cmp);
    norms.get(norms.len() / 2).copied().unwrap_or(0.0)
}

/// max|a − b| / max|b|; infinite for vectors of different lengths and for what is not a number.
pub(super) fn relative_difference(a: &[f32], b: &[f32]) -> f64 {
    let largest = b.iter().fold(0f32, |m, v| m.max(v.abs()));
    let difference = a.iter().zip(b).fold(0f32, |m, (a, b)| {
        let d = (a - b).abs();
        if d.is_nan() { f32::INFINITY } else { m.max(d) }
    });
    match (a.len() == b.len(), difference) {
        (false, _) => f64::INFINITY,
        (true, 0.0) => 0.0,
        (true, _) => f64::from(difference) / f64::from(largest),
    }
}

/// How far numbers that were computed again may be from those stored, by what the disk holds and what the model computes in.
pub(super) fn tolerance(plan: &Extraction<'_>) -> f64 {
    match (plan.model.precision, plan.dtype) {
        (Precision::F32, Dtype::F32) => 1e-5,
        (Precision::F32, Dtype::F16) => 1e-3,
        (precision, _) => rounding(precision),
    }
}

impl SpanCheck {
    /// Checks the tokens of one text.
    fn add(&mut self, text: &str, tokens: &Tokens, example: usize) -> Result<()> {
        let letters: Vec<char> = text.chars().collect();
        for (i, span) in tokens.spans.iter().enumerate() {
            if tokens.special[i] {
                continue;
            }
            self.tokens += 1;
            let Some((start, end)) = *span else {
                continue;
            };
            self.with_span += 1;
            let (token, place) = (&tokens.tokens[i], start as usize..end as usize);
            let failed = |problem: &str| Error::Certificate {
                check: "spans of tokens",
                problem: format!(
                    "row {example}: token {i}, `{token}`, claims the characters {start} to {end}, {problem}; the tokenizer's offsets \
                     cannot be trusted"
                ),
            };
            let there = letters
                .get(place)
                .ok_or_else(|| failed("which the text does not have"))?;
            match spelled_alike(token, &there.iter().collect::<String>()) {
                Some(true) => self.compared += 1,
                Some(false) => return Err(failed("which spell something else")),
                None => {}
            }
        }
        Ok(())
    }
}

/// Whether a token and a piece of text have the same letters and digits, in either case; `None` where normalisation or the vocabulary's
/// spelling leave nothing to compare.
fn spelled_alike(token: &str, text: &str) -> Option<bool> {
    // The marks of a space or a continuation; byte-level vocabularies spell ASCII as itself.
    let token = token.strip_prefix("##").unwrap_or(token);
    let token = token.trim_matches(['\u{120}', '\u{2581}', '\u{10a}', ' ']);
    let unknown = token.to_ascii_lowercase().contains("unk");
    if unknown || !token.is_ascii() || !text.is_ascii() {
        return None;
    }
    let letters = |s: &str| {
        let letters = s.bytes().filter(u8::is_ascii_alphanumeric);
        letters.map(|b| b.to_ascii_lowercase()).collect::<Vec<u8>>()
    };
    Some(letters(token) == letters(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_compared_where_they_can_be() {
        assert_eq!(spelled_alike("##ing", "ing"), Some(true));
        assert_eq!(spelled_alike("Ġthe", " The"), Some(true));
        assert_eq!(spelled_alike("▁the", "cat"), Some(false));
        assert_eq!(spelled_alike("[UNK]", "zyx"), None);
        assert_eq!(spelled_alike("cafe", "café"), None);
    }

    #[test]
    fn a_span_of_other_letters_fails() {
        let tokens = Tokens {
            ids: vec![1, 2],
            tokens: vec!["the".to_owned(), "cat".to_owned()],
            spans: vec![Some((0, 3)), Some((3, 6))],
            special: vec![false; 2],
            truncated_from: None,
        };
        let mut check = SpanCheck::default();
        let said = check.add("the cat", &tokens, 7).unwrap_err().to_string();
        assert!(
            said.contains("row 7: token 1, `cat`") && said.contains("3 to 6"),
            "{said}"
        );
    }

    #[test]
    fn a_difference_is_relative_to_the_largest_number() {
        assert_eq!(relative_difference(&[1.0, -2.0], &[1.0, -4.0]), 0.5);
        assert_eq!(relative_difference(&[0.0], &[0.0]), 0.0);
        assert_eq!(relative_difference(&[0.0], &[0.0, 1.0]), f64::INFINITY);
        assert_eq!(
            relative_difference(&[1.0, 1.0], &[f32::NAN, 1.0]),
            f64::INFINITY
        );
    }
}
