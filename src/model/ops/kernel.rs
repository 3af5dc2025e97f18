//! Reading tensors as slices, for operations that compute their own gradients.

use crate::error::Result;
use candle_core::{CpuStorage, DType, Layout, Storage, Tensor, bail};
use std::ops::Deref;

/// Whether the kernels can take these tensors: f32 on the CPU. Everything else goes the composed way.
pub(super) fn fits(tensors: &[&Tensor]) -> bool {
    tensors
        .iter()
        .all(|t| t.dtype() == DType::F32 && t.device().is_cpu())
}

/// Computes in f32 and rounds once, for tensors of 16 bits, as torch does within an operation; `None` for others.
pub(super) fn in_f32<const N: usize>(
    tensors: [&Tensor; N],
    compute: impl FnOnce([Tensor; N]) -> Result<Tensor>,
) -> Option<Result<Tensor>> {
    let dtype = tensors.first()?.dtype();
    is_half(dtype).then(|| {
        let mut wide = tensors.map(Tensor::clone);
        for tensor in &mut wide {
            *tensor = widened(tensor)?;
        }
        Ok(compute(wide)?.to_dtype(dtype)?)
    })
}

/// In f32 if it has 16 bits, else as it is.
pub(super) fn widened(tensor: &Tensor) -> Result<Tensor> {
    match is_half(tensor.dtype()) {
        true => Ok(tensor.to_dtype(DType::F32)?),
        false => Ok(tensor.clone()),
    }
}

fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

/// The numbers of a kernel's argument.
pub(super) fn f32_slice<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> candle_core::Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("the fast kernels read contiguous f32 tensors"),
    }
}

/// A tensor's storage, locked for reading.
pub(super) struct Values<'a, Guard>(Guard, &'a Layout);

pub(super) fn values(tensor: &Tensor) -> Values<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    Values(storage, layout)
}

impl<Guard: Deref<Target = Storage>> Values<'_, Guard> {
    pub(super) fn slice(&self) -> candle_core::Result<&[f32]> {
        match &*self.0 {
            Storage::Cpu(storage) => f32_slice(storage, self.1),
            _ => bail!("the fast kernels run on the CPU"),
        }
    }
}

/// The length of the last axis, which is not 0.
pub(super) fn width(dims: &[usize]) -> candle_core::Result<usize> {
    match dims.last() {
        Some(width) if *width > 0 => Ok(*width),
        _ => bail!("there is nothing along the last axis of {dims:?}"),
    }
}

/// The scalar product. Eight sums side by side, because one would wait for each addition; the order is fixed.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(a, b)| a * b)
        .sum();
    let mut sums = [0f32; 8];
    for (a, b) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// `y += scale * x`
pub(super) fn add_scaled(y: &mut [f32], scale: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += scale * x;
    }
}
