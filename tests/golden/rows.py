"""The table of goldens: name -> transformers class, configuration, and the switches that must change its numbers.

`off` lists changes to the configuration; make.py runs the same weights with each and fails where nothing moves, so that a
golden never holds for an implementation that ignores the switch it was made for. `old` rows keep their config.json as it is
written here, in the spelling of older versions and with the defaults left out; the others are as transformers saves them.
"""

TINY = {"vocab_size": 24, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4}
ONE = TINY | {"num_hidden_layers": 1}
GROUPED = TINY | {"num_key_value_heads": 2, "max_position_embeddings": 32}
ONE_GROUPED = GROUPED | {"num_hidden_layers": 1}
WIDE = GROUPED | {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
READING = {"vocab_size": 96, "num_hidden_layers": 2, "max_position_embeddings": 64}
"""What the invariants need: ids up to 96 and texts of 40 tokens."""
DESK = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4} | READING | {"num_hidden_layers": 3}
"""What the tests of the command line need, which take their configuration from here."""
ENCODER = TINY | {"num_attention_heads": 2, "max_position_embeddings": 16, "type_vocab_size": 2}
ROBERTA = ENCODER | {"pad_token_id": 1, "type_vocab_size": 1}
CLASSES = {"num_labels": 3}
FULL = ["full_attention", "full_attention"]


def rope(kind, **parameters):
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10000.0} | parameters}


