//! From the metadata of a GGUF file to a Hugging Face `config.json`.
//!
//! Every key under the architecture's own prefix must be read here, or it is refused by name: llama.cpp would have read it.
//! Where a key is absent, llama.cpp's default counts and is written out, for that of transformers may differ.

#[cfg(test)]
mod tests;

use super::dialect::{Dialect, ROPE_TENSORS};
use super::file::Gguf;
use super::keys::{Fields, Keys};
use super::rope;
use crate::error::Result;
use serde_json::{Value, json};

/// The `config.json` that transformers would have for this file.
///
/// # Errors
/// [`crate::error::Error::UnsupportedFamily`] for an architecture that is not read; [`crate::error::Error::UnsupportedConfig`] for
/// a key or value that is not implemented.
pub(super) fn config(gguf: &Gguf) -> Result<Value> {
    let dialect = gguf.dialect()?;
    refuse_other_kinds(gguf)?;
    let keys = Keys::of(gguf)?;
    let mut fields = Fields::default();
    fields.put("model_type", dialect.model_type);
    fields.put("architectures", json!([dialect.class]));
    fields.put("vocab_size", vocabulary(&keys)?);
    fields.put("tie_word_embeddings", !keys.has("output.weight"));
    describe(dialect, &keys, &mut fields)?;
    // What poolings and experts there are: none of it reaches a hook point, unless there are experts.
    keys.only("expert_count", 0)?;
    keys.only("expert_used_count", 0)?;
    keys.skip(&["pooling_type", "classifier.output_labels"]);
    keys.finish()?;
    Ok(fields.object())
}

/// A file can also hold an adapter, an importance matrix, or a part of a model.
fn refuse_other_kinds(gguf: &Gguf) -> Result<()> {
    if gguf
        .text("general.type")
        .is_some_and(|kind| kind != "model")
    {
        return Err(gguf.unsupported("general.type", "only whole models are read"));
    }
    match gguf.unsigned("split.count") {
        None | Some(0 | 1) => Ok(()),
        Some(_) => Err(gguf.unsupported(
            "split.count",
            "the model is split over several files; join them with llama-gguf-split --merge",
        )),
    }
}

/// The rows of the embedding, which must be as many as any other place says.
fn vocabulary(keys: &Keys<'_>) -> Result<usize> {
    let rows = keys.rows("token_embd.weight");
    match rows {
        None => Err(keys.gguf.malformed("it has no tensor `token_embd.weight`")),
        Some(rows) => {
            keys.only("vocab_size", rows)?;
            Ok(rows)
        }
    }
}

/// What most decoders call their sizes.
fn sizes(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    let (heads, kv_heads) = keys.heads()?;
    fields.put("hidden_size", keys.size("embedding_length", None)?);
    fields.put("num_hidden_layers", keys.size("block_count", None)?);
    fields.put("num_attention_heads", heads);
    fields.put("num_key_value_heads", kv_heads);
    fields.put("intermediate_size", keys.size("feed_forward_length", None)?);
    fields.put(
        "max_position_embeddings",
        keys.size("context_length", None)?,
    );
    Ok(())
}

fn rms(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    let eps = keys.number("attention.layer_norm_rms_epsilon", None)?;
    fields.put("rms_norm_eps", eps);
    Ok(())
}

fn layer_norm(keys: &Keys<'_>, fields: &mut Fields, field: &str) -> Result<()> {
    let eps = keys.number("attention.layer_norm_epsilon", None)?;
    fields.put(field, eps);
    Ok(())
}

/// A family that takes the width of a head from nothing but the stream's width.
fn even_heads(keys: &Keys<'_>) -> Result<usize> {
    let d_head = keys.head_dim()?;
    match d_head * keys.heads()?.0 == keys.size("embedding_length", None)? {
        true => Ok(d_head),
        false => Err(keys.unsupported(
            "attention.key_length",
            "in this family the heads share the width of the stream",
        )),
    }
}

/// What each family has beyond its names.
fn describe(dialect: &Dialect, keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    if dialect.name != "bert" {
        keys.only("attention.causal", true)?;
    }
    match dialect.name {
        "gpt2" => return gpt2(keys, fields),
        "bloom" => return bloom(keys, fields),
        "bert" => return bert(keys, fields),
        _ => sizes(keys, fields)?,
    }
    match dialect.name {
        "llama" => {
            rms(keys, fields)?;
            fields.put("attention_bias", keys.has("blk.0.attn_q.bias"));
            fields.put("mlp_bias", keys.has("blk.0.ffn_up.bias"));
            fields.put("head_dim", keys.head_dim()?);
            rope::whole(keys, fields)
        }
        "qwen2" => {
            rms(keys, fields)?;
            even_heads(keys)?;
            fields.put("use_sliding_window", false);
            rope::whole(keys, fields)
        }
        "qwen3" | "olmo2" => {
            rms(keys, fields)?;
            fields.put("attention_bias", keys.has("blk.0.attn_q.bias"));
            match dialect.name {
                "qwen3" => fields.put("head_dim", keys.head_dim()?),
                _ => drop(even_heads(keys)?),
            }
            rope::whole(keys, fields)
        }
        "gemma" | "gemma2" | "gemma3" => gemma(dialect.name, keys, fields),
        "phi2" => {
            layer_norm(keys, fields, "layer_norm_eps")?;
            even_heads(keys)?;
            fields.put("hidden_act", "gelu_new");
            rope::partial(keys, fields)
        }
        "phi3" => phi3(keys, fields),
        "gptneox" => {
            layer_norm(keys, fields, "layer_norm_eps")?;
            even_heads(keys)?;
            keys.only("attention.head_count_kv", keys.heads()?.0)?;
            fields.remove("num_key_value_heads");
            // llama.cpp computes the tanh approximation; the models were trained with the exact function.
            fields.put("hidden_act", "gelu");
            fields.put("attention_bias", keys.has("blk.0.attn_qkv.bias"));
            let parallel = keys.flag("use_parallel_residual", true)?;
            fields.put("use_parallel_residual", parallel);
            rope::partial(keys, fields)
        }
        _ => {
            layer_norm(keys, fields, "layer_norm_eps")?;
            even_heads(keys)?;
            fields.put("use_qkv_bias", keys.has("blk.0.attn_q.bias"));
            let parallel = keys.flag("use_parallel_residual", false)?;
            fields.put("use_parallel_residual", parallel);
            rope::partial(keys, fields)
        }
    }
}

