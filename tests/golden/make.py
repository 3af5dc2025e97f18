#!/usr/bin/env python3
"""Makes the goldens: what Hugging Face transformers computes on tiny random models.

    pip install -r tests/golden/requirements.txt
    python tests/golden/make.py                 # expected.safetensors anew from the committed config.json and model.safetensors
    python tests/golden/make.py --check         # the same, but compares with what is committed instead of writing
    python tests/golden/make.py --fresh llama   # new configuration (rows.py) and random weights as well, from the seed

Each folder: config.json, model.safetensors (random, with norms and biases moved away from 1 and 0 so that nothing is
degenerate, held in float16 and computed with in float32) and expected.safetensors:

    input_ids, attention_mask   [3, n]            texts of 6, 4 and 1 tokens (n = 6), right-padded; compare where the mask is 1
    hidden_states.I             [3, n, d]         I = 0 .. n_layers; the last is after the final norm where there is one
    attentions.I                [3, heads, n, n]  attention probabilities of block I (eager attention), where the model gives them
    logits                      [3, n, vocab] or [3, classes], where the model has a head
    grad_embed                  [3, n, d]         gradient of the sum of the last hidden state over unpadded positions with
                                                  respect to hidden_states.0

Every text runs alone, in a fresh copy of the model: rotary embeddings that depend on the length of the text (dynamic,
longrope) would otherwise take it from the longest text of the batch, or from one that ran before.
"""
import argparse
import copy
import json
import pathlib
import sys

import torch
import transformers
from rows import ROWS
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
LENGTHS = [6, 4, 1]
MOVES = 1e-2
"""What a switch must change at least, relative to the largest value."""


def build(cls, config, seed, held=torch.float16, spread=lambda p: 0.3):
    """A model with random weights that `held` has exactly: matrices around 0, vectors around what a fresh model has there."""
    torch.manual_seed(seed)
    model = cls._from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for p in model.parameters():
            centre = 1.0 if p.dim() == 1 and bool((p == 1).all()) else 0.0
            p.normal_(centre, spread(p) if p.dim() > 1 else 0.2)
            p.copy_(p.to(held).float())
    return model


def fresh(folder, row):
    """Writes the configuration of a row and random weights."""
    cls = getattr(transformers, row[0])
    folder.mkdir(exist_ok=True)
    if "old" in row:
        config = {"architectures": [row[0]], "model_type": cls.config_class.model_type} | row[1]
        (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        model = build(cls, cls.config_class.from_pretrained(folder), 0)
    else:
        model = build(cls, cls.config_class(**row[1]), 0)
    kept = (folder / "config.json").read_bytes() if "old" in row else None
    model.half().save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if kept is not None:
        (folder / "config.json").write_bytes(kept)


def load(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    cls = getattr(transformers, config.architectures[0])
    return cls.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def inputs(config, old):
    if old is not None:
        return old["input_ids"], old["attention_mask"]
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, config.vocab_size, (len(LENGTHS), max(LENGTHS)), generator=generator)
    mask = (torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]).long()
    return ids, mask


def run(model, ids):
    """What a model says of one text `[n]`: the tensors of a golden without the axis of texts."""
    model = copy.deepcopy(model)
    out = model(input_ids=ids[None], attention_mask=torch.ones_like(ids)[None], output_hidden_states=True, output_attentions=True)
    states = out.hidden_states
    gradient = torch.autograd.grad(states[-1].sum(), states[0], retain_graph=True)[0]
    tensors = {"grad_embed": gradient} | {f"hidden_states.{i}": h for i, h in enumerate(states)}
    if out.get("logits") is not None:
        tensors["logits"] = out.logits
    tensors |= {f"attentions.{i}": a for i, a in enumerate(out.get("attentions") or []) if a is not None}
    return {k: v.detach()[0] for k, v in tensors.items()}


def padded(tensor, n, axes):
    """`tensor` with its first or last two axes of tokens (`axes`) filled with zeros up to `n`."""
    if axes == 0:
        return tensor
    missing = n - tensor.shape[-2]
    return torch.nn.functional.pad(tensor, (0, missing, 0, missing) if axes == 2 else (0, 0, 0, missing))


def expected(model, ids, mask):
    texts = [run(model, row[m.bool()]) for row, m in zip(ids, mask)]
    tensors = {"input_ids": ids, "attention_mask": mask}
    for name in texts[0]:
        axes = 2 if name.startswith("attentions") else texts[0][name].dim() - 1
        tensors[name] = torch.stack([padded(t[name], ids.shape[1], axes) for t in texts]).contiguous()
    return tensors


def error(name, new, old, mask):
    """max|new - old| / max|old| where the mask is 1."""
    if name.startswith("attentions"):
        keep = (mask[:, None, :, None] * mask[:, None, None, :]).bool().expand_as(old)
    elif old.dim() == 3:
        keep = mask[..., None].bool().expand_as(old)
    else:
        keep = torch.ones_like(old, dtype=torch.bool)
    return ((new - old)[keep].abs().max() / old[keep].abs().max()).item()


def worst(new, old, mask):
    return max(error(k, new[k], v, mask) for k, v in old.items() if v.is_floating_point())


def idle_switches(model, off, new, ids, mask):
    """The changes of the configuration that leave every number where it was."""
    idle = []
    for change in off:
        values = model.config.to_dict() | change
        config = type(model.config).from_dict(values)
        other = build(type(model), config, 2)
        shapes = {k: v.shape for k, v in other.state_dict().items()}
        same = {k: v for k, v in model.state_dict().items() if shapes.get(k) == v.shape}
        other.load_state_dict(same, strict=False)
        if "tie_word_embeddings" in change:
            other.tie_weights()
        if worst(expected(other, ids, mask), new, mask) < MOVES:
            idle.append(change)
    return idle


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="rows of rows.py; default: all")
    parser.add_argument("--fresh", action="store_true", help="write the configuration and new random weights and inputs")
    parser.add_argument("--check", action="store_true", help="compare with the committed values, write nothing")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failed = False
    for name in args.names or ROWS:
        folder = HERE / name
        path = folder / "expected.safetensors"
        if args.fresh:
            fresh(folder, ROWS[name])
        old = load_file(path) if path.exists() and not args.fresh else None
        model = load(folder)
        ids, mask = inputs(model.config, old)
        new = expected(model, ids, mask)
        idle = idle_switches(model, ROWS[name][2], new, ids, mask)
        broken = [k for k, v in new.items() if v.is_floating_point() and not v.isfinite().all()]
        failed |= bool(idle or broken)
        if args.check:
            largest = worst(new, old, mask)
            failed |= largest > 1e-6
            print(f"{name}: largest relative error {largest:.1e}")
        else:
            save_file(new, path)
            print(f"{name}: {len(new)} tensors, {sum(f.stat().st_size for f in folder.iterdir())} bytes")
        for what in [f"{change} changes nothing" for change in idle] + [f"{b} is not finite" for b in broken]:
            print(f"{name}: {what}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
