//! Linear artificial tomography: the direction along which paired rows differ most.

use super::direct::{Fitting, Linear, calibrated};
use crate::analysis::matrix::Matrix;
use crate::analysis::neighbors::Rows;
use crate::analysis::reduce::Pca;
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// The first principal component of the differences between the rows of pairs, in the model's own space (Zou et al. 2023, "Representation
/// Engineering", section 3.1). Pairs are those of `--pair-column`, or else drawn at random. Labels decide on the sign and the threshold alone
/// (a logistic regression on the projection).
///
/// # Errors
/// [`Error::BadLabel`] if there is no pair.
pub(super) fn fit(on: &Fitting<'_>) -> Result<Linear> {
    on.refuse_many_classes("lat")?;
    let pairs = match on.pairs {
        Some(pairs) => given_pairs(pairs),
        None => random_pairs(on.z.rows(), on.seed),
    };
    // Which of two rows comes first must not matter: both orders are there, so the mean is zero.
    if pairs.is_empty() {
        return Err(Error::BadLabel {
            column: on.column.to_owned(),
            problem:
                "a LAT probe needs pairs of training rows; give another --pair-column, or none"
                    .to_owned(),
        });
    }
    let differences: Vec<f32> = pairs
        .iter()
        .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
        .flat_map(|(a, b)| {
            let row = on.z.row(a).iter().zip(on.z.row(b)).zip(on.scale);
            row.map(|((a, b), scale)| (scale * (a - b)) as f32)
        })
        .collect();
    let direction = first_component(on, differences)?;
    let raw = Matrix::from_fn(direction.len(), 1, |j, _| direction[j] * on.scale[j]);
    calibrated(on.z, raw, on.labels)
}

/// Two rows with the same value are a pair; of more, the first with the second, the third with the fourth.
pub(super) fn given_pairs(values: &[usize]) -> Vec<(usize, usize)> {
    let mut of_value: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.iter().enumerate() {
        of_value.entry(*value).or_default().push(row);
    }
    let rows = of_value.values();
    rows.flat_map(|rows| rows.chunks_exact(2).map(|pair| (pair[0], pair[1])))
        .collect()
}

fn random_pairs(rows: usize, seed: u64) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..rows).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order
        .chunks_exact(2)
        .map(|pair| (pair[0], pair[1]))
        .collect()
}

/// The direction; zero where the rows of every pair are equal, as at the embedding of a last token that all texts share.
fn first_component(on: &Fitting<'_>, differences: Vec<f32>) -> Result<Vec<f64>> {
    if differences.iter().all(|v| *v == 0.0) {
        return Ok(vec![0.0; on.z.cols()]);
    }
    let pca = Pca::fit(&Rows::new(on.z.cols(), differences)?, 1)?;
    Ok(pca.components.row(0).to_vec())
}
