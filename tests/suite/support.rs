//! What several tests need: data that is not in the project, and comparisons.

use candle_core::{DType, Device, Tensor};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of reference data that is not part of the project (`PLUMB_SHARED`), or `None` with one clear line.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("PLUMB_SHARED").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    match folder.map(|f| root.join(f)).filter(|f| f.is_dir()) {
        Some(folder) => Some(folder),
        None => {
            eprintln!("skipped: needs reference data; set PLUMB_SHARED to its folder");
            None
        }
    }
}

/// A folder that holds all-MiniLM-L6-v2, or `None` with one clear line.
pub(crate) fn minilm() -> Option<PathBuf> {
    let output = Command::new("bash")
        .arg(shared()?.join("bin/minilm"))
        .output();
    match output {
        Ok(output) if output.status.success() => Some(PathBuf::from(
            String::from_utf8(output.stdout).unwrap().trim(),
        )),
        _ => {
            eprintln!("skipped: needs all-MiniLM-L6-v2, which could not be fetched");
            None
        }
    }
}

/// The tensors of a safetensors file.
pub(crate) fn tensors(path: &Path) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

/// max|ours - theirs| / max|theirs|; infinite if the shapes differ.
pub(crate) fn relative_error(ours: &Tensor, theirs: &Tensor) -> f64 {
    if ours.dims() != theirs.dims() {
        return f64::INFINITY;
    }
    let max = |t: &Tensor| {
        let t = t.abs().unwrap().flatten_all().unwrap();
        let t = t.to_dtype(DType::F64).unwrap().max(0).unwrap();
        t.to_scalar::<f64>().unwrap()
    };
    max(&(ours - theirs).unwrap()) / max(theirs)
}
