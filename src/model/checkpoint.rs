//! Weights in safetensors files: one file, or shards with an index.

use super::source::ModelSource;
use super::weights::{WeightMap, Weights};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// Longer headers are refused, as the safetensors format does.
const MAX_HEADER: u64 = 100_000_000;

/// Where one tensor lies.
#[derive(Debug, Clone)]
struct Place {
    file: usize,
    info: TensorInfo,
    /// Of the tensor's first byte in the file.
    offset: u64,
}

/// The weights of a model, read tensor by tensor: memory holds one tensor's bytes beside those already converted.
#[derive(Debug)]
pub struct Checkpoint {
    source: ModelSource,
    files: Vec<String>,
    places: BTreeMap<String, Place>,
    map: WeightMap,
    used: BTreeSet<String>,
}

impl Checkpoint {
    /// Reads the headers of the weight files and checks them against the files' sizes.
    ///
    /// # Errors
    /// [`Error::MissingModelFile`] if there are none; [`Error::Malformed`] for a header that lies or a truncated file.
    pub fn open(source: &ModelSource) -> Result<Self> {
        // Only with neither there is the single file missed.
        let (files, listed) = match source.has(INDEX) && !source.has(SINGLE) {
            false => (vec![SINGLE.to_owned()], BTreeMap::new()),
            true => {
                let listed = read_index(source)?;
                let files: BTreeSet<String> = listed.values().cloned().collect();
                (files.into_iter().collect(), listed)
            }
        };
        let mut places = BTreeMap::new();
        for (i, file) in files.iter().enumerate() {
            for (name, place) in read_header(source, file, i)? {
                if places.insert(name.clone(), place).is_some() {
                    let problem = format!("the tensor `{name}` is in two shards");
                    return Err(malformed(&source.path(file), problem));
                }
            }
        }
        if let Some(name) = listed.keys().find(|n| !places.contains_key(*n)) {
            return Err(malformed(
                &source.path(INDEX),
                format!("it lists the tensor `{name}`, which is in none of its shards"),
            ));
        }
        Ok(Self {
            source: source.clone(),
            files,
            places,
            map: WeightMap::default(),
            used: BTreeSet::new(),
        })
    }

    /// Whether a tensor of this (foreign) name is there.
    pub fn has(&self, foreign: &str) -> bool {
        self.places.contains_key(foreign)
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
        let place = self
            .places
            .get(foreign)
            .ok_or_else(|| Error::MissingWeight {
                path: self.source.path(&self.files[0]),
                name: foreign.to_owned(),
            })?;
        let path = &self.source.path(&self.files[place.file]);
        let dtype = match place.info.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            other => {
                return Err(malformed(
                    path,
                    format!(
                        "the weight `{foreign}` has dtype {other:?}; f32, f16, bf16 and f64 are read"
                    ),
                ));
            }
        };
        let (start, end) = place.info.data_offsets;
        let mut bytes = vec![0; end - start];
        let mut file = self.source.open(&self.files[place.file])?;
        file.seek(SeekFrom::Start(place.offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|e| Error::io(path, e))?;
        let tensor = Tensor::from_raw_buffer(&bytes, dtype, &place.info.shape, &Device::Cpu)?
            .to_dtype(DType::F32)?;
        refuse_nonfinite(&tensor, path, foreign)?;
        self.used.insert(foreign.to_owned());
        Ok(tensor)
    }

    /// Checks that every tensor of the files was read or may stay unread, and returns the unread ones.
    ///
    /// # Errors
    /// [`Error::UnusedWeights`]: the numbers would not be the model's.
    pub fn finish(&self) -> Result<Vec<String>> {
        let unread = self.places.keys().filter(|n| !self.used.contains(*n));
        let (ignored, unknown): (Vec<String>, Vec<String>) =
            unread.cloned().partition(|n| self.map.is_ignored(n));
        match unknown.is_empty() {
            true => Ok(ignored),
            false => Err(Error::UnusedWeights {
                path: self.source.path(&self.files[0]),
                names: unknown,
            }),
        }
    }

