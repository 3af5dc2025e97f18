//! A tokenizer from the vocabulary files of folders without `tokenizer.json`.

use super::class::Class;
use super::files::{Files, text};
use super::settings::Settings;
use super::vocabulary;
use crate::error::{Error, Result};
use serde_json::{Map, Value, json};
use tokenizers::AddedToken;

const WORDS: &str = "vocab.txt";
const IDS: &str = "vocab.json";
const MERGES: &str = "merges.txt";

/// Vocabularies that plumb does not read, as they are named in folders.
const FOREIGN: [&str; 7] = [
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
    "tokenizer.model",
    "tekken.json",
    "bpe.codes",
    "vocab.json",
];

/// A description in the form of `tokenizer.json`, beside the name of the file that the vocabulary is from.
pub(super) struct Built {
    pub(super) description: Value,
    pub(super) file: &'static str,
}

/// Describes the tokenizer that transformers makes of `vocab.txt`, or of `vocab.json` and `merges.txt`.
///
/// # Errors
/// [`Error::NoTokenizer`] if there is neither, or if they belong to a class that plumb does not build; [`Error::Malformed`] with the
/// line for damaged files.
pub(super) fn from_vocabulary(files: &dyn Files, settings: &mut Settings) -> Result<Built> {
    let missing = |problem: String| Error::NoTokenizer {
        folder: files.shown(""),
        problem,
    };
    let words = text(files, WORDS)?;
    let pairs = (text(files, IDS)?, text(files, MERGES)?);
    let names = match (&words, &pairs) {
        (None, (Some(_), Some(_))) => "vocab.json and merges.txt",
        (Some(_), _) => WORDS,
        _ => return Err(missing(what_is_there(files)?)),
    };
    let class = Class::of(settings).map_err(|class| {
        missing(match class {
            Some(class) => format!(
                "the folder has no tokenizer.json, and plumb does not build a tokenizer of `{class}` from {names}"
            ),
            None => format!(
                "the folder has no tokenizer.json, and no tokenizer_config.json or config.json that says what {names} belong to"
            ),
        })
    })?;
    settings.default_roles(class.roles());
    match (class.has_words(), words, pairs) {
        (true, Some(words), _) => from_words(files, settings, class, &words),
        (false, _, (Some(ids), Some(merges))) => from_pairs(files, settings, class, &ids, &merges),
        (has_words, ..) => Err(missing(format!(
            "the folder has no tokenizer.json, and its class needs {} where it has {names}",
            if has_words {
                WORDS
            } else {
                "vocab.json and merges.txt"
            }
        ))),
    }
}

/// What a folder has in place of the files that plumb reads.
fn what_is_there(files: &dyn Files) -> Result<String> {
    for file in FOREIGN {
        if files.read_if_there(file)?.is_some() {
            return Ok(match file {
                IDS => "the folder has no tokenizer.json, and vocab.json lacks its merges.txt"
                    .to_owned(),
                file => format!("the folder has no tokenizer.json, and plumb does not read {file}"),
            });
        }
    }
    Ok("the folder has no tokenizer.json, vocab.txt or vocab.json with merges.txt".to_owned())
}

fn from_words(files: &dyn Files, settings: &Settings, class: Class, words: &str) -> Result<Built> {
    let malformed = |problem| Error::Malformed {
        path: files.shown(WORDS),
        problem,
    };
    let vocab = vocabulary::words(words).map_err(malformed)?;
    let unknown = settings.role("unk_token").map(|t| t.content.as_str());
    let unknown = unknown.filter(|u| vocab.contains_key(*u)).ok_or_else(|| {
        let name = unknown.unwrap_or("token for unknown words");
        malformed(format!(
            "the vocabulary has no `{name}`, and words that it lacks would have no token"
        ))
    })?;
    let model = json!({
        "type": "WordPiece",
        "unk_token": unknown,
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": vocab,
    });
    describe(settings, class, &vocab, model)
        .map(|description| Built {
            description,
            file: WORDS,
        })
        .map_err(malformed)
}

fn from_pairs(
    files: &dyn Files,
    settings: &Settings,
    class: Class,
    ids: &str,
    merges: &str,
) -> Result<Built> {
    let malformed = |file: &'static str| {
        move |problem| Error::Malformed {
            path: files.shown(file),
            problem,
        }
    };
    let vocab = vocabulary::ids(ids).map_err(malformed(IDS))?;
    let merges = vocabulary::merges(merges, &vocab).map_err(malformed(MERGES))?;
    let model = json!({
        "type": "BPE",
        "dropout": null,
        "unk_token": null,
        "continuing_subword_prefix": "",
        "end_of_word_suffix": "",
        "fuse_unk": false,
        "byte_fallback": false,
        "ignore_merges": false,
        "vocab": vocab,
        "merges": merges,
    });
    describe(settings, class, &vocab, model)
        .map(|description| Built {
            description,
            file: IDS,
        })
        .map_err(malformed(IDS))
}

fn describe(
    settings: &Settings,
    class: Class,
    vocab: &Map<String, Value>,
    model: Value,
) -> Result<Value, String> {
    let added = added_tokens(settings, vocab)?;
    let id = |token: &str| {
        // Not one that only its role makes a token: the model has no embedding for it.
        let of_added = || settings.added.iter().find(|(_, t)| t.content == token);
        let of_vocab = vocab.get(token).and_then(Value::as_u64);
        let of_vocab = of_vocab.and_then(|id| u32::try_from(id).ok());
        of_vocab.or_else(|| of_added().map(|(id, _)| *id))
    };
    let post_processor = class.post_processor(settings, &id)?;
    let added: Vec<Value> = added.iter().map(|(id, token)| entry(*id, token)).collect();
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": class.normalizer(settings),
        "pre_tokenizer": class.pre_tokenizer(settings),
        "post_processor": post_processor,
        "decoder": class.decoder(),
        "model": model,
    }))
}

/// An entry of `added_tokens`.
fn entry(id: u32, token: &AddedToken) -> Value {
    json!({
        "id": id,
        "content": token.content.as_str(),
        "single_word": token.single_word,
        "lstrip": token.lstrip,
        "rstrip": token.rstrip,
        "normalized": token.normalized,
        "special": token.special,
    })
}

/// The tokens that are found in a text before it is cut into words: those that the files number, then those with a role, then the further
/// special ones. One that the vocabulary lacks has the next free id.
fn added_tokens(
    settings: &Settings,
    vocab: &Map<String, Value>,
) -> Result<Vec<(u32, AddedToken)>, String> {
    let numbered = settings.added.iter().map(|(id, t)| (Some(*id), t));
    let special = settings.role_tokens().chain(&settings.extra);
    let mut added: Vec<(u32, AddedToken)> = Vec::new();
    let mut free = vocab.len() as u64;
    for (said, token) in numbered.chain(special.map(|t| (None, t))) {
        if added.iter().any(|(_, t)| t.content == token.content) {
            continue;
        }
        let id = match vocab.get(&token.content).and_then(Value::as_u64) {
            Some(id) => id,
            None => {
                free += 1;
                free - 1
            }
        };
        if let Some(said) = said.filter(|said| u64::from(*said) != id) {
            return Err(format!(
                "the token `{}` has the id {id} here and {said} in added_tokens; the files are not of one tokenizer",
                token.content
            ));
        }
        let id = u32::try_from(id).map_err(|_| "the vocabulary is too large".to_owned())?;
        added.push((id, token.clone()));
    }
    Ok(added)
}
