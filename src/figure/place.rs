//! Places for labels, so that none covers another.

use super::scene::Place;

/// A rectangle on the figure: left, top, right, bottom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Frame {
    pub(super) fn width(self) -> f64 {
        self.right - self.left
    }

    pub(super) fn height(self) -> f64 {
        self.bottom - self.top
    }

    /// The area that two rectangles share.
    pub(super) fn overlap(self, other: Frame) -> f64 {
        let side = |a: f64, b: f64| (a.min(b)).max(0.0);
        side(self.right - other.left, other.right - self.left)
            .min(self.width())
            .min(other.width())
            * side(self.bottom - other.top, other.bottom - self.top)
                .min(self.height())
                .min(other.height())
    }

    /// How much of the rectangle lies outside of another one.
    fn outside(self, other: Frame) -> f64 {
        self.width() * self.height() - self.overlap(other)
    }

    fn around((x, y): (f64, f64), half: f64) -> Frame {
        Frame {
            left: x - half,
            top: y - half,
            right: x + half,
            bottom: y + half,
        }
    }
}

/// Moves labels of the given heights up and down until none overlaps another, as little as possible (least squares), within
/// `low..high` where they fit. Places are the labels' middles.
///
/// In order of wish, the wishes less the room that the labels above take must not fall: isotonic regression, by pooling adjacent
/// violators (Barlow et al. 1972).
pub(super) fn spread(wishes: &[f64], heights: &[f64], low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by(|a, b| wishes[*a].total_cmp(&wishes[*b]));
    let mut below = 0.0;
    let offsets: Vec<f64> = order
        .iter()
        .map(|i| {
            below += heights[*i];
            below - heights[*i] / 2.0
        })
        .collect();
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (i, offset) in order.iter().zip(&offsets) {
        let mut pool = (wishes[*i] - offset, 1);
        while let Some((sum, n)) =
            pools.pop_if(|(sum, n)| *sum / *n as f64 > pool.0 / pool.1 as f64)
        {
            pool = (pool.0 + sum, pool.1 + n);
        }
        pools.push(pool);
    }
    let levels = pools
        .iter()
        .flat_map(|(sum, n)| std::iter::repeat_n(sum / *n as f64, *n));
    let mut places = vec![0.0; wishes.len()];
    for ((i, offset), level) in order.iter().zip(&offsets).zip(levels) {
        places[*i] = level.min(high - below).max(low) + offset;
    }
    places
}

/// The area of points that a label may cover to come one pixel nearer to its own.
const FARNESS: f64 = 2.0;

/// For each chosen point and the size of its label, the label's frame: beside its point, inside `area`, clear of other labels and,
/// as far as possible, of all points.
pub(super) fn beside(
    chosen: &[(Place, (f64, f64))],
    points: &[Place],
    radius: f64,
    area: Frame,
) -> Vec<Frame> {
    let mut placed: Vec<Frame> = Vec::new();
    for (point, size) in chosen {
        let cost = |gap: f64, frame: &Frame| {
            let hidden: f64 = points
                .iter()
                .map(|p| frame.overlap(Frame::around(*p, radius)))
                .sum();
            let covered: f64 = placed.iter().map(|other| frame.overlap(*other)).sum();
            100.0 * (covered + frame.outside(area)) + hidden + FARNESS * gap
        };
        // The first of equally good places wins: right, left, above, below, then the corners, then the same farther away.
        let best = candidates(*point, *size, radius)
            .into_iter()
            .map(|(gap, frame)| (cost(gap, &frame), frame))
            .reduce(|best, next| if next.0 < best.0 { next } else { best });
        placed.extend(best.map(|(_, frame)| frame));
    }
    placed
}

/// Frames around a point, each with its distance from it.
fn candidates((x, y): (f64, f64), (width, height): (f64, f64), radius: f64) -> Vec<(f64, Frame)> {
    const SIDES: [(f64, f64); 12] = [
        (1.0, 0.0),
        (-1.0, 0.0),
        (0.0, -1.0),
        (0.0, 1.0),
        (0.5, -1.0),
        (-0.5, -1.0),
        (0.5, 1.0),
        (-0.5, 1.0),
        (1.0, -1.0),
        (-1.0, -1.0),
        (1.0, 1.0),
        (-1.0, 1.0),
    ];
    let at = |(dx, dy): (f64, f64), gap: f64| {
        let middle = (x + dx * (gap + width / 2.0), y + dy * (gap + height / 2.0));
        Frame {
            left: middle.0 - width / 2.0,
            top: middle.1 - height / 2.0,
            right: middle.0 + width / 2.0,
            bottom: middle.1 + height / 2.0,
        }
    };
    [radius + 2.0, radius + 10.0, radius + 22.0]
        .into_iter()
        .flat_map(|gap| SIDES.map(|side| (gap, at(side, gap))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_with_room_stay_where_they_are() {
        assert_eq!(
            spread(&[50.0, 10.0, 90.0], &[16.0; 3], 0.0, 100.0),
            [50.0, 10.0, 90.0]
        );
    }

    #[test]
    fn labels_that_collide_move_apart_evenly() {
        assert_eq!(spread(&[50.0, 50.0], &[16.0; 2], 0.0, 100.0), [42.0, 58.0]);
        assert_eq!(spread(&[1.0, 2.0], &[16.0; 2], 0.0, 100.0), [8.0, 24.0]);
    }

    #[test]
    fn labels_of_crowded_points_avoid_each_other() {
        let area = Frame {
            left: 0.0,
            top: 0.0,
            right: 200.0,
            bottom: 200.0,
        };
        let points = [
            (100.0, 100.0),
            (104.0, 100.0),
            (100.0, 106.0),
            (198.0, 100.0),
        ];
        let frames = beside(&points.map(|p| (p, (50.0, 14.0))), &points, 3.0, area);
        for (i, a) in frames.iter().enumerate() {
            assert_eq!(a.outside(area), 0.0);
            assert!(frames[..i].iter().all(|b| a.overlap(*b) == 0.0));
        }
    }

    proptest! {
        #[test]
        fn spread_labels_never_overlap(
            labels in proptest::collection::vec((-500.0f64..500.0, 5.0f64..40.0), 0..30),
        ) {
            let (wishes, heights): (Vec<_>, Vec<_>) = labels.into_iter().unzip();
            let total: f64 = heights.iter().sum();
            let places = spread(&wishes, &heights, 0.0, total + 50.0);
            for i in 0..places.len() {
                prop_assert!(places[i] - heights[i] / 2.0 >= -1e-6);
                prop_assert!(places[i] + heights[i] / 2.0 <= total + 50.0 + 1e-6);
                for j in 0..i {
                    let room = (heights[i] + heights[j]) / 2.0;
                    prop_assert!((places[i] - places[j]).abs() >= room - 1e-6);
                }
            }
        }
    }
}
