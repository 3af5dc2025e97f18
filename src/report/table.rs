//! Tables on the terminal.

use std::fmt;
use std::io::IsTerminal;
use unicode_width::UnicodeWidthStr;

/// Between two columns.
const GAP: &str = "  ";

/// On which side of its column a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Names.
    Left,
    /// Numbers.
    Right,
}

/// How much a cell stands out, where the terminal can show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Weight {
    #[default]
    Plain,
    Bold,
    Dim,
}

/// The text of one cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    text: String,
    weight: Weight,
}

impl Cell {
    /// A cell that stands out, such as the best row.
    pub fn bold(text: impl Into<String>) -> Self {
        Self {
            weight: Weight::Bold,
            ..Self::plain(&text.into())
        }
    }

    /// A cell that stands back, such as a control.
    pub fn dim(text: impl Into<String>) -> Self {
        Self {
            weight: Weight::Dim,
            ..Self::plain(&text.into())
        }
    }

    fn plain(text: &str) -> Self {
        Self {
            text: visible(text),
            weight: Weight::Plain,
        }
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::plain(&text.into())
    }
}

/// Rows under named columns, each as wide as its widest cell.
///
/// Characters that would move the cursor or turn the text around (tokens hold them) are shown escaped.
///
/// ```
/// use plumb::report::table::{Align, Table};
/// let mut table = Table::new([("layer", Align::Left), ("accuracy", Align::Right)]);
/// table.row(["blocks.0.resid_pre", "0.61"]);
/// assert_eq!(table.to_string().lines().last(), Some("blocks.0.resid_pre      0.61"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    header: Vec<Cell>,
    align: Vec<Align>,
    rows: Vec<Vec<Cell>>,
    styled: bool,
}

impl Table {
    /// A table with these columns and no rows.
    pub fn new<H: Into<String>>(columns: impl IntoIterator<Item = (H, Align)>) -> Self {
        let (header, align) = columns
            .into_iter()
            .map(|(name, align)| (Cell::bold(name), align))
            .unzip();
        Self {
            header,
            align,
            rows: Vec::new(),
            styled: false,
        }
    }

    /// Whether bold and dim cells are shown so, with escape sequences; see [`stdout_is_styled`].
    #[must_use]
    pub fn styled(mut self, styled: bool) -> Self {
        self.styled = styled;
        self
    }

    /// Adds a row. Cells that are missing at its end are empty; more cells than columns stand to the right, without a name.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let rows = || std::iter::once(&self.header).chain(&self.rows);
        let columns = rows().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| rows().filter_map(move |r| r.get(column)).map(Cell::width);
        (0..columns).map(|c| width(c).max().unwrap_or(0)).collect()
    }

    fn line(&self, cells: &[Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        // Spaces are owed until something follows them, so that no line ends in any.
        let mut owed = String::new();
        for (column, width) in widths.iter().enumerate() {
            let empty = Cell::default();
            let cell = cells.get(column).unwrap_or(&empty);
            let space = " ".repeat(width.saturating_sub(cell.width()));
            let right = self.align.get(column) == Some(&Align::Right);
            if right {
                owed.push_str(&space);
            }
            if !cell.text.is_empty() {
                line.push_str(&std::mem::take(&mut owed));
                line.push_str(&self.paint(cell));
            }
            if !right {
                owed.push_str(&space);
            }
            owed.push_str(GAP);
        }
        line
    }

    fn paint(&self, cell: &Cell) -> String {
        match (self.styled, cell.weight) {
            (false, _) | (_, Weight::Plain) => cell.text.clone(),
            (true, Weight::Bold) => format!("\u{1b}[1m{}\u{1b}[0m", cell.text),
            (true, Weight::Dim) => format!("\u{1b}[2m{}\u{1b}[0m", cell.text),
        }
    }
}

/// Every line, the last one too, ends with a line break.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        writeln!(f, "{}", self.line(&self.header, &widths))?;
        let rules: Vec<Cell> = widths.iter().map(|w| Cell::dim("─".repeat(*w))).collect();
        writeln!(f, "{}", self.line(&rules, &widths))?;
        self.rows
            .iter()
            .try_for_each(|row| writeln!(f, "{}", self.line(row, &widths)))
    }
}

/// Whether standard output shows bold and colours: it is a terminal, and neither `NO_COLOR` (no-color.org) nor `TERM=dumb` says no.
pub fn stdout_is_styled() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && set("NO_COLOR").is_none()
        && set("TERM").is_none_or(|term| term != "dumb")
}

