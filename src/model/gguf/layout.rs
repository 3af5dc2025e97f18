//! What llama.cpp's converter does to a tensor beyond renaming it, undone.

use candle_core::{Result, Tensor};

/// How a tensor of a file differs from that of a Hugging Face checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Not at all.
    Same,
    /// Rows and columns are exchanged (GPT-2's `Conv1D` stores `[in, out]`).
    Transposed,
    /// The rows of each head, which rotary positions pair as `(i, i + d/2)`, stand as `(2i, 2i + 1)`.
    PairsTogether {
        /// Number of heads.
        heads: usize,
    },
    /// All queries, then all keys, then all values; the checkpoint has them head by head (a key-value head with its queries).
    QkvApart {
        /// Number of query heads.
        heads: usize,
        /// Number of key and value heads.
        kv_heads: usize,
    },
    /// One is added: the family's norm multiplies by `1 + weight`.
    PlusOne,
}

impl Layout {
    /// The shape in the checkpoint of a tensor that has this shape in the file.
    pub(super) fn shape(self, shape: &[usize]) -> Vec<usize> {
        match self {
            Layout::Transposed => shape.iter().rev().copied().collect(),
            _ => shape.to_vec(),
        }
    }

    /// A tensor of the file as the checkpoint has it.
    ///
    /// # Errors
    /// If its rows do not divide among the heads.
    pub(super) fn undo(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Layout::Same => Ok(x.clone()),
            Layout::PlusOne => x - 1.0,
            Layout::Transposed if x.rank() < 2 => Ok(x.clone()),
            Layout::Transposed => x.t()?.contiguous(),
            Layout::PairsTogether { heads } => {
                let rows = Rows::of(x)?;
                let half = rows.count / heads.max(1) / 2;
                let pairs = x.reshape((heads, half, 2, rows.width))?;
                pairs.transpose(1, 2)?.contiguous()?.reshape(x.shape())
            }
            Layout::QkvApart { heads, kv_heads } => {
                let rows = Rows::of(x)?;
                let d_head = rows.count / (heads + 2 * kv_heads).max(1);
                let part = |start: usize, n: usize| {
                    let rows_of_part = x.narrow(0, start * d_head, n * d_head)?;
                    rows_of_part.reshape((kv_heads, n * d_head / kv_heads.max(1), rows.width))
                };
                let parts = [
                    part(0, heads)?,
                    part(heads, kv_heads)?,
                    part(heads + kv_heads, kv_heads)?,
                ];
                Tensor::cat(&parts, 1)?.reshape(x.shape())
            }
        }
    }
}

/// A matrix, or a bias as a matrix of one column.
struct Rows {
    count: usize,
    width: usize,
}

impl Rows {
    fn of(x: &Tensor) -> Result<Self> {
        let count = x.dim(0)?;
        Ok(Self {
            count,
            width: x.elem_count() / count.max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn column(rows: &[f32]) -> Tensor {
        Tensor::new(rows, &Device::Cpu).unwrap()
    }

    fn undone(layout: Layout, rows: &[f32]) -> Vec<f32> {
        layout.undo(&column(rows)).unwrap().to_vec1().unwrap()
    }

    #[test]
    fn pairs_of_each_head_are_taken_apart() {
        // Two heads of four rows; llama.cpp's permute makes 0 2 1 3 of 0 1 2 3.
        let layout = Layout::PairsTogether { heads: 2 };
        let rows = undone(layout, &[0., 2., 1., 3., 4., 6., 5., 7.]);
        assert_eq!(rows, [0., 1., 2., 3., 4., 5., 6., 7.]);
    }

    #[test]
    fn queries_keys_and_values_go_back_to_their_heads() {
        // Four query heads and two key-value heads of width one: q0 q1 q2 q3, k0 k1, v0 v1.
        let layout = Layout::QkvApart {
            heads: 4,
            kv_heads: 2,
        };
        let rows = undone(layout, &[0., 1., 2., 3., 10., 11., 20., 21.]);
        assert_eq!(rows, [0., 1., 10., 20., 2., 3., 11., 21.]);
    }

    #[test]
    fn a_bias_has_nothing_to_transpose() {
        assert_eq!(undone(Layout::Transposed, &[0., 1.]), [0., 1.]);
    }

    #[test]
    fn rows_that_do_not_divide_among_the_heads_are_an_error() {
        for heads in [0, 3, 5, 100] {
            let layout = Layout::PairsTogether { heads };
            assert!(layout.undo(&column(&[0.; 8])).is_err(), "{heads}");
            let layout = Layout::QkvApart {
                heads,
                kv_heads: heads,
            };
            assert!(layout.undo(&column(&[0.; 8])).is_err(), "{heads}");
        }
    }
}
