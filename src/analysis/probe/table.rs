//! The rows that a probe is fitted to: in memory, or on disk and read part by part.
//!
//! Sums over rows merge, so that kinds with a closed form are as exact on disk; a logistic probe reads the rows once for each pass of its solver.
//! What a row is does not depend on where it lies: on disk stand the activations themselves, standardised when they are read.

use super::scores::decide;
use super::standardize::{Deviations, Standardizer};
use crate::analysis::matrix::Matrix;
use crate::error::{Error, Result};
use crate::store::Scratch;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a part: what memory holds of rows on disk.
const PART: usize = 4096;

/// Activations of one layer, one row a text, token, word or span.
#[derive(Debug, Clone, Copy)]
pub enum LayerRows<'a> {
    /// In memory.
    Here(&'a Matrix),
    /// On disk.
    There(&'a Scratch),
}

impl LayerRows<'_> {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            LayerRows::Here(x) => x.rows(),
            LayerRows::There(x) => x.rows(),
        }
    }
}

/// Some rows of a layer, standardised.
#[derive(Debug, Clone)]
pub(super) enum Table {
    Here(Matrix),
    There(Stored),
}

/// Rows on disk, standardised when they are read.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    rows: Arc<Scratch>,
    standardizer: Standardizer,
}

impl From<Matrix> for Table {
    fn from(z: Matrix) -> Self {
        Table::Here(z)
    }
}

impl Stored {
    pub(super) fn new(rows: Scratch, standardizer: Standardizer) -> Self {
        Self {
            rows: Arc::new(rows),
            standardizer,
        }
    }

    /// The same rows in another order, in a file of their own.
    pub(super) fn arranged(&self, order: &[usize]) -> Result<Self> {
        Ok(Self::new(
            self.rows.arranged(order)?,
            self.standardizer.clone(),
        ))
    }

    /// A few rows, standardised, in the precision that is asked for.
    pub(super) fn read<T>(&self, rows: Range<usize>, narrow: impl Fn(f64) -> T) -> Result<Vec<T>> {
        let cols = self.rows.cols();
        let mut raw = vec![0f32; rows.len() * cols];
        self.rows.read(rows.start, &mut raw)?;
        let (mean, scale) = (self.standardizer.mean(), self.standardizer.scale());
        let mut out = Vec::with_capacity(raw.len());
        for row in raw.chunks_exact(cols.max(1)) {
            let features = row.iter().zip(mean).zip(scale);
            out.extend(features.map(|((v, mean), scale)| narrow((f64::from(*v) - mean) / scale)));
        }
        Ok(out)
    }
}

impl Table {
    pub(super) fn rows(&self) -> usize {
        match self {
            Table::Here(z) => z.rows(),
            Table::There(z) => z.rows.rows(),
        }
    }

    pub(super) fn cols(&self) -> usize {
        match self {
            Table::Here(z) => z.cols(),
            Table::There(z) => z.rows.cols(),
        }
    }

    /// All rows at once, for what cannot do with less.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for rows on disk.
    pub(super) fn matrix(&self, what: &str) -> Result<&Matrix> {
        match self {
            Table::Here(z) => Ok(z),
            Table::There(z) => Err(Error::BadParameter {
                name: "memory",
                value: format!("{} rows of {} features", z.rows.rows(), z.rows.cols()),
                problem: format!(
                    "{what} needs all rows in memory, and they take more than was allowed; give a larger --memory, fewer rows (--where, a pooled run), or a logistic, ridge, lda or mass-mean probe"
                ),
            }),
        }
    }

    /// Calls `take` with part after part and the place of its first row.
    pub(super) fn each_part(
        &self,
        mut take: impl FnMut(usize, &Matrix) -> Result<()>,
    ) -> Result<()> {
        let stored = match self {
            Table::Here(z) => return take(0, z),
            Table::There(stored) => stored,
        };
        for first in (0..self.rows()).step_by(PART) {
            let rows = first..self.rows().min(first + PART);
            let part = Matrix::new(rows.len(), self.cols(), stored.read(rows, |v| v)?)?;
            take(first, &part)?;
        }
        Ok(())
    }

    /// `ZᵀZ`.
    pub(super) fn gram(&self) -> Result<Matrix> {
        self.sum(|_, part| Ok(part.gram()))
    }

    /// `Zᵀ Y`.
    pub(super) fn transposed_times(&self, y: &Matrix) -> Result<Matrix> {
        self.sum(|first, part| match part.rows() == y.rows() {
            true => part.transposed_times(y),
            false => {
                let rows: Vec<usize> = (first..first + part.rows()).collect();
                part.transposed_times(&y.select(&rows))
            }
        })
    }

