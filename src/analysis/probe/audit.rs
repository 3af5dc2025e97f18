//! What would let a probe score without reading anything: the same texts on both sides of the split, shared groups, a label that one word gives
//! away.

use super::data::Labels;
use super::near::{NEAR, near_duplicates, normalized};
use super::surface::words;
use crate::text::split::Split;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A feature that explains this share of what a constant gets wrong determines the label.
const DETERMINED: f64 = 0.8;
/// A word says something only if it is in this many training texts.
const FEWEST_TEXTS: usize = 5;
/// A column closes a leak if it holds this share of the leaking pairs together.
const CLOSES: f64 = 0.95;

/// What is known of the rows beside their activations; every list has an entry for each row.
#[derive(Debug, Clone, Copy)]
pub struct AuditInput<'a> {
    /// The label of each row.
    pub labels: &'a Labels,
    /// The rows to train and to test on.
    pub split: &'a Split,
    /// The text that each row is, or is part of.
    pub texts: Option<&'a [String]>,
    /// Whether a row is a whole text, whose words could give its label away.
    pub whole: bool,
    /// Columns whose values should not be on both sides (the group, entities, templates), by name; a row without a value has a number of
    /// its own.
    pub separate: &'a [(String, Vec<usize>)],
    /// Columns that could be grouped by.
    pub candidates: &'a [(String, Vec<usize>)],
}

/// What was found before training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// Test rows whose text, in lower case and without punctuation, is that of a training row; none where no texts are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact_duplicates: Option<usize>,
    /// Test rows whose text is nearly that of a training row: Jaccard similarity of 5-character shingles of at least 0.8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near_duplicates: Option<usize>,
    /// Columns whose values are on both sides.
    pub shared: Vec<SharedColumn>,
    /// How much of the label the length of the text, or one word, gives away.
    pub single_features: Vec<SingleFeature>,
    /// Test rows.
    pub test_rows: usize,
    /// What is wrong, one sentence each; empty if nothing is.
    pub leaks: Vec<String>,
    /// The column to give to `--group`, which would close the leak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggested_group: Option<String>,
    /// A leaking test row and its training row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<(usize, usize)>,
}

/// A column whose values are on both sides of the split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SharedColumn {
    /// Its name.
    pub column: String,
    /// How many of its values have training rows and test rows.
    pub values: usize,
    /// Test rows with such a value.
    pub test_rows: usize,
}

/// How well one feature of the text alone tells the classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SingleFeature {
    /// `text length`, or a word.
    pub feature: String,
    /// The accuracy on the test rows of the rule that is best on the training rows.
    pub accuracy: f64,
    /// That of the majority class.
    pub majority: f64,
}

/// Looks for leaks; it costs no more than reading the texts a few times.
pub fn audit(input: &AuditInput<'_>) -> Audit {
    let texts = input
        .texts
        .map(|texts| texts.iter().map(|t| normalized(t)).collect::<Vec<_>>());
    let (mut exact, mut near) = (Vec::new(), Vec::new());
    if let Some(texts) = &texts {
        (exact, near) = duplicates(texts, input.split);
    }
    let shared: Vec<SharedColumn> = input
        .separate
        .iter()
        .filter_map(|(name, values)| shared_column(name, values, input.split))
        .collect();
    let single_features = match (&texts, input.labels) {
        (Some(texts), Labels::Classes { names, of_row, .. }) if input.whole => {
            single_features(texts, of_row, names.len(), input.split)
        }
        _ => Vec::new(),
    };
    let pairs: Vec<(usize, usize)> = exact.iter().chain(&near).copied().collect();
    let suggested = match shared.first() {
        Some(column) if pairs.is_empty() => Some(column.column.clone()),
        _ => closing_column(&pairs, input),
    };
    Audit {
        leaks: leaks(input, &exact, &near, &shared, &single_features),
        exact_duplicates: texts.is_some().then_some(exact.len()),
        near_duplicates: texts.is_some().then_some(near.len()),
        shared,
        single_features,
        test_rows: input.split.test.len(),
        suggested_group: suggested,
        example: pairs.first().copied(),
    }
}

/// Pairs of a test row and a training row with equal texts, and with nearly equal ones; each test row in one pair at most.
type Pairs = Vec<(usize, usize)>;

