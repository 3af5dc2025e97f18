//! The logistic probe of a layer, with its controls.

use super::choose::Choice;
use super::data::ClassTask;
use super::logistic::{Problem, Solution, classes, decide, probabilities};
use super::params::Kind;
use super::readout::Link;
use super::result::{Controls, LayerResult, Metrics};
use super::shuffle::shuffled_rows;
use super::sweep::Layer;
use crate::analysis::matrix::Matrix;
use crate::analysis::metrics::{Auroc, Confusion, log_loss};
use crate::error::{Error, Result};

/// The share of training rows in one class above which accuracy alone misleads.
const IMBALANCE: f64 = 0.8;

pub(super) fn probe(layer: &Layer<'_>, task: &ClassTask) -> Result<LayerResult> {
    let (params, groups) = (layer.params, layer.train_groups.as_deref());
    let choice = params
        .choose_lambda(|search| search.logistic(&layer.train, task, groups, params.solver(1.0)))?;
    let logistic = params.solver(choice.lambda).check()?;
    let problem = Problem::new(&layer.train, task.names.len());
    let shuffled: Vec<Vec<usize>> = (0..params.shuffles)
        .map(|index| {
            let same = |a: usize, b: usize| task.train[a] == task.train[b];
            let rows = shuffled_rows(task.train.len(), groups, same, params.seed, index);
            rows.into_iter().map(|row| task.train[row]).collect()
        })
        .collect();
    let shuffled: Vec<&[usize]> = shuffled.iter().map(Vec::as_slice).collect();
    // The probe is fitted by itself, so that its numbers do not depend on how many shuffles run beside it.
    let (fits, controls) = rayon::join(
        || problem.solve(&logistic, &[&task.train], &[None]),
        || problem.solve(&logistic, &shuffled, &vec![None; shuffled.len()]),
    );
    let (fits, controls) = (fits?, controls?);
    let fit = fits.first().ok_or_else(no_rows)?;
    let link = match task.names.len() {
        2 => Link::Logistic,
        _ => Link::Softmax,
    };
    let readout = layer.readout(link, &task.names, fit.weights(), fit.intercepts())?;
    let mut warnings = warnings(layer, task, choice, &controls);
    Ok(LayerResult {
        hook_point: layer.point.to_owned(),
        lambda: choice.lambda,
        main_metric: Kind::Logistic.main_metric(),
        metrics: metrics(
            layer,
            task,
            &decide(&layer.test, &fit.weights(), fit.intercepts())?,
            &mut warnings,
        )?,
        train_score: accuracy(&task.train, &predict(&layer.train, fit)?)?,
        controls: self::controls(layer, task, &controls)?,
        convergence: Some(fit.end),
        starts: None,
        outputs: task.names.clone(),
        n_features: layer.train.cols(),
        n_train: layer.train.rows(),
        n_test: layer.test.rows(),
        warnings,
        readout: Some(readout),
    })
}

fn controls(layer: &Layer<'_>, task: &ClassTask, shuffled: &[Solution]) -> Result<Controls> {
    let scores: Vec<f64> = shuffled
        .iter()
        .map(|fit| accuracy(&task.test, &predict(&layer.test, fit)?))
        .collect::<Result<_>>()?;
    Ok(Controls {
        majority: majority_score(task)?,
        shuffled: (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64),
    })
}

/// The accuracy of the majority class of the training rows.
pub(super) fn majority_score(task: &ClassTask) -> Result<f64> {
    accuracy(&task.test, &vec![majority(task).0; task.test.len()])
}

/// Metrics of the linear scores of the test rows.
pub(super) fn metrics(
    layer: &Layer<'_>,
    task: &ClassTask,
    scores: &Matrix,
    warnings: &mut Vec<String>,
) -> Result<Metrics> {
    let (predicted, proba) = (classes(scores), probabilities(scores));
    let auroc = (task.names.len() == 2).then(|| {
        let positive = task.test.iter().map(|class| *class == 1).collect();
        Auroc::new(positive, scores.as_slice())
    });
    let mut names = vec!["accuracy", "balanced_accuracy", "macro_f1", "log_loss"];
    names.extend(auroc.is_some().then_some("auroc"));
    let names = names.into_iter().map(str::to_owned).collect();
    layer.metrics(names, warnings, |weights| {
        let confusion = Confusion::count(&task.test, &predicted, weights, task.names.len());
        let mut values = vec![
            confusion.accuracy(),
            confusion.balanced_accuracy(),
            confusion.macro_f1(),
            log_loss(&task.test, &proba, weights),
        ];
        values.extend(auroc.as_ref().map(|auroc| auroc.value(weights)));
        values
    })
}

/// The class with the most training rows (the first of equals), and how many it has.
fn majority(task: &ClassTask) -> (usize, usize) {
    let counts = task.training_counts().into_iter().enumerate();
    counts.fold(
        (0, 0),
        |best, (class, rows)| if rows > best.1 { (class, rows) } else { best },
    )
}

fn predict(z: &Matrix, fit: &Solution) -> Result<Vec<usize>> {
    Ok(classes(&decide(z, &fit.weights(), fit.intercepts())?))
}

/// The share of rows that come out right.
pub(super) fn accuracy(truth: &[usize], predicted: &[usize]) -> Result<f64> {
    let classes = truth
        .iter()
        .chain(predicted)
        .max()
        .map_or(0, |most| most + 1);
    let confusion = Confusion::count(truth, predicted, &vec![1.0; truth.len()], classes);
    confusion.accuracy().ok_or_else(no_rows)
}

fn no_rows() -> Error {
    Error::BadParameter {
        name: "split",
        value: "0 rows".to_owned(),
        problem: "there is nothing to fit to or to score; give another split".to_owned(),
    }
}

fn warnings(
    layer: &Layer<'_>,
    task: &ClassTask,
    choice: Choice,
    controls: &[Solution],
) -> Vec<String> {
    let mut warnings = shared_warnings(layer, task);
    let failed = controls
        .iter()
        .filter(|fit| !fit.end.is_converged())
        .count();
    if failed > 0 {
        warnings.push(format!(
            "{failed} of {} shuffled controls did not converge",
            controls.len()
        ));
    }
    if choice.not_converged > 0 {
        warnings.push(format!(
            "{} fits did not converge while λ was chosen",
            choice.not_converged
        ));
    }
    warnings
}

/// Warnings about rows and classes, whatever the kind.
pub(super) fn shared_warnings(layer: &Layer<'_>, task: &ClassTask) -> Vec<String> {
    let mut warnings = layer.warnings();
    let (class, rows) = majority(task);
    let share = rows as f64 / task.train.len() as f64;
    if share > IMBALANCE {
        warnings.push(format!(
            "{:.0} % of the training rows have the class `{}`; read balanced_accuracy beside accuracy",
            100.0 * share,
            task.names[class]
        ));
    }
    warnings
}
