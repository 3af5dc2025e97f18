//! A trained linear probe as data: what it reads, in which coordinates, and what its outputs are called.

use super::scores::{decide, probabilities};
use super::standardize::Standardizer;
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What a linear score stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// One score, the log-odds of the second of two classes.
    Logistic,
    /// One score a class; their softmax is the probabilities.
    Softmax,
    /// The predicted number itself, one a target.
    Identity,
}

/// A linear map that was learned: `score_k(x) = Σ_j weight[k, j] · (x_j − mean_j) / scale_j + bias_k`.
///
/// All numbers are finite and all scales above zero; whoever holds a `Readout` need not check again.
#[derive(Debug, Clone, PartialEq)]
pub struct Readout {
    point: String,
    link: Link,
    names: Vec<String>,
    /// On standardised features, `[features, scores]`.
    weights: Matrix,
    bias: Vec<f64>,
    standardizer: Standardizer,
}

impl Readout {
    /// A readout of `point` from its parts: `weights` on standardised features, `[features, scores]`, and a `bias` a score. `names`
    /// are the classes (two for [`Link::Logistic`], the second being the positive one; else one a score) or the targets.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the parts do not fit together, [`Error::NotFinite`] for a number that is none.
    pub fn new(
        point: impl Into<String>,
        link: Link,
        names: Vec<String>,
        weights: Matrix,
        bias: Vec<f64>,
        standardizer: Standardizer,
    ) -> Result<Self> {
        let point = point.into();
        let expected = match link {
            Link::Logistic => 2,
            Link::Softmax | Link::Identity => weights.cols(),
        };
        let problem = match weights.cols() {
            0 => Some("it has no scores".to_owned()),
            1 if link == Link::Softmax => Some("a softmax needs two classes".to_owned()),
            n if link == Link::Logistic && n != 1 => {
                Some(format!("log-odds are one score, not {n}"))
            }
            _ if names.len() != expected => Some(format!(
                "it has {} names where {expected} belong",
                names.len()
            )),
            n if bias.len() != n => {
                Some(format!("it has {} intercepts for {n} scores", bias.len()))
            }
            _ if standardizer.mean().len() != weights.rows() => Some(format!(
                "it has {} means for {} features",
                standardizer.mean().len(),
                weights.rows()
            )),
            _ => None,
        };
        if let Some(problem) = problem {
            return Err(Error::BadParameter {
                name: "probe",
                value: point,
                problem,
            });
        }
        if let Some(value) = bias.iter().find(|b| !b.is_finite()) {
            return Err(Error::NotFinite {
                place: format!("intercept of the probe of {point}"),
                value: *value,
            });
        }
        Ok(Self {
            point,
            link,
            names,
            weights,
            bias,
            standardizer,
        })
    }

    /// The hook point that it reads; of a single head, with its number: `blocks.3.attn_z.h5`.
    pub fn point(&self) -> &str {
        &self.point
    }

    /// What its scores stand for.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The classes, or the targets.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Features of a row.
    pub fn features(&self) -> usize {
        self.weights.rows()
    }

    /// How many linear scores a row has: 1 for two classes, else one a class or target.
    pub fn outputs(&self) -> usize {
        self.weights.cols()
    }

    /// Weights on standardised features, `[features, scores]`.
    pub fn weights(&self) -> &Matrix {
        &self.weights
    }

