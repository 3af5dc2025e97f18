//! From one vector a token to one vector a text.

use super::sentence::SentencePool;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How the tokens of a text become one vector. Special tokens count unless they are left out on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Not at all: one vector for each token.
    None,
    /// The last token's.
    Last,
    /// The mean of all (what sentence-transformers calls mean pooling).
    Mean,
    /// The first token's (`[CLS]` in BERT).
    First,
    /// The largest value of each coordinate.
    Max,
    /// As the model's sentence-transformers folder says.
    Model(SentencePool),
}

impl Pool {
    /// Pools some rows of a matrix whose rows are `width` long. `rows` is not empty.
    pub(crate) fn apply(&self, matrix: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
        let mode = match self {
            Pool::None => {
                let row = |r: usize| &matrix[r * width..(r + 1) * width];
                return rows.iter().flat_map(|&r| row(r).iter().copied()).collect();
            }
            Pool::Model(pool) => return pool.apply(matrix, width, rows),
            Pool::Last => Mode::Lasttoken,
            Pool::Mean => Mode::Mean,
            Pool::First => Mode::Cls,
            Pool::Max => Mode::Max,
        };
        mode.apply(matrix, width, rows)
    }

    /// The most tokens of a text, in a model that reads at most `context`.
    pub fn limit(&self, context: usize) -> usize {
        match self {
            Pool::Model(pool) => pool.max_tokens,
            _ => context,
        }
    }

    /// How many vectors of the model's width make one of the run's.
    pub(super) fn vectors(&self) -> usize {
        match self {
            Pool::Model(pool) => pool.modes.len(),
            _ => 1,
        }
    }
}

/// One way to make a vector of those of a text's tokens, under the name that sentence-transformers gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The first token's.
    Cls,
    /// The largest value of each coordinate.
    Max,
    /// The mean.
    Mean,
    /// The sum, divided by the square root of the number of tokens.
    MeanSqrtLenTokens,
    /// The mean in which the first token counts once, the second twice, and so on.
    Weightedmean,
    /// The last token's.
    Lasttoken,
}

impl Mode {
    /// Pools some rows of a matrix whose rows are `width` long. `rows` is not empty.
    ///
    /// Means are summed in f64 and rounded once.
    pub(super) fn apply(self, matrix: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
        let row = |r: usize| &matrix[r * width..(r + 1) * width];
        let n = rows.len() as f64;
        let sum = |weight: fn(usize) -> f64, divisor: f64| -> Vec<f32> {
            let mut sum = vec![0f64; width];
            for (i, &r) in rows.iter().enumerate() {
                for (s, v) in sum.iter_mut().zip(row(r)) {
                    *s += weight(i) * f64::from(*v);
                }
            }
            sum.into_iter().map(|s| (s / divisor) as f32).collect()
        };
        let one = |r: Option<&usize>| r.map_or_else(Vec::new, |&r| row(r).to_vec());
        match self {
            Mode::Cls => one(rows.first()),
            Mode::Lasttoken => one(rows.last()),
            Mode::Mean => sum(|_| 1.0, n),
            Mode::MeanSqrtLenTokens => sum(|_| 1.0, n.sqrt()),
            Mode::Weightedmean => sum(|i| (i + 1) as f64, n * (n + 1.0) / 2.0),
            Mode::Max => rows.iter().map(|&r| row(r)).fold(
                vec![f32::NEG_INFINITY; width],
                |mut best, row| {
                    for (b, v) in best.iter_mut().zip(row) {
                        *b = b.max(*v);
                    }
                    best
                },
            ),
        }
    }
}

/// The rows of a text that count: all, or all but the special ones.
///
/// # Errors
/// [`Error::BadText`] if only special tokens are left.
pub(super) fn counted_rows(
    rows: Range<usize>,
    special: &[bool],
    include_special: bool,
    example: usize,
) -> Result<Vec<usize>> {
    let counted: Vec<usize> = rows
        .zip(special)
        .filter(|(_, special)| include_special || !**special)
        .map(|(row, _)| row)
        .collect();
    match counted.is_empty() {
        false => Ok(counted),
        true => Err(Error::BadText {
            row: example,
            problem: "the text has no tokens but special ones; leave the row or --no-special out"
                .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const M: [f32; 6] = [1.0, -4.0, 3.0, 0.0, 5.0, -2.0];

    #[test]
    fn each_pooling_does_what_its_name_says() {
        let rows = [0, 1, 2];
        assert_eq!(Pool::First.apply(&M, 2, &rows), [1.0, -4.0]);
        assert_eq!(Pool::Last.apply(&M, 2, &rows), [5.0, -2.0]);
        assert_eq!(Pool::Mean.apply(&M, 2, &rows), [3.0, -2.0]);
        assert_eq!(Pool::Max.apply(&M, 2, &rows), [5.0, 0.0]);
        assert_eq!(Pool::None.apply(&M, 2, &[2, 0]), [5.0, -2.0, 1.0, -4.0]);
        let sqrt = Mode::MeanSqrtLenTokens.apply(&M, 2, &[0, 1, 2, 2]);
        assert_eq!(sqrt, [7.0, -4.0]);
        let weighted = Mode::Weightedmean.apply(&M, 2, &rows);
        assert_eq!(weighted, [22.0 / 6.0, -10.0 / 6.0]);
    }

    #[test]
    fn a_text_of_special_tokens_alone_cannot_be_pooled_without_them() {
        assert_eq!(
            counted_rows(4..7, &[true, false, true], false, 0).unwrap(),
            [5]
        );
        assert_eq!(counted_rows(4..6, &[true, true], true, 0).unwrap(), [4, 5]);
        let error = counted_rows(4..6, &[true, true], false, 9).unwrap_err();
        assert!(error.to_string().starts_with("row 9: "));
    }

    proptest! {
        #[test]
        fn pooling_one_row_is_that_row(row in prop::collection::vec(-1e3f32..1e3, 1..9)) {
            for pool in [Pool::First, Pool::Last, Pool::Mean, Pool::Max, Pool::None] {
                prop_assert_eq!(pool.apply(&row, row.len(), &[0]), row.clone());
            }
        }
    }
}
