"""Random configurations, a function per family: what fuzz.py tries.

Each returns (classes, config.json as a dict, optional keys). Optional keys are ones that may be left out, so that the
default counts. Names and spellings are those that files on the hub have, old ones included.
"""

PLAIN_ACTS = ["gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "quick_gelu", "relu", "silu", "tanh", "relu2", "swish"]
GATED_ACTS = ["silu", "silu", "gelu", "gelu_pytorch_tanh", "relu", "swish", "gelu_new"]
HEADED = ["Model", "ForCausalLM", "ForCausalLM", "ForSequenceClassification"]
MASKED = ["Model", "ForMaskedLM", "ForSequenceClassification"]


def maybe(r, p=0.5):
    return r.random() < p


def shape(r, even=True, free=False):
    """Heads, key-value heads, width of a head and of the stream."""
    heads = r.choice([1, 2, 3, 4, 6])
    kv = r.choice([k for k in (1, 2, 3, 4, 6) if heads % k == 0])
    d_head = r.choice([d for d in ([4, 6, 8, 10, 16] if even else [3, 4, 5, 8, 12]) if heads * d >= 8])
    return heads, kv, d_head, heads * (r.choice([d for d in (3, 5, 7, 8, 10) if heads * d >= 8]) if free else d_head)


def sizes(r, even=True, free=False, context=None):
    heads, kv, d_head, width = shape(r, even, free)
    return {
        "vocab_size": r.choice([29, 40, 57]), "hidden_size": width, "intermediate_size": r.choice([11, 24, 33]),
        "num_hidden_layers": r.choice([1, 2, 3, 4]), "num_attention_heads": heads, "num_key_value_heads": kv, "head_dim": d_head,
        "max_position_embeddings": context or r.choice([48, 64]),
    }


def labels(r, config):
    n = r.choice([1, 2, 3, 5])
    if maybe(r, 0.2):
        return
    if maybe(r, 0.2):
        config["num_labels"] = n
        return
    config["id2label"] = {str(i): f"LABEL_{i}" for i in range(n)}
    config["label2id"] = {f"LABEL_{i}": i for i in range(n)}


def scaling(r, config, d_rotary, kinds=("linear", "dynamic", "yarn", "llama3", "longrope")):
    kind = r.choice(kinds)
    found = {"rope_type": kind, "factor": r.choice([2.0, 4.0, 8.0, 1.5, 3])}
    if kind == "dynamic" and maybe(r, 0.7):
        config["max_position_embeddings"] = r.choice([6, 16])
    if kind in ("yarn", "llama3", "longrope"):
        found["original_max_position_embeddings"] = r.choice([8, 16, 64])
        config["max_position_embeddings"] = int(found["original_max_position_embeddings"] * found["factor"]) if maybe(r) else 64
    if kind == "yarn":
        for key, values in {"beta_fast": [16.0, 4, 32.0], "beta_slow": [1, 2.0, 0.5], "attention_factor": [1.0, 1.3],
                            "mscale": [0.7, 1.0], "mscale_all_dim": [1.0, 0.8], "truncate": [True, False]}.items():
            if maybe(r, 0.3):
                found[key] = r.choice(values)
    if kind == "llama3":
        low = r.choice([1.0, 2.0])
        found |= {"low_freq_factor": low, "high_freq_factor": low * r.choice([2, 4.0])}
    if kind == "longrope":
        found["short_factor"] = [round(r.uniform(1, 2), 2) for _ in range(d_rotary // 2)]
        found["long_factor"] = [round(r.uniform(1, 9), 2) for _ in range(d_rotary // 2)]
        if maybe(r):
            del found["factor"]
        if maybe(r, 0.3):
            found["attention_factor"] = 1.2
    return found


def rope(r, config, d_rotary, partial=None, theta_key="rope_theta", partial_key="partial_rotary_factor", kinds=None):
    """Rotary parameters in one of their spellings."""
    theta = r.choice([10000.0, 100.0, 1000000.0, 500])
    scaled = None
    if maybe(r, 0.5):
        scaled = scaling(r, config, d_rotary, **({"kinds": kinds} if kinds else {})) if kinds != () else None
    spelling = r.choice(["new", "old", "older", "mixed"])
    part = {} if partial is None else {partial_key: partial}
    if spelling == "new":
        inner = {"rope_theta": theta} | ({} if partial is None else {"partial_rotary_factor": partial})
        config["rope_parameters"] = (scaled or {"rope_type": "default"}) | inner
        return
    if spelling == "older" and scaled:
        scaled = {"type": scaled.pop("rope_type")} | scaled
    if spelling == "mixed" and scaled:
        scaled = {"type": scaled["rope_type"]} | scaled
    config |= {theta_key: theta} | part
    if scaled or maybe(r):
        config["rope_scaling"] = scaled


def window(r, config, p=0.5):
    config["sliding_window"] = r.choice([1, 2, 3, 5, 100]) if maybe(r, p) else None


def llama_like(r, prefix, kind, free=False, acts=GATED_ACTS, classes=HEADED):
    config = sizes(r, free=free) | {"model_type": kind, "hidden_act": r.choice(acts), "rms_norm_eps": r.choice([1e-6, 1e-5, 1e-2])}
    config["tie_word_embeddings"] = maybe(r)
    config |= {"pad_token_id": r.choice([None, 0, 1]), "bos_token_id": 1, "eos_token_id": 2}
    if not free:
        del config["head_dim"]
    return [prefix + c for c in classes], config


def d_head(config):
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


OPTIONAL = ["hidden_act", "rms_norm_eps", "tie_word_embeddings", "attention_bias", "mlp_bias", "rope_theta", "sliding_window",
            "max_position_embeddings", "layer_norm_eps"]


def llama(r):
    classes, c = llama_like(r, "Llama", "llama", free=maybe(r))
    c |= {"attention_bias": maybe(r, 0.3), "mlp_bias": maybe(r, 0.3)}
    rope(r, c, d_head(c))
    if maybe(r, 0.2):
        c["num_key_value_heads"] = None
    if maybe(r, 0.2) and c["hidden_size"] == c["num_attention_heads"] * d_head(c):
        c["head_dim"] = None
    return classes, c, OPTIONAL + ["num_key_value_heads"]


def mistral(r):
    classes, c = llama_like(r, "Mistral", "mistral", free=maybe(r))
    if maybe(r, 0.2) and "head_dim" not in c:
        c["head_dim"] = None
    rope(r, c, d_head(c))
    window(r, c)
    return classes, c, OPTIONAL


def qwen2(r):
    classes, c = llama_like(r, "Qwen2", "qwen2")
    rope(r, c, d_head(c))
    c |= {"use_sliding_window": maybe(r, 0.6), "sliding_window": r.choice([2, 3, 5]), "max_window_layers": r.choice([0, 1, 2, 28])}
    if maybe(r, 0.3):
        c["layer_types"] = [r.choice(["full_attention", "sliding_attention"] if c["use_sliding_window"] else ["full_attention"])
                            for _ in range(c["num_hidden_layers"])]
    return classes, c, [k for k in OPTIONAL if k != "sliding_window"] + ["use_sliding_window", "max_window_layers"]


def qwen3(r):
    _, c = llama_like(r, "Qwen3", "qwen3", free=True)
    rope(r, c, d_head(c))
    c |= {"use_sliding_window": maybe(r, 0.6), "sliding_window": r.choice([2, 3, 5]), "max_window_layers": r.choice([0, 1, 2]),
          "attention_bias": maybe(r, 0.3)}
    return ["Qwen3" + h for h in HEADED], c, [k for k in OPTIONAL if k != "sliding_window"]


def gemma(r):
    classes, c = llama_like(r, "Gemma", "gemma", free=True, acts=["gelu_pytorch_tanh", "gelu", "silu"])
    rope(r, c, d_head(c))
    c["attention_bias"] = maybe(r, 0.3)
    if maybe(r, 0.3):
        c["hidden_activation"] = r.choice([None, "gelu_pytorch_tanh"])
    if maybe(r, 0.1):
        c["use_bidirectional_attention"] = True
    return classes, c, OPTIONAL


def gemma2(r):
    classes, c = llama_like(r, "Gemma2", "gemma2", free=True)
    c["hidden_activation"] = c.pop("hidden_act")
    rope(r, c, d_head(c))
    c |= {"attention_bias": maybe(r, 0.3), "query_pre_attn_scalar": r.choice([4, 16, 7]), "sliding_window": r.choice([2, 3, 5]),
          "attn_logit_softcapping": r.choice([None, 1.0, 5.0]), "final_logit_softcapping": r.choice([None, 2.0, 30.0])}
    if maybe(r, 0.3):
        c["layer_types"] = [r.choice(["full_attention", "sliding_attention"]) for _ in range(c["num_hidden_layers"])]
    if maybe(r, 0.1):
        c["use_bidirectional_attention"] = True
    return classes, c, ["attention_bias", "hidden_activation", "rms_norm_eps", "tie_word_embeddings", "query_pre_attn_scalar",
                        "attn_logit_softcapping", "final_logit_softcapping"]


def gemma3(r):
    _, c = llama_like(r, "", "gemma3_text", free=True)
    c["hidden_activation"] = c.pop("hidden_act")
    c |= {"attention_bias": maybe(r, 0.2), "query_pre_attn_scalar": r.choice([4, 16, 7]), "sliding_window": r.choice([2, 3, 5]),
          "final_logit_softcapping": r.choice([None, 2.0]), "attn_logit_softcapping": r.choice([None, None, 2.0])}
    if maybe(r):
        kinds = ["default", "linear", "linear"]
        full, local = r.choice(kinds), r.choice(["default", "default", "linear"])
        make = lambda kind, theta: {"rope_type": kind, "rope_theta": theta} | ({"factor": 4.0} if kind == "linear" else {})
        c["rope_parameters"] = {"full_attention": make(full, 1000.0), "sliding_attention": make(local, 100.0)}
        if maybe(r):
            c["layer_types"] = [r.choice(["full_attention", "sliding_attention"]) for _ in range(c["num_hidden_layers"])]
    else:
        c |= {"rope_theta": 1000.0, "rope_local_base_freq": 100.0, "sliding_window_pattern": r.choice([1, 2, 3])}
        if maybe(r):
            c["rope_scaling"] = {"rope_type": "linear", "factor": 8.0}
    if maybe(r, 0.1):
        c["use_bidirectional_attention"] = True
    return ["Gemma3TextModel", "Gemma3ForCausalLM", "Gemma3TextForSequenceClassification"], c, [
        "attention_bias", "hidden_activation", "rms_norm_eps", "tie_word_embeddings", "query_pre_attn_scalar", "rope_theta",
        "rope_local_base_freq", "sliding_window_pattern", "attn_logit_softcapping", "final_logit_softcapping"]


def phi3(r):
    classes, c = llama_like(r, "Phi3", "phi3")
    c["pad_token_id"] = 0
    d = d_head(c)
    part = r.choice([None, 1.0, 0.5])
    rotary = int(d * (part or 1.0))
    rotary -= rotary % 2
    if int(d * (part or 1.0)) % 2:
        part, rotary = None, d
    rope(r, c, rotary, partial=part, kinds=("longrope",))
    inner = c.get("rope_parameters") or c.get("rope_scaling") or {}
    if "original_max_position_embeddings" in inner:
        c["original_max_position_embeddings"] = inner["original_max_position_embeddings"]
        if maybe(r):
            del inner["original_max_position_embeddings"]
    window(r, c)
    return classes, c, [k for k in OPTIONAL if k != "max_position_embeddings"]


def olmo(r):
    classes, c = llama_like(r, "Olmo", "olmo")
    del c["rms_norm_eps"]
    rope(r, c, d_head(c))
    c |= {"clip_qkv": r.choice([None, 0.5, 2.0]), "attention_bias": maybe(r, 0.3)}
    return classes, c, OPTIONAL + ["clip_qkv"]


def olmo2(r):
    classes, c = llama_like(r, "Olmo2", "olmo2")
    rope(r, c, d_head(c))
    c["attention_bias"] = maybe(r, 0.3)
    return classes, c, OPTIONAL


def starcoder2(r):
    classes, c = llama_like(r, "Starcoder2", "starcoder2", acts=PLAIN_ACTS)
    del c["rms_norm_eps"]
    rope(r, c, d_head(c))
    c |= {"norm_epsilon": r.choice([1e-5, 1e-2]), "use_bias": maybe(r, 0.7)}
    window(r, c)
    return classes, c, OPTIONAL + ["use_bias", "norm_epsilon"]


def cohere(r):
    classes, c = llama_like(r, "Cohere", "cohere", classes=["Model", "ForCausalLM"])
    del c["rms_norm_eps"]
    rope(r, c, d_head(c))
    c |= {"layer_norm_eps": r.choice([1e-5, 1e-2]), "logit_scale": r.choice([0.0625, 1.0, 0.5]), "use_qk_norm": maybe(r),
          "attention_bias": maybe(r, 0.3)}
    return classes, c, OPTIONAL + ["logit_scale", "use_qk_norm"]


def granite(r):
    classes, c = llama_like(r, "Granite", "granite", classes=["Model", "ForCausalLM"])
    rope(r, c, d_head(c))
    c |= {"embedding_multiplier": r.choice([1.0, 12.0, 3]), "logits_scaling": r.choice([1.0, 8.0]), "attention_bias": maybe(r, 0.3),
          "residual_multiplier": r.choice([1.0, 0.22]), "attention_multiplier": r.choice([1.0, 0.3]), "mlp_bias": maybe(r, 0.3)}
    return classes, c, OPTIONAL + ["embedding_multiplier", "logits_scaling", "residual_multiplier", "attention_multiplier"]


def smollm3(r):
    classes, c = llama_like(r, "SmolLM3", "smollm3")
    c["pad_token_id"] = 0
    rope(r, c, d_head(c))
    n = c["num_hidden_layers"]
    if maybe(r):
        c["no_rope_layers"] = [r.choice([0, 1]) for _ in range(n)]
    elif maybe(r):
        c["no_rope_layer_interval"] = r.choice([1, 2, 3])
    c |= {"use_sliding_window": maybe(r), "sliding_window": r.choice([None, 2, 3]), "attention_bias": maybe(r, 0.3), "mlp_bias": maybe(r, 0.3)}
    if maybe(r, 0.3):
        c["max_window_layers"] = 28
    return classes, c, OPTIONAL


def phi(r):
    classes, c = llama_like(r, "Phi", "phi", acts=PLAIN_ACTS)
    del c["rms_norm_eps"]
    part = r.choice([0.5, 0.5, 1.0, 0.4])
    if int(d_head(c) * part) % 2 or int(d_head(c) * part) < 4:
        part = 1.0
    rope(r, c, int(d_head(c) * part), partial=part)
    c |= {"layer_norm_eps": r.choice([1e-5, 1e-2]), "qk_layernorm": maybe(r, 0.4)}
    return classes, c, OPTIONAL


def stablelm(r):
    classes, c = llama_like(r, "StableLm", "stablelm")
    del c["rms_norm_eps"]
    part = r.choice([0.25, 0.5, 1.0])
    if int(d_head(c) * part) % 2 or int(d_head(c) * part) < 4:
        part = 1.0
    rope(r, c, int(d_head(c) * part), partial=part)
    c |= {"layer_norm_eps": r.choice([1e-5, 1e-2]), "qk_layernorm": maybe(r, 0.4), "use_qkv_bias": maybe(r), "use_parallel_residual": maybe(r)}
    return classes, c, OPTIONAL


def gpt_neox(r):
    c = sizes(r) | {"model_type": "gpt_neox", "hidden_act": r.choice(PLAIN_ACTS), "layer_norm_eps": r.choice([1e-5, 1e-2])}
    del c["num_key_value_heads"], c["head_dim"]
    part = r.choice([0.25, 0.5, 1.0])
    if int(d_head(c) * part) % 2 or int(d_head(c) * part) < 4:
        part = 1.0
    rope(r, c, int(d_head(c) * part), partial=part, theta_key="rotary_emb_base", partial_key="rotary_pct")
    c |= {"use_parallel_residual": maybe(r), "attention_bias": maybe(r, 0.7), "tie_word_embeddings": maybe(r), "pad_token_id": r.choice([None, 1]),
          "bos_token_id": 0, "eos_token_id": 2}
    return ["GPTNeoX" + h for h in HEADED], c, ["use_parallel_residual", "attention_bias", "tie_word_embeddings", "hidden_act", "layer_norm_eps"]


def gpt2(r):
    heads, _, d, width = shape(r, even=False)
    c = {"model_type": "gpt2", "vocab_size": r.choice([29, 40]), "n_embd": width, "n_layer": r.choice([1, 2, 3]), "n_head": heads,
         "n_positions": r.choice([40, 48]), "n_inner": r.choice([None, 13, 24]), "activation_function": r.choice(PLAIN_ACTS),
         "layer_norm_epsilon": r.choice([1e-5, 1e-2]), "scale_attn_weights": maybe(r, 0.8), "scale_attn_by_inverse_layer_idx": maybe(r, 0.4),
         "reorder_and_upcast_attn": maybe(r, 0.4), "tie_word_embeddings": maybe(r, 0.8), "pad_token_id": r.choice([None, 0]),
         "bos_token_id": 0, "eos_token_id": 0}
    if maybe(r, 0.3):
        c["n_ctx"] = c["n_positions"]
    if maybe(r, 0.05):
        c |= {"add_cross_attention": True}
    return ["GPT2Model", "GPT2LMHeadModel", "GPT2LMHeadModel", "GPT2ForSequenceClassification"], c, [
        "n_inner", "activation_function", "layer_norm_epsilon", "scale_attn_weights", "tie_word_embeddings"]


def gptj(r):
    heads, _, d, width = shape(r)
    c = {"model_type": "gptj", "vocab_size": r.choice([29, 40]), "n_embd": width, "n_layer": r.choice([1, 2, 3]), "n_head": heads,
         "n_positions": r.choice([40, 48]), "n_inner": r.choice([None, 13, 24]), "activation_function": r.choice(PLAIN_ACTS),
         "rotary_dim": r.choice([k for k in (2, 4, 6, 8) if k <= d]), "layer_norm_epsilon": r.choice([1e-5, 1e-2]),
         "tie_word_embeddings": maybe(r, 0.3), "pad_token_id": r.choice([None, 0]), "bos_token_id": 0, "eos_token_id": 0}
    if maybe(r, 0.1):
        c["rotary_dim"] = None
    if maybe(r, 0.3):
        c["rotary"] = True
    return ["GPTJModel", "GPTJForCausalLM", "GPTJForSequenceClassification"], c, ["n_inner", "activation_function", "layer_norm_epsilon"]


def gpt_neo(r):
    heads, _, d, width = shape(r, even=False)
    n = r.choice([1, 2, 3, 4])
    kinds = [[["global", "local"], n // 2]] if n % 2 == 0 and maybe(r) else [[[r.choice(["global", "local"])], 1] for _ in range(n)]
    c = {"model_type": "gpt_neo", "vocab_size": 40, "hidden_size": width, "num_layers": n, "num_heads": heads, "attention_types": kinds,
         "window_size": r.choice([1, 2, 3, 256]), "max_position_embeddings": 48, "intermediate_size": r.choice([None, 13, 24]),
         "activation_function": r.choice(PLAIN_ACTS), "layer_norm_epsilon": r.choice([1e-5, 1e-2]), "tie_word_embeddings": maybe(r, 0.8),
         "pad_token_id": r.choice([None, 0]), "bos_token_id": 0, "eos_token_id": 0}
    return ["GPTNeo" + h for h in HEADED], c, ["activation_function", "layer_norm_epsilon", "intermediate_size", "window_size"]


def opt(r):
    heads, _, d, width = shape(r, even=False)
    c = {"model_type": "opt", "vocab_size": 40, "hidden_size": width, "num_hidden_layers": r.choice([1, 2, 3]), "ffn_dim": r.choice([13, 24]),
         "num_attention_heads": heads, "max_position_embeddings": 48, "do_layer_norm_before": maybe(r, 0.6),
         "_remove_final_layer_norm": maybe(r, 0.2), "word_embed_proj_dim": r.choice([width, width, 6]), "activation_function": r.choice(PLAIN_ACTS),
         "enable_bias": maybe(r, 0.7), "layer_norm_elementwise_affine": maybe(r, 0.7), "tie_word_embeddings": maybe(r, 0.7),
         "pad_token_id": r.choice([0, 1]), "bos_token_id": 2, "eos_token_id": 2}
    if not c["do_layer_norm_before"]:
        c["_remove_final_layer_norm"] = False
    return ["OPT" + h for h in HEADED], c, ["do_layer_norm_before", "_remove_final_layer_norm", "activation_function", "enable_bias",
                                           "layer_norm_elementwise_affine", "tie_word_embeddings", "pad_token_id"]


def bloom(r):
    heads, _, d, width = shape(r, even=False)
    heads = r.choice([heads, 5])
    c = {"model_type": "bloom", "vocab_size": 40, "hidden_size": heads * d, "n_layer": r.choice([1, 2, 3]), "n_head": heads,
         "apply_residual_connection_post_layernorm": maybe(r), "layer_norm_epsilon": r.choice([1e-5, 1e-2]),
         "pretraining_tp": r.choice([1, 2]), "slow_but_exact": maybe(r, 0.2), "tie_word_embeddings": maybe(r, 0.7), "pad_token_id": r.choice([None, 0])}
    if maybe(r, 0.2):
        c["n_embed"] = c.pop("hidden_size")
    if c["slow_but_exact"]:
        c["pretraining_tp"] = 1
    return ["Bloom" + h for h in HEADED], c, ["apply_residual_connection_post_layernorm", "layer_norm_epsilon", "tie_word_embeddings"]


def falcon(r):
    heads, kv, d, width = shape(r)
    c = {"model_type": "falcon", "vocab_size": 40, "hidden_size": width, "num_hidden_layers": r.choice([1, 2, 3]), "num_attention_heads": heads,
         "ffn_hidden_size": r.choice([None, 13, 24]), "alibi": maybe(r, 0.4), "new_decoder_architecture": maybe(r, 0.4), "multi_query": maybe(r),
         "parallel_attn": maybe(r, 0.6), "bias": maybe(r), "layer_norm_epsilon": r.choice([1e-5, 1e-2]), "max_position_embeddings": 48,
         "activation": r.choice(PLAIN_ACTS), "tie_word_embeddings": maybe(r, 0.7), "pad_token_id": r.choice([None, 0]), "bos_token_id": 1,
         "eos_token_id": 2}
    if c["new_decoder_architecture"]:
        c |= {"num_kv_heads": kv, "num_ln_in_parallel_attn": r.choice([None, 1, 2])}
        if maybe(r, 0.7):
            c["parallel_attn"] = True
    elif maybe(r, 0.2):
        c["num_kv_heads"] = heads
    if not c["alibi"]:
        rope(r, c, d)
    return ["Falcon" + h for h in HEADED], c, ["bias", "layer_norm_epsilon", "activation", "tie_word_embeddings", "parallel_attn", "multi_query"]


def bert_like(r, kind, prefix, pad, types=True):
    heads, _, d, width = shape(r, even=False)
    c = {"model_type": kind, "vocab_size": r.choice([29, 40]), "hidden_size": width, "num_hidden_layers": r.choice([1, 2, 3]),
         "num_attention_heads": heads, "intermediate_size": r.choice([13, 24]), "hidden_act": r.choice(PLAIN_ACTS),
         "max_position_embeddings": 48, "layer_norm_eps": r.choice([1e-12, 1e-5, 1e-2]), "tie_word_embeddings": maybe(r, 0.7),
         "pad_token_id": pad, "position_embedding_type": "absolute"}
    if types:
        c["type_vocab_size"] = r.choice([1, 2, 4])
    if maybe(r, 0.1) and types:
        c["is_decoder"] = True
    return [prefix + h for h in MASKED], c, ["hidden_act", "layer_norm_eps", "tie_word_embeddings", "type_vocab_size", "pad_token_id",
                                            "position_embedding_type"]


def roberta(kind, prefix):
    return lambda r: bert_like(r, kind, prefix, r.choice([1, 1, 0, 2]))


def electra(r):
    classes, c, optional = bert_like(r, "electra", "Electra", 0)
    c["embedding_size"] = r.choice([c["hidden_size"], 6, 16])
    c["summary_activation"] = "gelu"
    return classes, c, optional


def albert(r):
    classes, c, optional = bert_like(r, "albert", "Albert", 0)
    c.pop("is_decoder", None)
    c["embedding_size"] = r.choice([c["hidden_size"], 6, 16])
    c["num_hidden_layers"] = r.choice([1, 2, 4])
    c["num_hidden_groups"] = r.choice([g for g in (1, 2, 4) if c["num_hidden_layers"] % g == 0])
    c["inner_group_num"] = r.choice([1, 1, 2])
    return classes, c, optional + ["num_hidden_groups", "inner_group_num"]


def mpnet(r):
    classes, c, optional = bert_like(r, "mpnet", "MPNet", 1, types=False)
    c["relative_attention_num_buckets"] = 32
    return classes, c, optional + ["relative_attention_num_buckets"]


def distilbert(r):
    heads, _, d, width = shape(r, even=False)
    c = {"model_type": "distilbert", "vocab_size": 40, "dim": width, "hidden_dim": r.choice([13, 24]), "n_layers": r.choice([1, 2, 3]),
         "n_heads": heads, "max_position_embeddings": 48, "activation": r.choice(PLAIN_ACTS), "sinusoidal_pos_embds": maybe(r, 0.3),
         "tie_word_embeddings": maybe(r, 0.7), "tie_weights_": True}
    return ["DistilBert" + h for h in MASKED], c, ["activation", "sinusoidal_pos_embds", "tie_word_embeddings"]


def modernbert(r):
    heads, _, d, width = shape(r)
    n = r.choice([1, 2, 3, 4])
    c = {"model_type": "modernbert", "vocab_size": 40, "hidden_size": width, "intermediate_size": r.choice([13, 24]), "num_hidden_layers": n,
         "num_attention_heads": heads, "hidden_activation": r.choice(["gelu", "gelu_pytorch_tanh", "silu", "relu"]), "max_position_embeddings": 64,
         "norm_eps": r.choice([1e-5, 1e-2]), "norm_bias": maybe(r, 0.3), "attention_bias": maybe(r, 0.3), "mlp_bias": maybe(r, 0.3),
         "local_attention": r.choice([2, 4, 5, 128]), "decoder_bias": maybe(r, 0.7), "classifier_pooling": r.choice(["cls", "mean"]),
         "classifier_bias": maybe(r), "classifier_activation": r.choice(["gelu", "silu"]), "tie_word_embeddings": maybe(r, 0.7),
         "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    if maybe(r):
        c |= {"global_rope_theta": 1000.0, "local_rope_theta": 100.0, "global_attn_every_n_layers": r.choice([1, 2, 3])}
    else:
        c["layer_types"] = [r.choice(["full_attention", "sliding_attention"]) for _ in range(n)]
        c["rope_parameters"] = {"full_attention": {"rope_type": "default", "rope_theta": 1000.0},
                                "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}}
    return ["ModernBert" + h for h in MASKED], c, ["hidden_activation", "norm_eps", "norm_bias", "decoder_bias", "classifier_pooling",
                                                  "global_rope_theta", "local_rope_theta", "classifier_activation", "local_attention"]


def nomic(r):
    heads, _, d, width = shape(r)
    c = {"model_type": "nomic_bert", "vocab_size": 40, "hidden_size": width, "num_hidden_layers": r.choice([1, 2, 3]),
         "num_attention_heads": heads, "intermediate_size": r.choice([13, 24]), "hidden_act": r.choice(GATED_ACTS), "max_position_embeddings": 64,
         "type_vocab_size": r.choice([1, 2]), "layer_norm_eps": r.choice([1e-12, 1e-2]), "pad_token_id": 0}
    if maybe(r, 0.3):
        c["head_dim"] = r.choice([4, 8])
    rope(r, c, d_head(c))
    return ["NomicBert" + h for h in MASKED], c, ["hidden_act", "layer_norm_eps", "type_vocab_size", "rope_theta", "rope_parameters"]


def t5(r):
    heads, _, d, width = shape(r, even=False)
    c = {"model_type": "t5", "vocab_size": 40, "d_model": r.choice([width, 10]), "d_kv": d, "d_ff": r.choice([13, 24]),
         "num_layers": r.choice([1, 2, 3]), "num_decoder_layers": 1, "num_heads": heads, "layer_norm_epsilon": r.choice([1e-6, 1e-2]),
         "feed_forward_proj": r.choice(["relu", "gelu", "gated-gelu", "gated-silu", "gated-relu", "gelu_new"]),
         "relative_attention_num_buckets": r.choice([8, 32, 12]), "relative_attention_max_distance": r.choice([16, 20, 128]),
         "tie_word_embeddings": maybe(r), "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    return ["T5EncoderModel", "T5EncoderModel", "T5ForConditionalGeneration"], c, [
        "layer_norm_epsilon", "feed_forward_proj", "relative_attention_max_distance", "relative_attention_num_buckets"]


def deberta(r):
    classes, c, _ = bert_like(r, "deberta-v2", "DebertaV2", 0, types=False)
    del c["position_embedding_type"]
    c |= {"type_vocab_size": r.choice([0, 0, 2]), "relative_attention": maybe(r, 0.8), "position_biased_input": maybe(r, 0.4),
          "pos_att_type": r.choice([["c2p", "p2c"], "p2c|c2p", ["c2p"], ["p2c"], None]), "max_relative_positions": r.choice([-1, 16, 48]),
          "share_att_key": maybe(r, 0.6), "norm_rel_ebd": r.choice(["layer_norm", "none"]), "position_buckets": r.choice([-1, 4, 8, 256]),
          "legacy": maybe(r, 0.7)}
    if c["position_buckets"] > 0 and maybe(r):
        c["max_relative_positions"] = -1
    if maybe(r, 0.15):
        c |= {"conv_kernel_size": 3, "conv_act": r.choice(["gelu", "tanh"])}
    if maybe(r, 0.15):
        c["embedding_size"] = 6
    return classes, c, ["hidden_act", "layer_norm_eps", "type_vocab_size", "norm_rel_ebd", "share_att_key", "max_relative_positions", "legacy"]


FAMILIES = {
    "bert": lambda r: bert_like(r, "bert", "Bert", 0), "roberta": roberta("roberta", "Roberta"),
    "xlm-roberta": roberta("xlm-roberta", "XLMRoberta"), "camembert": roberta("camembert", "Camembert"), "distilbert": distilbert,
    "electra": electra, "albert": albert, "mpnet": mpnet, "modernbert": modernbert, "nomic_bert": nomic, "t5": t5, "deberta-v2": deberta,
    "gpt2": gpt2, "gpt_neo": gpt_neo, "gpt_neox": gpt_neox, "gptj": gptj, "opt": opt, "bloom": bloom, "falcon": falcon, "llama": llama,
    "mistral": mistral, "qwen2": qwen2, "qwen3": qwen3, "gemma": gemma, "gemma2": gemma2, "gemma3_text": gemma3, "phi": phi, "phi3": phi3,
    "stablelm": stablelm, "olmo": olmo, "olmo2": olmo2, "starcoder2": starcoder2, "cohere": cohere, "granite": granite, "smollm3": smollm3,
}


def draw(r, family):
    """A class and a config.json of the family."""
    classes, config, optional = FAMILIES[family](r)
    config.pop("tie_weights_", None)
    cls = r.choice(classes)
    if cls.endswith("ForSequenceClassification"):
        labels(r, config)
    for key in optional:
        if key in config and maybe(r, 0.12):
            del config[key]
    config["architectures"] = [cls]
    return cls, config
