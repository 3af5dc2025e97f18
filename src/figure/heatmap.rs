//! A table of numbers as colours, with a colour bar.

use super::axis::{Range, thin_out};
use super::colors::{bar, color, hatch, rectangle, span};
use super::data::{Column, Columns};
use super::frame::{self, Letters, NAME, TICK};
use super::scene::Scene;
use super::text::clean;
use super::theme::{GRID, INK, MARGIN, on_color, translucent};
use super::{HeatMap, refuse};
use crate::error::Result;
use plotters::style::text_anchor::HPos;

/// An SVG of more cells is slow to open.
const MOST_CELLS: usize = 40_000;
/// The figure is at least this wide, so that its title has room.
const NARROWEST: f64 = 640.0;
/// Where cells have room to choose, the map is about this wide.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 480.0;
const LONGEST_ROW_NAME: f64 = 190.0;
const LONGEST_COLUMN_NAME: f64 = 120.0;
const CELL: Letters = Letters {
    size: 11.5,
    bold: false,
    color: INK,
};

pub(super) fn scene(map: &HeatMap) -> Result<Scene> {
    check(map)?;
    let values = || map.values.iter().flatten().copied();
    let range = span(map.scale, values())?;
    let layout = Layout::of(map);
    let right = layout.left + layout.cell.0 * map.columns.len() as f64;
    let mut scene = Scene::new((right + MARGIN).max(NARROWEST));
    let top = frame::header(&mut scene, &map.title);
    let gaps = values().any(|v| !v.is_finite());
    let top = bar(&mut scene, &map.value_label, (map.scale, range), gaps, top);
    let top = top + NAME.leading() + 4.0;
    let y_name = NAME.shorten(&map.y_label, scene.width - 2.0 * MARGIN);
    let above = top - NAME.leading() - 4.0;
    NAME.lines(&mut scene, vec![y_name], (MARGIN, above), HPos::Left);
    cells(&mut scene, map, range, &layout, top);
    row_names(&mut scene, map, &layout, top);
    let bottom = top + layout.cell.1 * map.rows.len() as f64;
    let end = column_names(&mut scene, map, &layout, bottom);
    let lines = NAME.wrap(&map.x_label, (right - layout.left).max(320.0), 2);
    let end = NAME.lines(&mut scene, lines, (layout.left, end + 2.0), HPos::Left);
    frame::footer(&mut scene, &map.footer, end);
    Ok(scene)
}

fn check(map: &HeatMap) -> Result<()> {
    let (rows, columns) = (map.rows.len(), map.columns.len());
    if rows * columns > MOST_CELLS {
        return refuse(format!(
            "a heat map of {rows} rows and {columns} columns has too many cells to be seen; show at most {MOST_CELLS}"
        ));
    }
    let odd = map.values.iter().map(Vec::len).find(|n| *n != columns);
    if map.values.len() != rows || odd.is_some() {
        return refuse(format!(
            "{rows} row names and {columns} column names need a number for each pair; there are {} rows of numbers{}",
            map.values.len(),
            odd.map_or(String::new(), |n| format!(", one of {n}"))
        ));
    }
    let Some(texts) = &map.texts else {
        return Ok(());
    };
    match texts.len() == rows && texts.iter().all(|row| row.len() == columns) {
        true => Ok(()),
        false => refuse("the texts of the cells are not in the shape of the numbers"),
    }
}

/// Where the cells are and how large.
struct Layout {
    left: f64,
    cell: (f64, f64),
}

impl Layout {
    fn of(map: &HeatMap) -> Self {
        let names = map.rows.iter().map(|name| TICK.width(name));
        let room = names.fold(0.0, f64::max).min(LONGEST_ROW_NAME) + 8.0;
        let (rows, columns) = (map.rows.len() as f64, map.columns.len() as f64);
        let (width, height) = (WIDTH / columns.max(1.0), HEIGHT / rows.max(1.0));
        let cell = match &map.texts {
            Some(texts) => {
                let widths = texts.iter().flatten().map(|text| CELL.width(text));
                let text = widths.fold(0.0, f64::max) + 10.0;
                (
                    text.clamp(26.0, 96.0).max(width.min(64.0)),
                    height.clamp(20.0, 40.0),
                )
            }
            None => (width.clamp(3.0, 56.0), height.clamp(3.0, 40.0)),
        };
        // A map of the same things both ways is square.
        let square = map.rows == map.columns && map.texts.is_none();
        let side = cell.0.min(cell.1);
        Self {
            left: MARGIN + room,
            cell: if square { (side, side) } else { cell },
        }
    }
}

