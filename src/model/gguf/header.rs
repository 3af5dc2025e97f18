//! The header of a GGUF file, read within limits.
//!
//! Every length in the file is a claim of whoever wrote it. Each is checked against what is left of the file before memory is
//! taken for it, and the header as a whole against limits that no real model comes near.
//! (The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.)

use super::bytes::Bytes;
use super::format::Format;
use std::collections::BTreeMap;
use std::io::Read;

const MAX_ENTRIES: u64 = 1 << 16;
/// `GGML_MAX_DIMS`.
const MAX_DIMS: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Any of the unsigned types.
    Unsigned(u64),
    /// Any of the signed types.
    Signed(i64),
    /// A single-precision number.
    Float(f32),
    /// A double-precision number.
    Double(f64),
    /// `true` or `false`.
    Bool(bool),
    /// UTF-8 text.
    Text(String),
    /// Values of one type.
    List(Vec<Value>),
}

impl Value {
    /// As JSON has it. Single precision becomes the shortest decimal that reads back the same: 1e-5, not 9.999999747378752e-6.
    pub(super) fn json(&self) -> serde_json::Value {
        // JSON has no NaN; as a text it is refused wherever a number is asked for, and not taken for a key that is absent.
        let number = |x: f64, text: String| match serde_json::Number::from_f64(x) {
            Some(number) => number.into(),
            None => text.into(),
        };
        match self {
            Value::Unsigned(n) => (*n).into(),
            Value::Signed(n) => (*n).into(),
            Value::Float(x) => {
                let text = x.to_string();
                number(text.parse().unwrap_or(f64::NAN), text)
            }
            Value::Double(x) => number(*x, x.to_string()),
            Value::Bool(flag) => (*flag).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(values) => values.iter().map(Value::json).collect(),
        }
    }
}

/// Where a tensor lies and how it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// The last axis fastest (GGUF itself writes the fastest first).
    pub shape: Vec<usize>,
    /// Type of the numbers.
    pub format: Format,
    /// Of its first byte in the file.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

/// Metadata and tensors of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    /// By key.
    pub metadata: BTreeMap<String, Value>,
    /// By the name that llama.cpp gives them.
    pub tensors: BTreeMap<String, Place>,
}

/// What is wrong with a header, in words.
pub(super) type Problem = String;

impl Header {
    /// Reads the header of a file of `size` bytes.
    pub(super) fn read(inner: impl Read, size: u64) -> Result<Self, Problem> {
        let mut bytes = Bytes::new(inner, size);
        bytes.magic()?;
        let tensors = bytes.u64()?;
        let entries = bytes.u64()?;
        if tensors > MAX_ENTRIES || entries > MAX_ENTRIES {
            return Err(format!(
                "it claims {tensors} tensors and {entries} metadata entries; at most {MAX_ENTRIES} are read"
            ));
        }
        let metadata = bytes.metadata(entries)?;
        let alignment = alignment(&metadata)?;
        let mut tensors = bytes.tensors(tensors)?;
        let data = bytes.position().next_multiple_of(alignment);
        for (name, place) in &mut tensors {
            if place.offset % alignment != 0 {
                return Err(format!("the tensor `{name}` is not aligned to {alignment}"));
            }
            place.offset = place.offset.saturating_add(data);
        }
        refuse_bad_ranges(&tensors, size)?;
        Ok(Self { metadata, tensors })
    }
}

fn alignment(metadata: &BTreeMap<String, Value>) -> Result<u64, Problem> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::Unsigned(n)) if n.is_power_of_two() && *n <= 1 << 20 => Ok(*n),
        Some(_) => Err("`general.alignment` is not a power of two".to_owned()),
    }
}

/// Every tensor must lie within the file, and no two may share bytes: that would be one set of numbers under two names.
fn refuse_bad_ranges(tensors: &BTreeMap<String, Place>, size: u64) -> Result<(), Problem> {
    let mut by_offset: Vec<(&String, &Place)> = tensors.iter().collect();
    by_offset.sort_by_key(|(_, place)| place.offset);
    let mut before = (0, "");
    for (name, place) in by_offset {
        let end = place.offset.saturating_add(place.bytes);
        if end > size {
            return Err(format!(
                "the tensor `{name}` ends at byte {end}, but the file has {size}; it is truncated or damaged"
            ));
        }
        if place.offset < before.0 {
            return Err(format!("the tensors `{}` and `{name}` overlap", before.1));
        }
        before = (end, name);
    }
    Ok(())
}

