//! The kinds of probes of classes beside logistic regression: each fitted, scored and shuffled in the same way.

use super::ccs::{self, STARTS};
use super::choose::Choice;
use super::companions::Companions;
use super::data::ClassTask;
use super::frame::complement;
use super::judge::{hits, judge, mean, right};
use super::logistic::{LogisticParams, classes, decide};
use super::mlp::Mlp;
use super::params::{Kind, Lambda, SweepParams};
use super::readout::Link;
use super::result::LayerResult;
use super::shuffle::shuffled_rows;
use super::standardize::Standardizer;
use super::sums::ClassSums;
use super::sweep::Layer;
use super::{k_sparse, lat, lda, mass_mean, ttpd};
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use crate::text::split::{Split, folds};
use std::sync::Arc;

/// The penalty of kinds that do not choose theirs.
const PENALTY: f64 = 0.01;
/// Shuffles of the MLP: each costs as much as a whole layer of another kind.
const MLP_SHUFFLES: usize = 2;

/// A linear map on standardised rows: one score for two classes (log-odds of the second), else one a class.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear {
    /// `[features, scores]`.
    pub(super) weights: Matrix,
    pub(super) bias: Vec<f64>,
}

/// What a kind is fitted to: the training rows, standardised, and what is known of them.
pub(super) struct Fitting<'a> {
    pub(super) z: &'a Matrix,
    /// What raw features were divided by.
    pub(super) scale: &'a [f64],
    /// The column of the labels, for messages.
    pub(super) column: &'a str,
    pub(super) labels: &'a [usize],
    pub(super) classes: usize,
    pub(super) groups: Option<&'a [usize]>,
    pub(super) pairs: Option<&'a [usize]>,
    pub(super) sided: &'a [(usize, usize)],
    pub(super) sides: Option<&'a [f64]>,
    pub(super) polarity: Option<&'a [usize]>,
    pub(super) lambda: f64,
    pub(super) seed: u64,
    /// Coordinates of a k-sparse probe.
    pub(super) k: usize,
}

impl Fitting<'_> {
    /// Refuses labels that a direction cannot tell apart.
    pub(super) fn refuse_many_classes(&self, kind: &str) -> Result<()> {
        match self.classes {
            2 => Ok(()),
            n => Err(Error::BadLabel {
                column: self.column.to_owned(),
                problem: format!(
                    "a {kind} probe tells two classes apart, and there are {n}; use logistic or lda"
                ),
            }),
        }
    }

    /// The pairs of training rows, each with its sides in order.
    pub(super) fn sided_pairs(&self) -> Result<&[(usize, usize)]> {
        match self.pairs {
            Some(_) => Ok(self.sided),
            None => Err(Error::BadLabel {
                column: self.column.to_owned(),
                problem: "a CCS probe needs to know which rows are a statement and its contrary; give --pair-column".to_owned(),
            }),
        }
    }

    fn with<'b>(&'b self, labels: &'b [usize], lambda: f64) -> Fitting<'b> {
        Fitting {
            labels,
            lambda,
            ..*self
        }
    }
}

/// A direction (its weights on standardised rows) with the slope and threshold that a logistic regression on the projection gives it.
pub(super) fn calibrated(z: &Matrix, direction: Matrix, labels: &[usize]) -> Result<Linear> {
    let projected = z.times(&direction)?;
    let params = LogisticParams {
        lambda: 1e-6,
        ..LogisticParams::default()
    };
    let fitted = params.check()?.fit(&projected, labels, 2)?;
    let slope = fitted.weights().at(0, 0);
    Ok(Linear {
        weights: Matrix::from_fn(direction.rows(), 1, |j, _| slope * direction.at(j, 0)),
        bias: fitted.intercepts().to_vec(),
    })
}

/// A fitted probe of some kind.
enum Fitted {
    /// With what a CCS probe's score is off by for the sides of a pair.
    Linear(Linear, f64),
    Mlp(Mlp),
}

impl Fitted {
    fn scores(&self, z: &Matrix, sides: &[f64]) -> Result<Matrix> {
        match self {
            Fitted::Mlp(net) => net.scores(z),
            Fitted::Linear(linear, shift) => {
                let mut scores = decide(z, &linear.weights, &linear.bias)?;
                for (row, side) in sides.iter().enumerate().filter(|_| *shift != 0.0) {
                    scores.row_mut(row)[0] -= side * shift;
                }
                Ok(scores)
            }
        }
    }
}

