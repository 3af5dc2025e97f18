//! Drift: how far each layer moves when the input changes, against what would move it anyway.
//!
//! An edit is measured at each hook point in the pooled vectors of both texts and in the tokens that it left alone, and beside it stand random
//! edits of the same size and place. What is concluded is the mean difference over texts: with an interval, with a band over all hook points,
//! and with a test of equivalence, so that "no drift" is a claim with evidence.

mod conclude;
mod directions;
mod edits;
pub mod gate;
mod kinds;
mod measure;
mod originals;
mod pair;
mod piece;
mod plan;
mod record;
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
    Company, Counts, Drift, Effect, KindDrift, LayerArrows, LayerDrift, Named, Passes,
    ReferenceCard, Verdict,
};
pub use sets::SetDrift;
pub use sweep::Reader;
pub use synonyms::Synonyms;

use crate::analysis::probe::Readout;
use crate::error::{Error, Result};
use crate::hook::HookSet;
use crate::model::Model;
use crate::store::{Budget, Pool};
use crate::text::perturb::{Null, Vocabulary};
use conclude::Numbers;
use directions::directions;
use kinds::Conclusion;
use originals::{cards, chosen, kept, references};
use record::Record;
use reference::Sizes;
use serde::Serialize;
use states::Probed;
use std::collections::{BTreeMap, BTreeSet};
use sweep::Sweep;

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
        kept: &kept(chosen.len(), params),
        progress,
    };
    let found = sweep.run()?;
    let mut passes = found.passes;
    passes.add(chosen.iter().map(|(_, tokens)| tokens.len()));
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
                kept: &BTreeSet::new(),
                ..sweep
            };
            let found = sweep.run()?;
            passes.merge(found.passes);
            let measured: Vec<&Record> = found.records.iter().filter(|r| r.is_measured()).collect();
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
        passes,
    })
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