    fn sum(&self, mut of: impl FnMut(usize, &Matrix) -> Result<Matrix>) -> Result<Matrix> {
        let mut sum: Option<Matrix> = None;
        self.each_part(|first, part| {
            let own = of(first, part)?;
            match &mut sum {
                Some(sum) => sum.add(&own),
                None => sum = Some(own),
            }
            Ok(())
        })?;
        Ok(sum.unwrap_or_else(|| Matrix::zeros(self.cols(), self.cols())))
    }

    /// Linear scores, `[rows, outputs]`.
    pub(super) fn decide(&self, weights: &Matrix, intercepts: &[f64]) -> Result<Matrix> {
        let mut scores = Vec::with_capacity(self.rows() * weights.cols());
        self.each_part(|_, part| {
            scores.extend_from_slice(decide(part, weights, intercepts)?.as_slice());
            Ok(())
        })?;
        Matrix::new(self.rows(), weights.cols(), scores)
    }
}

/// Training rows and test rows, standardised with the statistics of the training rows.
pub(super) fn standardized(
    x: LayerRows<'_>,
    train: &[usize],
    test: &[usize],
) -> Result<(Table, Table, Standardizer)> {
    match x {
        LayerRows::Here(x) => {
            let train = x.select(train);
            let standardizer = Standardizer::fit(&train);
            let train = standardizer.apply_to(train)?;
            let test = standardizer.apply_to(x.select(test))?;
            Ok((train.into(), test.into(), standardizer))
        }
        // Fewer rows than features are not many, and are fitted through the products of the rows.
        LayerRows::There(x) if train.len() < x.cols() => {
            let all = loaded(x, train.len() + test.len(), |rows| {
                rows.extend_from_slice(train);
                rows.extend_from_slice(test);
            })?;
            let n = train.len();
            let (train, test): (Vec<usize>, Vec<usize>) =
                ((0..n).collect(), (n..n + test.len()).collect());
            standardized(LayerRows::Here(&all), &train, &test)
        }
        LayerRows::There(x) => {
            let (train, test) = (x.arranged(train)?, x.arranged(test)?);
            let standardizer = statistics(&train)?;
            let stored = |rows| Table::There(Stored::new(rows, standardizer.clone()));
            Ok((stored(train), stored(test), standardizer))
        }
    }
}

fn loaded(x: &Scratch, count: usize, fill: impl FnOnce(&mut Vec<usize>)) -> Result<Matrix> {
    let mut rows = Vec::with_capacity(count);
    fill(&mut rows);
    let mut values = vec![0f32; count * x.cols()];
    x.arranged(&rows)?.read(0, &mut values)?;
    Matrix::from_f32(count, x.cols(), &values)
}

