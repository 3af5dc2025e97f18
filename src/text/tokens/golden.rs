//! Tokenizers of small folders, compared with transformers' `AutoTokenizer` (tests/golden/tokenizers/make.py).

use super::*;
use serde_json::{Value, json};
use std::path::PathBuf;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizers")
}

fn folders() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 16, "{names:?}");
    names
}

fn open(folder: &str) -> Tokenizer {
    Tokenizer::from_folder(&root().join(folder)).unwrap()
}

fn cases(folder: &str) -> Vec<Value> {
    let text = std::fs::read(root().join(folder).join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&text).unwrap();
    expected["texts"].as_array().unwrap().clone()
}

#[test]
fn every_folder_tokenizes_as_in_transformers() {
    let mut wrong = Vec::new();
    for folder in folders() {
        let tokenizer = open(&folder);
        for case in cases(&folder) {
            let text = case["text"].as_str().unwrap();
            let tokens = tokenizer.encode(text, None).unwrap();
            let special: Vec<u8> = tokens.special.iter().map(|s| u8::from(*s)).collect();
            if json!(tokens.ids) != case["ids"] || json!(tokens.tokens) != case["tokens"] {
                wrong.push(format!(
                    "{folder}: {text:?}: {:?}, not {}",
                    tokens.tokens, case["tokens"]
                ));
            } else if json!(special) != case["special"] {
                wrong.push(format!("{folder}: {text:?}: special {special:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where transformers knows a place, it is the place; where it says (0, 0) of a word, the place is right or left out.
#[test]
fn every_span_is_that_of_transformers() {
    for folder in folders() {
        let tokenizer = open(&folder);
        for case in cases(&folder) {
            let text = case["text"].as_str().unwrap();
            let tokens = tokenizer.encode(text, None).unwrap();
            let offsets = case["offsets"].as_array().unwrap();
            assert_eq!(offsets.len(), tokens.len(), "{folder}: {text:?}");
            for (i, offset) in offsets.iter().enumerate() {
                let said = (offset[0].as_u64().unwrap(), offset[1].as_u64().unwrap());
                let span = tokens.spans[i].map(|(start, end)| (start.into(), end.into()));
                let place = format!("{folder}: {text:?}: {i} {}", tokens.tokens[i]);
                match (tokens.special[i], said.0 == said.1) {
                    (true, _) => assert_eq!(span, None, "{place}"),
                    (false, false) => assert_eq!(span, Some(said), "{place}"),
                    (false, true) => {}
                }
            }
        }
    }
}

#[test]
fn every_span_slices_the_text_to_its_token() {
    for folder in folders() {
        let tokenizer = open(&folder);
        // Composed (NFC) text has other bytes than the text.
        let bytes = !["bert", "mpnet", "qwen2", "neox"]
            .iter()
            .any(|class| folder.contains(class));
        for case in cases(&folder) {
            let text = case["text"].as_str().unwrap();
            let characters: Vec<char> = text.chars().collect();
            let tokens = tokenizer.encode(text, None).unwrap();
            let mut covered = vec![false; characters.len()];
            for (token, span) in tokens.tokens.iter().zip(&tokens.spans) {
                let Some((start, end)) = span.map(|(s, e)| (s as usize, e as usize)) else {
                    continue;
                };
                let slice: String = characters[start..end].iter().collect();
                covered[start..end].fill(true);
                if let Some(said) = spans::byte_level(token).filter(|_| bytes) {
                    let (said, slice) = (said.trim_ascii(), slice.as_bytes());
                    let found = said.is_empty() || slice.windows(said.len()).any(|w| w == said);
                    assert!(found, "{folder}: {text:?}: {token} is not {slice:?}");
                }
            }
            if bytes {
                let left = characters
                    .iter()
                    .zip(&covered)
                    .filter(|(c, known)| !**known && !c.is_whitespace());
                let left: String = left.map(|(c, _)| *c).collect();
                assert_eq!(left, "", "{folder}: {text:?}");
            }
        }
    }
}

#[test]
fn the_beginning_of_a_sequence_follows_the_policy() {
    // Folder, the token, whether the tokenizer adds it.
    for (folder, bos, adds) in [
        ("bert", "[CLS]", true),
        ("mpnet", "<s>", true),
        ("roberta", "<s>", true),
        ("opt", "</s>", true),
        ("gpt2", "<|endoftext|>", false),
        ("file-llama-flags", "<s>", true),
        ("file-neox", "<|endoftext|>", false),
    ] {
        let auto = open(folder).encode("the cat", None).unwrap();
        let always = open(folder).with_bos(Bos::Always).unwrap();
        let never = open(folder).with_bos(Bos::Never).unwrap();
        assert_eq!(always.bos_id(), always.token_to_id(bos), "{folder}");
        let with = always.encode("the cat", None).unwrap();
        let without = never.encode("the cat", None).unwrap();
        assert_eq!(with.tokens[0], bos, "{folder}");
        assert_eq!((with.spans[0], with.special[0]), (None, true), "{folder}");
        assert_eq!(with.ids[1..], without.ids, "{folder}");
        assert_ne!(without.tokens[0], bos, "{folder}");
        assert_eq!(auto, if adds { with } else { without }, "{folder}");
    }
    let error = open("qwen2").with_bos(Bos::Always).unwrap_err();
    assert!(
        error.is_usage() && error.to_string().starts_with("bos = always: "),
        "{error}"
    );
    assert!(open("qwen2").with_bos(Bos::Never).is_ok());
}

#[test]
fn a_beginning_that_is_typed_is_text() {
    let typed = "</s>the cat";
    let always = open("opt").with_bos(Bos::Always).unwrap();
    let never = open("opt").with_bos(Bos::Never).unwrap();
    let auto = open("opt").encode(typed, None).unwrap();
    assert_eq!(auto.tokens[..2], ["</s>", "</s>"]);
    assert_eq!(always.encode(typed, None).unwrap(), auto);
    let typed = never.encode(typed, None).unwrap();
    assert_eq!(
        (typed.tokens[0].as_str(), typed.special[0]),
        ("</s>", false)
    );
    let once = open("gpt2").with_bos(Bos::Always).unwrap();
    let once = once.encode("<|endoftext|>the", None).unwrap();
    assert_eq!(
        once.tokens.iter().filter(|t| *t == "<|endoftext|>").count(),
        1
    );
}

#[test]
fn truncation_counts_the_beginning() {
    let always = open("gpt2").with_bos(Bos::Always).unwrap();
    let cut = always.encode("the cat sat on the mat", Some(4)).unwrap();
    assert_eq!((cut.len(), cut.tokens[0].as_str()), (4, "<|endoftext|>"));
    let never = open("bert").with_bos(Bos::Never).unwrap();
    let cut = never.encode("the cat sat on the mat", Some(3)).unwrap();
    assert_eq!((cut.len(), cut.tokens[2].as_str()), (3, "[SEP]"));
}

/// A copy of a golden folder with some files changed.
fn changed(
    folder: &str,
    changes: &[(&str, Option<&[u8]>)],
) -> (tempfile::TempDir, Result<Tokenizer>) {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    for (file, content) in changes {
        match content {
            Some(content) => std::fs::write(copy.path().join(file), content).unwrap(),
            None => std::fs::remove_file(copy.path().join(file)).unwrap(),
        }
    }
    let tokenizer = Tokenizer::from_folder(copy.path());
    (copy, tokenizer)
}

fn refusal(folder: &str, file: &str, content: Option<&[u8]>) -> String {
    let (_copy, tokenizer) = changed(folder, &[(file, content)]);
    tokenizer.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn damaged_vocabularies_name_the_line() {
    let line = |file, content: &[u8], folder, place: &str| {
        let error = refusal(folder, file, Some(content));
        assert!(error.contains(file) && error.contains(place), "{error}");
    };
    line(
        "vocab.txt",
        b"[PAD]\n[UNK]\ncaf\xe9\n",
        "bert",
        "line 3 is not valid UTF-8",
    );
    line("vocab.txt", b"", "bert", "the vocabulary is empty");
    line("vocab.txt", b"[PAD]\n[CLS]\n[SEP]\n", "bert", "no `[UNK]`");
    line("vocab.txt", b"[UNK]\n[SEP]\n", "bert", "no `[CLS]`");
    line("vocab.json", b"{\"a\": 1,\n", "gpt2", "line 2");
    line("vocab.json", b"{\"a\": -1}", "gpt2", "`a` is -1");
    line("merges.txt", b"#version: 0.2\nt h e\n", "gpt2", "line 2");
    line(
        "merges.txt",
        b"#version: 0.2\n\xf0\x9f qq\n",
        "gpt2",
        "line 2",
    );
    line("tokenizer_config.json", b"[1]", "gpt2", "not a JSON object");
    line(
        "tokenizer_config.json",
        b"{\"bos_token\": 5}",
        "gpt2",
        "`bos_token` holds 5",
    );
    let number = refusal("gpt2", "added_tokens.json", Some(b"{\"<new>\": 7}"));
    assert!(
        number.contains("`<new>` has the id 330 here and 7"),
        "{number}"
    );
}

#[test]
fn a_tokenizer_that_cannot_be_built_says_what_to_do() {
    for (folder, file, content, says) in [
        (
            "gpt2",
            "merges.txt",
            None,
            "vocab.json lacks its merges.txt",
        ),
        (
            "bert",
            "vocab.txt",
            None,
            "no tokenizer.json, vocab.txt or vocab.json",
        ),
        (
            "bert",
            "config.json",
            None,
            "no tokenizer_config.json or config.json that says",
        ),
        (
            "bert",
            "config.json",
            Some(&b"{\"model_type\": \"esm\"}"[..]),
            "of `esm` from vocab.txt",
        ),
        (
            "gpt2-bos",
            "tokenizer_config.json",
            Some(b"{\"tokenizer_class\": \"CLIPTokenizer\"}"),
            "`CLIPTokenizer` from vocab.json",
        ),
        (
            "bert",
            "config.json",
            Some(b"{\"model_type\": \"gpt2\"}"),
            "needs vocab.json and merges.txt",
        ),
    ] {
        let error = refusal(folder, file, content);
        assert!(
            error.contains(says) && error.contains("save_pretrained"),
            "{error}"
        );
    }
    let (_copy, none) = changed("bert", &[("vocab.txt", None), ("spiece.model", Some(b"x"))]);
    let error = none.unwrap_err().to_string();
    assert!(
        error.contains("plumb does not read spiece.model"),
        "{error}"
    );
}

#[test]
fn the_hash_changes_with_what_changes_the_tokens() {
    let hash = |folder: &str, changes: &[(&str, Option<&[u8]>)]| {
        let (_copy, tokenizer) = changed(folder, changes);
        tokenizer.unwrap().sha256().to_owned()
    };
    let file = "tokenizer_config.json";
    let cased = hash("file-bert-cased", &[]);
    assert_ne!(
        cased,
        hash(
            "file-bert-cased",
            &[(file, Some(b"{\"do_lower_case\": true}"))]
        )
    );
    assert_ne!(
        hash("gpt2", &[]),
        hash("gpt2", &[(file, Some(b"{\"add_bos_token\": true}"))])
    );
    let plain = std::fs::read(root().join("file-llama-flags/tokenizer.json")).unwrap();
    assert_eq!(
        hash("file-llama-flags", &[]),
        sha256_hex(&plain),
        "nothing is changed in it"
    );
}
