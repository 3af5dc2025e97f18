//! The tuned lens (Belrose et al. 2023): translators trained so that each layer's reading comes near to the model's own prediction.

use super::logit::{Streams, aim, lens_points, read, rows, streams};
use super::predict::{divergence, log_softmax};
use super::recovery::over_texts;
use super::translator::{Translator, Translators};
use crate::analysis::inference::Estimate;
use crate::error::{Error, Result};
use crate::hook::HookPoint;
use crate::model::{Model, ops};
use crate::text::batch::Batch;
use candle_core::{DType, Tensor, Var};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

/// How translators are trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TrainParams {
    /// Steps of Adam (Kingma & Ba 2015; 0.9, 0.999), whose rate falls to 0 in a straight line.
    pub steps: usize,
    /// Tokens in a step, at least (texts are kept whole).
    pub tokens: usize,
    /// The rate at the beginning.
    pub rate: f64,
    /// The seed of the order of the texts.
    pub seed: u64,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            steps: 250,
            tokens: 512,
            rate: 1e-3,
            seed: 0,
        }
    }
}

/// A translator while it is trained: what is moved, and the moments of its gradient.
struct Trained {
    point: HookPoint,
    vars: [Var; 2],
    moments: [[Tensor; 2]; 2],
}

/// Trains a translator for every hook point that a lens reads but the last, whose reading is the model's own. `done` is called after each step
/// with its number and the mean divergence over layers and tokens before it.
///
/// # Errors
/// [`Error::BadParameter`] for 0 steps or tokens, a rate that is not above 0, or no texts; [`Error::NoSuchPoint`] without a
/// language-model head; as the forward pass.
pub fn train(
    model: &dyn Model,
    texts: &[Vec<u32>],
    params: &TrainParams,
    done: &mut dyn FnMut(usize, f64),
) -> Result<Translators> {
    check(params, texts)?;
    aim(model.spec())?;
    let width = model.spec().d_model;
    let points = lens_points(model.spec());
    let mut trained: Vec<Trained> = points[..points.len() - 1]
        .iter()
        .map(|point| Trained::new(*point, width))
        .collect::<Result<_>>()?;
    let mut draw = Draw::new(texts, params);
    for step in 0..params.steps {
        let batch = Batch::new(&draw.next())?;
        let streams = streams(model, &batch)?;
        let rate = params.rate * (1.0 - step as f64 / params.steps as f64);
        let own = ops::softmax(&streams.logits.to_dtype(DType::F32)?)?;
        let mut sum = 0.0;
        for one in &mut trained {
            sum += one.step(model, &streams, &own, &batch, (step + 1, rate))?;
        }
        done(step, sum / trained.len().max(1) as f64);
    }
    let translators = trained.into_iter().map(Trained::finish);
    Ok(Translators(translators.collect()))
}

fn check(params: &TrainParams, texts: &[Vec<u32>]) -> Result<()> {
    let bad = |name, value: String, problem: &str| {
        Err(Error::BadParameter {
            name,
            value,
            problem: problem.to_owned(),
        })
    };
    match params {
        p if p.steps == 0 => bad("steps", "0".to_owned(), "give at least 1"),
        p if p.tokens == 0 => bad("tokens", "0".to_owned(), "give at least 1"),
        p if !(p.rate > 0.0 && p.rate.is_finite()) => {
            bad("rate", p.rate.to_string(), "give a number above 0")
        }
        _ if texts.is_empty() => bad("texts", "0".to_owned(), "there is nothing to train on"),
        _ => Ok(()),
    }
}

/// Texts in a random order, again and again.
struct Draw<'a> {
    texts: &'a [Vec<u32>],
    tokens: usize,
    rng: ChaCha8Rng,
    order: Vec<usize>,
}

impl<'a> Draw<'a> {
    fn new(texts: &'a [Vec<u32>], params: &TrainParams) -> Self {
        Self {
            texts,
            tokens: params.tokens,
            rng: ChaCha8Rng::seed_from_u64(params.seed),
            order: Vec::new(),
        }
    }

    fn next(&mut self) -> Vec<&'a [u32]> {
        let (mut taken, mut count) = (Vec::new(), 0);
        while count < self.tokens {
            if self.order.is_empty() {
                self.order = (0..self.texts.len()).collect();
                self.order.shuffle(&mut self.rng);
            }
            if let Some(text) = self.order.pop() {
                count += self.texts[text].len();
                taken.push(self.texts[text].as_slice());
            }
        }
        taken
    }
}

