//! Edits of texts: each changes one thing, at a place drawn from a seed.
//!
//! Letters are grapheme clusters and words those of UAX #29, so that any script is edited in whole characters. An edit that finds nothing to
//! change in a text (no number, one script only) says so instead of doing something else.

mod lists;
mod names;
mod null;
mod pairs;
mod surface;
mod typo;
mod wording;
mod words;

pub use null::{Null, Vocabulary};
pub use pairs::{PairColumns, Pairs};

use crate::error::{Error, Result, nearest_name};
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, Serializer};
use std::fmt;

/// One kind of edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Edit {
    /// Two neighbouring letters of a word change places.
    TypoSwap,
    /// A letter of a word is left out.
    TypoDrop,
    /// A letter of a word is written twice.
    TypoDouble,
    /// A letter becomes one beside it on the keyboard (QWERTY, ЙЦУКЕН).
    TypoKeyboard,
    /// All letters become capitals.
    CaseUpper,
    /// All letters become small.
    CaseLower,
    /// A punctuation mark is left out; where there is none, a full stop is added.
    Punctuation,
    /// A space is doubled; where there is none, one is put between two letters.
    Whitespace,
    /// A letter becomes one of another script that looks the same (Latin, Cyrillic, Greek).
    Homoglyph,
    /// All diacritics are taken off; where there are none, a vowel gets an acute.
    Diacritics,
    /// A word is left out.
    WordDrop,
    /// Two neighbouring words change places.
    WordSwap,
    /// All words are shuffled; what stands between them stays.
    WordOrder,
    /// A digit of a number becomes another.
    Number,
    /// A negation is put in, or taken out where there is one (English, Russian, Chinese).
    Negation,
    /// A first name becomes another.
    Name,
    /// A word becomes the nearest other word in the model's own embedding.
    Synonym,
    /// A word becomes the tokenizer's mask token.
    Mask,
    /// A word becomes the tokenizer's unknown token.
    Unk,
    /// The last quarter of the words is cut off.
    Truncate,
    /// Words are put before the text.
    Prefix,
    /// Words are put after the text.
    Suffix,
}

/// A word for a word, where there is one.
pub type Synonyms<'a> = dyn Fn(&str) -> Option<String> + Sync + 'a;

/// What edits need beside the text.
#[derive(Clone, Copy, Default)]
pub struct Means<'a> {
    /// The tokenizer's mask token, as it is written in a text.
    pub mask: Option<&'a str>,
    /// The tokenizer's unknown token.
    pub unk: Option<&'a str>,
    /// The nearest other word of a word.
    pub synonyms: Option<&'a Synonyms<'a>>,
    /// What [`Edit::Prefix`] puts before a text.
    pub prefix: &'a str,
    /// What [`Edit::Suffix`] puts after it.
    pub suffix: &'a str,
}

impl Edit {
    /// All of them.
    pub const ALL: [Edit; 22] = [
        Edit::TypoSwap,
        Edit::TypoDrop,
        Edit::TypoDouble,
        Edit::TypoKeyboard,
        Edit::CaseUpper,
        Edit::CaseLower,
        Edit::Punctuation,
        Edit::Whitespace,
        Edit::Homoglyph,
        Edit::Diacritics,
        Edit::WordDrop,
        Edit::WordSwap,
        Edit::WordOrder,
        Edit::Number,
        Edit::Negation,
        Edit::Name,
        Edit::Synonym,
        Edit::Mask,
        Edit::Unk,
        Edit::Truncate,
        Edit::Prefix,
        Edit::Suffix,
    ];

    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Edit::TypoSwap => "typo-swap",
            Edit::TypoDrop => "typo-drop",
            Edit::TypoDouble => "typo-double",
            Edit::TypoKeyboard => "typo-keyboard",
            Edit::CaseUpper => "case-upper",
            Edit::CaseLower => "case-lower",
            Edit::Punctuation => "punctuation",
            Edit::Whitespace => "whitespace",
            Edit::Homoglyph => "homoglyph",
            Edit::Diacritics => "diacritics",
            Edit::WordDrop => "word-drop",
            Edit::WordSwap => "word-swap",
            Edit::WordOrder => "word-order",
            Edit::Number => "number",
            Edit::Negation => "negation",
            Edit::Name => "name",
            Edit::Synonym => "synonym",
            Edit::Mask => "mask",
            Edit::Unk => "unk",
            Edit::Truncate => "truncate",
            Edit::Prefix => "prefix",
            Edit::Suffix => "suffix",
        }
    }

    /// The edits that a name stands for: one, or with `typo`, `case`, `word` and `all` a group.
    ///
    /// # Errors
    /// [`Error::BadParameter`] with the nearest name.
    pub fn named(name: &str) -> Result<Vec<Edit>> {
        let group = |prefix: &str| -> Vec<Edit> {
            let in_group = |e: &Edit| e.name().starts_with(prefix);
            Edit::ALL.into_iter().filter(in_group).collect()
        };
        match name {
            "all" => Ok(Edit::ALL.to_vec()),
            "typo" | "case" | "word" => Ok(group(&format!("{name}-"))),
            _ => match Edit::ALL.into_iter().find(|e| e.name() == name) {
                Some(edit) => Ok(vec![edit]),
                None => Err(unknown(name)),
            },
        }
    }

    /// The text with this edit, or `None` where the text gives it nothing to change. What is returned differs from `text`.
    pub fn apply(self, text: &str, means: &Means<'_>, rng: &mut ChaCha8Rng) -> Option<String> {
        let edited = match self {
            Edit::TypoSwap => typo::swap(text, rng),
            Edit::TypoDrop => typo::drop(text, rng),
            Edit::TypoDouble => typo::double(text, rng),
            Edit::TypoKeyboard => typo::keyboard(text, rng),
            Edit::CaseUpper => Some(text.to_uppercase()),
            Edit::CaseLower => Some(text.to_lowercase()),
            Edit::Punctuation => surface::punctuation(text, rng),
            Edit::Whitespace => surface::whitespace(text, rng),
            Edit::Homoglyph => surface::homoglyph(text, rng),
            Edit::Diacritics => surface::diacritics(text, rng),
            Edit::WordDrop => wording::drop(text, rng),
            Edit::WordSwap => wording::swap(text, rng),
            Edit::WordOrder => wording::shuffle(text, rng),
            Edit::Number => wording::number(text, rng),
            Edit::Negation => wording::negation(text),
            Edit::Name => names::swap(text, rng),
            Edit::Synonym => wording::synonym(text, means.synonyms?, rng),
            Edit::Mask => wording::replace(text, means.mask?, rng),
            Edit::Unk => wording::replace(text, means.unk?, rng),
            Edit::Truncate => wording::truncate(text),
            Edit::Prefix => Some(format!("{} {text}", means.prefix)),
            Edit::Suffix => Some(format!("{text} {}", means.suffix)),
        };
        edited.filter(|edited| edited != text && !edited.trim().is_empty())
    }
}

fn unknown(name: &str) -> Error {
    let names: Vec<String> = Edit::ALL.iter().map(|e| e.name().to_owned()).collect();
    let meant = nearest_name(name, &names).map(|n| format!("did you mean `{n}`? "));
    Error::BadParameter {
        name: "edit",
        value: name.to_owned(),
        problem: format!(
            "there is no such edit; {}edits are: {}; groups: typo, case, word, all",
            meant.unwrap_or_default(),
            names.join(", ")
        ),
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests;
