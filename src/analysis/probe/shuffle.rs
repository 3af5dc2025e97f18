//! Shuffled labels: what a probe scores when there is nothing to learn.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// The first stream of the seed that control tasks are drawn from.
const CONTROL_TASKS: u64 = 1 << 41;

/// For each row, the row whose label it gets, in the `index`th shuffle of this seed. It does not depend on the layer, so that layers
/// differ by their activations alone.
///
/// Rows of a group that all have one label (`same` says when two labels are equal) keep one: labels are then shuffled among groups,
/// since a shuffle that breaks groups up would be easier to tell from the truth than the truth from chance.
pub(super) fn shuffled_rows(
    rows: usize,
    groups: Option<&[usize]>,
    same: impl Fn(usize, usize) -> bool,
    seed: u64,
    index: usize,
) -> Vec<usize> {
    let mut first_of: BTreeMap<usize, usize> = BTreeMap::new();
    let first: Vec<usize> = (0..rows)
        .map(|row| {
            *first_of
                .entry(groups.map_or(row, |g| g[row]))
                .or_insert(row)
        })
        .collect();
    let constant = (0..rows).all(|row| same(row, first[row]));
    let unit = |row: usize| if constant { first[row] } else { row };
    let from: Vec<usize> = (0..rows).filter(|row| unit(*row) == *row).collect();
    let mut to = from.clone();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64);
    to.shuffle(&mut rng);
    let source: BTreeMap<usize, usize> = from.into_iter().zip(to).collect();
    (0..rows)
        .filter_map(|row| source.get(&unit(row)).copied())
        .collect()
}

/// Random labels for types (Hewitt & Liang 2019), drawn as often as they are among the training labels: of each training row, and of each
/// test row whose type has training rows. `None` if there is no such test row.
pub(super) fn control_task(
    labels: &[usize],
    train: &[usize],
    test: &[usize],
    seed: u64,
    index: usize,
) -> Option<(Vec<usize>, Vec<Option<usize>>)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(CONTROL_TASKS + index as u64);
    let mut of_type = BTreeMap::new();
    let given = train.iter().map(|kind| {
        *of_type
            .entry(*kind)
            .or_insert_with(|| labels[rng.random_range(0..labels.len())])
    });
    let given: Vec<usize> = given.collect();
    let known: Vec<Option<usize>> = test.iter().map(|kind| of_type.get(kind).copied()).collect();
    known.iter().any(Option::is_some).then_some((given, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_random_label_wherever_it_is() {
        let labels: Vec<usize> = (0..300).map(|row| usize::from(row % 4 == 0)).collect();
        let types: Vec<usize> = (0..300).map(|row| row % 100).collect();
        let test = [3, 99, 100, 3];
        let (train, known) = control_task(&labels, &types, &test, 1, 0).unwrap();
        assert!((0..200).all(|row| train[row] == train[row + 100]));
        assert_eq!(
            known,
            [Some(train[3]), Some(train[99]), None, Some(train[3])]
        );
        let ones = train.iter().filter(|label| **label == 1).count();
        assert!((30..150).contains(&ones), "{ones}");
        assert_ne!(train, control_task(&labels, &types, &test, 1, 1).unwrap().0);
        assert_eq!(control_task(&labels, &types, &[100, 101], 1, 0), None);
    }

    #[test]
    fn without_groups_it_is_a_permutation_of_rows() {
        let mut rows = shuffled_rows(50, None, |a, b| a == b, 1, 0);
        assert_ne!(rows, shuffled_rows(50, None, |a, b| a == b, 1, 1));
        assert_ne!(rows, (0..50).collect::<Vec<_>>());
        rows.sort_unstable();
        assert_eq!(rows, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn groups_of_one_label_move_as_one() {
        let groups: Vec<usize> = (0..60).map(|row| 7 * (row % 12)).collect();
        let labels: Vec<usize> = groups.iter().map(|g| (g / 7) % 3).collect();
        let rows = shuffled_rows(60, Some(&groups), |a, b| labels[a] == labels[b], 5, 0);
        let shuffled: Vec<usize> = rows.iter().map(|row| labels[*row]).collect();
        assert!((12..60).all(|row| shuffled[row] == shuffled[row - 12]));
        let count = |labels: &[usize]| labels.iter().filter(|l| **l == 1).count();
        assert_eq!(count(&shuffled), count(&labels));
    }

    #[test]
    fn groups_with_several_labels_are_shuffled_by_row() {
        let groups: Vec<usize> = (0..40).map(|row| row / 20).collect();
        let mut rows = shuffled_rows(40, Some(&groups), |a, b| a % 2 == b % 2, 5, 0);
        assert!(rows[..20].iter().any(|row| *row >= 20));
        rows.sort_unstable();
        assert_eq!(rows, (0..40).collect::<Vec<_>>());
    }
}
