//! What stands at the beginning of a sequence.

use super::Tokens;
use serde::{Deserialize, Serialize};
use tokenizers::{Encoding, Token, Tokenizer};

/// Whether the beginning-of-sequence token is put before a text.
///
/// It is the first of the tokens that the tokenizer puts before a text (`<s>`, BERT's `[CLS]`); where it puts none there, the
/// `bos_token` of its files, or else their `cls_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bos {
    /// As the model's own tokenizer does.
    #[default]
    Auto,
    /// It is the first token, once: it is added unless the text's tokens begin with it.
    Always,
    /// The one that the tokenizer adds is left out; other special tokens (`[SEP]`, `</s>`) stay, and so does one that is typed in the
    /// text.
    Never,
}

/// The beginning-of-sequence token of a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BosToken {
    pub(super) id: u32,
    pub(super) name: String,
}

impl BosToken {
    /// Finds it; `named` are the tokens that the files call `bos_token` and `cls_token`.
    pub(super) fn of(inner: &Tokenizer, named: &[String]) -> Option<Self> {
        let known = |name: &String| {
            let id = inner.token_to_id(name)?;
            Some(Self {
                id,
                name: name.clone(),
            })
        };
        put_first(inner).or_else(|| named.iter().find_map(known))
    }

    /// Applies the policy to the tokens of a text.
    pub(super) fn apply(&self, policy: Bos, tokens: &mut Tokens) {
        let first = tokens.ids.first() == Some(&self.id);
        match policy {
            Bos::Always if !first => {
                tokens.ids.insert(0, self.id);
                tokens.tokens.insert(0, self.name.clone());
                tokens.spans.insert(0, None);
                tokens.special.insert(0, true);
            }
            Bos::Never if first && tokens.special.first() == Some(&true) => {
                tokens.ids.remove(0);
                tokens.tokens.remove(0);
                tokens.spans.remove(0);
                tokens.special.remove(0);
            }
            _ => {}
        }
    }
}

/// What the post-processor puts before a text of one token.
fn put_first(inner: &Tokenizer) -> Option<BosToken> {
    let text = Encoding::from_tokens(vec![Token::new(0, String::new(), (0, 0))], 0);
    let around = inner.post_process(text, None, true).ok()?;
    let first = around.get_special_tokens_mask().first() == Some(&1);
    first.then_some(BosToken {
        id: *around.get_ids().first()?,
        name: around.get_tokens().first()?.clone(),
    })
}