fn gemma(name: &str, keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    let d_head = keys.head_dim()?;
    rms(keys, fields)?;
    fields.put("head_dim", d_head);
    // llama.cpp has no head of its own for these; the converter leaves a second copy of the embeddings out.
    fields.put("tie_word_embeddings", true);
    if name == "gemma" {
        fields.put("hidden_act", "gelu_pytorch_tanh");
        return rope::whole(keys, fields);
    }
    fields.put("hidden_activation", "gelu_pytorch_tanh");
    // llama.cpp knows the 27-billion models, which alone scale by the width of the stream over the heads, by their depth.
    let (depth, width) = (
        keys.size("block_count", None)?,
        keys.size("embedding_length", None)?,
    );
    let scalar = match (name, depth) {
        ("gemma2", 46) | ("gemma3", 62) => width / keys.heads()?.0,
        _ => d_head,
    };
    fields.put("query_pre_attn_scalar", scalar);
    for (key, field, default) in [
        ("attn_logit_softcapping", "attn_logit_softcapping", 50.0),
        ("final_logit_softcapping", "final_logit_softcapping", 30.0),
    ] {
        match name {
            "gemma2" => fields.put(field, keys.number(key, Some(default))?),
            _ if keys.there(key) => fields.put(field, keys.number(key, None)?),
            _ => fields.put(field, Value::Null),
        }
    }
    if name == "gemma2" {
        fields.put(
            "sliding_window",
            keys.size("attention.sliding_window", Some(4096))?,
        );
        return rope::whole(keys, fields);
    }
    fields.put(
        "sliding_window",
        keys.size("attention.sliding_window", None)?,
    );
    fields.put("layer_types", every_sixth_is_full(depth));
    rope::global_and_local(keys, fields)
}

/// Five blocks that look a window back, then one that looks back all the way.
fn every_sixth_is_full(depth: usize) -> Value {
    let kind = |i: usize| match (i + 1) % 6 {
        0 => "full_attention",
        _ => "sliding_attention",
    };
    // A depth that the weights do not bear out is refused when they are looked for; it must not cost memory before.
    (0..depth.min(1 << 16)).map(kind).collect()
}

fn phi3(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    rms(keys, fields)?;
    even_heads(keys)?;
    // 0 stands for none (Phi-4).
    let window = match keys.number("attention.sliding_window", Some(0.0))? {
        0.0 => Value::Null,
        _ => keys.size("attention.sliding_window", None)?.into(),
    };
    fields.put("sliding_window", window);
    if ROPE_TENSORS.iter().any(|tensor| keys.has(tensor)) {
        return Err(keys.unsupported(
            "rope.scaling.type",
            "the file has factors for long contexts (`rope_factors_long.weight`), which are not read",
        ));
    }
    // Without such factors the context that they would extend is the whole context.
    keys.skip(&["rope.scaling.original_context_length"]);
    rope::partial(keys, fields)
}

fn gpt2(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    even_heads(keys)?;
    let heads = keys.heads()?.0;
    keys.only("attention.head_count_kv", heads)?;
    fields.put("n_embd", keys.size("embedding_length", None)?);
    fields.put("n_layer", keys.size("block_count", None)?);
    fields.put("n_head", heads);
    fields.put("n_inner", keys.size("feed_forward_length", None)?);
    fields.put("n_positions", keys.size("context_length", None)?);
    fields.put("activation_function", "gelu_new");
    layer_norm(keys, fields, "layer_norm_epsilon")
}

fn bloom(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    even_heads(keys)?;
    let (heads, width) = (keys.heads()?.0, keys.size("embedding_length", None)?);
    keys.only("attention.head_count_kv", heads)?;
    keys.only("feed_forward_length", 4 * width)?;
    fields.put("hidden_size", width);
    fields.put("n_layer", keys.size("block_count", None)?);
    fields.put("n_head", heads);
    fields.put("seq_length", keys.size("context_length", None)?);
    layer_norm(keys, fields, "layer_norm_epsilon")
}

fn bert(keys: &Keys<'_>, fields: &mut Fields) -> Result<()> {
    sizes(keys, fields)?;
    fields.remove("num_key_value_heads");
    even_heads(keys)?;
    keys.only("attention.causal", false)?;
    keys.only("attention.head_count_kv", keys.heads()?.0)?;
    fields.put("hidden_act", "gelu");
    // The file of a RoBERTa begins its table at the first position that is used, and is a BERT from there on.
    for (tensor, field) in [
        ("position_embd.weight", "max_position_embeddings"),
        ("token_types.weight", "type_vocab_size"),
    ] {
        if let Some(rows) = keys.rows(tensor) {
            fields.put(field, rows);
        }
    }
    layer_norm(keys, fields, "layer_norm_eps")
}
