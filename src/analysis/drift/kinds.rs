//! What is concluded of each kind of edit.

use super::Params;
use super::conclude::{Numbers, estimate};
use super::record::{Fate, Found, Kept, Record};
use super::reference::Reference;
use super::result::{Counts, KindDrift, LayerArrows};
use super::sets;
use crate::analysis::neighbors::Rows;
use crate::error::Result;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Texts of a kind whose arrows are drawn.
const ARROWS: usize = 40;

/// What conclusions about a kind rest on.
pub(super) struct Conclusion<'a> {
    pub(super) params: &'a Params,
    pub(super) names: &'a [String],
    pub(super) references: &'a [Reference],
    pub(super) paraphrases: Option<&'a Numbers>,
}

impl Conclusion<'_> {
    pub(super) fn kind(
        &self,
        name: &str,
        of_kind: impl Fn(&Record) -> bool,
        kept_of: impl Fn(&Kept) -> bool,
        found: &Found,
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
                    k.text,
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