fn cells(scene: &mut Scene, map: &HeatMap, range: Range, layout: &Layout, top: f64) {
    let (width, height) = layout.cell;
    // Large cells stand apart; small ones overlap by a hair, so that no seams show.
    let gap = match width.min(height) >= 12.0 {
        true => 1.0,
        false => -0.3,
    };
    for (i, row) in map.values.iter().enumerate() {
        for (j, value) in row.iter().enumerate() {
            let at = (layout.left + j as f64 * width, top + i as f64 * height);
            let size = (width - gap, height - gap);
            let fill = value
                .is_finite()
                .then(|| color(map.scale, range.part(*value)));
            match fill {
                Some(fill) => scene.area(rectangle(at, size), translucent(fill, 1.0)),
                None => scene.area(rectangle(at, size), translucent(GRID, 1.0)),
            }
            let text = map.texts.as_ref().map_or("", |texts| texts[i][j].as_str());
            scene.note(&note(map, (i, j), *value, text));
            if fill.is_none() {
                hatch(scene, at, size);
            }
            let ink = fill.map_or(INK, on_color);
            let middle = (at.0 + size.0 / 2.0, at.1 + size.1 / 2.0);
            let short = CELL.shorten(text, size.0 - 4.0);
            CELL.colored(ink).middle(scene, short, middle, HPos::Center);
        }
    }
}

/// What a browser says of a cell that is pointed at.
fn note(map: &HeatMap, (i, j): (usize, usize), value: f64, text: &str) -> String {
    let value = match value.is_finite() {
        true => format!("{}", (value * 1e4).round() / 1e4),
        false => "no number".to_owned(),
    };
    let text = match text.is_empty() {
        true => String::new(),
        false => format!(" · {text}"),
    };
    format!("{} · {}: {value}{text}", map.rows[i], map.columns[j])
}

fn row_names(scene: &mut Scene, map: &HeatMap, layout: &Layout, top: f64) {
    // Standing under each other, names need their height.
    let heights = vec![TICK.size; map.rows.len()];
    for i in thin_out(&heights, layout.cell.1, 1.0) {
        let name = TICK.shorten(&map.rows[i], LONGEST_ROW_NAME);
        let at = (layout.left - 7.0, top + (i as f64 + 0.5) * layout.cell.1);
        TICK.middle(scene, name, at, HPos::Right);
    }
}

/// Names under the columns, lying where all fit and else standing; returns where they end.
fn column_names(scene: &mut Scene, map: &HeatMap, layout: &Layout, bottom: f64) -> f64 {
    let names: Vec<String> = map.columns.iter().map(|name| clean(name)).collect();
    let widths: Vec<f64> = names.iter().map(|name| TICK.width(name)).collect();
    let middle = |i: usize| layout.left + (i as f64 + 0.5) * layout.cell.0;
    let shown = thin_out(&widths, layout.cell.0, 6.0);
    // Short names that follow each other (layers) can be counted on; longer ones must all be there.
    let short = widths.iter().all(|w| *w <= 4.0 * TICK.size);
    if shown.len() == names.len() || short {
        for i in shown {
            let at = (middle(i), bottom + 5.0);
            TICK.lines(scene, vec![names[i].clone()], at, HPos::Center);
        }
        return bottom + 5.0 + TICK.leading();
    }
    let heights = vec![TICK.size; names.len()];
    let mut longest: f64 = 0.0;
    for i in thin_out(&heights, layout.cell.0, 1.0) {
        let name = TICK.shorten(&names[i], LONGEST_COLUMN_NAME);
        longest = longest.max(TICK.width(&name));
        TICK.upright(scene, name, (middle(i), bottom + 7.0));
    }
    bottom + 7.0 + longest + 6.0
}

/// The cells as rows of a table, and what the figure says about itself.
pub(super) fn data(map: &HeatMap) -> (Columns, Vec<(&'static str, String)>) {
    let cells = || {
        let rows = map.values.iter().enumerate();
        rows.flat_map(|(i, row)| row.iter().enumerate().map(move |(j, value)| (i, j, *value)))
    };
    let text = |i: usize, j: usize| map.texts.as_ref()?.get(i)?.get(j).map(String::as_str);
    let name = |names: &'_ [String], i: usize| names.get(i).cloned();
    let columns = vec![
        (
            "row",
            Column::Text(cells().map(|c| name(&map.rows, c.0)).collect()),
        ),
        (
            "column",
            Column::Text(cells().map(|c| name(&map.columns, c.1)).collect()),
        ),
        ("value", Column::number(cells().map(|c| Some(c.2)))),
        ("text", Column::text(cells().map(|c| text(c.0, c.1)))),
    ];
    let about = vec![
        ("title", map.title.clone()),
        ("x_label", map.x_label.clone()),
        ("y_label", map.y_label.clone()),
        ("value_label", map.value_label.clone()),
        ("command", map.footer.command.clone()),
        ("data", map.footer.data.clone()),
    ];
    (columns, about)
}
