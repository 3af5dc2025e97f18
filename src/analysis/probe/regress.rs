//! The ridge probe of a layer, with its controls.

use super::choose::{Choice, Search};
use super::data::NumberTask;
use super::direct::MLP_SHUFFLES;
use super::gram::Gram;
use super::held_out::PENALTY;
use super::merged;
use super::mlp::{Mlp, Training, Truth};
use super::params::{Kind, Lambda};
use super::readout::Link;
use super::result::{Controls, LayerResult, Metrics, Predictions};
use super::ridge;
use super::rival::Contest;
use super::shuffle::shuffled_rows;
use super::standardize::Standardizer;
use super::sweep::Layer;
use super::table::Table;
use crate::analysis::matrix::Matrix;
use crate::analysis::metrics::{Spearman, Spread, great_circle_km, mean_absolute_error, r2};
use crate::error::{Error, Result};

/// What a probe of numbers says.
struct Found {
    choice: Choice,
    /// Of test rows and of training rows.
    predicted: Matrix,
    fitted: Matrix,
    /// Of test rows, by probes of shuffled targets.
    shuffled: Vec<Matrix>,
    /// Weights and intercepts, of a linear probe.
    linear: Option<(Matrix, Vec<f64>)>,
}

pub(super) fn probe(layer: &Layer<'_>, task: &NumberTask) -> Result<LayerResult> {
    let found = match layer.params.kind {
        Kind::Mlp => hidden_layer(layer, task)?,
        _ => linear(layer, task)?,
    };
    let means = task.train.column_means();
    let constant = Matrix::from_fn(task.test.rows(), means.len(), |_, target| means[target]);
    let mut warnings = layer.warnings();
    let (metrics, draws) = metrics(layer, task, &found.predicted, &mut warnings)?;
    let mut contest = Contest::new(layer);
    contest.enter("majority", |weights| {
        weighted_r2(&task.test, &constant, weights)
    })?;
    let shuffled = &found.shuffled;
    let mean_of_shuffles = |weights: &[f64]| {
        let scores: Option<Vec<f64>> = shuffled
            .iter()
            .map(|predicted| weighted_r2(&task.test, predicted, weights))
            .collect();
        scores.map(|scores| scores.iter().sum::<f64>() / shuffled.len() as f64)
    };
    if !shuffled.is_empty() {
        contest.enter("shuffled", mean_of_shuffles)?;
    }
    let ones = vec![1.0; task.test.rows()];
    let readout = found
        .linear
        .map(|(weights, means)| layer.readout(Link::Identity, &task.names, weights, &means));
    Ok(LayerResult {
        hook_point: layer.point.to_owned(),
        lambda: found.choice.lambda,
        main_metric: Kind::Ridge.main_metric(),
        gain: contest.gain(metrics.get("r2").map_or(f64::NAN, |r2| r2.value), &draws),
        metrics,
        inner_score: found.choice.inner,
        train_score: mean_r2(task, &task.train, &found.fitted)?,
        controls: Controls {
            majority: mean_r2(task, &task.test, &constant)?,
            shuffled: (!shuffled.is_empty())
                .then(|| mean_of_shuffles(&ones))
                .flatten(),
            control_task: None,
            rivals: contest.rivals(),
        },
        selectivity: None,
        codelength: None,
        convergence: None,
        starts: None,
        outputs: task.names.clone(),
        n_features: layer.train.cols(),
        n_train: layer.train.rows(),
        n_test: layer.test.rows(),
        warnings,
        readout: readout.transpose()?,
        predictions: Predictions::Numbers {
            truth: task.test.clone(),
            predicted: found.predicted,
        },
        draws,
    })
}

/// Ridge regression, with the penalty that was given or is chosen.
fn linear(layer: &Layer<'_>, task: &NumberTask) -> Result<Found> {
    let params = layer.params;
    let search = params.search();
    let choice = match search.is_open() || params.inner_folds {
        false => Choice::given(search.largest()),
        true => match chosen(layer, &search, task) {
            Err(_) if !search.is_open() => Choice::given(search.largest()),
            choice => choice?,
        },
    };
    let n = layer.train.rows();
    let factor = Gram::of(&layer.train)?.factor(n as f64 * choice.lambda)?;
    let (weights, means) = ridge::solve(&factor, &task.train)?;
    let shuffled = shuffles(layer, task, params.shuffles).map(|targets| {
        let (weights, means) = ridge::solve(&factor, &targets)?;
        layer.test.decide(&weights, &means)
    });
    Ok(Found {
        choice,
        predicted: layer.test.decide(&weights, &means)?,
        fitted: layer.train.decide(&weights, &means)?,
        shuffled: shuffled.collect::<Result<_>>()?,
        linear: Some((weights, means)),
    })
}

