//! WordPiece, as in BERT (`tokenizer.ggml.model` = bert).

use super::super::file::Gguf;
use super::{Kind, Parts, Vocabulary};
use crate::error::Result;
use serde_json::json;

/// What llama.cpp writes before a token that begins a word, where BERT writes `##` before one that does not.
const BEGINS: char = '\u{2581}';

pub(super) fn parts(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Parts> {
    let cls = vocabulary.special(gguf, "cls", None);
    let cls = cls.or_else(|_| vocabulary.special(gguf, "bos", Some(101)))?;
    // The key is spelled so.
    let sep = vocabulary.special(gguf, "seperator", Some(102))?;
    let unknown = vocabulary.special(gguf, "unknown", Some(100))?;
    let spell = |id: usize| spell(vocabulary.tokens[id], vocabulary.kinds[id]);
    // The file does not say whether the model is cased, but a vocabulary of lower-cased text has no capitals.
    let normal = (0..vocabulary.tokens.len()).filter(|id| vocabulary.kinds[*id] == Kind::Normal);
    let mut words = normal.map(spell).filter(|word| !word.starts_with('['));
    let lowercase = !words.any(|word| word.chars().any(char::is_uppercase));
    Ok(Parts {
        normalizer: json!({
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": lowercase,
        }),
        pre_tokenizer: json!({"type": "BertPreTokenizer"}),
        decoder: json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
        model: json!({
            "type": "WordPiece", "unk_token": vocabulary.tokens[unknown], "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary.ids(gguf, spell)?,
        }),
        before: vec![cls],
        after: vec![sep],
    })
}

/// A token as BERT's own vocabulary has it.
fn spell(token: &str, kind: Kind) -> String {
    match token.strip_prefix(BEGINS) {
        Some(word) => word.to_owned(),
        // Old files mark special tokens by their brackets alone.
        None if kind != Kind::Normal || (token.starts_with('[') && token.ends_with(']')) => {
            token.to_owned()
        }
        None => format!("##{token}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_spelled_as_in_the_vocabulary_of_bert() {
        for (token, kind, spelled) in [
            ("\u{2581}the", Kind::Normal, "the"),
            ("ing", Kind::Normal, "##ing"),
            ("[CLS]", Kind::Control, "[CLS]"),
            ("[CLS]", Kind::Normal, "[CLS]"),
            ("\u{2581}[", Kind::Normal, "["),
        ] {
            assert_eq!(spell(token, kind), spelled);
        }
    }
}
