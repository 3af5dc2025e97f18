//! Points in panels side by side, coloured by category or by value.

use super::axis::{Range, Ticks, ticks};
use super::frame::{self, Letters, NAME, Plot};
use super::legend::{category_color, legend, mark};
use super::place::{Frame, beside};
use super::scene::{Place, Scene};
use super::text::clean;
use super::theme::{HAIRLINE, INK, LABEL_SIZE, MARGIN, MUTED, PAPER, translucent};
use super::{Arrow, Panel, PointColor, ScatterChart, refuse};
use crate::error::Result;
use plotters::style::text_anchor::HPos;

const GAP: f64 = 30.0;
const MOST_PANELS: usize = 24;
const POINT_NAME: Letters = Letters {
    size: LABEL_SIZE - 2.0,
    bold: false,
    color: INK,
};

/// What all panels of a figure have in common.
struct Layout {
    columns: usize,
    /// Of the area that points are drawn in.
    width: f64,
    height: f64,
    /// To the left of every panel, or of the first in a row where axes are shared.
    room: f64,
    radius: f64,
    values: Option<Range>,
}

/// One panel's ranges and what its axes name.
struct Axes {
    x: Range,
    y: Range,
    x_ticks: Ticks,
    y_ticks: Ticks,
}

pub(super) fn scene(chart: &ScatterChart) -> Result<Scene> {
    check(chart)?;
    let ranges = ranges(chart)?;
    let columns = match chart.panels.len() {
        n @ 1..=3 => n,
        4 => 2,
        _ => 3,
    };
    let width = [540.0, 410.0, 290.0][columns - 1];
    let height = panel_height(&ranges, width, chart.equal_aspect);
    let axes = ranges
        .into_iter()
        .map(|(x, y)| Axes::new(x, y, (width, height), chart.equal_aspect))
        .collect::<Result<Vec<_>>>()?;
    let rooms = axes.iter().map(|a| frame::tick_room(&a.y_ticks));
    let layout = Layout {
        columns,
        width,
        height,
        room: rooms.fold(0.0, f64::max),
        radius: radius(chart),
        values: value_range(chart),
    };

    let mut scene = Scene::new(layout.left(chart, columns) - GAP + MARGIN);
    let mut top = frame::header(&mut scene, &chart.title);
    top = legend(&mut scene, chart, layout.values, top);
    for (row, panels) in chart.panels.chunks(columns).enumerate() {
        let axes = &axes[row * columns..];
        top = panel_row(&mut scene, chart, &layout, panels, axes, top) + 14.0;
    }
    frame::footer(&mut scene, &chart.footer, top - 14.0);
    Ok(scene)
}

fn check(chart: &ScatterChart) -> Result<()> {
    if chart.panels.len() > MOST_PANELS {
        return refuse(format!(
            "{} panels do not fit on a page; show at most {MOST_PANELS}",
            chart.panels.len()
        ));
    }
    let unnamed = chart.panels.iter().flat_map(|p| &p.points).find_map(|p| {
        match (p.color, chart.categories.len()) {
            // Points of one colour need no name for it.
            (PointColor::Category(0), 0) | (PointColor::Value(_), _) => None,
            (PointColor::Category(i), n) => (i >= n).then_some(i),
        }
    });
    let arrows = chart.panels.iter().flat_map(|p| &p.arrows);
    let mut named = arrows.map(|a| a.category);
    let unnamed = unnamed.or_else(|| named.find(|i| *i > 0 && *i >= chart.categories.len()));
    match unnamed {
        Some(i) => refuse(format!(
            "a point or an arrow is of category {i}, but there are {} category names",
            chart.categories.len()
        )),
        None => Ok(()),
    }
}

/// The points of a panel that have a place.
fn finite(panel: &Panel) -> impl Iterator<Item = &super::Point> {
    let points = panel.points.iter();
    points.filter(|p| p.x.is_finite() && p.y.is_finite())
}

/// The arrows of a panel that have both ends.
fn whole(panel: &Panel) -> impl Iterator<Item = &Arrow> {
    let ends = |a: &&Arrow| [a.from.0, a.from.1, a.to.0, a.to.1];
    panel
        .arrows
        .iter()
        .filter(move |a| ends(a).iter().all(|v| v.is_finite()))
}

fn value_range(chart: &ScatterChart) -> Option<Range> {
    let points = chart.panels.iter().flat_map(finite);
    Range::of(points.filter_map(|p| match p.color {
        PointColor::Value(value) => Some(value),
        PointColor::Category(_) => None,
    }))
    .filter(|range| range.span().is_finite())
}

