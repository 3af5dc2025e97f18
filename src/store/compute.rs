//! One forward pass: from the tokens of some texts to what passes every hook point of a plan.

use super::plan::Extraction;
use crate::error::{Error, Result};
use crate::hook::{At, Depth, Hook, HookPoint, HookSet, Site};
use crate::model::{Model, Precision};
use crate::text::batch::Batch;
use candle_core::{CpuStorage, DType, Storage, Tensor};

/// What passed one hook point.
pub(super) struct Passed<'a> {
    /// All numbers, row after row.
    pub matrix: &'a [f32],
    /// How many numbers a row has.
    pub width: usize,
    /// The Euclidean norm of every row; all are finite.
    pub norms: &'a [f32],
    /// For each text, in the order in which they were given, its rows that count.
    pub rows: &'a [Vec<usize>],
}

impl Extraction<'_> {
    /// Runs texts through the model together and hands over what passes each hook point while it passes, by its place in the plan. `positions`
    /// says which tokens of each text count.
    ///
    /// # Errors
    /// [`Error::NotFinite`], and whatever `take` returns.
    pub(super) fn forward(
        &self,
        texts: &[&[u32]],
        positions: &[&[usize]],
        take: impl FnMut(usize, Passed<'_>) -> Result<()>,
    ) -> Result<()> {
        let batch = Batch::new(texts)?;
        let segments = batch.rows_in_given_order();
        let of_tokens = positions
            .iter()
            .zip(&segments)
            .map(|(positions, segment)| positions.iter().map(|p| segment.start + p).collect());
        let mut of_texts: Vec<Vec<usize>> = vec![Vec::new(); texts.len()];
        for (segment, text) in batch.order().iter().enumerate() {
            of_texts[*text] = vec![segment];
        }
        let mut taker = Taker {
            points: &self.points,
            classifies_texts: self.model.model.spec().classifies_texts(),
            precision: self.model.precision,
            of_tokens: of_tokens.collect(),
            of_texts,
            taken: vec![false; self.points.points().len()],
            take,
        };
        self.model.model.forward(&batch, &mut taker)?;
        taker.finish()
    }
}

/// The hook that hands over. Nothing is kept for later: what was just computed is still near the processor.
struct Taker<'a, Take> {
    points: &'a HookSet,
    classifies_texts: bool,
    precision: Precision,
    /// For each text its rows, where a row is a token and where it is a text.
    of_tokens: Vec<Vec<usize>>,
    of_texts: Vec<Vec<usize>>,
    /// Which points passed.
    taken: Vec<bool>,
    take: Take,
}

impl<Take: FnMut(usize, Passed<'_>) -> Result<()>> Taker<'_, Take> {
    fn hand_over(&mut self, place: usize, point: HookPoint, x: &Tensor) -> Result<()> {
        let width = x.elem_count() / x.dim(0)?;
        let x = x.to_dtype(DType::F32)?.contiguous()?;
        let (storage, layout) = x.storage_and_layout();
        let copy;
        let matrix: &[f32] = match (&*storage, layout.contiguous_offsets()) {
            (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => &values[start..end],
            _ => {
                copy = x.flatten_all()?.to_vec1()?;
                &copy
            }
        };
        let a_row_a_text = point.site() == Site::Logits && self.classifies_texts;
        let passed = Passed {
            norms: &norms(matrix, width, point, self.precision)?,
            matrix,
            width,
            rows: if a_row_a_text {
                &self.of_texts
            } else {
                &self.of_tokens
            },
        };
        (self.take)(place, passed)
    }

    /// Every point must have passed.
    fn finish(self) -> Result<()> {
        match self.taken.iter().position(|taken| !taken) {
            None => Ok(()),
            Some(place) => Err(Error::NoSuchPoint {
                point: self.points.points()[place].to_string(),
                reason: "the forward pass did not reach it".to_owned(),
            }),
        }
    }
}

impl<Take: FnMut(usize, Passed<'_>) -> Result<()>> Hook for Taker<'_, Take> {
    fn on(&mut self, at: At<'_>, x: Tensor) -> Result<Tensor> {
        if let Ok(place) = self.points.points().binary_search(&at.point) {
            self.hand_over(place, at.point, &x)?;
            self.taken[place] = true;
        }
        Ok(x)
    }

    fn depth(&self) -> Depth {
        self.points.depth()
    }

    /// A run has no patterns, which have no row a token.
    fn sees_patterns(&self) -> bool {
        false
    }
}

/// The Euclidean norms of a matrix's rows. In f64, where no f32 overflows when squared: a norm is finite if and only if the row is.
fn norms(matrix: &[f32], width: usize, point: HookPoint, precision: Precision) -> Result<Vec<f32>> {
    let rows = matrix.chunks_exact(width.max(1));
    rows.map(|row| {
        let norm = norm(row);
        match row.iter().find(|v| !norm.is_finite() && !v.is_finite()) {
            None => Ok(norm as f32),
            Some(_) if precision == Precision::F16 => {
                Err(precision.exceeded(&format!("hook point `{point}`")))
            }
            Some(value) => Err(Error::NotFinite {
                place: format!("hook point `{point}`"),
                value: f64::from(*value),
            }),
        }
    })
    .collect()
}

/// Eight sums side by side, because one would wait for each addition; the order is fixed.
pub(super) fn norm(row: &[f32]) -> f64 {
    let eights = row.chunks_exact(8);
    let rest: f64 = eights.remainder().iter().map(|v| square(*v)).sum();
    let mut sums = [0f64; 8];
    for eight in eights {
        for (sum, value) in sums.iter_mut().zip(eight) {
            *sum += square(*value);
        }
    }
    (sums.iter().sum::<f64>() + rest).sqrt()
}

fn square(value: f32) -> f64 {
    f64::from(value) * f64::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_norm_of_large_numbers_is_not_taken_for_an_infinity() {
        let point: HookPoint = "blocks.0.resid_pre".parse().unwrap();
        let large = 2f32.powi(100);
        let row = [large; 9];
        assert_eq!(
            norms(&row, 9, point, Precision::F32).unwrap(),
            [3.0 * large]
        );
        let said = norms(&[1.0, f32::NAN], 2, point, Precision::F32)
            .unwrap_err()
            .to_string();
        assert!(said.contains("`blocks.0.resid_pre`"), "{said}");
    }
}
