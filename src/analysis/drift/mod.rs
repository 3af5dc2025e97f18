//! Drift: how far each layer moves when the input changes, against what would move it anyway.
//!
//! An edit is measured at each hook point in the pooled vectors of both texts and in the tokens that it left alone, and beside it stand random
//! edits of the same size and place. What is concluded is the mean difference over texts: with an interval, with a band over all hook points,
//! and with a test of equivalence, so that "no drift" is a claim with evidence.

mod conclude;
mod edits;
pub mod gate;
mod measure;
mod pair;
mod reference;
mod resample;
mod result;
mod sets;
mod spread;
mod states;
mod sweep;
mod synonyms;
mod vector;

pub use edits::{Edits, PairEdits, Perturbed, Planned, SameTexts};
pub use measure::{MEASURES, Measure};
pub use pair::{PairDrift, TokenDrift, drift_of_pair};
pub use result::{
    Company, Counts, Drift, Effect, KindDrift, LayerArrows, LayerDrift, Named, ReferenceCard,
    Verdict,
};
pub use sets::SetDrift;
pub use sweep::Reader;
pub use synonyms::Synonyms;

use crate::analysis::neighbors::Rows;
use crate::analysis::probe::{Link, Readout};
use crate::error::{Error, Result};
use crate::hook::HookSet;
use crate::model::Model;
use crate::store::{Budget, Pool};
use crate::text::perturb::{Null, Vocabulary};
use conclude::{Numbers, estimate};
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use reference::{Reference, Sizes};
use serde::Serialize;
use states::Probed;
use std::collections::BTreeMap;
use sweep::{Directions, Fate, Kept, Record, Sweep, pooled};
use vector::cosine_distance;

/// Texts of a kind whose arrows are drawn.
const ARROWS: usize = 40;
/// Texts that are computed alone too.
const ALONE: usize = 4;

/// How drift is measured.
#[derive(Debug, Clone, Serialize)]
pub struct Params {
    /// How the tokens of a text become one vector.
    pub pool: Pool,
    /// How random edits are made; `None` for none.
    pub null: Option<Null>,
    /// Random edits for each edit.
    pub draws: usize,
    /// Neighbours that are compared.
    pub neighbors: usize,
    /// Principal components that movement is held against.
    pub components: usize,
    /// Resamples of the texts; 0 for no intervals.
    pub resamples: usize,
    /// What counts as no difference, as a share of what lies between unrelated originals (of 1, for shares).
    pub margin: f64,
    /// Originals that spread and neighbours are taken from, at most.
    pub references: usize,
    /// Among them, texts over which CKA and Procrustes distance are computed, at most.
    pub set_texts: usize,
    /// The one seed.
    pub seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            pool: Pool::Mean,
            null: Some(Null::Characters),
            draws: 1,
            neighbors: 10,
            components: 10,
            resamples: 1000,
            margin: 0.05,
            references: 1000,
            set_texts: 256,
            seed: 0,
        }
    }
}

impl Params {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<()> {
        let least = [
            ("nulls", self.draws, 1, 255),
            ("neighbors", self.neighbors, 1, 1000),
            ("components", self.components, 1, usize::MAX),
        ];
        for (name, value, low, high) in least {
            if value < low || value > high {
                return Err(Error::BadParameter {
                    name,
                    value: value.to_string(),
                    problem: format!("give a number from {low} to {high}"),
                });
            }
        }
        match self.margin > 0.0 && self.margin < 1.0 {
            true => Ok(()),
            false => Err(Error::BadParameter {
                name: "margin",
                value: self.margin.to_string(),
                problem: "the margin is a share of what lies between unrelated texts, between 0 and 1, such as 0.05".to_owned(),
            }),
        }
    }
}

/// What is to be measured.
pub struct Task<'a> {
    /// The model that originals are read by; edits too, unless there are others.
    pub base: Reader<'a>,
    /// For edits of the model: the models that read the same texts, one a kind.
    pub others: Vec<Reader<'a>>,
    /// Where.
    pub points: HookSet,
    /// Which edits.
    pub edits: &'a dyn Edits,
    /// Edits that mean nothing.
    pub paraphrases: Option<&'a dyn Edits>,
    /// What random edits draw from.
    pub vocabulary: &'a Vocabulary,
    /// Probes at some of the hook points, in any order.
    pub probes: Vec<Readout>,
}

