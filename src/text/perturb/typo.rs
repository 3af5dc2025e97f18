//! Slips of the fingers.

use super::lists::KEYBOARDS;
use super::words::{letters, runs, with};
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// Letters of words of at least two letters; the first letter of longer words is left alone, as typists do.
fn places(text: &str) -> Vec<Vec<Range<usize>>> {
    runs(text)
        .iter()
        .map(|word| letters(text, word))
        .filter(|letters| letters.len() > 1)
        .map(|letters| match letters.len() {
            0..=3 => letters,
            _ => letters[1..].to_vec(),
        })
        .collect()
}

pub(super) fn swap(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let words = places(text);
    let pairs: Vec<&[Range<usize>]> = words
        .iter()
        .flat_map(|letters| letters.windows(2))
        .filter(|pair| text[pair[0].clone()] != text[pair[1].clone()])
        .collect();
    let [first, second] = pairs.choose(rng)? else {
        return None;
    };
    let turned = format!("{}{}", &text[second.clone()], &text[first.clone()]);
    Some(with(text, &(first.start..second.end), &turned))
}

pub(super) fn drop(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let places: Vec<Range<usize>> = places(text).into_iter().flatten().collect();
    Some(with(text, places.choose(rng)?, ""))
}

pub(super) fn double(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let places: Vec<Range<usize>> = places(text).into_iter().flatten().collect();
    let place = places.choose(rng)?;
    Some(with(text, place, &text[place.clone()].repeat(2)))
}

pub(super) fn keyboard(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let places: Vec<(Range<usize>, Vec<char>)> = places(text)
        .into_iter()
        .flatten()
        .filter_map(|place| Some((place.clone(), beside(&text[place])?)))
        .collect();
    let (place, keys) = places.choose(rng)?;
    let key = keys.choose(rng)?;
    let new: String = match text[place.clone()].chars().all(char::is_uppercase) {
        true => key.to_uppercase().collect(),
        false => key.to_string(),
    };
    Some(with(text, place, &new))
}

/// The letters on the keys around that of a letter, where it is on a keyboard that we know.
fn beside(letter: &str) -> Option<Vec<char>> {
    let mut lower = letter.chars().flat_map(char::to_lowercase);
    let key = lower.next().filter(|_| lower.next().is_none())?;
    for rows in KEYBOARDS {
        let rows: Vec<Vec<char>> = rows.iter().map(|row| row.chars().collect()).collect();
        let at = rows.iter().enumerate().find_map(|(r, row)| {
            let place = row.iter().position(|k| *k == key)?;
            Some((r, place))
        });
        if let Some((r, place)) = at {
            // A row lies half a key to the right of the one above it.
            let around = [
                (r as isize, place as isize - 1),
                (r as isize, place as isize + 1),
                (r as isize - 1, place as isize),
                (r as isize - 1, place as isize + 1),
                (r as isize + 1, place as isize - 1),
                (r as isize + 1, place as isize),
            ];
            let key = |(r, c): (isize, isize)| {
                let row = rows.get(usize::try_from(r).ok()?)?;
                row.get(usize::try_from(c).ok()?).copied()
            };
            let keys: Vec<char> = around.into_iter().filter_map(key).collect();
            return Some(keys);
        }
    }
    None
}
