//! From the vocabulary in a GGUF file to a `tokenizer.json`.
//!
//! A file holds the vocabulary and a name for how text is cut before it is looked up. What that name stands for is
//! llama.cpp's knowledge; where it is not plumb's, the file is refused with the advice to put the model's own `tokenizer.json`
//! beside it. (Names: `src/llama-vocab.cpp` of llama.cpp; what Hugging Face has for them: the models' own files.)

mod byte_level;
mod sentence_piece;
mod word_piece;

use super::file::Gguf;
use super::header::Value as Stored;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The `tokenizer.json` that the file describes.
///
/// # Errors
/// [`Error::NoTokenizer`] for a kind that is not read; [`Error::Malformed`].
pub(super) fn tokenizer(gguf: &Gguf) -> Result<Value> {
    let vocabulary = Vocabulary::of(gguf)?;
    let parts = match gguf.text(MODEL) {
        Some("gpt2") => byte_level::parts(gguf, &vocabulary)?,
        Some("llama") => sentence_piece::parts(gguf, &vocabulary)?,
        Some("bert") => word_piece::parts(gguf, &vocabulary)?,
        _ => {
            return Err(unread(
                gguf,
                MODEL,
                "read are gpt2 (byte-level BPE), llama (SentencePiece BPE) and bert (WordPiece)",
            ));
        }
    };
    let added = vocabulary.added(gguf, &parts)?;
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": parts.normalizer,
        "pre_tokenizer": parts.pre_tokenizer,
        "post_processor": template(&vocabulary, &parts)?,
        "decoder": parts.decoder,
        "model": parts.model,
    }))
}

pub(super) const MODEL: &str = "tokenizer.ggml.model";
const TOKENS: &str = "tokenizer.ggml.tokens";

/// The `tokenizer_config.json` that goes with it.
pub(super) fn settings(gguf: &Gguf) -> Value {
    let bos = gguf.unsigned("tokenizer.ggml.bos_token_id");
    let bos = bos.and_then(|id| usize::try_from(id).ok());
    let tokens = gguf.texts(TOKENS).unwrap_or_default();
    let bos = bos.and_then(|id| tokens.get(id).copied());
    // No class of transformers: theirs would do to the tokenizer what it does already.
    json!({"tokenizer_class": "GgufTokenizer", "bos_token": bos})
}

/// The refusal of a tokenizer, with the way out.
fn unread(gguf: &Gguf, key: &str, problem: &str) -> Error {
    let value = gguf.metadata().get(key).map(Stored::json);
    let value = match value {
        None => "(absent)".to_owned(),
        Some(Value::Array(_)) => "a list".to_owned(),
        Some(value) => value.to_string(),
    };
    Error::NoTokenizer {
        folder: gguf.path().to_owned(),
        problem: format!(
            "`{key}` = {value}: {problem}; put the model's tokenizer.json beside the file"
        ),
    }
}

/// What is particular to a kind of tokenizer.
struct Parts {
    normalizer: Value,
    pre_tokenizer: Value,
    decoder: Value,
    model: Value,
    /// Ids of the tokens put before each text.
    before: Vec<usize>,
    /// Ids of the tokens put after each text.
    after: Vec<usize>,
}

/// What a token is for, by llama.cpp's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Unknown,
    Control,
    UserDefined,
    Unused,
    Byte,
}

/// The tokens of a file, by id.
struct Vocabulary<'a> {
    /// As the file spells them.
    tokens: Vec<&'a str>,
    kinds: Vec<Kind>,
}

impl<'a> Vocabulary<'a> {
    fn of(gguf: &'a Gguf) -> Result<Self> {
        let tokens = gguf.texts(TOKENS);
        let tokens = tokens.ok_or_else(|| unread(gguf, TOKENS, "it has no vocabulary"))?;
        let kinds = match gguf.metadata().get("tokenizer.ggml.token_type") {
            None => vec![Kind::Normal; tokens.len()],
            Some(Stored::List(kinds)) => kinds.iter().map(kind).collect(),
            Some(_) => Vec::new(),
        };
        if kinds.len() != tokens.len() {
            let (kinds, tokens) = (kinds.len(), tokens.len());
            return Err(gguf.malformed(format!("it has {kinds} token types for {tokens} tokens")));
        }
        Ok(Self { tokens, kinds })
    }

