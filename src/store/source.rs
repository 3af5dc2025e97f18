//! The texts of a run, tokenised when they are needed.

use super::manifest::{SpecialTokens, Truncation};
use super::pool::counted_rows;
use crate::error::{Error, Result};
use crate::model::unknown_id;
use crate::text::tokens::{Tokenizer, Tokens};
use rayon::prelude::*;

/// Where the tokens of a run come from. Tokens with their spans and names take twenty times the memory of the text, so that only those of
/// the shards at work are held; making them again costs a thousandth of what the model does with them.
#[derive(Debug)]
pub enum Texts<'a> {
    /// Texts and their tokenizer.
    Text(Vec<&'a str>, &'a Tokenizer),
    /// Token ids, and a tokenizer that knows their names.
    Ids(Vec<Vec<u32>>, Option<&'a Tokenizer>),
}

impl Texts<'_> {
    /// The number of texts.
    pub fn len(&self) -> usize {
        match self {
            Texts::Text(texts, _) => texts.len(),
            Texts::Ids(ids, _) => ids.len(),
        }
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens of an example, cut to the context.
    ///
    /// # Errors
    /// [`Error::BadText`] with the example's row.
    pub fn tokens(&self, example: usize, context: usize) -> Result<Tokens> {
        let tokens = match self {
            Texts::Text(texts, tokenizer) => tokenizer.encode(texts[example], Some(context)),
            Texts::Ids(ids, tokenizer) => {
                Tokens::from_ids(ids[example].clone(), *tokenizer, Some(context))
            }
        };
        tokens.map_err(|error| match error {
            Error::BadText { problem, .. } => Error::BadText {
                row: example,
                problem,
            },
            other => other,
        })
    }

    /// The text of an example, where there is one.
    pub(super) fn text(&self, example: usize) -> Option<&str> {
        match self {
            Texts::Text(texts, _) => texts.get(example).copied(),
            Texts::Ids(..) => None,
        }
    }
}

/// What must be known about every text before the model runs.
#[derive(Debug, Clone)]
pub struct Census {
    /// For each example, its tokens after truncation and those of them that count.
    counts: Vec<(u32, u32)>,
    /// Texts that were longer than the context.
    pub truncation: Truncation,
    /// The first text that was, and its length.
    pub first_cut: Option<(usize, usize)>,
}

impl Census {
    /// Tokenises every text, in parallel, and keeps only what is counted.
    ///
    /// # Errors
    /// [`Error::BadText`] for the first text without a token that counts or with an id outside the vocabulary.
    pub fn take(
        texts: &Texts<'_>,
        context: usize,
        vocab: usize,
        special: SpecialTokens,
    ) -> Result<Self> {
        let count = |example: usize| -> Result<(u32, u32, Option<usize>)> {
            let tokens = texts.tokens(example, context)?;
            if let Some(id) = tokens.ids.iter().find(|id| **id as usize >= vocab) {
                return Err(unknown_id(example, *id, vocab));
            }
            let counted = special.positions(&tokens, example)?.len();
            Ok((tokens.len() as u32, counted as u32, tokens.truncated_from))
        };
        // A text at fault is met again below, in order: rayon reports whichever it meets first.
        let found: Vec<Option<(u32, u32, Option<usize>)>> = (0..texts.len())
            .into_par_iter()
            .map(|example| count(example).ok())
            .collect();
        let mut census = Self {
            counts: Vec::with_capacity(found.len()),
            truncation: Truncation::default(),
            first_cut: None,
        };
        for (example, found) in found.into_iter().enumerate() {
            let (tokens, counted, cut) = match found {
                Some(found) => found,
                None => count(example)?,
            };
            census.counts.push((tokens, counted));
            if let Some(before) = cut {
                census.truncation.add(before, tokens as usize);
                census.first_cut.get_or_insert((example, before));
            }
        }
        Ok(census)
    }

    /// The number of examples.
    pub fn examples(&self) -> usize {
        self.counts.len()
    }

    /// The tokens of an example.
    pub fn tokens_of(&self, example: usize) -> usize {
        self.counts[example].0 as usize
    }

    /// The tokens of an example that count.
    pub fn counted_of(&self, example: usize) -> usize {
        self.counts[example].1 as usize
    }

    /// All tokens.
    pub fn tokens(&self) -> usize {
        self.counts.iter().map(|c| c.0 as usize).sum()
    }
}

impl SpecialTokens {
    /// The positions of a text's tokens that count.
    pub(super) fn positions(self, tokens: &Tokens, example: usize) -> Result<Vec<usize>> {
        let include = self == SpecialTokens::Included;
        counted_rows(0..tokens.len(), &tokens.special, include, example)
    }
}
