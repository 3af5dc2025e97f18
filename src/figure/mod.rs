//! Pictures: data-only figures, rendered to SVG and PNG bytes.
//!
//! A [`Figure`] says what is shown, never how: sizes, colours and the placing of labels belong to this module. The same
//! figure gives the same bytes.

mod axis;
mod clip;
mod colors;
mod data;
mod frame;
mod heatmap;
mod legend;
mod line;
mod place;
mod scatter;
mod scene;
mod text;
pub mod theme;
mod tokens;

pub use data::render_parquet;
pub use tokens::shade;

use crate::error::{Error, Result};

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Figure {
    /// Lines over layers, steps or doses.
    Line(LineChart),
    /// Points in one or more panels.
    Scatter(ScatterChart),
    /// A table of numbers as colours.
    Heat(HeatMap),
    /// Texts whose tokens are coloured.
    Tokens(TokenChart),
}

/// Lines with optional intervals, named at their right ends.
///
/// A point that is not finite is a gap in its line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LineChart {
    /// One sentence above the figure; also its accessible name.
    pub title: String,
    /// What x is, with its unit.
    pub x_label: String,
    /// What y is, with its unit.
    pub y_label: String,
    /// Names for x = 0, 1, 2, … (layers). Every k-th is shown where all would collide. `None`: numbers.
    pub x_ticks: Option<Vec<String>>,
    /// The lines, in order of importance: colours are given in this order.
    pub series: Vec<Series>,
    /// The range of y. `None`: whatever holds the lines, their intervals and the reference lines. Marks outside are cut off.
    pub y_range: Option<(f64, f64)>,
    /// Named levels (chance, a published score), as thin lines over the whole width.
    pub reference_lines: Vec<(String, f64)>,
    /// Where the figure comes from.
    pub footer: Footer,
}

/// One line of a [`LineChart`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// The label at the end of the line.
    pub name: String,
    /// `(x, y)` in drawing order.
    pub points: Vec<(f64, f64)>,
    /// `(low, high)` of each point, drawn as a translucent band; as many as there are points.
    pub band: Option<Vec<(f64, f64)>>,
    /// How much the line stands out.
    pub style: Style,
}

/// How much a line stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// A result: coloured and solid.
    #[default]
    Headline,
    /// What a result is compared with: grey and dashed.
    Control,
}

/// Where a figure comes from, in small print under it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footer {
    /// The command that made the figure; a long one is shortened in its middle.
    pub command: String,
    /// What went in, such as `data sha256 1234abcd… · model sha256 …`.
    pub data: String,
}

/// Points in panels side by side (small multiples).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScatterChart {
    /// One sentence above the figure; also its accessible name.
    pub title: String,
    /// The panels, in reading order.
    pub panels: Vec<Panel>,
    /// The names of the categories, which points refer to by index.
    pub categories: Vec<String>,
    /// What the colours mean (`continent`, `year`), before the legend. May be empty.
    pub color_label: String,
    /// What hollow points are, in the legend. Empty where there are none.
    pub hollow_label: String,
    /// All panels have the same ranges of x and of y.
    pub shared_axes: bool,
    /// One unit of x is as long as one unit of y (maps).
    pub equal_aspect: bool,
    /// Where the figure comes from.
    pub footer: Footer,
}

/// One panel of a [`ScatterChart`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Panel {
    /// What this panel shows.
    pub title: String,
    /// What x is, with its unit.
    pub x_label: String,
    /// What y is, with its unit.
    pub y_label: String,
    /// The points; one that is not finite is left out.
    pub points: Vec<Point>,
    /// Movements, under the points; one that is not finite at both ends is left out.
    pub arrows: Vec<Arrow>,
}

/// A movement in a [`Panel`], from a dot to a head.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrow {
    /// Where it begins.
    pub from: (f64, f64),
    /// Where it ends.
    pub to: (f64, f64),
    /// An index into [`ScatterChart::categories`].
    pub category: usize,
    /// What is said of it while it is pointed at.
    pub note: Option<String>,
}

/// One point of a [`Panel`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point {
    /// Its place along x.
    pub x: f64,
    /// Its place along y.
    pub y: f64,
    /// What its colour says.
    pub color: PointColor,
    /// Its name, written beside it; for a few chosen points.
    pub label: Option<String>,
    /// Drawn as a ring: a point that is less to be trusted than the others.
    pub hollow: bool,
    /// What is said of it while it is pointed at (in an SVG that a browser shows), such as the text that it stands for.
    pub note: Option<String>,
}