/// Probes of these label vectors, the first of which is the true one. What does not depend on labels is done once.
fn fit_all(
    kind: Kind,
    on: &Fitting<'_>,
    labels: &[&[usize]],
    found: Option<&ccs::Found>,
) -> Result<Vec<Fitted>> {
    let products = matches!(kind, Kind::Lda | Kind::MassMean | Kind::MassMeanWhitened);
    let products = Arc::new(if products {
        on.z.gram()
    } else {
        Matrix::zeros(0, 0)
    });
    let sums = |labels: &[usize]| ClassSums::with_products(&products, on.z, labels, on.classes);
    let of_labels = labels.iter().enumerate().map(|(i, &labels)| {
        let on = on.with(labels, on.lambda);
        let linear = match kind {
            Kind::Lda => lda::fit(&sums(labels)?, on.lambda)?,
            Kind::MassMean => mass_mean::fit(&sums(labels)?, on.scale)?,
            Kind::MassMeanWhitened => mass_mean::fit_whitened(&sums(labels)?, on.lambda)?,
            Kind::Lat => lat::fit(&on)?,
            Kind::Ttpd => ttpd::fit(&on)?,
            Kind::KSparse => k_sparse::fit(&on)?,
            Kind::Mlp => return Ok(Fitted::Mlp(Mlp::fit(&on, labels, i as u64)?)),
            Kind::Ccs => {
                let found = found.ok_or_else(no_kind)?;
                let linear = found.oriented(0, &on, labels);
                let shift = found.side_shift(&linear);
                return Ok(Fitted::Linear(linear, shift));
            }
            Kind::Logistic | Kind::Ridge => return Err(no_kind()),
        };
        Ok(Fitted::Linear(linear, 0.0))
    });
    of_labels.collect()
}

fn no_kind() -> Error {
    Error::BadParameter {
        name: "kind",
        value: "ridge".to_owned(),
        problem: "it is fitted elsewhere".to_owned(),
    }
}

/// The probe of a layer, with its controls.
pub(super) fn probe(
    layer: &Layer<'_>,
    task: &ClassTask,
    companions: &Companions,
    split: &Split,
) -> Result<LayerResult> {
    let params = layer.params;
    let (train, test) = (companions.of(&split.train), companions.of(&split.test));
    let (train_sides, test_sides) = (train.sides(split.train.len()), test.sides(split.test.len()));
    let sided = train.sided_pairs();
    let groups = layer.train_groups.as_deref();
    let mut on = Fitting {
        z: &layer.train,
        scale: layer.standardizer().scale(),
        column: &task.column,
        labels: &task.train,
        classes: task.names.len(),
        groups,
        pairs: train.pairs.as_deref(),
        sided: &sided,
        sides: Some(&train_sides),
        polarity: train.polarity.as_deref(),
        lambda: PENALTY,
        seed: params.seed,
        k: params.k,
    };
    let choice = choose(params, &on, task)?;
    on.lambda = choice.lambda;
    let shuffles = match params.kind {
        Kind::Mlp => params.shuffles.min(MLP_SHUFFLES),
        _ => params.shuffles,
    };
    let shuffled: Vec<Vec<usize>> = (0..shuffles)
        .map(|index| {
            let same = |a: usize, b: usize| task.train[a] == task.train[b];
            let rows = shuffled_rows(task.train.len(), groups, same, params.seed, index);
            rows.into_iter().map(|row| task.train[row]).collect()
        })
        .collect();
    let labels: Vec<&[usize]> = std::iter::once(&task.train)
        .chain(&shuffled)
        .map(Vec::as_slice)
        .collect();
    let found = match params.kind {
        Kind::Ccs => Some(ccs::search(&on)?),
        _ => None,
    };
    let mut fits = fit_all(params.kind, &on, &labels, found.as_ref())?.into_iter();
    let fit = fits.next().ok_or_else(no_kind)?;
    let said = |fit: &Fitted| Ok(classes(&fit.scores(&layer.test, &test_sides)?));
    let shuffled: Vec<Vec<usize>> = fits.map(|fit| said(&fit)).collect::<Result<_>>()?;
    let starts = found.map(|found| {
        let of_start = (0..STARTS).map(|start| {
            let linear = found.oriented(start, &on, &task.train);
            let shift = found.side_shift(&linear);
            let said = said(&Fitted::Linear(linear, shift))?;
            Ok(mean(&right(&task.test, &said)))
        });
        of_start.collect::<Result<Vec<f64>>>()
    });
    let verdict = judge(
        layer,
        task,
        &fit.scores(&layer.test, &test_sides)?,
        hits(&task.test, &shuffled).as_deref(),
        None,
    )?;
    let starts = starts.transpose()?;
    let mut warnings = verdict.warnings;
    warnings.extend(starts.as_deref().map(spread));
    let readout = match &fit {
        Fitted::Mlp(_) => None,
        Fitted::Linear(linear, _) => {
            let link = match task.names.len() {
                2 => Link::Logistic,
                _ => Link::Softmax,
            };
            Some(layer.readout(link, &task.names, linear.weights.clone(), &linear.bias)?)
        }
    };
    Ok(LayerResult {
        hook_point: layer.point.to_owned(),
        lambda: on.lambda,
        main_metric: params.kind.main_metric(),
        metrics: verdict.metrics,
        inner_score: choice.inner,
        train_score: mean(&right(
            &task.train,
            &classes(&fit.scores(&layer.train, &train_sides)?),
        )),
        controls: verdict.controls,
        gain: verdict.gain,
        selectivity: None,
        codelength: None,
        convergence: None,
        starts,
        outputs: task.names.clone(),
        n_features: layer.train.cols(),
        n_train: layer.train.rows(),
        n_test: layer.test.rows(),
        warnings,
        readout,
        predictions: verdict.predictions,
        draws: verdict.draws,
    })
}

