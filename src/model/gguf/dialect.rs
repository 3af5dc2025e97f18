//! How llama.cpp calls the parts of each architecture.

use super::layout::Layout;

/// From llama.cpp's words for an architecture to those of a Hugging Face checkpoint.
pub(super) struct Dialect {
    /// `general.architecture`.
    pub name: &'static str,
    /// `model_type`.
    pub model_type: &'static str,
    /// The class of transformers that such a file is saved from.
    pub class: &'static str,
    /// Modules, `{i}` standing for the block; the first list that has one counts.
    pub modules: &'static [&'static [(&'static str, &'static str)]],
    /// The layout of a tensor, by its module.
    pub layout: fn(module: &str, heads: usize, kv_heads: usize) -> Layout,
}

/// Tensors that are part of the configuration, not of the weights.
pub(super) const ROPE_TENSORS: &[&str] = &[
    "rope_freqs.weight",
    "rope_factors_long.weight",
    "rope_factors_short.weight",
];

impl Dialect {
    /// The dialect of an architecture.
    pub(super) fn of(architecture: &str) -> Option<&'static Self> {
        DIALECTS.iter().find(|d| d.name == architecture)
    }

    /// The checkpoint's name of a tensor, and how it is laid out in the file. A tensor that is no part of the architecture keeps its name.
    pub(super) fn translate(&self, name: &str, heads: usize, kv_heads: usize) -> (String, Layout) {
        let unknown = || (name.to_owned(), Layout::Same);
        let Some((path, parameter)) = name.rsplit_once('.') else {
            return unknown();
        };
        let (layer, module) = match path.strip_prefix("blk.").and_then(|p| p.split_once('.')) {
            Some((layer, module)) => (layer, format!("{{i}}.{module}")),
            None => ("", path.to_owned()),
        };
        let mut modules = self.modules.iter().copied().flatten();
        match modules.find(|(theirs, _)| *theirs == module) {
            None => unknown(),
            Some((_, foreign)) => (
                format!("{}.{parameter}", foreign.replace("{i}", layer)),
                (self.layout)(&module, heads, kv_heads),
            ),
        }
    }
}

/// Llama's names, which most decoders share.
const USUAL: &[(&str, &str)] = &[
    ("token_embd", "model.embed_tokens"),
    ("output_norm", "model.norm"),
    ("output", "lm_head"),
    ("{i}.attn_norm", "model.layers.{i}.input_layernorm"),
    ("{i}.ffn_norm", "model.layers.{i}.post_attention_layernorm"),
    ("{i}.attn_q", "model.layers.{i}.self_attn.q_proj"),
    ("{i}.attn_k", "model.layers.{i}.self_attn.k_proj"),
    ("{i}.attn_v", "model.layers.{i}.self_attn.v_proj"),
    ("{i}.attn_output", "model.layers.{i}.self_attn.o_proj"),
    ("{i}.ffn_gate", "model.layers.{i}.mlp.gate_proj"),
    ("{i}.ffn_up", "model.layers.{i}.mlp.up_proj"),
    ("{i}.ffn_down", "model.layers.{i}.mlp.down_proj"),
];

const QK_NORM: &[(&str, &str)] = &[
    ("{i}.attn_q_norm", "model.layers.{i}.self_attn.q_norm"),
    ("{i}.attn_k_norm", "model.layers.{i}.self_attn.k_norm"),
];

/// Norms around attention and MLP: before and after (Gemma 2), or after alone (OLMo 2).
const SANDWICH: &[(&str, &str)] = &[
    (
        "{i}.post_attention_norm",
        "model.layers.{i}.post_attention_layernorm",
    ),
    ("{i}.ffn_norm", "model.layers.{i}.pre_feedforward_layernorm"),
    (
        "{i}.post_ffw_norm",
        "model.layers.{i}.post_feedforward_layernorm",
    ),
];

const PHI2: &[(&str, &str)] = &[
    ("output_norm", "model.final_layernorm"),
    ("{i}.attn_output", "model.layers.{i}.self_attn.dense"),
    ("{i}.ffn_up", "model.layers.{i}.mlp.fc1"),
    ("{i}.ffn_down", "model.layers.{i}.mlp.fc2"),
];

const PHI3: &[(&str, &str)] = &[
    ("{i}.attn_qkv", "model.layers.{i}.self_attn.qkv_proj"),
    ("{i}.ffn_up", "model.layers.{i}.mlp.gate_up_proj"),
];

const GPT2: &[(&str, &str)] = &[
    ("token_embd", "transformer.wte"),
    ("position_embd", "transformer.wpe"),
    ("output_norm", "transformer.ln_f"),
    ("output", "lm_head"),
    ("{i}.attn_norm", "transformer.h.{i}.ln_1"),
    ("{i}.attn_qkv", "transformer.h.{i}.attn.c_attn"),
    ("{i}.attn_output", "transformer.h.{i}.attn.c_proj"),
    ("{i}.ffn_norm", "transformer.h.{i}.ln_2"),
    ("{i}.ffn_up", "transformer.h.{i}.mlp.c_fc"),
    ("{i}.ffn_down", "transformer.h.{i}.mlp.c_proj"),
];

const GPT_NEOX: &[(&str, &str)] = &[
    ("token_embd", "gpt_neox.embed_in"),
    ("output_norm", "gpt_neox.final_layer_norm"),
    ("output", "embed_out"),
    ("{i}.attn_norm", "gpt_neox.layers.{i}.input_layernorm"),
    (
        "{i}.attn_qkv",
        "gpt_neox.layers.{i}.attention.query_key_value",
    ),
    ("{i}.attn_output", "gpt_neox.layers.{i}.attention.dense"),
    (
        "{i}.ffn_norm",
        "gpt_neox.layers.{i}.post_attention_layernorm",
    ),
    ("{i}.ffn_up", "gpt_neox.layers.{i}.mlp.dense_h_to_4h"),
    ("{i}.ffn_down", "gpt_neox.layers.{i}.mlp.dense_4h_to_h"),
];

