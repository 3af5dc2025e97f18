//! Where weights come from: their names in a foreign checkpoint, and sources that are no file.

use super::ops::Matrix;
use super::take::{Part, Take};
use crate::error::Result;
use candle_core::{DType, Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A source of named weights, as f32 tensors on the CPU.
///
/// Names are plumb's own: `embed.tokens.weight`, `blocks.0.attn.q.bias`, `final_norm.weight`, … Linear weights have shape
/// `[out, in]`.
pub trait Weights {
    /// The weight `name`, which must have this shape.
    ///
    /// # Errors
    /// [`crate::error::Error::MissingWeight`] or [`crate::error::Error::WrongShape`], naming it as its file does.
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Tensor>;

    /// The weight of a linear layer, `[out, in]`.
    ///
    /// # Errors
    /// As [`Weights::get`].
    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix> {
        Matrix::new(self.get(name, &shape)?)
    }
}

/// How the weights of a family are called in its checkpoints, and how they lie there.
#[derive(Debug, Clone, Default)]
pub struct WeightMap {
    rules: Vec<(String, String)>,
    takes: Vec<(String, Take)>,
    ignored: Vec<String>,
    prefix: String,
    /// What stands for `{i}` in the foreign names of each of our blocks; empty where it is the number.
    blocks: Vec<String>,
}

impl WeightMap {
    /// Rules from our module names to foreign ones. `{i}` stands for the block, `{p}` for the prefix.
    pub fn new<const N: usize>(rules: [(&str, &str); N]) -> Self {
        Self {
            rules: rules.map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
            ..Self::default()
        }
    }

    /// What `{p}` stands for.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.to_owned();
        self
    }

    /// Foreign names (or beginnings of names, ending in a dot) that may stay unread.
    pub fn ignoring(mut self, names: &[&str]) -> Self {
        self.ignored.extend(names.iter().map(|n| n.to_string()));
        self
    }

    /// More rules, which come before the others.
    pub(crate) fn also<const N: usize>(mut self, rules: [(&str, &str); N]) -> Self {
        let rules = rules.map(|(a, b)| (a.to_owned(), b.to_owned()));
        self.rules.splice(0..0, rules);
        self
    }

    /// How some of our modules are taken from their tensors.
    pub(crate) fn taking<const N: usize>(mut self, modules: [&str; N], take: &Take) -> Self {
        let takes = modules.map(|m| (m.to_owned(), take.clone()));
        self.takes.extend(takes);
        self
    }

    /// Queries, keys and values in one tensor: `groups` times the slots of the three, where a slot is a head.
    pub(crate) fn fused_qkv(
        mut self,
        theirs: &str,
        groups: usize,
        slots: [usize; 3],
        transposed: bool,
    ) -> Self {
        let of = slots.iter().sum();
        let mut start = 0;
        for (module, slots) in ["q", "k", "v"].into_iter().zip(slots) {
            let part = Part {
                groups,
                of,
                slots: start..start + slots,
                transposed,
            };
            start += slots;
            let ours = format!("blocks.{{i}}.attn.{module}");
            self.rules.insert(0, (ours.clone(), theirs.to_owned()));
            self.takes.push((ours, Take::Part(part)));
        }
        self
    }

    /// Two modules of equal height, one above the other, in one tensor.
    pub(crate) fn stacked(mut self, theirs: &str, ours: [&str; 2]) -> Self {
        for (slot, module) in ours.into_iter().enumerate() {
            let part = Part {
                groups: 1,
                of: 2,
                slots: slot..slot + 1,
                transposed: false,
            };
            self.rules.insert(0, (module.to_owned(), theirs.to_owned()));
            self.takes.push((module.to_owned(), Take::Part(part)));
        }
        self
    }

    /// Blocks that share weights: what stands for `{i}` in the foreign names of each of ours.
    pub(crate) fn sharing(mut self, blocks: Vec<String>) -> Self {
        self.blocks = blocks;
        self
    }

    /// The foreign name of one of our weights.
    pub fn foreign(&self, name: &str) -> Option<String> {
        let (pattern, layer) = with_layer_removed(name, "blocks.");
        let layer = match layer.parse::<usize>() {
            Ok(l) => self.blocks.get(l).cloned().unwrap_or(layer),
            Err(_) => layer,
        };
        self.rules.iter().find_map(|(ours, theirs)| {
            let rest = below(&pattern, ours)?;
            let theirs = theirs.replace("{p}", &self.prefix);
            Some(format!("{}{rest}", theirs.replace("{i}", &layer)))
        })
    }

    /// How one of our weights is taken from its tensor.
    pub(crate) fn take(&self, name: &str) -> &Take {
        let (pattern, _) = with_layer_removed(name, "blocks.");
        let mut takes = self.takes.iter();
        let found = takes.find(|(ours, _)| below(&pattern, ours).is_some());
        found.map_or(&Take::Whole, |(_, take)| take)
    }

    /// Whether several of our weights are the same foreign tensor.
    pub(crate) fn shares_blocks(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Whether a foreign weight may stay unread.
    pub fn is_ignored(&self, foreign: &str) -> bool {
        self.ignored.iter().any(|pattern| {
            let pattern = pattern.replace("{p}", &self.prefix);
            match pattern.split_once("{i}") {
                None if pattern.ends_with('.') => foreign.starts_with(&pattern),
                None => foreign == pattern,
                Some((before, _)) => {
                    let (found, _) = with_layer_removed(foreign, before);
                    found == pattern
                }
            }
        })
    }
}

/// What stands behind a module's name in that of a weight.
fn below<'a>(name: &'a str, module: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(module)?;
    (rest.is_empty() || rest.starts_with('.')).then_some(rest)
}

