//! Cuts paths and polygons at the edges of a panel.

use super::axis::Range;
use super::scene::Place;

/// The parts of a path whose y lies inside the range.
pub(super) fn clip(points: &[Place], range: Range) -> Vec<Vec<Place>> {
    let mut pieces: Vec<Vec<Place>> = Vec::new();
    for pair in points.windows(2) {
        let Some((from, to)) = clip_segment(pair[0], pair[1], range) else {
            continue;
        };
        match pieces.last_mut() {
            Some(piece) if piece.last() == Some(&from) => piece.push(to),
            _ => pieces.push(vec![from, to]),
        }
    }
    pieces
}

/// The part of a segment whose y lies inside the range (Liang and Barsky 1984, in one direction).
fn clip_segment(a: Place, b: Place, range: Range) -> Option<(Place, Place)> {
    let at = |y: f64| (a.0 + (b.0 - a.0) * ((y - a.1) / (b.1 - a.1)), y);
    let end = |p: Place| match p.1 {
        y if y < range.low => at(range.low),
        y if y > range.high => at(range.high),
        _ => p,
    };
    let outside = (a.1.max(b.1) < range.low) || (a.1.min(b.1) > range.high);
    (!outside).then(|| (end(a), end(b)))
}

/// The part of a polygon below (`sign` = 1) or above (-1) the height `limit` on the page (Sutherland and Hodgman 1974).
pub(super) fn cut(outline: &[Place], limit: f64, sign: f64) -> Vec<Place> {
    let inside = |p: Place| (p.1 - limit) * sign >= 0.0;
    let mut kept = Vec::with_capacity(outline.len() + 2);
    for (i, b) in outline.iter().enumerate() {
        let a = outline[(i + outline.len() - 1) % outline.len()];
        if inside(a) != inside(*b) {
            let t = (limit - a.1) / (b.1 - a.1);
            kept.push((a.0 + (b.0 - a.0) * t, limit));
        }
        if inside(*b) {
            kept.push(*b);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Range = Range {
        low: 0.0,
        high: 1.0,
    };

    #[test]
    fn a_path_is_cut_where_it_leaves_the_range() {
        let pieces = clip(&[(0.0, 0.5), (1.0, 1.5), (2.0, 0.5), (3.0, -0.5)], UNIT);
        assert_eq!(
            pieces,
            [
                vec![(0.0, 0.5), (0.5, 1.0)],
                vec![(1.5, 1.0), (2.0, 0.5), (2.5, 0.0)],
            ]
        );
        assert!(clip(&[(0.0, 2.0), (1.0, 3.0)], UNIT).is_empty());
    }

    #[test]
    fn a_polygon_is_cut_at_a_height() {
        let square = [(0.0, -1.0), (2.0, -1.0), (2.0, 1.0), (0.0, 1.0)];
        let below = cut(&square, 0.0, 1.0);
        assert_eq!(below, [(0.0, 0.0), (2.0, 0.0), (2.0, 1.0), (0.0, 1.0)]);
        assert!(cut(&square, 5.0, 1.0).is_empty());
    }
}
