//! Tokenizing with character spans.

mod amend;
mod bos;
mod build;
mod class;
mod files;
mod one;
mod settings;
mod spans;
mod vocabulary;

pub use bos::Bos;
pub use files::Files;

use super::dataset::sha256_hex;
use crate::error::{Error, Result};
use bos::BosToken;
use rayon::prelude::*;
use settings::Settings;
use std::path::Path;
use tokenizers::Encoding;
use tokenizers::models::ModelWrapper;

/// The file of a model folder that describes its tokenizer.
const FILE: &str = "tokenizer.json";

/// All files that a tokenizer may be read from, beside `config.json`; a model has some of them.
pub const TOKENIZER_FILES: [&str; 7] = [
    FILE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];

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
    /// letters `[SEP]` typed in a text become that id as they do in Hugging Face, but are text: false here, with a span.
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

/// Runs the library on foreign data. It unwraps in places (a file cut within its decoder, a template that names a token which is not
/// there), and a file must not be able to end the process.
fn caught<T>(run: impl FnOnce() -> tokenizers::Result<T>) -> tokenizers::Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err("tokenizer.json is cut or damaged".into()))
}

/// A tokenizer of a model in Hugging Face layout. Cheap to share between threads.
///
/// What would make a text's tokens depend on anything but the text is switched off: the padding and truncation that some files
/// carry (all-MiniLM-L6-v2 cuts at 128 and pads to 128), and BPE dropout, which is random.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    sha256: String,
    bos: Option<BosToken>,
    policy: Bos,
}