/// How far the score of a CCS probe is luck, in words.
fn spread(starts: &[f64]) -> String {
    let least = starts.iter().copied().fold(f64::INFINITY, f64::min);
    let most = starts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!(
        "{} random starts of CCS end at accuracies from {least:.3} to {most:.3}; that of the lowest loss counts",
        starts.len()
    )
}

/// The penalty: of LDA and the whitened mass mean the one with the most held-out rows right (the largest of equals); other kinds have little
/// use for a choice.
fn choose(params: &SweepParams, on: &Fitting<'_>, task: &ClassTask) -> Result<Choice> {
    let (grid, parts) = match (&params.lambda, params.kind) {
        (Lambda::Fixed(lambda), _) => return Ok(Choice::given(*lambda)),
        (_, Kind::MassMean | Kind::Lat) => return Ok(Choice::given(0.0)),
        (Lambda::Choose { grid, folds }, Kind::Lda | Kind::MassMeanWhitened) => (grid, *folds),
        _ => return Ok(Choice::given(PENALTY)),
    };
    let parts = folds(on.labels, on.groups, parts, params.seed)
        .map_err(|e| e.named(&task.column, |class| task.names[class].clone()))?;
    let mut right = vec![0usize; grid.len()];
    for held_out in &parts {
        let kept = complement(on.labels.len(), held_out);
        let part = on.z.select(&kept);
        let standardizer = Standardizer::fit(&part);
        let (part, held) = (
            standardizer.apply_to(part)?,
            standardizer.apply_to(on.z.select(held_out))?,
        );
        let labels: Vec<usize> = kept.iter().map(|row| on.labels[*row]).collect();
        let sums = ClassSums::of(&part, &labels, on.classes)?;
        for (lambda, right) in grid.iter().zip(&mut right) {
            let linear = match params.kind {
                Kind::Lda => lda::fit(&sums, *lambda)?,
                _ => mass_mean::fit_whitened(&sums, *lambda)?,
            };
            let said = classes(&decide(&held, &linear.weights, &linear.bias)?);
            *right += said
                .iter()
                .zip(held_out)
                .filter(|(s, row)| **s == on.labels[**row])
                .count();
        }
    }
    let best = (0..grid.len()).max_by(|a, b| {
        right[*a]
            .cmp(&right[*b])
            .then(grid[*a].total_cmp(&grid[*b]))
    });
    Ok(Choice {
        inner: best.map(|best| right[best] as f64 / on.labels.len() as f64),
        ..Choice::given(best.map_or(PENALTY, |best| grid[best]))
    })
}
