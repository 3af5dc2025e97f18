//! Online codelength: what the labels cost to send, given the activations (Voita & Titov 2020).

use super::data::ClassTask;
use super::logistic::{Problem, Solution};
use super::result::Codelength;
use super::scores::{decide, probabilities};
use super::shuffle::shuffled_rows;
use super::standardize::Standardizer;
use super::sweep::Layer;
use super::table::Table;
use crate::analysis::matrix::Matrix;
use crate::error::Result;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// The shares of the rows after which the probe is trained anew, in percent, as in the paper.
const PORTIONS: [f64; 10] = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25.0, 50.0];
/// A probe of fewer rows than this says nothing.
const FEWEST: usize = 8;
/// The stream of the seed that orders the rows.
const STREAM: u64 = 1 << 40;

/// The codelength of the training rows' labels and of a shuffle of them, with a probe of this penalty. `None` for too few rows.
pub(super) fn codelength(
    layer: &Layer<'_>,
    task: &ClassTask,
    lambda: f64,
) -> Result<Option<Codelength>> {
    // It trains on half of the rows, which are too many where they lie on disk.
    let Table::Here(train) = &layer.train else {
        return Ok(None);
    };
    let (n, classes) = (train.rows(), task.names.len());
    let mut order: Vec<usize> = (0..n).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(layer.params.seed);
    rng.set_stream(STREAM);
    order.shuffle(&mut rng);
    let share = |percent: &f64| (percent / 100.0 * n as f64).round() as usize;
    let mut portions: Vec<usize> = PORTIONS.iter().map(share).collect();
    portions.retain(|rows| *rows >= FEWEST);
    portions.dedup();
    let Some(first) = portions.first().copied() else {
        return Ok(None);
    };
    let same = |a: usize, b: usize| task.train[a] == task.train[b];
    let groups = layer.train_groups.as_deref();
    // A shuffle of its own, that is none of those which are scored.
    let from = shuffled_rows(n, groups, same, layer.params.seed, layer.params.shuffles);
    let shuffled: Vec<usize> = from.into_iter().map(|row| task.train[row]).collect();
    let ends = portions.iter().skip(1).copied().chain([n]);
    let steps: Vec<(usize, usize)> = portions.iter().copied().zip(ends).collect();
    let labels = [&task.train[..], &shuffled[..]];
    let bits: Vec<[f64; 2]> = steps
        .par_iter()
        .map(|(known, end)| {
            let (known, next) = (&order[..*known], &order[*known..*end]);
            portion(layer, train, classes, known, next, labels, lambda)
        })
        .collect::<Result<_>>()?;
    let uniform = |rows: usize| rows as f64 * (classes as f64).log2();
    let total = |which: usize| uniform(first) + bits.iter().map(|bits| bits[which]).sum::<f64>();
    Ok(Some(Codelength {
        bits: total(0),
        control_bits: total(1),
        uniform_bits: uniform(n),
        compression: uniform(n) / total(0),
        control_compression: uniform(n) / total(1),
        portions,
    }))
}

/// What the labels of the `next` rows cost with a probe of the `known` ones, in bits, for each label vector.
fn portion(
    layer: &Layer<'_>,
    train: &Matrix,
    classes: usize,
    known: &[usize],
    next: &[usize],
    labels: [&[usize]; 2],
    lambda: f64,
) -> Result<[f64; 2]> {
    let rows = train.select(known);
    let standardizer = Standardizer::fit(&rows);
    let z = standardizer.apply_to(rows)?;
    let test = standardizer.apply_to(train.select(next))?;
    let own = labels.map(|labels| known.iter().map(|row| labels[*row]).collect::<Vec<_>>());
    let z = z.into();
    let problem = Problem::new(&z, classes)?;
    let fits = problem.solve(
        &[(&own[0], lambda), (&own[1], lambda)],
        layer.params.solver(lambda),
    )?;
    let mut bits = [0.0; 2];
    for ((bits, fit), labels) in bits.iter_mut().zip(&fits).zip(labels) {
        *bits = cost(&test, fit, next.iter().map(|row| labels[*row]))?;
    }
    Ok(bits)
}

fn cost(z: &Matrix, fit: &Solution, labels: impl Iterator<Item = usize>) -> Result<f64> {
    let proba = probabilities(&decide(z, &fit.weights, &fit.intercepts)?);
    let bits = labels
        .enumerate()
        .map(|(row, label)| -proba.at(row, label).max(f64::MIN_POSITIVE).log2());
    Ok(bits.sum())
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Labels, Lambda, Probing, SweepParams};
    use super::*;
    use crate::text::split::Split;
    use rand::Rng;

    fn code(signal: f64) -> Codelength {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let of_row: Vec<usize> = (0..1000).map(|_| rng.random_range(0..2)).collect();
        let x = Matrix::from_fn(1000, 6, |i, j| {
            let own = if j == 2 {
                signal * of_row[i] as f64
            } else {
                0.0
            };
            own + rng.random_range(-1.0..1.0)
        });
        let labels = Labels::Classes {
            column: "kind".to_owned(),
            names: vec!["no".to_owned(), "yes".to_owned()],
            of_row,
        };
        let split = Split {
            train: (0..800).collect(),
            test: (800..1000).collect(),
            left_out: vec![],
        };
        let params = SweepParams {
            lambda: Lambda::Fixed(0.01),
            bootstrap: 0,
            ..SweepParams::new(Kind::Logistic)
        };
        let probing = Probing::new(&labels, &split, &params);
        probing.layer("p", &x).unwrap().codelength.unwrap()
    }

    #[test]
    fn labels_that_can_be_read_are_short_and_others_are_not() {
        let (read, noise) = (code(3.0), code(0.0));
        assert_eq!(read.uniform_bits, 800.0);
        assert_eq!(read.portions, [13, 26, 50, 100, 200, 400]);
        assert!(read.compression > 3.0, "{read:?}");
        for bits in [read.control_bits, noise.bits, noise.control_bits] {
            assert!(bits > 750.0 && bits < 1000.0, "{read:?} {noise:?}");
        }
    }
}