    fn token(&self, gguf: &Gguf, key: &str, id: usize) -> Result<&'a str> {
        let token = self.tokens.get(id).copied();
        token.ok_or_else(|| gguf.unsupported(key, "there is no token of this id"))
    }

    /// A special token by the key that has its id, or by llama.cpp's default for the kind of tokenizer.
    fn special(&self, gguf: &Gguf, name: &str, default: Option<usize>) -> Result<usize> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let stored = gguf.unsigned(&key).and_then(|id| usize::try_from(id).ok());
        let id = stored.or(default);
        let id = id.ok_or_else(|| unread(gguf, &key, "the token is needed and not named"))?;
        self.token(gguf, &key, id).map(|_| id)
    }

    /// Token to id, each spelled by `spell`; a spelling must stand for one id.
    fn ids(&self, gguf: &Gguf, spell: impl Fn(usize) -> String) -> Result<Map<String, Value>> {
        let mut ids = Map::new();
        for id in 0..self.tokens.len() {
            let token = spell(id);
            if ids.contains_key(&token) {
                return Err(gguf.malformed(format!("the token `{token}` is there twice")));
            }
            ids.insert(token, id.into());
        }
        Ok(ids)
    }

    /// Tokens that are found in the text as they stand, before anything else is done to it.
    fn added(&self, gguf: &Gguf, parts: &Parts) -> Result<Vec<Value>> {
        let named = [
            "bos",
            "eos",
            "unknown",
            "padding",
            "seperator",
            "cls",
            "mask",
        ];
        let named = named.iter().filter_map(|name| {
            let id = gguf.unsigned(&format!("tokenizer.ggml.{name}_token_id"))?;
            usize::try_from(id)
                .ok()
                .filter(|id| *id < self.tokens.len())
        });
        let around = parts.before.iter().chain(&parts.after).copied();
        let named: BTreeSet<usize> = named.chain(around).collect();
        let found = (0..self.tokens.len()).filter_map(|id| {
            let special = match self.kinds[id] {
                Kind::Control | Kind::Unknown => true,
                Kind::UserDefined => false,
                _ if named.contains(&id) => true,
                _ => return None,
            };
            Some(json!({
                "id": id, "content": self.tokens[id], "special": special,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            }))
        });
        Ok(found.collect())
    }
}

fn kind(number: &Stored) -> Kind {
    match number {
        Stored::Signed(2) | Stored::Unsigned(2) => Kind::Unknown,
        Stored::Signed(3) | Stored::Unsigned(3) => Kind::Control,
        Stored::Signed(4) | Stored::Unsigned(4) => Kind::UserDefined,
        Stored::Signed(5) | Stored::Unsigned(5) => Kind::Unused,
        Stored::Signed(6) | Stored::Unsigned(6) => Kind::Byte,
        _ => Kind::Normal,
    }
}

/// The tokens that a model's own tokenizer puts around a text, as the file says.
fn around(
    gguf: &Gguf,
    vocabulary: &Vocabulary<'_>,
    bos_by_default: bool,
    default: Option<(usize, usize)>,
) -> Result<(Vec<usize>, Vec<usize>)> {
    let mut sides = (Vec::new(), Vec::new());
    if gguf
        .flag("tokenizer.ggml.add_bos_token")
        .unwrap_or(bos_by_default)
    {
        sides
            .0
            .push(vocabulary.special(gguf, "bos", default.map(|d| d.0))?);
    }
    if gguf.flag("tokenizer.ggml.add_eos_token").unwrap_or(false) {
        sides
            .1
            .push(vocabulary.special(gguf, "eos", default.map(|d| d.1))?);
    }
    Ok(sides)
}

fn template(vocabulary: &Vocabulary<'_>, parts: &Parts) -> Result<Value> {
    let sides = [&parts.before, &parts.after];
    if sides.iter().all(|side| side.is_empty()) {
        return Ok(Value::Null);
    }
    let special =
        |id: &usize| json!({"SpecialToken": {"id": vocabulary.tokens[*id], "type_id": 0}});
    let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    let around = |middle: Vec<Value>| -> Vec<Value> {
        let before = parts.before.iter().map(special);
        before
            .chain(middle)
            .chain(parts.after.iter().map(special))
            .collect()
    };
    let used = sides.into_iter().flatten().map(|id| {
        let token = vocabulary.tokens[*id];
        (
            token.to_owned(),
            json!({"id": token, "ids": [id], "tokens": [token]}),
        )
    });
    Ok(json!({
        "type": "TemplateProcessing",
        "single": around(vec![text("A")]),
        "pair": around(vec![text("A"), text("B")]),
        "special_tokens": used.collect::<Map<String, Value>>(),
    }))
}
