//! The ridge probe of a layer, with its controls.

use super::data::NumberTask;
use super::gram::Gram;
use super::logistic::decide;
use super::params::Kind;
use super::readout::Link;
use super::result::{Controls, LayerResult, Metrics};
use super::ridge;
use super::shuffle::shuffled_rows;
use super::sweep::Layer;
use crate::analysis::matrix::Matrix;
use crate::analysis::metrics::{mean_absolute_error, r2};
use crate::error::{Error, Result};

pub(super) fn probe(layer: &Layer<'_>, task: &NumberTask) -> Result<LayerResult> {
    let (params, groups) = (layer.params, layer.train_groups.as_deref());
    let choice = params.choose_lambda(|search| search.ridge(&layer.train, task, groups))?;
    let n = layer.train.rows();
    let factor = Gram::of(&layer.train).factor(n as f64 * choice.lambda)?;
    let (weights, means) = ridge::solve(&factor, &task.train)?;
    let predicted = decide(&layer.test, &weights, &means)?;
    let fitted = decide(&layer.train, &weights, &means)?;
    let shuffled = (0..params.shuffles)
        .map(|index| {
            let same = |a: usize, b: usize| task.train.row(a) == task.train.row(b);
            let rows = shuffled_rows(n, groups, same, params.seed, index);
            let (weights, means) = ridge::solve(&factor, &task.train.select(&rows))?;
            mean_r2(task, &task.test, &decide(&layer.test, &weights, &means)?)
        })
        .collect::<Result<Vec<f64>>>()?;
    let constant = Matrix::from_fn(task.test.rows(), means.len(), |_, target| means[target]);
    let mut warnings = layer.warnings();
    let readout = layer.readout(Link::Identity, &task.names, weights, &means)?;
    Ok(LayerResult {
        hook_point: layer.point.to_owned(),
        lambda: choice.lambda,
        main_metric: Kind::Ridge.main_metric(),
        metrics: metrics(layer, task, &predicted, &mut warnings)?,
        train_score: mean_r2(task, &task.train, &fitted)?,
        controls: Controls {
            majority: mean_r2(task, &task.test, &constant)?,
            shuffled: (!shuffled.is_empty())
                .then(|| shuffled.iter().sum::<f64>() / shuffled.len() as f64),
        },
        convergence: None,
        starts: None,
        outputs: task.names.clone(),
        n_features: layer.train.cols(),
        n_train: n,
        n_test: layer.test.rows(),
        warnings,
        readout: Some(readout),
    })
}

fn metrics(
    layer: &Layer<'_>,
    task: &NumberTask,
    predicted: &Matrix,
    warnings: &mut Vec<String>,
) -> Result<Metrics> {
    let columns: Vec<(Vec<f64>, Vec<f64>)> = (0..task.names.len())
        .map(|target| (task.test.col(target), predicted.col(target)))
        .collect();
    let several = columns.len() > 1;
    let mut names = Vec::new();
    for score in ["r2", "mean_absolute_error"] {
        names.push(score.to_owned());
        if several {
            names.extend(task.names.iter().map(|target| format!("{score}[{target}]")));
        }
    }
    layer.metrics(names, warnings, |weights| {
        let mut values = Vec::new();
        for score in [r2, mean_absolute_error] {
            let each: Vec<Option<f64>> =
                columns.iter().map(|(y, p)| score(y, p, weights)).collect();
            values.push(mean(&each));
            if several {
                values.extend(each);
            }
        }
        values
    })
}

/// The mean over targets, unless one of them is undefined.
fn mean(of_target: &[Option<f64>]) -> Option<f64> {
    let values = of_target.iter().copied().collect::<Option<Vec<f64>>>()?;
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn mean_r2(task: &NumberTask, truth: &Matrix, predicted: &Matrix) -> Result<f64> {
    let ones = vec![1.0; truth.rows()];
    let of_target: Vec<Option<f64>> = (0..truth.cols())
        .map(|target| r2(&truth.col(target), &predicted.col(target), &ones))
        .collect();
    mean(&of_target).ok_or_else(|| Error::BadLabel {
        column: task.names.join(", "),
        problem: "R² is not defined, because a target does not vary".to_owned(),
    })
}
