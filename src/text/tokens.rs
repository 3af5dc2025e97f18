//! Tokenizing with character spans.

mod spans;

use crate::error::{Error, Result};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use tokenizers::Encoding;
use tokenizers::models::ModelWrapper;

/// The file of a model folder that describes its tokenizer.
const FILE: &str = "tokenizer.json";

/// The tokens of one text. The vectors have one entry a token and are equally long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Vocabulary ids, as the embedding reads them.
    pub ids: Vec<u32>,
    /// The vocabulary's own spelling of each id (`Ġthe`, `##ing`, `▁a`), markers included.
    pub tokens: Vec<String>,
    /// Start and end (exclusive) of each token in the text, in characters (Unicode scalar values, as Python counts). `None` for a
    /// token that stands for no text, or whose place is not known: a span is right or it is not there. Tokens that are pieces of
    /// one character (byte-level emoji) all have the span of that character.
    pub spans: Vec<Option<(u32, u32)>>,
    /// True for the tokens that the tokenizer's post-processor added (`[CLS]`, `<s>`): Hugging Face's `special_tokens_mask`. The
    /// letters "[SEP]" typed in a text become that id as they do in Hugging Face, but are text: false here, with a span.
    pub special: Vec<bool>,
    /// The number of tokens before truncation, if the text was longer than the context.
    pub truncated_from: Option<usize>,
}

impl Tokens {
    /// The number of tokens, special ones included.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Pre-tokenised data: these ids and nothing added, without spans. Names come from the tokenizer; without one, or for an id that
    /// it does not know (embeddings are often padded beyond the vocabulary), the name is the id in decimal. An id that is one of the
    /// tokenizer's special tokens is marked special. At most the first `context` ids are kept.
    ///
    /// # Errors
    /// [`Error::BadText`] (row 0; the caller knows the row) if there is no id.
    pub fn from_ids(
        mut ids: Vec<u32>,
        tokenizer: Option<&Tokenizer>,
        context: Option<usize>,
    ) -> Result<Self> {
        let full = ids.len();
        if let Some(context) = context {
            ids.truncate(context);
        }
        if ids.is_empty() {
            return Err(Error::BadText {
                row: 0,
                problem: "the list of token ids is empty; leave the row out".to_owned(),
            });
        }
        let name = |id: u32| tokenizer.and_then(|t| t.id_to_token(id));
        let special = |id: u32| tokenizer.is_some_and(|t| t.is_special(id));
        Ok(Self {
            tokens: ids
                .iter()
                .map(|&id| name(id).unwrap_or_else(|| id.to_string()))
                .collect(),
            spans: vec![None; ids.len()],
            special: ids.iter().map(|&id| special(id)).collect(),
            truncated_from: (full > ids.len()).then_some(full),
            ids,
        })
    }

    /// Cuts to `context` tokens from the right as Hugging Face's `truncation=True` does: text goes, special tokens stay.
    fn truncate(&mut self, context: usize) -> Result<(), String> {
        let full = self.len();
        let Some(excess) = full.checked_sub(context).filter(|n| *n > 0) else {
            return Ok(());
        };
        let texts = self.special.iter().filter(|s| !**s).count();
        let Some(kept) = texts.checked_sub(excess).filter(|n| *n > 0) else {
            let added = full - texts;
            return Err(format!(
                "a context of {context} tokens has no room for text beside the {added} special token(s) that the tokenizer adds; give \
                 a longer context"
            ));
        };
        let mut seen = 0;
        let keep: Vec<bool> = self
            .special
            .iter()
            .map(|special| {
                seen += usize::from(!special);
                *special || seen <= kept
            })
            .collect();
        retain(&mut self.ids, &keep);
        retain(&mut self.tokens, &keep);
        retain(&mut self.spans, &keep);
        retain(&mut self.special, &keep);
        self.truncated_from = Some(full);
        Ok(())
    }
}

fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    values.retain(|_| keep.next().is_some_and(|k| *k));
}

/// A tokenizer in Hugging Face's `tokenizer.json` format. Cheap to share between threads.
///
/// What would make a text's tokens depend on anything but the text is switched off: the padding and truncation that some files
/// carry (all-MiniLM-L6-v2 cuts at 128 and pads to 128), and BPE dropout, which is random.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    sha256: String,
}