/// One hidden layer, trained on standardised targets.
fn hidden_layer(layer: &Layer<'_>, task: &NumberTask) -> Result<Found> {
    let params = layer.params;
    let what = "a probe with a hidden layer";
    let (z, z_test) = (layer.train.matrix(what)?, layer.test.matrix(what)?);
    let lambda = match params.lambda {
        Lambda::Fixed(lambda) => lambda,
        Lambda::Choose { .. } => PENALTY,
    };
    let column = task.names.join(", ");
    let training = Training {
        z,
        column: &column,
        groups: layer.train_groups.as_deref(),
        lambda,
        seed: params.seed,
    };
    let units = Standardizer::fit(&task.train);
    let back = |outputs: Matrix| {
        Matrix::from_fn(outputs.rows(), outputs.cols(), |i, k| {
            outputs.at(i, k) * units.scale()[k] + units.mean()[k]
        })
    };
    let fit = |targets: &Matrix, stream: u64| {
        Mlp::fit(&training, &Truth::Numbers(units.apply(targets)?), stream)
    };
    let net = fit(&task.train, 0)?;
    let shuffled = shuffles(layer, task, params.shuffles.min(MLP_SHUFFLES))
        .zip(1..)
        .map(|(targets, stream)| Ok(back(fit(&targets, stream)?.outputs(z_test)?)));
    Ok(Found {
        choice: Choice::given(lambda),
        predicted: back(net.outputs(z_test)?),
        fitted: back(net.outputs(z)?),
        shuffled: shuffled.collect::<Result<_>>()?,
        linear: None,
    })
}

/// The targets of the training rows, shuffled.
fn shuffles<'a>(
    layer: &'a Layer<'_>,
    task: &'a NumberTask,
    count: usize,
) -> impl Iterator<Item = Matrix> + 'a {
    (0..count).map(|index| {
        let same = |a: usize, b: usize| task.train.row(a) == task.train.row(b);
        let groups = layer.train_groups.as_deref();
        let rows = shuffled_rows(task.train.rows(), groups, same, layer.params.seed, index);
        task.train.select(&rows)
    })
}

/// λ, by folds of the training rows.
fn chosen(layer: &Layer<'_>, search: &Search, task: &NumberTask) -> Result<Choice> {
    let groups = layer.train_groups.as_deref();
    match &layer.train {
        Table::Here(z) => search.ridge(z, task, groups),
        stored => merged::choose_ridge(search, stored, task, groups),
    }
}

/// The places of latitude and longitude among the targets, where both are there.
pub fn coordinates(names: &[String]) -> Option<(usize, usize)> {
    let named = |wanted: &[&str]| {
        let mut names = names.iter();
        names.position(|name| wanted.contains(&name.to_lowercase().as_str()))
    };
    named(&["latitude", "lat"]).zip(named(&["longitude", "lon", "lng", "long"]))
}

