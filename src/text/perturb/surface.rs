//! Edits of how a text is written that leave its words.

use super::lists::{HOMOGLYPHS, VOWELS};
use super::words::{letters, runs, with};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Bytes of each character that `wanted` says yes to.
fn characters(text: &str, wanted: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    text.char_indices()
        .filter(|(_, c)| wanted(*c))
        .map(|(at, c)| at..at + c.len_utf8())
        .collect()
}

/// Marks between words. Symbols count: they are as silent.
fn is_mark(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace() && !c.is_control() && !is_combining_mark(c)
}

pub(super) fn punctuation(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let marks = characters(text, is_mark);
    match marks.choose(rng) {
        Some(mark) => Some(with(text, mark, "")),
        None => {
            let ideographs = text.chars().any(|c| matches!(c, '\u{3040}'..='\u{9fff}'));
            Some(format!("{text}{}", if ideographs { "。" } else { "." }))
        }
    }
}

pub(super) fn whitespace(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let inner = text.trim();
    let start = text.len() - text.trim_start().len();
    let spaces = characters(inner, |c| c == ' ');
    if let Some(space) = spaces.choose(rng) {
        let at = start + space.start;
        return Some(with(text, &(at..at), " "));
    }
    let places: Vec<Range<usize>> = runs(text)
        .iter()
        .flat_map(|run| letters(text, run).into_iter().skip(1))
        .collect();
    let at = places.choose(rng)?.start;
    Some(with(text, &(at..at), " "))
}

pub(super) fn homoglyph(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let twin = |c: char| {
        HOMOGLYPHS.iter().find_map(|(a, b)| match c {
            c if c == *a => Some(*b),
            c if c == *b => Some(*a),
            _ => None,
        })
    };
    let places = characters(text, |c| twin(c).is_some());
    let place = places.choose(rng)?;
    let new = text[place.clone()].chars().next().and_then(twin)?;
    Some(with(text, place, new.encode_utf8(&mut [0; 4])))
}

pub(super) fn diacritics(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    // й is a letter of its own in Russian, not an и with a sign.
    let own = |c: char| matches!(c, 'й' | 'Й');
    let mut bare = String::with_capacity(text.len());
    for c in text.nfc() {
        let mut parts = std::iter::once(c).nfd();
        match parts.next() {
            // Marks of other scripts are vowels, not signs on letters: only Latin, Greek and Cyrillic letters lose theirs.
            Some(base) if !own(c) && base != c && is_european(base) => bare.push(base),
            _ => bare.push(c),
        }
    }
    let normal: String = text.nfc().collect();
    if bare != normal {
        return Some(bare);
    }
    let places = characters(text, |c| VOWELS.contains(c));
    let place = places.choose(rng)?;
    let sharp: String = format!("{}\u{301}", &text[place.clone()]).nfc().collect();
    Some(with(text, place, &sharp))
}

fn is_european(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{370}'..='\u{52f}')
}
