//! What passes the hook points for some token sequences: one packed forward pass.

use crate::analysis::neighbors::Rows;
use crate::error::{Error, Result};
use crate::hook::{Depth, HookPoint, HookSet, NoHook, Recorder, Site};
use crate::model::{ArchSpec, Head, Mask, Model, Transformer};
use crate::store::Pool;
use crate::text::batch::Batch;
use candle_core::{DType, Tensor};
use std::ops::Range;

/// The hook points that drift is measured at, and whether next-token distributions are compared.
#[derive(Debug, Clone)]
pub(super) struct Probed {
    pub(super) points: HookSet,
    recorded: HookSet,
    /// The stream that the head reads.
    last: Option<HookPoint>,
}

/// The vectors of some sequences.
pub(super) struct States {
    /// For each point all rows, `[tokens, width]`.
    matrices: Vec<(Vec<f32>, usize)>,
    /// The rows of each sequence, in the order in which they were given.
    rows: Vec<Range<usize>>,
    /// The logits at each sequence's last token.
    pub(super) logits: Option<Vec<Vec<f32>>>,
}

impl Probed {
    /// Checks that every point has a vector for each token.
    ///
    /// # Errors
    /// [`Error::NoSuchPoint`].
    pub(super) fn new(points: HookSet, spec: &ArchSpec) -> Result<Self> {
        for point in points.points() {
            spec.row_shape(point.site())?;
            if point.site() == Site::Logits {
                return Err(Error::NoSuchPoint {
                    point: point.to_string(),
                    reason: "drift is measured between hidden states; a language model's next-token distributions are compared anyway".to_owned(),
                });
            }
        }
        let predicts = matches!(spec.head, Head::Lm { .. }) && spec.mask == Mask::Causal;
        let last = match predicts && spec.n_layers > 0 {
            true => Some(HookPoint::block(spec.n_layers - 1, Site::ResidPost)?),
            false => None,
        };
        let recorded = points.points().iter().copied().chain(last);
        Ok(Self {
            recorded: HookSet::new(recorded),
            points,
            last,
        })
    }

    /// Whether the model predicts a next token.
    pub(super) fn predicts(&self) -> bool {
        self.last.is_some()
    }

    /// Runs some sequences through a model together.
    pub(super) fn run(&self, model: &Transformer, sequences: &[&[u32]]) -> Result<States> {
        let batch = Batch::new(sequences)?;
        let mut recorder = Recorder::new(self.recorded.clone());
        debug_assert!(self.recorded.depth() < Depth::Head);
        model.forward(&batch, &mut recorder)?;
        let rows = batch.rows_in_given_order();
        let matrices = self.points.points().iter().map(|point| {
            let tensor = recorder.get(*point)?;
            let width = tensor.elem_count() / tensor.dim(0)?.max(1);
            let values = tensor
                .to_dtype(DType::F32)?
                .flatten_all()?
                .to_vec1::<f32>()?;
            match values.iter().position(|v| !v.is_finite()) {
                None => Ok((values, width)),
                Some(at) => Err(Error::NotFinite {
                    place: format!("hook point `{point}`"),
                    value: f64::from(values[at]),
                }),
            }
        });
        Ok(States {
            matrices: matrices.collect::<Result<_>>()?,
            logits: match self.last {
                Some(last) => Some(logits(model, recorder.get(last)?, sequences, &rows)?),
                None => None,
            },
            rows,
        })
    }
}

/// The logits at the last token of each sequence: norm and head work row by row, so that only those rows are given to them.
fn logits(
    model: &Transformer,
    stream: &Tensor,
    sequences: &[&[u32]],
    rows: &[Range<usize>],
) -> Result<Vec<Vec<f32>>> {
    let last: Vec<u32> = rows.iter().map(|r| r.end as u32 - 1).collect();
    let ids: Vec<[u32; 1]> = sequences
        .iter()
        .filter_map(|s| s.last().map(|id| [*id]))
        .collect();
    let of_last = Tensor::new(last, stream.device())?;
    let output = model.unembed(
        stream.index_select(&of_last, 0)?,
        &Batch::new(&ids)?,
        &mut NoHook,
    )?;
    match output.logits {
        Some(logits) => Ok(logits.to_dtype(DType::F32)?.to_vec2()?),
        None => Ok(Vec::new()),
    }
}

impl States {
    /// The vectors of a sequence at a point, `[tokens, width]`.
    pub(super) fn of(&self, sequence: usize, point: usize) -> (&[f32], usize) {
        let (matrix, width) = &self.matrices[point];
        let rows = &self.rows[sequence];
        (&matrix[rows.start * width..rows.end * width], *width)
    }
}

/// The pooled vectors of some sequences at a point.
pub(super) fn pooled(
    pool: &Pool,
    states: &States,
    sequences: &[usize],
    point: usize,
) -> Result<Rows> {
    let mut data = Vec::new();
    let mut cols = 0;
    for sequence in sequences {
        let (matrix, width) = states.of(*sequence, point);
        let rows: Vec<usize> = (0..matrix.len() / width.max(1)).collect();
        let vector = pool.apply(matrix, width, &rows);
        cols = vector.len();
        data.extend(vector);
    }
    Rows::new(cols, data)
}

/// KL(p ‖ q) in nats of the distributions that two rows of logits stand for.
pub(super) fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let log_sum = |row: &[f32]| {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let most = f64::from(most);
        most + row
            .iter()
            .map(|v| (f64::from(*v) - most).exp())
            .sum::<f64>()
            .ln()
    };
    let (of_p, of_q) = (log_sum(p), log_sum(q));
    let terms = p.iter().zip(q).map(|(a, b)| {
        let (a, b) = (f64::from(*a) - of_p, f64::from(*b) - of_q);
        match a.exp() {
            // A token that is masked out has no part in it.
            0.0 => 0.0,
            share => share * (a - b),
        }
    });
    terms.sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::divergence;

    #[test]
    fn divergences_are_those_of_the_formula() {
        let p = [0.5f32.ln(), 0.25f32.ln(), 0.25f32.ln()];
        let q = [0.25f32.ln() + 3.0, 0.5f32.ln() + 3.0, 0.25f32.ln() + 3.0];
        let expected = 0.5 * 2f64.ln() - 0.25 * 2f64.ln();
        assert!((divergence(&p, &q) - expected).abs() < 1e-7);
        assert_eq!(divergence(&p, &p), 0.0);
        assert!((divergence(&[0.0, f32::NEG_INFINITY], &[0.0, 0.0]) - 2f64.ln()).abs() < 1e-12);
    }
}
