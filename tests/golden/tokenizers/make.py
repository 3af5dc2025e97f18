#!/usr/bin/env python3
"""Makes the tokenizer goldens: what transformers' AutoTokenizer does with small folders.

    pip install -r tests/golden/requirements.txt
    python tests/golden/tokenizers/make.py            # every folder anew
    python tests/golden/tokenizers/make.py --check    # compares with what is committed instead of writing

A folder holds config.json (the model_type), the vocabulary (vocab.txt, vocab.json with merges.txt, or tokenizer.json), the
settings beside it, and expected.json: for each text its ids, tokens, offsets (in characters; [0, 0] for special tokens) and
special_tokens_mask. Vocabularies are trained on the texts below, so that they are small.
"""
import argparse
import json
import pathlib
import shutil
import sys
import tempfile

import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers.implementations import BertWordPieceTokenizer, ByteLevelBPETokenizer

HERE = pathlib.Path(__file__).parent

TEXTS = [
    "The naïve café owner's résumé wasn't read.",
    "  two  leading spaces and   three inside ",
    "line one\nline two\r\n\ttabbed\n\n",
    "Ünïcödé: ﬁ ligature, İstanbul, ẞ and ß, Ångström A\u030angstro\u0308m.",
    "中文字符 mixed with English, 日本語のテキスト。한국어",
    "emoji 😀👩‍👩‍👧‍👦🇩🇪 and ✂️ scissors",
    "prices: $1,234.56 (50%) -- \"quoted\" 'single' `tick`...",
    "typed [MASK] and <mask> and [SEP] and </s> and <|endoftext|> tokens",
    "zero\u200bwidth no\u00a0break soft\u00adhyphen \u0000nul \ufffd",
    "supercalifragilisticexpialidocious" * 4,
    "x",
    "don't DON'T can't I'll we've 3rd 2nd1st",
]

TRAIN = [t for t in TEXTS[:-3]] + ["the cat sat on the mat and the owner read two lines of text in English"] * 3


def words(lowercase):
    tokenizer = BertWordPieceTokenizer(lowercase=lowercase)
    tokenizer.train_from_iterator(TRAIN, vocab_size=260, min_frequency=1, limit_alphabet=90)
    vocab = tokenizer.get_vocab()
    return "".join(token + "\n" for token in sorted(vocab, key=vocab.get))


def pairs(special):
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(TRAIN, vocab_size=330, min_frequency=2, special_tokens=special)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_model(folder)
        return {name: (pathlib.Path(folder) / name).read_text() for name in ["vocab.json", "merges.txt"]}


def bert_file(lowercase, post_processor):
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words(True).split("\n")[:-1])}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    if post_processor:
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", tokenizer.token_to_id("[SEP]")), ("[CLS]", tokenizer.token_to_id("[CLS]")))
    return tokenizer.to_str()


