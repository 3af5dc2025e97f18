//! A probe of one layer: the rows cut and standardised, the right kind of probe called, its scores given intervals.

use super::companions::Companions;
use super::data::{ClassTask, Labels, NumberTask, check_shapes};
use super::params::{Kind, SweepParams};
use super::readout::{Link, Readout};
use super::result::{LayerResult, Metrics};
use super::rival::Rival;
use super::standardize::Standardizer;
use super::table::{LayerRows, Table, standardized};
use super::{classify, direct, regress};
use crate::analysis::inference::Estimate;
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use crate::text::split::Split;
use std::collections::BTreeSet;

/// Probes one layer: trains on the training rows of `x`, scores on its test rows, and runs the controls. All rows of `x` are given,
/// and labels and groups for all of them; rows that the split leaves out are not looked at. The same call gives the same bytes
/// on any number of threads.
///
/// # Errors
/// As [`Probing::layer`].
pub fn probe_layer(
    point: &str,
    x: &Matrix,
    labels: &Labels,
    split: &Split,
    groups: Option<&[usize]>,
    params: &SweepParams,
) -> Result<LayerResult> {
    let probing = Probing {
        groups,
        ..Probing::new(labels, split, params)
    };
    probing.layer(point, x)
}

/// The same for the kinds that must know more of each row.
///
/// # Errors
/// As [`Probing::layer`].
pub fn probe_layer_with(
    point: &str,
    x: &Matrix,
    labels: &Labels,
    split: &Split,
    groups: Option<&[usize]>,
    companions: &Companions,
    params: &SweepParams,
) -> Result<LayerResult> {
    let probing = Probing {
        groups,
        companions: Some(companions),
        ..Probing::new(labels, split, params)
    };
    probing.layer(point, x)
}

/// What is to be read from which rows, against which controls: the same for all layers of a run.
#[derive(Debug, Clone, Copy)]
pub struct Probing<'a> {
    /// A label for every row.
    pub labels: &'a Labels,
    /// The rows to train and to test on.
    pub split: &'a Split,
    /// Rows that belong together: they are resampled, folded and shuffled as one.
    pub groups: Option<&'a [usize]>,
    /// What each row is about (its word, entity or text), for control tasks.
    pub types: Option<&'a [usize]>,
    /// What some kinds must know of each row.
    pub companions: Option<&'a Companions>,
    /// Controls that were run before.
    pub rivals: &'a [Rival],
    /// How to probe.
    pub params: &'a SweepParams,
}

impl<'a> Probing<'a> {
    /// Without groups, types, companions and rivals.
    pub fn new(labels: &'a Labels, split: &'a Split, params: &'a SweepParams) -> Self {
        Self {
            labels,
            split,
            groups: None,
            types: None,
            companions: None,
            rivals: &[],
            params,
        }
    }

    /// Probes one layer: see [`probe_layer`].
    ///
    /// # Errors
    /// [`Error::BadParameter`] for parameters out of range and shapes that do not fit, [`Error::BadLabel`] for labels that cannot be
    /// learned: one class only, a class among the test rows that no training row has, a constant or non-finite target; and for a kind
    /// without the companions that it needs.
    pub fn layer(&self, point: &str, x: &Matrix) -> Result<LayerResult> {
        self.layer_of(point, LayerRows::Here(x))
    }

    /// The same of rows that may lie on disk.
    ///
    /// # Errors
    /// As [`Probing::layer`], [`Error::BadParameter`] for kinds that need all rows in memory, and [`Error::Io`].
    pub fn layer_of(&self, point: &str, x: LayerRows<'_>) -> Result<LayerResult> {
        let (params, split) = (self.params, self.split);
        params.check()?;
        check_shapes(x.rows(), self.labels, split, self.groups)?;
        check_shapes(x.rows(), self.labels, split, self.types)?;
        let none = Companions::default();
        let companions = self.companions.unwrap_or(&none);
        companions.check(x.rows())?;
        let layer = Layer::new(point, x, self)?;
        match (params.kind, self.labels) {
            (
                Kind::Logistic,
                Labels::Classes {
                    column,
                    names,
                    of_row,
                },
            ) => classify::probe(&layer, &ClassTask::new(column, names, of_row, split)?),
            (Kind::Ridge | Kind::Mlp, Labels::Numbers { names, values }) => {
                regress::probe(&layer, &NumberTask::new(names, values, split)?)
            }
            (
                kind,
                Labels::Classes {
                    column,
                    names,
                    of_row,
                },
            ) if !kind.is_numeric() => {
                let task = ClassTask::new(column, names, of_row, split)?;
                direct::probe(&layer, &task, companions, split)
            }
            (kind, labels) => Err(wrong_kind(kind, labels)),
        }
    }
}

