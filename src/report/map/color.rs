//! What colours points: categories, the rarer ones together, or a quantity.

use crate::analysis::probe::{Kind, Labels, labels_of, natural_kind};
use crate::error::Result;
use crate::figure::PointColor;
use crate::text::dataset::Values;

/// More categories than this are not told apart: the most frequent are shown, the others are one.
const MOST_CATEGORIES: usize = 20;

/// The colour of each point.
#[derive(Debug, Clone, PartialEq)]
pub struct Coloring {
    /// What the colours mean.
    pub column: String,
    /// The names of the categories; empty for a quantity.
    pub categories: Vec<String>,
    /// One colour a point.
    pub colors: Vec<PointColor>,
    /// The category of each point before rare ones were put together, where colours are categories; `None` for a missing cell.
    pub full: Option<Vec<Option<usize>>>,
}

impl Coloring {
    /// From the cells of a column, one a point. Text, true and false, and few different whole numbers are categories.
    ///
    /// # Errors
    /// [`crate::error::Error::BadLabel`] if every cell is missing.
    pub fn of(column: &str, cells: Values) -> Result<Self> {
        let columns = [(column.to_owned(), cells)];
        let labelled = labels_of(&columns, natural_kind(&columns))?;
        debug_assert!(matches!(
            natural_kind(&columns),
            Kind::Ridge | Kind::Logistic
        ));
        let count = columns[0].1.len();
        let mut known = vec![false; count];
        labelled.rows.iter().for_each(|row| known[*row] = true);
        Ok(match labelled.labels {
            Labels::Numbers { values, .. } => Self {
                column: column.to_owned(),
                categories: Vec::new(),
                colors: (0..count)
                    .map(|i| PointColor::Value(if known[i] { values[0][i] } else { f64::NAN }))
                    .collect(),
                full: None,
            },
            Labels::Classes { of_row, names, .. } => {
                let full: Vec<Option<usize>> =
                    (0..count).map(|i| known[i].then(|| of_row[i])).collect();
                let (categories, shown) = gathered(&names, &full);
                Self {
                    column: column.to_owned(),
                    categories,
                    colors: shown.into_iter().map(PointColor::Category).collect(),
                    full: Some(full),
                }
            }
        })
    }
}

/// The categories that are shown, and that of each point.
fn gathered(names: &[String], full: &[Option<usize>]) -> (Vec<String>, Vec<usize>) {
    let mut counts = vec![0usize; names.len()];
    full.iter().flatten().for_each(|c| counts[*c] += 1);
    let mut kept: Vec<usize> = (0..names.len()).collect();
    if names.len() > MOST_CATEGORIES {
        kept.sort_by_key(|c| (std::cmp::Reverse(counts[*c]), *c));
        kept.truncate(MOST_CATEGORIES - 1);
        kept.sort_unstable();
    }
    let mut shown: Vec<String> = kept.iter().map(|c| names[*c].clone()).collect();
    let mut place = vec![None; names.len()];
    kept.iter()
        .enumerate()
        .for_each(|(i, c)| place[*c] = Some(i));
    let others = names.len() - kept.len();
    let rest = (others > 0).then_some(shown.len());
    if others > 0 {
        shown.push(format!("{others} others"));
    }
    let missing = shown.len();
    if full.iter().any(Option::is_none) {
        shown.push("(none)".to_owned());
    }
    let of = |category: &Option<usize>| match category {
        Some(c) => place[*c].or(rest).unwrap_or(missing),
        None => missing,
    };
    let colors = full.iter().map(of).collect();
    (shown, colors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_categories_are_one_and_missing_cells_another() {
        let cells: Vec<Option<String>> = (0..60)
            .map(|i| (i != 3).then(|| format!("c{:02}", if i < 30 { i } else { i % 5 })))
            .collect();
        let coloring = Coloring::of("c", Values::Text(cells)).unwrap();
        assert_eq!(coloring.categories.len(), 21);
        assert_eq!(coloring.categories[19], "11 others");
        assert_eq!(coloring.categories[20], "(none)");
        assert_eq!(coloring.colors[3], PointColor::Category(20));
        assert_eq!(coloring.full.unwrap()[3], None);
    }

    #[test]
    fn numbers_are_a_quantity_and_missing_ones_are_grey() {
        let cells = (0..40)
            .map(|i| (i > 0).then_some(f64::from(i) / 2.0))
            .collect();
        let coloring = Coloring::of("n", Values::Number(cells)).unwrap();
        assert!(coloring.categories.is_empty() && coloring.full.is_none());
        assert!(matches!(coloring.colors[0], PointColor::Value(v) if v.is_nan()));
        assert_eq!(coloring.colors[4], PointColor::Value(2.0));
    }
}
