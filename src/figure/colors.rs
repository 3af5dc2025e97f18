//! From numbers to colours, and the bar that explains them.

use super::axis::{Range, ticks};
use super::frame::{NAME, TICK};
use super::scene::{Place, Scene};
use super::text::clean;
use super::theme::{AXIS, GRID, HAIRLINE, MARGIN, diverging_color, heat_color, translucent};
use super::{ColorScale, refuse};
use crate::error::Result;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

/// What the colours of these values span.
pub(super) fn span(scale: ColorScale, values: impl Iterator<Item = f64> + Clone) -> Result<Range> {
    let found = Range::of(values.clone());
    match scale {
        ColorScale::Sequential(Some(given)) => Range::given(given),
        ColorScale::DivergingBetween(low, high) => match found {
            Some(_) => Range::given((low, high)),
            None => refuse("none of its values is finite"),
        },
        ColorScale::Sequential(None) => match found {
            Some(range) if range.span().is_finite() => Ok(range),
            Some(_) => refuse("its values are too large for a colour scale"),
            None => refuse("none of its values is finite"),
        },
        ColorScale::Diverging { middle } => {
            let far = values.filter(|v| v.is_finite());
            let reach = far.map(|v| (v - middle).abs()).fold(0.0, f64::max);
            match found {
                None => refuse("none of its values is finite"),
                Some(_) if reach == 0.0 => Range::given((middle - 1.0, middle + 1.0)),
                Some(_) => Range::given((middle - reach, middle + reach)),
            }
        }
    }
}

/// The colour of a part of the scale, from 0 to 1.
pub(super) fn color(scale: ColorScale, part: f64) -> RGBColor {
    match scale {
        ColorScale::Sequential(_) => heat_color(part),
        ColorScale::Diverging { .. } | ColorScale::DivergingBetween(..) => diverging_color(part),
    }
}

/// The corners of a rectangle.
pub(super) fn rectangle((left, top): Place, (width, height): (f64, f64)) -> Vec<Place> {
    let (right, bottom) = (left + width, top + height);
    vec![(left, top), (right, top), (right, bottom), (left, bottom)]
}

/// Thin lines over a cell without a number.
pub(super) fn hatch(scene: &mut Scene, (left, top): Place, (width, height): (f64, f64)) {
    const STEP: f64 = 6.0;
    let mut start = STEP / 2.0;
    while start < width + height {
        // The line x + y = start inside the cell.
        let from = (start.min(width), (start - width).max(0.0));
        let to = ((start - height).max(0.0), start.min(height));
        let path = vec![(left + from.0, top + from.1), (left + to.0, top + to.1)];
        scene.line(path, AXIS, HAIRLINE * 0.7);
        start += STEP;
    }
}

/// What cells without a number are called beside the bar, how wide their mark is, and how far from the bar.
const NO_NUMBER: &str = "no number";
const GAP_WIDTH: f64 = 18.0;
const GAP_SIDE: f64 = 18.0;
/// The bar.
const LENGTH: f64 = 220.0;
const THICK: f64 = 12.0;

/// The colour bar with its numbers, beside what they mean or, where that is long, under it; returns where it ends.
pub(super) fn bar(
    scene: &mut Scene,
    label: &str,
    (scale, range): (ColorScale, Range),
    gaps: bool,
    top: f64,
) -> f64 {
    const STEPS: usize = 64;
    let (left, top) = beside_or_under(scene, label, gaps, top);
    for step in 0..STEPS {
        let from = left + LENGTH * step as f64 / STEPS as f64;
        let fill = color(scale, step as f64 / (STEPS - 1) as f64);
        // Each step reaches to the end, under the next one: no seams.
        let size = (left + LENGTH - from, THICK);
        scene.area(rectangle((from, top), size), translucent(fill, 1.0));
    }
    let ticks = ticks(range, 4, false);
    for (value, text) in ticks.values.iter().zip(&ticks.labels) {
        let (x, end) = (left + LENGTH * range.part(*value), top + THICK + 4.0);
        scene.line(vec![(x, top + THICK), (x, end)], AXIS, HAIRLINE);
        TICK.lines(scene, vec![text.clone()], (x, end), HPos::Center);
    }
    if gaps {
        let (at, size) = ((left + LENGTH + GAP_SIDE, top), (GAP_WIDTH, THICK));
        scene.area(rectangle(at, size), translucent(GRID, 1.0));
        hatch(scene, at, size);
        let at = (at.0 + GAP_WIDTH + 7.0, top + THICK / 2.0);
        NAME.middle(scene, NO_NUMBER, at, HPos::Left);
    }
    top + THICK + 4.0 + TICK.leading() + 8.0
}

/// Writes what the colours mean; returns where the bar begins: after it where both fit into a line, else under it.
fn beside_or_under(scene: &mut Scene, label: &str, gaps: bool, top: f64) -> Place {
    // The legend of gaps, or half of the last number.
    let after = match gaps {
        true => GAP_SIDE + GAP_WIDTH + 7.0 + NAME.width(NO_NUMBER),
        false => 20.0,
    };
    let whole = scene.width - 2.0 * MARGIN;
    match NAME.width(label) {
        0.0 => (MARGIN, top),
        width if width + 14.0 + LENGTH + after <= whole => {
            NAME.middle(scene, clean(label), (MARGIN, top + THICK / 2.0), HPos::Left);
            (MARGIN + width + 14.0, top)
        }
        _ => {
            let lines = NAME.wrap(label, whole, 2);
            let end = NAME.lines(scene, lines, (MARGIN, top - 4.0), HPos::Left);
            (MARGIN, end + 4.0)
        }
    }
}