/// What the colour of a point says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PointColor {
    /// An index into [`ScatterChart::categories`]: a colour and a shape.
    Category(usize),
    /// A quantity, on one continuous scale for all panels; grey where it is not finite.
    Value(f64),
}

impl Default for PointColor {
    fn default() -> Self {
        Self::Category(0)
    }
}

/// A table of numbers as colours: confusions, tokens by layers, layers by layers.
///
/// A value that is not finite is a grey, hatched cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatMap {
    /// One sentence above the figure; also its accessible name.
    pub title: String,
    /// What the columns are.
    pub x_label: String,
    /// What the rows are.
    pub y_label: String,
    /// The names of the columns, from the left. Every k-th is shown where all would collide.
    pub columns: Vec<String>,
    /// The names of the rows, from the top.
    pub rows: Vec<String>,
    /// The numbers, row after row: `values[row][column]`.
    pub values: Vec<Vec<f64>>,
    /// What is written in the cells, in the shape of the values; shortened where it does not fit. `None`: nothing.
    pub texts: Option<Vec<Vec<String>>>,
    /// What the colours mean, with the unit; before the colour bar.
    pub value_label: String,
    /// How numbers become colours.
    pub scale: ColorScale,
    /// Where the figure comes from.
    pub footer: Footer,
}

/// How the numbers of a [`HeatMap`] become colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ColorScale {
    /// From low (dark) to high (light). The range, or `None` for what holds the values; values outside take the colour of the end.
    Sequential(Option<(f64, f64)>),
    /// From blue over a pale middle to red, as far to either side as the farthest value.
    Diverging {
        /// The value of the pale middle.
        middle: f64,
    },
    /// From blue at the first over a pale middle to red at the second; values outside take the colour of the end.
    DivergingBetween(f64, f64),
}

/// Texts with a colour behind each token.
///
/// A token whose value is not finite has none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TokenChart {
    /// One sentence above the figure; also its accessible name.
    pub title: String,
    /// The texts, one under the other.
    pub texts: Vec<TokenText>,
    /// What the colours mean, with the unit; before the colour bar.
    pub value_label: String,
    /// How numbers become colours.
    pub scale: ColorScale,
    /// Where the figure comes from.
    pub footer: Footer,
}

/// One text of a [`TokenChart`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TokenText {
    /// What is said of the whole text, above it. May be empty.
    pub heading: String,
    /// Its tokens, in order.
    pub tokens: Vec<ColoredToken>,
}

/// One token of a [`TokenText`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColoredToken {
    /// Its letters, with the white space before them.
    pub text: String,
    /// What its colour says.
    pub value: f64,
    /// A word or two under it, such as the class that was read. May be empty.
    pub label: String,
}

impl Default for ColorScale {
    fn default() -> Self {
        Self::Sequential(None)
    }
}

impl Figure {
    fn scene(&self) -> Result<scene::Scene> {
        text::register()?;
        match self {
            Figure::Line(chart) => line::scene(chart),
            Figure::Scatter(chart) => scatter::scene(chart),
            Figure::Heat(map) => heatmap::scene(map),
            Figure::Tokens(chart) => tokens::scene(chart),
        }
    }
}

/// The figure as an SVG document. Its text stays text, its `<title>` is the figure's.
///
/// # Errors
/// [`Error::Drawing`] if nothing finite is to be drawn, or if the parts of the figure contradict each other (a band of another
/// length than its line, a category without a name, an empty range).
pub fn render_svg(figure: &Figure) -> Result<String> {
    figure.scene()?.to_svg()
}

/// The figure as a PNG image, two pixels for each CSS pixel of the SVG.
///
/// Letters outside the built-in font (Latin, Greek, Cyrillic, mathematics) are boxes; the SVG shows them.
///
/// # Errors
/// As [`render_svg`].
pub fn render_png(figure: &Figure) -> Result<Vec<u8>> {
    figure.scene()?.to_png()
}

/// A refusal, with its reason.
fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::Drawing(reason.into()))
}

#[cfg(test)]
mod tests;
