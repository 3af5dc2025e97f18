//! Kinds of probes on the command line, and the columns that some of them need.

use super::rows::Rows;
use crate::analysis::probe::{Companions, DEFAULT_K, Kind, group_ids, spelled};
use crate::error::{Error, Result};
use clap::ValueEnum;

/// Which kinds of probes, and what they need.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Kinds")]
pub(in crate::cli) struct KindArgs {
    /// Kind of probe; default: ridge for numbers, logistic for everything else
    #[arg(long, value_enum, conflicts_with = "kinds")]
    pub(in crate::cli) kind: Option<KindArg>,
    /// Several kinds at once, the first of which is the headline; also tells the cosines between their directions
    #[arg(long, value_enum, value_name = "KIND,…", value_delimiter = ',')]
    pub(in crate::cli) kinds: Vec<KindArg>,
    /// Column whose equal values are a pair, a statement and its contrary (ccs, lat)
    #[arg(long, value_name = "C")]
    pair_column: Option<String>,
    /// Column with two values, affirmative and negated (ttpd; tells ccs the sides of its pairs)
    #[arg(long, value_name = "C")]
    polarity_column: Option<String>,
    /// Coordinates of a k-sparse probe
    #[arg(long, value_name = "N", default_value_t = DEFAULT_K)]
    pub(in crate::cli) k: usize,
}

/// A kind of probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum KindArg {
    /// Logistic regression
    Logistic,
    /// Ridge regression, for numbers
    Ridge,
    /// Linear discriminant analysis
    Lda,
    /// Difference of means (Marks & Tegmark 2023)
    MassMean,
    /// The same, tilted by the covariance within classes
    MassMeanWhitened,
    /// First principal component of the differences of pairs (Zou et al. 2023)
    Lat,
    /// Contrast-consistent search, without labels (Burns et al. 2023)
    Ccs,
    /// Truth and polarity (Bürger et al. 2024)
    Ttpd,
    /// Logistic regression on the k best coordinates (Gurnee et al. 2023)
    KSparse,
    /// One hidden layer: the contrast in capacity, never the headline
    Mlp,
}

impl KindArg {
    pub(in crate::cli) fn kind(self) -> Kind {
        match self {
            KindArg::Logistic => Kind::Logistic,
            KindArg::Ridge => Kind::Ridge,
            KindArg::Lda => Kind::Lda,
            KindArg::MassMean => Kind::MassMean,
            KindArg::MassMeanWhitened => Kind::MassMeanWhitened,
            KindArg::Lat => Kind::Lat,
            KindArg::Ccs => Kind::Ccs,
            KindArg::Ttpd => Kind::Ttpd,
            KindArg::KSparse => Kind::KSparse,
            KindArg::Mlp => Kind::Mlp,
        }
    }
}

impl KindArgs {
    /// The kinds that were asked for, the headline first; `natural` where none was.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for an MLP as the headline, a kind named twice, and numbers beside classes.
    pub(in crate::cli) fn kinds(&self, natural: Kind) -> Result<Vec<Kind>> {
        let asked: Vec<Kind> = match (self.kind, self.kinds.is_empty()) {
            (Some(kind), _) => vec![kind.kind()],
            (None, false) => self.kinds.iter().map(|k| k.kind()).collect(),
            (None, true) => vec![natural],
        };
        let bad = |kind: Kind, problem: &str| {
            Err(Error::BadParameter {
                name: "kinds",
                value: kind.name().to_owned(),
                problem: problem.to_owned(),
            })
        };
        for (i, kind) in asked.iter().enumerate() {
            if asked[..i].contains(kind) {
                return bad(*kind, "the kind is named twice");
            }
            if *kind != Kind::Mlp && kind.is_numeric() != asked[0].is_numeric() {
                return bad(
                    *kind,
                    "ridge learns numbers and the other kinds (but mlp) classes; ask for them one after the other",
                );
            }
        }
        match asked[0] {
            Kind::Mlp => bad(
                Kind::Mlp,
                "what one hidden layer reads is the contrast to a linear probe, not a result; give another kind first, as in --kinds logistic,mlp",
            ),
            _ => Ok(asked),
        }
    }

    /// What the kinds need to know of each row.
    pub(in crate::cli) fn companions(&self, rows: &Rows) -> Result<Companions> {
        let pairs = match &self.pair_column {
            Some(column) => Some(pairs(column, rows)?),
            None => None,
        };
        let polarity = match &self.polarity_column {
            Some(column) => Some(polarity(column, rows)?),
            None => None,
        };
        Ok(Companions { pairs, polarity })
    }
}

/// A number for each pair, which has two rows; a row without its other is a pair of its own, and counts for nothing.
fn pairs(column: &str, rows: &Rows) -> Result<Vec<usize>> {
    let values = rows.column(column)?;
    let ids = group_ids(&values);
    let mut seen = vec![0usize; ids.len()];
    for (row, id) in ids.iter().enumerate() {
        seen[*id] += 1;
        if seen[*id] > 2 {
            return Err(Error::BadLabel {
                column: column.to_owned(),
                problem: format!(
                    "row {row} is the third with `{}`, and a pair has two rows: a statement and its contrary",
                    spelled(&values, row).unwrap_or_default()
                ),
            });
        }
    }
    Ok(ids)
}

/// 0 for the first of two values in alphabetical order, 1 for the second.
fn polarity(column: &str, rows: &Rows) -> Result<Vec<usize>> {
    let values = rows.column(column)?;
    let cells: Vec<Option<String>> = (0..values.len()).map(|row| spelled(&values, row)).collect();
    let mut names: Vec<&String> = cells.iter().flatten().collect();
    names.sort();
    names.dedup();
    match (&names[..], cells.iter().position(Option::is_none)) {
        ([_, second], None) => Ok(cells
            .iter()
            .map(|c| usize::from(c.as_ref() == Some(*second)))
            .collect()),
        (_, Some(row)) => Err(Error::BadLabel {
            column: column.to_owned(),
            problem: format!("row {row} has no polarity"),
        }),
        (names, None) => Err(Error::BadLabel {
            column: column.to_owned(),
            problem: format!(
                "polarity has two values, affirmative and negated, and there are {}",
                names.len()
            ),
        }),
    }
}