/// The ranges of x and y of every panel.
fn ranges(chart: &ScatterChart) -> Result<Vec<(Range, Range)>> {
    let of = |panels: &[Panel]| -> Result<Option<(Range, Range)>> {
        let points = || {
            let ends = panels.iter().flat_map(whole).flat_map(|a| [a.from, a.to]);
            let points = panels.iter().flat_map(finite);
            points.map(|p| (p.x, p.y)).chain(ends)
        };
        let (x, y) = (
            Range::of(points().map(|p| p.0)),
            Range::of(points().map(|p| p.1)),
        );
        match (x, y) {
            (Some(x), Some(y)) => Ok(Some((x.widened(0.05)?, y.widened(0.05)?))),
            _ => Ok(None),
        }
    };
    let Some(all) = of(&chart.panels)? else {
        return refuse("none of its points is finite");
    };
    // An empty panel takes the ranges of its neighbours.
    let own = |panel: &Panel| match chart.shared_axes {
        true => Ok(all),
        false => Ok(of(std::slice::from_ref(panel))?.unwrap_or(all)),
    };
    chart.panels.iter().map(own).collect()
}

/// For equal aspect, the height that the tallest panel's ranges ask for, within reason.
fn panel_height(ranges: &[(Range, Range)], width: f64, equal_aspect: bool) -> f64 {
    let natural = |(x, y): &(Range, Range)| match equal_aspect {
        true => width * (y.span() / x.span()),
        false => width * 0.8,
    };
    let tallest = ranges.iter().map(natural).fold(0.0, f64::max);
    tallest.clamp(0.4 * width, 1.2 * width).round()
}

impl Axes {
    fn new(x: Range, y: Range, (width, height): (f64, f64), equal_aspect: bool) -> Result<Self> {
        let (x, y) = match equal_aspect {
            true => {
                let unit = (x.span() / width).max(y.span() / height);
                (
                    x.widened((unit * width / x.span() - 1.0) / 2.0)?,
                    y.widened((unit * height / y.span() - 1.0) / 2.0)?,
                )
            }
            false => (x, y),
        };
        let count = |length: f64, each: f64| (length / each).round() as usize;
        Ok(Self {
            x,
            y,
            x_ticks: ticks(x, count(width, 75.0), false),
            // A flat map needs a sense of its height too.
            y_ticks: ticks(y, count(height, 55.0).max(4), false),
        })
    }
}

impl Layout {
    /// Where the panels of a column begin.
    fn left(&self, chart: &ScatterChart, column: usize) -> f64 {
        let rooms = match chart.shared_axes {
            true => 1,
            false => column + 1,
        };
        // The figure ends before the room of a column that is not there.
        let rooms = rooms.min(self.columns) as f64;
        MARGIN + rooms * self.room + column as f64 * (self.width + GAP)
    }
}

fn radius(chart: &ScatterChart) -> f64 {
    match chart.panels.iter().map(|p| p.points.len()).max() {
        Some(0..=80) => 5.0,
        Some(81..=400) => 4.2,
        Some(401..=3000) => 3.2,
        _ => 2.2,
    }
}

/// Draws panels side by side; returns where they end.
fn panel_row(
    scene: &mut Scene,
    chart: &ScatterChart,
    layout: &Layout,
    panels: &[Panel],
    axes: &[Axes],
    top: f64,
) -> f64 {
    let title = Letters {
        color: INK,
        ..NAME.bold()
    };
    let heads: Vec<_> = panels
        .iter()
        .enumerate()
        .map(|(column, panel)| {
            // With shared axes, the name of y stands once where all panels have the same.
            let repeated = chart.shared_axes && column > 0 && panel.y_label == panels[0].y_label;
            let name = if repeated { "" } else { &panel.y_label };
            (
                title.wrap(&panel.title, layout.width, 2),
                NAME.wrap(name, layout.width, 2),
            )
        })
        .collect();
    let titles = heads.iter().map(|h| h.0.len()).max().unwrap_or(0);
    let names = heads.iter().map(|h| h.1.len()).max().unwrap_or(0);
    let head = (titles + names) as f64 * NAME.leading() + 6.0;
    let mut end: f64 = top;
    for (column, ((panel, axes), (title_lines, name))) in
        panels.iter().zip(axes).zip(heads).enumerate()
    {
        let left = layout.left(chart, column);
        title.lines(scene, title_lines, (left, top), HPos::Left);
        let under = top + titles as f64 * NAME.leading();
        NAME.lines(scene, name, (left, under), HPos::Left);
        let plot = Plot {
            frame: Frame {
                left,
                top: top + head,
                right: left + layout.width,
                bottom: top + head + layout.height,
            },
            x: axes.x,
            y: axes.y,
        };
        let numbers = column == 0 || !chart.shared_axes;
        frame::x_grid(scene, &plot, &axes.x_ticks);
        frame::y_axis(scene, &plot, &axes.y_ticks, numbers);
        draw(scene, &plot, panel, layout);
        end = end.max(frame::x_axis(scene, &plot, &axes.x_ticks, &panel.x_label));
    }
    end
}

