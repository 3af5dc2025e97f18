//! Whole figures: their bytes, their text, and that no data breaks them.

use super::*;
use proptest::prelude::*;
use std::path::PathBuf;

fn footer() -> Footer {
    Footer {
        command: "plumb probe run/ --label truth --kind logistic --lambda 0.01 --group topic --out probes/truth".into(),
        data: "data sha256 5f2c91d0… · model sha256 9a41e77b… · seed 7 · plumb 0.1.0".into(),
    }
}

/// A repeatable number in 0..1 for each pair.
fn noise(i: usize, j: usize) -> f64 {
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

fn series(name: &str, points: Vec<(f64, f64)>, half: Option<f64>, style: Style) -> Series {
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

fn sweep(layers: usize) -> Figure {
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

fn many_lines() -> Figure {
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
fn scored() -> Figure {
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

fn gallery() -> Vec<(&'static str, Figure)> {
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

#[test]
fn coloured_texts_stay_inside_and_say_their_numbers() {
    let svg = render_svg(&scored()).unwrap();
    assert!(svg.contains("PROPN") && svg.contains("probability of “true”"));
    let nothing = Figure::Tokens(TokenChart::default());
    assert!(
        render_svg(&nothing)
            .unwrap_err()
            .to_string()
            .contains("none of its values is finite")
    );
    let many = TokenText {
        tokens: vec![ColoredToken::default(); 5000],
        ..TokenText::default()
    };
    let many = Figure::Tokens(TokenChart {
        texts: vec![many],
        ..TokenChart::default()
    });
    assert!(
        render_svg(&many)
            .unwrap_err()
            .to_string()
            .contains("too many")
    );
    assert_eq!(
        shade(ColorScale::Diverging { middle: 0.5 }, &[0.0, 1.0], f64::NAN),
        None
    );
    let (blue, red) = (0.0, 1.0);
    let fill = |value| {
        shade(ColorScale::Diverging { middle: 0.5 }, &[0.0, 1.0], value)
            .unwrap()
            .0
    };
    assert!(fill(blue)[2] > fill(blue)[0] && fill(red)[0] > fill(red)[2]);
}

#[test]
fn figures_keep_their_bytes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/figure/snapshots");
    let bless = std::env::var_os("PLUMB_BLESS").is_some();
    for (name, figure) in gallery() {
        let svg = render_svg(&figure).unwrap();
        assert_eq!(
            svg,
            render_svg(&figure).unwrap(),
            "{name} differs from itself"
        );
        let path = folder.join(format!("{name}.svg"));
        if bless {
            std::fs::write(&path, &svg).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == svg,
            "{name}.svg changed; look at it, then set PLUMB_BLESS=1 to keep it"
        );
    }
}

#[test]
fn a_png_has_two_pixels_for_each_of_the_svg_and_says_so() {
    let figure = sweep(8);
    let (svg, bytes) = (render_svg(&figure).unwrap(), render_png(&figure).unwrap());
    assert_eq!(bytes, render_png(&figure).unwrap());
    let reader = png::Decoder::new(bytes.as_slice()).read_info().unwrap();
    let info = reader.info();
    assert!(svg.contains(&format!(
        "width=\"{}\" height=\"{}\"",
        info.width / 2,
        info.height / 2
    )));
    assert_eq!(info.pixel_dims.unwrap().xppu, 7559);
    assert!(
        info.utf8_text
            .iter()
            .any(|t| t.get_text().unwrap().contains("plumb probe run/"))
    );
}

#[test]
fn text_stays_text_and_is_escaped() {
    let svg = render_svg(&many_lines()).unwrap();
    assert!(!svg.contains("<script"));
    assert!(svg.contains("&lt;script&gt;") && svg.contains("&amp; negated"));
    assert!(svg.contains("<title>Drift of the residual stream"));
    assert!(svg.contains("role=\"img\"") && svg.contains("Inter, Helvetica, Arial, sans-serif"));
    let svg = render_svg(&sweep(34)).unwrap();
    for text in [
        "logistic probe",
        "shuffled labels",
        "untrained model",
        "majority class",
        "embed",
        "final",
        "layer of the residual stream",
    ] {
        assert!(svg.contains(&format!(">{text}</text>")), "{text}");
    }
    assert!(
        svg.contains("plumb probe run/ --label truth") && svg.contains("data sha256 5f2c91d0…")
    );
}

#[test]
fn control_characters_cannot_break_the_document() {
    let mut chart = LineChart {
        title: "a\u{0}b\n<c>\u{FFFF}".into(),
        ..LineChart::default()
    };
    chart.series.push(series(
        "x\ty\u{1b}",
        vec![(0.0, 1.0)],
        None,
        Style::Headline,
    ));
    let svg = render_svg(&Figure::Line(chart)).unwrap();
    assert!(svg.chars().all(|c| c == '\n' || !c.is_control()));
    assert!(svg.contains("<title>a b &lt;c&gt;\u{FFFD}</title>"));
}

#[test]
fn what_cannot_be_drawn_is_refused_with_its_reason() {
    let refusal = |figure: &Figure| render_svg(figure).unwrap_err().to_string();
    let line = |series| {
        Figure::Line(LineChart {
            series,
            ..LineChart::default()
        })
    };
    assert!(refusal(&line(vec![])).contains("none of its points is finite"));
    let nan = series(
        "a",
        vec![(0.0, f64::NAN), (f64::INFINITY, 1.0)],
        None,
        Style::Headline,
    );
    assert!(refusal(&line(vec![nan])).contains("none of its points is finite"));
    let mut short = series("acc", vec![(0.0, 1.0), (1.0, 1.0)], None, Style::Headline);
    short.band = Some(vec![(0.0, 1.0)]);
    assert!(refusal(&line(vec![short])).contains("`acc` has 2 points and 1 intervals"));
    let scatter = |color| {
        let panel = Panel {
            points: vec![Point {
                color,
                ..Point::default()
            }],
            ..Panel::default()
        };
        Figure::Scatter(ScatterChart {
            panels: vec![panel],
            ..ScatterChart::default()
        })
    };
    assert!(refusal(&scatter(PointColor::Category(3))).contains("category 3, but there are 0"));
    assert!(render_svg(&scatter(PointColor::Category(0))).is_ok());
    assert!(
        refusal(&Figure::Scatter(ScatterChart::default())).contains("none of its points is finite")
    );
}

#[test]
fn a_heat_map_needs_a_number_for_each_pair_of_names() {
    let refusal = |map: HeatMap| render_svg(&Figure::Heat(map)).unwrap_err().to_string();
    let map = |values: Vec<Vec<f64>>| HeatMap {
        rows: vec!["a".into(), "b".into()],
        columns: vec!["c".into()],
        values,
        ..HeatMap::default()
    };
    assert!(refusal(map(vec![vec![1.0]])).contains("2 row names and 1 column names"));
    assert!(refusal(map(vec![vec![1.0], vec![1.0, 2.0]])).contains("one of 2"));
    assert!(refusal(map(vec![vec![f64::NAN]; 2])).contains("none of its values is finite"));
    let texts = HeatMap {
        texts: Some(vec![vec!["x".into()]]),
        ..map(vec![vec![1.0]; 2])
    };
    assert!(refusal(texts).contains("not in the shape"));
    let range = HeatMap {
        scale: ColorScale::Sequential(Some((1.0, 1.0))),
        ..map(vec![vec![1.0]; 2])
    };
    assert!(refusal(range).contains("no range"));
    let vast = HeatMap {
        rows: vec![String::new(); 300],
        columns: vec![String::new(); 300],
        ..HeatMap::default()
    };
    assert!(refusal(vast).contains("too many cells"));
}

fn any_series() -> impl Strategy<Value = Series> {
    let point = (any::<f64>(), any::<f64>(), any::<f64>(), any::<f64>());
    let small = (-3.0f64..9.0, -2.0f64..2.0, -2.0f64..2.0, -2.0f64..2.0);
    let points = prop_oneof![
        proptest::collection::vec(point, 0..12),
        proptest::collection::vec(small, 0..12)
    ];
    ("\\PC{0,60}", points, any::<bool>(), any::<bool>()).prop_map(
        |(name, points, band, control)| Series {
            name,
            band: band.then(|| points.iter().map(|p| (p.2, p.3)).collect()),
            points: points.into_iter().map(|p| (p.0, p.1)).collect(),
            style: if control {
                Style::Control
            } else {
                Style::Headline
            },
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_line_chart_panics(
        series in proptest::collection::vec(any_series(), 0..6),
        names in proptest::option::of(proptest::collection::vec("\\PC{0,20}", 0..50)),
        y_range in proptest::option::of((any::<f64>(), any::<f64>())),
        level in any::<f64>(),
        title in "\\PC{0,200}",
    ) {
        let chart = LineChart {
            x_label: title.clone(),
            y_label: title.clone(),
            footer: Footer { command: title.clone(), data: title.clone() },
            title,
            x_ticks: names,
            series,
            y_range,
            reference_lines: vec![("level".into(), level)],
        };
        if let Ok(svg) = render_svg(&Figure::Line(chart)) {
            prop_assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"));
        }
    }

    #[test]
    fn no_heat_map_panics(
        names in proptest::collection::vec("\\PC{0,40}", 1..30),
        columns in 1usize..30,
        value in any::<f64>(),
        middle in any::<f64>(),
        (diverging, texts) in any::<(bool, bool)>(),
    ) {
        let number = |i: usize, j: usize| if i % 7 == 3 { value } else { noise(i, j) };
        let map = HeatMap {
            title: names[0].clone(),
            columns: (0..columns).map(|j| names[j % names.len()].clone()).collect(),
            values: (0..names.len()).map(|i| (0..columns).map(|j| number(i, j)).collect()).collect(),
            texts: texts.then(|| names.iter().map(|n| vec![n.clone(); columns]).collect()),
            value_label: names[0].clone(),
            scale: match diverging {
                true => ColorScale::Diverging { middle },
                false => ColorScale::Sequential(None),
            },
            rows: names,
            ..HeatMap::default()
        };
        if let Ok(svg) = render_svg(&Figure::Heat(map)) {
            prop_assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"));
        }
    }

    #[test]
    fn no_scatter_chart_panics(
        points in proptest::collection::vec((any::<f64>(), -5.0f64..5.0, any::<f64>(), "\\PC{0,12}"), 0..30),
        panels in 1usize..5,
        shared_axes in any::<bool>(),
        equal_aspect in any::<bool>(),
    ) {
        let point = |(i, (x, y, v, label)): (usize, (f64, f64, f64, String))| Point {
            x: if i % 3 == 0 { x } else { y },
            y: if i % 4 == 0 { v } else { y },
            color: if i % 2 == 0 { PointColor::Value(v) } else { PointColor::Category(i % 3) },
            label: (i % 5 == 0).then_some(label),
            note: None,
            hollow: false,
        };
        let panel = Panel {
            points: points.into_iter().enumerate().map(point).collect(),
            ..Panel::default()
        };
        let chart = ScatterChart {
            panels: vec![panel; panels],
            categories: vec!["a".into(), "b".into(), "c".into()],
            shared_axes,
            equal_aspect,
            ..ScatterChart::default()
        };
        let _ = render_svg(&Figure::Scatter(chart));
    }
}

proptest! {
    // A PNG is painted at six times the size: few cases.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_png_panics(series in proptest::collection::vec(any_series(), 1..4), y_range in proptest::option::of(Just((-1.0, 1.0)))) {
        let _ = render_png(&Figure::Line(LineChart { series, y_range, ..LineChart::default() }));
    }
}

#[test]
fn what_is_said_of_a_point_stands_in_the_mark_that_is_seen() {
    let point = |x: f64, category: usize, note: Option<&str>, label: Option<&str>| Point {
        x,
        y: x * x,
        color: PointColor::Category(category),
        label: label.map(str::to_owned),
        note: note.map(str::to_owned),
        hollow: false,
    };
    let figure = Figure::Scatter(ScatterChart {
        title: "Notes".into(),
        categories: vec!["disc".into(), "square".into()],
        panels: vec![Panel {
            points: vec![
                point(0.0, 0, Some("a < b"), None),
                point(1.0, 1, Some("the square"), None),
                point(2.0, 0, None, None),
                point(3.0, 0, Some("named"), Some("N")),
            ],
            ..Panel::default()
        }],
        ..ScatterChart::default()
    });
    let svg = render_svg(&figure).unwrap();
    let noted: Vec<&str> = svg.lines().filter(|l| l.contains("<title>")).collect();
    assert!(
        noted[1].starts_with("<circle ") && noted[1].ends_with("><title>a &lt; b</title></circle>")
    );
    assert!(noted[2].starts_with("<polygon ") && noted[2].contains("<title>the square</title>"));
    // The named point is drawn twice, and whichever is hit says the same.
    let named = noted.iter().filter(|l| l.contains("<title>named</title>"));
    assert_eq!(named.count(), 2);
    assert_eq!(noted.len(), 1 + 4);
}

#[test]
fn hollow_points_have_paper_inside_and_a_line_in_the_legend() {
    let draw = |hollow: bool| {
        let point = |x: f64| Point {
            x,
            y: x,
            hollow: hollow && x > 1.0,
            ..Point::default()
        };
        let chart = ScatterChart {
            hollow_label: if hollow { "torn".into() } else { String::new() },
            panels: vec![Panel {
                points: [0.0, 1.0, 2.0].map(point).into(),
                ..Panel::default()
            }],
            footer: footer(),
            ..ScatterChart::default()
        };
        render_svg(&Figure::Scatter(chart)).unwrap()
    };
    let circles = |svg: &str| svg.matches("<circle ").count();
    let (full, hollow) = (draw(false), draw(true));
    // One inside the point, two in the legend.
    assert_eq!(circles(&hollow), circles(&full) + 3);
    assert!(hollow.contains(">torn</text>") && !full.contains("torn"));
}
