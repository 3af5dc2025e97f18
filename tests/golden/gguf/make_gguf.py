#!/usr/bin/env python3
"""Makes the GGUF goldens: what Hugging Face transformers computes with the dequantised weights of tiny GGUF files.

    pip install -r tests/golden/requirements.txt
    python tests/golden/gguf/make_gguf.py            # all, from the seeds
    python tests/golden/gguf/make_gguf.py qwen2      # one

For each case a random model of transformers is written as a GGUF file by the `gguf` package, with llama.cpp's names and the
changes that its converter makes to weights (conversion/*.py of llama.cpp). The file is then dequantised by `gguf`, the changes are
undone, and transformers runs on the result:

    NAME.gguf                   the model
    NAME.safetensors            as tests/golden/make.py writes it, for texts of 3 and 1 tokens
    vocabulary-NAME.json        texts and their ids by the vocabulary's own library
    vocabulary-NAME.gguf        the vocabulary (that of SentencePiece is in llama.gguf)
    blocks.gguf, .safetensors   random blocks in every format, and what `gguf` makes of them
"""
import json
import pathlib
import sys
import tempfile

import gguf
import numpy as np
import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from make import expected  # noqa: E402

LENGTHS = [3, 1]
Q = gguf.GGMLQuantizationType
SIZES = dict(hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=16, vocab_size=32)
GROUPED = SIZES | dict(num_key_value_heads=2)
ONE = dict(num_hidden_layers=1)
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 8192}
CORPUS = """The red film was very good. The blue book was not bad, it's one of the two that we've seen twice. A day in the
green hills, and a night by the sea: 10 people, 200 birds, 1999 stars. She said that they'll come again; he'd never been there.
Reading the old book in the evening, the children were singing and playing until the night was over.
""" * 3
TEXTS = ["The red film was very good.", "it's  two  spaces\n\nand\tlines ", " 12345 stars, café naïve 😀 Ünïcode",
         "THEY'LL come again... (really?)", "the<|endoftext|>end", "x"]

# architecture, class, configuration, format of the matrices
CASES = {
    "llama": ("llama", "LlamaForCausalLM", GROUPED | dict(tie_word_embeddings=True), Q.Q8_0),
    "llama-bias": ("llama", "LlamaForCausalLM", GROUPED | ONE | dict(attention_bias=True), Q.F16),
    "llama3": ("llama", "LlamaForCausalLM", SIZES | dict(
        num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, head_dim=32, max_position_embeddings=16384,
        rope_parameters=LLAMA3), Q.Q4_0),
    "qwen2": ("qwen2", "Qwen2ForCausalLM", GROUPED, Q.Q4_0),
    "qwen3": ("qwen3", "Qwen3ForCausalLM", GROUPED | ONE | dict(head_dim=16, rope_theta=1e6), Q.Q4_0),
    "gemma": ("gemma", "GemmaForCausalLM", GROUPED | ONE | dict(head_dim=16), Q.Q4_0),
    "gemma2": ("gemma2", "Gemma2ForCausalLM",
               GROUPED | dict(head_dim=16, query_pre_attn_scalar=16, sliding_window=2, attn_logit_softcapping=5.0), Q.Q4_0),
    "gemma3": ("gemma3", "Gemma3ForCausalLM",
               GROUPED | ONE | dict(head_dim=16, query_pre_attn_scalar=16, sliding_window=2), Q.Q4_0),
    "phi2": ("phi2", "PhiForCausalLM", SIZES | ONE | dict(partial_rotary_factor=0.5, hidden_act="gelu_new"), Q.Q4_0),
    "phi3": ("phi3", "Phi3ForCausalLM", GROUPED | ONE | dict(pad_token_id=None, sliding_window=2), Q.Q4_0),
    "gpt2": ("gpt2", "GPT2LMHeadModel", dict(n_embd=32, n_layer=2, n_head=4, n_positions=16, n_inner=32, vocab_size=32), Q.Q4_0),
    "gptneox": ("gptneox", "GPTNeoXForCausalLM", SIZES | ONE | dict(rotary_pct=0.5), Q.Q4_0),
    "bloom": ("bloom", "BloomForCausalLM", dict(hidden_size=32, n_layer=1, n_head=4, vocab_size=32), Q.Q4_0),
    "stablelm": ("stablelm", "StableLmForCausalLM", GROUPED | ONE | dict(partial_rotary_factor=0.5, use_qkv_bias=True), Q.Q4_0),
    "olmo2": ("olmo2", "Olmo2ForCausalLM", GROUPED | ONE, Q.Q4_0),
    "bert": ("bert", "BertModel", SIZES, Q.Q4_0),
}


