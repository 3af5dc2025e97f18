//! What pooled originals are like at one hook point, and edits measured against it.

use super::measure::{MEASURES, Measure};
use super::spread::Spread;
use super::vector::{cosine_distance, degrees, dot, euclidean_distance, unit};
use crate::analysis::neighbors::{Correction, Rows};
use crate::error::Result;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Random pairs of originals that say what a distance between unrelated texts is.
const PAIRS: usize = 1000;

/// All measures of one edit at one point.
pub(super) type Numbers = [f32; MEASURES];

/// Sizes that measures depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Neighbours that are compared.
    pub(super) neighbors: usize,
    /// Principal components that movement is held against.
    pub(super) components: usize,
}

/// Some originals at one hook point.
pub(super) struct Reference {
    pub(super) rows: Rows,
    /// The same, of length one.
    unit: Vec<f32>,
    pub(super) spread: Option<Spread>,
    sizes: Sizes,
    /// Of each measure, its mean size between two unrelated originals.
    pub(super) unrelated: [f64; MEASURES],
}

/// Vectors of originals and of their edits, to be compared.
pub(super) struct Compared<'a> {
    pub(super) originals: &'a Rows,
    pub(super) edits: &'a Rows,
    /// Of each edit, its original.
    pub(super) of: &'a [usize],
    /// Of each original, its place in the reference.
    pub(super) own: &'a [Option<usize>],
    /// Of each edit, the direction that a probe reads, in the model's own space.
    pub(super) directions: Vec<Option<&'a [f32]>>,
}

impl Reference {
    pub(super) fn new(rows: Rows, sizes: Sizes, seed: u64) -> Result<Self> {
        let unit = unit(&rows);
        let mut reference = Self {
            spread: Spread::of(&rows),
            unrelated: [f64::NAN; MEASURES],
            sizes,
            unit,
            rows,
        };
        reference.unrelated = reference.between_unrelated(seed)?;
        Ok(reference)
    }

