//! How numbers are stored in a GGUF file.

use super::header::Problem;
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Tensor};
use std::borrow::Cow;
use std::fmt;

/// A type of numbers, by `ggml_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Plain numbers.
    Plain(DType),
    /// Blocks of small integers with common scales.
    Blocks(GgmlDType),
}

/// The formats that are known and not read, so that a message can name them.
const UNREAD: &[(u32, &str)] = &[
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

impl Format {
    pub(super) fn from_id(id: u32) -> Result<Self, Problem> {
        Ok(match id {
            0 => Format::Plain(DType::F32),
            1 => Format::Plain(DType::F16),
            28 => Format::Plain(DType::F64),
            30 => Format::Plain(DType::BF16),
            2 => Format::Blocks(GgmlDType::Q4_0),
            3 => Format::Blocks(GgmlDType::Q4_1),
            6 => Format::Blocks(GgmlDType::Q5_0),
            7 => Format::Blocks(GgmlDType::Q5_1),
            8 => Format::Blocks(GgmlDType::Q8_0),
            10 => Format::Blocks(GgmlDType::Q2K),
            11 => Format::Blocks(GgmlDType::Q3K),
            12 => Format::Blocks(GgmlDType::Q4K),
            13 => Format::Blocks(GgmlDType::Q5K),
            14 => Format::Blocks(GgmlDType::Q6K),
            id => {
                let name = UNREAD.iter().find(|(unread, _)| *unread == id);
                let name = name.map_or(format!("of type {id}"), |(_, name)| (*name).to_owned());
                return Err(format!(
                    "its numbers are {name}; read are F32, F16, BF16, F64, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 and Q2_K to Q6_K"
                ));
            }
        })
    }

    /// The bytes of a tensor of this shape.
    pub(super) fn bytes(self, shape: &[usize]) -> Result<u64, Problem> {
        let (block, size) = match self {
            Format::Plain(dtype) => (1, dtype.size_in_bytes()),
            Format::Blocks(dtype) => (dtype.block_size(), dtype.type_size()),
        };
        let row = shape.last().copied().unwrap_or(1);
        if row % block != 0 {
            return Err(format!("rows of {row} numbers in blocks of {block}"));
        }
        let start = Some((size as u64).saturating_mul((row / block) as u64));
        let rows = shape.iter().rev().skip(1);
        rows.fold(start, |bytes, n| bytes?.checked_mul(*n as u64))
            .ok_or_else(|| format!("shape {shape:?} is too large"))
    }

    /// The numbers, as f32.
    pub(super) fn dequantise(self, bytes: Vec<u8>, shape: &[usize]) -> candle_core::Result<Tensor> {
        match self {
            Format::Plain(dtype) => {
                Tensor::from_raw_buffer(&bytes, dtype, shape, &Device::Cpu)?.to_dtype(DType::F32)
            }
            Format::Blocks(dtype) => {
                let storage = QStorage::from_data(Cow::Owned(bytes), &Device::Cpu, dtype)?;
                QTensor::new(storage, shape)?.dequantize(&Device::Cpu)
            }
        }
    }
}

/// As llama.cpp writes it.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Format::Plain(dtype) => write!(f, "{}", dtype.as_str().to_uppercase()),
            Format::Blocks(dtype) => {
                // candle leaves the underscore of K-quants out.
                let name = format!("{dtype:?}");
                f.write_str(&name.replace('K', "_K"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::gguf::Gguf;
    use candle_core::{Device, safetensors};
    use std::path::Path;

    #[test]
    fn every_format_is_dequantised_as_the_gguf_package_does_it() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gguf");
        let file = Gguf::open(&folder.join("blocks.gguf")).unwrap();
        let expected = safetensors::load(folder.join("blocks.safetensors"), &Device::Cpu).unwrap();
        assert_eq!(expected.len(), 13);
        for (name, expected) in expected {
            let found = file.read(&name).unwrap();
            assert_eq!(found.dims(), expected.dims(), "{name}");
            let values =
                |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (found, expected) = (values(&found), values(&expected));
            let largest = expected.iter().fold(0.0, |m: f32, x| m.max(x.abs()));
            assert!(largest > 0.1, "{name}");
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() <= 1e-6 * largest, "{name}: {a} {b}");
            }
            let stored = file.formats().contains_key(&name);
            assert!(stored, "{name} is called so");
        }
    }
}