/// `blocks.3.attn.q` becomes (`blocks.{i}.attn.q`, `3`); a name without a number after `before` stays as it is.
fn with_layer_removed(name: &str, before: &str) -> (String, String) {
    let layer: Option<&str> = name
        .strip_prefix(before)
        .and_then(|rest| rest.split('.').next())
        .filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    match layer {
        None => (name.to_owned(), String::new()),
        Some(layer) => (
            format!("{before}{{i}}{}", &name[before.len() + layer.len()..]),
            layer.to_owned(),
        ),
    }
}

/// Seeded random weights: for tests, for controls, and to begin training from.
///
/// Linear weights and embeddings are normal with standard deviation `scale / sqrt(in)`; norms are moved away from 1 and
/// biases from 0 by `jitter`, so that nothing is degenerate. Each weight's values depend on the seed and its name alone.
#[derive(Debug)]
pub struct RandomWeights {
    seed: u64,
    scale: f64,
    jitter: f64,
}

impl RandomWeights {
    /// Weights from this seed, with `scale` 1 and `jitter` 0.1.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            scale: 1.0,
            jitter: 0.1,
        }
    }

    /// Weights to begin training from: norms exactly 1, biases exactly 0, the given `scale`.
    pub fn for_training(seed: u64, scale: f64) -> Self {
        Self {
            seed,
            scale,
            jitter: 0.0,
        }
    }
}

impl Weights for RandomWeights {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let name_seed = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ name_seed);
        let (mean, deviation) = match shape {
            _ if name.ends_with("norm.weight") => (1.0, self.jitter),
            [_] => (0.0, self.jitter),
            [.., width] if name.starts_with("embed.") => (0.0, self.scale / (*width as f64).sqrt()),
            [.., inner] => (0.0, self.scale / (*inner as f64).sqrt()),
            [] => (0.0, self.jitter),
        };
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|_| (mean + deviation * standard_normal(&mut rng)) as f32)
            .collect();
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

/// Box and Muller's transform of two uniform numbers.
fn standard_normal(rng: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// A source that remembers what was taken from another one: the list of an architecture's weights, to be saved or trained.
#[derive(Debug)]
pub struct Recorded<W> {
    inner: W,
    /// What was taken, by plumb's names.
    pub taken: BTreeMap<String, Tensor>,
}

impl<W: Weights> Recorded<W> {
    /// Remembers what is taken from `inner`.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            taken: BTreeMap::new(),
        }
    }
}

impl<W: Weights> Weights for Recorded<W> {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.inner.get(name, shape)?;
        self.taken.insert(name.to_owned(), tensor.clone());
        Ok(tensor)
    }
}

/// Tensors by plumb's names, for instance the variables of a training run.
impl Weights for BTreeMap<String, Tensor> {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let path = std::path::PathBuf::from("(tensors in memory)");
        match BTreeMap::get(self, name) {
            None => Err(crate::error::Error::MissingWeight {
                path,
                name: name.to_owned(),
            }),
            Some(t) if t.dims() != shape => Err(crate::error::Error::WrongShape {
                path,
                name: name.to_owned(),
                found: t.dims().to_vec(),
                expected: shape.to_vec(),
            }),
            Some(t) if t.dtype() == DType::F32 => Ok(t.clone()),
            Some(t) => Ok(t.to_dtype(DType::F32)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> WeightMap {
        WeightMap::new([
            ("embed.tokens", "{p}wte"),
            ("blocks.{i}.attn.q", "{p}h.{i}.q_proj"),
            ("head.bias", "lm.bias"),
        ])
        .prefix("model.")
        .ignoring(&["other.", "{p}h.{i}.mask"])
    }

    #[test]
    fn names_are_translated_by_module() {
        assert_eq!(
            map().foreign("embed.tokens.weight").unwrap(),
            "model.wte.weight"
        );
        assert_eq!(
            map().foreign("blocks.12.attn.q.bias").unwrap(),
            "model.h.12.q_proj.bias"
        );
        assert_eq!(map().foreign("head.bias").unwrap(), "lm.bias");
        assert_eq!(map().foreign("embed.tokensx.weight"), None);
    }

    #[test]
    fn only_listed_names_may_stay_unread() {
        assert!(map().is_ignored("other.weight"));
        assert!(map().is_ignored("model.h.3.mask"));
        assert!(!map().is_ignored("model.h.3.maskx"));
        assert!(!map().is_ignored("model.wte.bias"));
    }

    #[test]
    fn random_weights_depend_on_seed_and_name_alone() {
        let take = |seed, name: &str| {
            let mut w = RandomWeights::new(seed);
            w.get(name, &[3, 4]).unwrap().to_vec2::<f32>().unwrap()
        };
        assert_eq!(take(1, "a"), take(1, "a"));
        assert_ne!(take(1, "a"), take(1, "b"));
        assert_ne!(take(1, "a"), take(2, "a"));
    }
}
