//! No data breaks a figure.

use super::super::*;
use super::examples::noise;
use proptest::prelude::*;

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
