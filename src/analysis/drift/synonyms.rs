//! The nearest other word of a word, in a model's own embedding.

use crate::analysis::neighbors::{Correction, Metric, Rows, Space, nearest};
use crate::error::Result;
use crate::model::Transformer;
use crate::text::tokens::Tokenizer;
use candle_core::DType;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Neighbours that are looked through for one that is another word.
const CANDIDATES: usize = 12;

/// The words that are one token, in the space of the model's token embeddings, its mean taken off.
pub struct Synonyms {
    space: Space,
    rows: Rows,
    words: Vec<String>,
    of_word: HashMap<String, usize>,
    found: Mutex<HashMap<String, Option<String>>>,
}

impl Synonyms {
    /// Reads the words of a vocabulary and their embeddings.
    ///
    /// # Errors
    /// Those of [`Space::new`].
    pub fn new(model: &Transformer, tokenizer: &Tokenizer) -> Result<Self> {
        let embedding = model.embedding().to_dtype(DType::F32)?;
        let (vocab, width) = embedding.dims2()?;
        let spelled: Vec<Option<String>> = (0..vocab as u32)
            .map(|id| tokenizer.id_to_token(id))
            .collect();
        let marked = |marks: [char; 2]| spelled.iter().flatten().any(|t| t.starts_with(marks));
        let pieces = spelled.iter().flatten().any(|t| t.starts_with("##"));
        let begins = marked(['Ġ', '▁']) && !pieces;
        let (mut words, mut ids) = (Vec::new(), Vec::new());
        for (id, token) in spelled.iter().enumerate() {
            let Some(token) = token else { continue };
            let word = match begins {
                true => token.strip_prefix(['Ġ', '▁']),
                false => Some(token.as_str()),
            };
            // Letters of one alphabet's worth of length: single letters are no words in most scripts.
            let is_word = |w: &&str| {
                w.chars().all(char::is_alphabetic)
                    && (w.chars().count() > 1 || w.chars().all(|c| c > '\u{2e80}'))
            };
            if let Some(word) = word.filter(is_word) {
                words.push(word.to_owned());
                ids.push(id);
            }
        }
        let values = embedding.flatten_all()?.to_vec1::<f32>()?;
        let rows = Rows::new(width, values)?.select(&ids);
        let mut of_word = HashMap::new();
        for (i, word) in words.iter().enumerate() {
            of_word.entry(word.clone()).or_insert(i);
        }
        Ok(Self {
            space: Space::new(&rows, Metric::Cosine, Correction::Center, 0)?,
            rows,
            words,
            of_word,
            found: Mutex::new(HashMap::new()),
        })
    }

    /// The nearest other word; `None` for a word that is not one token.
    pub fn nearest(&self, word: &str) -> Option<String> {
        let lock = || self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = lock().get(word) {
            return found.clone();
        }
        let found = self.search(word);
        lock().insert(word.to_owned(), found.clone());
        found
    }

    fn search(&self, word: &str) -> Option<String> {
        let lower = word.to_lowercase();
        let own = self
            .of_word
            .get(word)
            .or_else(|| self.of_word.get(&lower))?;
        let row = self.space.different_row(*own)?;
        let vector = self.space.query(self.rows.row(*own)).ok()?;
        let near = nearest(&self.space, &[vector], CANDIDATES, &[Some(row)]).ok()?;
        let members = near
            .first()?
            .iter()
            .flat_map(|n| self.space.members(n.row as usize));
        let mut others = members.map(|m| &self.words[*m as usize]);
        others
            .find(|other| is_other(&lower, &other.to_lowercase()))
            .cloned()
    }
}

/// Whether two words are more than forms of one: neither begins with most of the other.
fn is_other(word: &str, other: &str) -> bool {
    let shared = word
        .chars()
        .zip(other.chars())
        .take_while(|(a, b)| a == b)
        .count();
    let shorter = word.chars().count().min(other.chars().count());
    word != other && (shorter < 3 || 3 * shared < 2 * shorter)
}

#[cfg(test)]
mod tests {
    use super::is_other;

    #[test]
    fn forms_of_a_word_are_not_other_words() {
        assert!(!is_other("film", "films"));
        assert!(!is_other("walking", "walked"));
        assert!(is_other("film", "movie"));
        assert!(is_other("good", "great"));
        assert!(is_other("好", "坏"));
    }
}
