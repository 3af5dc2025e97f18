//! Whole figures: their bytes, their text, and what is refused.

mod examples;
mod properties;

use super::*;
use examples::{footer, gallery, many_lines, scored, series, sweep};
use std::path::PathBuf;

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
