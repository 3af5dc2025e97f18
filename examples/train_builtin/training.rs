//! Training: the model's weights as variables, and what moves them.

use super::documents::{Documents, Part, Reader, pack};
use super::{Recipe, World};
use anyhow::{Context, Result, anyhow, bail};
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use plumb::hook::NoHook;
use plumb::model::{ArchSpec, Model, RandomWeights, Recorded, Transformer, ops};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// How many parts of a step are differentiated side by side. Part of the recipe: sums depend on it.
const PARTS: usize = 2;

/// The cross-entropy of the next token in nats, summed over the tokens of a batch.
pub(crate) fn loss(model: &Transformer, (batch, targets): &Part) -> Result<Tensor> {
    let output = model.forward(batch, &mut NoHook)?;
    let logits = output.and_then(|o| o.logits).context("no logits")?;
    Ok(ops::cross_entropy(&logits, targets)?)
}

/// A model whose weights are variables, and what moves them.
pub(crate) struct Training<'a> {
    recipe: &'a Recipe,
    model: Transformer,
    vars: BTreeMap<String, Var>,
    optimizers: [AdamW; 2],
    /// One thread each: a thread of its own is worth more to each part than help with matrices this small.
    pools: Vec<ThreadPool>,
    first: usize,
}

impl<'a> Training<'a> {
    pub(crate) fn new(recipe: &'a Recipe, spec: ArchSpec) -> Result<Self> {
        let (weights, first) = match &recipe.resume {
            Some(path) => resumed(path)?,
            None => (initial(&spec, recipe.seed)?, 0),
        };
        let vars: BTreeMap<String, Var> = weights
            .iter()
            .map(|(name, t)| Ok((name.clone(), Var::from_tensor(t)?)))
            .collect::<Result<_>>()?;
        let mut tensors: BTreeMap<String, Tensor> = vars
            .iter()
            .map(|(name, var)| (name.clone(), var.as_tensor().clone()))
            .collect();
        let model = Transformer::build(spec, &mut tensors)?;
        let (matrices, norms): (Vec<Var>, Vec<Var>) =
            vars.values().cloned().partition(|v| v.rank() > 1);
        let adam = |vars, weight_decay| {
            let params = ParamsAdamW {
                lr: 0.0,
                beta1: 0.9,
                beta2: 0.98,
                eps: 1e-8,
                weight_decay,
            };
            AdamW::new(vars, params)
        };
        let pool = || ThreadPoolBuilder::new().num_threads(1).build();
        Ok(Self {
            recipe,
            model,
            optimizers: [adam(matrices, recipe.weight_decay)?, adam(norms, 0.0)?],
            pools: (0..PARTS).map(|_| pool()).collect::<Result<_, _>>()?,
            vars,
            first,
        })
    }

    /// The weights by plumb's names.
    pub(crate) fn weights(&self) -> BTreeMap<String, Tensor> {
        let detached = |(name, var): (&String, &Var)| (name.clone(), var.as_detached_tensor());
        self.vars.iter().map(detached).collect()
    }

    /// Takes all steps, from the first or from that of the checkpoint.
    pub(crate) fn run(&mut self, world: &World, reader: &Reader) -> Result<()> {
        let recipe = self.recipe;
        let mut documents = Documents::new(world, recipe.seed);
        for step in 0..self.first {
            documents.next(recipe, step);
        }
        let parameters: usize = self.vars.values().map(|v| v.elem_count()).sum();
        eprintln!(
            "{parameters} parameters, {} tokens in the vocabulary",
            reader.vocabulary()
        );
        let last = recipe.stop.unwrap_or(recipe.steps).min(recipe.steps);
        let (start, mut smooth) = (Instant::now(), None);
        for step in self.first..last {
            let lines = documents.next(recipe, step);
            let texts = lines.iter().map(|(text, spell)| reader.read(text, *spell));
            let texts: Vec<Vec<u32>> = texts.collect::<Result<_>>()?;
            let parts = texts.chunks(recipe.batch.div_ceil(PARTS)).map(pack);
            let loss = self.step(step, &parts.collect::<Result<Vec<_>>>()?)?;
            if !loss.is_finite() {
                bail!("step {step}: the loss is {loss}");
            }
            let smoothed = smooth.map_or(loss, |before| 0.98 * before + 0.02 * loss);
            smooth = Some(smoothed);
            let done = step + 1;
            if done % 50 == 0 || done == last {
                let seconds = start.elapsed().as_secs_f64();
                let rate = (done - self.first) as f64 / seconds;
                eprintln!("step {done}: loss {smoothed:.4}, {seconds:.0} s, {rate:.2} steps/s");
            }
            if let Some(folder) = &recipe.checkpoints
                && done % 500 == 0
            {
                std::fs::create_dir_all(folder)?;
                let path = folder.join(format!("step-{done}.safetensors"));
                safetensors::serialize_to_file(self.weights(), None, &path)?;
            }
        }
        Ok(())
    }