/// A line from a small dot to a head; a movement shorter than its head is a dot.
fn arrow(scene: &mut Scene, (from, to): (Place, Place), arrow: &Arrow) {
    const WIDTH: f64 = 1.4;
    const HEAD: f64 = 8.0;
    let color = category_color(arrow.category);
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    scene.disc(from, 2.2, color);
    if length > HEAD {
        let (ux, uy) = (dx / length, dy / length);
        let back = (to.0 - HEAD * ux, to.1 - HEAD * uy);
        scene.line(vec![from, back], color, WIDTH);
        let side = |sign: f64| {
            (
                back.0 - sign * 0.42 * HEAD * uy,
                back.1 + sign * 0.42 * HEAD * ux,
            )
        };
        scene.area(vec![to, side(1.0), side(-1.0)], translucent(color, 1.0));
    }
    if let Some(note) = &arrow.note {
        scene.note(note);
    }
}

fn draw(scene: &mut Scene, plot: &Plot, panel: &Panel, layout: &Layout) {
    for moved in whole(panel) {
        arrow(scene, (plot.at(moved.from), plot.at(moved.to)), moved);
    }
    let places: Vec<Place> = finite(panel).map(|p| plot.at((p.x, p.y))).collect();
    let crowded = places.len() > 3000;
    let rim = (!crowded).then_some(PAPER);
    for (point, place) in finite(panel).zip(&places) {
        mark(scene, *place, layout.radius, point, layout.values, rim);
        if let Some(note) = &point.note {
            scene.note(note);
        }
    }
    // Points with a name lie on top and have a dark rim, so that one sees which they are.
    for (point, place) in finite(panel).zip(&places) {
        if point.label.is_some() {
            mark(
                scene,
                *place,
                layout.radius + 0.5,
                point,
                layout.values,
                Some(INK),
            );
            if let Some(note) = &point.note {
                scene.note(note);
            }
        }
    }
    if places.is_empty() && whole(panel).next().is_none() {
        let middle = (
            (plot.frame.left + plot.frame.right) / 2.0,
            (plot.frame.top + plot.frame.bottom) / 2.0,
        );
        NAME.middle(scene, "no finite points", middle, HPos::Center);
    }
    names(scene, plot, panel, &places, layout.radius);
}

fn names(scene: &mut Scene, plot: &Plot, panel: &Panel, places: &[Place], radius: f64) {
    let chosen: Vec<(String, Place)> = finite(panel)
        .zip(places)
        .filter_map(|(point, place)| Some((clean(point.label.as_deref()?), *place)))
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, place)| (POINT_NAME.shorten(&name, plot.frame.width() / 2.0), place))
        .collect();
    let size = |name: &str| (POINT_NAME.width(name) + 2.0, POINT_NAME.size + 1.0);
    let boxes: Vec<_> = chosen.iter().map(|(n, p)| (*p, size(n))).collect();
    let frames = beside(&boxes, places, radius, plot.frame);
    for ((_, place), frame) in chosen.iter().zip(&frames) {
        let near = (
            place.0.clamp(frame.left, frame.right),
            place.1.clamp(frame.top, frame.bottom),
        );
        if (near.0 - place.0).hypot(near.1 - place.1) > radius + 5.0 {
            scene.line(vec![*place, near], MUTED, HAIRLINE * 0.8);
        }
    }
    for ((name, _), frame) in chosen.iter().zip(&frames) {
        // Paper under the letters, where they must cover points.
        let (l, t, r, b) = (frame.left, frame.top, frame.right, frame.bottom);
        let outline = vec![(l, t), (r, t), (r, b), (l, b)];
        scene.area(outline, translucent(PAPER, 0.7));
        POINT_NAME.middle(scene, name, (l + 1.0, (t + b) / 2.0), HPos::Left);
    }
}