impl Tokenizer {
    /// Reads the tokenizer of a model folder, as [`Tokenizer::open`] does.
    ///
    /// # Errors
    /// As [`Tokenizer::open`]; [`Error::NoSuchFile`] if there is no such folder.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        Self::open(&folder)
    }

    /// Reads the tokenizer that a model's files describe. How a text is cut, `tokenizer.json` alone says (where transformers has a class
    /// for a family it can cut in another way: 5.23's `LlamaTokenizer` joins leading spaces and a space after a special token
    /// differently); which tokens are special and which are put around the text, it says with `tokenizer_config.json`, as in transformers'
    /// `AutoTokenizer`. Without `tokenizer.json`, the tokenizer is built from `vocab.txt` (BERT's and MPNet's WordPiece) or from `vocab.json`
    /// and `merges.txt` (the byte-level BPE of GPT-2, OPT, GPT-NeoX, Qwen2 and RoBERTa).
    ///
    /// # Errors
    /// [`Error::NoTokenizer`] if there is none that plumb reads, with what to do; [`Error::Malformed`] and [`Error::NotUtf8`] for a file that
    /// is not what its name says.
    pub fn open(files: &dyn Files) -> Result<Self> {
        let mut settings = Settings::read(files)?;
        let mut tokenizer = match files.read_if_there(FILE)? {
            Some(bytes) => Self::amended(&bytes, files, &mut settings)?,
            None => {
                let built = build::from_vocabulary(files, &mut settings)?;
                let bytes = built.description.to_string();
                Self::from_bytes(bytes.as_bytes(), &files.shown(built.file))?
            }
        };
        let named: Vec<String> = ["bos_token", "cls_token"]
            .iter()
            .filter_map(|role| Some(settings.role(role)?.content.clone()))
            .collect();
        tokenizer.bos = BosToken::of(&tokenizer.inner, &named);
        Ok(tokenizer)
    }

    /// A `tokenizer.json` with what the settings beside it change.
    fn amended(bytes: &[u8], files: &dyn Files, settings: &mut Settings) -> Result<Self> {
        let mut tokenizer = Self::from_bytes(bytes, &files.shown(FILE))?;
        let changes = caught(|| amend::amend(&mut tokenizer.inner, settings));
        let changes = changes.map_err(|e| Error::Malformed {
            path: files.shown(FILE),
            problem: format!("the file and tokenizer_config.json do not agree: {e}"),
        })?;
        if !changes.is_empty() {
            let description = format!("{}\n{}", tokenizer.sha256, changes.join("\n"));
            tokenizer.sha256 = sha256_hex(description.as_bytes());
        }
        Ok(tokenizer)
    }

    /// Whether a model has files that [`Tokenizer::open`] would read.
    ///
    /// # Errors
    /// As [`Files::read_if_there`].
    pub fn is_there(files: &dyn Files) -> Result<bool> {
        for file in [FILE, "vocab.txt", "merges.txt"] {
            if files.read_if_there(file)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the bytes of a `tokenizer.json` and nothing else: transformers' `PreTrainedTokenizerFast`. `path` is named in errors.
    ///
    /// # Errors
    /// [`Error::Malformed`] if that is not a tokenizer.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let malformed = |e: tokenizers::Error| Error::Malformed {
            path: path.to_owned(),
            problem: format!("this is not a tokenizer that plumb can read: {e}"),
        };
        let mut inner = caught(|| tokenizers::Tokenizer::from_bytes(bytes)).map_err(malformed)?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(malformed)?;
        if let ModelWrapper::BPE(bpe) = inner.get_model()
            && bpe.dropout.is_some()
        {
            let mut bpe = bpe.clone();
            bpe.dropout = None;
            inner.with_model(bpe);
        }
        let bos = caught(|| Ok(BosToken::of(&inner, &[]))).map_err(malformed)?;
        Ok(Self {
            inner,
            sha256: sha256_hex(bytes),
            bos,
            policy: Bos::Auto,
        })
    }

    /// The same tokenizer with another policy for the beginning of a sequence.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if a token is asked for that the vocabulary does not have.
    pub fn with_bos(mut self, policy: Bos) -> Result<Self> {
        if policy == Bos::Always && self.bos.is_none() {
            return Err(Error::BadParameter {
                name: "bos",
                value: "always".to_owned(),
                problem: "this model's tokenizer has no beginning-of-sequence token (no bos_token, no cls_token); give --bos auto"
                    .to_owned(),
            });
        }
        self.policy = policy;
        Ok(self)
    }

    /// The id of the beginning-of-sequence token ([`Bos`]), if there is one.
    pub fn bos_id(&self) -> Option<u32> {
        self.bos.as_ref().map(|bos| bos.id)
    }

    /// SHA-256 in hexadecimal: of the bytes of `tokenizer.json` where nothing beside it changes the tokenizer, else of that hash and the
    /// changes; of the equivalent `tokenizer.json` where it was built from a vocabulary.
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
        let encoding = caught(|| self.inner.encode_char_offsets(text, true))
            .map_err(|e| bad_text(format!("the tokenizer cannot read the text: {e}")))?;
        let mut tokens = self.collect(&encoding, text);
        if let Some(bos) = &self.bos {
            bos.apply(self.policy, &mut tokens);
        }
        if tokens.is_empty() {
            return Err(bad_text(
                "the tokenizer finds no token in the text; leave the row out".to_owned(),
            ));
        }
        if let Some(context) = context {
            tokens.truncate(context).map_err(bad_text)?;
        }
        Ok(tokens)
    }

    fn collect(&self, encoding: &Encoding, text: &str) -> Tokens {
        let special = encoding.get_special_tokens_mask().iter();
        let special: Vec<bool> = special.map(|m| *m != 0).collect();
        // The encoding has the letters of the text where a special token takes in the space before it (` <mask>`).
        let spelled = encoding.get_ids().iter().zip(encoding.get_tokens());
        let tokens: Vec<String> = spelled
            .map(|(id, letters)| self.id_to_token(*id).unwrap_or_else(|| letters.clone()))
            .collect();
        Tokens {
            ids: encoding.get_ids().to_vec(),
            spans: spans::checked(text, &tokens, encoding.get_offsets(), &special),
            tokens,
            special,
            truncated_from: None,
        }
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

fn bad_text(problem: String) -> Error {
    Error::BadText { row: 0, problem }
}

fn at_row(error: Error, row: usize) -> Error {
    match error {
        Error::BadText { problem, .. } => Error::BadText { row, problem },
        other => other,
    }
}

#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;
