//! The header of a safetensors file.

use super::plain::{Format, Order, Place, no_float};
use super::{malformed, open_sized};
use crate::error::{Error, Result};
use crate::model::source::ModelSource;
use candle_core::DType;
use safetensors::tensor::{Dtype, Metadata};
use std::io::Read;

/// Longer headers are refused, as the safetensors format does.
const MAX_HEADER: u64 = 100_000_000;

pub(super) const FORMAT: Format = Format {
    single: "model.safetensors",
    index: "model.safetensors.index.json",
    extension: ".safetensors",
    read_header,
};

/// Where every tensor of a file lies, checked against the file's size.
fn read_header(source: &ModelSource, name: &str, file: usize) -> Result<Vec<(String, Place)>> {
    let path = &source.path(name);
    let (mut source, size) = open_sized(source, name)?;
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
        let place = Place {
            file,
            offset: 8 + length + info.data_offsets.0 as u64,
            length: info.data_offsets.1 - info.data_offsets.0,
            numbers: float(info.dtype).map(|dtype| (dtype, Order::RowMajor)),
            shape: info.shape.clone(),
        };
        (name, place)
    });
    Ok(places.collect())
}

fn float(dtype: Dtype) -> Result<DType, String> {
    match dtype {
        Dtype::F32 => Ok(DType::F32),
        Dtype::F16 => Ok(DType::F16),
        Dtype::BF16 => Ok(DType::BF16),
        Dtype::F64 => Ok(DType::F64),
        other => Err(no_float(&format!("{other:?}"))),
    }
}
