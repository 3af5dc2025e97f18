//! Train and test parts, and folds.

mod grouping;

use crate::error::{Error, Result};
use grouping::grouped;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Two parts of a data set that share no row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The rows to learn from, ascending.
    pub train: Vec<usize>,
    /// The rows to be judged on, ascending.
    pub test: Vec<usize>,
    /// Other values of the split column with their numbers of rows (`("dev", 100)`), in alphabetical order; a missing cell is `""`.
    pub left_out: Vec<(String, usize)>,
}

/// Why rows cannot be divided as asked. It knows classes by number; [`SplitError::named`] makes an [`Error`] with their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitError {
    /// A class has too few rows, or is in too few groups, to be in every part.
    TooFew {
        /// The class.
        class: usize,
        /// Its rows, or its groups.
        found: usize,
        /// The number of parts.
        parts: usize,
        /// Whether groups were counted.
        grouped: bool,
    },
    /// A class is in enough groups, but other classes in the same groups forbid to have it in every part.
    Entangled {
        /// The class.
        class: usize,
        /// The number of parts.
        parts: usize,
    },
    /// A parameter out of its range.
    Parameter {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        problem: String,
    },
}

impl SplitError {
    /// The error to show: `column` holds the classes, `class_name` knows what they are called there.
    pub fn named(self, column: &str, class_name: impl Fn(usize) -> String) -> Error {
        let problem = match self {
            SplitError::TooFew {
                class,
                found,
                parts,
                grouped,
            } => {
                let unit = if grouped { "group(s)" } else { "row(s)" };
                format!(
                    "`{}` has {found} {unit}, too few for {parts} parts that each hold it; leave the class out or ask for fewer parts",
                    class_name(class)
                )
            }
            SplitError::Entangled { class, parts } => format!(
                "the groups of `{}` cannot be spread over {parts} parts that each hold every class; ask for fewer parts or smaller groups",
                class_name(class)
            ),
            SplitError::Parameter {
                name,
                value,
                problem,
            } => {
                return Error::BadParameter {
                    name,
                    value,
                    problem,
                };
            }
        };
        Error::BadLabel {
            column: column.to_owned(),
            problem,
        }
    }
}

/// The split that a column spells out: `train` and `test`, in any case; rows with other values are left out.
///
/// # Errors
/// [`Error::BadLabel`] with the values that were found, if one of the two parts is empty.
pub fn from_column(name: &str, values: &[Option<String>]) -> Result<Split> {
    let mut split = Split {
        train: Vec::new(),
        test: Vec::new(),
        left_out: Vec::new(),
    };
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for (row, value) in values.iter().enumerate() {
        let value = value.as_deref().unwrap_or("").trim();
        match value.to_lowercase().as_str() {
            "train" => split.train.push(row),
            "test" => split.test.push(row),
            _ => *others.entry(value).or_default() += 1,
        }
    }
    let missing = match (split.train.is_empty(), split.test.is_empty()) {
        (false, false) => {
            let owned = others.into_iter().map(|(v, n)| (v.to_owned(), n));
            split.left_out = owned.collect();
            return Ok(split);
        }
        (true, true) => "neither `train` nor `test`",
        (true, false) => "no `train`",
        (false, true) => "no `test`",
    };
    let counted = [("train", split.train.len()), ("test", split.test.len())];
    Err(Error::BadLabel {
        column: name.to_owned(),
        problem: format!(
            "a split column needs rows with `train` and rows with `test`, and there is {missing}; the values are {}",
            listed(counted.into_iter().filter(|(_, n)| *n > 0).chain(others))
        ),
    })
}

/// At most ten values with their counts.
fn listed<'a>(values: impl Iterator<Item = (&'a str, usize)>) -> String {
    const SHOWN: usize = 10;
    let all: Vec<String> = values.map(|(v, n)| format!("`{v}` ({n})")).collect();
    match all.get(..SHOWN) {
        Some(first) if all.len() > SHOWN => {
            format!("{} and {} more", first.join(", "), all.len() - SHOWN)
        }
        _ => all.join(", "),
    }
}

