//! The originals that spread and neighbours are taken from: which ones, and their pooled vectors at every hook point.

use super::measure::Measure;
use super::reference::{Reference, Sizes};
use super::result::{Company, Named, ReferenceCard};
use super::states::{Probed, pooled};
use super::vector::cosine_distance;
use super::{Params, Task};
use crate::analysis::neighbors::Rows;
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Texts that are computed alone too.
const ALONE: usize = 4;

/// A text's number, and its tokens.
pub(super) type TokenizedText = (usize, Vec<u32>);

/// The texts that spread and neighbours are taken from, with their tokens: all, or a seeded sample.
pub(super) fn chosen(task: &Task<'_>, params: &Params) -> Result<Vec<TokenizedText>> {
    let all = task.edits.texts();
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    let mut texts: Vec<usize> = sample(&mut rng, all, params.references.min(all)).into_vec();
    if params.references >= all {
        texts.sort_unstable();
    }
    let tokens: Vec<Result<Option<TokenizedText>>> = texts
        .par_iter()
        .map(|text| {
            let tokens = task.base.tokenizer.encode(task.edits.original(*text), None);
            let tokens = tokens.map_err(|e| match e {
                Error::BadText { problem, .. } => Error::BadText {
                    row: *text,
                    problem,
                },
                other => other,
            })?;
            Ok((tokens.len() <= task.base.context).then_some((*text, tokens.ids)))
        })
        .collect();
    let tokens: Vec<Option<TokenizedText>> = tokens.into_iter().collect::<Result<_>>()?;
    Ok(tokens.into_iter().flatten().collect())
}

/// The places of those whose edits are compared as a set, or drawn: a seeded sample, so that a file that is sorted by kind has some of every kind.
pub(super) fn kept(chosen: usize, params: &Params) -> BTreeSet<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
    rng.set_stream(1);
    let places = sample(&mut rng, chosen, params.set_texts.min(chosen));
    places.into_iter().collect()
}

/// Pooled originals at every hook point, and how much some of them change in company.
pub(super) fn references(
    task: &Task<'_>,
    probed: &Probed,
    chosen: &[(usize, Vec<u32>)],
    batch_tokens: usize,
    sizes: Sizes,
    params: &Params,
) -> Result<(Vec<Reference>, Company)> {
    let points = task.points.points().len();
    if chosen.is_empty() {
        return Err(Error::BadParameter {
            name: "data",
            value: format!("{} texts", task.edits.texts()),
            problem: format!(
                "none fits into the model's context of {} tokens",
                task.base.context
            ),
        });
    }
    let mut order: Vec<usize> = (0..chosen.len()).collect();
    order.sort_by_key(|i| chosen[*i].1.len());
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut tokens = usize::MAX;
    for i in order {
        let own = chosen[i].1.len();
        match batches.last_mut() {
            Some(batch) if tokens.saturating_add(own) <= batch_tokens => {
                batch.push(i);
                tokens += own;
            }
            _ => {
                batches.push(vec![i]);
                tokens = own;
            }
        }
    }
    let run = |batch: &Vec<usize>| -> Result<Vec<Rows>> {
        let sequences: Vec<&[u32]> = batch.iter().map(|i| chosen[*i].1.as_slice()).collect();
        let states = probed.run(task.base.model, &sequences)?;
        let all: Vec<usize> = (0..batch.len()).collect();
        (0..points)
            .map(|point| pooled(&params.pool, &states, &all, point))
            .collect()
    };
    let done: Vec<Result<Vec<Rows>>> = batches.par_iter().map(run).collect();
    let done: Vec<Vec<Rows>> = done.into_iter().collect::<Result<_>>()?;
    let mut rows: Vec<Vec<&[f32]>> = vec![vec![&[]; chosen.len()]; points];
    for (batch, of_points) in batches.iter().zip(&done) {
        for (point, of_texts) in of_points.iter().enumerate() {
            batch
                .iter()
                .enumerate()
                .for_each(|(r, i)| rows[point][*i] = of_texts.row(r));
        }
    }
    let mut company = Company::default();
    let texts: Vec<usize> = (0..chosen.len().min(ALONE)).collect();
    for i in texts {
        company.texts += 1;
        for (of_texts, alone) in rows.iter().zip(&run(&vec![i])?) {
            company.add(of_texts[i], alone.row(0));
        }
    }
    let references: Vec<Result<Reference>> = rows
        .into_par_iter()
        .map(|rows| {
            let width = rows[0].len();
            Reference::new(Rows::new(width, rows.concat())?, sizes, params.seed)
        })
        .collect();
    Ok((references.into_iter().collect::<Result<_>>()?, company))
}

impl Company {
    fn add(&mut self, together: &[f32], alone: &[f32]) {
        let distance = cosine_distance(together, alone);
        let differences = together
            .iter()
            .zip(alone)
            .map(|(a, b)| f64::from((a - b).abs()));
        let largest = together
            .iter()
            .map(|v| f64::from(v.abs()))
            .fold(f64::MIN_POSITIVE, f64::max);
        let relative = differences.fold(0.0, f64::max) / largest;
        // `max` passes over the distance of a zero vector, which is not a number.
        self.cosine_distance = self.cosine_distance.max(distance);
        self.relative_difference = self.relative_difference.max(relative);
    }
}

pub(super) fn cards(names: &[String], references: &[Reference]) -> Vec<ReferenceCard> {
    let each = names.iter().zip(references);
    each.map(|(name, reference)| ReferenceCard {
        hook_point: name.clone(),
        originals: reference.rows.rows(),
        shrinkage: reference.spread.as_ref().map(|s| s.shrinkage),
        unrelated: Named(
            Measure::ALL
                .into_iter()
                .map(|m| (m, reference.unrelated[m.index()]))
                .filter(|(_, v)| v.is_finite())
                .collect(),
        ),
    })
    .collect()
}