/// Measures drift. `progress` is told of texts as they are done. The same on any number of threads.
///
/// # Errors
/// [`Error::BadParameter`] for parameters out of range, models of different widths, and a probe that does not fit; [`Error::NoSuchPoint`] for a
/// point without a vector for each token; [`Error::BadText`]; [`Error::NotFinite`].
pub fn drift(task: &Task<'_>, params: &Params, progress: &(dyn Fn(usize) + Sync)) -> Result<Drift> {
    params.check()?;
    let probed = Probed::new(task.points.clone(), task.base.model.spec())?;
    refuse_other_widths(task)?;
    let directions = directions(task)?;
    let budget = Budget::default();
    let spec = task.base.model.spec();
    let batch_tokens = budget.pieces(spec, &task.points).batch_tokens;
    let chosen = chosen(task, params)?;
    let sizes = Sizes {
        neighbors: params.neighbors,
        components: params.components,
    };
    let (references, company) = references(task, &probed, &chosen, batch_tokens, sizes, params)?;
    let places = chosen.iter().enumerate();
    let sweep = Sweep {
        base: task.base,
        others: task.others.clone(),
        probed: &probed,
        pool: &params.pool,
        edits: task.edits,
        references: &references,
        places: &places.map(|(place, (text, _))| (*text, place)).collect(),
        directions: &directions,
        null: params.null.map(|null| (null, task.vocabulary)),
        draws: params.draws,
        seed: params.seed,
        batch_tokens,
        kept: params.set_texts,
        progress,
    };
    let found = sweep.run()?;
    let names: Vec<String> = task
        .points
        .points()
        .iter()
        .map(ToString::to_string)
        .collect();
    let paraphrases = match task.paraphrases {
        None => None,
        Some(edits) => {
            let sweep = Sweep {
                edits,
                places: &BTreeMap::new(),
                null: None,
                kept: 0,
                ..sweep
            };
            let records = sweep.run()?.records;
            let measured: Vec<&Record> = records.iter().filter(|r| r.is_measured()).collect();
            let seed = params.seed.wrapping_add(1);
            Some(Numbers::new(&measured, names.len(), params, seed))
        }
    };
    let conclusion = Conclusion {
        params,
        names: &names,
        references: &references,
        paraphrases: paraphrases.as_ref(),
    };
    let kinds: Vec<KindDrift> = task
        .edits
        .kinds()
        .iter()
        .enumerate()
        .map(|(kind, name)| conclusion.kind(name, |r| r.kind == kind, |k| k.kind == kind, &found))
        .collect::<Result<_>>()?;
    let layers = match kinds.as_slice() {
        [only] => only.layers.clone(),
        // The set of all edits holds each original several times, so that it is no representation of the same texts.
        _ => conclusion.kind("", |_| true, |_| false, &found)?.layers,
    };
    Ok(Drift {
        layers,
        kinds,
        references: cards(&names, &references),
        company,
    })
}

impl Record {
    fn is_measured(&self) -> bool {
        matches!(
            self.fate,
            Fate::Compared | Fate::Identical | Fate::SameTokens
        )
    }
}

/// Vectors can only be compared where they have as many numbers.
fn refuse_other_widths(task: &Task<'_>) -> Result<()> {
    let own = task.base.model.spec();
    for (reader, name) in task.others.iter().zip(task.edits.kinds()) {
        let spec = reader.model.spec();
        let lacks = |point: &&crate::hook::HookPoint| !spec.points().contains(point);
        if let Some(point) = task.points.points().iter().find(lacks) {
            return Err(Error::NoSuchPoint {
                point: point.to_string(),
                reason: format!("{name} lacks it; choose --points that both models have"),
            });
        }
        for point in task.points.points() {
            let (a, b) = (own.row_shape(point.site())?, spec.row_shape(point.site())?);
            if a != b {
                return Err(Error::BadParameter {
                    name: "against-model",
                    value: name.clone(),
                    problem: format!(
                        "at `{point}` it has vectors of shape {b:?}, the other model {a:?}; only equally wide ones can be compared"
                    ),
                });
            }
        }
    }
    Ok(())
}

/// The direction of each probe for each pair of labels.
fn directions(task: &Task<'_>) -> Result<Directions> {
    let points = task.points.points();
    let mut of_point: Vec<Option<&Readout>> = vec![None; points.len()];
    for probe in &task.probes {
        if let Some(at) = points.iter().position(|p| p.to_string() == probe.point()) {
            of_point[at] = Some(probe);
        }
    }
    let Some(first) = of_point.iter().flatten().next() else {
        return Ok(Directions::new());
    };
    let labels = first.names().len();
    if first.link() == Link::Softmax && labels > 8 || first.link() == Link::Identity && labels > 1 {
        return Err(Error::BadParameter {
            name: "probe-label",
            value: format!("{labels} outputs"),
            problem: "drift follows a probe of at most 8 classes or of one number".to_owned(),
        });
    }
    let pairs = (0..labels).flat_map(|a| (0..labels).map(move |b| Some((a, b))));
    let keys = std::iter::once(None).chain(pairs);
    let narrow = |v: Vec<f64>| -> Vec<f32> { v.into_iter().map(|v| v as f32).collect() };
    let of = |probe: &Readout, key: Option<(usize, usize)>| -> Option<Vec<f64>> {
        let toward = |k: usize, sign: f64| {
            let direction = probe.direction(k)?;
            Some(
                direction
                    .into_iter()
                    .map(|v| sign * v)
                    .collect::<Vec<f64>>(),
            )
        };
        match (probe.link(), key) {
            (Link::Logistic, Some((_, to))) => toward(0, if to == 1 { 1.0 } else { -1.0 }),
            (Link::Logistic | Link::Identity, _) => toward(0, 1.0),
            (Link::Softmax, Some((from, to))) if from != to => {
                let (from, to) = (probe.direction(from)?, probe.direction(to)?);
                Some(to.iter().zip(&from).map(|(t, f)| t - f).collect())
            }
            (Link::Softmax, _) => None,
        }
    };
    Ok(keys
        .map(|key| {
            let each = of_point.iter().map(|probe| of((*probe)?, key).map(narrow));
            (key, each.collect())
        })
        .collect())
}

