//! Edits of the words of a text.

use super::lists::{NEGATIONS, Negation};
use super::words::{in_case_of, with, words};
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

pub(super) fn drop(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let words = words(text);
    if words.len() < 2 {
        return None;
    }
    Some(without(text, words.choose(rng)?))
}

/// The text without a word and without one of the spaces beside it.
fn without(text: &str, word: &Range<usize>) -> String {
    let mut part = word.clone();
    if text[part.end..].starts_with(' ') && (part.start == 0 || text[..part.start].ends_with(' ')) {
        part.end += 1;
    } else if text[..part.start].ends_with(' ') {
        part.start -= 1;
    }
    with(text, &part, "")
}

pub(super) fn swap(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let words = words(text);
    let pairs: Vec<&[Range<usize>]> = words
        .windows(2)
        .filter(|pair| text[pair[0].clone()] != text[pair[1].clone()])
        .collect();
    let [first, second] = pairs.choose(rng)? else {
        return None;
    };
    let turned = format!(
        "{}{}{}",
        &text[second.clone()],
        &text[first.end..second.start],
        &text[first.clone()]
    );
    Some(with(text, &(first.start..second.end), &turned))
}

pub(super) fn shuffle(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let places = words(text);
    let mut order: Vec<&str> = places.iter().map(|w| &text[w.clone()]).collect();
    order.shuffle(rng);
    let mut edited = String::with_capacity(text.len());
    let mut end = 0;
    for (place, word) in places.iter().zip(order) {
        edited.push_str(&text[end..place.start]);
        edited.push_str(word);
        end = place.end;
    }
    edited.push_str(&text[end..]);
    Some(edited)
}

pub(super) fn number(text: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let digit = |c: char| c.is_ascii_digit() || matches!(c, '\u{ff10}'..='\u{ff19}');
    let digits: Vec<(usize, char)> = text.char_indices().filter(|(_, c)| digit(*c)).collect();
    let (at, old) = *digits.choose(rng)?;
    let zero = if old.is_ascii() { '0' } else { '\u{ff10}' };
    // A number that begins with a zero is another kind of number.
    let leads = !text[..at].ends_with(digit) && text[at + old.len_utf8()..].starts_with(digit);
    let others: Vec<char> = (u32::from(leads)..10)
        .filter_map(|d| char::from_u32(zero as u32 + d))
        .filter(|c| *c != old)
        .collect();
    let new = others.choose(rng)?;
    Some(with(
        text,
        &(at..at + old.len_utf8()),
        new.encode_utf8(&mut [0; 4]),
    ))
}

pub(super) fn negation(text: &str) -> Option<String> {
    NEGATIONS
        .iter()
        .find_map(|language| negated(text, language))
}

fn negated(text: &str, language: &Negation) -> Option<String> {
    let words = words(text);
    let is = |place: &Range<usize>, word: &str| text[place.clone()].to_lowercase() == word;
    if let Some(own) = words.iter().find(|w| is(w, language.word)) {
        return Some(without(text, own));
    }
    let after = words
        .iter()
        .find(|w| language.after.iter().any(|a| is(w, a)));
    if let Some(word) = after {
        let put = format!("{}{}", language.space, language.word);
        return Some(with(text, &(word.end..word.end), &put));
    }
    let place = match language.space {
        // Without spaces, words are what stands there.
        "" => language.before.iter().filter_map(|b| text.find(b)).min(),
        _ => words
            .iter()
            .find(|w| language.before.iter().any(|b| is(w, b)))
            .map(|w| w.start),
    }?;
    let put = format!("{}{}", language.word, language.space);
    Some(with(text, &(place..place), &put))
}

pub(super) fn synonym(
    text: &str,
    nearest: &(dyn Fn(&str) -> Option<String> + Sync),
    rng: &mut ChaCha8Rng,
) -> Option<String> {
    let mut words = words(text);
    words.retain(|w| text[w.clone()].chars().all(char::is_alphabetic));
    words.shuffle(rng);
    words.iter().find_map(|word| {
        let old = &text[word.clone()];
        let new = in_case_of(old, &nearest(old)?);
        (new != old).then(|| with(text, word, &new))
    })
}

pub(super) fn replace(text: &str, new: &str, rng: &mut ChaCha8Rng) -> Option<String> {
    let words = words(text);
    Some(with(text, words.choose(rng)?, new))
}

pub(super) fn truncate(text: &str) -> Option<String> {
    let words = words(text);
    let kept = (3 * words.len()).div_ceil(4);
    if kept == words.len() {
        return None;
    }
    let end = words.get(kept.checked_sub(1)?)?.end;
    Some(text[..end].to_owned())
}
