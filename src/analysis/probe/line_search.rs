//! A step length that satisfies the strong Wolfe conditions (Nocedal & Wright 2006, algorithms 3.5 and 3.6).

/// Sufficient decrease: the value falls by at least this part of what the slope promises.
const DECREASE: f64 = 1e-4;
/// Curvature: the slope shrinks to at most this part of what it was.
const CURVATURE: f64 = 0.9;
const MOST_TRIALS: usize = 40;

/// A step, with the value and the slope of the function there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trial {
    pub(super) step: f64,
    pub(super) value: f64,
    pub(super) slope: f64,
}

/// What to do after a trial.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// The step satisfies the conditions.
    Accept,
    /// Evaluate this step.
    Try(f64),
    /// No step was found.
    Fail,
}

/// The search along one direction. It is told one trial after another, so that whoever evaluates the function may evaluate
/// many searches at once.
#[derive(Debug, Clone)]
pub(super) struct LineSearch {
    origin: Trial,
    /// The best step so far.
    low: Trial,
    /// The other end of an interval that holds an acceptable step, once there is one.
    high: Option<Trial>,
    trials: usize,
    rounding: f64,
}

impl LineSearch {
    /// A search from a point with this value and this (negative) slope. Near a minimum, values differ by less than their rounding error while
    /// slopes are still exact: values within the share `rounding` of each other count as equal (the approximate Wolfe conditions of
    /// Hager & Zhang 2005, section 2).
    pub(super) fn new(value: f64, slope: f64, rounding: f64) -> Self {
        let origin = Trial {
            step: 0.0,
            value,
            slope,
        };
        Self {
            origin,
            low: origin,
            high: None,
            trials: 0,
            rounding: rounding * value.abs(),
        }
    }

    /// Takes a trial in and says what to do next.
    pub(super) fn observe(&mut self, trial: Trial) -> Next {
        self.trials += 1;
        let rounding = self.rounding;
        let promised = self.origin.value + DECREASE * trial.step * self.origin.slope + rounding;
        // Written so that NaN counts as too high.
        let acceptable = trial.value <= promised && trial.value <= self.low.value + rounding;
        if !acceptable {
            self.high = Some(trial);
        } else if trial.slope.abs() <= CURVATURE * self.origin.slope.abs() {
            return Next::Accept;
        } else {
            let toward_high = match self.high {
                Some(high) => high.step - trial.step,
                None => 1.0,
            };
            if trial.slope * toward_high >= 0.0 {
                self.high = Some(self.low);
            }
            self.low = trial;
        }
        match self.next_step() {
            step if self.trials < MOST_TRIALS && step.is_finite() && step > 0.0 => Next::Try(step),
            _ => Next::Fail,
        }
    }

    fn next_step(&self) -> f64 {
        let Some(high) = self.high else {
            return self.low.step * 3.0;
        };
        let width = high.step - self.low.step;
        if width.abs() <= f64::EPSILON * self.low.step.abs() {
            return f64::NAN;
        }
        // The interval shrinks by at least a tenth, whatever the interpolation says.
        let part = match cubic_minimum(self.low, high) {
            Some(step) => ((step - self.low.step) / width).clamp(0.1, 0.9),
            None => 0.5,
        };
        self.low.step + part * width
    }
}

/// The minimum of the cubic through two trials (Nocedal & Wright 2006, equation 3.59).
fn cubic_minimum(a: Trial, b: Trial) -> Option<f64> {
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.step - b.step);
    let square = d1 * d1 - a.slope * b.slope;
    let d2 = (b.step - a.step).signum() * square.sqrt();
    let step = b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    step.is_finite().then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs the search on `f`, which returns value and slope.
    fn search(f: impl Fn(f64) -> (f64, f64), first: f64) -> Option<f64> {
        let (value, slope) = f(0.0);
        let mut search = LineSearch::new(value, slope, 1e-14);
        let mut step = first;
        loop {
            let (value, slope) = f(step);
            match search.observe(Trial { step, value, slope }) {
                Next::Accept => return Some(step),
                Next::Try(next) => step = next,
                Next::Fail => return None,
            }
        }
    }

    #[test]
    fn a_function_without_a_lower_bound_has_no_step() {
        assert_eq!(search(|t| (-t, -1.0), 1.0), None);
    }

    #[test]
    fn a_step_into_infinity_is_taken_back() {
        let barrier = |t: f64| match t < 1.0 {
            true => (-(1.0 - t).ln() - 2.0 * t, 1.0 / (1.0 - t) - 2.0),
            false => (f64::INFINITY, f64::NAN),
        };
        assert!(search(barrier, 50.0).unwrap() < 1.0);
    }

    proptest! {
        #[test]
        fn the_step_satisfies_the_strong_wolfe_conditions(
            minimum in 1e-3f64..1e3, steep in 1e-3f64..1e3, wave in 0.0f64..0.9, first in 1e-4f64..1e4
        ) {
            // A parabola with waves on it: smooth, bounded below, not convex.
            let f = |t: f64| {
                let u = (t - minimum) / minimum;
                (steep * (u * u + wave * (3.0 * u).cos() / 3.0), steep * (2.0 * u - wave * (3.0 * u).sin()) / minimum)
            };
            let (v0, s0) = f(0.0);
            prop_assume!(s0 < 0.0);
            let step = search(f, first).unwrap();
            let (v, s) = f(step);
            prop_assert!(v <= v0 + DECREASE * step * s0 + 1e-12 * v0.abs());
            prop_assert!(s.abs() <= CURVATURE * s0.abs());
        }
    }
}
