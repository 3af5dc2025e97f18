//! How every figure looks: its colours, sizes and weights.
//!
//! Sizes are CSS pixels; a figure is about 720 of them wide and stays readable at half of that.

use plotters::style::{Color, RGBAColor, RGBColor};

/// Colours of categories and of headline lines, in the order in which they are given out.
///
/// Five of Okabe and Ito (2008) and two of Paul Tol's muted scheme: those that reach 3:1 against white (WCAG 1.4.11) and stay
/// apart under protanopia, deuteranopia and tritanopia (the tests compute both).
pub const PALETTE: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xB2), // blue
    RGBColor(0xD5, 0x5E, 0x00), // vermillion
    RGBColor(0x00, 0x9E, 0x73), // bluish green
    RGBColor(0xCC, 0x79, 0xA7), // reddish purple
    RGBColor(0x33, 0x22, 0x88), // indigo
    RGBColor(0x88, 0x22, 0x55), // wine
    RGBColor(0x22, 0x22, 0x22), // black
];

/// Anchors of viridis (van der Walt and Smith 2015), equally spaced, without its upper fifth, which fades into white paper.
const VIRIDIS: [RGBColor; 9] = [
    RGBColor(0x44, 0x01, 0x54),
    RGBColor(0x48, 0x1B, 0x6D),
    RGBColor(0x46, 0x33, 0x7F),
    RGBColor(0x3F, 0x48, 0x89),
    RGBColor(0x36, 0x5D, 0x8D),
    RGBColor(0x2C, 0x71, 0x8E),
    RGBColor(0x23, 0x88, 0x8E),
    RGBColor(0x20, 0xA3, 0x86),
    RGBColor(0x44, 0xBF, 0x70),
];

/// All of viridis, for areas that touch each other and need not stand out from paper.
const HEAT: [RGBColor; 11] = [
    RGBColor(0x44, 0x01, 0x54),
    RGBColor(0x48, 0x25, 0x76),
    RGBColor(0x41, 0x44, 0x87),
    RGBColor(0x35, 0x60, 0x8D),
    RGBColor(0x2A, 0x78, 0x8E),
    RGBColor(0x21, 0x90, 0x8C),
    RGBColor(0x22, 0xA8, 0x84),
    RGBColor(0x43, 0xBF, 0x71),
    RGBColor(0x7A, 0xD1, 0x51),
    RGBColor(0xBB, 0xDF, 0x27),
    RGBColor(0xFD, 0xE7, 0x25),
];

/// ColorBrewer's RdBu (Brewer 2003), blue first: safe for colour-blind readers, pale in its middle.
const DIVERGING: [RGBColor; 11] = [
    RGBColor(0x05, 0x30, 0x61),
    RGBColor(0x21, 0x66, 0xAC),
    RGBColor(0x43, 0x93, 0xC3),
    RGBColor(0x92, 0xC5, 0xDE),
    RGBColor(0xD1, 0xE5, 0xF0),
    RGBColor(0xF7, 0xF7, 0xF7),
    RGBColor(0xFD, 0xDB, 0xC7),
    RGBColor(0xF4, 0xA5, 0x82),
    RGBColor(0xD6, 0x60, 0x4D),
    RGBColor(0xB2, 0x18, 0x2B),
    RGBColor(0x67, 0x00, 0x1F),
];

pub(super) const PAPER: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
pub(super) const INK: RGBColor = RGBColor(0x1A, 0x1A, 0x1A);
pub(super) const MUTED: RGBColor = RGBColor(0x4A, 0x4A, 0x4A);
pub(super) const SMALL_PRINT: RGBColor = RGBColor(0x6B, 0x6B, 0x6B);
pub(super) const AXIS: RGBColor = RGBColor(0x8C, 0x8C, 0x8C);
pub(super) const GRID: RGBColor = RGBColor(0xE4, 0xE4, 0xE4);
pub(super) const CONTROLS: [RGBColor; 3] = [
    RGBColor(0x6A, 0x6A, 0x6A),
    RGBColor(0x86, 0x86, 0x86),
    RGBColor(0x52, 0x52, 0x52),
];

/// Lengths of dashes and gaps; controls differ by them as by their grey.
pub(super) const DASHES: [&[f64]; 3] = [&[7.0, 4.0], &[2.0, 3.5], &[8.0, 3.0, 2.0, 3.0]];

pub(super) const TITLE_SIZE: f64 = 18.0;
pub(super) const LABEL_SIZE: f64 = 14.5;
pub(super) const TICK_SIZE: f64 = 13.5;
pub(super) const FOOTER_SIZE: f64 = 11.0;
/// From one baseline to the next, in sizes of the letters.
pub(super) const LEADING: f64 = 1.32;
/// White space around the figure.
pub(super) const MARGIN: f64 = 16.0;

pub(super) const BAND_ALPHA: f64 = 0.17;
pub(super) const HEADLINE_WIDTH: f64 = 2.4;
pub(super) const CONTROL_WIDTH: f64 = 1.7;
pub(super) const HAIRLINE: f64 = 1.0;

/// The family as an SVG names it: the built-in font first, then what most systems have.
pub(super) const SVG_FAMILY: &str = "Inter, Helvetica, Arial, sans-serif";

/// The colour of a value that lies at `t` in 0..1 of its scale: dark is low.
pub fn scale_color(t: f64) -> RGBColor {
    between(&VIRIDIS, t)
}

/// The colour of a cell whose value lies at `t` in 0..1 of a scale from low (dark) to high (light).
pub fn heat_color(t: f64) -> RGBColor {
    between(&HEAT, t)
}

/// The colour of a cell whose value lies at `t` in 0..1 of a scale from low (blue) over its middle (pale) to high (red).
pub fn diverging_color(t: f64) -> RGBColor {
    between(&DIVERGING, t)
}

