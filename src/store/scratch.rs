//! Rows of vectors in a file without a name, for analyses of more rows than memory holds.
//!
//! The file is gone when the process ends, however it ends. It lies in the folder that it is made for if that can be written to, since the
//! system's folder for such files may be memory.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Rows that are copied at once.
const BLOCK: usize = 4096;

/// Vectors of finite `f32` on disk, `[rows, cols]`.
#[derive(Debug)]
pub struct Scratch {
    file: Mutex<File>,
    folder: PathBuf,
    rows: usize,
    cols: usize,
}

/// A [`Scratch`] that is being written.
#[derive(Debug)]
pub struct ScratchWriter {
    file: BufWriter<File>,
    folder: PathBuf,
    rows: usize,
    cols: usize,
}

impl ScratchWriter {
    /// For rows of `cols` numbers; `folder` is where the file should lie.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be made there nor in the system's folder.
    pub fn new(folder: &Path, cols: usize) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).or_else(|_| tempfile::tempfile());
        let file = file.map_err(|e| Error::io(folder, e))?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, file),
            folder: folder.to_owned(),
            rows: 0,
            cols,
        })
    }

    /// Appends whole rows.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with row and feature for NaN and infinities; [`Error::Io`] for a full disk.
    pub fn append(&mut self, values: &[f32]) -> Result<()> {
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let (row, feature) = (self.rows + at / self.cols, at % self.cols);
            return Err(Error::NotFinite {
                place: format!("row {row}, feature {feature}"),
                value: f64::from(values[at]),
            });
        }
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.rows += values.len() / self.cols.max(1);
        self.file
            .write_all(&bytes)
            .map_err(|e| Error::io(&self.folder, e))
    }

    /// Ready to be read.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<Scratch> {
        let file = self.file.into_inner().map_err(|e| e.into_error());
        Ok(Scratch {
            file: Mutex::new(file.map_err(|e| Error::io(&self.folder, e))?),
            folder: self.folder,
            rows: self.rows,
            cols: self.cols,
        })
    }
}

impl Scratch {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers in a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The rows from `first` on, as many as fill `out`.
    ///
    /// # Errors
    /// [`Error::Io`], for rows that are not there too.
    pub fn read(&self, first: usize, out: &mut [f32]) -> Result<()> {
        let mut bytes = vec![0u8; 4 * out.len()];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let start = SeekFrom::Start(4 * (first * self.cols) as u64);
            file.seek(start)
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|e| Error::io(&self.folder, e))?;
        }
        for (value, bytes) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*bytes);
        }
        Ok(())
    }

    /// These rows, in this order, in a file of their own. Neighbours are read together.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn arranged(&self, rows: &[usize]) -> Result<Self> {
        let mut writer = ScratchWriter::new(&self.folder, self.cols)?;
        let mut values = Vec::new();
        for run in rows.chunk_by(|a, b| a + 1 == *b) {
            for part in run.chunks(BLOCK) {
                values.resize(part.len() * self.cols, 0.0);
                self.read(part[0], &mut values)?;
                writer.append(&values)?;
            }
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_was_written_is_read_in_any_order(
            cols in 1usize..6,
            order in proptest::collection::vec(0usize..40, 0..60),
            first in 0usize..40,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let value = |row: usize, col: usize| (row * 10 + col) as f32 / 7.0;
            let mut writer = ScratchWriter::new(folder.path(), cols).unwrap();
            for row in 0..40 {
                let values: Vec<f32> = (0..cols).map(|col| value(row, col)).collect();
                writer.append(&values).unwrap();
            }
            let all = writer.finish().unwrap();
            let arranged = all.arranged(&order).unwrap();
            prop_assert_eq!((arranged.rows(), arranged.cols()), (order.len(), cols));
            let mut found = vec![0.0; order.len() * cols];
            arranged.read(0, &mut found).unwrap();
            let wanted = order.iter().flat_map(|row| (0..cols).map(move |col| value(*row, col)));
            prop_assert_eq!(found, wanted.collect::<Vec<f32>>());
            let mut rest = vec![0.0; (40 - first) * cols];
            all.read(first, &mut rest).unwrap();
            prop_assert_eq!(rest[0], value(first, 0));
            prop_assert!(all.read(first + 1, &mut rest).is_err(), "there are no such rows");
            // No name is left behind.
            prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_number_that_is_not_finite_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ScratchWriter::new(folder.path(), 2).unwrap();
        writer.append(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        let error = writer.append(&[5.0, 6.0, 7.0, f32::NAN]).unwrap_err();
        assert!(error.to_string().starts_with("row 3, feature 1"), "{error}");
    }
}
