//! Vectors as whole numbers of 16 bits: half the memory traffic of a walk, and the same distances on every processor.

use super::super::space::Space;
use super::kernel::{Kernel, LANES, Table};

/// The rows of a space, less their mean, in steps of one size.
///
/// A step is so large that the squared distance of two rows, and of a row and a query three times as far out, fits 32 bits.
#[derive(Clone)]
pub(super) struct Codes {
    width: usize,
    padded: usize,
    mean: Vec<f64>,
    steps_per_unit: f64,
    most: f64,
    data: Vec<i16>,
    kernel: Kernel,
}

impl Codes {
    /// The codes of a space's rows.
    pub(super) fn of(space: &Space) -> Self {
        let (n, width) = (space.rows(), space.vectors().cols());
        let mut mean = vec![0.0f64; width];
        for row in 0..n {
            let vector = space.own_query(row);
            mean.iter_mut()
                .zip(&vector)
                .for_each(|(m, v)| *m += f64::from(*v));
        }
        mean.iter_mut().for_each(|m| *m /= n as f64);
        let mut farthest = 0.0f64;
        for row in 0..n {
            let vector = space.own_query(row);
            let offsets = vector.iter().zip(&mean);
            farthest = offsets.fold(farthest, |far, (v, m)| far.max((f64::from(*v) - m).abs()));
        }
        let most = ((f64::from(u32::MAX) / width as f64).sqrt() / 4.0)
            .floor()
            .clamp(1.0, 8000.0);
        let padded = width.next_multiple_of(LANES);
        let mut codes = Self {
            width,
            padded,
            mean,
            // All rows equal: any step does.
            steps_per_unit: match farthest > 0.0 {
                true => most / farthest,
                false => 1.0,
            },
            most,
            data: Vec::with_capacity(n * padded),
            kernel: Kernel::detected(),
        };
        for row in 0..n {
            let code = codes.code(&space.own_query(row));
            codes.data.extend(code);
        }
        codes
    }

    /// The code of a vector in the coordinates of the space.
    pub(super) fn code(&self, vector: &[f32]) -> Vec<i16> {
        // A query three times as far out as any row is as far as codes go.
        let limit = 3.0 * self.most;
        let mut code: Vec<i16> = vector
            .iter()
            .zip(&self.mean)
            .map(|(v, m)| {
                let steps = (f64::from(*v) - m) * self.steps_per_unit;
                steps.round().clamp(-limit, limit) as i16
            })
            .collect();
        code.resize(self.padded, 0);
        code
    }

    pub(super) fn rows(&self) -> usize {
        self.data.len() / self.padded
    }

    pub(super) fn row(&self, row: u32) -> &[i16] {
        let first = row as usize * self.padded;
        &self.data[first..first + self.padded]
    }

    fn table(&self) -> Table<'_> {
        Table {
            data: &self.data,
            padded: self.padded,
        }
    }

    /// The squared distances of a code to some rows, in steps.
    pub(super) fn distances(&self, from: &[i16], rows: &[u32], out: &mut Vec<u32>) {
        self.kernel.distances(from, self.table(), rows, out);
    }

    /// Whether one of some rows is nearer to a row than `limit`.
    pub(super) fn any_nearer(&self, row: u32, rows: &[u32], limit: u32) -> bool {
        self.kernel
            .any_nearer(self.row(row), self.table(), rows, limit)
    }

    /// The squared distance of two rows, in steps.
    pub(super) fn distance(&self, a: u32, b: u32) -> u32 {
        let mut found = Vec::with_capacity(1);
        self.distances(self.row(a), &[b], &mut found);
        found.first().copied().unwrap_or(0)
    }
}

impl std::fmt::Debug for Codes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Codes({} × {})", self.rows(), self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Correction, Metric, Rows};
    use super::*;

    #[test]
    fn distances_are_those_of_the_vectors_to_a_step() {
        let data: Vec<f32> = (0..40 * 21)
            .map(|i| ((i * 37 % 101) as f32 - 50.0) / 7.0)
            .collect();
        let rows = Rows::new(21, data).unwrap();
        let space = Space::new(&rows, Metric::Euclid, Correction::None, 0).unwrap();
        let codes = Codes::of(&space);
        let mut found = Vec::new();
        let all: Vec<u32> = (0..space.rows() as u32).collect();
        for a in 0..space.rows() {
            codes.distances(&codes.code(space.vectors().row(a)), &all, &mut found);
            for (b, found) in found.iter().enumerate() {
                let exact = super::super::super::rows::squared_distance(
                    space.vectors().row(a),
                    space.vectors().row(b),
                )
                .sqrt();
                let coded = f64::from(*found).sqrt() / codes.steps_per_unit;
                let step = (21f64).sqrt() / codes.steps_per_unit;
                assert!((exact - coded).abs() <= step, "{a} {b}: {exact} {coded}");
                assert_eq!(*found, codes.distance(a as u32, b as u32));
            }
        }
    }

    #[test]
    fn the_farthest_query_does_not_overflow() {
        let rows = Rows::new(
            400,
            (0..800).map(|i| if i < 400 { -1.0 } else { 1.0 }).collect(),
        );
        let space = Space::new(&rows.unwrap(), Metric::Euclid, Correction::None, 0).unwrap();
        let codes = Codes::of(&space);
        let mut found = Vec::new();
        codes.distances(&codes.code(&[1e30; 400]), &[0, 1], &mut found);
        assert!(found[0] > found[1], "{found:?}");
    }
}
