//! The kinds of probes of classes beside logistic regression: each fitted, scored and shuffled in the same way.

use super::ccs::{self, STARTS};
use super::choose::Choice;
use super::companions::Companions;
use super::data::ClassTask;
use super::held_out::{PENALTY, choose, given_penalty, inner_score};
use super::judge::{hits, judge, mean, right};
use super::logistic::LogisticParams;
use super::mlp::{Mlp, Training, Truth};
use super::params::Kind;
use super::readout::Link;
use super::result::LayerResult;
use super::scores::{classes, decide};
use super::shuffle::shuffled_rows;
use super::sweep::Layer;
use super::{k_sparse, lat, merged, ttpd};
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use crate::text::split::Split;

/// Shuffles of the MLP: each costs as much as a whole layer of another kind.
pub(super) const MLP_SHUFFLES: usize = 2;

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
pub(super) enum Fitted {
    /// With what a CCS probe's score is off by for the sides of a pair.
    Linear(Linear, f64),
    Mlp(Mlp),
}

impl Fitted {
    pub(super) fn scores(&self, z: &Matrix, sides: &[f64]) -> Result<Matrix> {
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
pub(super) fn fit_all(
    kind: Kind,
    on: &Fitting<'_>,
    labels: &[&[usize]],
    found: Option<&ccs::Found>,
) -> Result<Vec<Fitted>> {
    let of_labels = labels.iter().enumerate().map(|(i, &labels)| {
        let on = on.with(labels, on.lambda);
        let linear = match kind {
            Kind::Lat => lat::fit(&on)?,
            Kind::Ttpd => ttpd::fit(&on)?,
            Kind::KSparse => k_sparse::fit(&on)?,
            Kind::Mlp => {
                let training = Training {
                    z: on.z,
                    column: on.column,
                    groups: on.groups,
                    lambda: on.lambda,
                    seed: on.seed,
                };
                let truth = Truth::Classes(labels.to_vec(), on.classes);
                return Ok(Fitted::Mlp(Mlp::fit(&training, &truth, i as u64)?));
            }
            Kind::Ccs => {
                let found = found.ok_or_else(no_kind)?;
                let linear = found.oriented(0, &on, labels);
                let shift = found.side_shift(&linear);
                return Ok(Fitted::Linear(linear, shift));
            }
            Kind::Lda | Kind::MassMean | Kind::MassMeanWhitened | Kind::Logistic | Kind::Ridge => {
                return Err(no_kind());
            }
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
    let found = match layer.params.kind {
        Kind::Lda | Kind::MassMean | Kind::MassMeanWhitened => closed_form(layer, task)?,
        _ => by_rows(layer, task, companions, split)?,
    };
    let verdict = judge(
        layer,
        task,
        &found.scores,
        hits(&task.test, &found.shuffled).as_deref(),
        None,
    )?;
    let mut warnings = verdict.warnings;
    warnings.extend(found.starts.as_deref().map(spread));
    let link = match task.names.len() {
        2 => Link::Logistic,
        _ => Link::Softmax,
    };
    let readout = found
        .linear
        .map(|linear| layer.readout(link, &task.names, linear.weights, &linear.bias));
    Ok(LayerResult {
        hook_point: layer.point.to_owned(),
        lambda: found.choice.lambda,
        main_metric: layer.params.kind.main_metric(),
        metrics: verdict.metrics,
        inner_score: found.choice.inner,
        train_score: mean(&right(&task.train, &found.train)),
        controls: verdict.controls,
        gain: verdict.gain,
        selectivity: None,
        codelength: None,
        convergence: None,
        starts: found.starts,
        outputs: task.names.clone(),
        n_features: layer.train.cols(),
        n_train: layer.train.rows(),
        n_test: layer.test.rows(),
        warnings,
        readout: readout.transpose()?,
        predictions: verdict.predictions,
        draws: verdict.draws,
    })
}

/// A fitted probe, and what it and those of shuffled labels say.
struct Found {
    choice: Choice,
    /// Of the test rows.
    scores: Matrix,
    /// Of the training rows, what it takes them for.
    train: Vec<usize>,
    /// What the probes of shuffled labels take the test rows for.
    shuffled: Vec<Vec<usize>>,
    /// Accuracies of the starts of CCS.
    starts: Option<Vec<f64>>,
    linear: Option<Linear>,
}

/// Kinds that need no more than sums over the rows, which may lie on disk.
fn closed_form(layer: &Layer<'_>, task: &ClassTask) -> Result<Found> {
    let choice = choose(layer, task)?;
    let shuffled = shuffles(layer, task);
    let labels: Vec<&[usize]> = std::iter::once(&task.train)
        .chain(&shuffled)
        .map(Vec::as_slice)
        .collect();
    let of = (task.names.len(), layer.standardizer().scale());
    let fits = merged::fit(layer.params.kind, &layer.train, &labels, of, choice.lambda)?;
    let mut fits = fits.into_iter();
    let linear = fits.next().ok_or_else(no_kind)?;
    let scores = |linear: &Linear| layer.test.decide(&linear.weights, &linear.bias);
    let train = layer.train.decide(&linear.weights, &linear.bias)?;
    Ok(Found {
        choice,
        scores: scores(&linear)?,
        train: classes(&train),
        shuffled: fits
            .map(|fit| Ok(classes(&scores(&fit)?)))
            .collect::<Result<_>>()?,
        starts: None,
        linear: Some(linear),
    })
}

/// Kinds that go from row to row.
fn by_rows(
    layer: &Layer<'_>,
    task: &ClassTask,
    companions: &Companions,
    split: &Split,
) -> Result<Found> {
    let params = layer.params;
    let what = format!("a probe of the kind {}", params.kind.name());
    let (z, z_test) = (layer.train.matrix(&what)?, layer.test.matrix(&what)?);
    let (train, test) = (companions.of(&split.train), companions.of(&split.test));
    let (train_sides, test_sides) = (train.sides(split.train.len()), test.sides(split.test.len()));
    let sided = train.sided_pairs();
    let lambda = given_penalty(params).unwrap_or(PENALTY);
    let on = Fitting {
        z,
        scale: layer.standardizer().scale(),
        column: &task.column,
        labels: &task.train,
        classes: task.names.len(),
        groups: layer.train_groups.as_deref(),
        pairs: train.pairs.as_deref(),
        sided: &sided,
        sides: Some(&train_sides),
        polarity: train.polarity.as_deref(),
        lambda,
        seed: params.seed,
        k: params.k,
    };
    let choice = Choice {
        inner: inner_score(layer, task, (companions, split), &on)?,
        ..Choice::given(lambda)
    };
    let shuffled = shuffles(layer, task);
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
    let said = |fit: &Fitted| Ok(classes(&fit.scores(z_test, &test_sides)?));
    let starts = found.map(|found| {
        let of_start = (0..STARTS).map(|start| {
            let linear = found.oriented(start, &on, &task.train);
            let shift = found.side_shift(&linear);
            let said = said(&Fitted::Linear(linear, shift))?;
            Ok(mean(&right(&task.test, &said)))
        });
        of_start.collect::<Result<Vec<f64>>>()
    });
    Ok(Found {
        choice,
        scores: fit.scores(z_test, &test_sides)?,
        train: classes(&fit.scores(z, &train_sides)?),
        shuffled: fits.map(|fit| said(&fit)).collect::<Result<_>>()?,
        starts: starts.transpose()?,
        linear: match fit {
            Fitted::Mlp(_) => None,
            Fitted::Linear(linear, _) => Some(linear),
        },
    })
}

/// The labels of the training rows, shuffled, as often as is asked for.
fn shuffles(layer: &Layer<'_>, task: &ClassTask) -> Vec<Vec<usize>> {
    let (params, groups) = (layer.params, layer.train_groups.as_deref());
    let count = match params.kind {
        Kind::Mlp => params.shuffles.min(MLP_SHUFFLES),
        _ => params.shuffles,
    };
    let same = |a: usize, b: usize| task.train[a] == task.train[b];
    (0..count)
        .map(|index| {
            let rows = shuffled_rows(task.train.len(), groups, same, params.seed, index);
            rows.into_iter().map(|row| task.train[row]).collect()
        })
        .collect()
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