impl<R: Read> Bytes<R> {
    fn magic(&mut self) -> Result<(), Problem> {
        if self.left() < 8 || &self.take()? != b"GGUF" {
            return Err("this is not a GGUF file: it does not begin with `GGUF`".to_owned());
        }
        match self.u32()? {
            2 | 3 => Ok(()),
            n if n.swap_bytes() <= 3 => {
                Err("the file is big-endian; convert it to little-endian".to_owned())
            }
            n => Err(format!(
                "GGUF version {n} is not supported; versions 2 and 3 are, which llama.cpp has written since August 2023"
            )),
        }
    }

    fn metadata(&mut self, entries: u64) -> Result<BTreeMap<String, Value>, Problem> {
        let mut metadata = BTreeMap::new();
        for _ in 0..entries {
            let key = self.name()?;
            let kind = self.u32()?;
            let value = match kind {
                9 => self.list(),
                kind => self.value(kind),
            };
            let value = value.map_err(|problem| format!("`{key}`: {problem}"))?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(format!("`{key}` is there twice"));
            }
        }
        Ok(metadata)
    }

    fn value(&mut self, kind: u32) -> Result<Value, Problem> {
        Ok(match kind {
            0 => Value::Unsigned(u8::from_le_bytes(self.take()?).into()),
            1 => Value::Signed(i8::from_le_bytes(self.take()?).into()),
            2 => Value::Unsigned(u16::from_le_bytes(self.take()?).into()),
            3 => Value::Signed(i16::from_le_bytes(self.take()?).into()),
            4 => Value::Unsigned(self.u32()?.into()),
            5 => Value::Signed(i32::from_le_bytes(self.take()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.take()?)),
            7 => match self.take()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                [n] => return Err(format!("{n} is neither true (1) nor false (0)")),
            },
            8 => Value::Text(self.text()?),
            10 => Value::Unsigned(self.u64()?),
            11 => Value::Signed(i64::from_le_bytes(self.take()?)),
            12 => Value::Double(f64::from_le_bytes(self.take()?)),
            9 => return Err("an array of arrays is not read".to_owned()),
            n => return Err(format!("there is no value type {n}")),
        })
    }

    fn list(&mut self) -> Result<Value, Problem> {
        let kind = self.u32()?;
        let length = self.u64()?;
        self.count_elements(length)?;
        // Not reserved ahead: the elements have to be there first.
        let values = (0..length).map(|_| self.value(kind));
        Ok(Value::List(values.collect::<Result<_, _>>()?))
    }

    fn tensors(&mut self, count: u64) -> Result<BTreeMap<String, Place>, Problem> {
        let mut tensors = BTreeMap::new();
        for _ in 0..count {
            let name = self.name()?;
            let place = self
                .place()
                .map_err(|problem| format!("the tensor `{name}`: {problem}"))?;
            if tensors.insert(name.clone(), place).is_some() {
                return Err(format!("the tensor `{name}` is there twice"));
            }
        }
        Ok(tensors)
    }

    fn place(&mut self) -> Result<Place, Problem> {
        let axes = self.u32()?;
        if !(1..=MAX_DIMS).contains(&axes) {
            return Err(format!("{axes} axes; 1 to {MAX_DIMS} are read"));
        }
        let mut shape = Vec::new();
        for _ in 0..axes {
            let length = self.u64()?;
            if !(1..=1 << 31).contains(&length) {
                return Err(format!("an axis of length {length}"));
            }
            shape.insert(0, length as usize);
        }
        let format = Format::from_id(self.u32()?)?;
        Ok(Place {
            bytes: format.bytes(&shape)?,
            offset: self.u64()?,
            shape,
            format,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
        bytes.extend(text.as_bytes());
        bytes
    }

    fn tensor(name: &str, axes: &[u64], format: u32, offset: u64) -> Vec<u8> {
        let mut bytes = text(name);
        bytes.extend((axes.len() as u32).to_le_bytes());
        bytes.extend(axes.iter().flat_map(|n| n.to_le_bytes()));
        bytes.extend(format.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        bytes
    }

    /// A file with these entries (already written) and tensors, and `data` bytes of numbers.
    fn file(entries: &[Vec<u8>], tensors: &[Vec<u8>], data: usize) -> Vec<u8> {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend((tensors.len() as u64).to_le_bytes());
        bytes.extend((entries.len() as u64).to_le_bytes());
        bytes.extend(entries.concat());
        bytes.extend(tensors.concat());
        bytes.resize(bytes.len().next_multiple_of(32) + data, 0);
        bytes
    }

    fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
        [text(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat()
    }

    fn read(bytes: &[u8]) -> Result<Header, Problem> {
        Header::read(bytes, bytes.len() as u64)
    }

    fn refused(bytes: &[u8]) -> Problem {
        read(bytes).unwrap_err()
    }

    #[test]
    fn shapes_are_turned_around_and_offsets_count_from_the_start_of_the_file() {
        let bytes = file(
            &[entry("general.architecture", 8, &text("llama"))],
            &[tensor("a", &[32, 2], 8, 0), tensor("b", &[3], 0, 96)],
            128,
        );
        let header = read(&bytes).unwrap();
        assert_eq!(header.tensors["a"].shape, [2, 32]);
        assert_eq!(header.tensors["a"].bytes, 2 * 34);
        let data = (bytes.len() - 128) as u64;
        assert_eq!(header.tensors["b"].offset, data + 96);
        let architecture = &header.metadata["general.architecture"];
        assert_eq!(*architecture, Value::Text("llama".to_owned()));
    }

    #[test]
    fn claims_that_the_file_does_not_hold_are_refused_before_memory_is_taken() {
        let huge = u64::MAX.to_le_bytes();
        let array = [8_u32.to_le_bytes().to_vec(), huge.to_vec()].concat();
        let within = [
            0_u32.to_le_bytes().to_vec(),
            (1_u64 << 21).to_le_bytes().to_vec(),
        ]
        .concat();
        for (bytes, problem) in [
            (file(&[entry("k", 8, &huge)], &[], 0), "truncated"),
            (file(&[entry("k", 9, &array)], &[], 0), "elements"),
            (file(&[entry("k", 9, &within)], &[], 0), "truncated"),
            (
                file(&[], &[tensor("a", &[1 << 31, 1 << 31, 1 << 31], 0, 0)], 0),
                "large",
            ),
            (file(&[], &[tensor("a", &[64], 0, 0)], 64), "truncated"),
            (
                file(&[], &[tensor("a", &[8], 0, u64::MAX - 31)], 64),
                "truncated",
            ),
        ] {
            let found = refused(&bytes);
            assert!(found.contains(problem), "{found}");
        }
    }

    #[test]
    fn tensors_that_share_bytes_names_or_rows_are_refused() {
        for (tensors, problem) in [
            (
                [tensor("a", &[16], 0, 0), tensor("b", &[16], 0, 32)],
                "overlap",
            ),
            ([tensor("a", &[8], 0, 0), tensor("a", &[8], 0, 32)], "twice"),
            (
                [tensor("a", &[8], 0, 0), tensor("b", &[8], 0, 33)],
                "aligned",
            ),
            (
                [tensor("a", &[8], 0, 0), tensor("b", &[33], 8, 32)],
                "blocks of 32",
            ),
            (
                [tensor("a", &[8], 0, 0), tensor("b", &[256], 16, 32)],
                "IQ2_XXS",
            ),
        ] {
            let found = refused(&file(&[], &tensors, 256));
            assert!(found.contains(problem), "{found}");
        }
    }

    #[test]
    fn other_files_are_refused_for_what_they_are() {
        assert!(refused(b"GG").contains("not a GGUF file"));
        assert!(refused(b"PK\x03\x04 and so on").contains("not a GGUF file"));
        assert!(refused(b"GGUF\0\0\0\x03 and so on").contains("big-endian"));
        assert!(refused(b"GGUF\x01\0\0\0 and so on").contains("version 1"));
    }
}
