//! What every figure has around its data: a title above, small print below, axes with their names.

use super::Footer;
use super::axis::{Range, Ticks};
use super::place::Frame;
use super::scene::{Place, Scene, Text};
use super::text::{clean, height, shorten, width, wrap};
use super::theme::{
    AXIS, FOOTER_SIZE, GRID, HAIRLINE, INK, LABEL_SIZE, LEADING, MARGIN, MUTED, SMALL_PRINT,
    TICK_SIZE, TITLE_SIZE,
};
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

/// From a line of text's middle to its baseline, in sizes of the letters: half of the capitals' height.
const MIDDLE: f64 = 0.36;
/// From a line of text's top to its baseline.
const ASCENT: f64 = 0.95;

/// The panel that data is drawn in: ranges to pixels.
#[derive(Clone, Copy)]
pub(super) struct Plot {
    pub(super) frame: Frame,
    pub(super) x: Range,
    pub(super) y: Range,
}

impl Plot {
    pub(super) fn x(&self, value: f64) -> f64 {
        self.frame.left + self.x.part(value) * self.frame.width()
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.frame.bottom - self.y.part(value) * self.frame.height()
    }

    pub(super) fn at(&self, (x, y): Place) -> Place {
        (self.x(x), self.y(y))
    }
}

/// How a text looks; where it stands is said apart.
#[derive(Clone, Copy)]
pub(super) struct Letters {
    pub(super) size: f64,
    pub(super) bold: bool,
    pub(super) color: RGBColor,
}

pub(super) const TITLE: Letters = Letters {
    size: TITLE_SIZE,
    bold: true,
    color: INK,
};
pub(super) const NAME: Letters = Letters {
    size: LABEL_SIZE,
    bold: false,
    color: MUTED,
};
pub(super) const TICK: Letters = Letters {
    size: TICK_SIZE,
    bold: false,
    color: MUTED,
};
const FOOT: Letters = Letters {
    size: FOOTER_SIZE,
    bold: false,
    color: SMALL_PRINT,
};

impl Letters {
    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn colored(self, color: RGBColor) -> Self {
        Self { color, ..self }
    }

    pub(super) fn width(self, text: &str) -> f64 {
        width(&clean(text), self.size, self.bold)
    }

    pub(super) fn leading(self) -> f64 {
        self.size * LEADING
    }

    pub(super) fn shorten(self, text: &str, limit: f64) -> String {
        shorten(&clean(text), self.size, self.bold, limit)
    }

    pub(super) fn wrap(self, text: &str, limit: f64, most: usize) -> Vec<String> {
        wrap(text, self.size, self.bold, limit, most)
    }

    /// Writes one line with its middle at the height of `at`.
    pub(super) fn middle(self, scene: &mut Scene, text: impl Into<String>, at: Place, align: HPos) {
        scene.text(Text {
            text: text.into(),
            at: (at.0, at.1 + MIDDLE * self.size),
            size: self.size,
            bold: self.bold,
            align,
            color: self.color,
            upright: false,
        });
    }

    /// Writes one line upwards, its end at the height of `at` and its middle above the place of `at`.
    pub(super) fn upright(self, scene: &mut Scene, text: impl Into<String>, at: Place) {
        scene.text(Text {
            text: text.into(),
            at: (at.0 + MIDDLE * self.size, at.1),
            size: self.size,
            bold: self.bold,
            align: HPos::Right,
            color: self.color,
            upright: true,
        });
    }

    /// Writes lines under each other, the first one's top at the height of `at`; returns where they end.
    pub(super) fn lines(
        self,
        scene: &mut Scene,
        lines: Vec<String>,
        at: Place,
        align: HPos,
    ) -> f64 {
        let end = at.1 + height(lines.len(), self.size);
        for (i, text) in lines.into_iter().enumerate() {
            scene.text(Text {
                text,
                at: (at.0, at.1 + i as f64 * self.leading() + ASCENT * self.size),
                size: self.size,
                bold: self.bold,
                align,
                color: self.color,
                upright: false,
            });
        }
        end
    }
}

/// Writes the title; returns where the rest of the figure begins.
pub(super) fn header(scene: &mut Scene, title: &str) -> f64 {
    scene.title = match clean(title) {
        title if title.is_empty() => "figure".to_owned(),
        title => title,
    };
    let lines = TITLE.wrap(title, scene.width - 2.0 * MARGIN, 3);
    match lines.is_empty() {
        true => MARGIN,
        false => TITLE.lines(scene, lines, (MARGIN, MARGIN - 2.0), HPos::Left) + 6.0,
    }
}

/// Writes the small print from `top` on, and with it ends the figure.
pub(super) fn footer(scene: &mut Scene, footer: &Footer, top: f64) {
    let limit = scene.width - 2.0 * MARGIN;
    let (command, data) = (
        FOOT.wrap(&footer.command, limit, 2),
        FOOT.wrap(&footer.data, limit, 2),
    );
    let mut end = top;
    if !command.is_empty() || !data.is_empty() {
        end = FOOT.lines(scene, command, (MARGIN, end + 12.0), HPos::Left);
        end = FOOT.lines(scene, data, (MARGIN, end), HPos::Left);
    }
    scene.height = (end + MARGIN - 4.0).ceil();
    scene.description = [&footer.command, &footer.data]
        .map(|text| clean(text))
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(" · ");
}

/// The room that an axis of y needs to the left of its panel.
pub(super) fn tick_room(ticks: &Ticks) -> f64 {
    let widths = ticks.labels.iter().map(|label| TICK.width(label));
    widths.fold(0.0, f64::max) + 8.0
}

pub(super) fn tick_width(label: &str) -> f64 {
    TICK.width(label)
}

/// Light lines across the panel at the ticks of y, with their numbers where asked.
pub(super) fn y_axis(scene: &mut Scene, plot: &Plot, ticks: &Ticks, numbers: bool) {
    for (value, label) in ticks.values.iter().zip(&ticks.labels) {
        let y = plot.y(*value);
        let path = vec![(plot.frame.left, y), (plot.frame.right, y)];
        scene.line(path, GRID, HAIRLINE);
        if numbers {
            TICK.middle(scene, label, (plot.frame.left - 8.0, y), HPos::Right);
        }
    }
}

/// Light lines up the panel at the ticks of x.
pub(super) fn x_grid(scene: &mut Scene, plot: &Plot, ticks: &Ticks) {
    for value in &ticks.values {
        let x = plot.x(*value);
        scene.line(
            vec![(x, plot.frame.top), (x, plot.frame.bottom)],
            GRID,
            HAIRLINE,
        );
    }
}

/// The line under the panel with ticks, their names and the name of the axis; returns where it ends.
pub(super) fn x_axis(scene: &mut Scene, plot: &Plot, ticks: &Ticks, name: &str) -> f64 {
    let Frame {
        left,
        right,
        bottom,
        ..
    } = plot.frame;
    scene.line(vec![(left, bottom), (right, bottom)], AXIS, HAIRLINE);
    for (value, label) in ticks.values.iter().zip(&ticks.labels) {
        let x = plot.x(*value);
        scene.line(vec![(x, bottom), (x, bottom + 4.0)], AXIS, HAIRLINE);
        let at = (x, bottom + 6.0);
        TICK.lines(scene, vec![label.clone()], at, HPos::Center);
    }
    let end = bottom + 6.0 + TICK.leading();
    let lines = NAME.wrap(name, right - left, 2);
    let middle = ((left + right) / 2.0, end + 2.0);
    NAME.lines(scene, lines, middle, HPos::Center)
}
