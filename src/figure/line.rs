//! Lines over layers, steps or doses, with their intervals, named at their ends.

use super::axis::{Range, Ticks, thin_out, ticks};
use super::clip::{clip, cut};
use super::frame::{self, Letters, NAME, Plot};
use super::place::{Frame, spread};
use super::scene::{Place, Scene};
use super::text::clean;
use super::theme::{
    AXIS, BAND_ALPHA, CONTROL_WIDTH, CONTROLS, DASHES, HAIRLINE, HEADLINE_WIDTH, MARGIN, MUTED,
    PALETTE, PAPER, text_color, translucent,
};
use super::{LineChart, Series, Style, refuse};
use crate::error::Result;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 330.0;
/// The widest label at the end of a line.
const WIDEST_LABEL: f64 = 210.0;
/// From the end of the axis to the labels.
const LABEL_GAP: f64 = 14.0;
/// From the ends of the axis to the first and the last point.
const INSET: f64 = 12.0;
/// From the last point of a line to its leader.
const LEADER_GAP: f64 = 6.0;
/// Lines of more points are drawn without a mark on each.
const MOST_MARKS: usize = 24;
/// More lines than this cannot be told apart.
const MOST_SERIES: usize = 40;

/// What a series looks like.
struct Look {
    color: RGBColor,
    width: f64,
    dash: Option<&'static [f64]>,
    /// A rim of paper around each point; among many lines it would hide its neighbours.
    rim: f64,
}

/// The text at the end of a line.
struct Label {
    lines: Vec<String>,
    color: RGBColor,
    bold: bool,
    /// Where its line ends; `None` if nothing was drawn.
    anchor: Option<Place>,
}

pub(super) fn scene(chart: &LineChart) -> Result<Scene> {
    check(chart)?;
    let (x, y) = (x_range(chart)?, y_range(chart)?);
    let mut scene = Scene::new(WIDTH);
    let top = y_name(&mut scene, chart);
    let y_ticks = ticks(y, 6, false);
    let mut plot = Plot {
        frame: Frame {
            left: MARGIN + frame::tick_room(&y_ticks),
            top,
            right: WIDTH - MARGIN,
            bottom: top + HEIGHT,
        },
        x,
        y,
    };
    let looks = looks(chart);
    let mut labels = labels(chart, &looks, y);
    let letters: f64 = labels.iter().map(|l| l.height()).sum();
    plot.frame.bottom = plot.frame.bottom.max(top + letters);
    let widest = labels.iter().map(Label::width).fold(0.0, f64::max);
    if widest > 0.0 {
        plot.frame.right -= widest + LABEL_GAP;
    }
    let unit = x.span() / (plot.frame.width() - 2.0 * INSET);
    plot.x = Range::given((x.low - INSET * unit, x.high + INSET * unit))?;

    frame::y_axis(&mut scene, &plot, &y_ticks, true);
    for (series, look) in chart.series.iter().zip(&looks) {
        band(&mut scene, &plot, series, look);
    }
    reference_lines(&mut scene, &plot, chart);
    for wanted in [Style::Control, Style::Headline] {
        for (series, look) in chart.series.iter().zip(&looks) {
            if series.style == wanted {
                line(&mut scene, &plot, series, look);
            }
        }
    }
    anchor(&mut labels, &plot, chart);
    write(&mut scene, &plot, &labels);
    let end = frame::x_axis(&mut scene, &plot, &x_ticks(chart, &plot, x), &chart.x_label);
    frame::footer(&mut scene, &chart.footer, end);
    Ok(scene)
}

fn check(chart: &LineChart) -> Result<()> {
    let lines = chart.series.len() + chart.reference_lines.len();
    if lines > MOST_SERIES {
        return refuse(format!(
            "{lines} lines cannot be told apart; show at most {MOST_SERIES}"
        ));
    }
    for series in &chart.series {
        if let Some(band) = &series.band
            && band.len() != series.points.len()
        {
            return refuse(format!(
                "the line `{}` has {} points and {} intervals",
                series.name,
                series.points.len(),
                band.len()
            ));
        }
    }
    Ok(())
}

