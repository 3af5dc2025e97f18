//! The bytes of a header, counted.

use super::header::Problem;
use std::io::Read;

/// Real headers are vocabularies: a few megabytes.
const MAX_BYTES: u64 = 256 << 20;
/// Elements of all arrays together. A vocabulary of 262,144 has tokens, scores, types and 514,906 merges.
const MAX_ELEMENTS: u64 = 1 << 22;
const MAX_NAME: u64 = 1 << 16;

/// Little-endian values, never past the end of the file or the limit of a header.
pub(super) struct Bytes<R> {
    inner: R,
    position: u64,
    end: u64,
    elements: u64,
}

impl<R: Read> Bytes<R> {
    /// The beginning of a file of `end` bytes.
    pub(super) fn new(inner: R, end: u64) -> Self {
        Self {
            inner,
            position: 0,
            end,
            elements: 0,
        }
    }

    /// How many bytes were read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes are left in the file.
    pub(super) fn left(&self) -> u64 {
        self.end - self.position
    }

    /// Counts the elements of arrays.
    pub(super) fn count_elements(&mut self, more: u64) -> Result<(), Problem> {
        self.elements = self.elements.saturating_add(more);
        match self.elements > MAX_ELEMENTS {
            false => Ok(()),
            true => Err(format!(
                "the arrays of its header have more than {MAX_ELEMENTS} elements"
            )),
        }
    }

    /// Checks that so many bytes can be there.
    fn claim(&mut self, bytes: u64) -> Result<(), Problem> {
        let next = self.position.saturating_add(bytes);
        if next > self.end {
            return Err(format!(
                "its header needs {bytes} bytes at byte {}, but the file has {}; it is truncated or damaged",
                self.position, self.end
            ));
        }
        if next > MAX_BYTES {
            return Err(format!("its header is longer than {MAX_BYTES} bytes"));
        }
        self.position = next;
        Ok(())
    }

    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        self.claim(N as u64)?;
        let mut bytes = [0; N];
        self.inner
            .read_exact(&mut bytes)
            .map_err(|e| e.to_string())?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Problem> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Problem> {
        Ok(u64::from_le_bytes(self.take()?))
    }

    pub(super) fn text(&mut self) -> Result<String, Problem> {
        let length = self.u64()?;
        self.claim(length)?;
        let mut bytes = vec![0; length as usize];
        self.inner
            .read_exact(&mut bytes)
            .map_err(|e| e.to_string())?;
        String::from_utf8(bytes).map_err(|_| "its header has a text that is not UTF-8".to_owned())
    }

    pub(super) fn name(&mut self) -> Result<String, Problem> {
        let name = self.text()?;
        match name.len() as u64 > MAX_NAME {
            true => Err(format!("it has a name of {} bytes", name.len())),
            false => Ok(name),
        }
    }
}