fn duplicates(texts: &[String], split: &Split) -> (Pairs, Pairs) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    for row in &split.train {
        first.entry(&texts[*row]).or_insert(*row);
    }
    let twin = |row: &usize| Some((*row, *first.get(texts[*row].as_str())?));
    let exact: Pairs = split.test.iter().filter_map(twin).collect();
    let train: BTreeSet<&str> = split.train.iter().map(|row| texts[*row].as_str()).collect();
    let among: Vec<&str> = train.iter().copied().collect();
    let rest: BTreeSet<&str> = split.test.iter().map(|row| texts[*row].as_str()).collect();
    let of: Vec<&str> = rest.difference(&train).copied().collect();
    let found = near_duplicates(&of, &among);
    let near_of: HashMap<&str, usize> = of
        .iter()
        .zip(&found)
        .filter_map(|(text, other)| Some((*text, *first.get(among[(*other)?])?)))
        .collect();
    let near = |row: &usize| Some((*row, *near_of.get(texts[*row].as_str())?));
    (exact, split.test.iter().filter_map(near).collect())
}

fn shared_column(name: &str, values: &[usize], split: &Split) -> Option<SharedColumn> {
    let train: BTreeSet<usize> = split.train.iter().map(|row| values[*row]).collect();
    let both: Vec<usize> = split
        .test
        .iter()
        .map(|row| values[*row])
        .filter(|value| train.contains(value))
        .collect();
    let test_rows = both.len();
    (test_rows > 0).then(|| SharedColumn {
        column: name.to_owned(),
        values: both.into_iter().collect::<BTreeSet<usize>>().len(),
        test_rows,
    })
}

/// The candidate with the most groups that holds the leaking pairs together.
fn closing_column(pairs: &[(usize, usize)], input: &AuditInput<'_>) -> Option<String> {
    let rows = || input.split.train.iter().chain(&input.split.test);
    let groups = |values: &[usize]| {
        rows()
            .map(|r| values[*r])
            .collect::<BTreeSet<usize>>()
            .len()
    };
    let closes = |values: &[usize]| {
        let together = pairs
            .iter()
            .filter(|(a, b)| values[*a] == values[*b])
            .count();
        !pairs.is_empty() && together as f64 >= CLOSES * pairs.len() as f64
    };
    let candidates = input.candidates.iter().filter(|(_, values)| closes(values));
    let counted = candidates.map(|(name, values)| (groups(values), name));
    let best = counted.filter(|(n, _)| *n >= 10).max_by_key(|(n, _)| *n);
    best.map(|(_, name)| name.clone())
}

/// The length, in twentieths, and the word that tell most on the training rows.
fn single_features(
    texts: &[String],
    labels: &[usize],
    classes: usize,
    split: &Split,
) -> Vec<SingleFeature> {
    let majority_of = |counts: &[usize]| {
        let classes = counts.iter().enumerate();
        classes.fold(
            (0, 0),
            |best, (class, n)| if *n > best.1 { (class, *n) } else { best },
        )
    };
    let count = |rows: &mut dyn Iterator<Item = usize>| {
        let mut counts = vec![0usize; classes];
        rows.for_each(|row| counts[labels[row]] += 1);
        counts
    };
    let all = count(&mut split.train.iter().copied());
    let share = |right: usize| right as f64 / split.test.len() as f64;
    let score = |rule: &dyn Fn(usize) -> usize| {
        share(
            split
                .test
                .iter()
                .filter(|row| rule(**row) == labels[**row])
                .count(),
        )
    };
    let majority = score(&|_| majority_of(&all).0);
    let feature = |feature: String, accuracy: f64| SingleFeature {
        feature,
        accuracy,
        majority,
    };
    let bins = 20;
    let mut lengths: Vec<usize> = split.train.iter().map(|row| texts[*row].len()).collect();
    lengths.sort_unstable();
    let edges: Vec<usize> = (1..bins)
        .map(|b| lengths[b * (lengths.len() - 1) / bins])
        .collect();
    let bin = |row: usize| edges.partition_point(|edge| *edge < texts[row].len());
    let class_of: Vec<usize> = (0..bins)
        .map(|b| {
            let counts = count(&mut split.train.iter().copied().filter(|row| bin(*row) == b));
            let own = majority_of(&counts);
            if own.1 > 0 {
                own.0
            } else {
                majority_of(&all).0
            }
        })
        .collect();
    let mut found = vec![feature(
        "text length".to_owned(),
        score(&|row| class_of[bin(row)]),
    )];
    let bags: BTreeMap<usize, BTreeSet<String>> = split
        .train
        .iter()
        .chain(&split.test)
        .map(|row| (*row, words(&texts[*row]).into_iter().collect()))
        .collect();
    let mut with: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in &split.train {
        for word in &bags[row] {
            let counts = with.entry(word).or_insert_with(|| vec![0; classes]);
            counts[labels[*row]] += 1;
        }
    }
    let judged = with
        .iter()
        .filter(|(_, counts)| counts.iter().sum::<usize>() >= FEWEST_TEXTS);
    let best = judged
        .map(|(word, counts)| {
            let without: Vec<usize> = all.iter().zip(counts).map(|(a, w)| a - w).collect();
            let (own, other) = (majority_of(counts), majority_of(&without));
            (own.1 + other.1, *word, own.0, other.0)
        })
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    if let Some((_, word, own, other)) = best {
        let rule = |row: usize| {
            if bags[&row].contains(word) {
                own
            } else {
                other
            }
        };
        found.push(feature(format!("the word `{word}`"), score(&rule)));
    }
    found
}