/// A text's number, and its tokens.
type TokenizedText = (usize, Vec<u32>);

/// The texts that spread and neighbours are taken from, with their tokens: all, or a seeded sample.
fn chosen(task: &Task<'_>, params: &Params) -> Result<Vec<TokenizedText>> {
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

/// Pooled originals at every hook point, and how much some of them change in company.
fn references(
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

fn cards(names: &[String], references: &[Reference]) -> Vec<ReferenceCard> {
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

/// What conclusions about a kind rest on.
struct Conclusion<'a> {
    params: &'a Params,
    names: &'a [String],
    references: &'a [Reference],
    paraphrases: Option<&'a Numbers>,
}

impl Conclusion<'_> {
    fn kind(
        &self,
        name: &str,
        of_kind: impl Fn(&Record) -> bool,
        kept_of: impl Fn(&Kept) -> bool,
        found: &sweep::Found,
    ) -> Result<KindDrift> {
        let all: Vec<&Record> = found.records.iter().filter(|r| of_kind(r)).collect();
        let measured: Vec<&Record> = all.iter().copied().filter(|r| r.is_measured()).collect();
        let kept: Vec<&Kept> = found.kept.iter().filter(|k| kept_of(k)).collect();
        let seed = self.params.seed;
        let numbers = Numbers::new(&measured, self.names.len(), self.params, seed);
        let sets: Vec<Result<Option<sets::SetDrift>>> = (0..self.names.len())
            .into_par_iter()
            .map(|point| self.set(point, &kept))
            .collect();
        let sets: Vec<Option<sets::SetDrift>> = sets.into_iter().collect::<Result<_>>()?;
        let kl = |part: fn((f32, f32)) -> f32| {
            let each = measured
                .iter()
                .filter_map(|r| Some((r.text, f64::from(part(r.kl?)))));
            estimate(each, self.params, seed)
        };
        Ok(KindDrift {
            kind: name.to_owned(),
            counts: counts(&all),
            next_token_kl: kl(|kl| kl.0),
            next_token_kl_null: kl(|kl| kl.1),
            layers: numbers.layers(
                self.names,
                self.references,
                &sets,
                self.paraphrases,
                self.params,
            ),
            arrows: self.arrows(&kept),
        })
    }

    /// Originals and edits of the kept texts as two representations, each original once.
    fn set(&self, point: usize, kept: &[&Kept]) -> Result<Option<sets::SetDrift>> {
        let of_place: BTreeMap<usize, &Kept> = kept.iter().map(|k| (k.place, *k)).collect();
        let reference = &self.references[point].rows;
        let places: Vec<usize> = of_place.keys().copied().collect();
        if places.is_empty() {
            return Ok(None);
        }
        let edits: Vec<f32> = of_place
            .values()
            .flat_map(|k| k.pooled[point].iter().copied())
            .collect();
        sets::compare(
            &reference.select(&places),
            &Rows::new(reference.cols(), edits)?,
        )
    }

    fn arrows(&self, kept: &[&Kept]) -> Vec<LayerArrows> {
        let mut arrows = Vec::new();
        for (point, reference) in self.references.iter().enumerate() {
            let Some(spread) = &reference.spread else {
                continue;
            };
            let plane = |vector: &[f32]| -> Option<[f64; 2]> {
                let row = Rows::new(vector.len(), vector.to_vec()).ok()?;
                spread.along(&row, 2).pop()?.try_into().ok()
            };
            let each = kept.iter().take(ARROWS).filter_map(|k| {
                Some((
                    k.place,
                    plane(reference.rows.row(k.place))?,
                    plane(&k.pooled[point])?,
                ))
            });
            arrows.push(LayerArrows {
                hook_point: self.names[point].clone(),
                arrows: each.collect(),
            });
        }
        arrows
    }
}

fn counts(records: &[&Record]) -> Counts {
    let count = |fate: Fate| records.iter().filter(|r| r.fate == fate).count();
    Counts {
        edits: records.len(),
        measured: records.iter().filter(|r| r.is_measured()).count(),
        identical: count(Fate::Identical),
        same_tokens: count(Fate::SameTokens),
        too_long: count(Fate::TooLong),
        not_applicable: count(Fate::NotApplicable),
    }
}
