//! From the texts or token ids of a data set to tokens, as every command that reads a model does it.

use crate::error::{Error, Result};
use crate::model::ModelSource;
use crate::text::dataset::Dataset;
use crate::text::tokens::{Bos, Tokenizer, Tokens};
use clap::ValueEnum;

/// What is read of a data set, and how it becomes tokens.
#[derive(Debug, clap::Args)]
pub(super) struct TokenArgs {
    /// Column that holds the texts
    #[arg(
        long,
        value_name = "C",
        default_value = "text",
        conflicts_with = "ids_column"
    )]
    pub(super) text_column: String,
    /// Column that holds lists of token ids, for data that is tokenised already; nothing is added to them
    #[arg(long, value_name = "C")]
    pub(super) ids_column: Option<String>,
    /// Whether texts begin with the beginning-of-sequence token (<s>, [CLS]); `auto` is as the model's tokenizer does
    #[arg(long, value_enum, default_value_t = BosArg::Auto, conflicts_with = "ids_column")]
    bos: BosArg,
    /// Refuse texts that are longer than the model's context instead of cutting them
    #[arg(long)]
    no_truncate: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BosArg {
    /// As the model's own tokenizer does
    Auto,
    /// It is the first token, once
    Always,
    /// The tokenizer's is left out
    Never,
}

/// The tokens of every row of a data set.
pub(super) struct Tokenized {
    pub(super) tokens: Vec<Tokens>,
    /// The hash of the tokenizer, if there was one.
    pub(super) tokenizer_sha256: Option<String>,
}

impl TokenArgs {
    /// The policy for the beginning of a text; `None` for token ids.
    pub(super) fn bos(&self) -> Option<Bos> {
        self.ids_column.is_none().then_some(match self.bos {
            BosArg::Auto => Bos::Auto,
            BosArg::Always => Bos::Always,
            BosArg::Never => Bos::Never,
        })
    }

    /// The column of texts (`Ok`) or token ids (`Err`).
    pub(super) fn source_column(&self) -> Result<String, String> {
        match &self.ids_column {
            Some(ids) => Err(ids.clone()),
            None => Ok(self.text_column.clone()),
        }
    }

    /// The tokens of every row, at most `limit` of each.
    pub(super) fn tokenize(
        &self,
        model: &ModelSource,
        data: &Dataset,
        limit: usize,
    ) -> Result<Tokenized> {
        let tokenized = match &self.ids_column {
            None => self.texts_of(model, data, limit)?,
            Some(column) => ids_of(model, &data.token_ids(column)?, limit)?,
        };
        match self.no_truncate {
            true => refuse_long(&tokenized.tokens, limit).map(|()| tokenized),
            false => Ok(tokenized),
        }
    }

    fn texts_of(&self, model: &ModelSource, data: &Dataset, limit: usize) -> Result<Tokenized> {
        let texts = data.texts(&self.text_column)?;
        let tokenizer = Tokenizer::open(model)?.with_bos(self.bos().unwrap_or_default())?;
        Ok(Tokenized {
            tokens: tokenizer.encode_all(&texts, Some(limit))?,
            tokenizer_sha256: Some(tokenizer.sha256().to_owned()),
        })
    }
}

/// A tokenizer only gives the ids their names; pre-tokenised data need none.
fn ids_of(model: &ModelSource, rows: &[Vec<u32>], limit: usize) -> Result<Tokenized> {
    let opened = Tokenizer::is_there(model).and_then(|there| match there {
        true => Tokenizer::open(model).map(Some),
        false => Ok(None),
    });
    let tokenizer = match opened {
        Err(error @ Error::NoTokenizer { .. }) => {
            eprintln!("note: the tokens have no names: {error}");
            None
        }
        opened => opened?,
    };
    let tokens = rows
        .iter()
        .map(|ids| Tokens::from_ids(ids.clone(), tokenizer.as_ref(), Some(limit)))
        .collect::<Result<_>>()?;
    Ok(Tokenized {
        tokens,
        tokenizer_sha256: tokenizer.map(|t| t.sha256().to_owned()),
    })
}

fn refuse_long(tokens: &[Tokens], context: usize) -> Result<()> {
    let mut long = tokens
        .iter()
        .enumerate()
        .filter_map(|(row, t)| Some((row, t.truncated_from?)));
    match long.next() {
        None => Ok(()),
        Some((row, tokens)) => Err(Error::TooLong {
            row,
            tokens,
            context,
        }),
    }
}