/// A value and its interval, with as many decimals as show the interval's width to two digits: `0.812 [0.786, 0.838]`.
///
/// Without a finite interval it is the value alone, with three decimals; a value that is not finite is `undefined`.
pub fn with_interval(value: f64, low: f64, high: f64) -> String {
    if !value.is_finite() {
        return "undefined".to_owned();
    }
    let width = high - low;
    if !width.is_finite() {
        return fixed(value, 3);
    }
    let decimals = match width > 0.0 {
        // No more than six digits: an interval that is narrower is of rounding, not of doubt.
        true => {
            let size = value.abs().max(low.abs()).max(high.abs());
            let most = (5.0 - size.log10().floor()).clamp(3.0, 12.0);
            (1.0 - width.log10().floor()).clamp(0.0, most) as usize
        }
        false => 3,
    };
    format!(
        "{} [{}, {}]",
        fixed(value, decimals),
        fixed(low, decimals),
        fixed(high, decimals)
    )
}

/// Rounded to `decimals`, and never `-0`.
fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().all(|c| matches!(c, '0' | '.')) => digits.to_owned(),
        _ => text,
    }
}

/// The text with control characters and those that change the direction of writing escaped.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}') {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> Table {
        let mut table = Table::new([
            ("hook point", Align::Left),
            ("accuracy", Align::Right),
            ("", Align::Left),
        ]);
        table.row(["blocks.0.resid_pre".into(), Cell::bold("0.612"), "←".into()]);
        table.row(["東京", "12"]);
        table
    }

    #[test]
    fn names_stand_left_and_numbers_right_whatever_their_script() {
        assert_eq!(
            table().to_string(),
            "hook point          accuracy\n\
             ──────────────────  ────────  ─\n\
             blocks.0.resid_pre     0.612  ←\n\
             東京                      12\n"
        );
    }

    #[test]
    fn escape_sequences_appear_only_where_asked() {
        assert!(!table().to_string().contains('\u{1b}'));
        let styled = table().styled(true).to_string();
        assert!(styled.contains("   \u{1b}[1m0.612\u{1b}[0m  ←"), "{styled}");
    }

    #[test]
    fn a_token_cannot_move_the_cursor() {
        let mut table = Table::new([("token", Align::Left)]);
        table.row(["a\n\u{1b}[2J\u{202E}"]);
        assert!(table.to_string().contains("a\\n\\u{1b}[2J\\u{202e}"));
        assert_eq!(table.to_string().lines().count(), 3);
    }

    #[test]
    fn values_are_rounded_by_the_width_of_their_interval() {
        assert_eq!(
            with_interval(0.81234, 0.78612, 0.83771),
            "0.812 [0.786, 0.838]"
        );
        assert_eq!(with_interval(0.52, 0.361, 0.66), "0.52 [0.36, 0.66]");
        assert_eq!(with_interval(1234.5, 1100.0, 1300.0), "1234 [1100, 1300]");
        assert_eq!(with_interval(-0.0004, -0.03, 0.03), "0.000 [-0.030, 0.030]");
        assert_eq!(with_interval(1.0, 1.0, 1.0), "1.000 [1.000, 1.000]");
        let ln2 = std::f64::consts::LN_2;
        assert_eq!(
            with_interval(ln2, ln2 - 1e-12, ln2),
            "0.693147 [0.693147, 0.693147]"
        );
        assert_eq!(
            with_interval(2.34e-5, 2.2e-5, 2.5e-5),
            "0.0000234 [0.0000220, 0.0000250]"
        );
        assert_eq!(with_interval(0.5, f64::NAN, 1.0), "0.500");
        assert_eq!(with_interval(f64::NAN, 0.0, 1.0), "undefined");
    }

    proptest! {
        #[test]
        fn every_row_is_one_line_without_spaces_at_its_end(
            rows in proptest::collection::vec(proptest::collection::vec(any::<String>(), 0..5), 0..6),
        ) {
            let mut table = Table::new([("a", Align::Left), ("b", Align::Right)]);
            let count = rows.len();
            for row in rows {
                table.row(row.into_iter().map(|cell| cell.trim_end().to_owned()));
            }
            let text = table.to_string();
            prop_assert_eq!(text.split('\n').count(), count + 3);
            prop_assert!(text.split('\n').all(|line| !line.ends_with(' ')));
        }
    }
}