PLAIN_ROPE = rope("default")
YARN = {"rope_theta": 100.0, "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 4.0}
LONG = {"short_factor": [1.0, 1.5, 2.0, 3.0], "long_factor": [1.0, 2.0, 4.0, 8.0]}

DECODERS = {
    "llama": ("LlamaForCausalLM", DESK | {"num_key_value_heads": 2, "tie_word_embeddings": True}, []),
    "llama-bias": (
        "LlamaForCausalLM",
        ONE_GROUPED | {"head_dim": 8, "attention_bias": True, "mlp_bias": True, "hidden_act": "gelu"},
        [{"attention_bias": False}, {"mlp_bias": False}, {"hidden_act": "silu"}, {"tie_word_embeddings": True}],
    ),
    "llama-linear": (
        "LlamaModel",
        {"vocab_size": 24, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 1, "num_attention_heads": 2,
         "rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 4.0}, "max_position_embeddings": 32,
         "rms_norm_eps": 0.01},
        [PLAIN_ROPE | rope("default", rope_theta=500.0), {"rms_norm_eps": 1e-6}],
        "old",
    ),
    "llama-dynamic": (
        "LlamaModel", ONE_GROUPED | {"head_dim": 8, "max_position_embeddings": 4} | rope("dynamic", factor=4.0), [PLAIN_ROPE],
    ),
    "llama-yarn": (
        "LlamaModel",
        ONE_GROUPED | {"head_dim": 16, "max_position_embeddings": 256} | rope("yarn", **YARN),
        [PLAIN_ROPE, rope("yarn", **YARN | {"beta_fast": 32.0}), rope("yarn", **YARN, attention_factor=1.0)],
    ),
    "llama3-rope": (
        "LlamaModel",
        ONE_GROUPED | READING | {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16} | rope("llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                                        original_max_position_embeddings=16, rope_theta=100.0),
        [rope("default", rope_theta=100.0)],
    ),
    "llama-classifier": ("LlamaForSequenceClassification", ONE_GROUPED | CLASSES | {"pad_token_id": 0}, []),
    "mistral-window": ("MistralModel", ONE_GROUPED | {"sliding_window": 3}, [{"sliding_window": None}]),
    "qwen2-window": (
        "Qwen2Model", GROUPED | {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1},
        [{"layer_types": FULL}],
    ),
    "qwen3": ("Qwen3ForCausalLM", WIDE | {"num_hidden_layers": 1, "attention_bias": True}, [{"attention_bias": False}]),
    "gemma": ("GemmaForSequenceClassification", WIDE | CLASSES | {"num_hidden_layers": 1}, []),
    "gemma2": (
        "Gemma2ForCausalLM",
        WIDE | {"sliding_window": 3, "query_pre_attn_scalar": 4, "attn_logit_softcapping": 1.5, "final_logit_softcapping": 2.0},
        [{"layer_types": FULL}, {"query_pre_attn_scalar": 8}, {"attn_logit_softcapping": None}, {"final_logit_softcapping": None}],
    ),
    "gemma3-text": (
        "Gemma3ForCausalLM",
        WIDE | {"sliding_window": 3, "query_pre_attn_scalar": 4, "layer_types": ["sliding_attention", "full_attention"],
                "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
                                    "full_attention": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}}},
        [{"layer_types": FULL}, {"query_pre_attn_scalar": 8},
         {"rope_parameters": {k: {"rope_type": "default", "rope_theta": 100.0} for k in ("sliding_attention", "full_attention")}},
         {"rope_parameters": {k: {"rope_type": "default", "rope_theta": 10000.0} for k in ("sliding_attention", "full_attention")}}],
    ),
    "phi3-longrope": (
        "Phi3ForCausalLM",
        ONE_GROUPED | {"num_attention_heads": 2, "num_key_value_heads": 1, "original_max_position_embeddings": 4, "pad_token_id": 0,
                   "eos_token_id": 2, "rope_theta": 1000.0, "rope_scaling": {"type": "longrope"} | LONG, "rms_norm_eps": 1e-5},
        [rope("longrope", **LONG, rope_theta=1000.0, attention_factor=1.0), rope("default", rope_theta=1000.0),
         {"original_max_position_embeddings": 16}],
        "old",
    ),
    "olmo": (
        "OlmoForCausalLM", ONE_GROUPED | {"clip_qkv": 0.8, "attention_bias": True, "eos_token_id": 2},
        [{"clip_qkv": None}, {"attention_bias": False}],
    ),
    "olmo2": ("Olmo2ForCausalLM", ONE_GROUPED | {"eos_token_id": 2}, []),
    "starcoder2": (
        "Starcoder2ForCausalLM", ONE_GROUPED | {"sliding_window": 3, "bos_token_id": 1, "eos_token_id": 2},
        [{"sliding_window": None}, {"use_bias": False}],
    ),
    "cohere": (
        "CohereForCausalLM",
        ONE_GROUPED | {"use_qk_norm": True, "logit_scale": 0.25, "attention_bias": True, "eos_token_id": 2},
        [{"use_qk_norm": False}, {"logit_scale": 1.0}, {"attention_bias": False}],
    ),
    "granite": (
        "GraniteForCausalLM",
        ONE_GROUPED | {"embedding_multiplier": 3.0, "logits_scaling": 4.0, "residual_multiplier": 0.5, "attention_multiplier": 0.7,
                   "mlp_bias": True},
        [{"embedding_multiplier": 1.0}, {"logits_scaling": 1.0}, {"residual_multiplier": 1.0}, {"attention_multiplier": 0.5},
         {"mlp_bias": False}],
    ),
    "smollm3": (
        "SmolLM3ForCausalLM",
        GROUPED | {"no_rope_layers": [1, 0], "use_sliding_window": True, "sliding_window": 3, "pad_token_id": 0, "bos_token_id": 1,
                   "eos_token_id": 2},
        [{"no_rope_layers": [1, 1]}, {"layer_types": FULL}],
    ),
    "phi-qk-norm": (
        "PhiModel", ONE | {"num_attention_heads": 2, "max_position_embeddings": 32, "qk_layernorm": True, "partial_rotary_factor": 0.5},
        [{"qk_layernorm": False}, rope("default", partial_rotary_factor=1.0)],
    ),
    "stablelm-parallel": (
        "StableLmModel",
        ONE_GROUPED | {"num_attention_heads": 2, "num_key_value_heads": 1, "use_parallel_residual": True, "qk_layernorm": True,
                       "use_qkv_bias": True, "partial_rotary_factor": 0.5},
        [{"use_parallel_residual": False}, {"qk_layernorm": False}, {"use_qkv_bias": False}],
    ),
    "gpt2-inverse": (
        "GPT2LMHeadModel",
        {"vocab_size": 24, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 16, "n_inner": 20, "bos_token_id": 0,
         "eos_token_id": 0, "scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True},
        [{"scale_attn_by_inverse_layer_idx": False}, {"activation_function": "relu"}],
    ),
    "gpt2-classifier": (
        "GPT2ForSequenceClassification",
        {"vocab_size": 24, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 16, "scale_attn_weights": False,
         "eos_token_id": 0, "bos_token_id": 0, "pad_token_id": 0} | CLASSES,
        [{"scale_attn_weights": True}],
    ),
    "gpt-neo-window": (
        "GPTNeoForCausalLM",
        {"vocab_size": 24, "hidden_size": 16, "num_layers": 2, "num_heads": 2, "attention_types": [[["global", "local"], 1]],
         "window_size": 3, "max_position_embeddings": 16, "intermediate_size": 20, "bos_token_id": 0, "eos_token_id": 0},
        [{"window_size": 256}],
    ),
    "gpt-neox-serial": (
        "GPTNeoXModel",
        ONE | {"num_attention_heads": 2, "max_position_embeddings": 32, "use_parallel_residual": False, "attention_bias": False,
               "rotary_pct": 0.5, "rotary_emb_base": 1000},
        [{"use_parallel_residual": True}, rope("default", rope_theta=1000.0, partial_rotary_factor=1.0)],
    ),
    "gptj": (
        "GPTJForCausalLM",
        {"vocab_size": 24, "n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 16, "rotary_dim": 4, "n_inner": 20,
         "bos_token_id": 0, "eos_token_id": 0},
        [{"activation_function": "relu"}],
    ),
    "opt-post-norm": (
        "OPTForCausalLM",
        {"vocab_size": 24, "hidden_size": 16, "num_hidden_layers": 1, "ffn_dim": 20, "num_attention_heads": 2,
         "max_position_embeddings": 16, "do_layer_norm_before": False, "word_embed_proj_dim": 8},
        [{"do_layer_norm_before": True}],
    ),
    "bloom-post-norm-residual": (
        "BloomForCausalLM",
        {"vocab_size": 24, "hidden_size": 12, "n_layer": 1, "n_head": 3, "apply_residual_connection_post_layernorm": True},
        [{"apply_residual_connection_post_layernorm": False}],
    ),
    "falcon-multi-query": (
        "FalconForCausalLM", ONE | {"ffn_hidden_size": 20, "max_position_embeddings": 32, "bos_token_id": 1, "eos_token_id": 2},
        [{"alibi": True}],
    ),
    "falcon-grouped": (
        "FalconModel",
        ONE | {"ffn_hidden_size": 20, "max_position_embeddings": 32, "bos_token_id": 1, "eos_token_id": 2, "num_kv_heads": 2,
                "new_decoder_architecture": True},
        [],
    ),
}

ENCODERS = {
    "bert": ("BertForMaskedLM", DESK, []),
    "bert-classifier": ("BertForSequenceClassification", ENCODER | READING | CLASSES, []),
    "distilbert": (
        "DistilBertForMaskedLM",
        {"vocab_size": 24, "dim": 16, "hidden_dim": 20, "n_layers": 1, "n_heads": 2, "max_position_embeddings": 16,
         "activation": "relu"},
        [{"activation": "gelu"}],
    ),
    "roberta-classifier": ("RobertaForSequenceClassification", ROBERTA | CLASSES | {"num_hidden_layers": 1}, []),
    "xlm-roberta": ("XLMRobertaForMaskedLM", ROBERTA | {"num_hidden_layers": 1}, []),
    "camembert": ("CamembertModel", ROBERTA | {"num_hidden_layers": 1, "hidden_act": "gelu_new"}, [{"hidden_act": "relu"}]),
    "electra": ("ElectraForMaskedLM", ENCODER | {"embedding_size": 8, "num_hidden_layers": 1}, []),
    "electra-classifier": (
        "ElectraForSequenceClassification", ENCODER | CLASSES | {"embedding_size": 16, "num_hidden_layers": 1}, [],
    ),
    "albert-groups": (
        "AlbertForMaskedLM",
        ENCODER | {"intermediate_size": 12, "embedding_size": 8, "num_hidden_layers": 2, "num_hidden_groups": 2, "inner_group_num": 2},
        [{"hidden_act": "relu"}],
    ),
    "mpnet": (
        "MPNetForMaskedLM",
        {k: v for k, v in ENCODER.items() if k != "type_vocab_size"} | {"pad_token_id": 1, "num_hidden_layers": 1}, [],
    ),
    "modernbert-window": (
        "ModernBertForSequenceClassification",
        TINY | CLASSES | {"num_attention_heads": 2, "local_attention": 4, "layer_types": ["full_attention", "sliding_attention"],
                "classifier_pooling": "mean", "classifier_bias": True, "norm_bias": True, "attention_bias": True, "mlp_bias": True,
                "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2,
                "rope_parameters": {"sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
                                    "full_attention": {"rope_type": "default", "rope_theta": 10000.0}}},
        [{"layer_types": FULL}, {"classifier_pooling": "cls"}, {"attention_bias": False}, {"mlp_bias": False},
         {"norm_bias": False}],
    ),
    "nomic-bert": (
        "NomicBertForMaskedLM", ENCODER | {"num_hidden_layers": 1, "rope_parameters": {"rope_type": "default", "rope_theta": 100.0}},
        [PLAIN_ROPE],
    ),
    "t5-gated": (
        "T5EncoderModel",
        {"vocab_size": 24, "d_model": 16, "d_kv": 4, "d_ff": 20, "num_layers": 2, "num_decoder_layers": 1, "num_heads": 2,
         "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 8, "relative_attention_max_distance": 6,
         "tie_word_embeddings": False},
        [{"relative_attention_max_distance": 16}, {"dense_act_fn": "relu"}],
    ),
}

ROWS = DECODERS | ENCODERS
