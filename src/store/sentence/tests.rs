//! Sentence-transformers folders, whole and odd.

use super::*;
use serde_json::json;
use std::path::Path;

fn folder(changes: &[(&str, Value)]) -> Result<SentencePool> {
    let folder = tempfile::tempdir().unwrap();
    let module = |path: &str, kind: &str| json!({"idx": 0, "name": "0", "path": path, "type": format!("sentence_transformers.models.{kind}")});
    let modules = [
        ("", "Transformer"),
        ("1_Pooling", "Pooling"),
        ("2_Normalize", "Normalize"),
    ];
    let modules = modules.map(|(path, kind)| module(path, kind));
    let files = [
        ("modules.json", json!(modules)),
        (
            "1_Pooling/config.json",
            json!({"word_embedding_dimension": 4, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false}),
        ),
        (
            "sentence_bert_config.json",
            json!({"max_seq_length": 7, "do_lower_case": false}),
        ),
    ];
    std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
    for (file, content) in files.iter().chain(changes) {
        let path = folder.path().join(file);
        match content {
            Value::Null => std::fs::remove_file(path).unwrap(),
            content => std::fs::write(path, content.to_string()).unwrap(),
        }
    }
    let path: &Path = folder.path();
    SentencePool::read(&path, 4, 16)
}

#[test]
fn a_folder_says_how_it_pools() {
    let said = folder(&[]).unwrap();
    let expected = SentencePool {
        modes: vec![Mode::Cls],
        normalize: true,
        max_tokens: 7,
    };
    assert_eq!(said, expected);
    let long = folder(&[("sentence_bert_config.json", json!({"max_seq_length": 512}))]);
    assert_eq!(long.unwrap().max_tokens, 16);
    let open = [
        ("sentence_bert_config.json", Value::Null),
        ("tokenizer_config.json", json!({"model_max_length": 9})),
    ];
    assert_eq!(folder(&open).unwrap().max_tokens, 9);
    let unbounded = [
        ("sentence_bert_config.json", Value::Null),
        ("tokenizer_config.json", json!({"model_max_length": 1e30})),
    ];
    assert_eq!(folder(&unbounded).unwrap().max_tokens, 16);
}

#[test]
fn old_and_new_names_of_modes_are_read() {
    let modes = |config: Value| folder(&[("1_Pooling/config.json", config)]).map(|p| p.modes);
    let several = json!({"word_embedding_dimension": 4, "pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true, "pooling_mode_cls_token": true});
    assert_eq!(modes(several).unwrap(), [Mode::Cls, Mode::Max, Mode::Mean]);
    let named = |mode: Value| {
        modes(json!({"embedding_dimension": 4, "pooling_mode": mode, "include_prompt": true}))
    };
    assert_eq!(named(json!("lasttoken")).unwrap(), [Mode::Lasttoken]);
    assert_eq!(
        named(json!(["weightedmean", "mean_sqrt_len_tokens"])).unwrap(),
        [Mode::Weightedmean, Mode::MeanSqrtLenTokens]
    );
    assert_eq!(
        modes(json!({"word_embedding_dimension": 4})).unwrap(),
        [Mode::Mean]
    );
    for odd in [json!("attention"), json!([]), json!(3)] {
        assert!(named(odd).unwrap_err().to_string().contains("pooling_mode"));
    }
}

#[test]
fn what_would_be_another_embedding_is_refused_by_name() {
    let module = |path: &str, kind: &str| json!({"path": path, "type": kind});
    let (first, second) = (
        module("", "a.Transformer"),
        module("1_Pooling", "a.Pooling"),
    );
    for (file, content, says) in [
        ("modules.json", Value::Null, "no modules.json"),
        (
            "modules.json",
            json!([first, second, module("2_Dense", "a.Dense")]),
            "`2_Dense` (Dense)",
        ),
        ("modules.json", json!([second]), "lists Pooling where"),
        (
            "modules.json",
            json!([module("0_Transformer", "a.Transformer"), second]),
            "`0_Transformer`",
        ),
        (
            "modules.json",
            json!([first, module("../../etc", "a.Pooling")]),
            "`../../etc` is not a folder",
        ),
        ("modules.json", json!({}), "not what the file should hold"),
        (
            "1_Pooling/config.json",
            Value::Null,
            "no 1_Pooling/config.json",
        ),
        (
            "1_Pooling/config.json",
            json!({"word_embedding_dimension": 5}),
            "the width 5 where the model has 4",
        ),
        (
            "1_Pooling/config.json",
            json!({"word_embedding_dimension": 4, "pooling_mode_odd": true}),
            "`pooling_mode_odd` = true",
        ),
        (
            "sentence_bert_config.json",
            json!({"do_lower_case": true}),
            "`do_lower_case` = true",
        ),
        (
            "sentence_bert_config.json",
            json!({"max_seq_length": -1}),
            "max_seq_length is -1",
        ),
        (
            "config_sentence_transformers.json",
            json!({"prompts": {"query": "q: "}, "default_prompt_name": "query"}),
            "prompt \"query\"",
        ),
    ] {
        let error = folder(&[(file, content)]).unwrap_err().to_string();
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn vectors_are_put_together_and_normalised() {
    let pool = SentencePool {
        modes: vec![Mode::Cls, Mode::Mean],
        normalize: true,
        max_tokens: 8,
    };
    let matrix = [3.0, 0.0, 1.0, 4.0];
    let pooled = pool.apply(&matrix, 2, &[0, 1]);
    let length = (9.0f32 + 4.0 + 4.0).sqrt();
    for (ours, theirs) in pooled.iter().zip([3.0, 0.0, 2.0, 2.0]) {
        assert!((ours - theirs / length).abs() < 1e-6, "{pooled:?}");
    }
    // As in torch, nothing is nothing.
    assert_eq!(pool.apply(&[0.0; 4], 2, &[0, 1]), [0.0; 4]);
}