    /// SHA-256 over the bytes of the weight files, in the order of their names. For a single file this is what
    /// `sha256sum` prints.
    pub fn sha256(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        for name in &self.files {
            let mut file = self.source.open(name)?;
            loop {
                let n = file.read(&mut buffer);
                let n = n.map_err(|e| Error::io(self.source.path(name), e))?;
                if n == 0 {
                    break;
                }
                hasher.update(&buffer[..n]);
            }
        }
        Ok(format!("{:x}", hasher.finalize()))
    }

    /// The foreign name of the head's own projection to the vocabulary, if the files hold one.
    pub(super) fn unembedding(&self) -> Option<String> {
        Some(self.foreign("head.unembed.weight")).filter(|name| self.has(name))
    }

    fn foreign(&self, name: &str) -> String {
        self.map.foreign(name).unwrap_or_else(|| name.to_owned())
    }
}

impl Weights for Checkpoint {
    fn get(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let foreign = self.foreign(name);
        // The shape is checked before the bytes are read.
        if let Some(place) = self.places.get(&foreign)
            && place.info.shape != shape
        {
            return Err(Error::WrongShape {
                path: self.source.path(&self.files[place.file]),
                name: foreign,
                found: place.info.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        self.read(&foreign)
    }
}

fn malformed(path: &Path, problem: String) -> Error {
    Error::Malformed {
        path: path.to_owned(),
        problem,
    }
}

/// The shard of every tensor. A shard must lie in the folder itself.
fn read_index(source: &ModelSource) -> Result<BTreeMap<String, String>> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let path = &source.path(INDEX);
    let index: Index = serde_json::from_slice(&source.read(INDEX)?)
        .map_err(|e| malformed(path, format!("not a safetensors index ({e})")))?;
    let outside = index.weight_map.values().find(|file| {
        Path::new(file).file_name() != Some(file.as_ref()) || !file.ends_with(".safetensors")
    });
    match outside {
        Some(file) => Err(malformed(
            path,
            format!("the shard `{file}` is not a safetensors file of this folder"),
        )),
        None if index.weight_map.is_empty() => {
            Err(malformed(path, "the index lists no tensors".to_owned()))
        }
        None => Ok(index.weight_map),
    }
}

fn read_header(source: &ModelSource, name: &str, file: usize) -> Result<Vec<(String, Place)>> {
    let path = &source.path(name);
    let mut source = source.open(name)?;
    let size = source
        .seek(SeekFrom::End(0))
        .and_then(|size| source.rewind().map(|()| size))
        .map_err(|e| Error::io(path, e))?;
    let mut length = [0; 8];
    source
        .read_exact(&mut length)
        .map_err(|_| malformed(path, format!("{size} bytes are no safetensors file")))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER || length > size - 8 {
        return Err(malformed(
            path,
            format!(
                "the header claims {length} bytes, but the file has {size}; it is truncated or no safetensors file"
            ),
        ));
    }
    let mut header = vec![0; length as usize];
    source
        .read_exact(&mut header)
        .map_err(|e| Error::io(path, e))?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|e| malformed(path, format!("the safetensors header is invalid ({e})")))?;
    // Deserialising only sorts; building anew checks that the tensors' ranges join up and fit their shapes.
    let tensors = metadata.offset_keys().into_iter().filter_map(|name| {
        let info = metadata.info(&name)?.clone();
        Some((name, info))
    });
    let metadata = Metadata::new(None, tensors.collect())
        .map_err(|e| malformed(path, format!("the safetensors header is invalid ({e})")))?;
    let expected = 8 + length + metadata.data_len() as u64;
    if expected != size {
        return Err(malformed(
            path,
            format!(
                "the header describes {expected} bytes, but the file has {size}; it is truncated or damaged"
            ),
        ));
    }
    let places = metadata.tensors().into_iter().map(|(name, info)| {
        let offset = 8 + length + info.data_offsets.0 as u64;
        let info = info.clone();
        (name, Place { file, info, offset })
    });
    Ok(places.collect())
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
    let path = folder.join(SINGLE);
    let named = tensors.iter().map(|(name, tensor)| {
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
