//! Texts with a colour behind each token.

use super::colors::{bar, color, rectangle, span};
use super::data::{Column, Columns};
use super::frame::{self, Letters, NAME, TICK};
use super::scene::Scene;
use super::theme::{INK, MARGIN, on_color, translucent};
use super::{ColorScale, ColoredToken, TokenChart, TokenText, refuse};
use crate::error::Result;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

const WIDTH: f64 = 760.0;
const LETTERS: Letters = Letters {
    size: 15.0,
    bold: false,
    color: INK,
};
/// Above and below the letters, inside their colour.
const PAD: f64 = 4.0;
/// Between the letters of a token and the edge of its colour.
const SIDE: f64 = 2.5;
const LINE_GAP: f64 = 5.0;
const TEXT_GAP: f64 = 14.0;
/// More tokens make a picture that nobody reads.
const MOST_TOKENS: usize = 4000;

/// The colour of a value, red, green and blue, and that of letters on it; `None` for a value that is not finite. `all` are the values that share
/// the scale.
pub fn shade(scale: ColorScale, all: &[f64], value: f64) -> Option<([u8; 3], [u8; 3])> {
    let range = span(scale, all.iter().copied()).ok()?;
    let fill = value.is_finite().then(|| color(scale, range.part(value)))?;
    let three = |c: RGBColor| [c.0, c.1, c.2];
    Some((three(fill), three(on_color(fill))))
}

fn values(chart: &TokenChart) -> impl Iterator<Item = f64> + Clone {
    chart
        .texts
        .iter()
        .flat_map(|t| t.tokens.iter().map(|t| t.value))
}

pub(super) fn scene(chart: &TokenChart) -> Result<Scene> {
    let count = values(chart).count();
    if count > MOST_TOKENS {
        return refuse(format!(
            "{count} tokens are too many for a picture; show at most {MOST_TOKENS}"
        ));
    }
    let range = span(chart.scale, values(chart))?;
    let mut scene = Scene::new(WIDTH);
    let top = frame::header(&mut scene, &chart.title);
    let mut top = bar(
        &mut scene,
        &chart.value_label,
        (chart.scale, range),
        false,
        top,
    );
    for text in &chart.texts {
        if !text.heading.is_empty() {
            let heading = NAME.bold().wrap(&text.heading, WIDTH - 2.0 * MARGIN, 2);
            top = NAME
                .bold()
                .lines(&mut scene, heading, (MARGIN, top), HPos::Left)
                + 5.0;
        }
        let shade = |value: f64| {
            value
                .is_finite()
                .then(|| color(chart.scale, range.part(value)))
        };
        top = tokens(&mut scene, text, shade, top) + TEXT_GAP;
    }
    frame::footer(&mut scene, &chart.footer, top - TEXT_GAP);
    Ok(scene)
}

/// Writes the tokens of a text, line under line; returns where they end.
fn tokens(
    scene: &mut Scene,
    text: &TokenText,
    shade: impl Fn(f64) -> Option<RGBColor>,
    top: f64,
) -> f64 {
    let labelled = text.tokens.iter().any(|t| !t.label.is_empty());
    let height = LETTERS.leading() + 2.0 * PAD;
    let line = height + if labelled { TICK.leading() } else { 0.0 } + LINE_GAP;
    let space = LETTERS.width("n") * 0.5;
    let (mut x, mut y) = (MARGIN, top);
    for token in &text.tokens {
        let letters = LETTERS.shorten(token.text.trim(), WIDTH - 2.0 * MARGIN - 2.0 * SIDE);
        let begins_word = token.text.starts_with(char::is_whitespace);
        let own = LETTERS.width(&letters) + 2.0 * SIDE;
        let width = own.max(TICK.width(&token.label) + if labelled { 4.0 } else { 0.0 });
        if begins_word && x > MARGIN {
            x += space;
        }
        if x + width > WIDTH - MARGIN && x > MARGIN {
            (x, y) = (MARGIN, y + line);
        }
        let fill = shade(token.value);
        if let Some(fill) = fill {
            scene.area(
                rectangle((x, y), (width - 0.6, height)),
                translucent(fill, 1.0),
            );
            scene.note(&note(token));
        }
        let ink = fill.map_or(INK, on_color);
        LETTERS.colored(ink).middle(
            scene,
            letters,
            (x + width / 2.0, y + height / 2.0),
            HPos::Center,
        );
        if !token.label.is_empty() {
            let at = (x + width / 2.0, y + height);
            TICK.lines(scene, vec![token.label.clone()], at, HPos::Center);
        }
        x += width;
    }
    y + line
}

fn note(token: &ColoredToken) -> String {
    let label = match token.label.is_empty() {
        true => String::new(),
        false => format!(" · {}", token.label),
    };
    format!(
        "{}: {}{label}",
        token.text.trim(),
        (token.value * 1e4).round() / 1e4
    )
}

/// The tokens as rows of a table, and what the figure says about itself.
pub(super) fn data(chart: &TokenChart) -> (Columns, Vec<(&'static str, String)>) {
    let tokens = || {
        let texts = chart.texts.iter().enumerate();
        texts.flat_map(|(i, text)| {
            text.tokens
                .iter()
                .enumerate()
                .map(move |(j, token)| (i, j, token))
        })
    };
    let columns = vec![
        (
            "text",
            Column::number(tokens().map(|(i, ..)| Some(i as f64))),
        ),
        (
            "position",
            Column::number(tokens().map(|(_, j, _)| Some(j as f64))),
        ),
        (
            "token",
            Column::text(tokens().map(|(.., t)| Some(t.text.as_str()))),
        ),
        (
            "value",
            Column::number(tokens().map(|(.., t)| Some(t.value))),
        ),
        (
            "label",
            Column::text(tokens().map(|(.., t)| Some(t.label.as_str()))),
        ),
    ];
    let about = vec![
        ("title", chart.title.clone()),
        ("value_label", chart.value_label.clone()),
        ("command", chart.footer.command.clone()),
        ("data", chart.footer.data.clone()),
    ];
    (columns, about)
}
