//! A space to search: rows under a metric and a correction, equal rows as one.

use super::rows::{Rows, dot};
use crate::analysis::reduce::Pca;
use crate::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::HashMap;

/// How near two vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// The cosine of their angle; more is nearer.
    Cosine,
    /// Their dot product; more is nearer.
    Dot,
    /// The length of their difference; less is nearer.
    Euclid,
}

/// What is done about a space whose vectors all point one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Correction {
    /// Nothing.
    None,
    /// The mean of the space is taken off.
    Center,
    /// The mean is taken off and each feature divided by its standard deviation.
    Standardize,
    /// All but the top (Mu & Viswanath 2018): the mean and the first max(1, d / 100) principal directions are taken off.
    Abtt,
    /// Cross-domain similarity local scaling (Conneau et al. 2018): twice the cosine, less the mean cosine of each of the two to its
    /// 10 nearest rows, so that hubs are near to nobody.
    Csls,
}

/// Neighbours that the local scaling of [`Correction::Csls`] averages over.
pub(super) const CSLS_NEIGHBORS: usize = 10;

/// Cosines of random pairs of different rows: what a score is to be held against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baseline {
    /// How many pairs were drawn.
    pub pairs: usize,
    /// Their mean cosine before the correction.
    pub uncorrected_mean: f64,
    /// Their mean cosine.
    pub mean: f64,
    /// The standard deviation of the cosines.
    pub sd: f64,
    /// The cosine that 99 in 100 pairs stay below.
    pub p99: f64,
}

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
    norms: Vec<f64>,
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
    /// For CSLS, its mean cosine to its nearest rows.
    pub(super) local: f64,
}

