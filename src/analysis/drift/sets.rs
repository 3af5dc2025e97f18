//! Originals and edits as two representations of the same texts.

use crate::analysis::geometry::Gram;
use crate::analysis::neighbors::Rows;
use crate::analysis::reduce::Shape;
use crate::error::Result;
use serde::Serialize;

/// Fewest texts that two representations are compared over.
const FEWEST: usize = 10;

/// How alike two representations of the same texts are as shapes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SetDrift {
    /// Texts that it is computed over.
    pub texts: usize,
    /// Debiased linear CKA: 1 where they are equal up to rotation and scale.
    pub cka: f64,
    /// Squared Procrustes distance: 0 there, at most 2.
    pub procrustes: f64,
}

/// Compares two sets of rows; `None` for too few, or for rows that do not vary.
pub(super) fn compare(before: &Rows, after: &Rows) -> Result<Option<SetDrift>> {
    let texts = before.rows();
    if texts < FEWEST {
        return Ok(None);
    }
    let same: Vec<usize> = (0..texts).collect();
    let cka = Gram::of(before).cka(&Gram::of(after), &same);
    if !cka.is_finite() {
        return Ok(None);
    }
    // What is equal to the bit is at no distance, whatever rounding would make of it.
    let found = match before.as_slice() == after.as_slice() {
        true => (1.0, 0.0),
        false => {
            let similarity = Shape::of(before)?.similarity(&Shape::of(after)?, &same)?;
            (cka, (2.0 - 2.0 * similarity).max(0.0))
        }
    };
    Ok(Some(SetDrift {
        texts,
        cka: found.0,
        procrustes: found.1,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_features_than_texts_change_neither_number() {
        let value = |i: usize, j: usize| ((i * 7 + j * j * 3 + i * j) % 23) as f32 / 7.0;
        let rows = |d: usize, add: f32| {
            let data = (0..12 * d).map(|k| value(k / d, k % d) + add * value(k % d, k / d));
            Rows::new(d, data.collect()).unwrap()
        };
        // Thirty features of twelve texts, and the same with features of zeros.
        let padded = |r: &Rows| {
            let wide = (0..12).flat_map(|i| {
                let mut row = r.row(i).to_vec();
                row.resize(50, 0.0);
                row
            });
            Rows::new(50, wide.collect()).unwrap()
        };
        let (x, y) = (rows(30, 0.0), rows(30, 0.3));
        let found = compare(&x, &y).unwrap().unwrap();
        let wider = compare(&padded(&x), &padded(&y)).unwrap().unwrap();
        assert!((found.cka - wider.cka).abs() < 1e-6);
        assert!((found.procrustes - wider.procrustes).abs() < 1e-5);
        assert!(
            compare(&rows(3, 0.0), &rows(3, 0.0))
                .unwrap()
                .unwrap()
                .procrustes
                < 1e-9
        );
    }
}
