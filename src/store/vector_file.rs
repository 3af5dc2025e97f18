//! Vectors in files of other programs: `.npy`, `.json`, `.safetensors`.

use crate::error::{Error, Result};
use npyz::{NpyFile, Order};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use std::path::Path;

/// One vector, or several as the rows of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct FileVectors {
    /// How many numbers a vector has.
    pub width: usize,
    /// All numbers, vector after vector.
    pub values: Vec<f32>,
}

/// The largest file that is read.
const MOST_BYTES: u64 = 8 << 30;

impl FileVectors {
    /// Reads a file whose shape is `[width]` or `[vectors, width]`: `.npy` of 32 or 64 bits; `.json`, an array of numbers or of such arrays;
    /// `.safetensors` of 16, 32 or 64 bits, of which `tensor` names one (default: `weights`, or the only one).
    ///
    /// # Errors
    /// [`Error::Malformed`] with what is wrong, for other types too; [`Error::NoSuchFile`].
    pub fn read(path: &Path, tensor: Option<&str>) -> Result<Self> {
        let size = std::fs::metadata(path)
            .map_err(|e| Error::io(path, e))?
            .len();
        let bad = |problem: String| Error::Malformed {
            path: path.to_owned(),
            problem,
        };
        if size > MOST_BYTES {
            return Err(bad("the file is larger than 8 GiB; cut it".to_owned()));
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let of_names = extension == "safetensors";
        if tensor.is_some() && !of_names {
            return Err(bad(
                "--tensor names a tensor of a .safetensors file".to_owned()
            ));
        }
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let (shape, values) = match extension {
            "npy" => npy(&bytes),
            "json" => json(&bytes),
            "safetensors" => named(&bytes, tensor),
            _ => Err("vectors are read from .npy, .json and .safetensors files".to_owned()),
        }
        .map_err(bad)?;
        Self::shaped(&shape, values).map_err(bad)
    }

    /// The number of vectors.
    pub fn vectors(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    fn shaped(shape: &[usize], values: Vec<f32>) -> Result<Self, String> {
        let width = match shape {
            [width] | [_, width] => *width,
            _ => {
                return Err(format!(
                    "its shape is {shape:?}; a vector has [width], several have [vectors, width]"
                ));
            }
        };
        match values.is_empty() {
            true => Err(format!("its shape is {shape:?}: there is no vector in it")),
            false => Ok(Self { width, values }),
        }
    }
}

type Shaped = Result<(Vec<usize>, Vec<f32>), String>;

fn npy(bytes: &[u8]) -> Shaped {
    let file = NpyFile::new(bytes).map_err(|e| format!("this is no .npy file: {e}"))?;
    let shape: Vec<usize> = file.shape().iter().map(|n| *n as usize).collect();
    if file.order() == Order::Fortran && shape.len() > 1 {
        return Err(
            "it is in Fortran order; save np.ascontiguousarray(vectors) instead".to_owned(),
        );
    }
    let cut = |e: std::io::Error| format!("the file is cut or damaged: {e}");
    let file = match file.try_data::<f32>() {
        Ok(values) => {
            let values: std::io::Result<Vec<f32>> = values.collect();
            return Ok((shape, values.map_err(cut)?));
        }
        Err(file) => file,
    };
    match file.try_data::<f64>() {
        Ok(values) => {
            let values: std::io::Result<Vec<f64>> = values.collect();
            let values = values.map_err(cut)?;
            Ok((shape, values.into_iter().map(|v| v as f32).collect()))
        }
        Err(file) => Err(format!(
            "its numbers are {}; save vectors.astype('float32')",
            file.dtype().descr()
        )),
    }
}

fn json(bytes: &[u8]) -> Shaped {
    let value: Value =
        serde_json::from_slice(bytes).map_err(|e| format!("this is no JSON: {e}"))?;
    let shape = || "it is no array of numbers, and no array of such arrays".to_owned();
    let rows = value.as_array().ok_or_else(shape)?;
    let numbers = |row: &[Value]| -> Option<Vec<f32>> {
        row.iter().map(|v| v.as_f64().map(|v| v as f32)).collect()
    };
    if let Some(numbers) = numbers(rows) {
        return Ok((vec![numbers.len()], numbers));
    }
    let mut values = Vec::new();
    let mut width = None;
    for (i, row) in rows.iter().enumerate() {
        let row = row.as_array().and_then(|row| numbers(row));
        let row = row.ok_or_else(shape)?;
        let width = *width.get_or_insert(row.len());
        if row.len() != width {
            return Err(format!(
                "vector {i} has {} numbers where the first has {width}",
                row.len()
            ));
        }
        values.extend(row);
    }
    Ok((vec![rows.len(), width.unwrap_or(0)], values))
}

fn named(bytes: &[u8], name: Option<&str>) -> Shaped {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| format!("this is no safetensors file, or it is cut: {e}"))?;
    let mut names = file.names();
    names.sort_unstable();
    let listed = || names.join(", ");
    let chosen = match (name, names.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only,
        (None, names) if names.contains(&"weights") => "weights",
        (None, _) => {
            return Err(format!(
                "it holds several tensors; name one with --tensor: {}",
                listed()
            ));
        }
    };
    let tensor = file
        .tensor(chosen)
        .map_err(|_| format!("it has no tensor `{chosen}`; it holds {}", listed()))?;
    Ok((tensor.shape().to_vec(), floats(&tensor)?))
}

fn floats(tensor: &TensorView<'_>) -> Result<Vec<f32>, String> {
    let data = tensor.data();
    fn each<const N: usize>(data: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        data.as_chunks::<N>().0.iter().map(|b| read(*b)).collect()
    }
    match tensor.dtype() {
        Dtype::F32 => Ok(each(data, f32::from_le_bytes)),
        Dtype::F64 => Ok(each(data, |b| f64::from_le_bytes(b) as f32)),
        Dtype::F16 => Ok(each(data, |b| half::f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => Ok(each(data, |b| half::bf16::from_le_bytes(b).to_f32())),
        other => Err(format!("its numbers are {other:?}; save them as F32")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The bytes that numpy writes (format 1.0).
    fn npy_bytes(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header =
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        while !(10 + header.len() + 1).is_multiple_of(64) {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn read(name: &str, bytes: &[u8], tensor: Option<&str>) -> Result<FileVectors> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        FileVectors::read(&path, tensor)
    }

    #[test]
    fn each_format_gives_the_same_vectors() {
        let expected = FileVectors {
            width: 2,
            values: vec![1.0, 2.5, -3.0, 0.0],
        };
        let wide: Vec<u8> = expected
            .values
            .iter()
            .flat_map(|v| f64::from(*v).to_le_bytes())
            .collect();
        let narrow: Vec<u8> = expected
            .values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let big: Vec<u8> = expected
            .values
            .iter()
            .flat_map(|v| v.to_be_bytes())
            .collect();
        let a = read("a.npy", &npy_bytes("<f8", "(2, 2)", &wide), None).unwrap();
        let b = read("b.npy", &npy_bytes("<f4", "(2, 2)", &narrow), None).unwrap();
        let c = read("c.npy", &npy_bytes(">f4", "(2, 2)", &big), None).unwrap();
        let d = read("d.json", b"[[1, 2.5], [-3, 0]]", None).unwrap();
        let view = TensorView::new(Dtype::F32, vec![2, 2], &narrow).unwrap();
        let bytes = safetensors::serialize([("x", &view), ("weights", &view)], None).unwrap();
        let e = read("e.safetensors", &bytes, None).unwrap();
        for found in [a, b, c, d, e] {
            assert_eq!(found, expected);
        }
        let one = read("f.json", b"[1, 2]", None).unwrap();
        assert_eq!((one.width, one.vectors()), (2, 1));
    }

    #[test]
    fn what_is_no_vector_is_refused_with_the_reason() {
        let said = |name: &str, bytes: &[u8]| read(name, bytes, None).unwrap_err().to_string();
        for (name, bytes, expected) in [
            (
                "a.npy",
                npy_bytes("<i8", "(2,)", &[0; 16]),
                "astype('float32')",
            ),
            (
                "a.npy",
                npy_bytes("<f4", "(2, 2)", &[0; 4]),
                "cut or damaged",
            ),
            (
                "a.npy",
                npy_bytes("<f4", "(1, 1, 1)", &[0; 4]),
                "its shape is",
            ),
            ("a.npy", npy_bytes("|O", "(1,)", &[0; 4]), "|O"),
            ("a.npy", npy_bytes("<f4", "(0,)", &[]), "no vector"),
            (
                "a.npy",
                npy_bytes("<f4", "(999999999999, 999999999)", &[0; 4]),
                "damaged",
            ),
            ("a.npy", b"PK".to_vec(), "no .npy file"),
            ("a.json", b"{}".to_vec(), "no array of numbers"),
            (
                "a.json",
                b"[[1], [1, 2]]".to_vec(),
                "vector 1 has 2 numbers",
            ),
            ("a.json", b"[[]]".to_vec(), "no vector"),
            ("a.json", b"[1,".to_vec(), "no JSON"),
            ("a.safetensors", b"rubbish".to_vec(), "no safetensors"),
            ("a.csv", b"1,2".to_vec(), "vectors are read from"),
        ] {
            let said = said(name, &bytes);
            assert!(said.contains(expected), "{name}: {said}");
            assert_eq!(said.lines().count(), 1);
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused(flip in 0usize..200, value in any::<u8>(), cut in 0usize..200) {
            let mut bytes = npy_bytes("<f4", "(2, 2)", &[0; 16]);
            let at = flip % bytes.len();
            bytes[at] = value;
            bytes.truncate(bytes.len() - cut % bytes.len());
            let _ = npy(&bytes);
        }
    }
}