fn wrong_kind(kind: Kind, labels: &Labels) -> Error {
    let (value, problem) = match (kind, labels) {
        (Kind::Ridge, Labels::Classes { .. }) => {
            ("ridge", "the labels are classes; use a logistic probe")
        }
        _ => (kind.name(), "the labels are numbers; use a ridge probe"),
    };
    Error::BadParameter {
        name: "kind",
        value: value.to_owned(),
        problem: problem.to_owned(),
    }
}

/// The rows of one layer, split and standardised with the statistics of the training rows.
pub(super) struct Layer<'a> {
    pub(super) point: &'a str,
    pub(super) params: &'a SweepParams,
    pub(super) rivals: &'a [Rival],
    pub(super) train: Table,
    pub(super) test: Table,
    pub(super) train_groups: Option<Vec<usize>>,
    test_groups: Option<Vec<usize>>,
    types: Option<(Vec<usize>, Vec<usize>)>,
    standardizer: Standardizer,
}

impl<'a> Layer<'a> {
    fn new(point: &'a str, x: LayerRows<'_>, probing: &Probing<'a>) -> Result<Self> {
        let split = probing.split;
        let (train, test, standardizer) = standardized(x, &split.train, &split.test)?;
        let pick = |rows: &[usize], of: &[usize]| rows.iter().map(|row| of[*row]).collect();
        let groups = |rows: &[usize]| probing.groups.map(|g| pick(rows, g));
        Ok(Self {
            point,
            params: probing.params,
            rivals: probing.rivals,
            train,
            test,
            train_groups: groups(&split.train),
            test_groups: groups(&split.test),
            types: probing
                .types
                .map(|types| (pick(&split.train, types), pick(&split.test, types))),
            standardizer,
        })
    }

    /// What training rows and test rows are about.
    pub(super) fn types(&self) -> Option<(&[usize], &[usize])> {
        self.types
            .as_ref()
            .map(|(train, test)| (&train[..], &test[..]))
    }

    /// Scores of the test rows with their intervals, as functions of how often each row counts and of whether that was resampled, and
    /// the resamples of the first one. A score that the test rows do not define is left out, and a warning says so.
    pub(super) fn metrics(
        &self,
        names: Vec<String>,
        warnings: &mut Vec<String>,
        scores: impl Fn(&[f64], bool) -> Vec<Option<f64>> + Sync,
    ) -> Result<(Metrics, Vec<f64>)> {
        let values = scores(&vec![1.0; self.test.rows()], false);
        let draws = self.draws(|weights| scores(weights, true))?;
        let mut metrics = Metrics::default();
        for ((name, value), draws) in names.into_iter().zip(values).zip(&draws) {
            match value {
                Some(value) => {
                    let estimate = Estimate::new(value, self.interval(draws));
                    metrics.0.push((name, estimate));
                }
                None => warnings.push(format!(
                    "{name} is not defined on these test rows, and left out"
                )),
            }
        }
        Ok((metrics, draws.into_iter().next().unwrap_or_default()))
    }

    /// Scores on each resample of the test rows.
    pub(super) fn draws(
        &self,
        scores: impl Fn(&[f64]) -> Vec<Option<f64>> + Sync,
    ) -> Result<Vec<Vec<f64>>> {
        let groups = self.test_groups.as_deref();
        let bootstrap = self.params.bootstrap();
        bootstrap.draws(self.test.rows(), groups, scores)
    }

    /// The interval that resamples make.
    pub(super) fn interval(&self, draws: &[f64]) -> Option<(f64, f64)> {
        self.params.bootstrap().interval(draws)
    }

    /// The fitted probe as data.
    pub(super) fn readout(
        &self,
        link: Link,
        names: &[String],
        weights: Matrix,
        bias: &[f64],
    ) -> Result<Readout> {
        Readout::new(
            self.point,
            link,
            names.to_vec(),
            weights,
            bias.to_vec(),
            self.standardizer.clone(),
        )
    }

    /// What the features were standardised with.
    pub(super) fn standardizer(&self) -> &Standardizer {
        &self.standardizer
    }

