//! Tensors that lie in files as plain bytes.

use super::shards::Shards;
use super::{Archive, Stored, malformed, sha256_of};
use crate::error::{Error, Result};
use crate::model::source::ModelSource;
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// A format of checkpoints: how its files are called, and who reads their headers.
#[derive(Debug)]
pub(super) struct Format {
    /// The name of a checkpoint that is one file.
    pub single: &'static str,
    /// The name of the index of one that is several.
    pub index: &'static str,
    /// What the names of those end in, with the dot.
    pub extension: &'static str,
    pub read_header: ReadHeader,
}

/// Where every tensor of a file lies; the arguments are the file's name and its number.
type ReadHeader = fn(&ModelSource, &str, usize) -> Result<Vec<(String, Place)>>;

/// Where one tensor lies. Whoever makes one has checked that the bytes are there, and as many as the shape needs.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Number of the file.
    pub file: usize,
    /// Of the tensor's first byte in the file.
    pub offset: u64,
    /// In bytes.
    pub length: usize,
    /// The type of its numbers and their order; or why it cannot be read, which matters only if it is asked for.
    pub numbers: Result<(DType, Order), String>,
    pub shape: Vec<usize>,
}

/// The problem with a tensor of another type than these.
pub(super) fn no_float(dtype: &str) -> String {
    format!("has dtype {dtype}; f32, f16, bf16 and f64 are read")
}

/// Which axis is the fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The last one.
    RowMajor,
    /// The first one: what torch saves of a transposed matrix.
    ColumnMajor,
}

/// The tensors of one file, or of shards with an index. Memory holds one tensor's bytes at a time.
#[derive(Debug)]
pub(super) struct Plain {
    source: ModelSource,
    files: Vec<String>,
    places: BTreeMap<String, Place>,
    tensors: BTreeMap<String, Stored>,
}

impl Plain {
    /// Reads the headers of a checkpoint of this format, if one is there. A single file goes before shards.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a header or an index that lies, or a truncated file.
    pub(super) fn open(source: &ModelSource, format: &Format) -> Result<Option<Self>> {
        let shards = match (source.has(format.single), source.has(format.index)) {
            (true, _) => Shards::single(format.single),
            (false, true) => Shards::listed(source, format.index, format.extension)?,
            (false, false) => return Ok(None),
        };
        let places = shards.places(source, |file, i| (format.read_header)(source, file, i))?;
        let tensors = places.iter().map(|(name, place)| {
            let shape = place.shape.clone();
            (name.clone(), Stored { shape })
        });
        Ok(Some(Self {
            source: source.clone(),
            files: shards.files,
            tensors: tensors.collect(),
            places,
        }))
    }
}

impl Archive for Plain {
    fn tensors(&self) -> &BTreeMap<String, Stored> {
        &self.tensors
    }

    fn read(&self, name: &str) -> Result<Tensor> {
        let path = &self.path(name);
        let place = self.places.get(name).ok_or_else(|| Error::MissingWeight {
            path: path.clone(),
            name: name.to_owned(),
        })?;
        let (dtype, order) = place
            .numbers
            .clone()
            .map_err(|problem| malformed(path, format!("the weight `{name}` {problem}")))?;
        let mut bytes = vec![0; place.length];
        let mut file = self.source.open(&self.files[place.file])?;
        file.seek(SeekFrom::Start(place.offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|e| Error::io(path, e))?;
        let tensor = match order {
            Order::RowMajor => Tensor::from_raw_buffer(&bytes, dtype, &place.shape, &Device::Cpu)?,
            Order::ColumnMajor => {
                let axes: Vec<usize> = (0..place.shape.len()).rev().collect();
                let shape: Vec<usize> = place.shape.iter().rev().copied().collect();
                Tensor::from_raw_buffer(&bytes, dtype, &shape, &Device::Cpu)?
                    .permute(axes)?
                    .contiguous()?
            }
        };
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
