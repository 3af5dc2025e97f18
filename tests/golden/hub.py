"""Fields that files on the hub carry beside those that draws.py draws, and that change no number."""

GENERAL = {
    "_name_or_path": "some/model", "transformers_version": "4.30.0", "use_cache": True, "gradient_checkpointing": False, "output_past": True,
    "output_attentions": False, "output_hidden_states": False, "return_dict": True, "chunk_size_feed_forward": 0, "torchscript": False,
    "use_bfloat16": False, "pruned_heads": {}, "initializer_range": 0.02, "problem_type": None, "finetuning_task": None,
    "tokenizer_class": None, "language": "en",
}
GENERATION = {
    "max_length": 20, "min_length": 0, "do_sample": False, "early_stopping": False, "num_beams": 1, "temperature": 1.0, "top_k": 50, "top_p": 1.0,
    "repetition_penalty": 1.0, "length_penalty": 1.0, "no_repeat_ngram_size": 0, "bad_words_ids": None, "num_return_sequences": 1,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}, "tie_encoder_decoder": False, "prefix": None,
}
SUMMARY = {"summary_type": "cls_index", "summary_use_proj": True, "summary_activation": None, "summary_proj_to_labels": True, "summary_first_dropout": 0.1}
BERT = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1, "classifier_dropout": None}
POOLER = {"directionality": "bidi", "pooler_fc_size": 768, "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3, "pooler_size_per_head": 128,
          "pooler_type": "first_token_transform"}
GPT = {"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1} | SUMMARY
LLAMA = {"attention_dropout": 0.0, "pretraining_tp": 1}

FIELDS = {
    "bert": BERT | POOLER, "roberta": BERT, "xlm-roberta": BERT, "camembert": BERT, "mpnet": BERT, "nomic_bert": BERT,
    "electra": BERT | {"summary_last_dropout": 0.1, "summary_type": "first", "summary_use_proj": True},
    "albert": BERT | {"classifier_dropout_prob": 0.1, "down_scale_factor": 1, "gap_size": 0, "net_structure_type": 0, "num_memory_blocks": 0},
    "distilbert": {"dropout": 0.1, "attention_dropout": 0.1, "qa_dropout": 0.1, "seq_classif_dropout": 0.2, "tie_weights_": True},
    "modernbert": {"classifier_dropout": 0.0, "deterministic_flash_attn": False, "embedding_dropout": 0.0, "initializer_cutoff_factor": 2.0,
                   "layer_norm_eps": 1e-5, "position_embedding_type": "absolute", "reference_compile": None, "repad_logits_with_grad": False,
                   "sparse_pred_ignore_index": -100, "sparse_prediction": False, "attention_dropout": 0.0, "mlp_dropout": 0.0},
    "t5": {"n_positions": 512, "is_encoder_decoder": True, "initializer_factor": 1.0, "dropout_rate": 0.1, "classifier_dropout": 0.0},
    "gpt2": GPT | {"n_ctx": 1024}, "gptj": GPT | {"rotary": True, "scale_attn_weights": True},
    "gpt_neo": {"resid_dropout": 0, "embed_dropout": 0, "attention_dropout": 0, "tokenizer_class": "GPT2Tokenizer"} | SUMMARY,
    "gpt_neox": {"attention_probs_dropout_prob": 0, "hidden_dropout_prob": 0, "attention_dropout": 0.0, "hidden_dropout": 0.0, "classifier_dropout": 0.1},
    "opt": {"activation_dropout": 0.0, "attention_dropout": 0.0, "dropout": 0.1, "init_std": 0.02, "layerdrop": 0.0, "prefix": "</s>"},
    "bloom": {"attention_dropout": 0.0, "attention_softmax_in_fp32": True, "bias_dropout_fusion": True, "hidden_dropout": 0.0,
              "masked_softmax_fusion": True, "offset_alibi": 100, "seq_length": 2048, "skip_bias_add": True, "skip_bias_add_qkv": False,
              "unk_token_id": 0, "n_inner": None},
    "falcon": {"apply_residual_connection_post_layernorm": False, "attention_dropout": 0.0, "hidden_dropout": 0.0,
               "auto_map": {"AutoConfig": "configuration_falcon.FalconConfig"}},
    "llama": LLAMA | {"max_sequence_length": 2048, "is_llama_config": True, "rope_interleaved": False}, "mistral": {"attention_dropout": 0.0},
    "qwen2": {"attention_dropout": 0.0, "use_mrope": False}, "qwen3": {"attention_dropout": 0.0}, "gemma": {"attention_dropout": 0.0},
    "gemma2": {"attention_dropout": 0.0, "cache_implementation": "hybrid", "sliding_window_size": 4096},
    "gemma3_text": {"attention_dropout": 0.0, "cache_implementation": "hybrid"}, "phi": {"attention_dropout": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0},
    "phi3": {"attention_dropout": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "attention_bias": False, "full_attn_mod": 1, "interpolate_factor": 1,
             "lm_head_bias": False, "mlp_bias": False, "auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}},
    "stablelm": {"attention_dropout": 0.0, "hidden_dropout": 0.0}, "olmo": {"attention_dropout": 0.0}, "olmo2": {"attention_dropout": 0.0},
    "starcoder2": {"attention_dropout": 0.1, "residual_dropout": 0.1, "embedding_dropout": 0.1, "mlp_type": "default", "norm_type": "layer_norm"},
    "cohere": LLAMA | {"model_max_length": 8192}, "granite": {"attention_dropout": 0.1}, "smollm3": {"attention_dropout": 0.0, "pretraining_tp": 2},
}


def fields(r, family):
    """A few of them."""
    pool = GENERAL | FIELDS.get(family, {}) | (GENERATION if r.random() < 0.3 else {})
    return {k: v for k, v in pool.items() if r.random() < 0.5}