    /// One step; returns the mean loss before it.
    fn step(&mut self, step: usize, parts: &[Part]) -> Result<f64> {
        let tokens: usize = parts.iter().map(|(batch, _)| batch.tokens()).sum();
        let model = &self.model;
        let differentiate = |part| -> Result<(f64, GradStore)> {
            let mean = (loss(model, part)? / tokens as f64)?;
            Ok((f64::from(mean.to_scalar::<f32>()?), mean.backward()?))
        };
        let done: Vec<Result<(f64, GradStore)>> = std::thread::scope(|scope| {
            let threads: Vec<_> = self
                .pools
                .iter()
                .zip(parts)
                .map(|(pool, part)| scope.spawn(move || pool.install(|| differentiate(part))))
                .collect();
            let join = |t: std::thread::ScopedJoinHandle<'_, _>| {
                t.join()
                    .unwrap_or_else(|_| Err(anyhow!("a thread of the training panicked")))
            };
            threads.into_iter().map(join).collect()
        });
        let done = done.into_iter().collect::<Result<Vec<_>>>()?;
        let mean = done.iter().map(|(loss, _)| loss).sum();
        let gradients = self.gather(done.into_iter().map(|(_, store)| store))?;
        for optimizer in &mut self.optimizers {
            optimizer.set_learning_rate(self.recipe.rate_at(step));
            optimizer.step(&gradients)?;
        }
        Ok(mean)
    }

    /// The sum of the parts' gradients, clipped.
    fn gather(&self, mut parts: impl Iterator<Item = GradStore>) -> Result<GradStore> {
        let mut sum = parts.next().context("a step without documents")?;
        for part in parts {
            for (name, var) in &self.vars {
                let gradient = part
                    .get(var)
                    .with_context(|| format!("{name}: no gradient"))?;
                let total = match sum.get(var) {
                    Some(before) => (before + gradient)?,
                    None => gradient.clone(),
                };
                sum.insert(var, total);
            }
        }
        let mut square = 0.0;
        for (name, var) in &self.vars {
            let gradient = sum
                .get(var)
                .with_context(|| format!("{name}: no gradient"))?;
            square += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        let scale = self.recipe.clip / square.sqrt();
        if scale < 1.0 {
            for var in self.vars.values() {
                if let Some(scaled) = sum.get(var).map(|g| g * scale) {
                    sum.insert(var, scaled?);
                }
            }
        }
        Ok(sum)
    }
}

/// Normal weights with the inverse root of the width that they read; what is added to the stream begins smaller, since
/// there are two such terms a layer (Radford et al. 2019).
fn initial(spec: &ArchSpec, seed: u64) -> Result<BTreeMap<String, Tensor>> {
    let mut weights = Recorded::new(RandomWeights::for_training(seed, 1.0));
    let layers = spec.n_layers;
    Transformer::build(spec.clone(), &mut weights)?;
    for (name, weight) in &mut weights.taken {
        if name.ends_with("attn.o.weight") || name.ends_with("mlp.out.weight") {
            *weight = (&*weight * (2.0 * layers as f64).powf(-0.5))?;
        }
    }
    Ok(weights.taken)
}

fn resumed(path: &Path) -> Result<(BTreeMap<String, Tensor>, usize)> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let step = name.strip_prefix("step-").and_then(|n| n.parse().ok());
    let step = step.with_context(|| format!("{}: not a step-N.safetensors", path.display()))?;
    let weights = candle_core::safetensors::load(path, &Device::Cpu)?;
    Ok((weights.into_iter().collect(), step))
}
