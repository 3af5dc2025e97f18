//! Where the rows of a layer lie while it is probed: in memory, or on disk if they are too many.

use super::Rows;
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::LayerRows;
use crate::error::Result;
use crate::store::{Budget, Scratch, ScratchWriter};

/// What one number of a layer takes in memory while the layer is probed: as it was read, standardised, and in the precision of the search.
const BYTES: usize = 24;

/// The rows of a hook point.
pub(in crate::cli) enum Held {
    Here(Matrix),
    There(Scratch),
}

impl Held {
    /// As probes read them.
    pub(in crate::cli) fn rows(&self) -> LayerRows<'_> {
        match self {
            Held::Here(x) => LayerRows::Here(x),
            Held::There(x) => LayerRows::There(x),
        }
    }
}

impl Rows {
    /// The first hook point whose rows take more than this in memory.
    pub(in crate::cli) fn too_large(&self, budget: Budget) -> Result<Option<String>> {
        for point in self.points() {
            if !self.fits(&point, budget)? {
                return Ok(Some(point));
            }
        }
        Ok(None)
    }

    fn fits(&self, point: &str, budget: Budget) -> Result<bool> {
        let heads = self.names(point)?.len();
        let width = heads * self.run().unit_width(point, self.per_head)?;
        let bytes = self.len().saturating_mul(width).saturating_mul(BYTES);
        Ok(bytes <= budget.bytes())
    }

    /// The rows at a hook point, each head by itself with `--per-head`: as [`Rows::matrices`] if they fit, else on disk.
    pub(in crate::cli) fn layers(
        &self,
        point: &str,
        budget: Budget,
    ) -> Result<Vec<(String, Held)>> {
        if self.fits(point, budget)? {
            let all = self.matrices(point)?.into_iter();
            return Ok(all.map(|(name, x)| (name, Held::Here(x))).collect());
        }
        let names = self.names(point)?;
        let width = self.run().unit_width(point, self.per_head)?;
        let writer = |_: &String| ScratchWriter::new(self.run().path(), width);
        let mut writers: Vec<ScratchWriter> = names.iter().map(writer).collect::<Result<_>>()?;
        for part in &self.parts {
            part.each_vector(point, self.per_head, |head, vector| {
                writers[head].append(vector)
            })?;
        }
        let written = names.into_iter().zip(writers);
        written
            .map(|(name, writer)| Ok((name, Held::There(writer.finish()?))))
            .collect()
    }
}
