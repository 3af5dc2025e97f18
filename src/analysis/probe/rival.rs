//! The best of the controls, and how far a probe is above it.

use super::result::{Gain, LayerResult, Rivals};
use super::sweep::Layer;
use crate::analysis::inference::Estimate;
use crate::error::Result;

/// A probe of something else than the layer at hand, trained and scored on the same rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rival {
    name: String,
    point: String,
    score: f64,
    draws: Vec<f64>,
}

impl Rival {
    /// The main metric of a probe, under the name of the control that it is. It does not compete with the layer that it is a probe of.
    /// `None` where the main metric is not defined.
    pub fn new(name: &str, probe: &LayerResult) -> Option<Self> {
        Some(Self {
            name: name.to_owned(),
            point: probe.hook_point.clone(),
            score: probe.metrics.get(probe.main_metric)?.value,
            draws: probe.draws.clone(),
        })
    }
}

impl Rival {
    /// A control that reads no layer.
    pub(super) fn scored(name: &str, score: f64, draws: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            point: name.to_owned(),
            score,
            draws,
        }
    }
}

/// All controls of one layer.
pub(super) struct Contest<'a> {
    layer: &'a Layer<'a>,
    entries: Vec<(String, f64, Vec<f64>)>,
}

impl<'a> Contest<'a> {
    /// With the rivals that were run before.
    pub(super) fn new(layer: &'a Layer<'a>) -> Self {
        let others = layer.rivals.iter().filter(|r| r.point != layer.point);
        Self {
            layer,
            entries: others
                .map(|r| (r.name.clone(), r.score, r.draws.clone()))
                .collect(),
        }
    }

    /// Adds a control, as a function of how often each test row counts.
    pub(super) fn enter(
        &mut self,
        name: &str,
        score: impl Fn(&[f64]) -> Option<f64> + Sync,
    ) -> Result<()> {
        let value = score(&vec![1.0; self.layer.test.rows()]);
        let draws = self.layer.draws(|weights| vec![score(weights)])?;
        if let (Some(value), Some(draws)) = (value, draws.into_iter().next()) {
            self.entries.push((name.to_owned(), value, draws));
        }
        Ok(())
    }

    /// The scores of the rivals that were run before.
    pub(super) fn rivals(&self) -> Rivals {
        let given = self
            .entries
            .iter()
            .filter(|e| self.layer.rivals.iter().any(|r| r.name == e.0));
        Rivals(
            given
                .map(|(name, value, _)| (name.clone(), *value))
                .collect(),
        )
    }

    /// How far a probe with this score is above the best control.
    pub(super) fn gain(&self, value: f64, draws: &[f64]) -> Gain {
        let mut entries = self.entries.iter();
        let first = entries.next();
        let best = entries.fold(first, |best, entry| match best {
            Some(best) if best.1 >= entry.1 => Some(best),
            _ => Some(entry),
        });
        let Some((name, score, theirs)) = best else {
            return Gain {
                over: "nothing".to_owned(),
                gain: Estimate::new(value, None),
            };
        };
        let differences: Vec<f64> = draws.iter().zip(theirs).map(|(a, b)| a - b).collect();
        Gain {
            over: name.clone(),
            gain: Estimate::new(value - score, self.layer.interval(&differences)),
        }
    }
}
