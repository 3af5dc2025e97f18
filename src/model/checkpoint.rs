//! The weights of a model by name: what is there, what was read, what may stay unread.

use super::archive::{self, Archive, SAFETENSORS};
use super::ops::Matrix;
use super::source::ModelSource;
use super::take::Take;
use super::weights::{WeightMap, Weights};
use crate::error::{Error, Result};
use candle_core::{DType, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The weights of a model, read tensor by tensor: memory holds one tensor's bytes beside those already converted.
#[derive(Debug)]
pub struct Checkpoint {
    archive: Box<dyn Archive>,
    map: WeightMap,
    used: BTreeSet<String>,
    /// Weights of blocks that share theirs (ALBERT), so that memory holds them once.
    shared: BTreeMap<(String, Vec<usize>), Tensor>,
    shared_matrices: BTreeMap<(String, [usize; 2]), Matrix>,
}

impl Checkpoint {
    /// Opens the weight files of a model and checks their headers.
    ///
    /// # Errors
    /// [`Error::MissingModelFile`] if there are none; [`Error::Malformed`] for a header that lies or a truncated file.
    pub fn open(source: &ModelSource) -> Result<Self> {
        Ok(Self {
            archive: archive::open(source)?,
            map: WeightMap::default(),
            used: BTreeSet::new(),
            shared: BTreeMap::new(),
            shared_matrices: BTreeMap::new(),
        })
    }

    /// Whether a tensor of this (foreign) name is there.
    pub fn has(&self, foreign: &str) -> bool {
        self.archive.tensors().contains_key(foreign)
    }

    /// Sets how weights are called here.
    pub fn named_by(mut self, map: WeightMap) -> Self {
        self.map = map;
        self
    }

    /// A tensor by its foreign name, as f32; no shape is asked for.
    ///
    /// # Errors
    /// [`Error::MissingWeight`], [`Error::Malformed`] for a dtype that is no float, [`Error::NotFinite`] for NaN or infinity.
    pub fn read(&mut self, foreign: &str) -> Result<Tensor> {
        let tensor = self.archive.read(foreign)?;
        refuse_nonfinite(&tensor, &self.archive.path(foreign), foreign)?;
        self.used.insert(foreign.to_owned());
        Ok(tensor)
    }

    /// Numbers in the tensors that were read.
    pub fn parameters(&self) -> usize {
        let tensors = self.archive.tensors();
        let used = self.used.iter().filter_map(|name| tensors.get(name));
        used.map(|stored| stored.shape.iter().product::<usize>())
            .sum()
    }

    /// Checks that every tensor of the files was read or may stay unread, and returns the unread ones.
    ///
    /// # Errors
    /// [`Error::UnusedWeights`]: the numbers would not be the model's.
    pub fn finish(&self) -> Result<Vec<String>> {
        let names = self.archive.tensors().keys();
        let unread = names.filter(|n| !self.used.contains(*n));
        let (ignored, unknown): (Vec<String>, Vec<String>) =
            unread.cloned().partition(|n| self.map.is_ignored(n));
        match unknown.first() {
            None => Ok(ignored),
            Some(first) => Err(Error::UnusedWeights {
                path: self.archive.path(first),
                names: unknown,
            }),
        }
    }

    /// SHA-256 over the bytes of the weight files, in the order of their names. For a single file this is what
    /// `sha256sum` prints.
    pub fn sha256(&self) -> Result<String> {
        self.archive.sha256()
    }

    /// How many tensors are stored in each format, if the weights were quantised.
    pub fn quantised(&self) -> BTreeMap<String, usize> {
        self.archive.quantised()
    }

    /// The foreign name of the head's own projection to the vocabulary, if the files hold one.
    pub(super) fn unembedding(&self) -> Option<String> {
        Some(self.foreign("head.unembed.weight")).filter(|name| self.has(name))
    }

    /// A tensor that must have this shape, which is checked before the bytes are read.
    fn checked(&mut self, foreign: String, shape: &[usize]) -> Result<Tensor> {
        if let Some(stored) = self.archive.tensors().get(&foreign)
            && stored.shape != shape
        {
            return Err(Error::WrongShape {
                path: self.archive.path(&foreign),
                found: stored.shape.clone(),
                name: foreign,
                expected: shape.to_vec(),
            });
        }
        self.read(&foreign)
    }

    fn foreign(&self, name: &str) -> String {
        let foreign = self.map.foreign(name).unwrap_or_else(|| name.to_owned());
        let old = tensorflow_name(&foreign).filter(|old| !self.has(&foreign) && self.has(old));
        old.unwrap_or(foreign)
    }
}

impl Weights for Checkpoint {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let foreign = self.foreign(name);
        let key = (foreign.clone(), shape.to_vec());
        if let Some(tensor) = self.shared.get(&key) {
            return Ok(tensor.clone());
        }
        let take = self.map.take(name).clone();
        let sources: Vec<String> = match take {
            Take::Rows => (0..shape[0])
                .map(|row| foreign.replace("{h}", &row.to_string()))
                .collect(),
            _ => vec![foreign],
        };
        let source_shape = take.source_shape(shape);
        let tensors = sources
            .into_iter()
            .map(|source| self.checked(source, &source_shape))
            .collect::<Result<Vec<Tensor>>>()?;
        let tensor = take.pick(&tensors, shape)?;
        if self.map.shares_blocks() {
            self.shared.insert(key, tensor.clone());
        }
        Ok(tensor)
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix> {
        let key = (self.foreign(name), shape);
        if let Some(matrix) = self.shared_matrices.get(&key) {
            return Ok(matrix.clone());
        }
        let matrix = Matrix::new(self.get(name, &shape)?)?;
        if self.map.shares_blocks() {
            self.shared_matrices.insert(key, matrix.clone());
        }
        Ok(matrix)
    }
}

/// What TensorFlow called the weights of a norm: checkpoints that were converted from it have kept the names
/// (bert-base-uncased), and transformers reads them.
fn tensorflow_name(foreign: &str) -> Option<String> {
    let weight = foreign
        .strip_suffix(".weight")
        .map(|m| format!("{m}.gamma"));
    weight.or_else(|| Some(format!("{}.beta", foreign.strip_suffix(".bias")?)))
}

fn refuse_nonfinite(tensor: &Tensor, path: &Path, name: &str) -> Result<()> {
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::NotFinite {
            place: format!("{}: weight `{name}`, element {i}", path.display()),
            value: f64::from(values[i]),
        }),
    }
}

/// Writes tensors, given by plumb's names, as a `model.safetensors` with the names of the family's own checkpoints.
///
/// # Errors
/// [`Error::MissingWeight`] for a tensor that the family has no name for; [`Error::Io`].
pub fn write_checkpoint(
    folder: &Path,
    tensors: &BTreeMap<String, Tensor>,
    map: &WeightMap,
    dtype: DType,
) -> Result<()> {
    let path = folder.join(SAFETENSORS);
    let named = tensors.iter().map(|(name, tensor)| {
        if *map.take(name) != Take::Whole {
            return Err(Error::BadParameter {
                name: "family",
                value: name.clone(),
                problem: "checkpoints whose weights lie fused or transposed are not written"
                    .to_owned(),
            });
        }
        let foreign = map.foreign(name).ok_or_else(|| Error::MissingWeight {
            path: path.clone(),
            name: name.clone(),
        })?;
        Ok((foreign, tensor.to_dtype(dtype)?.contiguous()?))
    });
    let named: BTreeMap<String, Tensor> = named.collect::<Result<_>>()?;
    // transformers looks for this mark.
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(named, Some(metadata), &path).map_err(|e| Error::Malformed {
        path: path.clone(),
        problem: format!("could not be written ({e})"),
    })
}
