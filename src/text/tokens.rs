//! Tokenizing with character spans.

mod spans;

use super::dataset::sha256_hex;
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::path::Path;
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
    /// Reads `tokenizer.json` of a model folder, and nothing else: the result is that of transformers' `PreTrainedTokenizerFast`. Where
    /// transformers has a class for a family it can build another tokenizer from the same vocabulary (5.23's `LlamaTokenizer` joins
    /// leading spaces and a space after a special token differently).
    ///
    /// # Errors
    /// [`Error::NoSuchFile`] if there is no such folder, [`Error::MissingModelFile`] if it has no `tokenizer.json`,
    /// [`Error::Malformed`] if that is not a tokenizer.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        match std::fs::read(&path) {
            Ok(bytes) => Self::from_bytes(&bytes, &path),
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

    /// Reads the bytes of a `tokenizer.json`, as [`Tokenizer::from_folder`] does; `path` is named in errors.
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
        Ok(Self {
            inner,
            sha256: sha256_hex(bytes),
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
        let encoding = caught(|| self.inner.encode_char_offsets(text, true))
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::path::PathBuf;

    /// GPT-2's way: every byte is a token, and three merges.
    fn byte_level() -> Value {
        let mut vocab = serde_json::Map::new();
        let mut alphabet: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet()
            .into_iter()
            .collect();
        alphabet.sort_unstable();
        for piece in alphabet
            .iter()
            .map(char::to_string)
            .chain(["Ġc", "Ġca", "Ġcat"].map(String::from))
        {
            vocab.insert(piece, json!(vocab.len()));
        }
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
            "post_processor": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
            "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true},
            "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
                      "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": ["Ġ c", "Ġc a", "Ġca t"]}
        })
    }

    /// BERT's way, with the truncation and padding that some published files carry.
    fn word_piece() -> Value {
        let words = [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cafe", "##s", "play", "##ing", ",", "is",
        ];
        let vocab: serde_json::Map<_, _> = words
            .iter()
            .enumerate()
            .map(|(i, w)| ((*w).to_owned(), json!(i)))
            .collect();
        let added: Vec<Value> = words[..4].iter().enumerate().map(|(i, w)| json!({
            "id": i, "content": w, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true
        })).collect();
        json!({
            "version": "1.0",
            "truncation": {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
            "padding": {"strategy": {"Fixed": 16}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
            "added_tokens": added,
            "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab}
        })
    }

    fn tokenizer(description: &Value) -> Tokenizer {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), description.to_string()).unwrap();
        Tokenizer::from_folder(folder.path()).unwrap()
    }

    #[test]
    fn spans_count_characters_and_cover_the_text() {
        let tokenizer = tokenizer(&byte_level());
        let text = "é😀 cat\n cat";
        let tokens = tokenizer.encode(text, None).unwrap();
        assert_eq!(
            tokens.tokens,
            ["Ã", "©", "ð", "Ł", "ĺ", "Ģ", "Ġcat", "Ċ", "Ġcat"]
        );
        let spans: Vec<(u32, u32)> = tokens.spans.iter().map(|s| s.unwrap()).collect();
        assert_eq!(
            spans,
            [
                (0, 1),
                (0, 1),
                (1, 2),
                (1, 2),
                (1, 2),
                (1, 2),
                (2, 6),
                (6, 7),
                (7, 11)
            ]
        );
        assert_eq!(tokenizer.decode(&tokens.ids, true).unwrap(), text);
        assert!(tokens.special.iter().all(|s| !s));
    }

    #[test]
    fn special_tokens_are_marked_and_stand_for_no_text() {
        let tokens = tokenizer(&word_piece())
            .encode("Cafés, playing", None)
            .unwrap();
        assert_eq!(
            tokens.tokens,
            ["[CLS]", "cafe", "##s", ",", "play", "##ing", "[SEP]"]
        );
        assert_eq!(
            tokens.special,
            [true, false, false, false, false, false, true]
        );
        assert_eq!(
            tokens.spans,
            [
                None,
                Some((0, 4)),
                Some((4, 5)),
                Some((5, 6)),
                Some((7, 11)),
                Some((11, 14)),
                None
            ]
        );
    }

    #[test]
    fn a_special_token_that_is_typed_is_text() {
        let tokens = tokenizer(&word_piece())
            .encode("the [SEP] is", None)
            .unwrap();
        assert_eq!(tokens.ids, [2, 4, 3, 10, 3]);
        assert_eq!(tokens.special, [true, false, false, false, true]);
        assert_eq!(tokens.spans[2], Some((4, 9)));
    }

    #[test]
    fn padding_and_truncation_of_the_file_are_off() {
        let tokens = tokenizer(&word_piece())
            .encode("the the the the the the", None)
            .unwrap();
        assert_eq!(tokens.ids, [2, 4, 4, 4, 4, 4, 4, 3]);
        assert_eq!(tokens.truncated_from, None);
    }

    #[test]
    fn dropout_of_the_file_is_off() {
        let mut description = byte_level();
        description["model"]["dropout"] = json!(0.9);
        let tokens = tokenizer(&description)
            .encode(" cat cat cat cat", None)
            .unwrap();
        assert_eq!(tokens.tokens, ["Ġcat"; 4]);
    }

    #[test]
    fn truncation_keeps_the_trailing_special_tokens() {
        let tokenizer = tokenizer(&word_piece());
        let tokens = tokenizer.encode("the cafe is playing", Some(4)).unwrap();
        assert_eq!(tokens.tokens, ["[CLS]", "the", "cafe", "[SEP]"]);
        assert_eq!(tokens.spans, [None, Some((0, 3)), Some((4, 8)), None]);
        assert_eq!(tokens.special, [true, false, false, true]);
        assert_eq!(tokens.truncated_from, Some(7));
        assert_eq!(
            tokenizer
                .encode("the cafe", Some(4))
                .unwrap()
                .truncated_from,
            None
        );
        let error = tokenizer
            .encode("the cafe", Some(2))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no room for text beside the 2 special"),
            "{error}"
        );
    }

    #[test]
    fn many_texts_keep_their_order_and_an_error_names_the_first_row() {
        let tokenizer = tokenizer(&byte_level());
        let mut texts: Vec<String> = (0..500).map(|i| format!("{i} cat")).collect();
        let all = tokenizer.encode_all(&texts, None).unwrap();
        for (text, tokens) in texts.iter().zip(&all) {
            assert_eq!(&tokenizer.decode(&tokens.ids, false).unwrap(), text);
        }
        texts[17].clear();
        texts[400].clear();
        let error = tokenizer.encode_all(&texts, None).unwrap_err();
        assert!(matches!(error, Error::BadText { row: 17, .. }), "{error}");
    }

    #[test]
    fn ids_are_taken_as_they_are() {
        let tokenizer = tokenizer(&word_piece());
        let named = Tokens::from_ids(vec![2, 5, 99], Some(&tokenizer), None).unwrap();
        assert_eq!(named.tokens, ["[CLS]", "cafe", "99"]);
        assert_eq!(named.special, [true, false, false]);
        assert_eq!(named.spans, [None; 3]);
        let plain = Tokens::from_ids(vec![2, 5, 99], None, Some(2)).unwrap();
        assert_eq!(
            (plain.ids.as_slice(), plain.truncated_from),
            ([2, 5].as_slice(), Some(3))
        );
        assert_eq!(plain.tokens, ["2", "5"]);
        assert!(Tokens::from_ids(vec![], None, None).is_err());
    }

    #[test]
    fn the_vocabulary_answers_both_ways() {
        let tokenizer = tokenizer(&word_piece());
        assert_eq!(tokenizer.vocab_size(), 11);
        assert_eq!(tokenizer.token_to_id("##ing"), Some(8));
        assert_eq!(tokenizer.id_to_token(8).as_deref(), Some("##ing"));
        assert_eq!(tokenizer.token_to_id("nothing"), None);
        assert_eq!(tokenizer.decode(&[2, 7, 8, 3], true).unwrap(), "playing");
        let error = tokenizer.decode(&[2, 11], true).unwrap_err().to_string();
        assert!(
            error.contains("token id 11 is not in the tokenizer's vocabulary of 11"),
            "{error}"
        );
    }

    #[test]
    fn a_folder_without_a_tokenizer_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Tokenizer::from_folder(folder.path()).unwrap_err();
        assert!(
            matches!(missing, Error::MissingModelFile { .. }),
            "{missing}"
        );
        let nowhere = Tokenizer::from_folder(&folder.path().join("none")).unwrap_err();
        assert!(matches!(nowhere, Error::NoSuchFile { .. }), "{nowhere}");
        for content in [
            "",
            "{}",
            "not json",
            "{\"version\":\"1.0\",\"model\":{\"type\":\"Odd\"}}",
        ] {
            std::fs::write(folder.path().join(FILE), content).unwrap();
            let error = Tokenizer::from_folder(folder.path()).unwrap_err();
            assert!(
                matches!(error, Error::Malformed { .. }),
                "{content:?}: {error}"
            );
        }
    }

    /// The folder of golden data and of a real model, or a line that says why there is none.
    fn real(model: impl Fn(&Path) -> Option<PathBuf>) -> Option<(PathBuf, Tokenizer)> {
        let found = std::env::var_os("PLUMB_SHARED")
            .map(PathBuf::from)
            .and_then(|shared| {
                let folder = model(&shared)?;
                Some((shared, Tokenizer::from_folder(&folder).unwrap()))
            });
        if found.is_none() {
            println!(
                "skipped: PLUMB_SHARED does not name the folder with the real models, or the model is not there"
            );
        }
        found
    }

    fn golden(path: PathBuf) -> Value {
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn minilm_tokenizes_as_in_transformers() {
        let minilm = |shared: &Path| {
            let printed = std::process::Command::new(shared.join("bin/minilm"))
                .output()
                .ok()?;
            let folder = PathBuf::from(String::from_utf8(printed.stdout).ok()?.trim());
            folder.join(FILE).is_file().then_some(folder)
        };
        let Some((shared, tokenizer)) = real(minilm) else {
            return;
        };
        let texts = golden(shared.join("golden-real/minilm-texts.json"));
        let texts = texts.as_array().unwrap();
        assert_eq!(texts.len(), 16);
        for case in texts {
            let text = case["text"].as_str().unwrap();
            let tokens = tokenizer.encode(text, Some(512)).unwrap();
            assert_eq!(json!(tokens.tokens), case["tokens"], "{text}");
            // transformers writes (0, 0) for special tokens.
            let spans: Vec<(u32, u32)> = tokens.spans.iter().map(|s| s.unwrap_or((0, 0))).collect();
            assert_eq!(json!(spans), case["offsets"], "{text}");
            for (span, special) in tokens.spans.iter().zip(&tokens.special) {
                assert_eq!(span.is_none(), *special, "{text}");
            }
        }
        // The file itself truncates to 128 and pads to 128.
        let long = "word ".repeat(600);
        assert_eq!(tokenizer.encode(&long, None).unwrap().len(), 602);
        let cut = tokenizer.encode(&long, Some(512)).unwrap();
        assert_eq!((cut.len(), cut.truncated_from), (512, Some(602)));
        assert_eq!(cut.tokens.last().unwrap(), "[SEP]");
    }

    #[test]
    fn stories260k_tokenizes_as_in_transformers() {
        let Some((shared, tokenizer)) = real(|shared| Some(shared.join("models/stories260K")))
        else {
            return;
        };
        let case = golden(shared.join("golden-real/stories260K.json"));
        let text = case["text"].as_str().unwrap();
        let tokens = tokenizer.encode(text, None).unwrap();
        assert_eq!(json!(tokens.ids), case["ids"]);
        assert_eq!(tokenizer.decode(&tokens.ids, true).unwrap(), text);
        assert_eq!(tokens.special.iter().filter(|s| **s).count(), 1);
        let characters: Vec<char> = text.chars().collect();
        let mut covered = 0;
        for (token, span) in tokens.tokens.iter().zip(&tokens.spans).skip(1) {
            let (start, end) = span.map(|(s, e)| (s as usize, e as usize)).unwrap();
            assert!(
                start <= covered && covered <= end,
                "{token} at {start}..{end}"
            );
            covered = end;
            let piece: String = characters[start..end].iter().collect();
            assert!(
                token.replace('\u{2581}', " ").trim() == piece.trim() || token.starts_with("<0x"),
                "{token} {piece}"
            );
        }
        assert_eq!(covered, characters.len());
    }
}
