//! The logit lens (nostalgebraist 2020): the stream after each block, put through the final norm and the head as if it were the last.

use super::predict::{Candidate, Target, divergence, entropy, likeliest, log_softmax, target};
use super::translator::Translators;
use crate::error::{Error, Result};
use crate::hook::{Hook, HookPoint, HookSet, NoHook, Recorder, Site, Stack};
use crate::model::{ArchSpec, Head, Mask, Model};
use crate::text::batch::Batch;
use candle_core::{DType, Tensor};
use serde::Serialize;

/// What a prediction at a position is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    /// The token that comes next: a causal language model.
    Next,
    /// The token that stands there: a masked language model.
    Own,
}

/// What one layer would say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LensLayer {
    /// The hook point whose stream is read.
    #[serde(serialize_with = "by_name")]
    pub hook_point: HookPoint,
    /// One reading a position.
    pub positions: Vec<Reading>,
}

/// What one layer would say at one position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reading {
    /// The likeliest tokens.
    pub top: Vec<Candidate>,
    /// The entropy of the prediction, in nats.
    pub entropy: f64,
    /// The divergence of this prediction from the model's own, `Σ p (ln p - ln q)` with the model's `p`, in nats.
    pub kl: f64,
    /// The token that is really there; `None` where the text ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

fn by_name<S: serde::Serializer>(point: &HookPoint, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(point)
}

/// What predictions of this architecture are about.
///
/// # Errors
/// [`Error::NoSuchPoint`] for a model without a head that gives tokens.
pub fn aim(spec: &ArchSpec) -> Result<Aim> {
    match (spec.head, spec.mask) {
        (Head::Lm { .. }, Mask::Causal) => Ok(Aim::Next),
        (Head::Lm { .. }, _) => Ok(Aim::Own),
        (Head::None | Head::Classifier { .. }, _) => Err(Error::NoSuchPoint {
            point: "logits".to_owned(),
            reason:
                "a lens reads the stream through a language-model head, and this model has none"
                    .to_owned(),
        }),
    }
}

/// The stream before the first block and after each, with the model's own logits, all `[tokens, …]` of a batch.
pub(super) struct Streams {
    pub(super) streams: Vec<(HookPoint, Tensor)>,
    pub(super) logits: Tensor,
}

/// The hook points that a lens reads.
pub(super) fn lens_points(spec: &ArchSpec) -> Vec<HookPoint> {
    let mut points = spec.default_points();
    points.retain(|p| p.site() != Site::FinalNorm);
    points
}

pub(super) fn streams(model: &dyn Model, batch: &Batch) -> Result<Streams> {
    let points = lens_points(model.spec());
    let mut recorder = Recorder::new(HookSet::new(points.clone()));
    let mut rest = NoHook;
    let mut hooks = Stack(vec![&mut rest as &mut dyn Hook, &mut recorder]);
    let output = model.forward(batch, &mut hooks)?;
    let logits = output.and_then(|o| o.logits).ok_or_else(no_logits)?;
    let stream = |point: HookPoint| Ok((point, recorder.get(point)?.clone()));
    Ok(Streams {
        streams: points.into_iter().map(stream).collect::<Result<_>>()?,
        logits,
    })
}

/// The logits of a stream as if it were the last one.
pub(super) fn read(model: &dyn Model, stream: Tensor, batch: &Batch) -> Result<Tensor> {
    let output = model.unembed(stream, batch, &mut NoHook)?;
    output.logits.ok_or_else(no_logits)
}

fn no_logits() -> Error {
    Error::NoSuchPoint {
        point: "logits".to_owned(),
        reason: "the model gave none".to_owned(),
    }
}

/// Rows of logits in `f32`.
pub(super) fn rows(logits: &Tensor) -> Result<Vec<Vec<f32>>> {
    Ok(logits.to_dtype(DType::F32)?.to_vec2::<f32>()?)
}

/// What each layer would say of a text, from the embeddings to the last block, with the `top` likeliest tokens. With translators it is the tuned
/// lens: each stream is translated before it is read. The last layer's reading is the model's own prediction.
///
/// # Errors
/// [`Error::NoSuchPoint`] for a model without a language-model head; as the forward pass.
pub fn lens(
    model: &dyn Model,
    ids: &[u32],
    translators: Option<&Translators>,
    top: usize,
) -> Result<Vec<LensLayer>> {
    let aim = aim(model.spec())?;
    let batch = Batch::new(&[ids])?;
    let streams = streams(model, &batch)?;
    let own: Vec<Vec<f64>> = rows(&streams.logits)?
        .iter()
        .map(|r| log_softmax(r))
        .collect();
    streams
        .streams
        .into_iter()
        .map(|(hook_point, stream)| {
            let stream = match translators.and_then(|t| t.at(hook_point)) {
                Some(translator) => translator.apply(&stream)?,
                None => stream,
            };
            let found = rows(&read(model, stream, &batch)?)?;
            let positions = found.iter().zip(&own).enumerate();
            let positions = positions.map(|(position, (found, own))| {
                let log_q = log_softmax(found);
                let there = match aim {
                    Aim::Next => ids.get(position + 1),
                    Aim::Own => ids.get(position),
                };
                Reading {
                    top: likeliest(&log_q, top),
                    entropy: entropy(&log_q),
                    kl: divergence(own, &log_q),
                    target: there.and_then(|id| target(&log_q, *id)),
                }
            });
            Ok(LensLayer {
                hook_point,
                positions: positions.collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelSource, load};

    fn builtin() -> crate::model::LoadedModel {
        load(&ModelSource::named("builtin")).unwrap()
    }

    #[test]
    fn the_last_layer_says_exactly_what_the_model_says() {
        let model = builtin().model;
        let batch = Batch::new(&[vec![0u32, 40, 77, 300, 5], vec![9, 8]]).unwrap();
        let streams = streams(&model, &batch).unwrap();
        let (point, last) = streams.streams.last().unwrap().clone();
        assert_eq!(point.layer(), Some(model.spec().n_layers - 1));
        let again = read(&model, last, &batch).unwrap();
        assert_eq!(
            again.to_vec2::<f32>().unwrap(),
            streams.logits.to_vec2::<f32>().unwrap(),
            "bit for bit"
        );
    }

    #[test]
    fn readings_end_in_the_models_own_prediction() {
        let model = builtin().model;
        let layers = lens(&model, &[0, 40, 77, 300, 5], None, 3).unwrap();
        assert_eq!(layers.len(), model.spec().n_layers + 1);
        for reading in &layers.last().unwrap().positions {
            assert!(reading.kl == 0.0, "{reading:?}");
        }
        for layer in &layers {
            let last = layer.positions.last().unwrap();
            assert!(last.target.is_none() && last.top.len() == 3);
            for reading in &layer.positions {
                assert!(reading.kl >= 0.0 && reading.entropy >= 0.0);
                if let Some(target) = reading.target.filter(|t| t.rank <= 3) {
                    assert_eq!(reading.top[target.rank - 1].token_id, target.token_id);
                }
            }
        }
        assert!(layers[0].positions[2].kl > 0.01);
    }

    #[test]
    fn a_model_without_a_head_is_refused() {
        let mut spec = builtin().model.spec().clone();
        spec.head = Head::None;
        assert!(
            aim(&spec)
                .unwrap_err()
                .to_string()
                .contains("language-model head")
        );
    }
}