impl Trained {
    fn new(point: HookPoint, width: usize) -> Result<Self> {
        let Translator { weight, bias } = Translator::identity(width)?;
        Ok(Self {
            point,
            vars: [Var::from_tensor(&weight)?, Var::from_tensor(&bias)?],
            moments: [
                [weight.clone(), weight.clone()],
                [bias.clone(), bias.clone()],
            ],
        })
    }

    fn translator(&self) -> Translator {
        Translator {
            weight: self.vars[0].as_tensor().clone(),
            bias: self.vars[1].as_tensor().clone(),
        }
    }

    fn finish(self) -> (HookPoint, Translator) {
        let translator = Translator {
            weight: self.vars[0].as_detached_tensor(),
            bias: self.vars[1].as_detached_tensor(),
        };
        (self.point, translator)
    }

    /// One step of Adam; returns the mean divergence before it.
    fn step(
        &mut self,
        model: &dyn Model,
        streams: &Streams,
        own: &Tensor,
        batch: &Batch,
        (number, rate): (usize, f64),
    ) -> Result<f64> {
        let stream = streams.streams.iter().find(|s| s.0 == self.point);
        let stream = &stream.ok_or_else(|| missing(self.point))?.1;
        let logits = read(model, self.translator().apply(stream)?, batch)?;
        let logits = logits.to_dtype(DType::F32)?;
        let tokens = batch.tokens() as f64;
        // The gradient of the divergence at the logits is q - p: what is differentiated is the product with it, held fixed.
        let said = ops::softmax(&logits.detach())?;
        let pull = ((&said - own)? / tokens)?;
        let store = (&logits * &pull)?.sum_all()?.backward()?;
        for (var, moments) in self.vars.iter().zip(&mut self.moments) {
            let gradient = store.get(var).ok_or_else(|| missing(self.point))?;
            let [mean, square] = moments;
            *mean = ((&*mean * 0.9)? + (gradient * 0.1)?)?;
            *square = ((&*square * 0.999)? + (gradient.sqr()? * 0.001)?)?;
            let bias = |decay: f64| 1.0 - decay.powi(number as i32);
            let scale = rate * bias(0.999).sqrt() / bias(0.9);
            let step = ((&*mean * scale)? / (square.sqrt()? + 1e-8)?)?;
            var.set(&(var.as_tensor() - step)?.detach())?;
        }
        mean_divergence(own, &said)
    }
}

fn missing(point: HookPoint) -> Error {
    Error::NoSuchPoint {
        point: point.to_string(),
        reason: "the head's prediction does not depend on it".to_owned(),
    }
}

/// `Σ p (ln p - ln q)`, the mean over rows; what is rarer than one in a billion counts nothing.
fn mean_divergence(p: &Tensor, q: &Tensor) -> Result<f64> {
    const RARE: f32 = 1e-9;
    let (p, q) = (p.to_vec2::<f32>()?, q.to_vec2::<f32>()?);
    let term = |(p, q): (&f32, &f32)| match *p > RARE {
        true => f64::from(*p) * f64::from(p.ln() - q.max(f32::MIN_POSITIVE).ln()),
        false => 0.0,
    };
    let rows = p.par_iter().zip(&q);
    let rows: Vec<f64> = rows.map(|(p, q)| p.iter().zip(q).map(term).sum()).collect();
    Ok(rows.iter().sum::<f64>() / rows.len().max(1) as f64)
}

/// How near a layer's readings are to the model's own predictions, on texts that translators were not trained on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOut {
    /// The hook point.
    #[serde(serialize_with = "by_name")]
    pub hook_point: HookPoint,
    /// The mean divergence of the logit lens, in nats a token, with its 95 % interval over texts.
    pub logit_lens: Estimate,
    /// That of the tuned lens.
    pub tuned_lens: Estimate,
}

fn by_name<S: serde::Serializer>(point: &HookPoint, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(point)
}