/// As [`Standardizer::fit`], in two passes over rows on disk, with the same sums in the same order.
fn statistics(x: &Scratch) -> Result<Standardizer> {
    let (rows, cols) = (x.rows(), x.cols());
    let pass = |take: &mut dyn FnMut(&[f64])| -> Result<()> {
        let mut raw = vec![0f32; PART.min(rows) * cols];
        let mut wide = vec![0f64; cols];
        for first in (0..rows).step_by(PART) {
            let raw = &mut raw[..(rows - first).min(PART) * cols];
            x.read(first, raw)?;
            for row in raw.chunks_exact(cols.max(1)) {
                wide.iter_mut()
                    .zip(row)
                    .for_each(|(w, v)| *w = f64::from(*v));
                take(&wide);
            }
        }
        Ok(())
    };
    let mut sums = vec![0.0; cols];
    pass(&mut |row| sums.iter_mut().zip(row).for_each(|(s, v)| *s += v))?;
    sums.iter_mut().for_each(|s| *s /= rows as f64);
    let mut deviations = Deviations::new(sums);
    pass(&mut |row| deviations.add(row))?;
    Ok(deviations.standardizer(rows))
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, Labels, Lambda, LayerResult, Probing, SweepParams};
    use super::*;
    use crate::store::ScratchWriter;
    use crate::text::split::Split;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// More rows than a part, in groups, far from their origin.
    fn rows(n: usize, d: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut values: Vec<f32> = (0..n * d).map(|_| rng.random_range(-1.0..1.0)).collect();
        for row in 0..n {
            values[row * d] += 40.0;
            values[row * d + 1] += ((row / 5) % 3) as f32;
        }
        values
    }

    fn labels(kind: Kind, n: usize, d: usize, values: &[f32]) -> Labels {
        match kind.is_numeric() {
            false => Labels::Classes {
                column: "kind".to_owned(),
                names: ["a", "b", "c"].map(str::to_owned).to_vec(),
                of_row: (0..n).map(|row| (row / 5) % 3).collect(),
            },
            true => Labels::Numbers {
                names: vec!["size".to_owned(), "age".to_owned()],
                values: vec![
                    (0..n)
                        .map(|row| f64::from(values[row * d + 1] * 2.0 - values[row * d + 2]))
                        .collect(),
                    (0..n).map(|row| f64::from(values[row * d])).collect(),
                ],
            },
        }
    }

    fn near(a: &Matrix, b: &Matrix, most: f64) -> bool {
        let pairs = a.as_slice().iter().zip(b.as_slice());
        pairs.into_iter().all(|(a, b)| (a - b).abs() <= most)
    }

    fn both(kind: Kind, n: usize, d: usize) -> [LayerResult; 2] {
        let values = rows(n, d);
        let labels = labels(kind, n, d, &values);
        let groups: Vec<usize> = (0..n).map(|row| row / 5).collect();
        let split = Split {
            train: (0..n).filter(|row| (row / 5) % 4 != 0).collect(),
            test: (0..n).filter(|row| (row / 5) % 4 == 0).collect(),
            left_out: vec![],
        };
        let params = SweepParams {
            lambda: Lambda::Choose {
                grid: vec![1e-3, 0.1, 10.0],
                folds: 3,
            },
            shuffles: 2,
            bootstrap: 0,
            codelength: false,
            ..SweepParams::new(kind)
        };
        let probing = Probing {
            groups: Some(&groups),
            ..Probing::new(&labels, &split, &params)
        };
        let here = Matrix::from_f32(n, d, &values).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ScratchWriter::new(folder.path(), d).unwrap();
        writer.append(&values).unwrap();
        let there = writer.finish().unwrap();
        [LayerRows::Here(&here), LayerRows::There(&there)]
            .map(|x| probing.layer_of("p", x).unwrap())
    }

    /// The rows of a layer give the same probe from memory and from disk.
    #[test]
    fn where_rows_lie_makes_no_difference() {
        for kind in [
            Kind::Logistic,
            Kind::Ridge,
            Kind::Lda,
            Kind::MassMean,
            Kind::MassMeanWhitened,
        ] {
            let [here, there] = both(kind, 2 * PART + 1000, 12);
            let name = kind.name();
            assert_eq!(here.lambda, there.lambda, "{name}");
            let score = |r: &LayerResult| r.metrics.get(kind.main_metric()).unwrap().value;
            assert!((score(&here) - score(&there)).abs() < 1e-9, "{name}");
            assert!(
                (here.inner_score.unwrap_or(0.0) - there.inner_score.unwrap_or(0.0)).abs() < 1e-9,
                "{name}"
            );
            assert!(
                (here.train_score - there.train_score).abs() < 1e-9,
                "{name}"
            );
            assert!(
                (here.controls.shuffled.unwrap() - there.controls.shuffled.unwrap()).abs() < 1e-3,
                "{name}"
            );
            let (a, b) = (here.readout.unwrap(), there.readout.unwrap());
            // A solver ends where its gradient is small enough; sums are exact but for rounding.
            let most = if kind == Kind::Logistic { 1e-4 } else { 1e-9 };
            assert!(near(a.weights(), b.weights(), most), "{name}");
            assert_eq!(a.standardizer(), b.standardizer(), "{name}");
        }
    }

    #[test]
    fn fewer_rows_than_features_are_read_into_memory() {
        let [here, there] = both(Kind::Ridge, 60, 80);
        assert_eq!(
            here.readout.unwrap().weights(),
            there.readout.unwrap().weights()
        );
    }

    #[test]
    fn a_kind_that_needs_all_rows_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = ScratchWriter::new(folder.path(), 3).unwrap();
        writer.append(&rows(60, 3)).unwrap();
        let there = writer.finish().unwrap();
        let labels = Labels::Classes {
            column: "kind".to_owned(),
            names: vec!["a".to_owned(), "b".to_owned()],
            of_row: (0..60).map(|row| row % 2).collect(),
        };
        let split = Split {
            train: (0..40).collect(),
            test: (40..60).collect(),
            left_out: vec![],
        };
        let params = SweepParams::new(Kind::KSparse);
        let probing = Probing::new(&labels, &split, &params);
        let error = probing.layer_of("p", LayerRows::There(&there)).unwrap_err();
        assert!(
            error.to_string().contains("needs all rows in memory"),
            "{error}"
        );
    }
}