    fn between_unrelated(&self, seed: u64) -> Result<[f64; MEASURES]> {
        let n = self.rows.rows();
        if n < 2 {
            return Ok([f64::NAN; MEASURES]);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let pairs: Vec<(usize, usize)> = (0..PAIRS)
            .map(|_| {
                let a = rng.random_range(0..n);
                let b = rng.random_range(0..n - 1);
                (a, b + usize::from(b >= a))
            })
            .collect();
        let (first, second): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
        let own: Vec<Option<usize>> = (0..n).map(Some).collect();
        let numbers = self.compare(&Compared {
            originals: &self.rows,
            edits: &self.rows.select(&second),
            of: &first,
            own: &own,
            directions: vec![None; PAIRS],
        })?;
        let mut mean = [0.0; MEASURES];
        for (measure, mean) in mean.iter_mut().enumerate() {
            let sizes = numbers.iter().map(|n| f64::from(n[measure].abs()));
            let sizes: Vec<f64> = sizes.filter(|v| v.is_finite()).collect();
            *mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
        }
        // Unchanged tokens have no counterpart in an unrelated text: the pooled distances stand in.
        mean[Measure::UnchangedCosineDistance.index()] = mean[Measure::CosineDistance.index()];
        mean[Measure::UnchangedEuclideanDistance.index()] =
            mean[Measure::EuclideanDistance.index()];
        Ok(mean)
    }

    /// The measures of pooled texts; those of tokens stay undefined.
    pub(super) fn compare(&self, compared: &Compared<'_>) -> Result<Vec<Numbers>> {
        let mut numbers = vec![[f32::NAN; MEASURES]; compared.edits.rows()];
        self.distances(compared, &mut numbers);
        self.corrected_cosines(compared, &mut numbers)?;
        self.against_spread(compared, &mut numbers);
        self.neighbors(compared, &mut numbers);
        Ok(numbers)
    }

    fn distances(&self, compared: &Compared<'_>, numbers: &mut [Numbers]) {
        for (i, numbers) in numbers.iter_mut().enumerate() {
            let before = compared.originals.row(compared.of[i]);
            let after = compared.edits.row(i);
            let cosine = cosine_distance(before, after);
            let moved = euclidean_distance(before, after);
            let norm = dot(before, before).sqrt();
            let mut set = |measure: Measure, value: f64| numbers[measure.index()] = value as f32;
            set(Measure::CosineDistance, cosine);
            set(Measure::Rotation, degrees(cosine));
            set(Measure::EuclideanDistance, moved);
            let longer = match before == after {
                true => 0.0,
                false => (dot(after, after).sqrt() - norm) / norm,
            };
            set(Measure::NormChange, longer);
            if let Some(direction) = compared.directions[i] {
                let difference: Vec<f32> = after.iter().zip(before).map(|(b, a)| b - a).collect();
                let along = dot(&difference, direction);
                set(Measure::ProbeShift, along);
                if moved > 0.0 {
                    let share = (along / moved).powi(2) / dot(direction, direction);
                    set(Measure::ProbeShare, share);
                }
            }
        }
    }

    fn corrected_cosines(&self, compared: &Compared<'_>, numbers: &mut [Numbers]) -> Result<()> {
        let Some(spread) = &self.spread else {
            return Ok(());
        };
        let corrections = [
            (Correction::Center, Measure::CosineDistanceCenter),
            (Correction::Standardize, Measure::CosineDistanceStandardize),
            (Correction::Abtt, Measure::CosineDistanceAbtt),
        ];
        for (correction, measure) in corrections {
            let before = spread.corrected(compared.originals, correction)?;
            let after = spread.corrected(compared.edits, correction)?;
            for (i, numbers) in numbers.iter_mut().enumerate() {
                let distance = cosine_distance(before.row(compared.of[i]), after.row(i));
                numbers[measure.index()] = distance as f32;
            }
        }
        Ok(())
    }

    fn against_spread(&self, compared: &Compared<'_>, numbers: &mut [Numbers]) {
        let Some(spread) = &self.spread else { return };
        let differences: Vec<f32> = (0..compared.edits.rows())
            .flat_map(|i| {
                let before = compared.originals.row(compared.of[i]);
                compared.edits.row(i).iter().zip(before).map(|(b, a)| b - a)
            })
            .collect();
        let seen = spread.see(&differences, self.sizes.components);
        for (numbers, seen) in numbers.iter_mut().zip(seen) {
            numbers[Measure::Mahalanobis.index()] = seen.mahalanobis as f32;
            numbers[Measure::PrincipalShare.index()] = seen.principal_share as f32;
        }
    }

    fn neighbors(&self, compared: &Compared<'_>, numbers: &mut [Numbers]) {
        // Without as many others again there is no telling near from far.
        if self.rows.rows() < 2 * self.sizes.neighbors + 1 {
            return;
        }
        let before = self.nearest(compared.originals, |i| compared.own[i]);
        let after = self.nearest(compared.edits, |i| compared.own[compared.of[i]]);
        for (i, numbers) in numbers.iter_mut().enumerate() {
            let own = &before[compared.of[i]];
            let kept = after[i].iter().filter(|n| own.contains(n)).count();
            let share = kept as f64 / self.sizes.neighbors as f64;
            numbers[Measure::NeighborOverlap.index()] = share as f32;
        }
    }

    /// The nearest originals of each row by cosine, one left out.
    fn nearest(&self, rows: &Rows, without: impl Fn(usize) -> Option<usize>) -> Vec<Vec<usize>> {
        nearest_rows(&self.unit, rows, self.sizes.neighbors, without)
    }
}

/// Of each row the `k` nearest by cosine among `unit`, rows of length one, in no order; one may be left out.
pub(super) fn nearest_rows(
    unit: &[f32],
    rows: &Rows,
    k: usize,
    without: impl Fn(usize) -> Option<usize>,
) -> Vec<Vec<usize>> {
    let d = rows.cols();
    let n = unit.len() / d;
    let mut keys = vec![0.0f32; rows.rows() * n];
    matmul(
        MatMut::from_row_major_slice_mut(&mut keys, rows.rows(), n),
        Accum::Replace,
        MatRef::from_row_major_slice(rows.as_slice(), rows.rows(), d),
        MatRef::from_row_major_slice(unit, n, d).transpose(),
        1.0,
        Par::Seq,
    );
    let mut found = Vec::with_capacity(rows.rows());
    for (i, keys) in keys.chunks_exact(n).enumerate() {
        let mut order: Vec<usize> = (0..n).filter(|j| Some(*j) != without(i)).collect();
        let by_key = |a: &usize, b: &usize| keys[*b].total_cmp(&keys[*a]).then(a.cmp(b));
        order.select_nth_unstable_by(k - 1, by_key);
        order.truncate(k);
        found.push(order);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(n: usize, d: usize, seed: u64) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let data = (0..n * d).map(|_| rng.random_range(-1.0f32..1.0));
        Rows::new(d, data.collect()).unwrap()
    }

    const SIZES: Sizes = Sizes {
        neighbors: 3,
        components: 2,
    };

    #[test]
    fn a_text_compared_with_itself_has_not_moved() {
        let originals = rows(20, 5, 1);
        let reference = Reference::new(originals.clone(), SIZES, 0).unwrap();
        let own: Vec<Option<usize>> = (0..20).map(Some).collect();
        let of: Vec<usize> = (0..20).collect();
        let direction = [1.0, 0.0, 0.0, 0.0, 0.0];
        let numbers = reference
            .compare(&Compared {
                originals: &originals,
                edits: &originals,
                of: &of,
                own: &own,
                directions: vec![Some(&direction); 20],
            })
            .unwrap();
        for numbers in numbers {
            for measure in Measure::ALL {
                let found = numbers[measure.index()];
                match measure {
                    Measure::UnchangedCosineDistance | Measure::UnchangedEuclideanDistance => {}
                    _ => match measure.of_nothing() {
                        Some(expected) => assert_eq!(found, expected, "{}", measure.name()),
                        None => assert!(found.is_nan(), "{}", measure.name()),
                    },
                }
            }
        }
    }

    #[test]
    fn movement_along_a_direction_is_all_of_it() {
        let originals = rows(20, 5, 1);
        let reference = Reference::new(originals.clone(), SIZES, 0).unwrap();
        let mut moved = originals.row(4).to_vec();
        moved[2] += 0.5;
        let direction = [0.0, 0.0, -3.0, 0.0, 0.0];
        let numbers = reference
            .compare(&Compared {
                originals: &originals,
                edits: &Rows::new(5, moved).unwrap(),
                of: &[4],
                own: &(0..20).map(Some).collect::<Vec<_>>(),
                directions: vec![Some(&direction)],
            })
            .unwrap();
        let value = |measure: Measure| numbers[0][measure.index()];
        assert!((value(Measure::ProbeShift) + 1.5).abs() < 1e-6);
        assert!((value(Measure::ProbeShare) - 1.0).abs() < 1e-6);
        assert!((value(Measure::EuclideanDistance) - 0.5).abs() < 1e-6);
    }
}