    /// Warnings about the rows, whatever the labels.
    pub(super) fn warnings(&self) -> Vec<String> {
        let (n, d) = (self.train.rows(), self.train.cols());
        let few = (n < 2 * d).then(|| {
            format!("{n} training rows for {d} features: a linear probe can fit almost any labels, so read it against the shuffled control")
        });
        let train: BTreeSet<usize> = self.train_groups.iter().flatten().copied().collect();
        let test: BTreeSet<usize> = self.test_groups.iter().flatten().copied().collect();
        let shared = train.intersection(&test).count();
        let leak = (shared > 0).then(|| {
            format!("{shared} group(s) have training rows and test rows: the scores tell nothing about new groups; split by group")
        });
        few.into_iter().chain(leak).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::params::Lambda;
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn noise(n: usize, d: usize, seed: u64) -> Matrix {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Matrix::from_fn(n, d, |_, _| rng.random_range(-1.0..1.0))
    }

    fn split(n: usize) -> Split {
        Split {
            train: (0..n).filter(|row| row % 4 != 0).collect(),
            test: (0..n).filter(|row| row % 4 == 0).collect(),
            left_out: vec![],
        }
    }

    fn classes(of_row: Vec<usize>) -> Labels {
        Labels::Classes {
            column: "kind".to_owned(),
            names: ["no", "yes", "maybe"].map(str::to_owned).to_vec(),
            of_row,
        }
    }

    fn fixed(kind: Kind, lambda: f64) -> SweepParams {
        SweepParams {
            lambda: Lambda::Fixed(lambda),
            ..SweepParams::new(kind)
        }
    }

    fn run(x: &Matrix, labels: &Labels, params: &SweepParams) -> Result<LayerResult> {
        probe_layer(
            "blocks.0.resid_post",
            x,
            labels,
            &split(x.rows()),
            None,
            params,
        )
    }

    #[test]
    fn on_noise_the_probe_and_its_shuffled_control_are_at_chance() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let labels = classes((0..1200).map(|_| rng.random_range(0..2)).collect());
        let result = run(&noise(1200, 10, 5), &labels, &fixed(Kind::Logistic, 0.1)).unwrap();
        let accuracy = result.metrics.get("accuracy").unwrap();
        let shuffled = result.controls.shuffled.unwrap();
        assert!((shuffled - 0.5).abs() < 0.06, "{shuffled}");
        assert!((accuracy.value - 0.5).abs() < 0.09, "{accuracy:?}");
        let numbers = Labels::Numbers {
            names: vec!["year".to_owned()],
            values: vec![noise(1200, 1, 9).col(0)],
        };
        let result = run(&noise(1200, 10, 5), &numbers, &fixed(Kind::Ridge, 0.1)).unwrap();
        assert!(result.metrics.get("r2").unwrap().value < 0.03);
        assert!(result.controls.shuffled.unwrap() < 0.03);
        assert!(result.controls.majority <= 0.0 && result.controls.majority > -0.02);
    }

    #[test]
    fn a_label_that_is_there_is_found_and_stands_out_from_its_controls() {
        let x = noise(800, 12, 1);
        let label = |row: usize| usize::from(x.at(row, 3) + 0.3 * x.at(row, 4) > 0.0);
        let labels = classes((0..800).map(label).collect());
        let result = run(&x, &labels, &SweepParams::new(Kind::Logistic)).unwrap();
        let accuracy = result.metrics.get("accuracy").unwrap();
        assert!(
            accuracy.value > 0.95 && accuracy.low.unwrap() > 0.9,
            "{accuracy:?}"
        );
        assert!(result.controls.shuffled.unwrap() < 0.65 && result.controls.majority < 0.6);
        assert!(result.convergence.unwrap().is_converged());
        assert_eq!(result.warnings, Vec::<String>::new());
    }

    #[test]
    fn the_penalty_is_chosen_on_training_rows() {
        // Many features of noise beside one that tells: a strong penalty generalises, a weak one does not.
        let mut x = noise(200, 120, 2);
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let values: Vec<f64> = (0..200).map(|_| rng.random_range(-1.0..1.0)).collect();
        for (row, value) in values.iter().enumerate() {
            x.row_mut(row)[0] = value + rng.random_range(-0.5..0.5);
        }
        let labels = Labels::Numbers {
            names: vec!["size".to_owned()],
            values: vec![values],
        };
        let chosen = run(&x, &labels, &SweepParams::new(Kind::Ridge)).unwrap();
        let weak = run(&x, &labels, &fixed(Kind::Ridge, 1e-4)).unwrap();
        assert!(chosen.lambda > 1e-3, "{}", chosen.lambda);
        let r2 = |result: &LayerResult| result.metrics.get("r2").unwrap().value;
        assert!(r2(&chosen) > r2(&weak));
        // Test labels must not matter for the choice.
        let Labels::Numbers { names, mut values } = labels else {
            unreachable!()
        };
        split(200)
            .test
            .iter()
            .for_each(|row| values[0][*row] *= -1.0);
        let other = run(
            &x,
            &Labels::Numbers { names, values },
            &SweepParams::new(Kind::Ridge),
        )
        .unwrap();
        assert_eq!(other.lambda, chosen.lambda);
        assert_eq!(other.train_score, chosen.train_score);
    }