def byte_file(bos, ignore_merges=False, regex=None):
    """A byte-level tokenizer.json that puts `bos` before the text; with `regex`, as Llama 3's."""
    files = pairs(["<|endoftext|>", "<s>", "</s>"])
    vocab = json.loads(files["vocab.json"])
    merges = [tuple(line.split(" ")) for line in files["merges.txt"].splitlines()[1:]]
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges))
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex is None)
    split = regex and pre_tokenizers.Split(__import__("tokenizers").Regex(regex), "isolated")
    tokenizer.normalizer = normalizers.NFC() if bos == "<|endoftext|>" and not regex else None
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, level]) if regex else level
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<s>", "</s>"])
    template = processors.TemplateProcessing(single=f"{bos}:0 $A:0", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    byte = processors.ByteLevel(trim_offsets=False)
    tokenizer.post_processor = processors.Sequence([byte, template]) if regex else template
    return tokenizer.to_str()


LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def added(content, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "single_word": False, "normalized": True, **flags}


def folders():
    """name -> model_type, files."""
    config = lambda **fields: json.dumps(fields, indent=1)
    eot = ["<|endoftext|>"]
    rob = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    opt = dict(bos_token=added("</s>", __type="AddedToken"), eos_token=added("</s>", __type="AddedToken"),
               unk_token=added("</s>", __type="AddedToken"), pad_token=added("<pad>", __type="AddedToken"))
    mpnet = words(True).replace("[PAD]", "<s>").replace("[CLS]", "<pad>").replace("[SEP]", "</s>").replace("[MASK]", "<mask>")
    return {
        "bert": ("bert", {"vocab.txt": words(True)}),
        "bert-cased": ("bert", {"vocab.txt": words(False), "tokenizer_config.json": config(tokenizer_class="BertTokenizer", do_lower_case=False)}),
        "bert-accents": ("bert", {"vocab.txt": words(True), "tokenizer_config.json": config(tokenizer_class="BertTokenizer", strip_accents=False, tokenize_chinese_chars=False)}),
        "distilbert-added": ("distilbert", {
            "vocab.txt": words(True), "tokenizer_config.json": config(tokenizer_class="DistilBertTokenizerFast"),
            "special_tokens_map.json": config(mask_token=added("[MASK]", lstrip=True, normalized=False), cls_token="[CLS]"),
        }),
        "mpnet": ("mpnet", {"vocab.txt": mpnet, "tokenizer_config.json": config(tokenizer_class="MPNetTokenizer", do_lower_case=True)}),
        "gpt2": ("gpt2", pairs(eot)),
        "gpt2-bos": ("gpt2", pairs(eot) | {"tokenizer_config.json": config(tokenizer_class="GPT2Tokenizer", add_bos_token=True, add_prefix_space=True)}),
        "opt": ("opt", pairs(["<s>", "<pad>", "</s>", "<unk>"]) | {"tokenizer_config.json": config(tokenizer_class="GPT2Tokenizer", add_bos_token=True, **opt)}),
        "roberta": ("roberta", pairs(rob)),
        "roberta-mask": ("roberta", pairs(rob) | {
            "tokenizer_config.json": config(tokenizer_class="RobertaTokenizer", trim_offsets=False, add_prefix_space=True),
            "special_tokens_map.json": config(mask_token=added("<mask>", lstrip=True, normalized=False)),
        }),
        "qwen2": ("qwen2", pairs(eot) | {"tokenizer_config.json": config(
            tokenizer_class="Qwen2Tokenizer", bos_token=None, eos_token="<|endoftext|>", pad_token="<|endoftext|>",
            added_tokens_decoder={"0": added("<|endoftext|>", normalized=False, special=True)})}),
        # tokenizer.json and what transformers changes in it.
        "file-bert-cased": ("bert", {"tokenizer.json": bert_file(True, True), "tokenizer_config.json": config(tokenizer_class="BertTokenizer", do_lower_case=False)}),
        "file-bert-bare": ("bert", {"tokenizer.json": bert_file(False, False)}),
        "file-llama-flags": ("llama", {"tokenizer.json": byte_file("<s>"), "tokenizer_config.json": config(
            tokenizer_class="LlamaTokenizer", add_bos_token=False, add_eos_token=True, bos_token="<s>", eos_token="</s>")}),
        "file-llama3": ("llama", {"tokenizer.json": byte_file("<|endoftext|>", True, LLAMA3), "tokenizer_config.json": config(
            tokenizer_class="PreTrainedTokenizerFast", bos_token="<|endoftext|>", extra_special_tokens=["[SEP]"])}),
        "file-neox": ("gpt_neox", {"tokenizer.json": byte_file("<|endoftext|>"), "tokenizer_config.json": config(tokenizer_class="GPTNeoXTokenizer", add_bos_token=True)}),
    }


def expected(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    cases = []
    for text in TEXTS:
        out = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True, truncation=False)
        ids = out["input_ids"]
        cases.append({
            "text": text, "ids": ids, "tokens": tokenizer.convert_ids_to_tokens(ids),
            "offsets": out["offset_mapping"], "special": out["special_tokens_mask"],
        })
    return {"class": type(tokenizer).__name__, "texts": cases}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed values, write nothing")
    args = parser.parse_args()
    failed = False
    for name, (model_type, files) in folders().items():
        folder = HERE / name
        if not args.check:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
            for file, text in files.items():
                (folder / file).write_text(text)
        new = json.dumps(expected(folder), ensure_ascii=False, separators=(",", ":")) + "\n"
        if args.check:
            same = json.loads(new) == json.loads((folder / "expected.json").read_text())
            failed |= not same
            print(f"{name}: {'as committed' if same else 'differs'}")
        else:
            (folder / "expected.json").write_text(new)
            print(f"{name}: {len(new)} bytes")
    sys.exit(failed)


if __name__ == "__main__":
    main()
