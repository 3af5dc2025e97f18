//! From the numbers of all edits of a kind to estimates, effects and conclusions.

use super::Params;
use super::measure::{MEASURES, Measure};
use super::record::Record;
use super::reference::Reference;
use super::resample::{Resampled, percentiles};
use super::result::{Effect, LayerDrift, Named, Verdict};
use super::sets::SetDrift;
use crate::analysis::inference::Estimate;

/// Of fewer texts nothing is concluded: their resamples are too much alike.
pub(super) const FEWEST_TEXTS: usize = 10;
/// Level of intervals and bands.
const LEVEL: f64 = 0.95;
/// Level of the interval whose ends are two one-sided tests at 5 %.
const TWO_ONE_SIDED: f64 = 0.90;

/// Numbers of some edits, resampled: for each hook point and measure the edit's, the null's and their difference.
pub(super) struct Numbers {
    resampled: Resampled,
    points: usize,
    has_null: bool,
}

/// Which of the three columns.
#[derive(Clone, Copy)]
enum Part {
    Edit,
    Null,
    Effect,
}

impl Numbers {
    pub(super) fn new(records: &[&Record], points: usize, params: &Params, seed: u64) -> Self {
        let cols = 3 * points * MEASURES;
        let mut values = Vec::with_capacity(records.len() * cols);
        for record in records {
            for point in 0..points {
                for measure in 0..MEASURES {
                    let edit = f64::from(record.edit[point][measure]);
                    let null = record.null.as_ref().map(|n| f64::from(n[point][measure]));
                    values.extend([edit, null.unwrap_or(f64::NAN)]);
                    values.push(match null {
                        Some(null) => edit - null,
                        None if params.null.is_none() => edit,
                        None => f64::NAN,
                    });
                }
            }
        }
        let texts: Vec<usize> = records.iter().map(|r| r.text).collect();
        Self {
            resampled: Resampled::new(&values, cols, &texts, params.resamples, seed),
            points,
            has_null: params.null.is_some(),
        }
    }

    fn col(point: usize, measure: Measure, part: Part) -> usize {
        3 * (point * MEASURES + measure.index()) + part as usize
    }

    fn estimates(&self, point: usize, part: Part) -> Named<Estimate> {
        let each = Measure::ALL.into_iter().filter_map(|measure| {
            let col = Self::col(point, measure, part);
            let value = self.resampled.mean[col];
            let interval = self.resampled.interval(col, LEVEL);
            value
                .is_finite()
                .then(|| (measure, Estimate::new(value, interval)))
        });
        Named(each.collect())
    }

    /// What was found at every hook point. `paraphrases` are the numbers of edits that are known to mean nothing.
    pub(super) fn layers(
        &self,
        names: &[String],
        references: &[Reference],
        sets: &[Option<SetDrift>],
        paraphrases: Option<&Numbers>,
        params: &Params,
    ) -> Vec<LayerDrift> {
        let bands: Vec<Vec<Option<(f64, f64)>>> = Measure::ALL
            .into_iter()
            .map(|measure| {
                let columns = (0..self.points).map(|p| Self::col(p, measure, Part::Effect));
                self.resampled.band(&columns.collect::<Vec<_>>(), LEVEL)
            })
            .collect();
        let layer = |point: usize| {
            let effects: Vec<Effect> = Measure::ALL
                .into_iter()
                .filter_map(|measure| {
                    let band = bands[measure.index()][point];
                    let margin = margin(&references[point], measure, params.margin);
                    let mut effect = self.effect(point, measure, band, margin)?;
                    effect.over_paraphrases =
                        paraphrases.and_then(|p| self.over(p, point, measure));
                    Some(effect)
                })
                .collect();
            LayerDrift {
                hook_point: names[point].clone(),
                measures: self.estimates(point, Part::Edit),
                null: match self.has_null {
                    true => self.estimates(point, Part::Null),
                    false => Named::default(),
                },
                paraphrases: paraphrases
                    .map(|p| p.estimates(point, Part::Edit))
                    .unwrap_or_default(),
                corrections_agree: agree(&effects),
                effects,
                set: sets[point],
            }
        };
        (0..self.points).map(layer).collect()
    }

    fn effect(
        &self,
        point: usize,
        measure: Measure,
        band: Option<(f64, f64)>,
        margin: Option<f64>,
    ) -> Option<Effect> {
        let col = Self::col(point, measure, Part::Effect);
        let value = self.resampled.mean[col];
        if !value.is_finite() || (!self.has_null && measure == Measure::NeighborOverlap) {
            return None;
        }
        let interval = self.resampled.interval(col, LEVEL);
        let two_sided = self.resampled.interval(col, TWO_ONE_SIDED);
        Some(Effect {
            measure,
            value,
            low: interval.map(|i| i.0),
            high: interval.map(|i| i.1),
            band_low: band.map(|b| b.0),
            band_high: band.map(|b| b.1),
            margin,
            verdict: match self.resampled.texts < FEWEST_TEXTS {
                true => Verdict::Undecided,
                false => verdict(two_sided, band, margin),
            },
            over_paraphrases: None,
        })
    }

    /// The difference to the mean of paraphrases, whose texts are drawn on their own.
    fn over(&self, other: &Numbers, point: usize, measure: Measure) -> Option<Estimate> {
        let col = Self::col(point, measure, Part::Edit);
        let value = self.resampled.mean[col] - other.resampled.mean[col];
        let (ours, theirs) = (self.resampled.draws(col), other.resampled.draws(col));
        let draws = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        value
            .is_finite()
            .then(|| Estimate::new(value, percentiles(draws, LEVEL)))
    }
}

/// What counts as no difference: a share of what lies between unrelated texts, or of 1 for shares.
fn margin(reference: &Reference, measure: Measure, share: f64) -> Option<f64> {
    match measure {
        measure if measure.is_share() => Some(share),
        // How far apart a probe finds unrelated texts is not known here; the conclusion rests on the band.
        Measure::ProbeShift => None,
        _ => Some(share * reference.unrelated[measure.index()]).filter(|m| *m > 0.0),
    }
}

fn verdict(
    two_sided: Option<(f64, f64)>,
    band: Option<(f64, f64)>,
    margin: Option<f64>,
) -> Verdict {
    let within = two_sided
        .zip(margin)
        .is_some_and(|((low, high), m)| -m < low && high < m);
    match band {
        _ if within => Verdict::Equivalent,
        Some((low, _)) if low > 0.0 => Verdict::More,
        Some((_, high)) if high < 0.0 => Verdict::Less,
        _ => Verdict::Undecided,
    }
}

/// Whether cosine distances lead to one conclusion under each correction that could be made.
fn agree(effects: &[Effect]) -> Option<bool> {
    let of = |measure: Measure| effects.iter().find(|e| e.measure == measure);
    let verdicts: Vec<Verdict> = Measure::COSINES
        .into_iter()
        .filter_map(|m| of(m).map(|e| e.verdict))
        .collect();
    (verdicts.len() > 1).then(|| verdicts.windows(2).all(|v| v[0] == v[1]))
}

/// The mean of one number an edit, with its interval.
pub(super) fn estimate(
    values: impl Iterator<Item = (usize, f64)>,
    params: &Params,
    seed: u64,
) -> Option<Estimate> {
    let (texts, values): (Vec<usize>, Vec<f64>) = values.unzip();
    let resampled = Resampled::new(&values, 1, &texts, params.resamples, seed);
    let value = *resampled.mean.first()?;
    value
        .is_finite()
        .then(|| Estimate::new(value, resampled.interval(0, LEVEL)))
}