    #[test]
    fn equal_penalties_yield_to_the_largest() {
        let x = Matrix::from_fn(80, 2, |i, j| if j == 0 { (i % 2) as f64 } else { i as f64 });
        let labels = classes((0..80).map(|i| i % 2).collect());
        let split = Split {
            train: (0..60).collect(),
            test: (60..80).collect(),
            left_out: vec![],
        };
        let params = SweepParams {
            lambda: Lambda::Choose {
                grid: vec![1e-3, 1.0, 0.1],
                folds: 5,
            },
            ..SweepParams::new(Kind::Logistic)
        };
        let result = probe_layer("p", &x, &labels, &split, None, &params).unwrap();
        assert_eq!(result.lambda, 1.0);
    }

    #[test]
    fn readers_are_warned() {
        let labels = classes((0..80).map(|row| usize::from(row % 10 == 1)).collect());
        let split = Split {
            train: (0..60).collect(),
            test: (60..80).filter(|r| r % 10 != 1).collect(),
            left_out: vec![],
        };
        let params = SweepParams {
            max_iterations: 1,
            shuffles: 2,
            ..fixed(Kind::Logistic, 1e-3)
        };
        let result = probe_layer("p", &noise(80, 40, 3), &labels, &split, None, &params).unwrap();
        let said = result.warnings.join("\n");
        for part in [
            "60 training rows for 40 features",
            "90 % of the training rows have the class `no`",
            "2 of 2 control fits did not converge",
            "auroc is not defined",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!result.convergence.unwrap().is_converged());
        assert_eq!(result.metrics.get("auroc"), None);
    }

    #[test]
    fn groups_on_both_sides_of_the_split_are_warned_of() {
        let labels = classes((0..80).map(|row| (row / 4) % 2).collect());
        let groups: Vec<usize> = (0..80).map(|row| row / 8).collect();
        let params = fixed(Kind::Logistic, 1.0);
        let result = probe_layer(
            "p",
            &noise(80, 2, 0),
            &labels,
            &split(80),
            Some(&groups),
            &params,
        );
        let said = result.unwrap().warnings;
        assert!(
            said[0].starts_with("10 group(s) have training rows and test rows"),
            "{said:?}"
        );
    }

    #[test]
    fn the_wrong_kind_and_too_few_rows_for_the_folds_are_refused() {
        let x = noise(40, 3, 0);
        let labels = classes(
            (0..40)
                .map(|row| if row == 1 { 2 } else { row % 2 })
                .collect(),
        );
        let message = |params: &SweepParams| run(&x, &labels, params).unwrap_err().to_string();
        assert!(message(&fixed(Kind::Ridge, 1.0)).contains("use a logistic probe"));
        assert!(
            message(&SweepParams::new(Kind::Logistic))
                .contains("`maybe` has 1 row(s), too few for 5 parts")
        );
        assert!(message(&fixed(Kind::Logistic, 0.0)).starts_with("lambda = 0"));
    }

    #[test]
    fn the_same_call_gives_the_same_bytes_on_any_number_of_threads() {
        let x = noise(600, 30, 7);
        let labels = classes((0..600).map(|row| (row / 7) % 3).collect());
        let groups: Vec<usize> = (0..600).map(|row| row / 7).collect();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let params = SweepParams::new(Kind::Logistic);
            let result =
                pool.install(|| probe_layer("p", &x, &labels, &split(600), Some(&groups), &params));
            serde_json::to_string(&result.unwrap()).unwrap()
        };
        assert_eq!(on(1), on(4));
    }

    #[test]
    fn the_result_is_json_with_metrics_in_order() {
        let labels = classes((0..80).map(|row| (row / 4) % 2).collect());
        let params = SweepParams {
            bootstrap: 50,
            ..fixed(Kind::Logistic, 1.0)
        };
        let json = serde_json::to_value(run(&noise(80, 2, 0), &labels, &params).unwrap()).unwrap();
        let metrics: Vec<_> = json["metrics"].as_object().unwrap().keys().collect();
        assert_eq!(
            metrics,
            [
                "accuracy",
                "balanced_accuracy",
                "macro_f1",
                "mcc",
                "auroc",
                "auprc",
                "log_loss",
                "brier",
                "ece"
            ]
        );
        assert!(json["metrics"]["accuracy"]["low"].is_number());
        assert!(
            json["controls"]["majority"].is_number() && json["controls"]["shuffled"].is_number()
        );
        assert_eq!(json["hook_point"], "blocks.0.resid_post");
        assert_eq!(json["convergence"]["status"], "converged");
    }
}
