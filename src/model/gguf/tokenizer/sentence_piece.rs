//! SentencePiece BPE with byte fallback, as in Llama 2 and Gemma (`tokenizer.ggml.model` = llama).

use super::super::file::Gguf;
use super::super::header::Value as Stored;
use super::{Kind, Parts, Vocabulary, around, byte_level, unread};
use crate::error::Result;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::HashMap;

const SCORES: &str = "tokenizer.ggml.scores";
/// What stands for a space.
const SPACE: &str = "\u{2581}";
/// Longer tokens are not taken apart: the time grows with the square, and no vocabulary has them outside of its special tokens.
const MAX_TOKEN: usize = 256;
/// Gemma's vocabulary of 256,000 has 580,000.
const MAX_MERGES: usize = 1 << 22;

pub(super) fn parts(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Parts> {
    if gguf
        .metadata()
        .contains_key("tokenizer.ggml.precompiled_charsmap")
    {
        return Err(unread(
            gguf,
            "tokenizer.ggml.model",
            "it normalises text by a table (precompiled_charsmap)",
        ));
    }
    if gguf.flag("tokenizer.ggml.remove_extra_whitespaces") == Some(true) {
        let key = "tokenizer.ggml.remove_extra_whitespaces";
        return Err(unread(gguf, key, "only false is implemented"));
    }
    let (before, after) = around(gguf, vocabulary, true, Some((1, 2)))?;
    let unknown = vocabulary.special(gguf, "unknown", Some(0))?;
    let prefix = gguf.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true);
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
    let mut normalizers = vec![replace];
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        normalizers.insert(0, json!({"type": "Prepend", "prepend": SPACE}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    let merges = match gguf.metadata().contains_key("tokenizer.ggml.merges") {
        true => byte_level::merges(gguf)?,
        false => merges(gguf, vocabulary)?,
    };
    Ok(Parts {
        normalizer: json!({"type": "Sequence", "normalizers": normalizers}),
        pre_tokenizer: Value::Null,
        decoder: json!({"type": "Sequence", "decoders": decoders}),
        model: json!({
            "type": "BPE", "dropout": null, "unk_token": vocabulary.tokens[unknown], "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary.ids(gguf, |id| vocabulary.tokens[id].to_owned())?,
            "merges": merges,
        }),
        before,
        after,
    })
}

/// The place of each token in the order in which pieces are joined: the highest score first.
fn ranks(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Vec<usize>> {
    let count = vocabulary.tokens.len();
    let mut order: Vec<usize> = (0..count).collect();
    // Gemma's scores do not follow the order of its merges; its ids do.
    let gemma = gguf.text("general.architecture");
    if gemma.is_some_and(|name| name.starts_with("gemma")) {
        return Ok(order);
    }
    let scores: Option<Vec<f32>> = match gguf.metadata().get(SCORES) {
        Some(Stored::List(values)) => values
            .iter()
            .map(|value| match value {
                Stored::Float(x) if x.is_finite() => Some(*x),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    let scores = scores.filter(|scores| scores.len() == count);
    let scores = scores.ok_or_else(|| {
        gguf.malformed(format!(
            "`{SCORES}` is not a list of {count} finite numbers"
        ))
    })?;
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let mut ranks = vec![0; count];
    let mut rank = 0;
    for (i, id) in order.iter().enumerate() {
        if i > 0 && scores[order[i - 1]] != scores[*id] {
            rank = i;
        }
        ranks[*id] = rank;
    }
    Ok(ranks)
}

/// The pairs of pieces that join to a piece, in the order of what they make: the merges that Hugging Face's converter
/// (`generate_merges` of transformers) finds in the same vocabulary.
fn merges(gguf: &Gguf, vocabulary: &Vocabulary<'_>) -> Result<Vec<(String, String)>> {
    let ranks = ranks(gguf, vocabulary)?;
    let ids = vocabulary.tokens.iter().enumerate();
    let ids: HashMap<&str, usize> = ids.map(|(id, token)| (*token, id)).collect();
    let mut found = Vec::new();
    for (id, token) in vocabulary.tokens.iter().enumerate() {
        if vocabulary.kinds[id] != Kind::Normal || token.len() > MAX_TOKEN {
            continue;
        }
        let splits = token.char_indices().skip(1).filter_map(|(at, _)| {
            let (left, right) = token.split_at(at);
            Some((left, right, *ids.get(left)?, *ids.get(right)?))
        });
        found.extend(splits.map(|(left, right, l, r)| {
            let lengths = (left.chars().count(), right.chars().count());
            (ranks[id], Reverse(lengths), id, (l, r), (left, right))
        }));
        if found.len() > MAX_MERGES {
            return Err(gguf.malformed(format!("its tokens join in more than {MAX_MERGES} ways")));
        }
    }
    found.sort();
    let pairs = found
        .into_iter()
        .map(|(.., (left, right))| (left.to_owned(), right.to_owned()));
    Ok(pairs.collect())
}
