//! The vector of one text, as a run would hold it.

use super::manifest::SpecialTokens;
use super::pool::Pool;
use crate::error::{Error, Result};
use crate::hook::{HookPoint, HookSet, Recorder, Site};
use crate::model::{LoadedModel, Model};
use crate::text::batch::Batch;
use crate::text::tokens::{Tokenizer, Tokens};
use candle_core::DType;

/// The vectors of one text at a hook point, one a token.
#[derive(Debug, Clone)]
pub struct TextVectors {
    /// Its tokens.
    pub tokens: Tokens,
    width: usize,
    matrix: Vec<f32>,
}

impl TextVectors {
    /// Runs a text through a model, up to a hook point.
    ///
    /// # Errors
    /// [`Error::BadText`]; [`Error::TooLong`] for a text that would be cut to `limit` tokens; [`Error::NoSuchPoint`] for a point that the
    /// model lacks or that has no row for each token.
    pub fn of(
        model: &LoadedModel,
        tokenizer: &Tokenizer,
        text: &str,
        point: HookPoint,
        limit: usize,
    ) -> Result<Self> {
        let tokens = tokenizer.encode(text, None)?;
        if tokens.len() > limit {
            return Err(Error::BadParameter {
                name: "text",
                value: format!("{} tokens", tokens.len()),
                problem: format!("at most {limit} are read; give a shorter one"),
            });
        }
        let points = HookSet::select(&point.to_string(), &model.model.spec().points())?;
        let a_row_a_token = point.site().is_per_token()
            && !(point.site() == Site::Logits && model.model.spec().classifies_texts());
        if !a_row_a_token {
            return Err(Error::NoSuchPoint {
                point: point.to_string(),
                reason: "it has no vector for each token".to_owned(),
            });
        }
        let batch = Batch::new(&[&tokens.ids])?;
        let mut recorder = Recorder::new(points);
        model.model.forward(&batch, &mut recorder)?;
        let tensor = recorder.get(point)?.to_dtype(DType::F32)?;
        Ok(Self {
            width: tensor.elem_count() / tensor.dim(0)?,
            matrix: tensor.flatten_all()?.to_vec1()?,
            tokens,
        })
    }

    /// The vector of a position; a negative one counts from the end.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for a position that the text does not have.
    pub fn at(&self, position: i64) -> Result<(usize, &[f32])> {
        let n = self.tokens.len();
        let from_end = |p: i64| usize::try_from(p.unsigned_abs()).ok();
        let row = match position < 0 {
            true => from_end(position).and_then(|back| n.checked_sub(back)),
            false => from_end(position).filter(|p| *p < n),
        };
        let row = row.ok_or_else(|| Error::BadParameter {
            name: "position",
            value: position.to_string(),
            problem: format!(
                "the text has {n} tokens, which are 0 to {} or, from the end, -1 to -{n}",
                n - 1
            ),
        })?;
        Ok((row, &self.matrix[row * self.width..(row + 1) * self.width]))
    }

    /// The vector of the text, pooled as a run's plan says.
    ///
    /// # Errors
    /// [`Error::BadText`] for a text of special tokens alone where they do not count; [`Error::BadParameter`] for [`Pool::None`].
    pub fn pooled(&self, pool: &Pool, special: SpecialTokens) -> Result<Vec<f32>> {
        if *pool == Pool::None {
            return Err(Error::BadParameter {
                name: "pool",
                value: "none".to_owned(),
                problem: "a text without pooling has a vector for each token".to_owned(),
            });
        }
        let rows = special.positions(&self.tokens, 0)?;
        Ok(pool.apply(&self.matrix, self.width, &rows))
    }
}
