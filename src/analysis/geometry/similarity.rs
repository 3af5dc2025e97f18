//! How alike two spaces of the same things are, beside what that would be by chance.

use super::cka::Gram;
use super::overlap::NeighborSets;
use crate::analysis::neighbors::Rows;
use crate::analysis::reduce::Shape;
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

/// What is compared of a space.
#[derive(Debug, Clone)]
pub struct Portrait {
    rows: usize,
    gram: Gram,
    shape: Shape,
    neighbors: Option<NeighborSets>,
}

impl Portrait {
    /// Of at least four rows. Neighbours are left out where a row is zero.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for fewer rows, or if eigenvalues are not found.
    pub fn of(rows: &Rows, seed: u64) -> Result<Self> {
        if rows.rows() < 4 {
            return Err(Error::BadParameter {
                name: "rows",
                value: rows.rows().to_string(),
                problem: "spaces are compared on at least 4 rows".to_owned(),
            });
        }
        Ok(Self {
            rows: rows.rows(),
            gram: Gram::of(rows),
            shape: Shape::of(rows)?,
            neighbors: NeighborSets::of(rows, seed).ok(),
        })
    }
}

/// How a comparison is held against chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SimilarityParams {
    /// How many times the rows of one space are paired with those of the other at random.
    pub permutations: usize,
    /// The seed of the pairings.
    pub seed: u64,
}

/// A similarity, and what it is when rows are paired at random.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WithNull {
    /// The similarity; absent where it is not defined (a space without variance, a row without direction).
    pub value: Option<f64>,
    /// Its mean over random pairings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null_mean: Option<f64>,
    /// The largest over random pairings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub null_max: Option<f64>,
    /// The share of pairings, the right one among them, in which it is as large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
}

/// How alike two spaces are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Similarity {
    /// Debiased linear CKA: 1 for the same space turned, moved and scaled as a whole.
    pub cka: WithNull,
    /// The Procrustes similarity, from 0 to 1.
    pub procrustes: WithNull,
    /// The share of the 10 nearest rows that are the same.
    pub mutual_knn: WithNull,
}

/// Compares two spaces of which row `i` is of the same thing.
///
/// # Errors
/// [`Error::BadParameter`] for different numbers of rows.
pub fn similarity(a: &Portrait, b: &Portrait, params: SimilarityParams) -> Result<Similarity> {
    if a.rows != b.rows {
        return Err(Error::BadParameter {
            name: "rows",
            value: format!("{} and {}", a.rows, b.rows),
            problem: "only spaces of the same rows are compared".to_owned(),
        });
    }
    let right: Vec<usize> = (0..a.rows).collect();
    let orders: Vec<Vec<usize>> = (0..params.permutations)
        .map(|permutation| {
            let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
            rng.set_stream(permutation as u64);
            let mut order = right.clone();
            order.shuffle(&mut rng);
            order
        })
        .collect();
    let measured = std::iter::once(&right)
        .chain(&orders)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|order| {
            let neighbors = a.neighbors.as_ref().zip(b.neighbors.as_ref());
            Ok([
                a.gram.cka(&b.gram, order),
                a.shape.similarity(&b.shape, order)?,
                neighbors.map_or(f64::NAN, |(a, b)| a.overlap(b, order)),
            ])
        })
        .collect::<Vec<Result<[f64; 3]>>>();
    let measured = measured.into_iter().collect::<Result<Vec<_>>>()?;
    let with_null = |which: usize| {
        let values: Vec<f64> = measured.iter().map(|m| m[which]).collect();
        WithNull::of(values[0], &values[1..])
    };
    Ok(Similarity {
        cka: with_null(0),
        procrustes: with_null(1),
        mutual_knn: with_null(2),
    })
}

impl WithNull {
    fn of(value: f64, null: &[f64]) -> Self {
        if !value.is_finite() {
            return Self {
                value: None,
                null_mean: None,
                null_max: None,
                p: None,
            };
        }
        let n = null.len() as f64;
        let at_least = null.iter().filter(|v| **v >= value).count() as f64;
        let some = |number: f64| (!null.is_empty()).then_some(number);
        Self {
            value: Some(value),
            null_mean: some(null.iter().sum::<f64>() / n),
            null_max: some(null.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            p: some((1.0 + at_least) / (1.0 + n)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    fn random(n: usize, d: usize, seed: u64) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let data = (0..n * d).map(|_| rng.random_range(-1.0f32..1.0));
        Rows::new(d, data.collect()).unwrap()
    }

    #[test]
    fn the_same_space_stands_out_from_random_pairings_and_another_does_not() {
        let params = SimilarityParams {
            permutations: 19,
            seed: 1,
        };
        let (a, b) = (random(60, 5, 1), random(60, 5, 2));
        let (a, b) = (Portrait::of(&a, 0).unwrap(), Portrait::of(&b, 0).unwrap());
        let same = similarity(&a, &a, params).unwrap();
        for found in [same.cka, same.procrustes, same.mutual_knn] {
            assert!((found.value.unwrap() - 1.0).abs() < 1e-5, "{found:?}");
            assert_eq!(found.p, Some(0.05));
            assert!(found.null_max.unwrap() < 0.7);
        }
        let other = similarity(&a, &b, params).unwrap();
        assert!(other.cka.p.unwrap() > 0.05 || other.mutual_knn.p.unwrap() > 0.05);
        assert!((other.cka.value.unwrap() - other.cka.null_mean.unwrap()).abs() < 0.1);
    }

    #[test]
    fn the_same_numbers_on_any_number_of_threads() {
        let (a, b) = (random(50, 4, 1), random(50, 7, 2));
        let params = SimilarityParams {
            permutations: 5,
            seed: 1,
        };
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(|| {
                let (a, b) = (Portrait::of(&a, 0).unwrap(), Portrait::of(&b, 0).unwrap());
                similarity(&a, &b, params).unwrap()
            })
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn a_space_without_variance_has_no_cka() {
        let flat = Portrait::of(&Rows::new(2, vec![1.0; 20]).unwrap(), 0).unwrap();
        let found = similarity(
            &flat,
            &Portrait::of(&random(10, 3, 1), 0).unwrap(),
            SimilarityParams {
                permutations: 3,
                seed: 0,
            },
        )
        .unwrap();
        assert_eq!(found.cka.value, None);
        assert!(Portrait::of(&random(3, 3, 1), 0).is_err());
    }
}
