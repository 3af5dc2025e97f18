//! Where tokens come from: a model's tokenizer, and the texts or token ids of a data set.

use crate::error::{Error, Result};
use crate::model::ModelSource;
use crate::store::{Census, Texts};
use crate::text::dataset::Dataset;
use crate::text::tokens::{Bos, Tokenizer};
use clap::ValueEnum;

/// The column that holds texts (`Ok`) or token ids (`Err`).
pub(super) type SourceColumn = Result<String, String>;

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
    pub(super) fn source_column(&self) -> SourceColumn {
        match &self.ids_column {
            Some(ids) => Err(ids.clone()),
            None => Ok(self.text_column.clone()),
        }
    }

    /// Refuses texts that are longer than the limit, if that was asked for.
    pub(super) fn refuse_long(&self, census: &Census, limit: usize) -> Result<()> {
        match census.first_cut.filter(|_| self.no_truncate) {
            None => Ok(()),
            Some((row, tokens)) => Err(Error::TooLong {
                row,
                tokens,
                context: limit,
            }),
        }
    }
}

/// The model's tokenizer. To data that are token ids it only gives names, and they need none.
pub(super) fn tokenizer(
    model: &ModelSource,
    column: &SourceColumn,
    bos: Option<Bos>,
) -> Result<Option<Tokenizer>> {
    if column.is_ok() {
        return Tokenizer::open(model)?
            .with_bos(bos.unwrap_or_default())
            .map(Some);
    }
    let opened = Tokenizer::is_there(model).and_then(|there| match there {
        true => Tokenizer::open(model).map(Some),
        false => Ok(None),
    });
    match opened {
        Err(error @ Error::NoTokenizer { .. }) => {
            eprintln!("note: the tokens have no names: {error}");
            Ok(None)
        }
        opened => opened,
    }
}

/// The texts or token ids of a data set, to be tokenised when they are needed.
pub(super) fn texts<'a>(
    column: &SourceColumn,
    data: &'a Dataset,
    tokenizer: Option<&'a Tokenizer>,
) -> Result<Texts<'a>> {
    match (column, tokenizer) {
        (Err(column), tokenizer) => Ok(Texts::Ids(data.token_ids(column)?, tokenizer)),
        (Ok(column), Some(tokenizer)) => Ok(Texts::Text(data.text_cells(column)?, tokenizer)),
        (Ok(column), None) => Err(Error::BadLabel {
            column: column.clone(),
            problem: "texts need a tokenizer, and the model has none; give --ids-column".to_owned(),
        }),
    }
}
