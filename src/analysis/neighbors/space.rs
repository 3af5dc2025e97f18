//! A space to search: rows under a metric and a correction, equal rows as one.

use super::baseline::{Baseline, Pairs, baseline};
use super::correction::{Change, Correction};
use super::rows::{Rows, dot};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hasher};

/// How near two vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// The cosine of their angle; more is nearer.
    Cosine,
    /// Their dot product; more is nearer.
    Dot,
    /// The length of their difference; less is nearer.
    Euclid,
}

/// Neighbours that the local scaling of [`Correction::Csls`] averages over.
pub(super) const CSLS_NEIGHBORS: usize = 10;

/// Rows ready to be searched.
#[derive(Debug, Clone)]
pub struct Space {
    pub(super) metric: Metric,
    correction: Correction,
    /// Different rows, corrected.
    pub(super) rows: Rows,
    /// A row's key for a query is `query · row * scale + bias`; the largest is the nearest.
    pub(super) scale: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) norms: Vec<f64>,
    change: Change,
    /// For each different row, those given rows that are it, in ascending order.
    members: Vec<Vec<u32>>,
    of_given: Vec<u32>,
    baseline: Baseline,
}

/// A vector in the coordinates of a space.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub(super) vector: Vec<f32>,
    /// Its norm.
    pub(super) length: f64,
    /// For CSLS, its mean cosine to its nearest rows.
    pub(super) local: f64,
}

impl Query {
    fn new(vector: Vec<f32>) -> Self {
        Self {
            length: norm(&vector),
            vector,
            local: 0.0,
        }
    }
}

impl Space {
    /// Prepares rows for a search.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for a space without rows, for CSLS under another metric than cosine, and, where directions matter,
    /// for a row that is zero or becomes zero.
    pub fn new(given: &Rows, metric: Metric, correction: Correction, seed: u64) -> Result<Self> {
        refuse(given, metric, correction)?;
        let (members, of_given) = different(given);
        let firsts: Vec<usize> = members.iter().map(|m| m[0] as usize).collect();
        let kept = given.select(&firsts);
        let uncorrected = Pairs::drawn(kept.rows(), seed).cosines(&kept);
        let change = Change::learned(&kept, metric, correction)?;
        let rows = change.rows(kept);
        let norms: Vec<f64> = (0..rows.rows()).map(|r| norm(rows.row(r))).collect();
        if metric == Metric::Cosine
            && let Some(zero) = norms.iter().position(|n| *n == 0.0)
        {
            return Err(zero_row(firsts[zero], correction));
        }
        let (scale, bias) = match metric {
            Metric::Cosine => (
                norms.iter().map(|n| (1.0 / n) as f32).collect(),
                vec![0.0; norms.len()],
            ),
            Metric::Dot => (vec![1.0; norms.len()], vec![0.0; norms.len()]),
            Metric::Euclid => (
                vec![1.0; norms.len()],
                norms.iter().map(|n| (-n * n / 2.0) as f32).collect(),
            ),
        };
        // What Euclid's mean takes off for the sake of rounding corrects nothing.
        let corrected = match correction {
            Correction::None | Correction::Csls => uncorrected.clone(),
            _ => Pairs::drawn(rows.rows(), seed).cosines(&rows),
        };
        let mut space = Self {
            metric,
            correction,
            scale,
            bias,
            norms,
            change,
            members,
            of_given,
            baseline: baseline(&uncorrected, corrected),
            rows,
        };
        if correction == Correction::Csls {
            space.bias = super::exact::local_means(&space)
                .iter()
                .map(|local| (-local / 2.0) as f32)
                .collect();
        }
        Ok(space)
    }

    /// A given vector in the coordinates of the space.
    ///
    /// # Errors
    /// As [`Space::sum`].
    pub fn query(&self, vector: &[f32]) -> Result<Query> {
        self.sum(&[(1.0, vector)])
    }

