#!/usr/bin/env python3
"""Makes the goldens: what Hugging Face transformers computes on tiny random models.

    pip install -r tests/golden/requirements.txt
    python tests/golden/make.py                 # expected.safetensors anew from the committed config.json and model.safetensors
    python tests/golden/make.py --check         # the same, but compares with what is committed instead of writing
    python tests/golden/make.py --fresh llama   # new random weights as well, from the seed

Each folder: config.json, model.safetensors (random, with norms and biases moved away from 1 and 0 so that nothing is
degenerate) and expected.safetensors:

    input_ids, attention_mask   [3, 12]             texts of 12, 7 and 1 tokens, right-padded; compare where the mask is 1
    hidden_states.I             [3, 12, d]          I = 0 .. n_layers; the last is after the final norm where there is one
    attentions.I                [3, heads, 12, 12]  attention probabilities of block I (eager attention)
    logits                      [3, 12, vocab] or [3, classes]
    grad_embed                  [3, 12, d]          gradient of the sum of the last hidden state over unpadded positions with
                                                    respect to hidden_states.0
"""
import argparse
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
LENGTHS = [12, 7, 1]


def load(folder, fresh):
    config = transformers.AutoConfig.from_pretrained(folder)
    cls = getattr(transformers, config.architectures[0])
    if not fresh:
        return cls.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    torch.manual_seed(0)
    model = cls._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.normal_(1.0 if "norm.weight" in name.lower() else 0.0, 0.3 if p.dim() > 1 else 0.1)
    model.save_pretrained(folder)
    return model


def inputs(config, old):
    if old is not None:
        return old["input_ids"], old["attention_mask"]
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, config.vocab_size, (len(LENGTHS), max(LENGTHS)), generator=generator)
    mask = (torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]).long()
    return ids, mask


def expected(model, ids, mask):
    kept = {}

    def keep_first_block_input(_, args, kwargs):
        x = args[0] if args else kwargs["hidden_states"]
        if not x.requires_grad:
            x.requires_grad_(True)
        x.retain_grad()
        kept["x"] = x

    base = model.base_model
    blocks = base.encoder.layer if hasattr(base, "encoder") else base.layers
    handle = blocks[0].register_forward_pre_hook(keep_first_block_input, with_kwargs=True)
    out = model(input_ids=ids, attention_mask=mask, output_hidden_states=True, output_attentions=True)
    handle.remove()
    (out.hidden_states[-1] * mask[..., None]).sum().backward()
    tensors = {"input_ids": ids, "attention_mask": mask, "logits": out.logits, "grad_embed": kept["x"].grad}
    tensors |= {f"hidden_states.{i}": h for i, h in enumerate(out.hidden_states)}
    tensors |= {f"attentions.{i}": a for i, a in enumerate(out.attentions)}
    return {k: v.detach().contiguous() for k, v in tensors.items()}


def error(name, new, old, mask):
    """max|new - old| / max|old| where the mask is 1."""
    if name.startswith("attentions"):
        keep = (mask[:, None, :, None] * mask[:, None, None, :]).bool().expand_as(old)
    elif old.dim() == 3:
        keep = mask[..., None].bool().expand_as(old)
    else:
        keep = torch.ones_like(old, dtype=torch.bool)
    return ((new - old)[keep].abs().max() / old[keep].abs().max()).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="folders beside this file; default: all")
    parser.add_argument("--fresh", action="store_true", help="draw new random weights and inputs")
    parser.add_argument("--check", action="store_true", help="compare with the committed values, write nothing")
    args = parser.parse_args()
    failed = False
    for folder in sorted(p for p in HERE.iterdir() if (p / "config.json").exists()):
        if args.names and folder.name not in args.names:
            continue
        path = folder / "expected.safetensors"
        old = load_file(path) if path.exists() and not args.fresh else None
        model = load(folder, args.fresh)
        ids, mask = inputs(model.config, old)
        new = expected(model, ids, mask)
        if args.check:
            worst = max(error(k, new[k], v, mask) for k, v in old.items() if v.is_floating_point())
            failed |= worst > 1e-6
            print(f"{folder.name}: largest relative error {worst:.1e}")
        else:
            save_file(new, path)
            print(f"{folder.name}: {len(new)} tensors")
    sys.exit(failed)


if __name__ == "__main__":
    main()
