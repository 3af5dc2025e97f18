//! Vocabulary files from before `tokenizer.json`, checked line by line.

use serde_json::{Map, Value};
use std::collections::HashMap;

/// Token -> id of a `vocab.txt`: one token a line, the id is the number of the line from 0. Of two equal lines the later counts, as
/// in transformers.
///
/// # Errors
/// What is wrong with it.
pub(super) fn words(text: &str) -> Result<Map<String, Value>, String> {
    let mut words = Map::new();
    for (id, line) in text.lines().enumerate() {
        let id = u32::try_from(id).map_err(|_| "the file has more than 2^32 lines".to_owned())?;
        words.insert(line.trim_end().to_owned(), id.into());
    }
    match words.keys().any(|w| !w.is_empty()) {
        true => Ok(words),
        false => Err("the vocabulary is empty; copy the file again".to_owned()),
    }
}

/// Token -> id of a `vocab.json`.
///
/// # Errors
/// What is wrong with it, with the line where the text is no JSON, else with the token.
pub(super) fn ids(text: &str) -> Result<Map<String, Value>, String> {
    let vocab: Map<String, Value> = serde_json::from_str(text)
        .map_err(|e| format!("this is not a JSON object of token ids ({e})"))?;
    if vocab.is_empty() {
        return Err("the vocabulary is empty; copy the file again".to_owned());
    }
    let mut tokens: HashMap<u32, &str> = HashMap::new();
    for (token, id) in &vocab {
        let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or_else(|| {
            format!(
                "the id of the token `{token}` is {}, which is not a token id",
                vocab.get(token).unwrap_or(&Value::Null)
            )
        })?;
        if let Some(other) = tokens.insert(id, token) {
            return Err(format!(
                "the tokens `{other}` and `{token}` have the same id {id}"
            ));
        }
    }
    Ok(vocab)
}

/// The merges of a `merges.txt`, in order: two tokens a line whose union is a token. Lines that begin with `#version` are skipped.
///
/// # Errors
/// What is wrong with it, with the line.
pub(super) fn merges(text: &str, vocab: &Map<String, Value>) -> Result<Vec<Value>, String> {
    let mut merges = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("#version") {
            continue;
        }
        let wrong = |what: String| format!("line {}: {what}", number + 1);
        let (left, right) = line
            .split_once(' ')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '))
            .ok_or_else(|| wrong(format!("`{line}` is not two tokens with one space between")))?;
        let union = format!("{left}{right}");
        if let Some(unknown) = [left, right, &union]
            .iter()
            .find(|t| !vocab.contains_key(**t))
        {
            return Err(wrong(format!(
                "the token `{unknown}` of the merge `{line}` is not in vocab.json"
            )));
        }
        merges.push(Value::from(vec![left, right]));
    }
    Ok(merges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_number_of_the_line_is_the_id() {
        let vocab = words("[PAD]\r\nthe \n\n##s\nthe\n").unwrap();
        assert_eq!(json!(vocab), json!({"[PAD]": 0, "the": 4, "": 2, "##s": 3}));
        assert!(words("\n \n").is_err());
    }

    #[test]
    fn a_bad_vocabulary_names_the_token_or_the_line() {
        assert!(
            ids("{\"a\": 0,\n \"b\" 1}")
                .unwrap_err()
                .contains("line 2 column")
        );
        for odd in ["-1", "1.5", "4294967296", "\"1\"", "null", "[1]"] {
            let error = ids(&format!("{{\"a\": 0, \"b\": {odd}}}")).unwrap_err();
            assert!(
                error.contains("the token `b`") && error.contains(odd),
                "{error}"
            );
        }
        let twice = ids("{\"a\": 3, \"b\": 3}").unwrap_err();
        assert_eq!(twice, "the tokens `a` and `b` have the same id 3");
        assert!(ids("{}").is_err() && ids("[]").is_err() && ids("").is_err());
    }

    #[test]
    fn a_bad_merge_names_its_line() {
        let vocab = ids("{\"a\": 0, \"b\": 1, \"ab\": 2, \"#\": 3, \"##\": 4}").unwrap();
        let good = merges("#version: 0.2\na b\n# #\n", &vocab).unwrap();
        assert_eq!(json!(good), json!([["a", "b"], ["#", "#"]]));
        for bad in ["a", "a b ab", "a  b", " b", "b ", "", "a c", "b a"] {
            let error = merges(&format!("#version: 0.2\na b\n{bad}\n"), &vocab).unwrap_err();
            assert!(error.starts_with("line 3: "), "{bad:?}: {error}");
        }
        let unknown = merges("b a\n", &vocab).unwrap_err();
        assert!(
            unknown.contains("`ba`") && unknown.contains("`b a`"),
            "{unknown}"
        );
    }
}
