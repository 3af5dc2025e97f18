//! Figures as reports make them, and odd ones.

use super::super::*;

pub(super) fn footer() -> Footer {
    Footer {
        command: "plumb probe run/ --label truth --kind logistic --lambda 0.01 --group topic --out probes/truth".into(),
        data: "data sha256 5f2c91d0… · model sha256 9a41e77b… · seed 7 · plumb 0.1.0".into(),
    }
}

/// A repeatable number in 0..1 for each pair.
pub(super) fn noise(i: usize, j: usize) -> f64 {
    let x = (i as f64 * 12.9898 + j as f64 * 78.233 + 1.0).sin() * 43758.5453;
    x - x.floor()
}

fn curve(layers: usize, from: f64, to: f64) -> Vec<(f64, f64)> {
    (0..layers)
        .map(|l| {
            let depth = l as f64 / (layers - 1).max(1) as f64;
            let rise = 1.0 / (1.0 + (-9.0 * (depth - 0.35)).exp());
            (l as f64, from + (to - from) * rise + 0.01 * noise(l, 3))
        })
        .collect()
}

pub(super) fn series(
    name: &str,
    points: Vec<(f64, f64)>,
    half: Option<f64>,
    style: Style,
) -> Series {
    let band = half.map(|h| points.iter().map(|(_, y)| (y - h, y + h * 0.8)).collect());
    Series {
        name: name.into(),
        points,
        band,
        style,
    }
}

fn ticks_of(layers: usize) -> Option<Vec<String>> {
    let mut names: Vec<String> = (0..layers).map(|l| l.to_string()).collect();
    names[0] = "embed".into();
    names[layers - 1] = "final".into();
    Some(names)
}

pub(super) fn sweep(layers: usize) -> Figure {
    Figure::Line(LineChart {
        title: "Truth of city statements is linear from the middle of the model on".into(),
        x_label: "layer of the residual stream".into(),
        y_label: "accuracy on held-out topics (95 % interval)".into(),
        x_ticks: ticks_of(layers),
        series: vec![
            series(
                "logistic probe",
                curve(layers, 0.56, 0.93),
                Some(0.035),
                Style::Headline,
            ),
            series(
                "shuffled labels",
                curve(layers, 0.50, 0.51),
                Some(0.04),
                Style::Control,
            ),
            series(
                "untrained model",
                curve(layers, 0.55, 0.57),
                None,
                Style::Control,
            ),
        ],
        y_range: None,
        reference_lines: vec![("majority class".into(), 0.52)],
        footer: footer(),
    })
}

pub(super) fn many_lines() -> Figure {
    let names = [
        "cosine",
        "L2",
        "CKA",
        "entity swapped & negated",
        "<script>alert(1)</script>",
        "paraphrase",
        "typo",
        "case",
    ];
    let series = names.iter().enumerate().map(|(i, name)| {
        let top = 0.62 + 0.03 * i as f64;
        series(name, curve(12, 0.05, top), None, Style::Headline)
    });
    Figure::Line(LineChart {
        title: "Drift of the residual stream under eight kinds of edits, as a share of the distance between unrelated texts".into(),
        x_label: "layer".into(),
        y_label: "relative drift".into(),
        series: series.collect(),
        footer: Footer {
            command: format!("plumb drift --model builtin --data {}pairs.csv --out drift/", "a/long/way/down/".repeat(20)),
            data: "data sha256 0c1d…".into(),
        },
        ..LineChart::default()
    })
}

fn world(labels: bool) -> Figure {
    // Centre, spread and number of cities of each continent.
    let continents = [
        ("Africa", 20.0, 3.0, 22.0, 24.0, 50),
        ("Asia", 95.0, 32.0, 34.0, 18.0, 70),
        ("Europe", 15.0, 50.0, 18.0, 8.0, 50),
        ("North America", -96.0, 40.0, 26.0, 13.0, 40),
        ("Oceania", 145.0, -28.0, 18.0, 9.0, 15),
        ("South America", -60.0, -15.0, 14.0, 20.0, 30),
    ];
    let cities = ["Lagos", "Tokyo", "Paris", "New York", "Sydney", "São Paulo"];
    let panel = |title: &str, error: f64| {
        let mut points = Vec::new();
        for (c, (_, x, y, dx, dy, n)) in continents.iter().enumerate() {
            for i in 0..*n {
                let spread = |k: usize| noise(c * 100 + i, k) + noise(c * 100 + i, k + 7) - 1.0;
                points.push(Point {
                    x: (x + 1.6 * dx * spread(1)) * (1.0 - error / 90.0) + error * spread(2),
                    y: (y + 1.6 * dy * spread(3)) * (1.0 - error / 90.0) + error * spread(4),
                    color: PointColor::Category(c),
                    label: (labels && i == 0).then(|| cities[c].to_owned()),
                    note: None,
                    hollow: false,
                });
            }
        }
        Panel {
            title: title.into(),
            x_label: "longitude (°)".into(),
            y_label: "latitude (°)".into(),
            points,
            ..Panel::default()
        }
    };
    Figure::Scatter(ScatterChart {
        title: "Where a model thinks cities are: coordinates read from layer 6 by a ridge probe"
            .into(),
        panels: vec![
            panel("predicted, R² = 0.71 [0.66, 0.75]", 22.0),
            panel("true", 0.0),
        ],
        categories: continents.iter().map(|c| c.0.to_owned()).collect(),
        color_label: "continent".into(),
        shared_axes: true,
        equal_aspect: true,
        hollow_label: String::new(),
        footer: footer(),
    })
}

