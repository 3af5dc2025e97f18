//! The map: cities placed where a probe reads them, beside where they are.

use crate::analysis::matrix::Matrix;
use crate::analysis::metrics::r2;
use crate::analysis::probe::{RidgeParams, group_ids, held_out_predictions, spelled};
use crate::error::{Error, Result};
use crate::figure::{
    Figure, Footer, Panel, Point, PointColor, ScatterChart, render_png, render_svg,
};
use crate::report::probe::short;
use crate::store::Run;
use crate::text::dataset::Values;
use crate::text::split;
use std::path::Path;

/// The penalty of the map's probes.
const LAMBDA: f64 = 0.01;
const FOLDS: usize = 10;
/// Cities that are named on the map, spread over the world.
const NAMED: &[&str] = &[
    "Reykjavik",
    "Cairo",
    "Tokyo",
    "Sydney",
    "Lima",
    "Nairobi",
    "Moscow",
    "Delhi",
    "Chicago",
    "Madrid",
    "Honolulu",
    "Anchorage",
];

/// The map's files and what to say about it.
pub(super) struct Map {
    pub(super) files: Vec<(String, Vec<u8>)>,
    pub(super) said: String,
}

/// What a probe says about each row of one layer, from other cities alone.
struct Placed {
    point: String,
    /// Latitude and longitude, one pair a row.
    predicted: [Vec<f64>; 2],
    /// R² of each, over all rows.
    r2: [f64; 2],
}

/// Draws the map of a run of the places. Each city is placed by a probe that saw only others: the cities are cut into ten
/// parts, and each part is placed by a ridge probe trained on the nine others.
pub(super) fn draw(run: &Path, shown: &Path) -> Result<Map> {
    let run = Run::open(run)?;
    let names = run.column("name")?;
    let truth = [numbers(&run, "latitude")?, numbers(&run, "longitude")?];
    let cities = group_ids(&names);
    let one_class = vec![0; cities.len()];
    let folds = split::folds(&one_class, Some(&cities), FOLDS, 0)
        .map_err(|e| e.named("name", |_| "city".to_owned()))?;
    let mut best: Option<Placed> = None;
    for point in run.point_names() {
        let placed = place(&run, point, &truth, &folds)?;
        let score = |p: &Placed| p.r2[0] + p.r2[1];
        if best.as_ref().is_none_or(|b| score(&placed) > score(b)) {
            best = Some(placed);
        }
    }
    let placed = best.ok_or_else(|| Error::BadRun {
        path: run.path().to_owned(),
        problem: "it holds no hook point".to_owned(),
    })?;
    let figure = figure(&run, &placed, &truth, &names, &cities, shown)?;
    Ok(Map {
        files: vec![
            ("chart.svg".to_owned(), render_svg(&figure)?.into_bytes()),
            ("chart.png".to_owned(), render_png(&figure)?),
        ],
        said: format!(
            "The map ({}/map): each city placed by a probe of {} that saw only other cities: R² {:.2} for latitude, {:.2} for longitude.\n",
            shown.display(),
            placed.point,
            placed.r2[0],
            placed.r2[1],
        ),
    })
}

fn numbers(run: &Run, column: &str) -> Result<Vec<f64>> {
    match run.column(column)? {
        Values::Number(v) => Ok(v.into_iter().map(Option::unwrap_or_default).collect()),
        _ => Err(Error::BadLabel {
            column: column.to_owned(),
            problem: "it should hold numbers".to_owned(),
        }),
    }
}

fn place(run: &Run, point: String, truth: &[Vec<f64>; 2], folds: &[Vec<usize>]) -> Result<Placed> {
    let vectors = run.vectors(&point)?;
    let x = Matrix::from_f32(vectors.rows(), vectors.width, &vectors.values)?;
    let y: Vec<f64> = (0..x.rows())
        .flat_map(|row| [truth[0][row], truth[1][row]])
        .collect();
    let y = Matrix::new(x.rows(), 2, y)?;
    let said = held_out_predictions(&x, &y, folds, RidgeParams { lambda: LAMBDA })?;
    let predicted = [said.col(0), said.col(1)];
    let weights = vec![1.0; x.rows()];
    let score = |i: usize| r2(&truth[i], &predicted[i], &weights).unwrap_or(f64::NAN);
    Ok(Placed {
        r2: [score(0), score(1)],
        point,
        predicted,
    })
}

fn figure(
    run: &Run,
    placed: &Placed,
    truth: &[Vec<f64>; 2],
    names: &Values,
    cities: &[usize],
    shown: &Path,
) -> Result<Figure> {
    let continents = run.column("continent")?;
    let mut categories: Vec<String> = (0..continents.len())
        .filter_map(|row| spelled(&continents, row))
        .collect();
    categories.sort();
    categories.dedup();
    // One mark a city: the mean over its sentences.
    let of_city: Vec<Vec<usize>> = {
        let count = cities.iter().max().map_or(0, |c| c + 1);
        let mut rows = vec![Vec::new(); count];
        for (row, city) in cities.iter().enumerate() {
            rows[*city].push(row);
        }
        rows
    };
    let panel = |title: String, coordinates: &[Vec<f64>; 2]| Panel {
        title,
        x_label: "degrees east".to_owned(),
        y_label: "degrees north".to_owned(),
        points: of_city
            .iter()
            .map(|rows| {
                let mean = |v: &[f64]| rows.iter().map(|r| v[*r]).sum::<f64>() / rows.len() as f64;
                let name = spelled(names, rows[0]);
                let continent = spelled(&continents, rows[0]);
                let category = categories
                    .iter()
                    .position(|c| Some(c) == continent.as_ref());
                Point {
                    x: mean(&coordinates[1]),
                    y: mean(&coordinates[0]),
                    color: PointColor::Category(category.unwrap_or(0)),
                    label: name.clone().filter(|n| NAMED.contains(&n.as_str())),
                    note: name,
                    ..Point::default()
                }
            })
            .collect(),
        ..Panel::default()
    };
    let manifest = run.manifest();
    Ok(Figure::Scatter(ScatterChart {
        title: "Where the model's activations place cities that the probe never saw".to_owned(),
        panels: vec![
            panel("where they are".to_owned(), truth),
            panel(
                format!(
                    "read from {}, R² {:.2} north, {:.2} east",
                    placed.point, placed.r2[0], placed.r2[1]
                ),
                &placed.predicted,
            ),
        ],
        categories,
        color_label: "continent".to_owned(),
        shared_axes: true,
        equal_aspect: true,
        hollow_label: String::new(),
        footer: Footer {
            command: format!("plumb demo --out {}", shown.display()),
            data: format!(
                "data sha256 {} · weights sha256 {} · ridge, λ = {LAMBDA}, {FOLDS} folds by city",
                short(&manifest.plan.data.sha256),
                short(&manifest.plan.model.weights_sha256),
            ),
        },
    }))
}