    /// A sum of vectors with factors in the coordinates of the space. Under [`Metric::Cosine`] each vector is corrected and made of length
    /// one before it counts (3CosAdd, Levy & Goldberg 2014), under [`Metric::Dot`] corrected; under [`Metric::Euclid`] the sum is corrected.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for another width, for a vector or sum without direction where directions matter; [`Error::NotFinite`].
    pub fn sum(&self, parts: &[(f64, &[f32])]) -> Result<Query> {
        self.check(parts)?;
        let late = self.metric == Metric::Euclid;
        let mut sum = vec![0.0f64; self.rows.cols()];
        for (factor, vector) in parts {
            let mut part = match late {
                true => vector.iter().map(|v| f64::from(*v)).collect(),
                false => self.change.of(vector, true),
            };
            if self.metric == Metric::Cosine {
                to_unit(&mut part)?;
            }
            sum.iter_mut().zip(part).for_each(|(s, v)| *s += factor * v);
        }
        if late {
            let sum32: Vec<f32> = sum.iter().map(|v| *v as f32).collect();
            sum = self.change.of(&sum32, true);
        }
        self.finished(sum)
    }

    /// A difference of points, such as a probe's direction, in the coordinates of the space: no mean is taken off.
    ///
    /// # Errors
    /// As [`Space::sum`]; [`Error::BadParameter`] under [`Metric::Euclid`].
    pub fn direction(&self, vector: &[f32]) -> Result<Query> {
        self.check(&[(1.0, vector)])?;
        if self.metric == Metric::Euclid {
            return Err(Error::BadParameter {
                name: "metric",
                value: "euclid".to_owned(),
                problem: "a direction has no distance to a point; give cosine or dot".to_owned(),
            });
        }
        self.finished(self.change.of(vector, false))
    }

    fn check(&self, parts: &[(f64, &[f32])]) -> Result<()> {
        for (_, vector) in parts {
            if vector.len() != self.rows.cols() {
                return Err(Error::BadParameter {
                    name: "query",
                    value: format!("{} numbers", vector.len()),
                    problem: format!("the rows of the space have {}", self.rows.cols()),
                });
            }
            if let Some(at) = vector.iter().position(|v| !v.is_finite()) {
                return Err(Error::NotFinite {
                    place: format!("query, feature {at}"),
                    value: f64::from(vector[at]),
                });
            }
        }
        Ok(())
    }

    fn finished(&self, mut vector: Vec<f64>) -> Result<Query> {
        if self.metric == Metric::Cosine {
            to_unit(&mut vector)?;
        }
        let vector: Vec<f32> = vector.iter().map(|v| *v as f32).collect();
        if let Some(at) = vector.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFinite {
                place: format!("query, feature {at}, in the coordinates of the space"),
                value: f64::from(vector[at]),
            });
        }
        let mut query = Query::new(vector);
        if self.correction == Correction::Csls {
            query.local = super::exact::local_mean(self, &query);
        }
        Ok(query)
    }

    /// One of the different rows as a query; of CSLS, its scores are off by one number for all rows, which ranks the same.
    pub fn row_query(&self, row: usize) -> Query {
        Query::new(self.own_query(row))
    }

    /// The coordinates of a row as a query.
    pub(super) fn own_query(&self, row: usize) -> Vec<f32> {
        match self.metric {
            Metric::Cosine => {
                let unit = |v: &f32| (f64::from(*v) / self.norms[row]) as f32;
                self.rows.row(row).iter().map(unit).collect()
            }
            Metric::Dot | Metric::Euclid => self.rows.row(row).to_vec(),
        }
    }

    /// The number of different rows.
    pub fn rows(&self) -> usize {
        self.rows.rows()
    }

    /// The different rows, corrected.
    pub fn vectors(&self) -> &Rows {
        &self.rows
    }

    /// The metric.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The correction.
    pub fn correction(&self) -> Correction {
        self.correction
    }

    /// Those of the given rows that are this different row, in ascending order.
    pub fn members(&self, row: usize) -> &[u32] {
        &self.members[row]
    }

    /// The different row that a given row is.
    pub fn different_row(&self, given: usize) -> Option<usize> {
        self.of_given.get(given).map(|row| *row as usize)
    }

    /// How many given rows are copies of an earlier one.
    pub fn duplicates(&self) -> usize {
        self.of_given.len() - self.rows()
    }

    /// Cosines of random pairs.
    pub fn baseline(&self) -> Baseline {
        self.baseline
    }

    /// How near a row is by the metric alone, in `f64`; for [`Metric::Euclid`] a distance.
    #[inline(always)]
    pub(super) fn similarity(&self, query: &Query, row: usize) -> f64 {
        let found = self.rows.row(row);
        match self.metric {
            Metric::Cosine => dot(&query.vector, found) / self.norms[row] / query.length,
            Metric::Dot => dot(&query.vector, found),
            Metric::Euclid => super::rows::squared_distance(&query.vector, found).sqrt(),
        }
    }
}

