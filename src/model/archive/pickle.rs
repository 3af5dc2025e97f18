//! The header of a checkpoint of torch (`pytorch_model.bin`): a pickle, of which only tensors are understood.
//!
//! Nothing in it is executed: candle's reader builds objects from opcodes, and this picks those that describe tensors. The
//! pickle is weighed before ([`super::opcodes`]), the tensors' bytes are found without it ([`super::zip`]).

use super::plain::{Format, Order, Place, no_float};
use super::zip::Zip;
use super::{malformed, opcodes, open_sized};
use crate::error::{Error, Result};
use crate::model::source::ModelSource;
use candle_core::DType;
use candle_core::pickle::{Object, Stack};
use std::path::Path;

pub(super) const FORMAT: Format = Format {
    single: "pytorch_model.bin",
    index: "pytorch_model.bin.index.json",
    extension: ".bin",
    read_header,
};

/// A pickle takes about 120 bytes a tensor.
const MAX_PICKLE: u64 = 4 << 20;
const PICKLE: &str = "data.pkl";
/// The first bytes of the format that torch wrote before 1.6.
const OLD: [u8; 4] = [0x80, 0x02, 0x8a, 0x0a];

/// A tensor as the pickle describes it: a view of a storage.
struct View {
    storage: String,
    /// Elements of the storage.
    elements: usize,
    dtype: Result<DType, String>,
    /// In elements, of the first one.
    offset: usize,
    shape: Vec<usize>,
    stride: Vec<usize>,
}

/// Where every tensor of a file lies, checked against the entries of the file.
fn read_header(source: &ModelSource, name: &str, file: usize) -> Result<Vec<(String, Place)>> {
    let path = &source.path(name);
    let (mut reader, size) = open_sized(source, name)?;
    let mut first = [0; 4];
    if size >= 4 {
        reader
            .read_exact(&mut first)
            .map_err(|e| Error::io(path, e))?;
    }
    if first == OLD {
        let problem = "torch before 1.6 wrote it; load it with a newer torch and save it again";
        return Err(malformed(path, problem));
    }
    let mut zip = Zip::open(path, reader, size)?;
    let folder = folder(path, &zip)?;
    let byte_order = zip.content(&format!("{folder}byteorder"), 16)?;
    if byte_order.is_some_and(|order| order != b"little") {
        return Err(malformed(
            path,
            "its numbers are not in little-endian order",
        ));
    }
    let pickle = zip.content(&format!("{folder}{PICKLE}"), MAX_PICKLE)?;
    let mut places = Vec::new();
    for (name, value) in entries(path, &pickle.unwrap_or_default())? {
        let Some(name) = tensor_name(path, name, &value)? else {
            continue;
        };
        let view = View::of(&value).ok_or_else(|| {
            let problem = format!("`{name}` is not a tensor as torch saves it");
            malformed(path, problem)
        })?;
        let entry = zip.place(&format!("{folder}data/{}", view.storage))?;
        let place = view
            .place(file, entry)
            .map_err(|problem| malformed(path, format!("the weight `{name}` {problem}")))?;
        places.push((name, place));
    }
    match places.is_empty() {
        true => Err(malformed(path, "it holds no tensors by name")),
        false => Ok(places),
    }
}

/// The folder in the ZIP file that holds the checkpoint, with its slash.
fn folder(path: &Path, zip: &Zip) -> Result<String> {
    let mut folders = zip.names().filter_map(|name| {
        let folder = name.strip_suffix(PICKLE)?;
        (folder.ends_with('/') && folder.matches('/').count() == 1).then(|| folder.to_owned())
    });
    match (folders.next(), folders.next()) {
        (Some(folder), None) => Ok(folder),
        _ => Err(malformed(
            path,
            "it is no checkpoint of torch (a ZIP file with one data.pkl)",
        )),
    }
}

/// The entries of the dictionary that a pickle holds.
fn entries(path: &Path, pickle: &[u8]) -> Result<Vec<(Object, Object)>> {
    let damaged = |problem: &str| malformed(path, format!("its pickle is not read: {problem}"));
    opcodes::check(pickle).map_err(|problem| damaged(&problem))?;
    let read = || {
        let mut stack = Stack::empty();
        stack.read_loop(&mut &*pickle)?;
        stack.finalize()
    };
    // The reader is not made for hostile files: a panic within it must not end the process.
    match std::panic::catch_unwind(read) {
        Ok(Ok(Object::Dict(entries))) => Ok(entries),
        Ok(Ok(_)) => Err(damaged("it holds no dictionary of tensors")),
        // What candle says prints the objects, which can be long.
        Ok(Err(_)) | Err(_) => Err(damaged("it is damaged")),
    }
}

