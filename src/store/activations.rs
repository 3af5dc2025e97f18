//! What passes a hook point while texts run through a model, kept in memory: for the few texts that somebody looks at.

use super::manifest::SpecialTokens;
use super::pool::Pool;
use crate::error::{Error, Result};
use crate::hook::{HookPoint, HookSet, Recorder, Site};
use crate::model::Model;
use crate::text::batch::Batch;
use crate::text::tokens::Tokens;
use candle_core::DType;

/// The vectors of a text's tokens at one hook point.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenVectors {
    /// How many numbers a token has.
    pub width: usize,
    /// All numbers; token `i` is `values[i * width..(i + 1) * width]`.
    pub values: Vec<f32>,
}

impl TokenVectors {
    /// One vector for the text, of the tokens that count.
    ///
    /// # Errors
    /// [`Error::BadText`] (row 0; the caller knows the row) if none does.
    pub fn pooled(&self, tokens: &Tokens, pool: &Pool, special: SpecialTokens) -> Result<Vec<f32>> {
        let rows = special.positions(tokens, 0)?;
        Ok(pool.apply(&self.values, self.width, &rows))
    }

    /// The part of each vector that belongs to a head, of `heads`.
    pub fn of_head(&self, head: usize, heads: usize) -> Self {
        let width = self.width / heads.max(1);
        let rows = self.values.chunks_exact(self.width.max(1));
        let values = rows.flat_map(|row| row[head * width..(head + 1) * width].iter().copied());
        Self {
            width,
            values: values.collect(),
        }
    }
}

/// The vectors of one text at a hook point. The model runs no deeper than it must.
///
/// # Errors
/// [`Error::NoSuchPoint`] for a point that has no row a token, [`Error::NotFinite`], and those of the model.
pub fn token_vectors(model: &dyn Model, tokens: &Tokens, point: HookPoint) -> Result<TokenVectors> {
    if !point.site().is_per_token()
        || (point.site() == Site::Logits && model.spec().classifies_texts())
    {
        return Err(Error::NoSuchPoint {
            point: point.to_string(),
            reason: "it has no row for each token".to_owned(),
        });
    }
    let mut recorder = Recorder::new(HookSet::new(vec![point]));
    model.forward(&Batch::new(&[tokens.ids.as_slice()])?, &mut recorder)?;
    let tensor = recorder.get(point)?;
    let width = tensor.elem_count() / tensor.dim(0)?.max(1);
    let values = tensor
        .to_dtype(DType::F32)?
        .flatten_all()?
        .to_vec1::<f32>()?;
    match values.iter().find(|v| !v.is_finite()) {
        None => Ok(TokenVectors { width, values }),
        Some(value) => Err(Error::NotFinite {
            place: format!("hook point `{point}`"),
            value: f64::from(*value),
        }),
    }
}