fn leaks(
    input: &AuditInput<'_>,
    exact: &[(usize, usize)],
    near: &[(usize, usize)],
    shared: &[SharedColumn],
    features: &[SingleFeature],
) -> Vec<String> {
    let n = input.split.test.len();
    let mut leaks = Vec::new();
    if !exact.is_empty() {
        leaks.push(format!(
            "{} of {n} test rows have the text of a training row",
            exact.len()
        ));
    }
    if !near.is_empty() {
        leaks.push(format!(
            "{} of {n} test rows have nearly the text of a training row (Jaccard similarity of at least {NEAR})",
            near.len()
        ));
    }
    for column in shared {
        leaks.push(format!(
            "{} of {n} test rows have a value of `{}` that training rows have too",
            column.test_rows, column.column
        ));
    }
    for feature in features {
        let room = 1.0 - feature.majority;
        if room > 0.0 && (feature.accuracy - feature.majority) / room >= DETERMINED {
            leaks.push(format!(
                "{} alone has an accuracy of {:.3}, where the majority class has {:.3}: the label may be nothing else",
                feature.feature, feature.accuracy, feature.majority
            ));
        }
    }
    leaks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of_row: Vec<usize>) -> Labels {
        Labels::Classes {
            column: "kind".to_owned(),
            names: vec!["no".to_owned(), "yes".to_owned()],
            of_row,
        }
    }

    fn text(row: usize) -> String {
        let word = |k: usize| ["ash", "birch", "cedar", "elm", "fir", "oak", "pine"][k % 7];
        let words: Vec<&str> = (0..9)
            .map(|k| word(row / 7usize.pow(k % 4) + row * k as usize))
            .collect();
        format!("{row} {} {row}", words.join(" "))
    }

    fn split() -> Split {
        Split {
            train: (0..80).collect(),
            test: (80..100).collect(),
            left_out: vec![],
        }
    }

    #[test]
    fn rows_that_stand_on_both_sides_are_found_and_the_group_that_holds_them_is_named() {
        let mut texts: Vec<String> = (0..100).map(text).collect();
        for row in 80..86 {
            texts[row] = texts[row - 80].to_uppercase() + "!";
        }
        texts[90] = format!("{} indeed", texts[10].repeat(3));
        texts[10] = texts[10].repeat(3);
        let source: Vec<usize> = (0..100)
            .map(|row| if row == 90 { 10 } else { row % 80 })
            .collect();
        let labels = labels((0..100).map(|row| row % 2).collect());
        let columns = [
            ("parity".to_owned(), (0..100).map(|row| row % 2).collect()),
            ("source".to_owned(), source),
        ];
        let (split, separate) = (split(), [("parity".to_owned(), vec![3; 100])]);
        let found = audit(&AuditInput {
            labels: &labels,
            split: &split,
            texts: Some(&texts),
            whole: true,
            separate: &separate,
            candidates: &columns,
        });
        assert_eq!(
            (found.exact_duplicates, found.near_duplicates),
            (Some(6), Some(1)),
            "{found:?}"
        );
        assert_eq!(found.suggested_group.as_deref(), Some("source"));
        assert_eq!(found.shared[0].test_rows, 20);
        assert_eq!(found.leaks.len(), 3, "{:?}", found.leaks);
        assert_eq!(found.example, Some((80, 0)));
    }

    #[test]
    fn a_label_that_a_word_or_the_length_gives_away_is_named() {
        let of_row: Vec<usize> = (0..100).map(|row| (row / 3) % 2).collect();
        let check = |make: &dyn Fn(usize) -> String| {
            let texts: Vec<String> = (0..100).map(make).collect();
            let (labels, split) = (labels(of_row.clone()), split());
            audit(&AuditInput {
                labels: &labels,
                split: &split,
                texts: Some(&texts),
                whole: true,
                separate: &[],
                candidates: &[],
            })
        };
        let clean = check(&|row| text(row));
        assert_eq!(
            clean.leaks,
            Vec::<String>::new(),
            "{:?}",
            clean.single_features
        );
        let word = check(&|row| format!("{} {}", text(row), ["this", "that"][of_row[row]]));
        assert!(word.leaks[0].contains("the word `th"), "{:?}", word.leaks);
        let length = check(&|row| text(row) + &" and more of it".repeat(of_row[row]));
        assert!(
            length.leaks.iter().any(|l| l.starts_with("text length")),
            "{:?}",
            length.leaks
        );
    }
}
