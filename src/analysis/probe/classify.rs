//! The logistic probe of a layer, with its controls.

use super::choose::{Choice, Search};
use super::data::ClassTask;
use super::judge::{hits, judge, mean, right};
use super::logistic::{Problem, Solution};
use super::online;
use super::params::Kind;
use super::readout::Link;
use super::result::LayerResult;
use super::scores::classes;
use super::shuffle::{control_task, shuffled_rows};
use super::sweep::Layer;
use super::table::Table;
use crate::error::{Error, Result};

pub(super) fn probe(layer: &Layer<'_>, task: &ClassTask) -> Result<LayerResult> {
    let params = layer.params;
    let problem = Problem::new(&layer.train, task.names.len())?;
    let shuffled = shuffles(layer, task);
    let tasks = control_tasks(layer, task);
    let random: Vec<&[usize]> = shuffled
        .iter()
        .map(Vec::as_slice)
        .chain(tasks.iter().map(|(train, _)| train.as_slice()))
        .collect();
    // The probe is fitted by itself, so that its numbers do not depend on how many controls run beside it.
    let (fitted, controls) = rayon::join(
        || fit(layer, task, &problem),
        || fit_controls(layer, task, &problem, &random),
    );
    let ((choice, fit), controls) = (fitted?, controls?);
    let said: Vec<Vec<usize>> = controls
        .iter()
        .map(|fit| predict(&layer.test, fit))
        .collect::<Result<_>>()?;
    let (said_shuffled, said_tasks) = said.split_at(shuffled.len());
    let verdict = judge(
        layer,
        task,
        &layer.test.decide(&fit.weights, &fit.intercepts)?,
        hits(&task.test, said_shuffled).as_deref(),
        control_task_score(&tasks, said_tasks),
    )?;
    let codelength = match params.codelength {
        true => online::codelength(layer, task, choice.lambda)?,
        false => None,
    };
    let link = match task.names.len() {
        2 => Link::Logistic,
        _ => Link::Softmax,
    };
    let readout = layer.readout(link, &task.names, fit.weights.clone(), &fit.intercepts)?;
    let mut warnings = verdict.warnings;
    warnings.extend(unconverged(choice, &controls));
    Ok(LayerResult {
        hook_point: layer.point.to_owned(),
        lambda: choice.lambda,
        main_metric: Kind::Logistic.main_metric(),
        metrics: verdict.metrics,
        inner_score: choice.inner,
        train_score: mean(&right(&task.train, &predict(&layer.train, &fit)?)),
        controls: verdict.controls,
        gain: verdict.gain,
        selectivity: verdict.selectivity,
        codelength,
        convergence: Some(fit.end),
        starts: None,
        outputs: task.names.clone(),
        n_features: layer.train.cols(),
        n_train: layer.train.rows(),
        n_test: layer.test.rows(),
        warnings,
        readout: Some(readout),
        predictions: verdict.predictions,
        draws: verdict.draws,
    })
}

fn fit(layer: &Layer<'_>, task: &ClassTask, problem: &Problem<'_>) -> Result<(Choice, Solution)> {
    let params = layer.params;
    let choice = choose(layer, task, problem, &[&task.train])?;
    let choice = choice.first().copied().ok_or_else(no_rows)?;
    let solver = params.solver(choice.lambda);
    let near = problem.solve(&[(&task.train, choice.lambda)], solver)?;
    let fit = problem.solve_exactly(&solver.check()?, &task.train, near.first())?;
    Ok((choice, fit))
}

/// The controls, each with a λ of its own, chosen as that of the probe is.
fn fit_controls(
    layer: &Layer<'_>,
    task: &ClassTask,
    problem: &Problem<'_>,
    labels: &[&[usize]],
) -> Result<Vec<Solution>> {
    let params = layer.params;
    let lambdas: Vec<f64> = match params.search() {
        search if search.is_open() => {
            let chosen = choose(layer, task, problem, labels)?;
            chosen.iter().map(|choice| choice.lambda).collect()
        }
        search => vec![search.largest(); labels.len()],
    };
    let labels: Vec<(&[usize], f64)> = labels.iter().copied().zip(lambdas).collect();
    problem.solve(&labels, params.solver(1.0))
}

/// The λ of each label vector. Where λ is given, folds only say how well it does, and too few rows for folds are no reason to fail.
fn choose(
    layer: &Layer<'_>,
    task: &ClassTask,
    problem: &Problem<'_>,
    labels: &[&[usize]],
) -> Result<Vec<Choice>> {
    let search: Search = layer.params.search();
    if !search.is_open() && !layer.params.inner_folds {
        return Ok(vec![Choice::given(search.largest()); labels.len()]);
    }
    match search.folds(task, layer.train_groups.as_deref()) {
        Ok(folds) => search.logistic(problem, labels, &folds, layer.params.solver(1.0)),
        Err(e) if search.is_open() => Err(e),
        Err(_) => Ok(vec![Choice::given(search.largest()); labels.len()]),
    }
}

fn shuffles(layer: &Layer<'_>, task: &ClassTask) -> Vec<Vec<usize>> {
    let same = |a: usize, b: usize| task.train[a] == task.train[b];
    let shuffle = |index| {
        let groups = layer.train_groups.as_deref();
        let rows = shuffled_rows(task.train.len(), groups, same, layer.params.seed, index);
        rows.into_iter().map(|row| task.train[row]).collect()
    };
    (0..layer.params.shuffles).map(shuffle).collect()
}

/// Random labels for the types of training rows and of test rows.
fn control_tasks(layer: &Layer<'_>, task: &ClassTask) -> Vec<ControlTask> {
    let Some((train, test)) = layer.types() else {
        return Vec::new();
    };
    let draw = |index| control_task(&task.train, train, test, layer.params.seed, index);
    (0..layer.params.control_tasks).filter_map(draw).collect()
}

/// Random labels of the training rows, and of those test rows whose type they know.
type ControlTask = (Vec<usize>, Vec<Option<usize>>);

/// The mean accuracy on control tasks.
fn control_task_score(tasks: &[ControlTask], said: &[Vec<usize>]) -> Option<f64> {
    let score = |(task, said): (&ControlTask, &Vec<usize>)| {
        let known = task.1.iter().zip(said);
        let right = known.filter_map(|(label, said)| Some(f64::from(u8::from((*label)? == *said))));
        mean(&right.collect::<Vec<f64>>())
    };
    let scores: Vec<f64> = tasks.iter().zip(said).map(score).collect();
    (!scores.is_empty()).then(|| mean(&scores))
}

fn predict(z: &Table, fit: &Solution) -> Result<Vec<usize>> {
    Ok(classes(&z.decide(&fit.weights, &fit.intercepts)?))
}

fn no_rows() -> Error {
    Error::BadParameter {
        name: "split",
        value: "0 rows".to_owned(),
        problem: "there is nothing to fit to or to score; give another split".to_owned(),
    }
}

fn unconverged(choice: Choice, controls: &[Solution]) -> Vec<String> {
    let mut warnings = Vec::new();
    let failed = controls
        .iter()
        .filter(|fit| !fit.end.is_converged())
        .count();
    if failed > 0 {
        warnings.push(format!(
            "{failed} of {} control fits did not converge",
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