fn finite_points(chart: &LineChart) -> impl Iterator<Item = Place> {
    let points = chart.series.iter().flat_map(|s| s.points.iter().copied());
    points.filter(|(x, y)| x.is_finite() && y.is_finite())
}

fn names(chart: &LineChart) -> Option<&[String]> {
    chart.x_ticks.as_deref().filter(|names| !names.is_empty())
}

fn x_range(chart: &LineChart) -> Result<Range> {
    let named = names(chart).map_or(0, <[_]>::len);
    let drawn = finite_points(chart).map(|(x, _)| x);
    let Some(drawn) = Range::of(drawn.chain((0..named).map(|i| i as f64))) else {
        return refuse("none of its points is finite");
    };
    if finite_points(chart).next().is_none() {
        return refuse("none of its points is finite");
    }
    drawn.widened(0.0)
}

fn y_range(chart: &LineChart) -> Result<Range> {
    if let Some(range) = chart.y_range {
        return Range::given(range);
    }
    let bands = chart.series.iter().flat_map(|s| s.band.iter().flatten());
    let values = finite_points(chart)
        .map(|(_, y)| y)
        .chain(bands.flat_map(|(low, high)| [*low, *high]))
        .chain(chart.reference_lines.iter().map(|(_, y)| *y));
    match Range::of(values) {
        Some(range) => range.widened(0.05),
        None => refuse("none of its points is finite"),
    }
}

/// The title and, lying above the axis where it reads without turning one's head, the name of y; returns where the panel begins.
fn y_name(scene: &mut Scene, chart: &LineChart) -> f64 {
    let top = frame::header(scene, &chart.title);
    let lines = NAME.wrap(&chart.y_label, WIDTH - 2.0 * MARGIN, 2);
    NAME.lines(scene, lines, (MARGIN, top), HPos::Left) + 10.0
}

fn x_ticks(chart: &LineChart, plot: &Plot, x: Range) -> Ticks {
    let Some(names) = names(chart) else {
        let whole = finite_points(chart).all(|(x, _)| x.fract() == 0.0);
        return ticks(x, 8, whole);
    };
    let widths: Vec<f64> = names.iter().map(|n| frame::tick_width(n)).collect();
    let shown = thin_out(&widths, plot.x(1.0) - plot.x(0.0), 12.0);
    Ticks {
        values: shown.iter().map(|i| *i as f64).collect(),
        labels: shown.iter().map(|i| names[*i].clone()).collect(),
    }
}

fn looks(chart: &LineChart) -> Vec<Look> {
    let (mut headlines, mut controls) = (0, 0);
    let next = |count: &mut usize| {
        *count += 1;
        *count - 1
    };
    let of_style = |style| chart.series.iter().filter(|s| s.style == style).count();
    let rim = match of_style(Style::Headline) {
        0..=3 => 1.2,
        _ => 0.0,
    };
    chart
        .series
        .iter()
        .map(|series| match series.style {
            Style::Headline => {
                let i = next(&mut headlines);
                // Colours that come round again are dashed, another way in each round.
                let round = (i / PALETTE.len()).checked_sub(1);
                Look {
                    color: PALETTE[i % PALETTE.len()],
                    width: HEADLINE_WIDTH,
                    dash: round.map(|r| DASHES[r % DASHES.len()]),
                    rim,
                }
            }
            Style::Control => {
                let i = next(&mut controls);
                Look {
                    color: CONTROLS[i % CONTROLS.len()],
                    width: CONTROL_WIDTH,
                    dash: Some(DASHES[i % DASHES.len()]),
                    rim,
                }
            }
        })
        .collect()
}

