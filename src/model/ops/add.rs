//! Sums of two tensors: what is added to the residual stream.

use super::kernel::{fits, values};
use crate::error::Result;
use candle_core::{Device, Tensor};

/// `x + y`, where `y` has the shape of `x`, or is one row for all of its rows.
///
/// candle gives sums of this size to a pool of threads of its own, which wait for each other in a loop: beside batches that each have a thread,
/// they take a seventh of the time.
pub fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let width = y.elem_count();
    let one_row = width > 0 && x.dims().last() == Some(&width);
    let tracked = x.track_op() || y.track_op();
    if !fits(&[x, y]) || tracked || !(one_row || x.dims() == y.dims()) {
        return Ok(x.broadcast_add(y)?);
    }
    let (x, y) = (x.contiguous()?, y.contiguous()?);
    let (left, right) = (values(&x), values(&y));
    let (left, right) = (left.slice()?, right.slice()?);
    let sums: Vec<f32> = match left.len() == right.len() {
        true => left.iter().zip(right).map(|(a, b)| a + b).collect(),
        false => left
            .chunks_exact(width)
            .flat_map(|row| row.iter().zip(right).map(|(a, b)| a + b))
            .collect(),
    };
    Ok(Tensor::from_vec(sums, x.shape(), &Device::Cpu)?)
}