fn between(anchors: &[RGBColor], t: f64) -> RGBColor {
    let place = t.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
    let below = (place as usize).min(anchors.len() - 2);
    mix(anchors[below], anchors[below + 1], place - below as f64)
}

/// Paper or ink, whichever reads better on `color`.
pub fn on_color(color: RGBColor) -> RGBColor {
    match contrast_on_white(color) >= 4.5 {
        true => PAPER,
        false => INK,
    }
}

/// A shade of `color` dark enough to read as small letters on white (4.5:1, WCAG 1.4.3).
pub fn text_color(color: RGBColor) -> RGBColor {
    (0..=20)
        .map(|step| mix(color, INK, f64::from(step) / 20.0))
        .find(|shade| contrast_on_white(*shade) >= 4.5)
        .unwrap_or(INK)
}

/// The contrast ratio of a colour against white paper (WCAG 2.2), from 1 to 21.
pub fn contrast_on_white(color: RGBColor) -> f64 {
    let [r, g, b] = linear(color);
    1.05 / (0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05)
}

pub(super) fn translucent(color: RGBColor, alpha: f64) -> RGBAColor {
    color.mix(alpha)
}

fn mix(a: RGBColor, b: RGBColor, t: f64) -> RGBColor {
    let part = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * t).round() as u8;
    RGBColor(part(a.0, b.0), part(a.1, b.1), part(a.2, b.2))
}

/// sRGB to linear light.
fn linear(color: RGBColor) -> [f64; 3] {
    [color.0, color.1, color.2].map(|part| {
        let v = f64::from(part) / 255.0;
        match v <= 0.04045 {
            true => v / 12.92,
            false => ((v + 0.055) / 1.055).powf(2.4),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB; first the eye that misses nothing.
    const EYES: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
    ];

    const XYZ: [[f64; 3]; 3] = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ];

    fn apply(m: &[[f64; 3]; 3], v: [f64; 3]) -> [f64; 3] {
        [0, 1, 2].map(|i| (0..3).map(|j| m[i][j] * v[j]).sum())
    }

    fn lab(color: RGBColor, eye: &[[f64; 3]; 3]) -> [f64; 3] {
        let seen = apply(eye, linear(color)).map(|v| v.clamp(0.0, 1.0));
        let [x, y, z] = apply(&XYZ, seen);
        let f = |t: f64| match t > 0.008856 {
            true => t.cbrt(),
            false => 7.787 * t + 16.0 / 116.0,
        };
        let (x, y, z) = (f(x / 0.95047), f(y), f(z / 1.08883));
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn known_contrasts_come_out() {
        assert!((contrast_on_white(RGBColor(0, 0, 0)) - 21.0).abs() < 1e-9);
        // WebAIM's checker gives 4.54 for #767676, the lightest grey that passes.
        assert!((contrast_on_white(RGBColor(0x76, 0x76, 0x76)) - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_colour_stands_out_from_white_paper() {
        for color in PALETTE.into_iter().chain(CONTROLS).chain([AXIS]) {
            assert!(contrast_on_white(color) >= 3.0, "{color:?}");
            assert!(contrast_on_white(text_color(color)) >= 4.5, "{color:?}");
        }
        for color in [INK, MUTED, SMALL_PRINT] {
            assert!(contrast_on_white(color) >= 4.5, "{color:?}");
        }
    }

    #[test]
    fn colours_stay_apart_for_every_kind_of_eye() {
        for eye in &EYES {
            for (i, a) in PALETTE.iter().enumerate() {
                for b in &PALETTE[..i] {
                    let (la, lb) = (lab(*a, eye), lab(*b, eye));
                    let distance: f64 = (0..3).map(|k| (la[k] - lb[k]).powi(2)).sum();
                    assert!(distance.sqrt() > 15.0, "{a:?} {b:?} {}", distance.sqrt());
                }
            }
        }
    }

    #[test]
    fn cells_grow_lighter_with_their_value_or_darker_from_the_middle() {
        let lightness = |color| lab(color, &EYES[0])[0];
        for eye in &EYES {
            let heat: Vec<f64> = (0..=50)
                .map(|i| lab(heat_color(f64::from(i) / 50.0), eye)[0])
                .collect();
            assert!(heat.windows(2).all(|w| w[0] < w[1]), "{heat:?}");
            let (low, high) = (lab(DIVERGING[1], eye), lab(DIVERGING[9], eye));
            let distance: f64 = (0..3).map(|k| (low[k] - high[k]).powi(2)).sum();
            assert!(distance.sqrt() > 40.0, "{}", distance.sqrt());
        }
        for i in 0..25 {
            let (t, u) = (f64::from(i) / 50.0, f64::from(i + 1) / 50.0);
            assert!(lightness(diverging_color(t)) < lightness(diverging_color(u)));
            assert!(lightness(diverging_color(1.0 - t)) < lightness(diverging_color(1.0 - u)));
        }
    }

    #[test]
    fn letters_on_cells_can_be_read() {
        for i in 0..=100 {
            let t = f64::from(i) / 100.0;
            for color in [heat_color(t), diverging_color(t)] {
                let (paper, letters) = (contrast_on_white(color), on_color(color));
                let contrast = match letters == PAPER {
                    true => paper,
                    false => contrast_on_white(INK) / paper,
                };
                assert!(contrast >= 3.8, "{color:?} {contrast}");
            }
        }
    }

    #[test]
    fn the_scale_grows_lighter_all_the_way() {
        let steps: Vec<f64> = (0..=50)
            .map(|i| contrast_on_white(scale_color(f64::from(i) / 50.0)))
            .collect();
        assert!(steps.windows(2).all(|w| w[0] > w[1]));
        assert!(steps[50] > 2.0);
    }
}