# ---- tokenizers ------------------------------------------------------------------------------------------------------

def sentencepiece_vocabulary(writer):
    import sentencepiece
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "corpus.txt").write_text(CORPUS)
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "corpus.txt"), model_prefix=str(folder / "m"), model_type="bpe", vocab_size=352, byte_fallback=True,
            normalization_rule_name="identity", remove_extra_whitespaces=False, user_defined_symbols=["<|sep|>"],
            allow_whitespace_only_pieces=True, split_digits=True, minloglevel=2)
        model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "m.model"))
    ids = range(model.vocab_size())
    kinds = [2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else
             4 if model.id_to_piece(i) == "<|sep|>" else 1 for i in ids]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([model.id_to_piece(i) for i in ids])
    writer.add_token_scores([model.get_score(i) for i in ids])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(model.bos_id())
    writer.add_eos_token_id(model.eos_id())
    writer.add_unk_token_id(model.unk_id())
    return model.vocab_size(), lambda text: [model.bos_id()] + model.encode(text)


def byte_level_vocabulary(writer, pre):
    import tokenizers
    from transformers.integrations.gguf.gguf_tokenizer_mapping import convert_gguf_tokenizer
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE())
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator([CORPUS], tokenizers.trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=sorted(alphabet), special_tokens=["<|endoftext|>", "<|begin|>"], show_progress=False))
    model = json.loads(bpe.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    merges = [" ".join(m) for m in model["merges"]]
    kinds = [3 if t.startswith("<|") else 1 for t in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    fields = {"tokenizer_type": "gpt2", "pre_tokenizer_type": pre, "tokens": tokens, "token_type": kinds, "merges": merges}
    backend, _ = convert_gguf_tokenizer("llama", fields)
    if pre == "qwen2":
        # Its own class composes first, which transformers' GGUF reader leaves out.
        own = transformers.Qwen2Tokenizer(vocab=model["vocab"], merges=[tuple(m) for m in model["merges"]],
                                          extra_special_tokens=["<|begin|>"])
        backend = own.backend_tokenizer
    first = [1] if pre == "llama-bpe" else []
    return len(tokens), lambda text: first + backend.encode(text, add_special_tokens=False).ids


def word_piece_vocabulary(writer):
    words = sorted(set("".join(c if c.isalnum() else " " for c in CORPUS.lower()).split()))
    letters = sorted(set("".join(words)))
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,:;'!?()"] + letters + [f"##{c}" for c in letters]
    tokens += [w for w in words[::2] if len(w) > 1] + ["##ing", "##lly"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    kinds = [3 if t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") else 1 for t in tokens]
    # "Phantom spaces", as llama.cpp's converter writes them.
    spelled = [t if k == 3 else t[2:] if t.startswith("##") else "\u2581" + t for t, k in zip(tokens, kinds)]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("jina-v2-en")
    writer.add_token_list(spelled)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(vocabulary["[UNK]"])
    writer.add_sep_token_id(vocabulary["[SEP]"])
    writer.add_uint32("tokenizer.ggml.cls_token_id", vocabulary["[CLS]"])
    writer.add_token_type_count(2)
    own = transformers.BertTokenizer(vocab=vocabulary)
    return len(tokens), lambda text: own.encode(text)


VOCABULARIES = {
    "gpt-2": lambda writer: byte_level_vocabulary(writer, "gpt-2"),
    "llama-bpe": lambda writer: byte_level_vocabulary(writer, "llama-bpe"),
    "qwen2": lambda writer: byte_level_vocabulary(writer, "qwen2"),
    "bert": word_piece_vocabulary,
}


def make_vocabulary(name):
    writer = gguf.GGUFWriter(HERE / f"vocabulary-{name}.gguf", "llama")
    _, encode = VOCABULARIES[name](writer)
    write(writer)
    write_ids(name, encode)


def write_ids(name, encode):
    rows = [json.dumps({"text": text, "ids": encode(text)}, ensure_ascii=False) for text in TEXTS]
    lines = ",\n".join(rows)
    (HERE / f"vocabulary-{name}.json").write_text(f"[\n{lines}\n]\n")


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ---- weights ---------------------------------------------------------------------------------------------------------

def rearranged(arch, name, x, config):
    """What llama.cpp's converter makes of a tensor, apart from arithmetic."""
    heads = config.num_attention_heads
    kv_heads = getattr(config, "num_key_value_heads", heads)
    if arch == "llama" and any(f"{p}_proj." in name for p in "qk"):
        n = heads if "q_proj" in name else kv_heads
        return x.reshape(n, 2, x.shape[0] // n // 2, *x.shape[1:]).swapaxes(1, 2).reshape(x.shape)
    if arch == "gpt2" and name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")):
        return x.T
    if arch in ("bloom", "gptneox") and "query_key_value" in name:
        parts = x.reshape(heads, 3, x.shape[0] // heads // 3, *x.shape[1:])
        return np.concatenate([parts[:, i].reshape(-1, *x.shape[1:]) for i in range(3)])
    return x


def shift(arch, name):
    return 1.0 if arch.startswith("gemma") and name.endswith("norm.weight") else 0.0


def foreign_names(arch, config, model):
    number = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == arch)
    names = gguf.get_tensor_name_map(number, config.num_hidden_layers)
    for name, x in model.state_dict().items():
        if name.endswith((".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq", "position_ids")) or "pooler" in name:
            continue
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        asked = name.removeprefix("transformer.") if arch == "bloom" else name
        yield name, names.get_name(asked, try_suffixes=(".weight", ".bias")), x.numpy()


def write_weights(writer, arch, config, model, form):
    for name, foreign, x in foreign_names(arch, config, model):
        assert foreign, f"{arch}: gguf has no name for {name}"
        x = np.ascontiguousarray(rearranged(arch, name, x, config)) + np.float32(shift(arch, name))
        own = form if x.ndim > 1 and "position_embd" not in foreign and "token_types" not in foreign else Q.F32
        writer.add_tensor(foreign, gguf.quants.quantize(x, own), raw_dtype=own)


def read_weights(path, arch, config, model):
    """The weights of the file, in the model."""
    stored = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(path).tensors}
    state = model.state_dict()
    for name, foreign, x in foreign_names(arch, config, model):
        # Where each number of the file came from says where it goes back to.
        order = rearranged(arch, name, np.arange(x.size).reshape(x.shape), config)
        back = np.empty(x.size, dtype=np.float32)
        back[order.ravel()] = stored[foreign].astype(np.float32).ravel()
        state[name] = torch.from_numpy(back.reshape(x.shape)) - shift(arch, name)
    model.load_state_dict(state)
    model.tie_weights()


def check_against_transformers(path, name, model):
    """Says where transformers' own reader, as far as it knows the architecture, finds other weights in the file."""
    try:
        other = type(model).from_pretrained(path.parent, gguf_file=path.name, config=model.config, dtype=torch.float32).state_dict()
    except (ValueError, KeyError, NotImplementedError, AttributeError, RuntimeError) as e:
        print(f"{name}: not read by transformers ({str(e).splitlines()[0][:90]})")
        return
    ours = model.state_dict()
    there = [k for k, x in ours.items() if k in other and other[k].shape == x.shape]
    differ = [k for k in there if (other[k] - ours[k]).abs().max() > 1e-6]
    print(f"{name}: transformers reads {len(there)} of {len(ours)} weights, {len(differ)} of them otherwise: {differ[:3]}")


# ---- metadata --------------------------------------------------------------------------------------------------------

def write_metadata(writer, arch, config):
    """As conversion/*.py of llama.cpp writes it."""
    get = lambda *names: next((getattr(config, n) for n in names if getattr(config, n, None) is not None), None)  # noqa: E731
    hidden, heads = config.hidden_size, config.num_attention_heads
    d_head = get("head_dim") or hidden // heads
    writer.add_context_length(get("max_position_embeddings") or 16)
    writer.add_embedding_length(hidden)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(get("intermediate_size", "n_inner") or 4 * hidden)
    writer.add_head_count(heads)
    writer.add_file_type(7)
    if arch not in ("gpt2", "gptneox", "bert"):
        writer.add_head_count_kv(get("num_key_value_heads") or heads)
    if (eps := get("rms_norm_eps")) is not None:
        writer.add_layer_norm_rms_eps(eps)
    else:
        writer.add_layer_norm_eps(get("layer_norm_eps", "layer_norm_epsilon"))
    rope = getattr(config, "rope_parameters", None) or {}
    theta = rope.get("full_attention", rope).get("rope_theta")
    if theta is not None and arch not in ("gemma", "gemma2", "gptneox"):
        writer.add_rope_freq_base(theta)
    if arch in ("qwen3", "gemma", "gemma2", "gemma3") or arch == "llama" and d_head != hidden // heads:
        writer.add_key_length(d_head)
        writer.add_value_length(d_head)
    if arch == "llama":
        writer.add_vocab_size(config.vocab_size)
        writer.add_rope_dimension_count(d_head)
    if arch in ("gptneox", "phi2", "stablelm", "phi3"):
        writer.add_rope_dimension_count(int(rope.get("partial_rotary_factor", 1.0) * d_head))
    if arch in ("gptneox", "stablelm"):
        writer.add_parallel_residual(config.use_parallel_residual)
    if arch == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if arch in ("gemma2", "gemma3", "phi3"):
        writer.add_sliding_window(config.sliding_window)
    if arch == "phi3":
        writer.add_rope_scaling_orig_ctx_len(16)
    if arch == "bert":
        writer.add_causal_attention(False)
        writer.add_pooling_type(gguf.PoolingType.MEAN)
    if rope.get("rope_type") == "llama3":
        d = np.arange(0, d_head, 2) / d_head
        wave = 2 * np.pi * theta**d
        smooth = (8192 / wave - 1) / 3
        factors = np.where(wave < 8192 / 4, 1, np.where(wave > 8192, 8, 1 / ((1 - smooth) / 8 + smooth)))
        writer.add_tensor("rope_freqs.weight", factors.astype(np.float32))


# ---- all of it -------------------------------------------------------------------------------------------------------

def make(name):
    arch, cls, fields, form = CASES[name]
    cls = getattr(transformers, cls)
    path = HERE / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, arch)
    writer.add_type("model")
    writer.add_name("plumb golden")
    if name == "llama":
        size, encode = sentencepiece_vocabulary(writer)
        write_ids("sentencepiece", encode)
        # Embeddings are often padded beyond the vocabulary.
        fields = fields | dict(vocab_size=-(-size // 32) * 32)
    config = cls.config_class(**fields)
    torch.manual_seed(0)
    model = cls._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for key, p in model.named_parameters():
            norm = ("norm" in key.lower() or "ln_" in key) and key.endswith("weight") and not arch.startswith("gemma")
            p.normal_(1.0 if norm else 0.0, 0.3 if p.dim() > 1 else 0.1)
    write_metadata(writer, arch, config)
    write_weights(writer, arch, config, model, form)
    write(writer)
    read_weights(path, arch, config, model)
    check_against_transformers(path, name, model)

    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, config.vocab_size, (len(LENGTHS), max(LENGTHS)), generator=generator)
    mask = (torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]).long()
    save_file(expected(model, ids, mask), HERE / f"{name}.safetensors")
    print(f"{name}: {path.stat().st_size} bytes")


def make_blocks():
    """Random bytes, but for the scales, which random bytes would make NaN or huge."""
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(HERE / "blocks.gguf", "llama")
    tensors = {}
    # Where the half-precision scales of a block stand.
    scales = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
              "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
    for name, places in scales.items():
        form = Q[name]
        block, size = gguf.GGML_QUANT_SIZES[form]
        x = random.integers(0, 256, (256 // block, size), dtype=np.uint8)
        for place in places:
            scale = random.normal(0, 0.1, len(x)).astype(np.float16)
            x[:, place:place + 2] = scale[:, None].view(np.uint8)
        x = x.reshape(1, -1)
        writer.add_tensor(name, x, raw_dtype=form)
        tensors[name] = torch.from_numpy(gguf.quants.dequantize(x, form).astype(np.float32))
    for form in (Q.F32, Q.F16, Q.BF16):
        x = random.normal(0, 1, (2, 4)).astype(np.float32)
        stored = gguf.quants.quantize(x, form)
        writer.add_tensor(form.name, stored, raw_dtype=form)
        tensors[form.name] = torch.from_numpy(gguf.quants.dequantize(stored, form).astype(np.float32))
    write(writer)
    save_file(tensors, HERE / "blocks.safetensors")


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make(case)
    if not sys.argv[1:]:
        for vocabulary in VOCABULARIES:
            make_vocabulary(vocabulary)
        make_blocks()
