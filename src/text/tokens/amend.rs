//! What the class and the settings of a model change in its `tokenizer.json`, as transformers does on loading.

use super::class::Class;
use super::settings::Settings;
use serde_json::Value;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::{AddedToken, NormalizerWrapper, PostProcessorWrapper, Tokenizer};

/// Changes the tokenizer and says what was changed, in a form that is the same for the same changes.
///
/// - BERT's and MPNet's classes take `do_lower_case` (true unless it is set), `strip_accents` and `tokenize_chinese_chars` from
///   `tokenizer_config.json`, whatever BERT normaliser the file has.
/// - A class with special tokens puts them around the text if the file does not say what to put there; GPT-NeoX's class puts none, whatever
///   the file says.
/// - Special and added tokens that `tokenizer_config.json` names become such.
///
/// `add_bos_token` and `add_eos_token` do not count beside a `tokenizer.json` (transformers 5 drops them).
///
/// # Errors
/// What cannot be done, from the library.
pub(super) fn amend(
    inner: &mut Tokenizer,
    settings: &mut Settings,
) -> tokenizers::Result<Vec<String>> {
    let mut changes = Vec::new();
    let added = missing(inner, settings);
    if !added.is_empty() {
        changes.push(format!("added {added:?}"));
        inner.add_tokens(added)?;
    }
    if let Ok(class) = Class::of(settings) {
        settings.default_roles(class.roles());
        normalize(inner, settings, class, &mut changes)?;
        post_process(inner, settings, class, &mut changes)?;
    }
    Ok(changes)
}

/// Tokens that the settings name and the file does not have, or has with other properties.
fn missing(inner: &Tokenizer, settings: &Settings) -> Vec<AddedToken> {
    let there = inner.get_added_tokens_decoder();
    let numbered = settings.added.iter();
    let differing = numbered.filter(|(id, token)| there.get(id) != Some(token));
    let mut tokens: Vec<AddedToken> = differing.map(|(_, token)| token.clone()).collect();
    for token in settings.role_tokens().chain(&settings.extra) {
        let known = there.values().chain(&tokens);
        if !known.into_iter().any(|t| t.content == token.content) {
            tokens.push(token.clone());
        }
    }
    tokens
}

fn normalize(
    inner: &mut Tokenizer,
    settings: &Settings,
    class: Class,
    changes: &mut Vec<String>,
) -> tokenizers::Result<()> {
    let Some(NormalizerWrapper::BertNormalizer(there)) = inner.get_normalizer() else {
        return Ok(());
    };
    let description = class.normalizer(settings);
    if !class.has_words() || serde_json::to_value(there)? == description {
        return Ok(());
    }
    changes.push(format!("normalizer {description}"));
    let normalizer: BertNormalizer = serde_json::from_value(description)?;
    inner.with_normalizer(Some(normalizer))?;
    Ok(())
}

fn post_process(
    inner: &mut Tokenizer,
    settings: &Settings,
    class: Class,
    changes: &mut Vec<String>,
) -> tokenizers::Result<()> {
    let adds_none = class == Class::GptNeoX;
    if inner.get_post_processor().is_some() != adds_none {
        return Ok(());
    }
    if adds_none {
        changes.push("no post-processor".to_owned());
        inner.with_post_processor(None::<PostProcessorWrapper>);
        return Ok(());
    }
    if !matches!(class, Class::Bert | Class::MpNet | Class::Roberta) {
        return Ok(());
    }
    let description: Value = class.post_processor(settings, &|t| inner.token_to_id(t))?;
    changes.push(format!("post_processor {description}"));
    let processor: PostProcessorWrapper = serde_json::from_value(description)?;
    inner.with_post_processor(Some(processor));
    Ok(())
}
