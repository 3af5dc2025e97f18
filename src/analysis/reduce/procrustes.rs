//! How well one space can be turned into another.

use super::Place;
use super::eigen::{largest_eigen, symmetric_eigenvalues};
use crate::analysis::matrix::Matrix;
use crate::analysis::neighbors::Rows;
use crate::error::Result;

/// A space without its place and its size: the mean taken off, the Frobenius norm 1, and, where there are more features than rows, turned
/// into as many dimensions as there are rows.
#[derive(Debug, Clone)]
pub struct Shape(Matrix);

impl Shape {
    /// Of these rows; all zero where they are all equal.
    ///
    /// # Errors
    /// If eigenvalues are not found.
    pub(crate) fn of(rows: &Rows) -> Result<Self> {
        let mean = rows.means();
        let value = |i: usize, j: usize| f64::from(rows.row(i)[j]) - mean[j];
        let squares = (0..rows.rows()).map(|i| {
            let row = (0..rows.cols()).map(|j| value(i, j).powi(2));
            row.sum::<f64>()
        });
        let norm = squares.sum::<f64>().sqrt();
        let scale = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        let whole = Matrix::from_fn(rows.rows(), rows.cols(), |i, j| scale * value(i, j));
        if rows.cols() <= rows.rows() {
            return Ok(Self(whole));
        }
        let n = rows.rows();
        let (values, vectors) = largest_eigen(whole.row_gram().view(), n)?;
        Ok(Self(Matrix::from_fn(n, n, |i, j| {
            vectors[(i, j)] * values[j].max(0.0).sqrt()
        })))
    }

    /// The Procrustes similarity, `‖XᵀY‖_*` (the sum of the singular values), row `i` of this space being of the same thing as row
    /// `order[i]` of the other: 1 if one is the other turned, moved and scaled. The squared Procrustes distance of the two is 2 - 2 times
    /// it (Williams et al. 2021).
    ///
    /// # Errors
    /// If eigenvalues are not found.
    pub(crate) fn similarity(&self, other: &Self, order: &[usize]) -> Result<f64> {
        let cross = self.0.transposed_times(&other.0.select(order))?;
        // Singular values are the roots of the eigenvalues of the smaller product.
        let product = match cross.rows() <= cross.cols() {
            true => cross.row_gram(),
            false => cross.gram(),
        };
        let values = symmetric_eigenvalues(&product)?;
        Ok(values.iter().map(|v| v.max(0.0).sqrt()).sum())
    }
}

/// The Procrustes disparity of two maps of the same points, as SciPy defines it: the sum of squared differences that is left after one was moved,
/// turned, mirrored and scaled onto the other, in parts of the other's own sum of squares. 0 where they are the same map, 1
/// where they have nothing in common.
///
/// # Errors
/// For maps of no point, or of places that are not finite.
pub fn disparity(a: &[Place], b: &[Place]) -> Result<f64> {
    let shape = |map: &[Place]| Shape::of(&Rows::new(2, map.as_flattened().to_vec())?);
    let same: Vec<usize> = (0..b.len()).collect();
    let similarity = shape(a)?.similarity(&shape(b)?, &same)?;
    Ok((1.0 - similarity * similarity).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_turned_scaled_and_moved_is_the_same() {
        let data: Vec<f32> = (0..60).map(|i| ((i * 29 % 31) as f32).sin()).collect();
        let rows = Rows::new(3, data).unwrap();
        let turned: Vec<f32> = (0..20)
            .flat_map(|i| {
                let r = rows.row(i);
                [7.0 - 2.0 * r[1], 2.0 * r[2], 2.0 * r[0]]
            })
            .collect();
        let turned = Shape::of(&Rows::new(3, turned).unwrap()).unwrap();
        let own = Shape::of(&rows).unwrap();
        let same: Vec<usize> = (0..20).collect();
        assert!((own.similarity(&turned, &same).unwrap() - 1.0).abs() < 1e-6);
        let other: Vec<usize> = (0..20).map(|i| (i * 7 + 3) % 20).collect();
        assert!(own.similarity(&turned, &other).unwrap() < 0.9);
        let flat = Shape::of(&Rows::new(3, vec![2.0; 60]).unwrap()).unwrap();
        assert_eq!(own.similarity(&flat, &same).unwrap(), 0.0);
        // More features than rows: the same space with features of zeros.
        let padded = (0..20).flat_map(|i| {
            let mut wide = vec![0.0f32; 50];
            wide[10..13].copy_from_slice(rows.row(i));
            wide
        });
        let padded = Shape::of(&Rows::new(50, padded.collect()).unwrap()).unwrap();
        assert!((own.similarity(&padded, &same).unwrap() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn maps_without_anything_in_common_are_far() {
        let square = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
        let turned = square.map(|[x, y]| [3.0 - 2.0 * y, 2.0 * x]);
        let crossed = [[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]];
        assert!(disparity(&square, &turned).unwrap() < 1e-6);
        assert!(disparity(&square, &crossed).unwrap() > 0.9);
        assert_eq!(disparity(&square, &[[2.0, 2.0]; 4]).unwrap(), 1.0);
    }
}