/// The divergences of both lenses on texts, layer by layer, the last one (which is 0) left out.
///
/// # Errors
/// As [`train`].
pub fn held_out(
    model: &dyn Model,
    texts: &[Vec<u32>],
    translators: &Translators,
    seed: u64,
) -> Result<Vec<HeldOut>> {
    aim(model.spec())?;
    let points = lens_points(model.spec());
    let points = &points[..points.len() - 1];
    // For each point, of each token, both divergences; tokens of one text have one group.
    let mut found: Vec<[Vec<f64>; 2]> = points.iter().map(|_| [Vec::new(), Vec::new()]).collect();
    let mut groups = Vec::new();
    for (group, text) in texts.iter().enumerate() {
        let batch = Batch::new(&[text])?;
        let Streams { streams, logits } = streams(model, &batch)?;
        let own: Vec<Vec<f64>> = rows(&logits)?.iter().map(|r| log_softmax(r)).collect();
        groups.extend(std::iter::repeat_n(group, text.len()));
        for ((point, stream), found) in streams.into_iter().zip(&mut found) {
            let translated = match translators.at(point) {
                Some(translator) => translator.apply(&stream)?,
                None => stream.clone(),
            };
            for (stream, found) in [stream, translated].into_iter().zip(found) {
                let said = rows(&read(model, stream, &batch)?)?;
                let pairs = said.iter().zip(&own);
                found.extend(pairs.map(|(said, own)| divergence(own, &log_softmax(said))));
            }
        }
    }
    points
        .iter()
        .zip(&found)
        .map(|(hook_point, [logit, tuned])| {
            Ok(HeldOut {
                hook_point: *hook_point,
                logit_lens: over_texts(logit, &groups, seed)?,
                tuned_lens: over_texts(tuned, &groups, seed)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelSource, load};
    use crate::text::dataset::Dataset;
    use crate::text::tokens::Tokenizer;
    use std::path::Path;

    /// Every seventh statement from one on.
    fn texts(first: usize, count: usize) -> Vec<Vec<u32>> {
        let source = ModelSource::named("builtin");
        let tokenizer = Tokenizer::open(&source).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/truth.csv");
        let data = Dataset::read(&path).unwrap();
        let cells = data.text_cells("text").unwrap();
        let rows = (first..).step_by(7).take(count);
        let rows = rows.map(|r| cells[r].to_string());
        rows.map(|t| tokenizer.encode(&t, None).unwrap().ids)
            .collect()
    }

    #[test]
    fn trained_translators_come_nearer_on_texts_that_they_never_saw() {
        let model = load(&ModelSource::named("builtin")).unwrap().model;
        let params = TrainParams {
            steps: 100,
            tokens: 128,
            rate: 3e-3,
            ..TrainParams::default()
        };
        let mut losses = Vec::new();
        let found = train(&model, &texts(0, 400), &params, &mut |_, loss| {
            losses.push(loss)
        })
        .unwrap();
        assert_eq!(losses.len(), 100);
        let bytes = found.to_bytes().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let found = Translators::read(file.path(), model.spec().d_model).unwrap();
        for layer in held_out(&model, &texts(3, 60), &found, 0).unwrap() {
            assert!(
                Some(layer.tuned_lens.value) < layer.logit_lens.low,
                "better beyond the interval: {layer:?}"
            );
        }
    }

    #[test]
    fn the_gradient_that_is_followed_is_that_of_the_divergence() {
        let model = load(&ModelSource::named("builtin")).unwrap().model;
        let text = texts(0, 1).remove(0);
        let batch = Batch::new(&[&text]).unwrap();
        let streams = streams(&model, &batch).unwrap();
        let (point, stream) = streams.streams[1].clone();
        let own = ops::softmax(&streams.logits).unwrap();
        let mut trained = Trained::new(point, model.spec().d_model).unwrap();
        let at = |bias: &Tensor| {
            let mut translator = Translator::identity(model.spec().d_model).unwrap();
            translator.bias = bias.clone();
            let logits = read(&model, translator.apply(&stream).unwrap(), &batch).unwrap();
            mean_divergence(&own, &ops::softmax(&logits).unwrap()).unwrap()
        };
        trained
            .step(&model, &streams, &own, &batch, (1, 1e-9))
            .unwrap();
        // After one step the first moment is a tenth of the gradient.
        let gradient = (&trained.moments[1][0] * 10.0)
            .unwrap()
            .to_vec1::<f32>()
            .unwrap();
        for axis in [0usize, 17, 95] {
            let mut step = vec![0.0f32; model.spec().d_model];
            step[axis] = 0.02;
            let plus =
                Tensor::from_vec(step.clone(), step.len(), &candle_core::Device::Cpu).unwrap();
            let minus = plus.neg().unwrap();
            let slope = (at(&plus) - at(&minus)) / 0.04;
            let found = f64::from(gradient[axis]);
            assert!(
                (slope - found).abs() < 2e-3 * (1.0 + slope.abs()),
                "{axis}: {slope} {found}"
            );
        }
    }
}
