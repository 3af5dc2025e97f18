//! Tokens of small tokenizers written here, and of real ones.

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
    assert!(matches!(missing, Error::NoTokenizer { .. }), "{missing}");
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
    let Some((shared, tokenizer)) = real(|shared| Some(shared.join("models/stories260K"))) else {
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