/// A train and a test part; the test part has `test_fraction` of the rows of every class, to within one row. With `groups`, the rows of a
/// group are in the same part, and the proportions are met as nearly as the groups allow. Both parts hold every class.
///
/// `strata` is the class of each row; for numeric labels, bins of quantiles or one class for all. The same seed gives the same split.
///
/// # Errors
/// [`SplitError::TooFew`] for a class with one row or one group, [`SplitError::Entangled`], and [`SplitError::Parameter`] for a fraction
/// that is not between 0 and 1 or groups of another length than the strata.
pub fn stratified(
    strata: &[usize],
    groups: Option<&[usize]>,
    test_fraction: f64,
    seed: u64,
) -> Result<Split, SplitError> {
    if !(test_fraction > 0.0 && test_fraction < 1.0) {
        return Err(SplitError::Parameter {
            name: "test_fraction",
            value: test_fraction.to_string(),
            problem: "the fraction is not between 0 and 1; give 0.2 for a fifth".to_owned(),
        });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let parts = match checked_groups(strata, groups)? {
        Some(groups) => grouped(
            strata,
            groups,
            &[1.0 - test_fraction, test_fraction],
            &mut rng,
        )?,
        None => halves(strata, test_fraction, &mut rng)?,
    };
    let mut parts = parts.into_iter();
    Ok(Split {
        train: parts.next().unwrap_or_default(),
        test: parts.next().unwrap_or_default(),
        left_out: Vec::new(),
    })
}

/// `k` parts that share no row and together hold all, each with the classes in the proportions of the whole: to within one row, or with
/// `groups` (whose rows stay together) as nearly as the groups allow. Each part holds every class; its rows ascend. To judge on part `i`,
/// learn from the others. The same seed gives the same folds.
///
/// # Errors
/// [`SplitError::TooFew`] for a class with fewer rows (or groups) than folds, [`SplitError::Entangled`], and [`SplitError::Parameter`]
/// for less than 2 folds or groups of another length than the strata.
pub fn folds(
    strata: &[usize],
    groups: Option<&[usize]>,
    k: usize,
    seed: u64,
) -> Result<Vec<Vec<usize>>, SplitError> {
    if k < 2 {
        return Err(SplitError::Parameter {
            name: "folds",
            value: k.to_string(),
            problem: "there must be at least 2 folds".to_owned(),
        });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    match checked_groups(strata, groups)? {
        Some(groups) => grouped(strata, groups, &vec![1.0 / k as f64; k], &mut rng),
        None => dealt(strata, k, &mut rng),
    }
}

fn checked_groups<'a>(
    strata: &[usize],
    groups: Option<&'a [usize]>,
) -> Result<Option<&'a [usize]>, SplitError> {
    match groups {
        Some(groups) if groups.len() != strata.len() => Err(SplitError::Parameter {
            name: "groups",
            value: format!("{} entries", groups.len()),
            problem: format!("there are {} rows; give one group a row", strata.len()),
        }),
        groups => Ok(groups),
    }
}

/// The rows of each value, ascending.
fn rows_of(values: &[usize]) -> BTreeMap<usize, Vec<usize>> {
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, value) in values.iter().enumerate() {
        rows.entry(*value).or_default().push(row);
    }
    rows
}

/// The rows of each class in random order; every class has at least one a part.
fn shuffled(
    strata: &[usize],
    parts: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Vec<usize>>, SplitError> {
    rows_of(strata)
        .into_iter()
        .map(|(class, mut rows)| {
            rows.shuffle(rng);
            match rows.len() < parts {
                true => Err(SplitError::TooFew {
                    class,
                    found: rows.len(),
                    parts,
                    grouped: false,
                }),
                false => Ok(rows),
            }
        })
        .collect()
}

/// Train and test rows without groups. Shares are rounded by largest remainder, so that the whole is right to within a row as well.
fn halves(
    strata: &[usize],
    test_fraction: f64,
    rng: &mut ChaCha8Rng,
) -> Result<Vec<Vec<usize>>, SplitError> {
    let classes = shuffled(strata, 2, rng)?;
    let share = |rows: &Vec<usize>| rows.len() as f64 * test_fraction;
    let mut counts: Vec<usize> = classes.iter().map(|r| share(r).floor() as usize).collect();
    let wanted = (strata.len() as f64 * test_fraction).round() as usize;
    let rest = wanted.saturating_sub(counts.iter().sum());
    let mut order: Vec<(f64, usize)> = classes.iter().map(|r| share(r).fract()).zip(0..).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, class) in order.into_iter().take(rest) {
        if let Some(count) = counts.get_mut(class) {
            *count += 1;
        }
    }
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (rows, count) in classes.iter().zip(counts) {
        let (out, learn) = rows.split_at(count.clamp(1, rows.len() - 1));
        test.extend(out);
        train.extend(learn);
    }
    train.sort_unstable();
    test.sort_unstable();
    Ok(vec![train, test])
}

