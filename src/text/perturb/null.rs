//! Random edits of the size and place of a given one: what it would do if it meant nothing.

use super::words::{in_case_of, words};
use crate::text::align::Piece;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeMap;

/// How a random edit is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Null {
    /// Each changed character becomes a random one of its class (small letter, capital, digit, mark, ideograph; of its script). What was
    /// taken out is not taken out but exchanged: the same characters change, at the same place.
    Characters,
    /// Each changed word becomes a random word of the data of the same length. The edit then is of words, as most edits with a meaning are,
    /// where random characters fall into many tokens.
    Words,
}

/// The characters and words of some texts, to draw from in proportion to how often they occur.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    characters: BTreeMap<Class, Urn<char>>,
    words: BTreeMap<usize, Urn<String>>,
}

/// What a character can be exchanged for without looking out of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Small(u32),
    Capital(u32),
    Other(u32),
    Digit,
    Mark,
}

fn class(c: char) -> Option<Class> {
    // Blocks of the alphabets; ideographs and syllables are one.
    let script = match c as u32 {
        code @ 0..0x2e80 => code >> 8,
        _ => u32::MAX,
    };
    match c {
        c if c.is_whitespace() || c.is_control() => None,
        c if c.is_numeric() => Some(Class::Digit),
        c if c.is_lowercase() => Some(Class::Small(script)),
        c if c.is_uppercase() => Some(Class::Capital(script)),
        c if c.is_alphabetic() => Some(Class::Other(script)),
        _ => Some(Class::Mark),
    }
}

/// Things to draw, each as often as it was seen.
#[derive(Debug, Clone)]
struct Urn<T> {
    items: Vec<T>,
    /// How many were seen up to each.
    upto: Vec<u64>,
}

impl<T: Clone + PartialEq> Urn<T> {
    fn new(counts: impl IntoIterator<Item = (T, u64)>) -> Self {
        let mut total = 0;
        let (items, upto) = counts
            .into_iter()
            .map(|(item, n)| {
                total += n;
                (item, total)
            })
            .unzip();
        Self { items, upto }
    }

    /// A draw that is none of those given, where there is another.
    fn draw(&self, without: &[&T], rng: &mut ChaCha8Rng) -> Option<T> {
        const TRIES: usize = 20;
        let total = *self.upto.last()?;
        let mut draw = || {
            let ball = rng.random_range(0..total);
            self.items[self.upto.partition_point(|upto| *upto <= ball)].clone()
        };
        let mut item = draw();
        for _ in 0..TRIES {
            if !without.contains(&&item) {
                return Some(item);
            }
            item = draw();
        }
        let other = self.items.iter().find(|i| !without.contains(i));
        other.cloned().or(Some(item))
    }
}

impl Vocabulary {
    /// The vocabulary of some texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut characters: BTreeMap<Class, BTreeMap<char, u64>> = BTreeMap::new();
        let mut lengths: BTreeMap<usize, BTreeMap<String, u64>> = BTreeMap::new();
        for text in texts {
            for c in text.chars() {
                if let Some(class) = class(c) {
                    *characters.entry(class).or_default().entry(c).or_default() += 1;
                }
            }
            for word in words(text) {
                let word = text[word].to_lowercase();
                let of_length = lengths.entry(word.chars().count()).or_default();
                *of_length.entry(word).or_default() += 1;
            }
        }
        let characters = characters.into_iter();
        let words = lengths.into_iter();
        Self {
            characters: characters.map(|(class, c)| (class, Urn::new(c))).collect(),
            words: words.map(|(length, w)| (length, Urn::new(w))).collect(),
        }
    }

    /// A random edit of `before` of the size and place of the one that led to `after`. [`crate::text::align::pieces`] says what that changed.
    pub fn random_edit(
        &self,
        null: Null,
        before: &str,
        after: &str,
        pieces: &[Piece],
        rng: &mut ChaCha8Rng,
    ) -> String {
        let (old, new): (Vec<char>, Vec<char>) =
            (before.chars().collect(), after.chars().collect());
        match null {
            Null::Characters => self.random_characters(&old, &new, pieces, rng),
            Null::Words => self.random_words(&old, &new, pieces, rng),
        }
    }

    fn random_characters(
        &self,
        old: &[char],
        new: &[char],
        pieces: &[Piece],
        rng: &mut ChaCha8Rng,
    ) -> String {
        let mut edited = String::new();
        for piece in pieces {
            let (out, into) = (&old[piece.before.clone()], &new[piece.after.clone()]);
            match (piece.equal, into) {
                (true, _) => edited.extend(out),
                (false, []) => edited.extend(out.iter().map(|c| self.other(*c, &[*c], rng))),
                (false, _) => {
                    let pairs = into.iter().enumerate();
                    edited.extend(pairs.map(|(i, c)| {
                        let replaced = out.get(i).copied().unwrap_or(*c);
                        self.other(*c, &[*c, replaced], rng)
                    }));
                }
            }
        }
        edited
    }

    /// A random character of the class of `c` that is none of those given.
    fn other(&self, c: char, without: &[char], rng: &mut ChaCha8Rng) -> char {
        let without: Vec<&char> = without.iter().collect();
        let urn = class(c).and_then(|class| self.characters.get(&class));
        urn.and_then(|urn| urn.draw(&without, rng)).unwrap_or(c)
    }

    /// Changed words of the edited text (of the original, where the edit only takes out) become random ones of their length.
    fn random_words(
        &self,
        old: &[char],
        new: &[char],
        pieces: &[Piece],
        rng: &mut ChaCha8Rng,
    ) -> String {
        // First the text as it would be edited, with what an edit only takes out left in, and marked where it was changed.
        let (mut text, mut marked): (String, Vec<bool>) = (String::new(), Vec::new());
        let mut put = |chars: &[char], mark: bool| {
            for c in chars {
                text.push(*c);
                marked.extend(std::iter::repeat_n(mark, c.len_utf8()));
            }
        };
        for piece in pieces {
            match (piece.equal, piece.after.is_empty()) {
                (false, false) => put(&new[piece.after.clone()], true),
                (equal, _) => put(&old[piece.before.clone()], !equal),
            }
        }
        let mut edited = String::new();
        let mut end = 0;
        for word in words(&text) {
            edited.push_str(&text[end..word.start]);
            end = word.end;
            let own = &text[word.clone()];
            edited.push_str(&match marked[word].contains(&true) {
                true => self.other_word(own, rng),
                false => own.to_owned(),
            });
        }
        edited.push_str(&text[end..]);
        edited
    }

    /// A random other word of this length, or of the nearest that there is.
    fn other_word(&self, word: &str, rng: &mut ChaCha8Rng) -> String {
        let own = word.to_lowercase();
        let length = own.chars().count();
        let mut lengths: Vec<usize> = self.words.keys().copied().collect();
        lengths.sort_by_key(|l| (l.abs_diff(length), *l));
        for length in lengths {
            let found = self
                .words
                .get(&length)
                .and_then(|urn| urn.draw(&[&own], rng));
            if let Some(found) = found.filter(|f| *f != own) {
                return in_case_of(word, &found);
            }
        }
        word.to_owned()
    }
}
