//! Which layer reads best, and which layers cannot be told from it.

use super::params::SweepParams;
use super::result::{Gain, LayerResult};
use crate::analysis::inference::Estimate;
use serde::Serialize;

/// The layers of a run beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// The layer that does best on held-out folds of the training rows (the shallowest of equals), scored once on the test rows.
    pub chosen_layer: ChosenLayer,
    /// Layers that the chosen one is not clearly above, in order of depth: the paired difference of the main metric, with an interval that
    /// holds for all layers at once, reaches 0.
    pub cannot_be_told_apart: Vec<String>,
    /// An interval of the main metric for every layer that holds for all layers at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simultaneous_band: Option<SimultaneousBand>,
}

/// The layer that was chosen without a look at the test rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChosenLayer {
    /// Its hook point.
    pub hook_point: String,
    /// Its place among the layers.
    #[serde(skip)]
    pub place: usize,
    /// The main metric on held-out folds of the training rows.
    pub inner_score: f64,
    /// The name of the main metric.
    pub metric: &'static str,
    /// The main metric on the test rows.
    pub test_score: Estimate,
    /// How far that is above the best control.
    pub gain: Gain,
}

/// Intervals that hold for all layers at once (max-T).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SimultaneousBand {
    /// How often all of them hold.
    pub level: f64,
    /// How many standard errors each reaches to both sides.
    pub critical: f64,
    /// By layer.
    pub layers: Vec<BandOfLayer>,
}

/// The interval of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BandOfLayer {
    /// The hook point.
    pub hook_point: String,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// Compares layers that were probed in the same way. `None` if none of them has a score on inner folds.
pub fn compare(layers: &[LayerResult], params: &SweepParams) -> Option<Comparison> {
    let scored = layers.iter().enumerate();
    let scored = scored.filter_map(|(place, layer)| Some((place, layer.inner_score?)));
    let (place, inner_score) = scored.reduce(|best, next| match next.1 > best.1 {
        true => next,
        false => best,
    })?;
    let chosen = layers.get(place)?;
    let test_score = chosen.metrics.get(chosen.main_metric)?;
    let bootstrap = params.bootstrap();
    let values: Vec<f64> = layers.iter().map(main).collect();
    let draws: Vec<&[f64]> = layers.iter().map(|layer| &layer.draws[..]).collect();
    let band = bootstrap.simultaneous(&values, &draws);
    let differences: Vec<Vec<f64>> = draws
        .iter()
        .map(|draws| {
            chosen
                .draws
                .iter()
                .zip(*draws)
                .map(|(a, b)| a - b)
                .collect()
        })
        .collect();
    let differences: Vec<&[f64]> = differences.iter().map(Vec::as_slice).collect();
    let above: Vec<f64> = values.iter().map(|value| values[place] - value).collect();
    let apart = bootstrap.simultaneous(&above, &differences);
    let told_apart = |i: usize| apart.as_ref().is_some_and(|band| band.intervals[i].0 > 0.0);
    let others = layers.iter().enumerate().filter(|(i, _)| *i != place);
    Some(Comparison {
        chosen_layer: ChosenLayer {
            hook_point: chosen.hook_point.clone(),
            place,
            inner_score,
            metric: chosen.main_metric,
            test_score,
            gain: chosen.gain.clone(),
        },
        cannot_be_told_apart: others
            .filter(|(i, _)| !told_apart(*i))
            .map(|(_, layer)| layer.hook_point.clone())
            .collect(),
        simultaneous_band: band.map(|band| SimultaneousBand {
            level: bootstrap.level,
            critical: band.critical,
            layers: layers
                .iter()
                .zip(band.intervals)
                .map(|(layer, (low, high))| BandOfLayer {
                    hook_point: layer.hook_point.clone(),
                    low,
                    high,
                })
                .collect(),
        }),
    })
}

fn main(layer: &LayerResult) -> f64 {
    let metric = layer.metrics.get(layer.main_metric);
    metric.map_or(f64::NAN, |metric| metric.value)
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Labels, Lambda, Probing};
    use super::*;
    use crate::analysis::matrix::Matrix;
    use crate::text::split::Split;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Three layers: noise, a signal, and the same signal with a little noise.
    #[test]
    fn the_layer_is_chosen_on_training_rows_and_equals_are_named() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let of_row: Vec<usize> = (0..1200).map(|_| rng.random_range(0..2)).collect();
        let mut layer = |signal: f64| {
            Matrix::from_fn(1200, 5, |i, j| {
                let own = if j == 0 {
                    signal * of_row[i] as f64
                } else {
                    0.0
                };
                own + rng.random_range(-1.0..1.0)
            })
        };
        let xs = [layer(0.0), layer(1.6), layer(1.55)];
        let labels = Labels::Classes {
            column: "kind".to_owned(),
            names: vec!["no".to_owned(), "yes".to_owned()],
            of_row,
        };
        let split = Split {
            train: (0..900).collect(),
            test: (900..1200).collect(),
            left_out: vec![],
        };
        let params = SweepParams {
            lambda: Lambda::Fixed(0.01),
            codelength: false,
            ..SweepParams::new(Kind::Logistic)
        };
        let probing = Probing::new(&labels, &split, &params);
        let names = ["noise", "clear", "blurred"];
        let layers: Vec<LayerResult> = names
            .iter()
            .zip(&xs)
            .map(|(name, x)| probing.layer(name, x).unwrap())
            .collect();
        let found = compare(&layers, &params).unwrap();
        assert_ne!(found.chosen_layer.hook_point, "noise");
        let place = found.chosen_layer.place;
        assert_eq!(found.cannot_be_told_apart, [names[3 - place]]);
        let gain = &found.chosen_layer.gain;
        assert!(gain.gain.low.unwrap() > 0.1, "{gain:?}");
        let band = found.simultaneous_band.unwrap();
        let (own, wide) = (
            layers[place].metrics.get("accuracy").unwrap(),
            &band.layers[place],
        );
        assert!(
            band.critical > 1.96 && wide.high - wide.low > own.high.unwrap() - own.low.unwrap()
        );
        let noise = &layers[0].gain.gain;
        assert!(noise.low.unwrap() <= 0.02, "{noise:?}");
    }
}
