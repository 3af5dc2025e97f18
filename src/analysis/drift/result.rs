//! What drift was found: numbers with their null, their difference, and what may be concluded.

use super::measure::Measure;
use super::sets::SetDrift;
use crate::analysis::inference::Estimate;
use serde::{Serialize, Serializer};

/// The drift of all kinds of edits.
#[derive(Debug, Clone, Serialize)]
pub struct Drift {
    /// All edits together, one entry a hook point, in order of depth.
    pub layers: Vec<LayerDrift>,
    /// Each kind of edit, in the order of the data.
    pub kinds: Vec<KindDrift>,
    /// What the numbers are held against.
    pub references: Vec<ReferenceCard>,
    /// The same text alone and in company.
    pub company: Company,
    /// What passed the models for it.
    pub passes: Passes,
}

/// Token sequences that passed a model: originals, their edits and random edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Passes {
    /// How many.
    pub sequences: usize,
    /// Their tokens in all.
    pub tokens: usize,
}

impl Passes {
    /// Counts sequences of these lengths.
    pub(super) fn add(&mut self, lengths: impl IntoIterator<Item = usize>) {
        for tokens in lengths {
            self.sequences += 1;
            self.tokens += tokens;
        }
    }

    /// Counts what was counted elsewhere.
    pub(super) fn merge(&mut self, other: Self) {
        self.sequences += other.sequences;
        self.tokens += other.tokens;
    }
}

/// One kind of edit.
#[derive(Debug, Clone, Serialize)]
pub struct KindDrift {
    /// Its name.
    pub kind: String,
    /// What became of its edits.
    pub counts: Counts,
    /// The divergence of the next-token distribution after the edit from that before it, in nats; only of models that predict one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token_kl: Option<Estimate>,
    /// The same of random edits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token_kl_null: Option<Estimate>,
    /// One entry a hook point, in order of depth.
    pub layers: Vec<LayerDrift>,
    /// Where originals and edits lie, for pictures.
    #[serde(skip)]
    pub arrows: Vec<LayerArrows>,
}

/// What became of the edits of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Edits in all.
    pub edits: usize,
    /// Edits that count: all but those that are too long or not applicable.
    pub measured: usize,
    /// Among them, edited texts that are the original.
    pub identical: usize,
    /// Among them, edits of which the tokenizer leaves nothing: other characters, the same tokens.
    pub same_tokens: usize,
    /// Pairs of which one side is longer than the context.
    pub too_long: usize,
    /// Texts that gave the edit nothing to change.
    pub not_applicable: usize,
}

/// One hook point.
#[derive(Debug, Clone, Serialize)]
pub struct LayerDrift {
    /// Its name.
    pub hook_point: String,
    /// The mean over edits of each measure, with its bootstrap interval over texts.
    pub measures: Named<Estimate>,
    /// The same of random edits of the same size and place.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub null: Named<Estimate>,
    /// The same of the paraphrases that were given.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub paraphrases: Named<Estimate>,
    /// The mean differences to the null (of edits of the model: to no change), and what may be concluded from them.
    pub effects: Vec<Effect>,
    /// Whether the conclusion about cosine distances is the same under each correction for anisotropy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrections_agree: Option<bool>,
    /// Originals and edits as two representations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set: Option<SetDrift>,
}

impl LayerDrift {
    /// The effect on a measure.
    pub fn effect(&self, measure: Measure) -> Option<&Effect> {
        self.effects.iter().find(|e| e.measure == measure)
    }
}

/// Numbers by measure, in the order of measures; those that are not defined are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<T>(pub Vec<(Measure, T)>);

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> Named<T> {
    /// The number of a measure.
    pub fn get(&self, measure: Measure) -> Option<T> {
        let found = self.0.iter().find(|(m, _)| *m == measure);
        found.map(|(_, value)| *value)
    }
}

impl<T> Named<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(m, value)| (m.name(), value)))
    }
}

/// How much more an edit moves a text than a random edit of the same size and place: the mean over texts of the difference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Effect {
    /// What is measured.
    pub measure: Measure,
    /// The mean difference.
    pub value: f64,
    /// The lower end of its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The lower end of the band that holds at all hook points together with 95 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub band_low: Option<f64>,
    /// The upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub band_high: Option<f64>,
    /// Differences smaller than this count as none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// What may be concluded.
    pub verdict: Verdict,
    /// The mean difference to the paraphrases that were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_paraphrases: Option<Estimate>,
}

/// What may be concluded from an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The simultaneous band lies above zero, and the effect is not within the margin.
    More,
    /// It lies below zero, and the effect is not within the margin.
    Less,
    /// The effect is within the margin: two one-sided tests at 5 % (Schuirmann 1987), by the 90 % interval. This is evidence of no drift
    /// beyond the null, where a difference that is merely not significant would be none.
    Equivalent,
    /// Neither can be concluded.
    Undecided,
}

/// What the numbers at a hook point are held against.
#[derive(Debug, Clone, Serialize)]
pub struct ReferenceCard {
    /// The hook point.
    pub hook_point: String,
    /// Originals that spread, neighbours and distances between unrelated texts are taken from.
    pub originals: usize,
    /// How much the covariance of the Mahalanobis distance was shrunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrinkage: Option<f64>,
    /// The mean size of each measure between two unrelated originals.
    pub unrelated: Named<f64>,
}

/// The same texts alone and in company: what is not zero here is not drift but arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Company {
    /// Texts that were compared.
    pub texts: usize,
    /// The largest cosine distance of a text's vector to itself, over all hook points.
    pub cosine_distance: f64,
    /// The largest difference of two numbers, as a share of the largest number at the hook point.
    pub relative_difference: f64,
}

/// Originals and edits of a hook point in the plane of the originals' first two principal components.
#[derive(Debug, Clone)]
pub struct LayerArrows {
    /// The hook point.
    pub hook_point: String,
    /// From the original to the edit, with the number of the text.
    pub arrows: Vec<(usize, [f64; 2], [f64; 2])>,
}
