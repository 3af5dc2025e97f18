//! What kinds of probes score on training rows that they were not fitted to: the penalty and the layer are chosen by it.

use super::choose::Choice;
use super::companions::Companions;
use super::data::ClassTask;
use super::direct::{Fitting, fit_all};
use super::frame::complement;
use super::merged;
use super::params::{Kind, Lambda, SweepParams};
use super::scores::{classes, decide};
use super::standardize::Standardizer;
use super::sums::ClassSums;
use super::sweep::Layer;
use super::table::Table;
use crate::analysis::matrix::Matrix;
use crate::error::Result;
use crate::text::split::{Split, folds};

/// The penalty of kinds that do not choose theirs.
pub(super) const PENALTY: f64 = 0.01;
/// Folds that say how well a kind does whose penalty is given.
const INNER_FOLDS: usize = 5;

/// The penalty of a kind in closed form, the one with the most held-out rows right (the largest of equals), and what it scores there.
pub(super) fn choose(layer: &Layer<'_>, task: &ClassTask) -> Result<Choice> {
    let params = layer.params;
    let given = given_penalty(params);
    let grid = match (&params.lambda, given) {
        (Lambda::Choose { grid, .. }, None) => grid.clone(),
        (_, given) => vec![given.unwrap_or(PENALTY)],
    };
    let parts = match inner_folds(layer, task) {
        Ok(Some(parts)) => parts,
        Err(e) if grid.len() > 1 => return Err(e),
        _ => return Ok(Choice::given(grid[0])),
    };
    let labels = (&task.train[..], task.names.len());
    let scale = layer.standardizer().scale();
    let right = match &layer.train {
        Table::Here(z) => right_outside((params.kind, scale), z, labels, &parts, &grid)?,
        stored => merged::right_outside((params.kind, scale), stored, labels, &parts, &grid)?,
    };
    let best = (0..grid.len()).max_by(|a, b| {
        right[*a]
            .total_cmp(&right[*b])
            .then(grid[*a].total_cmp(&grid[*b]))
    });
    Ok(Choice {
        inner: best.map(|best| right[best] / task.train.len() as f64),
        ..Choice::given(best.map_or(PENALTY, |best| grid[best]))
    })
}

/// The penalty of a kind that does not choose it: because it was given, or because the kind has little use for a choice.
pub(super) fn given_penalty(params: &SweepParams) -> Option<f64> {
    match (&params.lambda, params.kind) {
        (Lambda::Fixed(lambda), _) => Some(*lambda),
        (_, Kind::MassMean | Kind::Lat) => Some(0.0),
        (_, Kind::Lda | Kind::MassMeanWhitened) => None,
        _ => Some(PENALTY),
    }
}

/// Folds of the training rows; none if nothing is to be judged on them.
fn inner_folds(layer: &Layer<'_>, task: &ClassTask) -> Result<Option<Vec<Vec<usize>>>> {
    let params = layer.params;
    let count = match params.lambda {
        Lambda::Choose { folds, .. } => folds,
        Lambda::Fixed(_) => INNER_FOLDS,
    };
    if given_penalty(params).is_some() && !params.inner_folds {
        return Ok(None);
    }
    let groups = layer.train_groups.as_deref();
    let parts = folds(&task.train, groups, count, params.seed)
        .map_err(|e| e.named(&task.column, |class| task.names[class].clone()))?;
    Ok(Some(parts))
}

/// What a kind that goes from row to row scores on held-out training rows, so that layers can be chosen by it. None for kinds whose fit costs
/// as much as all others (MLP) or that see no labels (CCS), and where there are too few rows for folds.
pub(super) fn inner_score(
    layer: &Layer<'_>,
    task: &ClassTask,
    (companions, split): (&Companions, &Split),
    on: &Fitting<'_>,
) -> Result<Option<f64>> {
    let kind = layer.params.kind;
    let chosen = matches!(kind, Kind::Lat | Kind::Ttpd | Kind::KSparse);
    let parts = inner_folds(layer, task).ok().flatten();
    let Some(parts) = parts.filter(|_| chosen) else {
        return Ok(None);
    };
    let mut right = 0;
    for held_out in &parts {
        let kept = complement(task.train.len(), held_out);
        let (z, held, own_scale) = outside(on.z, &kept, held_out)?;
        let pick = |of: &[usize]| kept.iter().map(|row| of[*row]).collect::<Vec<usize>>();
        let (labels, rows) = (pick(on.labels), pick(&split.train));
        let known = companions.of(&rows);
        let (sides, sided) = (known.sides(rows.len()), known.sided_pairs());
        let scale: Vec<f64> = on
            .scale
            .iter()
            .zip(&own_scale)
            .map(|(a, b)| a * b)
            .collect();
        let groups = on.groups.map(pick);
        let part = Fitting {
            z: &z,
            scale: &scale,
            labels: &labels,
            groups: groups.as_deref(),
            pairs: known.pairs.as_deref(),
            sided: &sided,
            sides: Some(&sides),
            polarity: known.polarity.as_deref(),
            ..*on
        };
        let Some(fit) = fit_all(kind, &part, &[&labels], None)?.pop() else {
            return Ok(None);
        };
        let said = classes(&fit.scores(&held, &vec![0.0; held.rows()])?);
        let pairs = said.iter().zip(held_out);
        right += pairs.filter(|(s, row)| **s == on.labels[**row]).count();
    }
    Ok(Some(right as f64 / task.train.len() as f64))
}

/// Kept and held-out rows, standardised over the kept ones, and what they were divided by.
fn outside(z: &Matrix, kept: &[usize], held_out: &[usize]) -> Result<(Matrix, Matrix, Vec<f64>)> {
    let part = z.select(kept);
    let standardizer = Standardizer::fit(&part);
    Ok((
        standardizer.apply_to(part)?,
        standardizer.apply_to(z.select(held_out))?,
        standardizer.scale().to_vec(),
    ))
}

/// For each penalty, the held-out rows that come out right, over all folds together.
fn right_outside(
    (kind, scale): (Kind, &[f64]),
    z: &Matrix,
    (labels, outputs): (&[usize], usize),
    folds: &[Vec<usize>],
    grid: &[f64],
) -> Result<Vec<f64>> {
    let mut right = vec![0.0; grid.len()];
    for held_out in folds {
        let kept = complement(labels.len(), held_out);
        let (part, held, own_scale) = outside(z, &kept, held_out)?;
        let raw: Vec<f64> = scale.iter().zip(&own_scale).map(|(a, b)| a * b).collect();
        let own: Vec<usize> = kept.iter().map(|row| labels[*row]).collect();
        let sums = ClassSums::of(&part, &own, outputs)?;
        for (lambda, right) in grid.iter().zip(&mut right) {
            let linear = merged::of_sums(kind, &sums, &raw, *lambda)?;
            let said = classes(&decide(&held, &linear.weights, &linear.bias)?);
            let hits = said
                .iter()
                .zip(held_out)
                .filter(|(s, row)| **s == labels[**row]);
            *right += hits.count() as f64;
        }
    }
    Ok(right)
}
