//! What draws a point to others, and pushes it away from them.

use super::power::{LANES, Lanes, power};
use crate::analysis::reduce::Place;

/// A pull takes a point at most so far of its way to the other. At high rates the force alone would take it beyond, and where each end moves for
/// itself, what they overshoot by does not cancel out: groups drift apart.
const FARTHEST: f32 = 0.5;
/// The longest step along an axis that one push makes, before the rate.
const LONGEST: f32 = 4.0;
/// Added to the squared distance of a push, as in umap-learn.
const SOFT: f32 = 0.001;
/// Squared distances below this one are taken as it, so that powers stay normal numbers; the differences that are scaled are 0 all the same.
const LEAST: f32 = 1e-30;

/// Other points, as many as are computed side by side, in the first lanes.
pub(super) struct Others {
    x: Lanes,
    y: Lanes,
    /// 1 for a lane that holds a point, else 0.
    is: Lanes,
}

impl Others {
    /// None yet.
    #[inline(always)]
    pub(super) fn none() -> Self {
        Self {
            x: [0.0; LANES],
            y: [0.0; LANES],
            is: [0.0; LANES],
        }
    }

    /// Puts a point into a lane.
    #[inline(always)]
    pub(super) fn put(&mut self, lane: usize, place: Place) {
        (self.x[lane], self.y[lane], self.is[lane]) = (place[0], place[1], 1.0);
    }
}

/// The forces of the curve `1 / (1 + a d^2b)` at some learning rate.
#[derive(Clone, Copy)]
pub(super) struct Forces {
    b: f32,
    /// The logarithm of `a` to base 2.
    log_a: f32,
    rate: f32,
}

impl Forces {
    pub(super) fn new((a, b): (f64, f64), rate: f32) -> Self {
        Self {
            b: b as f32,
            log_a: a.log2() as f32,
            rate,
        }
    }

    /// The place of a point that others pulled: each twice, as the head of an edge and as the tail of its twin. Together they take it no
    /// farther than to their mean.
    #[inline(always)]
    pub(super) fn pulled(self, own: Place, others: &Others) -> Place {
        let (dx, dy, square) = differences(own, others);
        let curve = power(&square, self.b, self.log_a);
        let (mut part, mut x, mut y) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let strength = 2.0 * self.b * self.rate;
        for lane in 0..LANES {
            let once = strength * curve[lane] / (square[lane] * (1.0 + curve[lane]));
            let once = if once > FARTHEST { FARTHEST } else { once };
            // Of what the first pull left, the second takes the same part.
            part[lane] = once * (2.0 - once) * others.is[lane];
            x[lane] = part[lane] * dx[lane];
            y[lane] = part[lane] * dy[lane];
        }
        let whole = sum(part).max(1.0);
        [own[0] - sum(x) / whole, own[1] - sum(y) / whole]
    }

    /// Adds up how others push a point.
    #[inline(always)]
    pub(super) fn push(self, own: Place, others: &Others, pushes: &mut Pushes) {
        let (dx, dy, square) = differences(own, others);
        let curve = power(&square, self.b, self.log_a);
        let (strength, longest) = (2.0 * self.b * self.rate, LONGEST * self.rate);
        let cut = |v: f32| {
            let v = if v > longest { longest } else { v };
            if v < -longest { -longest } else { v }
        };
        for lane in 0..LANES {
            let part = strength / ((SOFT + square[lane]) * (1.0 + curve[lane])) * others.is[lane];
            pushes.x[lane] += cut(part * dx[lane]);
            pushes.y[lane] += cut(part * dy[lane]);
        }
    }
}

/// Steps away from other points, lane by lane.
pub(super) struct Pushes {
    x: Lanes,
    y: Lanes,
}

impl Pushes {
    #[inline(always)]
    pub(super) fn none() -> Self {
        Self {
            x: [0.0; LANES],
            y: [0.0; LANES],
        }
    }

    /// Where they take a point.
    #[inline(always)]
    pub(super) fn from(self, own: Place) -> Place {
        [own[0] + sum(self.x), own[1] + sum(self.y)]
    }
}

/// Differences to other points, and their squared lengths.
#[inline(always)]
fn differences(own: Place, others: &Others) -> (Lanes, Lanes, Lanes) {
    let (mut dx, mut dy, mut square) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        dx[lane] = own[0] - others.x[lane];
        dy[lane] = own[1] - others.y[lane];
        let length = dx[lane] * dx[lane] + dy[lane] * dy[lane];
        square[lane] = if length < LEAST { LEAST } else { length };
    }
    (dx, dy, square)
}

/// The sum of all lanes, halves first.
#[inline(always)]
fn sum(mut lanes: Lanes) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURVE: (f64, f64) = (1.576_943_46, 0.895_060_88);

    fn others(places: &[Place]) -> Others {
        let mut others = Others::none();
        for (lane, place) in places.iter().enumerate() {
            others.put(lane, *place);
        }
        others
    }

    /// What umap-learn's gradients say, in `f64`.
    #[test]
    fn forces_are_those_of_the_curve() {
        let (a, b) = CURVE;
        for d in [0.05f64, 0.3, 1.0, 2.5, 9.0] {
            let curve = 1.0 + a * d.powf(2.0 * b);
            let forces = Forces::new(CURVE, 0.01);
            let once = 0.01 * 2.0 * a * b * d.powf(2.0 * b - 2.0) / curve;
            let left = d * (1.0 - once).powi(2);
            let found = forces.pulled([d as f32, 0.0], &others(&[[0.0, 0.0]]));
            assert!(
                (f64::from(found[0]) - left).abs() < 1e-5 * d,
                "{d} {found:?} {left}"
            );
            assert_eq!(found[1], 0.0);
            let step = (2.0 * b / ((0.001 + d * d) * curve) * d).min(4.0) * 0.01;
            let mut pushes = Pushes::none();
            forces.push([0.0, d as f32], &others(&[[0.0, 0.0]]), &mut pushes);
            let found = pushes.from([0.0, d as f32]);
            assert!(
                (f64::from(found[1]) - d - step).abs() < 1e-5 * (d + 1.0),
                "{d} {found:?} {step}"
            );
        }
    }

    #[test]
    fn many_that_pull_take_a_point_no_farther_than_to_their_mean() {
        let forces = Forces::new(CURVE, 1.0);
        let ring: Vec<Place> = (0..LANES).map(|i| [3.0 + (i % 2) as f32, 1.0]).collect();
        let found = forces.pulled([2.5, 1.0], &others(&ring));
        assert!(found[0] > 3.0 && found[0] <= 3.5, "{found:?}");
        // Equal places neither pull nor push.
        assert_eq!(
            forces.pulled([1.0, 2.0], &others(&[[1.0, 2.0]])),
            [1.0, 2.0]
        );
        let mut pushes = Pushes::none();
        forces.push([1.0, 2.0], &others(&[[1.0, 2.0]]), &mut pushes);
        assert_eq!(pushes.from([1.0, 2.0]), [1.0, 2.0]);
    }
}