/// The affine map of a correction.
#[derive(Debug, Clone)]
struct Change {
    mean: Option<Vec<f64>>,
    sd: Option<Vec<f64>>,
    /// Unit directions that are taken off.
    directions: Vec<Vec<f64>>,
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
        let change = Change::of(&kept, metric, correction)?;
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
        let corrected = Pairs::drawn(rows.rows(), seed).cosines(&rows);
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
            space.bias = super::exact::local_means(&space)?
                .iter()
                .map(|local| (-local / 2.0) as f32)
                .collect();
        }
        Ok(space)
    }

    /// A given vector in the coordinates of the space.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for another width, for a vector without direction where directions matter; [`Error::NotFinite`].
    pub fn query(&self, vector: &[f32]) -> Result<Query> {
        if vector.len() != self.rows.cols() {
            return Err(Error::BadParameter {
                name: "query",
                value: format!("{} numbers", vector.len()),
                problem: format!("the rows of the space have {}", self.rows.cols()),
            });
        }
        let vector = self.change.rows(Rows::new(vector.len(), vector.to_vec())?);
        let length = norm(vector.row(0));
        let vector = match self.metric {
            Metric::Cosine if length == 0.0 => {
                return Err(Error::BadParameter {
                    name: "query",
                    value: "a zero vector".to_owned(),
                    problem: "it has no direction, and so no cosine; give another one, or --metric euclid".to_owned(),
                });
            }
            Metric::Cosine => {
                let unit = |v: &f32| (f64::from(*v) / length) as f32;
                vector.row(0).iter().map(unit).collect()
            }
            Metric::Dot | Metric::Euclid => vector.row(0).to_vec(),
        };
        let mut query = Query { vector, local: 0.0 };
        if self.correction == Correction::Csls {
            query.local = super::exact::local_mean(self, &query)?;
        }
        Ok(query)
    }

    /// One of the different rows as a query, its local mean left at what ranks the same.
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

    /// The score of a row in `f64`; for [`Metric::Euclid`] a distance.
    pub(super) fn score(&self, query: &Query, row: usize) -> f64 {
        let found = self.rows.row(row);
        match self.metric {
            Metric::Cosine => {
                let cosine = dot(&query.vector, found) / self.norms[row] / norm(&query.vector);
                match self.correction {
                    Correction::Csls => {
                        2.0 * cosine - query.local + 2.0 * f64::from(self.bias[row])
                    }
                    _ => cosine,
                }
            }
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

/// Which given rows are equal, number for number.
fn different(given: &Rows) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut seen: HashMap<Vec<u32>, u32> = HashMap::with_capacity(given.rows());
    let mut members: Vec<Vec<u32>> = Vec::new();
    let of_given = (0..given.rows())
        .map(|row| {
            // Adding zero makes -0 and 0 one.
            let bits = given.row(row).iter().map(|v| (v + 0.0).to_bits()).collect();
            let next = members.len() as u32;
            let own = *seen.entry(bits).or_insert(next);
            match members.get_mut(own as usize) {
                Some(members) => members.push(row as u32),
                None => members.push(vec![row as u32]),
            }
            own
        })
        .collect();
    (members, of_given)
}

pub(super) fn norm(row: &[f32]) -> f64 {
    dot(row, row).sqrt()
}

impl Change {
    fn of(rows: &Rows, metric: Metric, correction: Correction) -> Result<Self> {
        let mut change = Self {
            mean: None,
            sd: None,
            directions: Vec::new(),
        };
        let centred = matches!(
            correction,
            Correction::Center | Correction::Standardize | Correction::Abtt
        );
        // Distances do not change when the mean is taken off, and lose less to rounding.
        if centred || metric == Metric::Euclid {
            change.mean = Some(rows.means());
        }
        if correction == Correction::Standardize {
            let mean = rows.means();
            let mut sums = vec![0.0; rows.cols()];
            for row in 0..rows.rows() {
                for ((sum, v), m) in sums.iter_mut().zip(rows.row(row)).zip(&mean) {
                    *sum += (f64::from(*v) - m).powi(2);
                }
            }
            // A feature that never changes stays at zero.
            let sd = |sum: &f64| match (sum / rows.rows() as f64).sqrt() {
                0.0 => 1.0,
                sd => sd,
            };
            change.sd = Some(sums.iter().map(sd).collect());
        }
        if correction == Correction::Abtt {
            let count = (rows.cols() / 100).max(1);
            let pca = Pca::fit(rows, count)?;
            let kept = 0..pca.components.rows();
            change.directions = kept.map(|i| pca.components.row(i).to_vec()).collect();
        }
        Ok(change)
    }

    fn rows(&self, rows: Rows) -> Rows {
        let Some(mean) = &self.mean else { return rows };
        let cols = rows.cols();
        let mut data = Vec::with_capacity(rows.as_slice().len());
        for row in rows.as_slice().chunks_exact(cols) {
            let mut wide: Vec<f64> = row
                .iter()
                .zip(mean)
                .map(|(v, m)| f64::from(*v) - m)
                .collect();
            if let Some(sd) = &self.sd {
                wide.iter_mut().zip(sd).for_each(|(v, s)| *v /= s);
            }
            for direction in &self.directions {
                let along: f64 = wide.iter().zip(direction).map(|(v, d)| v * d).sum();
                wide.iter_mut()
                    .zip(direction)
                    .for_each(|(v, d)| *v -= along * d);
            }
            data.extend(wide.iter().map(|v| *v as f32));
        }
        // Finite numbers less finite means may overflow f32 only where the rows nearly did.
        Rows::new(cols, data).unwrap_or(rows)
    }
}

/// Random pairs of different rows.
struct Pairs(Vec<(usize, usize)>);

impl Pairs {
    fn drawn(rows: usize, seed: u64) -> Self {
        const PAIRS: usize = 10_000;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut pair = || {
            let a = rng.random_range(0..rows);
            let b = rng.random_range(0..rows - 1);
            (a, b + usize::from(b >= a))
        };
        match rows {
            0 | 1 => Self(Vec::new()),
            _ => Self((0..PAIRS).map(|_| pair()).collect()),
        }
    }

    /// Cosines of those pairs that have one.
    fn cosines(&self, rows: &Rows) -> Vec<f64> {
        let pairs = self.0.iter();
        pairs
            .map(|(a, b)| {
                let (a, b) = (rows.row(*a), rows.row(*b));
                dot(a, b) / norm(a) / norm(b)
            })
            .filter(|c| c.is_finite())
            .collect()
    }
}

fn baseline(uncorrected: &[f64], mut cosines: Vec<f64>) -> Baseline {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let own = mean(&cosines);
    let variance = cosines.iter().map(|c| (c - own).powi(2)).sum::<f64>() / cosines.len() as f64;
    cosines.sort_by(f64::total_cmp);
    Baseline {
        pairs: cosines.len(),
        uncorrected_mean: mean(uncorrected),
        mean: own,
        sd: variance.sqrt(),
        p99: match cosines.len() {
            0 => f64::NAN,
            n => cosines[(n - 1) * 99 / 100],
        },
    }
}