fn years() -> Figure {
    let points = (0..120).map(|i| Point {
        x: noise(i, 1) * 4.0 - 2.0 + noise(i, 2),
        y: noise(i, 3) * 3.0 - 1.0,
        color: PointColor::Value(1800.0 + 220.0 * noise(i, 1)),
        label: (i % 40 == 0).then(|| format!("work {i}")),
        note: None,
        hollow: false,
    });
    Figure::Scatter(ScatterChart {
        title: "Works of art by year".into(),
        panels: vec![Panel {
            title: String::new(),
            x_label: "component 1 (18 % of the variance)".into(),
            y_label: "component 2 (9 %)".into(),
            points: points.collect(),
            ..Panel::default()
        }],
        color_label: "year".into(),
        footer: footer(),
        ..ScatterChart::default()
    })
}

/// What each layer would say, with a missing cell and names that must be escaped or shortened.
fn tokens_by_layers() -> Figure {
    let tokens = [
        "<s>",
        "Paris",
        " is",
        " the",
        " capital of the country that is called",
        " France",
    ];
    let columns = ["input", "0", "1", "2", "3", "4", "5", "norm"];
    let value = |i: usize, j: usize| match (i, j) {
        (0, 3) => f64::NAN,
        _ => noise(i, j) * (j as f64 + 1.0) / 8.0,
    };
    let word = |i: usize, j: usize| tokens[(i + j) % tokens.len()].to_owned();
    let table = |i: usize| (0..columns.len()).map(move |j| (i, j));
    Figure::Heat(HeatMap {
        title: "What each layer would say next".into(),
        x_label: "residual stream after block".into(),
        y_label: "token that was read".into(),
        columns: columns.iter().map(|c| c.to_string()).collect(),
        rows: tokens.iter().map(|t| t.to_string()).collect(),
        values: (0..6)
            .map(|i| table(i).map(|(i, j)| value(i, j)).collect())
            .collect(),
        texts: Some(
            (0..6)
                .map(|i| table(i).map(|(i, j)| word(i, j)).collect())
                .collect(),
        ),
        value_label: "probability of the token".into(),
        scale: ColorScale::Sequential(Some((0.0, 1.0))),
        footer: footer(),
    })
}

/// Transfer between many sets with long names, as gain or loss.
fn transfer() -> Figure {
    let names: Vec<String> = (0..14)
        .map(|i| format!("statements about {i} cities"))
        .collect();
    let row = |i: usize| (0..14).map(|j| noise(i, j) - 0.3).collect();
    Figure::Heat(HeatMap {
        title: "Probes trained on one set of statements, tested on the others".into(),
        x_label: "tested on".into(),
        y_label: "trained on".into(),
        columns: names.clone(),
        values: (0..14).map(row).collect(),
        rows: names,
        value_label: "accuracy above chance".into(),
        scale: ColorScale::Diverging { middle: 0.0 },
        footer: footer(),
        ..HeatMap::default()
    })
}

/// Two sentences, one read as classes and with a token that has no value.
pub(super) fn scored() -> Figure {
    let words = |text: &str, labels: &str, seed: usize| TokenText {
        heading: format!("text {seed}"),
        tokens: text
            .split_inclusive(' ')
            .zip(labels.split(' ').chain(std::iter::repeat("")))
            .enumerate()
            .map(|(i, (word, label))| ColoredToken {
                text: format!(" {}", word.trim()),
                value: if i == 4 { f64::NAN } else { noise(i, seed) },
                label: label.to_owned(),
            })
            .collect(),
    };
    let long = "The probe reads each token of a text by itself and what it reads of a sentence may differ from all of them . ";
    Figure::Tokens(TokenChart {
        title: "What the probe of “truth” at blocks.3.resid_post reads at each token".into(),
        texts: vec![
            words(&long.repeat(2), "", 1),
            words("Lima is in Peru .", "PROPN AUX ADP PROPN", 2),
        ],
        value_label: "probability of “true”".into(),
        scale: ColorScale::Diverging { middle: 0.5 },
        footer: footer(),
    })
}

pub(super) fn gallery() -> Vec<(&'static str, Figure)> {
    vec![
        ("sweep", sweep(8)),
        ("deep_sweep", sweep(34)),
        ("many_lines", many_lines()),
        ("world", world(true)),
        ("years", years()),
        ("odd", odd()),
        ("scored", scored()),
        ("tokens_by_layers", tokens_by_layers()),
        ("transfer", transfer()),
    ]
}

/// Gaps, a lone point, a constant, an empty series, a cut-off range.
fn odd() -> Figure {
    let nan = f64::NAN;
    Figure::Line(LineChart {
        title: "Gaps".into(),
        x_label: "dose".into(),
        y_label: "R²".into(),
        series: vec![
            series(
                "with a gap",
                vec![
                    (0.0, 0.2),
                    (1.0, 0.3),
                    (2.0, nan),
                    (3.0, 0.5),
                    (4.0, nan),
                    (5.0, 0.7),
                ],
                Some(0.1),
                Style::Headline,
            ),
            series(
                "constant",
                vec![(0.0, 0.4), (5.0, 0.4)],
                None,
                Style::Control,
            ),
            series(
                "cut off",
                vec![(0.0, 0.9), (2.0, -2.0), (3.0, 2.0)],
                None,
                Style::Headline,
            ),
            series("empty", vec![], None, Style::Headline),
        ],
        y_range: Some((0.0, 1.0)),
        ..LineChart::default()
    })
}
