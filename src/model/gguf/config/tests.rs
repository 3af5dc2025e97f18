//! Metadata of small models, and the configurations that they stand for.

use super::super::format::Format;
use super::super::header::{Header, Place, Value as Stored};
use super::*;
use candle_core::DType;

/// A file with the sizes of a model of `depth` blocks, and these entries.
fn read(architecture: &str, depth: u64, entries: &[(&str, Stored)]) -> Result<Value> {
    let sizes = [
        ("block_count", depth),
        ("embedding_length", 32),
        ("attention.head_count", 4),
        ("feed_forward_length", 64),
        ("context_length", 128),
    ];
    let sizes = sizes.map(|(key, n)| (key, Stored::Unsigned(n)));
    let eps = ("attention.layer_norm_rms_epsilon", Stored::Float(1e-6));
    let entries = sizes.iter().chain([&eps]).chain(entries);
    let mut metadata: std::collections::BTreeMap<String, Stored> = entries
        .map(|(key, value)| (format!("{architecture}.{key}"), value.clone()))
        .collect();
    let name = Stored::Text(architecture.to_owned());
    metadata.insert("general.architecture".to_owned(), name);
    let place = Place {
        shape: vec![16, 32],
        format: Format::Plain(DType::F32),
        offset: 0,
        bytes: 2048,
    };
    let tensors = [("token_embd.weight".to_owned(), place)].into();
    config(&Gguf {
        path: "m.gguf".into(),
        header: Header { metadata, tensors },
    })
}

fn word(text: &str) -> Stored {
    Stored::Text(text.to_owned())
}

#[test]
fn defaults_are_those_of_llama_cpp() {
    let config = read("llama", 2, &[]).unwrap();
    assert_eq!(config["num_key_value_heads"], 4);
    assert_eq!(config["tie_word_embeddings"], true);
    // Single precision becomes the decimal that was meant.
    assert_eq!(config["rms_norm_eps"].to_string(), "1e-6");
    let rope = json!({"rope_type": "default", "rope_theta": 10000.0});
    assert_eq!(config["rope_parameters"], rope);
}

#[test]
fn stretched_positions_are_spelled_as_in_transformers() {
    let factor = || ("rope.scaling.factor", Stored::Float(4.0));
    let kind = |kind| ("rope.scaling.type", word(kind));
    let original = ("rope.scaling.original_context_length", Stored::Unsigned(32));
    let rope = |entries: &[_]| read("qwen2", 2, entries).map(|c| c["rope_parameters"].clone());
    let linear = json!({"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0});
    assert_eq!(rope(&[factor(), kind("linear")]).unwrap(), linear);
    assert_eq!(rope(&[factor()]).unwrap(), linear);
    assert_eq!(
        rope(&[("rope.scale_linear", Stored::Float(4.0))]).unwrap(),
        linear
    );
    assert_eq!(
        rope(&[factor(), kind("none")]).unwrap()["rope_type"],
        "default"
    );
    let yarn = rope(&[factor(), kind("yarn"), original]).unwrap();
    assert_eq!(yarn["rope_type"], "yarn");
    assert_eq!(yarn["original_max_position_embeddings"], 32);
    let refused = rope(&[factor(), kind("longrope")]).unwrap_err().to_string();
    assert!(
        refused.contains("`qwen2.rope.scaling.type` = \"longrope\""),
        "{refused}"
    );
}

#[test]
fn gemma_3_looks_back_all_the_way_in_every_sixth_block() {
    let window = ("attention.sliding_window", Stored::Unsigned(8));
    let config = read("gemma3", 7, &[window]).unwrap();
    let full: Vec<bool> = config["layer_types"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind == "full_attention")
        .collect();
    assert_eq!(full, [false, false, false, false, false, true, false]);
    assert_eq!(config["query_pre_attn_scalar"], 8);
    let local = &config["rope_parameters"]["sliding_attention"];
    assert_eq!(local["rope_theta"], 10000.0);
}

#[test]
fn keys_and_values_that_could_change_numbers_are_refused() {
    for (entry, key) in [
        (
            ("attention.scale", Stored::Float(0.1)),
            "`llama.attention.scale` = 0.1",
        ),
        (
            ("expert_count", Stored::Unsigned(8)),
            "`llama.expert_count` = 8",
        ),
        (
            ("attention.causal", Stored::Bool(false)),
            "`llama.attention.causal` = false",
        ),
        (
            ("rope.freq_base", Stored::Float(f32::NAN)),
            "`llama.rope.freq_base` = \"NaN\"",
        ),
        (
            ("attention.value_length", Stored::Unsigned(4)),
            "`llama.attention.value_length` = 4",
        ),
        (
            ("block_count", Stored::List(Vec::new())),
            "`llama.block_count` = []",
        ),
    ] {
        let refused = read("llama", 2, &[entry]).unwrap_err().to_string();
        assert!(
            refused.contains(key) && refused.starts_with("m.gguf"),
            "{refused}"
        );
    }
}