    /// Intercepts on standardised features, one a score.
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }

    /// What features are standardised with.
    pub fn standardizer(&self) -> &Standardizer {
        &self.standardizer
    }

    /// The direction of score `k` in the model's own space, `[features]`: the gradient of the score in the raw activations, not of length
    /// one. `None` if there is no such score.
    pub fn direction(&self, k: usize) -> Option<Vec<f64>> {
        let scale = self.standardizer.scale();
        (k < self.outputs()).then(|| {
            let each = scale.iter().enumerate();
            each.map(|(j, scale)| self.weights.at(j, k) / scale)
                .collect()
        })
    }

    /// The linear scores of raw activations, `[rows, scores]`.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if `rows` has another number of features.
    pub fn decisions(&self, rows: &Matrix) -> Result<Matrix> {
        let z = self.standardizer.apply(rows)?;
        decide(&z, &self.weights, &self.bias)
    }

    /// What the scores of raw activations stand for, `[rows, names]`: a probability for each class, or the predicted numbers.
    ///
    /// # Errors
    /// As [`Readout::decisions`].
    pub fn scores(&self, rows: &Matrix) -> Result<Matrix> {
        let decisions = self.decisions(rows)?;
        Ok(match self.link {
            Link::Identity => decisions,
            Link::Logistic | Link::Softmax => probabilities(&decisions),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Labels, Lambda, SweepParams, probe_layer};
    use super::*;
    use crate::text::split::Split;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    fn two_classes() -> Readout {
        Readout::new(
            "blocks.0.resid_post",
            Link::Logistic,
            names(&["no", "yes"]),
            Matrix::new(2, 1, vec![1.0, -2.0]).unwrap(),
            vec![0.5],
            Standardizer::new(vec![1.0, 0.0], vec![2.0, 4.0]).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn scores_and_directions_are_those_of_the_formula() {
        let readout = two_classes();
        let rows = Matrix::new(1, 2, vec![5.0, 4.0]).unwrap();
        // 1·(5−1)/2 − 2·4/4 + 0.5
        assert_eq!(readout.decisions(&rows).unwrap().as_slice(), [0.5]);
        let p = readout.scores(&rows).unwrap();
        assert!((p.at(0, 1) - 0.622_459_331_201_854_6).abs() < 1e-15);
        assert!((p.at(0, 0) + p.at(0, 1) - 1.0).abs() < 1e-15);
        assert_eq!(readout.direction(0).unwrap(), [0.5, -0.5]);
        assert_eq!(readout.direction(1), None);
        assert!(readout.decisions(&Matrix::zeros(1, 3)).is_err());
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let make = |link, names: Vec<String>, cols: usize, bias: Vec<f64>| {
            let scaler = Standardizer::new(vec![0.0; 2], vec![1.0; 2]).unwrap();
            Readout::new("p", link, names, Matrix::zeros(2, cols), bias, scaler)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        let two = || names(&["a", "b"]);
        assert!(make(Link::Logistic, two(), 2, vec![0.0; 2]).contains("log-odds are one score"));
        assert!(make(Link::Logistic, names(&["a"]), 1, vec![0.0]).contains("1 names where 2"));
        assert!(make(Link::Softmax, two(), 3, vec![0.0; 3]).contains("2 names where 3"));
        assert!(make(Link::Softmax, names(&["a"]), 1, vec![0.0]).contains("two classes"));
        assert!(make(Link::Identity, two(), 2, vec![0.0]).contains("1 intercepts for 2"));
        assert!(make(Link::Identity, two(), 2, vec![0.0, f64::NAN]).contains("not finite"));
        assert!(Standardizer::new(vec![0.0], vec![0.0]).is_err());
        assert!(Standardizer::new(vec![0.0], vec![1.0, 1.0]).is_err());
        assert!(Standardizer::new(vec![f64::INFINITY], vec![1.0]).is_err());
    }

    /// The sweep's own readout must score the test rows as the sweep did.
    #[test]
    fn a_sweep_hands_over_the_probe_that_it_scored() {
        let x = Matrix::from_fn(120, 3, |i, j| ((i * (j + 2) * 37) % 101) as f64 / 7.0);
        let split = Split {
            train: (0..90).collect(),
            test: (90..120).collect(),
            left_out: vec![],
        };
        let of_row: Vec<usize> = (0..120).map(|i| usize::from(x.at(i, 0) > 7.0)).collect();
        let labels = Labels::Classes {
            column: "kind".to_owned(),
            names: names(&["no", "yes"]),
            of_row: of_row.clone(),
        };
        let params = SweepParams {
            lambda: Lambda::Fixed(0.01),
            shuffles: 0,
            bootstrap: 0,
            ..SweepParams::new(Kind::Logistic)
        };
        let result = probe_layer("p", &x, &labels, &split, None, &params).unwrap();
        let readout = result.readout.unwrap();
        let p = readout.scores(&x.select(&split.test)).unwrap();
        let right = (0..30).filter(|i| usize::from(p.at(*i, 1) > 0.5) == of_row[90 + i]);
        let accuracy = result.metrics.0[0].1.value;
        assert!((right.count() as f64 / 30.0 - accuracy).abs() < 1e-12);
        assert_eq!(readout.names(), ["no", "yes"]);

        let labels = Labels::Numbers {
            names: names(&["size"]),
            values: vec![(0..120).map(|i| 3.0 * x.at(i, 1) - 1.0).collect()],
        };
        let params = SweepParams {
            kind: Kind::Ridge,
            lambda: Lambda::Fixed(1e-9),
            ..params
        };
        let result = probe_layer("p", &x, &labels, &split, None, &params).unwrap();
        let readout = result.readout.unwrap();
        let predicted = readout.scores(&x).unwrap();
        assert!((predicted.at(7, 0) - (3.0 * x.at(7, 1) - 1.0)).abs() < 1e-5);
        let direction = readout.direction(0).unwrap();
        assert!((direction[1] - 3.0).abs() < 1e-5 && direction[0].abs() < 1e-5);
    }
}
