//! The entries of a ZIP file that are stored as they are: nothing here can inflate.
//!
//! torch stores every entry uncompressed, so that it can be mapped. A compressed entry is therefore refused, and with it
//! every bomb: what is read is never more than what lies in the file. Layout: PKWARE's APPNOTE.TXT 6.3, sections 4.3 and 4.5.

use super::malformed;
use crate::error::{Error, Result};
use crate::model::source::ReadSeek;
use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};

/// The fixed parts of the records.
const END: usize = 22;
const END64: usize = 56;
const LOCATOR: usize = 20;
const ENTRY: usize = 46;
const LOCAL: usize = 30;
/// The end record is followed by a comment of at most so many bytes.
const MAX_COMMENT: u64 = 0xffff;
/// A directory of a million entries.
const MAX_DIRECTORY: u64 = 100_000_000;

/// An entry: its size and where its header lies.
#[derive(Debug, Clone, Copy)]
struct Entry {
    header: u64,
    size: u64,
}

/// An open ZIP file.
pub(super) struct Zip {
    path: PathBuf,
    file: Box<dyn ReadSeek>,
    size: u64,
    entries: BTreeMap<String, Entry>,
}

impl Zip {
    /// Reads the directory at the end of the file.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a file that is no ZIP or is cut, and for an entry that is compressed or encrypted.
    pub(super) fn open(path: &Path, file: Box<dyn ReadSeek>, size: u64) -> Result<Self> {
        let mut zip = Self {
            path: path.to_owned(),
            file,
            size,
            entries: BTreeMap::new(),
        };
        let (offset, length) = zip.find_directory()?;
        let directory = zip.read(offset, length, MAX_DIRECTORY)?;
        let mut rest = directory.as_slice();
        while !rest.is_empty() {
            let (name, entry, length) = zip.entry(rest)?;
            if zip.entries.insert(name.clone(), entry).is_some() {
                return Err(zip.damaged(&format!("it has two entries `{name}`")));
            }
            rest = &rest[length..];
        }
        Ok(zip)
    }

    /// The names of the entries.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Where the content of an entry begins in the file, and its size; `None` if there is no such entry.
    ///
    /// # Errors
    /// [`Error::Malformed`] if it does not lie within the file.
    pub(super) fn place(&mut self, name: &str) -> Result<Option<(u64, u64)>> {
        let Some(entry) = self.entries.get(name).copied() else {
            return Ok(None);
        };
        let local = self.read(entry.header, LOCAL as u64, LOCAL as u64)?;
        let skip = (local.starts_with(b"PK\x03\x04"))
            .then(|| Some(u64::from(u16_at(&local, 26)?) + u64::from(u16_at(&local, 28)?)))
            .flatten();
        let start = skip.and_then(|skip| entry.header.checked_add(LOCAL as u64 + skip));
        let end = start.and_then(|start| start.checked_add(entry.size));
        match (start, end) {
            (Some(start), Some(end)) if end <= self.size => Ok(Some((start, entry.size))),
            _ => Err(self.damaged(&format!("the entry `{name}` does not lie within the file"))),
        }
    }

    /// The content of an entry of at most `limit` bytes; `None` if there is no such entry.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Io`].
    pub(super) fn content(&mut self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        match self.place(name)? {
            None => Ok(None),
            Some((start, size)) => self.read(start, size, limit).map(Some),
        }
    }

