//! The penalised logistic loss and its gradient, for many fits in one pass over the rows.

use super::frame::{Basis, Frame};
use super::real::Real;
use super::residuals::{binary, binary_right, softmax, softmax_right};
use super::table::{Stored, Table};
use crate::analysis::matrix::{BLOCK, Matrix, rows_per_task};
use crate::error::Result;
use faer::{Accum, MatMut, MatRef};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Rows in a task, where there are not very many: a sum of this many products in `f32` is off by less than a millionth.
const TASK: usize = 4 * BLOCK;

/// Precision-dependent views of a basis.
pub(super) trait Axes: Real {
    fn of_basis(basis: &Basis) -> Option<MatRef<'_, Self>>;
}

impl Axes for f64 {
    fn of_basis(basis: &Basis) -> Option<MatRef<'_, f64>> {
        basis.wide()
    }
}

impl Axes for f32 {
    fn of_basis(basis: &Basis) -> Option<MatRef<'_, f32>> {
        basis.narrow()
    }
}

/// A label for every row, in the order of the rows of a [`Loss`].
#[derive(Debug, Clone)]
pub(super) struct Targets<T> {
    labels: Vec<u32>,
    /// With two classes: 1 for class 0, -1 for class 1.
    signs: Vec<T>,
}

/// Mean cross-entropy in nats over the rows of a frame, plus `λ/2 · ‖W‖²`, as a function of the weights of one output after another along
/// the axes of the frame, and the intercepts. One output for two classes, else one per class.
pub(super) struct Loss<'a, T: Clone> {
    values: Values<'a, T>,
    features: usize,
    /// The row of the layer that stands at each place; none if they stand as they are.
    order: Option<Vec<usize>>,
    /// Which rows a task takes, all in one fold, and the fold.
    tasks: Vec<(Range<usize>, usize)>,
    outputs: usize,
}

/// Standardised rows, in the order of the tasks.
enum Values<'a, T: Clone> {
    Here(Cow<'a, [T]>),
    There(Stored),
}

impl<T: Real> Values<'_, T> {
    /// A block of rows, `[rows, features]`.
    fn block(&self, rows: &Range<usize>, features: usize) -> Result<Cow<'_, [T]>> {
        match self {
            Values::Here(values) => {
                let block = &values[rows.start * features..rows.end * features];
                Ok(Cow::Borrowed(block))
            }
            Values::There(stored) => Ok(Cow::Owned(stored.read(rows.clone(), T::of)?)),
        }
    }
}

/// A point at which the loss is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a, T> {
    pub(super) point: &'a [f64],
    pub(super) frame: &'a Frame,
    pub(super) targets: &'a Targets<T>,
    pub(super) lambda: f64,
}

/// The loss at a point.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Told {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    /// Rows of the fold that the frame leaves out which come out right.
    pub(super) right: f64,
}

impl<'a> Loss<'a, f64> {
    /// Of rows as they stand, all in one fold.
    pub(super) fn exact(z: &'a Table, classes: usize) -> Self {
        let values = match z {
            Table::Here(z) => Values::Here(Cow::Borrowed(z.as_slice())),
            Table::There(stored) => Values::There(stored.clone()),
        };
        Self::new(values, z, None, vec![z.rows()], classes)
    }
}

impl Loss<'_, f32> {
    /// Of rows in `f32`, fold after fold; without folds, all in one.
    ///
    /// # Errors
    /// Those of putting rows on disk into another order.
    pub(super) fn fast(z: &Table, folds: &[Vec<usize>], classes: usize) -> Result<Self> {
        let (order, sizes) = match folds.is_empty() {
            true => ((0..z.rows()).collect(), vec![z.rows()]),
            false => (folds.concat(), folds.iter().map(Vec::len).collect()),
        };
        let values = match z {
            Table::Here(z) => Values::Here(Cow::Owned(narrowed(z, &order))),
            Table::There(stored) if folds.is_empty() => Values::There(stored.clone()),
            Table::There(stored) => Values::There(stored.arranged(&order)?),
        };
        Ok(Self::new(values, z, Some(order), sizes, classes))
    }
}

