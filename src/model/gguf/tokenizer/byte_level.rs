//! Byte-level BPE, as in GPT-2 (`tokenizer.ggml.model` = gpt2).

use super::super::file::Gguf;
use super::{Parts, Vocabulary, around, unread};
use crate::error::Result;
use serde_json::{Value, json};

const PRE: &str = "tokenizer.ggml.pre";
const MERGES: &str = "tokenizer.ggml.merges";

/// How text is cut before merges apply.
struct Cut {
    /// A pattern whose matches stay whole; `None` for GPT-2's own.
    pattern: Option<&'static str>,
    /// Digits are cut off one by one first.
    digits: bool,
    /// A word that is a token is taken as it is, whether or not merges lead to it.
    ignore_merges: bool,
    /// Canonical composition comes first.
    nfc: bool,
    /// A begin-of-text token is put first unless the file says otherwise.
    bos: bool,
}

const GPT2: Cut = Cut {
    pattern: None,
    digits: false,
    ignore_merges: false,
    nfc: false,
    bos: false,
};

/// Llama 3's and Tiktoken's `cl100k`.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same with digits one by one.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

fn cut(gguf: &Gguf) -> Result<Cut> {
    // Files from before May 2024 have no name; for these architectures there was only one.
    let old = matches!(gguf.text("general.architecture"), Some("gpt2" | "phi2"));
    Ok(match gguf.text(PRE) {
        Some("gpt-2" | "phi-2") => GPT2,
        None | Some("default") if old => GPT2,
        Some("starcoder" | "refact" | "smollm" | "codeshell") => Cut {
            digits: true,
            ..GPT2
        },
        Some("llama-bpe" | "llama3" | "llama-v3" | "falcon3") => Cut {
            pattern: Some(LLAMA3),
            ignore_merges: true,
            bos: true,
            ..GPT2
        },
        Some("dbrx" | "smaug-bpe") => Cut {
            pattern: Some(LLAMA3),
            ..GPT2
        },
        Some("qwen2" | "deepseek-r1-qwen" | "megrez") => Cut {
            pattern: Some(QWEN2),
            nfc: true,
            ..GPT2
        },
        _ => {
            return Err(unread(
                gguf,
                PRE,
                "how text is cut is known for gpt-2, phi-2, llama-bpe, qwen2, dbrx, starcoder, refact and smollm",
            ));
        }
    })
}

pub(super) fn parts(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Parts> {
    let cut = cut(gguf)?;
    let (before, after) = around(gguf, vocabulary, cut.bos, None)?;
    let byte_level = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": regex});
    let first = match (cut.pattern, cut.digits) {
        (Some(pattern), _) => {
            json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
        }
        (None, true) => json!({"type": "Digits", "individual_digits": true}),
        (None, false) => Value::Null,
    };
    let pre_tokenizer = match first {
        Value::Null => byte_level(true),
        first => {
            json!({"type": "Sequence", "pretokenizers": [first, byte_level(cut.pattern.is_none())]})
        }
    };
    Ok(Parts {
        normalizer: match cut.nfc {
            true => json!({"type": "NFC"}),
            false => Value::Null,
        },
        pre_tokenizer,
        decoder: byte_level(true),
        model: json!({
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "ignore_merges": cut.ignore_merges,
            "vocab": vocabulary.ids(gguf, |id| vocabulary.tokens[id].to_owned())?,
            "merges": merges(gguf)?,
        }),
        before,
        after,
    })
}

/// The pairs that merge, best first.
pub(super) fn merges(gguf: &Gguf) -> Result<Vec<(String, String)>> {
    let stored = gguf.texts(MERGES);
    let stored = stored.ok_or_else(|| unread(gguf, MERGES, "it has no merges"))?;
    let pair = |merge: &str| {
        let (left, right) = merge.split_once(' ')?;
        (!right.contains(' ')).then(|| (left.to_owned(), right.to_owned()))
    };
    let pairs = stored.iter().map(|merge| {
        pair(merge).ok_or_else(|| gguf.malformed(format!("the merge `{merge}` is not a pair")))
    });
    pairs.collect()
}
