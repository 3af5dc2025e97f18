//! From one vector a token to one vector a text.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How the tokens of a text become one vector. Special tokens count unless they are left out on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Pool {
    /// Pools some rows of a matrix whose rows are `width` long. `rows` is not empty.
    ///
    /// The mean is summed in f64 and rounded once.
    pub(super) fn apply(self, matrix: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
        let row = |r: usize| &matrix[r * width..(r + 1) * width];
        let ends = (rows.first().copied(), rows.last().copied());
        match (self, ends) {
            (Pool::First, (Some(first), _)) => row(first).to_vec(),
            (Pool::Last, (_, Some(last))) => row(last).to_vec(),
            (Pool::Mean, _) => {
                let mut sum = vec![0f64; width];
                for &r in rows {
                    for (s, v) in sum.iter_mut().zip(row(r)) {
                        *s += f64::from(*v);
                    }
                }
                let n = rows.len() as f64;
                sum.into_iter().map(|s| (s / n) as f32).collect()
            }
            (Pool::Max, _) => rows.iter().map(|&r| row(r)).fold(
                vec![f32::NEG_INFINITY; width],
                |mut best, row| {
                    for (b, v) in best.iter_mut().zip(row) {
                        *b = b.max(*v);
                    }
                    best
                },
            ),
            _ => rows.iter().flat_map(|&r| row(r).iter().copied()).collect(),
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