/// Rows in `f32`, in this order.
fn narrowed(z: &Matrix, order: &[usize]) -> Vec<f32> {
    let mut values = vec![0f32; order.len() * z.cols()];
    let rows = values.par_chunks_exact_mut(z.cols().max(1)).zip(order);
    rows.for_each(|(out, row)| {
        let pairs = out.iter_mut().zip(z.row(*row));
        pairs.for_each(|(narrow, wide)| *narrow = *wide as f32);
    });
    values
}

impl<'a, T: Axes> Loss<'a, T> {
    fn new(
        values: Values<'a, T>,
        z: &Table,
        order: Option<Vec<usize>>,
        folds: Vec<usize>,
        classes: usize,
    ) -> Self {
        let most = rows_per_task(z.rows()).max(TASK);
        let mut tasks = Vec::new();
        let mut start = 0;
        for (fold, rows) in folds.into_iter().enumerate() {
            let end = start + rows;
            while start < end {
                let stop = end.min(start + most);
                tasks.push((start..stop, fold));
                start = stop;
            }
        }
        Self {
            values,
            features: z.cols(),
            order,
            tasks,
            outputs: if classes == 2 { 1 } else { classes },
        }
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Labels of the layer's rows, as this loss reads them.
    pub(super) fn targets(&self, labels: &[usize]) -> Targets<T> {
        let labels: Vec<u32> = match &self.order {
            Some(order) => order.iter().map(|row| labels[*row] as u32).collect(),
            None => labels.iter().map(|label| *label as u32).collect(),
        };
        let sign = |label: &u32| if *label == 1 { -T::ONE } else { T::ONE };
        let signs = match self.outputs {
            1 => labels.iter().map(sign).collect(),
            _ => Vec::new(),
        };
        Targets { labels, signs }
    }

    /// The share of each class among the rows of a frame.
    pub(super) fn shares(&self, targets: &Targets<T>, frame: &Frame) -> Vec<f64> {
        let mut counts = vec![0.0; self.outputs.max(2)];
        for (rows, fold) in &self.tasks {
            if frame.held_out != Some(*fold) {
                let labels = &targets.labels[rows.clone()];
                labels
                    .iter()
                    .for_each(|label| counts[*label as usize] += 1.0);
            }
        }
        counts
            .iter()
            .map(|count| count / frame.rows as f64)
            .collect()
    }

    /// The loss at each of these points; those of one frame stand together.
    ///
    /// # Errors
    /// Those of reading rows from disk.
    pub(super) fn evaluate(&self, asked: &[Ask<'_, T>]) -> Result<Vec<Told>> {
        let groups: Vec<&[Ask<'_, T>]> = asked
            .chunk_by(|a, b| std::ptr::eq(a.frame, b.frame))
            .collect();
        let shared: Vec<Shared<T>> = groups.par_iter().map(|g| self.shared(g)).collect();
        let weights: Vec<T> = shared
            .iter()
            .flat_map(|s| s.weights.iter().copied())
            .collect();
        let intercepts: Vec<T> = shared
            .iter()
            .flat_map(|s| s.intercepts.iter().copied())
            .collect();
        let parts: Vec<Sums<T>> = self
            .tasks
            .par_iter()
            .map(|(rows, fold)| self.sum_rows(rows.clone(), *fold, &weights, &intercepts, asked))
            .collect::<Result<_>>()?;
        let mut before = 0;
        let firsts = groups.iter().map(|group| {
            let first = before;
            before += group.len();
            first
        });
        let firsts: Vec<usize> = firsts.collect();
        let told: Vec<Vec<Told>> = groups
            .par_iter()
            .zip(&firsts)
            .map(|(group, first)| self.told(group, *first, &parts))
            .collect();
        Ok(told.into_iter().flatten().collect())
    }

    /// The weights of the fits of one frame on the shared features, and the intercepts that go with them.
    fn shared(&self, group: &[Ask<'_, T>]) -> Shared<T> {
        let (d, outputs) = (self.features, self.outputs);
        let Some(Ask { frame, .. }) = group.first() else {
            return Shared::default();
        };
        let (axes, columns) = (frame.axes(), outputs * group.len());
        let along: Vec<T> = group
            .iter()
            .flat_map(|ask| &ask.point[..axes * outputs])
            .map(|v| T::of(*v))
            .collect();
        let mut weights = match T::of_basis(&frame.basis) {
            None => along,
            Some(basis) => {
                let mut weights = vec![T::ZERO; d * columns];
                let out = MatMut::from_column_major_slice_mut(&mut weights, d, columns);
                let along = MatRef::from_column_major_slice(&along, axes, columns);
                T::product(out, Accum::Replace, basis, along);
                weights
            }
        };
        let mut intercepts = Vec::with_capacity(columns);
        for (column, weights) in weights.chunks_exact_mut(d.max(1)).enumerate() {
            let point = group[column / outputs].point;
            let mut intercept = point[axes * outputs + column % outputs];
            for ((w, mean), scale) in weights.iter_mut().zip(&frame.mean).zip(&frame.scale) {
                let shared = w.wide() / scale;
                intercept -= shared * mean;
                *w = T::of(shared);
            }
            intercepts.push(T::of(intercept));
        }
        Shared {
            weights,
            intercepts,
        }
    }

    /// Sums over the rows of one task. Blocks of rows stay in the cache for both products.
    fn sum_rows(
        &self,
        rows: Range<usize>,
        fold: usize,
        weights: &[T],
        intercepts: &[T],
        asked: &[Ask<'_, T>],
    ) -> Result<Sums<T>> {
        let (d, outputs, columns) = (self.features, self.outputs, intercepts.len());
        let w = MatRef::from_column_major_slice(weights, d, columns);
        let mut sums = Sums::new(d, columns, asked.len());
        let mut scores = vec![T::ZERO; BLOCK.min(rows.len()) * columns];
        let counts: Vec<bool> = asked
            .iter()
            .map(|a| a.frame.held_out != Some(fold))
            .collect();
        let runs = runs(&counts);
        for start in rows.clone().step_by(BLOCK) {
            let block = start..rows.end.min(start + BLOCK);
            let n = block.len();
            let values = self.values.block(&block, d)?;
            let z = MatRef::from_row_major_slice(&values, n, d);
            let scores = &mut scores[..n * columns];
            let out = MatMut::from_column_major_slice_mut(&mut *scores, n, columns);
            T::product(out, Accum::Replace, z, w);
            for (fit, ask) in asked.iter().enumerate() {
                let own = fit * outputs..(fit + 1) * outputs;
                let scores = &mut scores[own.start * n..own.end * n];
                let (targets, b) = (ask.targets, &intercepts[own.clone()]);
                match counts[fit] {
                    true => {
                        let sums_of_fit = &mut sums.intercepts[own];
                        sums.losses[fit] += targets.lose(&block, scores, b, sums_of_fit);
                    }
                    false => sums.right[fit] += targets.right(&block, scores, b),
                }
            }
            for run in &runs {
                let columns = run.start * outputs..run.end * outputs;
                let residuals = &scores[columns.start * n..columns.end * n];
                let residuals = MatRef::from_column_major_slice(residuals, n, columns.len());
                let gradient = &mut sums.weights[columns.start * d..columns.end * d];
                let gradient = MatMut::from_column_major_slice_mut(gradient, d, columns.len());
                T::product(gradient, Accum::Add, z.transpose(), residuals);
            }
        }
        Ok(sums)
    }

    /// What the sums over all tasks, in the order of the rows, say of the fits of one frame, of which the first one is number `first`.
    fn told(&self, group: &[Ask<'_, T>], first: usize, parts: &[Sums<T>]) -> Vec<Told> {
        let (d, outputs) = (self.features, self.outputs);
        let Some(Ask { frame, .. }) = group.first() else {
            return Vec::new();
        };
        let (n, axes) = (frame.rows as f64, frame.axes());
        let columns = first * outputs..(first + group.len()) * outputs;
        let total = |of: &dyn Fn(&Sums<T>) -> f64| parts.iter().map(of).sum::<f64>() / n;
        let mut features = vec![T::ZERO; d * columns.len()];
        let mut intercepts = Vec::with_capacity(columns.len());
        let mut sum = vec![0.0; d];
        for (out, column) in features.chunks_exact_mut(d.max(1)).zip(columns) {
            sum.fill(0.0);
            for part in parts {
                let part = &part.weights[column * d..(column + 1) * d];
                sum.iter_mut().zip(part).for_each(|(s, p)| *s += p.wide());
            }
            let residual = total(&|part| part.intercepts[column]);
            let frame = frame.mean.iter().zip(&frame.scale);
            for ((out, sum), (mean, scale)) in out.iter_mut().zip(&sum).zip(frame) {
                *out = T::of((sum / n - mean * residual) / scale);
            }
            intercepts.push(residual);
        }
        let along = match T::of_basis(&frame.basis) {
            None => features,
            Some(basis) => {
                let columns = intercepts.len();
                let mut along = vec![T::ZERO; axes * columns];
                let out = MatMut::from_column_major_slice_mut(&mut along, axes, columns);
                let features = MatRef::from_column_major_slice(&features, d, columns);
                T::product(out, Accum::Replace, basis.transpose(), features);
                along
            }
        };
        let of_fit = group.iter().enumerate().map(|(fit, ask)| {
            let weights = &ask.point[..axes * outputs];
            let slopes = along[fit * axes * outputs..].iter().zip(weights);
            let mut gradient: Vec<f64> = slopes.map(|(g, w)| g.wide() + ask.lambda * w).collect();
            gradient.extend(&intercepts[fit * outputs..(fit + 1) * outputs]);
            let square: f64 = weights.iter().map(|w| w * w).sum();
            let loss = total(&|part| part.losses[first + fit]);
            Told {
                value: loss + 0.5 * ask.lambda * square,
                gradient,
                right: parts.iter().map(|part| part.right[first + fit]).sum(),
            }
        });
        of_fit.collect()
    }
}

impl<T: Real> Targets<T> {
    /// Replaces the scores of a block of rows by residuals, and gives the sum of their losses.
    fn lose(&self, rows: &Range<usize>, scores: &mut [T], b: &[T], sums: &mut [f64]) -> f64 {
        match (b, sums) {
            ([b], [sum]) => {
                let (loss, residual) = binary(scores, &self.signs[rows.clone()], *b);
                *sum += residual;
                loss
            }
            (b, sums) => softmax(scores, &self.labels[rows.clone()], b, sums),
        }
    }

    /// How many of these rows come out right.
    fn right(&self, rows: &Range<usize>, scores: &[T], b: &[T]) -> f64 {
        match b {
            [b] => binary_right(scores, &self.signs[rows.clone()], *b),
            b => softmax_right(scores, &self.labels[rows.clone()], b),
        }
    }
}

/// Weights on the shared features, one column after another, and intercepts.
#[derive(Default)]
struct Shared<T> {
    weights: Vec<T>,
    intercepts: Vec<T>,
}

/// Sums over the rows of a task: gradients of weights and intercepts by column, losses and right rows by fit.
struct Sums<T> {
    weights: Vec<T>,
    intercepts: Vec<f64>,
    losses: Vec<f64>,
    right: Vec<f64>,
}

impl<T: Real> Sums<T> {
    fn new(features: usize, columns: usize, fits: usize) -> Self {
        Self {
            weights: vec![T::ZERO; features * columns],
            intercepts: vec![0.0; columns],
            losses: vec![0.0; fits],
            right: vec![0.0; fits],
        }
    }
}

/// The stretches of fits for which the rows count.
fn runs(counts: &[bool]) -> Vec<Range<usize>> {
    let mut at = 0;
    let stretches = counts.chunk_by(|a, b| a == b).filter_map(|stretch| {
        let start = at;
        at += stretch.len();
        stretch.first().copied()?.then_some(start..at)
    });
    stretches.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn noise(n: usize, d: usize, rng: &mut ChaCha8Rng) -> Matrix {
        Matrix::from_fn(n, d, |_, _| rng.random_range(-2.0..2.0))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_gradient_is_that_of_central_differences(
            n in 8usize..600, d in 1usize..12, classes in 2usize..5, lambda in 0.0f64..2.0, seed in 0u64..1000
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let z = noise(n, d, &mut rng);
            let table = Table::from(z.clone());
            let labels: Vec<usize> = (0..n).map(|_| rng.random_range(0..classes)).collect();
            let frame = Frame::whole(&table).unwrap();
            let loss = Loss::exact(&table, classes);
            let targets = loss.targets(&labels);
            let unknowns = (frame.axes() + 1) * loss.outputs();
            let point: Vec<f64> = (0..unknowns).map(|_| rng.random_range(-1.0..1.0)).collect();
            let at = |point: &[f64]| {
                let ask = Ask { point, frame: &frame, targets: &targets, lambda };
                loss.evaluate(&[ask, ask]).unwrap().pop().unwrap()
            };
            for (k, exact) in at(&point).gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut p = point.clone();
                    p[k] += by;
                    at(&p).value
                };
                let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                prop_assert!((numeric - exact).abs() < 1e-7 * (1.0 + exact.abs()), "{numeric} {exact}");
            }
        }

        /// A fit to the rows outside a fold is a fit to those rows alone, standardised over them.
        #[test]
        fn folds_are_left_out_and_counted(n in 12usize..700, d in 1usize..20, classes in 2usize..4, seed in 0u64..1000) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let z = noise(n, d, &mut rng);
            let table = Table::from(z.clone());
            let labels: Vec<usize> = (0..n).map(|_| rng.random_range(0..classes)).collect();
            let folds: Vec<Vec<usize>> = (0..3).map(|f| (0..n).filter(|i| (i / 2) % 3 == f).collect()).collect();
            let whole = Frame::whole(&table).unwrap();
            let frames = whole.outside(&table, &folds).unwrap();
            let loss = Loss::fast(&table, &folds, classes).unwrap();
            let targets = loss.targets(&labels);
            let points: Vec<Vec<f64>> = frames.iter().map(|frame| {
                (0..(frame.axes() + 1) * loss.outputs()).map(|_| rng.random_range(-1.0..1.0)).collect()
            }).collect();
            let asked: Vec<Ask<'_, f32>> = frames.iter().zip(&points).map(|(frame, point)| {
                Ask { point, frame, targets: &targets, lambda: 0.1 }
            }).collect();
            for (fold, told) in loss.evaluate(&asked).unwrap().into_iter().enumerate() {
                let kept = super::super::frame::complement(n, &folds[fold]);
                let rows = z.select(&kept);
                let own = super::super::standardize::Standardizer::fit(&rows);
                let rows_table = Table::from(own.apply_to(rows).unwrap());
                let alone = Loss::exact(&rows_table, classes);
                let kept: Vec<usize> = kept.iter().map(|row| labels[*row]).collect();
                let frame = Frame { basis: frames[fold].basis.clone(), ..Frame::whole(&rows_table).unwrap() };
                let ask = Ask { point: &points[fold], frame: &frame, targets: &alone.targets(&kept), lambda: 0.1 };
                let expected = alone.evaluate(&[ask]).unwrap().pop().unwrap();
                prop_assert!((told.value - expected.value).abs() < 2e-5 * expected.value, "{} {}", told.value, expected.value);
                for (a, b) in told.gradient.iter().zip(&expected.gradient) {
                    prop_assert!((a - b).abs() < 1e-5 * (1.0 + b.abs()), "{a} {b}");
                }
                let held = own.apply(&z.select(&folds[fold])).unwrap();
                let axes = frame.axes();
                let along = Matrix::from_fn(axes, loss.outputs(), |j, k| points[fold][k * axes + j]);
                let intercepts = &points[fold][axes * loss.outputs()..];
                let scores = super::super::scores::decide(&held, &frame.weights(&along).unwrap(), intercepts).unwrap();
                let said = super::super::scores::classes(&scores);
                let right = said.iter().zip(&folds[fold]).filter(|(c, row)| **c == labels[**row]).count() as f64;
                prop_assert!((told.right - right).abs() <= 1.0, "{} {right}", told.right);
            }
        }
    }

    #[test]
    fn a_probe_that_knows_nothing_loses_the_log_of_the_number_of_classes() {
        let table = Table::from(Matrix::from_fn(10, 2, |i, j| (i * 3 + j) as f64));
        let labels: Vec<usize> = (0..10).map(|i| i % 5).collect();
        let (loss, frame) = (Loss::exact(&table, 5), Frame::whole(&table).unwrap());
        let targets = loss.targets(&labels);
        let point = vec![0.0; (frame.axes() + 1) * 5];
        let ask = Ask {
            point: &point,
            frame: &frame,
            targets: &targets,
            lambda: 0.1,
        };
        assert!((loss.evaluate(&[ask]).unwrap()[0].value - 5f64.ln()).abs() < 1e-14);
    }
}