/// Folds without groups: the rows of one class after the other are dealt like cards, so that fold sizes differ by at most one as well.
fn dealt(strata: &[usize], k: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Vec<usize>>, SplitError> {
    let cards = shuffled(strata, k, rng)?.into_iter().flatten();
    let mut folds = vec![Vec::new(); k];
    let turns: Vec<usize> = (0..k).collect();
    for (row, turn) in cards.zip(turns.iter().cycle()) {
        if let Some(fold) = folds.get_mut(*turn) {
            fold.push(row);
        }
    }
    folds.iter_mut().for_each(|f| f.sort_unstable());
    Ok(folds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(values: &[&str]) -> Vec<Option<String>> {
        values
            .iter()
            .map(|v| (!v.is_empty()).then(|| (*v).to_owned()))
            .collect()
    }

    #[test]
    fn a_column_spells_out_the_split() {
        let values = column(&["train", "Test", "dev", "TRAIN", "", "dev"]);
        let split = from_column("split", &values).unwrap();
        assert_eq!(split.train, [0, 3]);
        assert_eq!(split.test, [1]);
        assert_eq!(split.left_out, [(String::new(), 1), ("dev".to_owned(), 2)]);
    }

    #[test]
    fn a_column_without_both_parts_lists_what_it_has() {
        let message = |values: &[&str]| {
            from_column("part", &column(values))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            message(&["a", "b", "a"]),
            "column `part`: a split column needs rows with `train` and rows with `test`, and there is neither `train` nor `test`; the \
             values are `a` (2), `b` (1)"
        );
        assert!(
            message(&["train", "dev"])
                .ends_with("there is no `test`; the values are `train` (1), `dev` (1)")
        );
        let many: Vec<String> = (10..30).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(message(&many).ends_with("`19` (1) and 10 more"));
    }

    #[test]
    fn a_class_with_too_few_rows_is_named() {
        let error = folds(&[0, 0, 0, 7, 7], None, 3, 0).unwrap_err();
        let shown = error
            .named("kind", |class| format!("class {class}"))
            .to_string();
        assert!(
            shown.starts_with("column `kind`: `class 7` has 2 row(s), too few for 3 parts"),
            "{shown}"
        );
        assert!(stratified(&[0, 0, 1], None, 0.5, 0).is_err());
        // Four rows, but they are in two groups.
        let error = folds(&[0; 4], Some(&[5, 5, 6, 6]), 3, 0).unwrap_err();
        assert_eq!(
            error,
            SplitError::TooFew {
                class: 0,
                found: 2,
                parts: 3,
                grouped: true
            }
        );
    }

    #[test]
    fn groups_that_cannot_be_spread_are_an_error() {
        // Class 0 is in groups 0 and 1, class 1 in 0 and 2, class 2 in 1 and 2: two parts cannot each hold all three.
        let (strata, groups) = ([0, 1, 0, 2, 1, 2], [0, 0, 1, 1, 2, 2]);
        let error = folds(&strata, Some(&groups), 2, 0).unwrap_err();
        assert!(matches!(error, SplitError::Entangled { .. }), "{error:?}");
    }

    #[test]
    fn parameters_are_checked() {
        for fraction in [0.0, 1.0, -0.1, f64::NAN] {
            let error = stratified(&[0, 0], None, fraction, 0)
                .unwrap_err()
                .named("y", |c| c.to_string());
            assert!(
                matches!(
                    error,
                    Error::BadParameter {
                        name: "test_fraction",
                        ..
                    }
                ),
                "{error}"
            );
        }
        assert!(folds(&[0, 0], None, 1, 0).is_err());
        assert!(folds(&[0, 0], Some(&[0]), 2, 0).is_err());
    }

    #[test]
    fn two_equal_groups_a_class_go_to_both_parts() {
        let strata = [vec![0; 10], vec![1; 10]].concat();
        let groups: Vec<usize> = (0..20).map(|row| row / 5).collect();
        let split = stratified(&strata, Some(&groups), 0.2, 1).unwrap();
        assert_eq!((split.train.len(), split.test.len()), (10, 10));
    }

    #[test]
    fn another_seed_is_another_split() {
        let strata = vec![0; 100];
        let test = |seed| stratified(&strata, None, 0.3, seed).unwrap().test;
        assert_ne!(test(1), test(2));
        assert_ne!(
            folds(&strata, None, 5, 1).unwrap(),
            folds(&strata, None, 5, 2).unwrap()
        );
    }

    /// What this seed gave when the code was written: a change of it changes published results.
    #[test]
    fn a_seed_means_the_same_rows_in_every_version() {
        let strata: Vec<usize> = (0..20).map(|i| i % 2).collect();
        assert_eq!(
            stratified(&strata, None, 0.25, 42).unwrap().test,
            [2, 9, 10, 14, 19]
        );
    }

    fn count(rows: &[usize], strata: &[usize], class: usize) -> usize {
        rows.iter().filter(|r| strata[**r] == class).count()
    }

    fn is_partition(parts: &[Vec<usize>], rows: usize) -> bool {
        let mut all: Vec<usize> = parts.concat();
        all.sort_unstable();
        all == (0..rows).collect::<Vec<_>>() && parts.iter().all(|p| p.is_sorted())
    }

    proptest! {
        #[test]
        fn a_split_is_a_partition_with_the_classes_in_proportion(
            strata in prop::collection::vec(0usize..5, 1..120), fraction in 0.05f64..0.95, seed: u64,
        ) {
            let Ok(split) = stratified(&strata, None, fraction, seed) else {
                let few = (0..5).any(|c| strata.iter().filter(|s| **s == c).count() == 1);
                prop_assert!(few);
                return Ok(());
            };
            prop_assert_eq!(&split, &stratified(&strata, None, fraction, seed).unwrap());
            prop_assert!(is_partition(&[split.train.clone(), split.test.clone()], strata.len()));
            for class in strata.iter().copied() {
                let whole = count(&split.train, &strata, class) + count(&split.test, &strata, class);
                let test = count(&split.test, &strata, class) as f64;
                prop_assert!((test - whole as f64 * fraction).abs() <= 1.0);
                prop_assert!(test >= 1.0 && (test as usize) < whole);
            }
        }

        #[test]
        fn folds_are_a_partition_with_the_classes_in_proportion(
            strata in prop::collection::vec(prop::sample::select(vec![0usize, 3, 9]), 1..120), k in 2usize..7, seed: u64,
        ) {
            let Ok(parts) = folds(&strata, None, k, seed) else {
                prop_assert!([0, 3, 9].iter().any(|c| (1..k).contains(&strata.iter().filter(|s| *s == c).count())));
                return Ok(());
            };
            prop_assert_eq!(&parts, &folds(&strata, None, k, seed).unwrap());
            prop_assert!(is_partition(&parts, strata.len()));
            let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            for class in [0, 3, 9] {
                let counts: Vec<usize> = parts.iter().map(|p| count(p, &strata, class)).collect();
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
            }
        }

        #[test]
        fn groups_never_straddle(
            rows in prop::collection::vec((0usize..3, 0usize..25), 1..150), k in 2usize..6, fraction in 0.1f64..0.9, seed: u64,
        ) {
            let (strata, groups): (Vec<usize>, Vec<usize>) = rows.into_iter().unzip();
            let mut divisions = Vec::new();
            if let Ok(parts) = folds(&strata, Some(&groups), k, seed) {
                prop_assert_eq!(&parts, &folds(&strata, Some(&groups), k, seed).unwrap());
                divisions.push(parts);
            }
            if let Ok(split) = stratified(&strata, Some(&groups), fraction, seed) {
                divisions.push(vec![split.train, split.test]);
            }
            for parts in divisions {
                prop_assert!(is_partition(&parts, strata.len()));
                for group in &groups {
                    let holders = parts.iter().filter(|p| p.iter().any(|r| groups[*r] == *group));
                    prop_assert_eq!(holders.count(), 1);
                }
                for class in &strata {
                    prop_assert!(parts.iter().all(|p| count(p, &strata, *class) > 0));
                }
            }
        }

        #[test]
        fn pure_groups_of_one_size_are_divided_as_rows_are(
            groups in prop::collection::vec(0usize..3, 20..60), size in 1usize..5, seed: u64,
        ) {
            let strata: Vec<usize> = groups.iter().flat_map(|class| vec![*class; size]).collect();
            let ids: Vec<usize> = (0..groups.len()).flat_map(|g| vec![g; size]).collect();
            if let Ok(parts) = folds(&strata, Some(&ids), 4, seed) {
                for class in 0..3 {
                    let counts: Vec<usize> = parts.iter().map(|p| count(p, &strata, class)).collect();
                    prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= size);
                }
            }
        }
    }
}
