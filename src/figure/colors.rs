//! From numbers to colours, and the bar that explains them.

use super::axis::{Range, ticks};
use super::frame::{NAME, TICK};
use super::scene::{Place, Scene};
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

/// The colour bar with its numbers; returns where it ends.
pub(super) fn bar(
    scene: &mut Scene,
    label: &str,
    (scale, range): (ColorScale, Range),
    gaps: bool,
    top: f64,
) -> f64 {
    const LENGTH: f64 = 220.0;
    const STEPS: usize = 64;
    const THICK: f64 = 12.0;
    let label = NAME.shorten(label, scene.width - 2.0 * MARGIN - LENGTH - 110.0);
    let left = match label.is_empty() {
        true => MARGIN,
        false => MARGIN + NAME.width(&label) + 14.0,
    };
    NAME.middle(scene, label, (MARGIN, top + THICK / 2.0), HPos::Left);
    for step in 0..STEPS {
        let from = left + LENGTH * step as f64 / STEPS as f64;
        let fill = color(scale, step as f64 / (STEPS - 1) as f64);
        // Each step reaches to the end, under the next one: no seams.
        let size = (left + LENGTH - from, THICK);
        scene.area(rectangle((from, top), size), translucent(fill, 1.0));
    }
    let ticks = ticks(range, 4, false);
    for (value, text) in ticks.values.iter().zip(&ticks.labels) {
        let x = left + LENGTH * range.part(*value);
        scene.line(
            vec![(x, top + THICK), (x, top + THICK + 4.0)],
            AXIS,
            HAIRLINE,
        );
        TICK.lines(
            scene,
            vec![text.clone()],
            (x, top + THICK + 4.0),
            HPos::Center,
        );
    }
    if gaps {
        let at = (left + LENGTH + 18.0, top);
        scene.area(rectangle(at, (18.0, THICK)), translucent(GRID, 1.0));
        hatch(scene, at, (18.0, THICK));
        let at = (at.0 + 25.0, top + THICK / 2.0);
        NAME.middle(scene, "no number", at, HPos::Left);
    }
    top + THICK + 4.0 + TICK.leading() + 8.0
}
