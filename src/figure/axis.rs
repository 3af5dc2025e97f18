//! From numbers to places along an axis, and the ticks that name some of them.

use super::refuse;
use crate::error::Result;

/// What an axis spans; `low < high`, both finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    /// A range that was asked for.
    ///
    /// # Errors
    /// [`crate::error::Error::Drawing`] unless it is finite and not empty.
    pub(super) fn given((low, high): (f64, f64)) -> Result<Self> {
        match low < high && (high - low).is_finite() {
            true => Ok(Self { low, high }),
            false => refuse(format!("{low} to {high} is no range for an axis")),
        }
    }

    /// The range that holds all finite ones of these values, or `None` if there are none. A single value stands in the middle of its
    /// range.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = values
            .into_iter()
            .filter(|v| v.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        if low > high {
            return None;
        }
        let size = low.abs().max(high.abs());
        let room = match size < 1e-300 {
            true => 1.0,
            false => size * 0.1,
        };
        // Closer than rounding can tell apart is constant.
        match high - low > size * 1e-9 && size >= 1e-300 {
            true => Some(Self { low, high }),
            false => Some(Self {
                low: low - room,
                high: high + room,
            }),
        }
    }

    /// The range with a fraction of itself added at each end.
    ///
    /// # Errors
    /// [`crate::error::Error::Drawing`] if it exceeds what numbers can hold.
    pub(super) fn widened(self, fraction: f64) -> Result<Self> {
        let room = self.span() * fraction;
        match (self.span() * 4.0).is_finite() {
            true => Self::given((self.low - room, self.high + room)),
            false => refuse("its values are too large for an axis"),
        }
    }

    pub(super) fn span(self) -> f64 {
        self.high - self.low
    }

    pub(super) fn holds(self, value: f64) -> bool {
        value >= self.low && value <= self.high
    }

    /// Where a value lies: 0 at the low end, 1 at the high end.
    pub(super) fn part(self, value: f64) -> f64 {
        (value - self.low) / self.span()
    }
}

/// Values that an axis names.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Ticks {
    pub(super) values: Vec<f64>,
    pub(super) labels: Vec<String>,
}

/// Round numbers inside the range: multiples of 1, 2 or 5 times a power of ten, about `most` at most.
pub(super) fn ticks(range: Range, most: usize, whole: bool) -> Ticks {
    let step = step(range.span() / most.max(1) as f64, whole);
    let (first, last) = ((range.low / step).ceil(), (range.high / step).floor());
    // Beyond 2^53 steps from zero neighbouring ticks are the same number; such an axis names its ends.
    if !step.is_normal() || first.abs().max(last.abs()) > 9e15 || last - first > 1000.0 {
        let values = vec![range.low, range.high];
        let labels = values.iter().map(|v| minus(&format!("{v:e}"))).collect();
        return Ticks { values, labels };
    }
    let values: Vec<f64> = (0..=(last - first).max(0.0) as usize)
        .map(|i| (first + i as f64) * step)
        .filter(|v| range.holds(*v))
        .collect();
    let labels = values.iter().map(|v| number(*v, step, range)).collect();
    Ticks { values, labels }
}

/// The low and the high end of a range, in as many digits as tell hundredths of it apart.
pub(super) fn ends(range: Range) -> (String, String) {
    let step = range.span() / 100.0;
    match step.is_normal() {
        true => (
            number(range.low, step, range),
            number(range.high, step, range),
        ),
        false => (
            minus(&format!("{:e}", range.low)),
            minus(&format!("{:e}", range.high)),
        ),
    }
}

fn step(rough: f64, whole: bool) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|s| *s >= rough * (1.0 - 1e-9))
        .unwrap_or(power * 10.0);
    match whole {
        true => step.max(1.0).round(),
        false => step,
    }
}

/// The value with as many digits as the step needs, a true minus sign, and a power of ten where it is far from 1.
fn number(value: f64, step: f64, range: Range) -> String {
    let largest = range.low.abs().max(range.high.abs());
    let digits_of = |v: f64| v.log10().floor() as i32;
    let text = if value == 0.0 {
        "0".to_owned()
    } else if !(1e-4..1e6).contains(&largest) {
        let digits =
            (digits_of(value.abs() * (1.0 + 1e-9)) - digits_of(step * (1.0 + 1e-9))).max(0);
        format!("{value:.*e}", digits as usize)
    } else {
        let decimals = (-digits_of(step * (1.0 + 1e-9))).max(0);
        format!("{value:.*}", decimals as usize)
    };
    minus(&text)
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
}