const BLOOM: &[(&str, &str)] = &[
    ("token_embd", "transformer.word_embeddings"),
    ("token_embd_norm", "transformer.word_embeddings_layernorm"),
    ("output_norm", "transformer.ln_f"),
    ("output", "lm_head"),
    ("{i}.attn_norm", "transformer.h.{i}.input_layernorm"),
    (
        "{i}.attn_qkv",
        "transformer.h.{i}.self_attention.query_key_value",
    ),
    ("{i}.attn_output", "transformer.h.{i}.self_attention.dense"),
    ("{i}.ffn_norm", "transformer.h.{i}.post_attention_layernorm"),
    ("{i}.ffn_up", "transformer.h.{i}.mlp.dense_h_to_4h"),
    ("{i}.ffn_down", "transformer.h.{i}.mlp.dense_4h_to_h"),
];

const BERT: &[(&str, &str)] = &[
    ("token_embd", "embeddings.word_embeddings"),
    ("position_embd", "embeddings.position_embeddings"),
    ("token_types", "embeddings.token_type_embeddings"),
    ("token_embd_norm", "embeddings.LayerNorm"),
    ("{i}.attn_q", "encoder.layer.{i}.attention.self.query"),
    ("{i}.attn_k", "encoder.layer.{i}.attention.self.key"),
    ("{i}.attn_v", "encoder.layer.{i}.attention.self.value"),
    (
        "{i}.attn_output",
        "encoder.layer.{i}.attention.output.dense",
    ),
    (
        "{i}.attn_output_norm",
        "encoder.layer.{i}.attention.output.LayerNorm",
    ),
    ("{i}.ffn_up", "encoder.layer.{i}.intermediate.dense"),
    ("{i}.ffn_down", "encoder.layer.{i}.output.dense"),
    (
        "{i}.layer_output_norm",
        "encoder.layer.{i}.output.LayerNorm",
    ),
];

fn same(_: &str, _: usize, _: usize) -> Layout {
    Layout::Same
}

fn pairs_together(module: &str, heads: usize, kv_heads: usize) -> Layout {
    match module {
        "{i}.attn_q" => Layout::PairsTogether { heads },
        "{i}.attn_k" => Layout::PairsTogether { heads: kv_heads },
        _ => Layout::Same,
    }
}

fn norms_plus_one(module: &str, _: usize, _: usize) -> Layout {
    match module.ends_with("norm") {
        true => Layout::PlusOne,
        false => Layout::Same,
    }
}

fn conv1d(module: &str, _: usize, _: usize) -> Layout {
    match module {
        "{i}.attn_qkv" | "{i}.attn_output" | "{i}.ffn_up" | "{i}.ffn_down" => Layout::Transposed,
        _ => Layout::Same,
    }
}

fn qkv_apart(module: &str, heads: usize, kv_heads: usize) -> Layout {
    match module {
        "{i}.attn_qkv" => Layout::QkvApart { heads, kv_heads },
        _ => Layout::Same,
    }
}

/// Every architecture that is read.
pub(super) const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "llama",
        model_type: "llama",
        class: "LlamaForCausalLM",
        modules: &[USUAL],
        layout: pairs_together,
    },
    Dialect {
        name: "qwen2",
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        modules: &[USUAL],
        layout: same,
    },
    Dialect {
        name: "qwen3",
        model_type: "qwen3",
        class: "Qwen3ForCausalLM",
        modules: &[USUAL, QK_NORM],
        layout: same,
    },
    Dialect {
        name: "gemma",
        model_type: "gemma",
        class: "GemmaForCausalLM",
        modules: &[USUAL],
        layout: norms_plus_one,
    },
    Dialect {
        name: "gemma2",
        model_type: "gemma2",
        class: "Gemma2ForCausalLM",
        modules: &[SANDWICH, USUAL],
        layout: norms_plus_one,
    },
    Dialect {
        name: "gemma3",
        model_type: "gemma3_text",
        class: "Gemma3ForCausalLM",
        modules: &[SANDWICH, USUAL, QK_NORM],
        layout: norms_plus_one,
    },
    Dialect {
        name: "phi2",
        model_type: "phi",
        class: "PhiForCausalLM",
        modules: &[PHI2, USUAL],
        layout: same,
    },
    Dialect {
        name: "phi3",
        model_type: "phi3",
        class: "Phi3ForCausalLM",
        modules: &[PHI3, USUAL],
        layout: same,
    },
    Dialect {
        name: "gpt2",
        model_type: "gpt2",
        class: "GPT2LMHeadModel",
        modules: &[GPT2],
        layout: conv1d,
    },
    Dialect {
        name: "gptneox",
        model_type: "gpt_neox",
        class: "GPTNeoXForCausalLM",
        modules: &[GPT_NEOX],
        layout: qkv_apart,
    },
    Dialect {
        name: "bloom",
        model_type: "bloom",
        class: "BloomForCausalLM",
        modules: &[BLOOM],
        layout: qkv_apart,
    },
    Dialect {
        name: "stablelm",
        model_type: "stablelm",
        class: "StableLmForCausalLM",
        modules: &[USUAL],
        layout: same,
    },
    Dialect {
        name: "olmo2",
        model_type: "olmo2",
        class: "Olmo2ForCausalLM",
        modules: &[SANDWICH, USUAL, QK_NORM],
        layout: same,
    },
    Dialect {
        name: "bert",
        model_type: "bert",
        class: "BertModel",
        modules: &[BERT],
        layout: same,
    },
];
