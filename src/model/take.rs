//! How one of our weights lies in a foreign tensor: whole, transposed, a part of a fused one.

use crate::error::Result;
use candle_core::Tensor;
use std::ops::Range;

/// How a weight is taken from a foreign tensor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Take {
    /// As it is.
    #[default]
    Whole,
    /// `[in, out]` instead of `[out, in]` (GPT-2's `Conv1D`); vectors as they are.
    Transposed,
    /// One less than it should be (Gemma's norms are `1 + weight`).
    PlusOne,
    /// Rows of several modules in one tensor.
    Part(Part),
    /// Rows from as many tensors, whose names count them at `{h}`.
    Rows,
}

/// Where a module's rows stand in a tensor that holds several modules: the tensor is `groups` times `of` slots of equal height,
/// and the module has the same slots of every group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) groups: usize,
    pub(crate) of: usize,
    pub(crate) slots: Range<usize>,
    /// Whether the tensor is `[in, out]`.
    pub(crate) transposed: bool,
}

impl Take {
    /// The shape of the foreign tensor (of each one, for [`Take::Rows`]) that holds a weight of this shape.
    pub(crate) fn source_shape(&self, shape: &[usize]) -> Vec<usize> {
        let mut source = shape.to_vec();
        match self {
            Take::Whole | Take::PlusOne => {}
            Take::Transposed => source.reverse(),
            Take::Rows => {
                source.remove(0);
            }
            Take::Part(part) => {
                source[0] = part.height(shape) * part.groups * part.of;
                if part.transposed {
                    source.reverse();
                }
            }
        }
        source
    }

    /// The weight of this shape, from the foreign tensor (or tensors).
    pub(crate) fn pick(&self, source: &[Tensor], shape: &[usize]) -> Result<Tensor> {
        let first = &source[0];
        Ok(match self {
            Take::Whole => first.clone(),
            Take::PlusOne => (first + 1.0)?,
            Take::Transposed => match first.rank() {
                2 => first.t()?.contiguous()?,
                _ => first.clone(),
            },
            Take::Rows => Tensor::stack(source, 0)?,
            Take::Part(part) => {
                let source = match part.transposed && first.rank() == 2 {
                    true => first.t()?.contiguous()?,
                    false => first.clone(),
                };
                let mut split = vec![part.groups, part.of, part.height(shape)];
                split.extend_from_slice(&shape[1..]);
                source
                    .reshape(split)?
                    .narrow(1, part.slots.start, part.slots.len())?
                    .contiguous()?
                    .reshape(shape)?
            }
        })
    }
}

impl Part {
    /// Rows of a slot.
    fn height(&self, shape: &[usize]) -> usize {
        shape[0] / (self.groups * self.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Rows of width 1 that hold these numbers.
    fn column(values: &[u32]) -> Tensor {
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        let rows = values.len();
        Tensor::from_vec(values, (rows, 1), &Device::Cpu).unwrap()
    }

    fn picked(take: &Take, source: &Tensor, rows: usize) -> Vec<f32> {
        assert_eq!(take.source_shape(&[rows, 1]), source.dims());
        let picked = take.pick(std::slice::from_ref(source), &[rows, 1]).unwrap();
        picked.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_part_has_the_same_slots_of_every_group() {
        // Two heads, each with rows of q, k and v: GPT-NeoX.
        let part = |slots| {
            Take::Part(Part {
                groups: 2,
                of: 3,
                slots,
                transposed: false,
            })
        };
        let fused = column(&[10, 11, 20, 21, 30, 31, 12, 13, 22, 23, 32, 33]);
        assert_eq!(picked(&part(0..1), &fused, 4), [10.0, 11.0, 12.0, 13.0]);
        assert_eq!(picked(&part(2..3), &fused, 4), [30.0, 31.0, 32.0, 33.0]);
        assert_eq!(
            picked(&part(1..3), &fused, 8)[..4],
            [20.0, 21.0, 30.0, 31.0]
        );
    }

    #[test]
    fn a_transposed_part_is_turned_before_it_is_cut() {
        let take = Take::Part(Part {
            groups: 1,
            of: 3,
            slots: 1..2,
            transposed: true,
        });
        let fused = column(&[1, 2, 3, 4, 5, 6]).t().unwrap();
        assert_eq!(picked(&take, &fused, 2), [3.0, 4.0]);
        // The bias of the same module is a plain vector.
        let bias = column(&[1, 2, 3, 4, 5, 6]).flatten_all().unwrap();
        assert_eq!(take.source_shape(&[2]), [6]);
        let bias = take.pick(&[bias], &[2]).unwrap();
        assert_eq!(bias.to_vec1::<f32>().unwrap(), [3.0, 4.0]);
    }
}
