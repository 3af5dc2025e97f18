//! First names exchanged for others of their list.

use super::lists::NAMES;
use super::words::{in_case_of, with, words};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

pub(super) fn swap(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let mut places = Vec::new();
    for list in NAMES {
        for word in words(text) {
            let name = list.iter().find(|n| **n == &text[word.clone()]);
            places.extend(name.map(|name| (word.clone(), *name, list)));
        }
        // Ideographs are words one by one: their names are looked for as they stand.
        let ideographs = list.iter().filter(|n| n.chars().all(|c| c > '\u{2e80}'));
        for name in ideographs {
            let found = text.match_indices(*name);
            places.extend(found.map(|(at, _)| (at..at + name.len(), *name, list)));
        }
    }
    let (place, name, list) = places.choose(rng)?;
    let others: Vec<&&str> = list.iter().filter(|n| *n != name).collect();
    let other = others.choose(rng)?;
    Some(with(text, place, &in_case_of(&text[place.clone()], other)))
}