    /// Offset and length of the directory.
    fn find_directory(&mut self) -> Result<(u64, u64)> {
        let tail_length = self.size.min(END as u64 + MAX_COMMENT);
        let tail_start = self.size - tail_length;
        let tail = self.read(tail_start, tail_length, tail_length)?;
        let end = (0..(tail.len() + 1).saturating_sub(END))
            .rev()
            .find(|at| tail[*at..].starts_with(b"PK\x05\x06"))
            .ok_or_else(|| self.damaged("it has no ZIP directory"))?;
        let short = (u32_at(&tail, end + 16), u32_at(&tail, end + 12));
        let locator = end.checked_sub(LOCATOR).and_then(|at| tail.get(at..end));
        let found = match locator.filter(|l| l.starts_with(b"PK\x06\x07")) {
            // Files beyond 4 GB, and whatever torch writes, have a second record with 64 bits.
            Some(locator) => {
                let at = u64_at(locator, 8).ok_or_else(|| self.damaged("its directory is cut"))?;
                let end64 = self.read(at, END64 as u64, END64 as u64)?;
                match end64.starts_with(b"PK\x06\x06") {
                    true => (u64_at(&end64, 48), u64_at(&end64, 40)),
                    false => (None, None),
                }
            }
            None => (short.0.map(u64::from), short.1.map(u64::from)),
        };
        match found {
            (Some(offset), Some(length)) => Ok((offset, length)),
            _ => Err(self.damaged("its directory is cut")),
        }
    }

    /// The first entry of the rest of a directory, and its length in it.
    fn entry(&self, bytes: &[u8]) -> Result<(String, Entry, usize)> {
        let parsed = parse_entry(bytes).ok_or_else(|| self.damaged("its directory is cut"))?;
        let Parsed {
            name,
            entry,
            plain,
            length,
        } = parsed;
        match plain {
            true => Ok((name, entry, length)),
            false => Err(self.damaged(&format!(
                "the entry `{name}` is compressed, which torch never does"
            ))),
        }
    }

    fn read(&mut self, offset: u64, length: u64, limit: u64) -> Result<Vec<u8>> {
        let end = offset.checked_add(length);
        if length > limit || end.is_none_or(|end| end > self.size) {
            return Err(self.damaged(&format!(
                "it claims {length} bytes at {offset}, but has {}",
                self.size
            )));
        }
        let mut bytes = vec![0; length as usize];
        self.file
            .seek(SeekFrom::Start(offset))
            .and_then(|_| self.file.read_exact(&mut bytes))
            .map_err(|e| Error::io(&self.path, e))?;
        Ok(bytes)
    }

    fn damaged(&self, problem: &str) -> Error {
        malformed(
            &self.path,
            format!("no checkpoint of torch, or a truncated or damaged one: {problem}"),
        )
    }
}

struct Parsed {
    name: String,
    entry: Entry,
    /// Neither compressed nor encrypted.
    plain: bool,
    length: usize,
}

fn parse_entry(bytes: &[u8]) -> Option<Parsed> {
    let fixed = bytes
        .get(..ENTRY)
        .filter(|b| b.starts_with(b"PK\x01\x02"))?;
    let part = |at| u16_at(fixed, at).map(usize::from);
    let (name_length, extra_length) = (part(28)?, part(30)?);
    let extra_start = ENTRY + name_length;
    let name = bytes.get(ENTRY..extra_start)?;
    let extra = bytes.get(extra_start..extra_start + extra_length)?;
    let length = extra_start + extra_length + part(32)?;
    bytes.get(..length)?;
    // Each number that does not fit 32 bits stands in the extra field, in this order.
    let mut wide = wide_numbers(extra);
    let mut number = |at| match u32_at(fixed, at)? {
        u32::MAX => wide.next(),
        short => Some(u64::from(short)),
    };
    let (size, packed, header) = (number(24)?, number(20)?, number(42)?);
    let (flags, method) = (part(8)?, part(10)?);
    Some(Parsed {
        name: String::from_utf8(name.to_vec()).ok()?,
        entry: Entry { header, size },
        plain: method == 0 && flags & 1 == 0 && size == packed,
        length,
    })
}

/// The numbers of the extra field with id 1.
fn wide_numbers(mut extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut numbers = Vec::new();
    while let (Some(id), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let end = extra.len().min(4 + usize::from(length));
        if id == 1 {
            let fields = extra[4..end].chunks_exact(8);
            numbers.extend(fields.filter_map(|field| u64_at(field, 0)));
        }
        extra = &extra[end..];
    }
    numbers.into_iter()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*field))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}