/// Which of `widths.len()` names, standing `spacing` apart, can be shown with a gap between them: every k-th, and the last.
pub(super) fn thin_out(widths: &[f64], spacing: f64, gap: f64) -> Vec<usize> {
    const STRIDES: [usize; 12] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25];
    let n = widths.len();
    let apart =
        |a: usize, b: usize| (b - a) as f64 * spacing >= (widths[a] + widths[b]) / 2.0 + gap;
    let fits = |k: usize| {
        let shown: Vec<usize> = (0..n).step_by(k).collect();
        shown.windows(2).all(|pair| apart(pair[0], pair[1]))
    };
    let stride = STRIDES
        .into_iter()
        .chain((1..).map(|i| i * 50).take_while(|k| *k < 2 * n.max(25)))
        .find(|k| fits(*k))
        .unwrap_or(n.max(1));
    let mut shown: Vec<usize> = (0..n).step_by(stride).collect();
    let last = n.saturating_sub(1);
    // The last layer is what people look for: it takes the place of a neighbour that stands too near.
    while shown.len() > 1 && shown.last().is_some_and(|s| *s != last && !apart(*s, last)) {
        shown.pop();
    }
    if shown.last().is_some_and(|s| *s != last && apart(*s, last)) {
        shown.push(last);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(low: f64, high: f64, most: usize) -> Vec<String> {
        ticks(Range { low, high }, most, false).labels
    }

    #[test]
    fn ticks_are_round_and_free_of_float_noise() {
        assert_eq!(
            labels(0.0, 1.0, 5),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels(0.27, 0.61, 4), ["0.3", "0.4", "0.5", "0.6"]);
        assert_eq!(labels(-180.0, 180.0, 4), ["−100", "0", "100"]);
        assert_eq!(labels(0.81234, 0.81239, 5).first().unwrap(), "0.81234");
        assert_eq!(labels(0.0, 3e7, 3), ["0", "1e7", "2e7", "3e7"]);
        assert_eq!(labels(1e9, 1.0004e9, 4)[1], "1.0001e9");
        assert_eq!(
            labels(0.0, 2e-6, 4),
            ["0", "5e−7", "1.0e−6", "1.5e−6", "2.0e−6"]
        );
    }

    #[test]
    fn the_ends_of_a_scale_have_the_digits_of_its_span() {
        let of = |low, high| ends(Range { low, high });
        assert_eq!(of(1801.37, 2018.9), ("1801".into(), "2019".into()));
        assert_eq!(of(-0.5, 0.25), ("−0.500".into(), "0.250".into()));
    }

    #[test]
    fn layers_are_whole_numbers() {
        let range = Range {
            low: 0.0,
            high: 3.0,
        };
        assert_eq!(ticks(range, 8, true).labels, ["0", "1", "2", "3"]);
    }

    #[test]
    fn names_that_would_collide_are_thinned_out_to_every_kth_and_the_last() {
        assert_eq!(thin_out(&[30.0; 4], 50.0, 8.0), [0, 1, 2, 3]);
        assert_eq!(thin_out(&[30.0; 7], 20.0, 8.0), [0, 2, 4, 6]);
        assert_eq!(
            thin_out(&[15.0; 40], 12.0, 8.0),
            (0..38).step_by(2).chain([39]).collect::<Vec<_>>()
        );
        assert_eq!(thin_out(&[], 12.0, 8.0), [] as [usize; 0]);
        assert_eq!(thin_out(&[1e6, 1e6], 12.0, 8.0), [0]);
    }

    #[test]
    fn a_constant_stands_in_the_middle() {
        let range = Range::of([0.5, f64::NAN, 0.5]).unwrap();
        assert!((range.part(0.5) - 0.5).abs() < 1e-12);
        assert!(Range::of([0.0]).unwrap().span() > 0.0);
        assert_eq!(Range::of([f64::NAN, f64::INFINITY]), None);
        assert!(Range::given((1.0, 1.0)).is_err());
        assert!(Range::of([-1e308, 1e308]).unwrap().widened(0.05).is_err());
    }

    proptest! {
        #[test]
        fn ticks_are_few_distinct_and_inside(a in any::<f64>(), b in any::<f64>(), most in 2usize..10) {
            if let Some(range) = Range::of([a, b]).and_then(|r| r.widened(0.05).ok()) {
                let ticks = ticks(range, most, false);
                prop_assert!(ticks.values.len() <= most + 2);
                prop_assert!(ticks.values.iter().all(|v| range.holds(*v)));
                prop_assert!(ticks.values.windows(2).all(|w| w[0] < w[1]));
                prop_assert!(ticks.labels.windows(2).all(|w| w[0] != w[1]), "{:?}", ticks.labels);
            }
        }

        #[test]
        fn shown_names_never_touch(widths in proptest::collection::vec(1.0f64..200.0, 0..80), spacing in 1.0f64..60.0) {
            let shown = thin_out(&widths, spacing, 6.0);
            prop_assert_eq!(shown.is_empty(), widths.is_empty());
            for pair in shown.windows(2) {
                let distance = (pair[1] - pair[0]) as f64 * spacing;
                prop_assert!(distance >= (widths[pair[0]] + widths[pair[1]]) / 2.0 + 6.0);
            }
        }
    }
}
