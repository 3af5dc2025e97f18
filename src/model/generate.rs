//! Greedy continuation, the shortest proof that a decoder is right from end to end.

use super::transformer::Model;
use crate::error::{Error, Result};
use crate::hook::NoHook;
use crate::text::batch::Batch;
use candle_core::D;

/// Continues `prompt` by the most likely token, `count` times. No cache: each step runs the whole text, so this is for
/// checks and small models.
///
/// # Errors
/// [`Error::NoSuchPoint`] if the model has no language-model head; [`Error::TooLong`] at the end of the context.
pub fn greedy(model: &dyn Model, prompt: &[u32], count: usize) -> Result<Vec<u32>> {
    let mut ids = prompt.to_vec();
    for _ in 0..count {
        let batch = Batch::new(&[&ids])?;
        let output = model.forward(&batch, &mut NoHook)?;
        let logits = output
            .and_then(|o| o.logits)
            .filter(|_| !model.spec().classifies_texts())
            .ok_or_else(|| Error::NoSuchPoint {
                point: "logits".to_owned(),
                reason: "the model has no language-model head to continue with".to_owned(),
            })?;
        ids.push(logits.get(ids.len() - 1)?.argmax(D::Minus1)?.to_scalar()?);
    }
    Ok(ids)
}
