//! From the written world to what a step reads.

use super::Recipe;
use super::world::{Corpus, Lesson, Split, World};
use anyhow::{Result, anyhow};
use plumb::text::batch::Batch;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokenizers::Tokenizer;

/// The tokens that stand before a document and after it: the first two of the tokenizer.
pub(crate) const BEGIN: u32 = 0;
/// Stands after a document.
pub(crate) const END: u32 = 1;
/// Longer documents are not spelled: the corpus is to stay one of short texts.
const LONGEST_SPELLED: usize = 48;

/// Some documents, and for each token the one that follows it.
pub(crate) type Part = (Batch, Vec<u32>);

/// The two ways of reading a text.
pub(crate) struct Reader {
    /// As the model's users do: every word of the world is one token.
    whole: Tokenizer,
    /// In pieces and bytes, as words are read that the world does not have.
    spelled: Tokenizer,
}

impl Reader {
    /// From the `tokenizer.json` of the model.
    pub(crate) fn new(file: &Value) -> Result<Self> {
        let mut pieces = file.clone();
        pieces["model"]["ignore_merges"] = json!(false);
        let tokenizer =
            |file: &Value| Tokenizer::from_bytes(file.to_string()).map_err(|e| anyhow!(e));
        Ok(Self {
            whole: tokenizer(file)?,
            spelled: tokenizer(&pieces)?,
        })
    }

    pub(crate) fn name(&self, id: u32) -> Option<String> {
        self.whole.id_to_token(id)
    }

    pub(crate) fn vocabulary(&self) -> usize {
        self.whole.get_vocab_size(true)
    }

    /// The tokens of a document, the end not among them.
    pub(crate) fn read(&self, text: &str, spell: bool) -> Result<Vec<u32>> {
        let ids = |tokenizer: &Tokenizer| -> Result<Vec<u32>> {
            let encoding = tokenizer.encode_fast(text, true).map_err(|e| anyhow!(e))?;
            Ok(encoding.get_ids().to_vec())
        };
        if spell {
            let spelled = ids(&self.spelled)?;
            if spelled.len() < LONGEST_SPELLED {
                return Ok(spelled);
            }
        }
        ids(&self.whole)
    }
}

/// Packs documents. Every token predicts the next one, the last the end: `<s> Lyon lies …` and `Lyon lies … </s>`.
pub(crate) fn pack(texts: &[Vec<u32>]) -> Result<Part> {
    let batch = Batch::new(texts)?;
    let mut targets = Vec::with_capacity(batch.tokens());
    for &text in batch.order() {
        targets.extend_from_slice(&texts[text][1..]);
        targets.push(END);
    }
    Ok((batch, targets))
}

/// The documents of a training, step by step.
pub(crate) struct Documents<'w> {
    corpus: Corpus<'w>,
    spelling: ChaCha8Rng,
}

impl<'w> Documents<'w> {
    pub(crate) fn new(world: &'w World, seed: u64) -> Self {
        Self {
            corpus: Corpus::new(world, seed, Split::Train),
            spelling: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// What a step reads: each text, and whether it is spelled.
    pub(crate) fn next(&mut self, recipe: &Recipe, step: usize) -> Vec<(String, bool)> {
        let lesson = match step < recipe.facts {
            true => Lesson::Facts,
            false => Lesson::All,
        };
        (0..recipe.batch)
            .map(|_| {
                let spell = self.spelling.random_bool(recipe.spell);
                (self.corpus.document(lesson), spell)
            })
            .collect()
    }
}
