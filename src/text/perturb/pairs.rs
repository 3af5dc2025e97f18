//! Pairs of texts from a data file: an original, what it was edited to, and what that means.

use crate::error::Result;
use crate::text::dataset::{Dataset, Values};

/// The kind of pairs whose file names none.
const EDITED: &str = "edited";

/// The names of the columns of a file of pairs.
#[derive(Debug, Clone)]
pub struct PairColumns {
    /// The originals.
    pub original: String,
    /// The edited texts.
    pub edited: String,
    /// What kind of edit it is; `None`: the column `kind`, if there is one.
    pub kind: Option<String>,
    /// The label of the original and that of the edited text; `None`: `original_label` and `edited_label`, if there are both.
    pub labels: Option<(String, String)>,
}

impl Default for PairColumns {
    fn default() -> Self {
        Self {
            original: "original".to_owned(),
            edited: "edited".to_owned(),
            kind: None,
            labels: None,
        }
    }
}

/// Pairs of texts, one a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairs {
    /// The originals.
    pub originals: Vec<String>,
    /// What each was edited to.
    pub edited: Vec<String>,
    /// The kind of each edit, an index into the names.
    pub kinds: Vec<usize>,
    /// The kinds, in order of appearance.
    pub kind_names: Vec<String>,
    /// Of each pair the label before and after, where the file has them.
    pub labels: Option<Vec<(String, String)>>,
}

impl Pairs {
    /// Reads the pairs of a data set.
    ///
    /// # Errors
    /// [`crate::error::Error::NoSuchColumn`], [`crate::error::Error::BadCell`].
    pub fn read(data: &Dataset, columns: &PairColumns) -> Result<Self> {
        let (originals, edited) = (data.texts(&columns.original)?, data.texts(&columns.edited)?);
        let there = |name: &str| data.names().iter().any(|n| n == name);
        let kind = columns
            .kind
            .clone()
            .or_else(|| there("kind").then(|| "kind".to_owned()));
        let (mut kinds, mut kind_names) = (Vec::new(), Vec::new());
        match kind {
            None => {
                kind_names.push(EDITED.to_owned());
                kinds.resize(originals.len(), 0);
            }
            Some(column) => {
                for name in cells(data, &column)? {
                    let place = kind_names.iter().position(|n| *n == name);
                    kinds.push(place.unwrap_or(kind_names.len()));
                    if place.is_none() {
                        kind_names.push(name);
                    }
                }
            }
        }
        let named = ("original_label".to_owned(), "edited_label".to_owned());
        let both = there(&named.0) && there(&named.1);
        let labels = match columns.labels.clone().or_else(|| both.then_some(named)) {
            None => None,
            Some((before, after)) => {
                let pairs = cells(data, &before)?.into_iter().zip(cells(data, &after)?);
                Some(pairs.collect())
            }
        };
        Ok(Self {
            originals,
            edited,
            kinds,
            kind_names,
            labels,
        })
    }
}

/// The cells of a column as they are spelled; a missing one is empty.
fn cells(data: &Dataset, column: &str) -> Result<Vec<String>> {
    fn spelled<T: ToString>(cells: &[Option<T>]) -> Vec<String> {
        let spell = |cell: &Option<T>| cell.as_ref().map(T::to_string).unwrap_or_default();
        cells.iter().map(spell).collect()
    }
    let cells = match &data.column(column)?.values {
        Values::Text(cells) => spelled(cells),
        Values::Integer(cells) => spelled(cells),
        Values::Number(cells) => spelled(cells),
        Values::Boolean(cells) => spelled(cells),
        Values::Tokens(cells) => cells.iter().map(|ids| format!("{ids:?}")).collect(),
    };
    Ok(cells)
}
