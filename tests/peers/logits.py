#!/usr/bin/env python3
"""Loads a model folder in transformers as it is, and writes token ids and logits of the lines of a file.

    python tests/peers/logits.py MODEL texts.txt out.safetensors
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    folder, texts, out = sys.argv[1:]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    wrong = {kind: names for kind, names in report.items() if names}
    assert not wrong, wrong
    model = model.float().eval()
    found = {}
    for i, text in enumerate(Path(texts).read_text(encoding="utf-8").splitlines()):
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        with torch.no_grad():
            found[f"logits.{i}"] = model(ids).logits[0].contiguous()
        found[f"ids.{i}"] = ids[0].contiguous()
    save_file(found, out)


if __name__ == "__main__":
    main()