/// Stretches of neighbouring points that are finite, by index.
fn runs(series: &Series) -> Vec<std::ops::Range<usize>> {
    let finite = |i: usize| {
        let (x, y) = series.points[i];
        x.is_finite() && y.is_finite()
    };
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for i in (0..series.points.len()).filter(|i| finite(*i)) {
        match runs.last_mut() {
            Some(run) if run.end == i => run.end += 1,
            _ => runs.push(i..i + 1),
        }
    }
    runs
}

fn line(scene: &mut Scene, plot: &Plot, series: &Series, look: &Look) {
    let marked = series.style == Style::Headline && series.points.len() <= MOST_MARKS;
    for run in runs(series) {
        let points = &series.points[run.clone()];
        for piece in clip(points, plot.y) {
            let path: Vec<Place> = piece.into_iter().map(|p| plot.at(p)).collect();
            match look.dash {
                Some(dash) => scene.dashed(&path, look.color, look.width, dash),
                None => scene.line(path, look.color, look.width),
            }
        }
        // A lone point has no line to be seen by.
        if marked || points.len() == 1 {
            for point in points.iter().filter(|(_, y)| plot.y.holds(*y)) {
                if look.rim > 0.0 {
                    scene.disc(plot.at(*point), look.width + 1.0 + look.rim, PAPER);
                }
                scene.disc(plot.at(*point), look.width + 1.0, look.color);
            }
        }
    }
}

fn band(scene: &mut Scene, plot: &Plot, series: &Series, look: &Look) {
    let Some(band) = &series.band else { return };
    let color = translucent(look.color, BAND_ALPHA);
    let bounded: Vec<(f64, f64)> = series.points.iter().zip(band).map(bounded).collect();
    let low = edge(series, &bounded, |(low, _)| low);
    let high = edge(series, &bounded, |(_, high)| high);
    for run in runs(&low) {
        if run.len() == 1 {
            let (x, (bottom, top)) = (low.points[run.start].0, bounded[run.start]);
            for piece in clip(&[(x, bottom), (x, top)], plot.y) {
                let path = piece.into_iter().map(|p| plot.at(p)).collect();
                scene.line(path, look.color, HAIRLINE);
            }
            continue;
        }
        let upper = high.points[run.clone()].iter();
        let lower = low.points[run].iter().rev();
        let outline: Vec<Place> = upper.chain(lower).map(|p| plot.at(*p)).collect();
        let outline = cut(&outline, plot.frame.top, 1.0);
        let outline = cut(&outline, plot.frame.bottom, -1.0);
        scene.area(outline, color);
    }
}

/// The interval of a point, or not-a-number where it has none.
fn bounded((point, bounds): (&Place, &(f64, f64))) -> (f64, f64) {
    let known = point.1.is_finite() && bounds.0.is_finite() && bounds.1.is_finite();
    match known {
        true => *bounds,
        false => (f64::NAN, f64::NAN),
    }
}

fn edge(series: &Series, bounded: &[(f64, f64)], side: fn((f64, f64)) -> f64) -> Series {
    let points = series.points.iter().zip(bounded);
    Series {
        points: points.map(|((x, _), b)| (*x, side(*b))).collect(),
        ..Series::default()
    }
}

fn reference_lines(scene: &mut Scene, plot: &Plot, chart: &LineChart) {
    for (_, value) in levels(chart, plot.y) {
        let y = plot.y(*value);
        let path = vec![(plot.frame.left, y), (plot.frame.right, y)];
        scene.line(path, AXIS, HAIRLINE + 0.2);
    }
}

impl Label {
    fn new(name: &str, color: RGBColor, bold: bool) -> Self {
        let letters = Letters { bold, ..NAME };
        Self {
            lines: letters.wrap(name, WIDEST_LABEL, 2),
            color,
            bold,
            anchor: None,
        }
    }

    fn letters(&self) -> Letters {
        Letters {
            bold: self.bold,
            ..NAME.colored(self.color)
        }
    }

