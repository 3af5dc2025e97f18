//! Configurations: what is not implemented is refused by the name of the field, and what is null is not what is absent.

use candle_core::Device;
use plumb::model::{ArchSpec, ModelSource, RopeScaling, load, read_spec};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// A golden's configuration with some fields changed; a removed field is given as `"(removed)"`.
fn read(name: &str, changes: &Value) -> Result<ArchSpec, String> {
    let text = fs::read_to_string(golden(name).join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    let fields = config.as_object_mut().unwrap();
    for (field, value) in changes.as_object().unwrap() {
        match value == "(removed)" {
            true => fields.remove(field),
            false => fields.insert(field.clone(), value.clone()),
        };
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    read_spec(&path, &|_| true)
        .map(|(spec, _)| spec)
        .map_err(|e| e.to_string())
}

#[test]
fn switches_that_are_not_implemented_are_refused_by_name() {
    for (name, changes, expected) in [
        (
            "falcon-grouped",
            json!({"alibi": true}),
            "`alibi` = true is not supported: transformers' eager attention",
        ),
        (
            "falcon-grouped",
            json!({"parallel_attn": false}),
            "`parallel_attn` = false",
        ),
        (
            "gemma3-text",
            json!({"attn_logit_softcapping": 30.0}),
            "`attn_logit_softcapping` = 30.0",
        ),
        (
            "llama",
            json!({"rope_scaling": {"type": "su", "factor": 2.0}}),
            "`rope_scaling`",
        ),
        (
            "llama",
            json!({"rope_scaling": {"type": "linear", "factor": 2.0, "alpha": 1.0}}),
            "`alpha` = 1.0",
        ),
        (
            "llama",
            json!({"num_key_value_heads": 3}),
            "`num_attention_heads` = 4 is not supported: it must be a multiple",
        ),
        ("llama", json!({"head_dim": 7}), "`head_dim` = 7"),
        (
            "llama",
            json!({"quantization_config": {"bits": 4}}),
            "`quantization_config`",
        ),
        ("bert", json!({"is_decoder": true}), "`is_decoder` = true"),
        (
            "bert",
            json!({"pruned_heads": {"0": [1]}}),
            "`pruned_heads`",
        ),
        (
            "mpnet",
            json!({"relative_attention_num_buckets": 16}),
            "`relative_attention_num_buckets` = 16",
        ),
        ("gptj", json!({"rotary_dim": null}), "`rotary_dim` = null"),
        (
            "qwen2-window",
            json!({"layer_types": ["full_attention", "chunked_attention"]}),
            "`layer_types`",
        ),
        (
            "t5-gated",
            json!({"feed_forward_proj": "gated-mish"}),
            "`feed_forward_proj`",
        ),
        (
            "t5-gated",
            json!({"architectures": ["T5ForSequenceClassification"]}),
            "`architectures`",
        ),
        (
            "bert",
            json!({"model_type": "deberta-v2"}),
            "model_type `deberta-v2` is not supported",
        ),
    ] {
        let said = read(name, &changes).expect_err(expected);
        assert!(said.contains(expected), "{name} {changes}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn null_and_absent_are_told_apart_as_transformers_does() {
    let window = |changes: Value| read("mistral-window", &changes).unwrap().layers[0].window;
    assert_eq!(window(json!({"sliding_window": null})), None);
    assert_eq!(window(json!({"sliding_window": "(removed)"})), Some(4096));
    let cap = |changes: Value| read("gemma2", &changes).unwrap().attention.softcap;
    assert_eq!(cap(json!({"attn_logit_softcapping": null})), None);
    assert_eq!(
        cap(json!({"attn_logit_softcapping": "(removed)"})),
        Some(50.0)
    );
    let kv = |changes: Value| read("mistral-window", &changes).unwrap().n_kv_heads;
    assert_eq!(
        kv(json!({"num_key_value_heads": null, "num_attention_heads": 4})),
        4
    );
}

#[test]
fn both_spellings_of_rotary_positions_mean_the_same() {
    let old = json!({"rope_parameters": "(removed)", "rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}});
    let new =
        json!({"rope_parameters": {"rope_theta": 500.0, "rope_type": "linear", "factor": 2.0}});
    let rotary = |changes| read("llama", &changes).unwrap().attention.rotary;
    assert_eq!(rotary(old.clone()), rotary(new));
    assert_eq!(rotary(old)[0].scaling, RopeScaling::Linear { factor: 2.0 });
    let old = json!({"rope_parameters": "(removed)", "rotary_pct": 0.5, "rotary_emb_base": 500});
    let new = json!({"rope_parameters": {"rope_theta": 500.0, "rope_type": "default", "partial_rotary_factor": 0.5}});
    let rotary = |changes| read("gpt-neox-serial", &changes).unwrap().attention.rotary;
    assert_eq!(rotary(old), rotary(new));
}

/// Google's checkpoints, converted, still say `gamma` and `beta` (bert-base-uncased).
#[test]
fn norms_under_tensorflows_names_are_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        golden("bert/config.json"),
        folder.path().join("config.json"),
    )
    .unwrap();
    let tensors =
        candle_core::safetensors::load(golden("bert/model.safetensors"), &Device::Cpu).unwrap();
    let renamed: HashMap<String, _> = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
            (name.replace("LayerNorm.bias", "LayerNorm.beta"), tensor)
        })
        .collect();
    assert!(renamed.keys().any(|n| n.ends_with("gamma")));
    candle_core::safetensors::save(&renamed, folder.path().join("model.safetensors")).unwrap();
    let (plain, renamed) = [golden("bert"), folder.path().to_owned()]
        .map(|f| load(&ModelSource::folder(f)).unwrap())
        .into();
    assert_eq!(plain.parameters, renamed.parameters);
    assert_eq!(plain.ignored, renamed.ignored);
}
