//! The marks of points, and the line that says what their colours mean.

use super::axis::{Range, ends};
use super::frame::NAME;
use super::scene::{Place, Scene};
use super::text::clean;
use super::theme::{AXIS, INK, MARGIN, MUTED, PALETTE, PAPER, scale_color, translucent};
use super::{Point, PointColor, ScatterChart};
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

/// The legend names this many categories and counts the rest.
const MOST_NAMES: usize = 35;

/// Draws one point: the shape of its category and its colour, with a thin rim that keeps neighbours apart.
pub(super) fn mark(
    scene: &mut Scene,
    center: Place,
    radius: f64,
    point: &Point,
    values: Option<Range>,
    rim: Option<RGBColor>,
) {
    let (color, shape) = match point.color {
        PointColor::Category(i) => (category_color(i), i % 5),
        PointColor::Value(value) => (value_color(value, values), 0),
    };
    if let Some(rim) = rim {
        outline(scene, center, radius + 0.9, rim, shape);
    }
    outline(scene, center, radius, color, shape);
    if point.hollow {
        outline(scene, center, radius * 0.55, PAPER, shape);
    }
}

/// The colour of a category.
pub(super) fn category_color(category: usize) -> RGBColor {
    PALETTE[category % PALETTE.len()]
}

fn value_color(value: f64, values: Option<Range>) -> RGBColor {
    match values {
        Some(range) if value.is_finite() => scale_color(range.part(value)),
        _ => AXIS,
    }
}

/// Five shapes of about the same area. Five and seven colours have no common divisor, so 35 categories differ.
fn outline(scene: &mut Scene, (x, y): Place, radius: f64, color: RGBColor, shape: usize) {
    let corners: &[(f64, f64)] = match shape {
        0 => return scene.disc((x, y), radius, color),
        1 => &[(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
        2 => &[(0.0, -1.3), (1.2, 0.85), (-1.2, 0.85)],
        3 => &[(0.0, -1.3), (1.2, 0.0), (0.0, 1.3), (-1.2, 0.0)],
        _ => &[(0.0, 1.3), (-1.2, -0.85), (1.2, -0.85)],
    };
    let outline = corners
        .iter()
        .map(|(dx, dy)| (x + dx * radius, y + dy * radius))
        .collect();
    scene.area(outline, translucent(color, 1.0));
}

/// Says what the colours mean; returns where the panels begin.
pub(super) fn legend(
    scene: &mut Scene,
    chart: &ScatterChart,
    values: Option<Range>,
    top: f64,
) -> f64 {
    let label = clean(&chart.color_label);
    let label = NAME.shorten(&label, scene.width / 3.0);
    let mut cursor = Cursor {
        x: MARGIN,
        y: top + NAME.leading() / 2.0,
        right: scene.width - MARGIN,
    };
    let before = (cursor.x, cursor.y);
    if !label.is_empty() && (!chart.categories.is_empty() || values.is_some()) {
        let at = cursor.take(NAME.width(&label) + 14.0);
        NAME.middle(scene, label, at, HPos::Left);
    }
    for (i, name) in chart.categories.iter().take(MOST_NAMES).enumerate() {
        let name = NAME.shorten(name, scene.width / 3.0);
        let (x, y) = cursor.take(18.0 + NAME.width(&name) + 18.0);
        let point = Point {
            color: PointColor::Category(i),
            ..Point::default()
        };
        mark(scene, (x + 7.0, y), 5.0, &point, None, None);
        NAME.colored(INK)
            .middle(scene, name, (x + 18.0, y), HPos::Left);
    }
    if chart.categories.len() > MOST_NAMES {
        let rest = format!("and {} more", chart.categories.len() - MOST_NAMES);
        let at = cursor.take(NAME.width(&rest));
        NAME.middle(scene, rest, at, HPos::Left);
    }
    if let Some(values) = values {
        scale(scene, values, &mut cursor);
    }
    if !chart.hollow_label.is_empty() {
        let name = NAME.shorten(&chart.hollow_label, scene.width / 2.0);
        // After a scale, away from its last number.
        let gap = if values.is_some() { 16.0 } else { 0.0 };
        let (x, y) = cursor.take(gap + 18.0 + NAME.width(&name) + 18.0);
        let x = x + gap;
        outline(scene, (x + 7.0, y), 5.0, MUTED, 0);
        outline(scene, (x + 7.0, y), 2.75, PAPER, 0);
        NAME.middle(scene, name, (x + 18.0, y), HPos::Left);
    }
    match (cursor.x, cursor.y) == before {
        true => top,
        false => cursor.y + NAME.leading() / 2.0 + 12.0,
    }
}

/// Where the next part of a legend goes.
struct Cursor {
    x: f64,
    y: f64,
    right: f64,
}

impl Cursor {
    /// Room of this width, on a new line where the present one is full.
    fn take(&mut self, width: f64) -> Place {
        if self.x + width > self.right + 18.0 && self.x > MARGIN {
            self.x = MARGIN;
            self.y += NAME.leading() + 2.0;
        }
        let at = (self.x, self.y);
        self.x += width;
        at
    }
}

/// A bar in the colours of the scale between its lowest and its highest value.
fn scale(scene: &mut Scene, values: Range, cursor: &mut Cursor) {
    const STEPS: usize = 48;
    const LENGTH: f64 = 144.0;
    let (low, high) = ends(values);
    let (before, after) = (NAME.width(&low) + 8.0, NAME.width(&high) + 8.0);
    let (x, y) = cursor.take(before + LENGTH + after);
    let at = |part: f64| x + before + part * LENGTH;
    for step in 0..STEPS {
        let from = step as f64 / STEPS as f64;
        // Each step reaches to the end, under the next one: no seams.
        let (l, r, t, b) = (at(from), at(1.0), y - 6.0, y + 6.0);
        let color = scale_color(step as f64 / (STEPS - 1) as f64);
        scene.area(
            vec![(l, t), (r, t), (r, b), (l, b)],
            translucent(color, 1.0),
        );
    }
    NAME.middle(scene, low, (x, y), HPos::Left);
    NAME.middle(scene, high, (at(1.0) + 8.0, y), HPos::Left);
}