fn metrics(
    layer: &Layer<'_>,
    task: &NumberTask,
    predicted: &Matrix,
    warnings: &mut Vec<String>,
) -> Result<(Metrics, Vec<f64>)> {
    let columns: Vec<(Vec<f64>, Vec<f64>)> = (0..task.names.len())
        .map(|target| (task.test.col(target), predicted.col(target)))
        .collect();
    let several = columns.len() > 1;
    let spearman: Vec<Spearman> = columns.iter().map(|(y, p)| Spearman::new(y, p)).collect();
    let distances = coordinates(&task.names).map(|(latitude, longitude)| {
        let place = |m: &Matrix, row: usize| (m.at(row, latitude), m.at(row, longitude));
        let rows = 0..task.test.rows();
        let distance = |row| great_circle_km(place(&task.test, row), place(predicted, row));
        Spread::new(rows.map(distance).collect())
    });
    let mut names = Vec::new();
    for score in ["r2", "spearman", "mean_absolute_error"] {
        names.push(score.to_owned());
        if several {
            names.extend(task.names.iter().map(|target| format!("{score}[{target}]")));
        }
    }
    if distances.is_some() {
        names.extend(["great_circle_km", "great_circle_km_median"].map(str::to_owned));
    }
    layer.metrics(names, warnings, |weights, _| {
        let mut values = Vec::new();
        let mut push = |each: Vec<Option<f64>>| {
            values.push(mean(&each));
            if several {
                values.extend(each);
            }
        };
        push(columns.iter().map(|(y, p)| r2(y, p, weights)).collect());
        push(spearman.iter().map(|s| s.value(weights)).collect());
        let error = |(y, p): &(Vec<f64>, Vec<f64>)| mean_absolute_error(y, p, weights);
        push(columns.iter().map(error).collect());
        if let Some(distances) = &distances {
            values.extend([distances.mean(weights), distances.median(weights)]);
        }
        values
    })
}

/// The mean over targets, unless one of them is undefined.
fn mean(of_target: &[Option<f64>]) -> Option<f64> {
    let values = of_target.iter().copied().collect::<Option<Vec<f64>>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// R² of each target, averaged.
pub(super) fn weighted_r2(truth: &Matrix, predicted: &Matrix, weights: &[f64]) -> Option<f64> {
    let total: f64 = weights.iter().sum();
    let (mut mean, mut spread, mut missed) = (
        vec![0.0; truth.cols()],
        vec![0.0; truth.cols()],
        vec![0.0; truth.cols()],
    );
    for (row, weight) in weights.iter().enumerate() {
        let pairs = mean.iter_mut().zip(truth.row(row));
        pairs.for_each(|(m, y)| *m += weight * y / total);
    }
    for (row, weight) in weights.iter().enumerate() {
        for (k, (y, p)) in truth.row(row).iter().zip(predicted.row(row)).enumerate() {
            spread[k] += weight * (y - mean[k]).powi(2);
            missed[k] += weight * (y - p).powi(2);
        }
    }
    let explained = spread
        .iter()
        .zip(&missed)
        .map(|(spread, missed)| match *spread > 0.0 {
            true => Some(1.0 - missed / spread),
            false => None,
        });
    self::mean(&explained.collect::<Vec<_>>())
}

fn mean_r2(task: &NumberTask, truth: &Matrix, predicted: &Matrix) -> Result<f64> {
    let value = weighted_r2(truth, predicted, &vec![1.0; truth.rows()]);
    value.ok_or_else(|| Error::BadLabel {
        column: task.names.join(", "),
        problem: "R² is not defined, because a target does not vary".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Labels, Probing, SweepParams};
    use super::*;
    use crate::text::split::Split;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A magnitude is no linear function of what it is the magnitude of.
    #[test]
    fn a_hidden_layer_reads_what_no_line_can() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let x = Matrix::from_fn(6000, 5, |_, _| rng.random_range(-1.0..1.0));
        let labels = Labels::Numbers {
            names: vec!["size".to_owned(), "sum".to_owned()],
            values: vec![
                (0..6000).map(|i| 300.0 + 50.0 * x.at(i, 2).abs()).collect(),
                (0..6000).map(|i| x.at(i, 0) + x.at(i, 1)).collect(),
            ],
        };
        let split = Split {
            train: (0..4500).collect(),
            test: (4500..6000).collect(),
            left_out: vec![],
        };
        let score = |kind: Kind, metric: &str| {
            let params = SweepParams {
                lambda: Lambda::Fixed(1e-4),
                shuffles: 1,
                bootstrap: 0,
                ..SweepParams::new(kind)
            };
            let result = Probing::new(&labels, &split, &params)
                .layer("p", &x)
                .unwrap();
            assert!(result.controls.shuffled.unwrap() < 0.05);
            assert_eq!(result.readout.is_some(), kind == Kind::Ridge);
            result.metrics.get(metric).unwrap().value
        };
        assert!(score(Kind::Ridge, "r2[size]") < 0.05);
        assert!(score(Kind::Mlp, "r2[size]") > 0.9);
        assert!(score(Kind::Mlp, "r2[sum]") > 0.95);
    }
}