fn refuse(given: &Rows, metric: Metric, correction: Correction) -> Result<()> {
    let bad = |name, value: &str, problem: &str| {
        Err(Error::BadParameter {
            name,
            value: value.to_owned(),
            problem: problem.to_owned(),
        })
    };
    if given.rows() == 0 {
        return bad("space", "0 rows", "there is nothing to search");
    }
    if u32::try_from(given.rows()).is_err() {
        return bad(
            "space",
            "more than 4,294,967,295 rows",
            "search a part of them",
        );
    }
    if correction == Correction::Csls && metric != Metric::Cosine {
        return bad(
            "correction",
            "csls",
            "it is a correction of cosines; give --metric cosine",
        );
    }
    let zero = (0..given.rows()).find(|r| given.row(*r).iter().all(|v| *v == 0.0));
    match zero {
        Some(row) if metric == Metric::Cosine => Err(zero_row(row, Correction::None)),
        _ => Ok(()),
    }
}

fn zero_row(row: usize, correction: Correction) -> Error {
    let when = match correction {
        Correction::None | Correction::Csls => "",
        _ => " after the correction",
    };
    Error::BadParameter {
        name: "space",
        value: format!("row {row}"),
        problem: format!(
            "it is a zero vector{when}, which has no direction; leave it out, or give --metric euclid"
        ),
    }
}

fn to_unit(vector: &mut [f64]) -> Result<()> {
    let length = vector.iter().map(|v| v * v).sum::<f64>().sqrt();
    if length == 0.0 {
        return Err(Error::BadParameter {
            name: "query",
            value: "a zero vector".to_owned(),
            problem: "it has no direction, and so no cosine; give another one, or --metric euclid"
                .to_owned(),
        });
    }
    vector.iter_mut().for_each(|v| *v /= length);
    Ok(())
}

/// Which given rows are equal, number for number (-0 is 0).
fn different(given: &Rows) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut seen: HashMap<u64, u32> = HashMap::with_capacity(given.rows());
    let mut members: Vec<Vec<u32>> = Vec::new();
    let of_given = (0..given.rows())
        .map(|row| {
            let numbers = given.row(row);
            let mut hasher = DefaultHasher::new();
            // Adding zero makes -0 and 0 one.
            numbers
                .iter()
                .for_each(|v| hasher.write_u32((v + 0.0).to_bits()));
            let mut key = hasher.finish();
            loop {
                match seen.entry(key) {
                    Entry::Vacant(free) => {
                        free.insert(members.len() as u32);
                        members.push(vec![row as u32]);
                        return members.len() as u32 - 1;
                    }
                    Entry::Occupied(own) => {
                        let own = *own.get();
                        if given.row(members[own as usize][0] as usize) == numbers {
                            members[own as usize].push(row as u32);
                            return own;
                        }
                    }
                }
                // Another row of the same hash.
                key = key.wrapping_add(1);
            }
        })
        .collect();
    (members, of_given)
}

pub(super) fn norm(row: &[f32]) -> f64 {
    dot(row, row).sqrt()
}
