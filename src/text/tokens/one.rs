//! The one token that somebody names.

use super::{Tokenizer, caught};
use crate::error::{Error, Result};
use tokenizers::models::ModelWrapper;

impl Tokenizer {
    /// The id of a token that is named in the vocabulary's own spelling (`Ġthe`, `##ing`, `[MASK]`) or as a text that is one token
    /// (` Paris`).
    ///
    /// # Errors
    /// [`Error::BadParameter`] for a text of no or of several tokens, which it lists, or of the unknown token alone.
    pub fn one_token(&self, named: &str) -> Result<u32> {
        if let Some(id) = self.token_to_id(named) {
            return Ok(id);
        }
        let bad = |problem: String| {
            Err(Error::BadParameter {
                name: "token",
                value: format!("`{}`", named.escape_debug()),
                problem,
            })
        };
        let encoding = match caught(|| self.inner.encode(named, false)) {
            Ok(encoding) => encoding,
            Err(e) => return bad(format!("the tokenizer cannot read it: {e}")),
        };
        match encoding.get_ids() {
            [] => bad("the tokenizer finds no token in it".to_owned()),
            [id] if self.is_unknown(*id) => bad(
                "it is not in the vocabulary, and becomes the unknown token; name another"
                    .to_owned(),
            ),
            [id] => Ok(*id),
            ids => {
                const SHOWN: usize = 8;
                let parts = ids.iter().take(SHOWN);
                let mut parts: Vec<String> = parts
                    .map(|id| self.id_to_token(*id).unwrap_or_else(|| id.to_string()))
                    .map(|token| format!("`{}`", token.escape_debug()))
                    .collect();
                if ids.len() > SHOWN {
                    parts.push("…".to_owned());
                }
                bad(format!(
                    "it is {} tokens ({}); name one token, or give a --text",
                    ids.len(),
                    parts.join(", ")
                ))
            }
        }
    }

    /// Whether an id is what the tokenizer puts for letters that it does not know.
    fn is_unknown(&self, id: u32) -> bool {
        let unknown = match self.inner.get_model() {
            ModelWrapper::BPE(bpe) => bpe.unk_token.clone(),
            ModelWrapper::WordPiece(model) => Some(model.unk_token.clone()),
            ModelWrapper::WordLevel(model) => Some(model.unk_token.clone()),
            // Its unknown token is private; by all conventions it is one of these.
            ModelWrapper::Unigram(_) => Some("<unk>".to_owned()),
        };
        unknown.is_some_and(|token| self.token_to_id(&token) == Some(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_token_is_named_by_its_spelling_or_as_a_text() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let tokenizer = Tokenizer::from_folder(&root.join("models/plumb-tiny")).unwrap();
        let paris = tokenizer.token_to_id("ĠParis").unwrap();
        for name in ["ĠParis", " Paris", "Paris"] {
            assert_eq!(tokenizer.one_token(name).unwrap(), paris, "{name}");
        }
        assert_eq!(
            tokenizer.one_token("<s>").unwrap(),
            tokenizer.token_to_id("<s>").unwrap()
        );
        let several = tokenizer.one_token("Paris is").unwrap_err().to_string();
        assert!(
            several.contains("it is 2 tokens (`ĠParis`, `Ġis`)"),
            "{several}"
        );
        assert!(tokenizer.one_token("").is_err());
        assert!(tokenizer.one_token("a\nb\u{1F642}").is_err());
    }
}
