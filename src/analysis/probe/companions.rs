//! What some kinds of probes must know of a row beside its label: its pair, and its polarity.

use super::lat::given_pairs;
use crate::error::{Error, Result};

/// For every row of a matrix of activations, what some kinds need; none of it is a label.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Companions {
    /// A number for each pair; two rows with the same one belong together (a statement and its contrary).
    pub pairs: Option<Vec<usize>>,
    /// 0 or 1 (affirmative or negated).
    pub polarity: Option<Vec<usize>>,
}

impl Companions {
    /// Checks that they speak of `rows` rows.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub(super) fn check(&self, rows: usize) -> Result<()> {
        let bad = |name: &'static str, value: usize, problem: &str| {
            Err(Error::BadParameter {
                name,
                value: value.to_string(),
                problem: problem.to_owned(),
            })
        };
        for (name, values) in [("pairs", &self.pairs), ("polarity", &self.polarity)] {
            if let Some(values) = values.as_ref().filter(|v| v.len() != rows) {
                return bad(
                    name,
                    values.len(),
                    "there must be one for each row of activations",
                );
            }
        }
        match self.polarity.iter().flatten().find(|p| **p > 1) {
            Some(other) => bad("polarity", *other, "there are two polarities, 0 and 1"),
            None => Ok(()),
        }
    }

    /// Those of some rows.
    pub(super) fn of(&self, rows: &[usize]) -> Self {
        let pick = |values: &Option<Vec<usize>>| {
            let values = values.as_ref()?;
            Some(rows.iter().map(|row| values[*row]).collect())
        };
        Self {
            pairs: pick(&self.pairs),
            polarity: pick(&self.polarity),
        }
    }

    /// The two rows of each pair: the first is of polarity 0, or, where no polarity is known or both have the same, stands first.
    pub(super) fn sided_pairs(&self) -> Vec<(usize, usize)> {
        let pairs = self.pairs.as_deref().map(given_pairs).unwrap_or_default();
        let polarity = |row: usize| self.polarity.as_ref().map_or(0, |p| p[row]);
        let pairs = pairs.into_iter();
        pairs
            .map(|(a, b)| {
                if polarity(a) > polarity(b) {
                    (b, a)
                } else {
                    (a, b)
                }
            })
            .collect()
    }

    /// −1 for the first of a pair, 1 for the second, 0 for a row without one.
    pub(super) fn sides(&self, rows: usize) -> Vec<f64> {
        let mut sides = vec![0.0; rows];
        for (a, b) in self.sided_pairs() {
            (sides[a], sides[b]) = (-1.0, 1.0);
        }
        sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sides_of_a_pair_go_by_polarity_and_else_by_order() {
        let mut companions = Companions {
            pairs: Some(vec![5, 7, 5, 7, 9]),
            polarity: Some(vec![1, 0, 0, 1, 0]),
        };
        assert_eq!(companions.sided_pairs(), [(2, 0), (1, 3)]);
        assert_eq!(companions.sides(5), [1.0, -1.0, -1.0, 1.0, 0.0]);
        companions.polarity = None;
        assert_eq!(companions.sided_pairs(), [(0, 2), (1, 3)]);
        assert_eq!(companions.of(&[4, 0, 2]).sides(3), [0.0, -1.0, 1.0]);
        assert!(companions.check(5).is_ok() && companions.check(4).is_err());
        companions.polarity = Some(vec![0, 1, 2, 0, 0]);
        assert!(companions.check(5).is_err());
    }
}