/// The name of an entry that should be a tensor. Plain values beside the tensors, and torch's `_metadata`, are left out.
fn tensor_name(path: &Path, name: Object, value: &Object) -> Result<Option<String>> {
    let Object::Unicode(name) = name else {
        return Err(malformed(path, "its dictionary has a key that is no text"));
    };
    let plain = matches!(
        value,
        Object::None
            | Object::Bool(_)
            | Object::Int(_)
            | Object::Long(_)
            | Object::Float(_)
            | Object::Unicode(_)
    );
    Ok(Some(name).filter(|name| !plain && name != "_metadata"))
}

impl View {
    /// Reads the arguments of `torch._utils._rebuild_tensor_v2`.
    fn of(value: &Object) -> Option<Self> {
        let [storage, offset, shape, stride, ..] = rebuild_arguments(value)? else {
            return None;
        };
        let Object::PersistentLoad(storage) = storage else {
            return None;
        };
        let Object::Tuple(storage) = &**storage else {
            return None;
        };
        let [_, kind, Object::Unicode(key), _, elements, ..] = storage.as_slice() else {
            return None;
        };
        let dtype = match class(kind)? {
            ("torch", "FloatStorage") => Ok(DType::F32),
            ("torch", "DoubleStorage") => Ok(DType::F64),
            ("torch", "HalfStorage") => Ok(DType::F16),
            ("torch", "BFloat16Storage") => Ok(DType::BF16),
            (_, other) => Err(no_float(&other.trim_end_matches("Storage").to_lowercase())),
        };
        Some(Self {
            storage: key.clone(),
            elements: count(elements)?,
            dtype,
            offset: count(offset)?,
            shape: counts(shape)?,
            stride: counts(stride)?,
        })
    }

    /// Where its bytes lie, given where its storage does.
    fn place(self, file: usize, storage: Option<(u64, u64)>) -> Result<Place, String> {
        let (start, size) = storage.ok_or("is in no entry of the file")?;
        let order = order(&self.shape, &self.stride)
            .ok_or_else(|| "is not contiguous; save it after `.contiguous()`".to_owned());
        let numbers = self.dtype.clone().and_then(|dtype| Ok((dtype, order?)));
        // What cannot be read anyway needs no place.
        let (offset, length) = match &numbers {
            Ok((dtype, _)) => self
                .range(dtype.size_in_bytes(), size)
                .ok_or("claims other sizes than its entry in the file has")?,
            Err(_) => (0, 0),
        };
        Ok(Place {
            file,
            offset: start + offset as u64,
            length,
            numbers,
            shape: self.shape,
        })
    }

    /// Offset and length in bytes, within a storage that has exactly the bytes that its elements take.
    fn range(&self, width: usize, storage: u64) -> Option<(usize, usize)> {
        let mut axes = self.shape.iter();
        let elements = axes.try_fold(1, |n: usize, axis| n.checked_mul(*axis))?;
        let end = elements.checked_add(self.offset)?;
        let whole = self.elements.checked_mul(width)?;
        let fits = end <= self.elements && whole as u64 == storage;
        fits.then_some((self.offset * width, elements * width))
    }
}

/// What `_rebuild_tensor_v2` is called with, for a tensor or a parameter around one.
fn rebuild_arguments(value: &Object) -> Option<&[Object]> {
    let Object::Reduce { callable, args } = value else {
        return None;
    };
    let Object::Tuple(args) = &**args else {
        return None;
    };
    match class(callable)? {
        ("torch._utils", "_rebuild_tensor_v2") => Some(args),
        ("torch._utils", "_rebuild_parameter") => rebuild_arguments(args.first()?),
        _ => None,
    }
}

fn class(value: &Object) -> Option<(&str, &str)> {
    match value {
        Object::Class {
            module_name,
            class_name,
        } => Some((module_name, class_name)),
        _ => None,
    }
}

fn count(value: &Object) -> Option<usize> {
    match value {
        Object::Int(n) => usize::try_from(*n).ok(),
        Object::Long(n) => usize::try_from(*n).ok(),
        _ => None,
    }
}

fn counts(value: &Object) -> Option<Vec<usize>> {
    match value {
        Object::Tuple(values) => values.iter().map(count).collect(),
        _ => None,
    }
}

/// The order of a tensor without gaps; `None` for one with gaps or steps. The stride of an axis of length 1 says nothing.
fn order(shape: &[usize], stride: &[usize]) -> Option<Order> {
    let dense = |axes: &mut dyn Iterator<Item = (&usize, &usize)>| {
        let mut expected = 1_usize;
        axes.filter(|(length, _)| **length != 1)
            .all(|(length, step)| {
                let right = *step == expected;
                expected = expected.saturating_mul(*length);
                right
            })
    };
    let empty = shape.contains(&0);
    let mut axes: Vec<_> = shape.iter().zip(stride).collect();
    if shape.len() != stride.len() {
        return None;
    }
    if empty || dense(&mut axes.iter().rev().copied()) {
        return Some(Order::RowMajor);
    }
    dense(&mut axes.drain(..)).then_some(Order::ColumnMajor)
}
