//! The letters of a figure: the built-in font, how wide a text is, and how a long one is made to fit.

use super::theme::LEADING;
use crate::error::{Error, Result};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};
use std::sync::OnceLock;

/// The name under which plotters knows the built-in font.
pub(super) const FAMILY: &str = "plumb-figure";

/// plotters measures a font by the distance from its ascender to its descender; this is that distance for Inter, in ems.
pub(super) const FONT_HEIGHT: f64 = (2728.0 + 680.0) / 2816.0;

static REGULAR: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");
static BOLD: &[u8] = include_bytes!("../../assets/fonts/Inter-Bold.otf");

/// Makes the built-in font known to plotters, once.
pub(super) fn register() -> Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let done = *DONE.get_or_init(|| {
        register_font(FAMILY, FontStyle::Normal, REGULAR).is_ok()
            && register_font(FAMILY, FontStyle::Bold, BOLD).is_ok()
    });
    match done {
        true => Ok(()),
        false => Err(Error::Drawing("the built-in font is damaged".into())),
    }
}

/// The width of a line of text in pixels, set in letters of `size` pixels an em.
pub(super) fn width(text: &str, size: f64, bold: bool) -> f64 {
    // plotters rounds to whole pixels, so it measures a text a hundred times as large.
    const ZOOM: f64 = 100.0;
    let style = match bold {
        true => FontStyle::Bold,
        false => FontStyle::Normal,
    };
    let font = FontDesc::new(FontFamily::Name(FAMILY), size * FONT_HEIGHT * ZOOM, style);
    match font.box_size(text) {
        Ok((width, _)) => f64::from(width) / ZOOM,
        Err(_) => 0.6 * size * text.chars().count() as f64,
    }
}

/// The height of `lines` lines of letters of `size`.
pub(super) fn height(lines: usize, size: f64) -> f64 {
    lines as f64 * size * LEADING
}

/// The text on one line, without characters that XML or a picture cannot hold.
pub(super) fn clean(text: &str) -> String {
    let printable = |c: char| match c {
        c if c.is_control() => ' ',
        '\u{FFFE}' | '\u{FFFF}' => '\u{FFFD}',
        c => c,
    };
    text.trim().chars().map(printable).collect()
}

/// The longest form of `text` that is at most `limit` pixels wide, with `…` in place of its middle where it is too long.
pub(super) fn shorten(text: &str, size: f64, bold: bool, limit: f64) -> String {
    shorten_where(text, |t| width(t, size, bold) <= limit)
}

fn shorten_where(text: &str, fits: impl Fn(&str) -> bool) -> String {
    if fits(text) {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let keep = |n: usize| -> String {
        let (head, tail) = (n.div_ceil(2), n / 2);
        let tail = &chars[chars.len() - tail..];
        let head: String = chars[..head].iter().collect();
        format!(
            "{}…{}",
            head.trim_end(),
            String::from_iter(tail).trim_start()
        )
    };
    // The width grows with the number of kept characters: the largest that fits, by bisection.
    let (mut fitting, mut too_many) = (0, chars.len());
    while too_many - fitting > 1 {
        let middle = (fitting + too_many) / 2;
        match fits(&keep(middle)) {
            true => fitting = middle,
            false => too_many = middle,
        }
    }
    keep(fitting)
}

/// The text in lines of at most `limit` pixels, broken at spaces; a text of more than `most` lines loses its middle.
pub(super) fn wrap(text: &str, size: f64, bold: bool, limit: f64, most: usize) -> Vec<String> {
    let text = clean(text);
    if text.is_empty() {
        return Vec::new();
    }
    let fits = |t: &str| break_lines(t, size, bold, limit).len() <= most;
    break_lines(&shorten_where(&text, fits), size, bold, limit)
}

fn break_lines(text: &str, size: f64, bold: bool, limit: f64) -> Vec<String> {
    let fits = |line: &str| width(line, size, bold) <= limit;
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let joined = match line.is_empty() {
            true => word.to_owned(),
            false => format!("{line} {word}"),
        };
        if fits(&joined) {
            line = joined;
        } else if fits(word) {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        } else {
            // A word that is wider than a line (a path) is broken where the line ends.
            line = break_word(&joined, fits, &mut lines);
        }
    }
    lines.push(line);
    lines
}

/// Pushes full lines of a text that has no good place to break; returns what is left of it.
fn break_word(text: &str, fits: impl Fn(&str) -> bool, lines: &mut Vec<String>) -> String {
    let mut line = String::new();
    for c in text.chars() {
        line.push(c);
        if !fits(&line) && line.chars().nth(1).is_some() {
            line.pop();
            lines.push(std::mem::replace(&mut line, c.to_string()));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_font_file() {
        register().unwrap();
        // The sum of the advances that fontTools reads from the file, in ems.
        assert!((width("layer 12", 100.0, false) - 366.335).abs() < 0.1);
        assert_eq!(width("", 14.0, false), 0.0);
        assert!(width("layer", 14.0, true) > width("layer", 14.0, false));
    }

    #[test]
    fn the_font_holds_what_figures_write() {
        register().unwrap();
        let missing = width("\u{4E00}", 1000.0, false);
        for c in "²±≤≥·…–−×λ→ĠéßΩЖ₂⁻".chars() {
            assert_ne!(width(&c.to_string(), 1000.0, false), missing, "{c}");
        }
    }

    #[test]
    fn a_long_text_loses_its_middle() {
        register().unwrap();
        let short = shorten("plumb probe run --label truth --seed 7", 12.0, false, 120.0);
        assert!(short.starts_with("plumb") && short.ends_with('7') && short.contains('…'));
        assert!(width(&short, 12.0, false) <= 120.0);
        assert_eq!(shorten("short", 12.0, false, 120.0), "short");
        assert_eq!(shorten("long", 12.0, false, 0.0), "…");
    }

    #[test]
    fn wrapped_lines_hold_the_limits() {
        register().unwrap();
        let command =
            "plumb probe --data ".to_owned() + &"/a/very/long/path".repeat(40) + " --seed 7";
        let lines = wrap(&command, 11.0, false, 300.0, 2);
        assert_eq!(lines.len(), 2);
        assert!(
            lines.iter().all(|l| width(l, 11.0, false) <= 300.0),
            "{lines:?}"
        );
        assert!(
            lines[0].starts_with("plumb probe") && lines[1].ends_with("--seed 7"),
            "{lines:?}"
        );
        assert!(wrap(" \n", 11.0, false, 300.0, 2).is_empty());
        assert_eq!(wrap("one two", 11.0, false, 300.0, 2), ["one two"]);
    }
}
