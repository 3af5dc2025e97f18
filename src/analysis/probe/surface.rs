//! Features that need no model: what a control reads instead of activations.

use crate::analysis::matrix::Matrix;
use std::collections::{BTreeMap, HashMap};

/// Words of a bag at most: those in the most training texts.
const MOST_WORDS: usize = 1000;

/// The words of a text, in lower case: runs of letters and digits.
pub(super) fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// How long texts are: the logarithms of one more than their characters and words, `[texts, 2]`.
pub fn length_features<S: AsRef<str>>(texts: &[S]) -> Matrix {
    let length = |text: &S| {
        let text = text.as_ref();
        [text.chars().count(), words(text).len()].map(|n| (n as f64).ln_1p())
    };
    let lengths: Vec<[f64; 2]> = texts.iter().map(length).collect();
    Matrix::from_fn(texts.len(), 2, |i, j| lengths[i][j])
}

/// How often each of the words that are in the most training texts (1,000 at most, each in two of them at least) is in each text,
/// `[texts, words]`; and the words. `None` if there is no such word.
pub fn bag_of_words<S: AsRef<str>>(texts: &[S], train: &[usize]) -> Option<(Matrix, Vec<String>)> {
    let bags: Vec<Vec<String>> = texts.iter().map(|text| words(text.as_ref())).collect();
    let mut texts_with: BTreeMap<&str, usize> = BTreeMap::new();
    for row in train {
        let mut once: Vec<&str> = bags[*row].iter().map(String::as_str).collect();
        once.sort_unstable();
        once.dedup();
        once.into_iter()
            .for_each(|word| *texts_with.entry(word).or_default() += 1);
    }
    let mut kept: Vec<(&str, usize)> = texts_with.into_iter().filter(|(_, n)| *n > 1).collect();
    // A stable sort: of words that are equally frequent, the first in the alphabet.
    kept.sort_by_key(|word| std::cmp::Reverse(word.1));
    kept.truncate(MOST_WORDS);
    let place: HashMap<&str, usize> = kept.iter().enumerate().map(|(i, (w, _))| (*w, i)).collect();
    let mut counts = Matrix::zeros(texts.len(), kept.len());
    for (row, bag) in bags.iter().enumerate() {
        for word in bag.iter().filter_map(|word| place.get(word.as_str())) {
            counts.row_mut(row)[*word] += 1.0;
        }
    }
    let names = kept.iter().map(|(word, _)| (*word).to_owned()).collect();
    (!kept.is_empty()).then_some((counts, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_holds_the_frequent_words_of_training_texts() {
        let texts = ["A cat, a CAT!", "a dog", "cat", "dog dog zebra zebra"];
        let (counts, names) = bag_of_words(&texts, &[0, 1, 2]).unwrap();
        assert_eq!(names, ["a", "cat"], "a dog is in one training text only");
        assert_eq!(counts.row(0), [2.0, 2.0]);
        assert_eq!(counts.row(3), [0.0, 0.0]);
        assert_eq!(bag_of_words(&texts, &[3]), None);
        let length = length_features(&texts);
        let gap = (length.at(1, 0) - 6f64.ln()).abs() + (length.at(1, 1) - 3f64.ln()).abs();
        assert!(gap < 1e-12);
    }
}
