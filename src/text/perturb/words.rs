//! Words and letters of a text, as places in it.

use std::ops::Range;
use unicode_segmentation::UnicodeSegmentation;

/// The words of a text (UAX #29: what holds a letter or a digit), as ranges of bytes.
pub(super) fn words(text: &str) -> Vec<Range<usize>> {
    let words = text.unicode_word_indices();
    words.map(|(at, word)| at..at + word.len()).collect()
}

/// Stretches of words with nothing between them: the words of most scripts, and whole phrases of those that leave no spaces.
pub(super) fn runs(text: &str) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for word in words(text) {
        match runs.last_mut() {
            Some(last) if last.end == word.start => last.end = word.end,
            _ => runs.push(word),
        }
    }
    runs
}

/// The letters (grapheme clusters) of a part of the text, as ranges of bytes.
pub(super) fn letters(text: &str, part: &Range<usize>) -> Vec<Range<usize>> {
    let letters = text[part.clone()].grapheme_indices(true);
    letters
        .map(|(at, letter)| part.start + at..part.start + at + letter.len())
        .collect()
}

/// The text with one part exchanged.
pub(super) fn with(text: &str, part: &Range<usize>, new: &str) -> String {
    format!("{}{new}{}", &text[..part.start], &text[part.end..])
}

/// `new` with a capital first letter where `old` has one, and in capitals where all of `old` is.
pub(super) fn in_case_of(old: &str, new: &str) -> String {
    let cased = |c: char| c.is_uppercase() || c.is_lowercase();
    let many = old.chars().filter(|c| cased(*c)).count() > 1;
    if many && old.chars().filter(|c| cased(*c)).all(char::is_uppercase) {
        return new.to_uppercase();
    }
    let mut letters = new.chars();
    match (old.chars().next(), letters.next()) {
        (Some(first), Some(own)) if first.is_uppercase() => {
            own.to_uppercase().chain(letters).collect()
        }
        _ => new.to_owned(),
    }
}