impl Tokenizer {
    /// Reads `tokenizer.json` of a model folder. `tokenizer_config.json` is not read.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`] if there is no such folder, [`Error::MissingModelFile`] if it has no `tokenizer.json`,
    /// [`Error::Malformed`] if that is not a tokenizer.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => Self::from_bytes(&bytes, path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && folder.is_dir() => {
                Err(Error::MissingModelFile {
                    folder: folder.to_owned(),
                    file: FILE.to_owned(),
                })
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::io(folder, e)),
            Err(e) => Err(Error::io(path, e)),
        }
    }

    fn from_bytes(bytes: &[u8], path: PathBuf) -> Result<Self> {
        let malformed = |e: tokenizers::Error| Error::Malformed {
            path: path.clone(),
            problem: format!("this is not a tokenizer that plumb can read: {e}"),
        };
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(malformed)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(malformed)?;
        if let ModelWrapper::BPE(bpe) = inner.get_model()
            && bpe.dropout.is_some()
        {
            let mut bpe = bpe.clone();
            bpe.dropout = None;
            inner.with_model(bpe);
        }
        Ok(Self {
            inner,
            sha256: hex(&Sha256::digest(bytes)),
        })
    }

    /// SHA-256 of the bytes of `tokenizer.json`, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The number of ids that have a token, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The id of a token in the vocabulary's own spelling.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The vocabulary's own spelling of an id.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Whether an id is one of the vocabulary's special tokens.
    pub fn is_special(&self, id: u32) -> bool {
        let added = self.inner.get_added_vocabulary();
        self.id_to_token(id)
            .is_some_and(|token| added.is_special_token(&token))
    }

    /// The text that these ids stand for; special tokens are left out if `skip_special`.
    ///
    /// # Errors
    /// [`Error::BadText`] (row 0; the caller knows the row) if an id is not in the vocabulary.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        if let Some(id) = ids.iter().find(|id| self.id_to_token(**id).is_none()) {
            return Err(bad_text(format!(
                "the token id {id} is not in the tokenizer's vocabulary of {} tokens",
                self.vocab_size()
            )));
        }
        self.inner
            .decode(ids, skip_special)
            .map_err(|e| bad_text(format!("the tokenizer cannot decode these ids: {e}")))
    }

    /// The tokens of a text, with the special tokens that the tokenizer's post-processor adds. Longer than `context` tokens, it is cut
    /// from the right as Hugging Face's `truncation=True` does, and says so in [`Tokens::truncated_from`].
    ///
    /// # Errors
    /// [`Error::BadText`] (row 0; the caller knows the row) for a text without any token, and for a context without room for text
    /// beside the special tokens.
    pub fn encode(&self, text: &str, context: Option<usize>) -> Result<Tokens> {
        let encoding = self
            .inner
            .encode_char_offsets(text, true)
            .map_err(|e| bad_text(format!("the tokenizer cannot read the text: {e}")))?;
        if encoding.is_empty() {
            return Err(bad_text(
                "the tokenizer finds no token in the text; leave the row out".to_owned(),
            ));
        }
        let mut tokens = collect(&encoding, text);
        if let Some(context) = context {
            tokens.truncate(context).map_err(bad_text)?;
        }
        Ok(tokens)
    }

    /// The tokens of every text, in order; the texts are encoded in parallel.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`], with the row of the first text at fault.
    pub fn encode_all(&self, texts: &[String], context: Option<usize>) -> Result<Vec<Tokens>> {
        let encoded: Vec<Result<Tokens>> = texts
            .par_iter()
            .map(|text| self.encode(text, context))
            .collect();
        // Collected first, then searched in order: rayon's own short cut reports whichever error it meets first.
        encoded
            .into_iter()
            .enumerate()
            .map(|(row, tokens)| tokens.map_err(|e| at_row(e, row)))
            .collect()
    }
}

fn collect(encoding: &Encoding, text: &str) -> Tokens {
    let special: Vec<bool> = encoding
        .get_special_tokens_mask()
        .iter()
        .map(|m| *m != 0)
        .collect();
    Tokens {
        ids: encoding.get_ids().to_vec(),
        tokens: encoding.get_tokens().to_vec(),
        spans: spans::checked(
            text,
            encoding.get_tokens(),
            encoding.get_offsets(),
            &special,
        ),
        special,
        truncated_from: None,
    }
}

fn bad_text(problem: String) -> Error {
    Error::BadText { row: 0, problem }
}

fn at_row(error: Error, row: usize) -> Error {
    match error {
        Error::BadText { problem, .. } => Error::BadText { row, problem },
        other => other,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
