//! Tensors in safetensors files.

use super::shards::Shards;
use super::{Archive, Stored, malformed, sha256_of};
use crate::error::{Error, Result};
use crate::model::source::ModelSource;
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// The name of a checkpoint that is one file.
pub(crate) const SINGLE: &str = "model.safetensors";
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

/// One safetensors file, or shards with an index. Memory holds one tensor's bytes at a time.
#[derive(Debug)]
pub(super) struct Safetensors {
    source: ModelSource,
    files: Vec<String>,
    places: BTreeMap<String, Place>,
    tensors: BTreeMap<String, Stored>,
}

impl Safetensors {
    /// Reads the headers of the files and checks them against the files' sizes.
    ///
    /// # Errors
    /// [`Error::MissingModelFile`] if there are none; [`Error::Malformed`] for a header that lies or a truncated file.
    pub(super) fn open(source: &ModelSource) -> Result<Self> {
        // Only with neither there is the single file missed.
        let shards = match source.has(INDEX) && !source.has(SINGLE) {
            false => Shards::single(SINGLE),
            true => Shards::listed(source, INDEX, ".safetensors")?,
        };
        let places = shards.places(source, |file, i| read_header(source, file, i))?;
        let tensors = places.iter().map(|(name, place)| {
            let shape = place.info.shape.clone();
            (name.clone(), Stored { shape })
        });
        Ok(Self {
            source: source.clone(),
            files: shards.files,
            tensors: tensors.collect(),
            places,
        })
    }
}

impl Archive for Safetensors {
    fn tensors(&self) -> &BTreeMap<String, Stored> {
        &self.tensors
    }

    fn read(&self, name: &str) -> Result<Tensor> {
        let path = &self.path(name);
        let place = self.places.get(name).ok_or_else(|| Error::MissingWeight {
            path: path.clone(),
            name: name.to_owned(),
        })?;
        let dtype = match place.info.dtype {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            other => {
                return Err(malformed(
                    path,
                    format!(
                        "the weight `{name}` has dtype {other:?}; f32, f16, bf16 and f64 are read"
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
        let tensor = Tensor::from_raw_buffer(&bytes, dtype, &place.info.shape, &Device::Cpu)?;
        Ok(tensor.to_dtype(DType::F32)?)
    }

    fn path(&self, name: &str) -> PathBuf {
        let file = self.places.get(name).map_or(0, |place| place.file);
        self.source.path(&self.files[file])
    }

    fn sha256(&self) -> Result<String> {
        sha256_of(&self.source, &self.files)
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