    fn width(&self) -> f64 {
        let widths = self.lines.iter().map(|line| self.letters().width(line));
        widths.fold(0.0, f64::max)
    }

    fn height(&self) -> f64 {
        match self.lines.len() {
            0 => 0.0,
            n => n as f64 * self.letters().leading() + 2.0,
        }
    }
}

/// The reference lines that are to be seen.
fn levels(chart: &LineChart, y: Range) -> impl Iterator<Item = &(String, f64)> {
    let levels = chart.reference_lines.iter();
    levels.filter(move |(_, value)| y.holds(*value))
}

fn labels(chart: &LineChart, looks: &[Look], y: Range) -> Vec<Label> {
    let series = chart.series.iter().zip(looks).map(|(series, look)| {
        let visible = visible_end(series, y).is_some();
        let name = match (clean(&series.name).is_empty(), runs(series).is_empty()) {
            (false, true) => format!("{} (no values)", series.name),
            (false, false) if !visible => format!("{} (out of range)", series.name),
            _ => series.name.clone(),
        };
        let bold = series.style == Style::Headline && visible;
        Label::new(&name, text_color(look.color), bold)
    });
    let references = levels(chart, y).map(|(name, _)| Label::new(name, MUTED, false));
    series.chain(references).collect()
}

/// The last point of a line that is to be seen.
fn visible_end(series: &Series, range: Range) -> Option<Place> {
    runs(series).into_iter().rev().find_map(|run| {
        let points = &series.points[run];
        let piece = clip(points, range).pop().and_then(|mut piece| piece.pop());
        piece.or_else(|| points.last().copied().filter(|(_, y)| range.holds(*y)))
    })
}

/// Tells the labels where their lines end.
fn anchor(labels: &mut [Label], plot: &Plot, chart: &LineChart) {
    let ends = chart
        .series
        .iter()
        .map(|series| visible_end(series, plot.y).map(|p| plot.at(p)));
    // A level has no marked end; its leader starts on the line itself.
    let levels = levels(chart, plot.y)
        .map(|(_, value)| Some((plot.frame.right - LEADER_GAP, plot.y(*value))));
    for (label, end) in labels.iter_mut().zip(ends.chain(levels)) {
        label.anchor = end;
    }
}

fn write(scene: &mut Scene, plot: &Plot, labels: &[Label]) {
    let shown: Vec<&Label> = labels.iter().filter(|l| !l.lines.is_empty()).collect();
    let frame = plot.frame;
    let wishes: Vec<f64> = shown
        .iter()
        .map(|l| l.anchor.map_or(frame.bottom, |(_, y)| y))
        .collect();
    let heights: Vec<f64> = shown.iter().map(|l| l.height()).collect();
    let middles = spread(&wishes, &heights, frame.top - 8.0, frame.bottom + 4.0);
    let left = frame.right + LABEL_GAP;
    for (label, middle) in shown.into_iter().zip(middles) {
        if let Some(end) = label.anchor {
            leader(scene, end, (left - 3.0, middle), label.color);
        }
        let first = middle - (label.lines.len() - 1) as f64 * label.letters().leading() / 2.0;
        for (i, line) in label.lines.iter().enumerate() {
            let at = (left, first + i as f64 * label.letters().leading());
            label.letters().middle(scene, line, at, HPos::Left);
        }
    }
}

/// A thin line from a label to the line it names, where they are apart.
fn leader(scene: &mut Scene, end: Place, label: Place, color: RGBColor) {
    let apart = (label.1 - end.1).abs() > 4.0 || label.0 - end.0 > LABEL_GAP + INSET + 6.0;
    if apart {
        let start = (end.0 + LEADER_GAP, end.1);
        scene.line(vec![start, label], color, HAIRLINE * 0.7);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_end_runs() {
        let series = Series {
            points: vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 1.0), (3.0, 1.0)],
            ..Series::default()
        };
        assert_eq!(runs(&series), [0..1, 2..4]);
    }
}
