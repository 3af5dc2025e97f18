//! The tokenizer of the built-in model: byte-level BPE in which every word of the world is one token.

use super::World;
use super::corpus::sample;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, Trainer,
};

/// Stands before every text.
pub(crate) const BOS: &str = "<s>";
/// Stands after a document of the corpus.
pub(crate) const EOS: &str = "</s>";

/// Documents from which the words are collected.
const SAMPLE: usize = 60_000;
/// Specials, bytes and merged pieces; the whole words come on top.
const PIECES: usize = 512;

/// The `tokenizer.json` of the built-in model, trained on the corpus.
///
/// The vocabulary is the two specials, the 256 bytes, the pieces that BPE merges first, and then the words of the corpus as they
/// stand. `ignore_merges` makes a word of the vocabulary one token without the dozen merges that would lead to it: these would fill the
/// vocabulary with pieces that no text uses. Words that it has never seen fall apart into pieces and bytes.
///
/// # Errors
/// What the `tokenizers` crate refuses.
pub(crate) fn tokenizer_json(world: &World) -> tokenizers::Result<Value> {
    let text = sample(world, SAMPLE);
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(PIECES)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![
            AddedToken::from(BOS, true),
            AddedToken::from(EOS, true),
        ])
        .build();
    trainer.feed(text.iter(), words)?;
    let mut pieces = BPE::default();
    trainer.train(&mut pieces)?;
    let mut model = serde_json::to_value(&pieces)?;
    let all: BTreeSet<String> = text
        .iter()
        .map(|line| words(line))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    if let Some(vocabulary) = model["vocab"].as_object_mut() {
        for word in all {
            let next = vocabulary.len();
            vocabulary.entry(word).or_insert(json!(next));
        }
    }
    model["ignore_merges"] = json!(true);
    Ok(file(model))
}

/// The words of a text as the model meets them: a space before each, in the alphabet of byte-level BPE.
fn words(text: &str) -> tokenizers::Result<Vec<String>> {
    let mut split = PreTokenizedString::from(text);
    ByteLevel::new(true, false, true).pre_tokenize(&mut split)?;
    let pieces = split.get_splits(OffsetReferential::Original, OffsetType::Byte);
    Ok(pieces
        .into_iter()
        .map(|(word, _, _)| word.to_owned())
        .collect())
}

/// The model inside the file format of Hugging Face's tokenizers.
fn file(model: Value) -> Value {
    let special = |id: usize, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    let start = json!({"SpecialToken": {"id": BOS, "type_id": 0}});
    let part = |id: &str| json!({"Sequence": {"id": id, "type_id": 0}});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [special(0, BOS), special(1, EOS)],
        "normalizer": null,
        "pre_tokenizer": bytes,
        "post_processor": {"type": "Sequence", "processors": [bytes, {
            "type": "TemplateProcessing",
            "single": [start, part("A")],
            "pair": [start, part("A"), start, part("B")],
            "special_tokens": {BOS: {"id": BOS, "ids": [0], "tokens": [BOS]}},
        }]},
        "decoder": {"type": "Sequence", "decoders": [bytes, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": model,
    })
}
