#!/usr/bin/env python3
"""Compares `plumb extract` with transformers on random configurations: matched, refused in one line, or wrong.

    python tests/golden/fuzz.py --plumb target/release/plumb --cases 50 --seed 1
    python tests/golden/fuzz.py --plumb target/release/plumb --family llama --only 17 --keep /tmp/case

Each case draws a configuration (draws.py), random weights, a file format and pre-tokenised texts, runs transformers on each
text alone in float32, and compares every hidden state and the logits. The relative error is max|ours - theirs| / max|theirs|;
above 1e-5 a second opinion in float64 decides between noise (ours is as close to it as theirs) and wrong.
"""
import argparse
import collections
import copy
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

import draws
import make
import pyarrow.parquet
import torch
import transformers
from safetensors.torch import load_file, save_file

BAR = 1e-5
NOISE = 8.0
"""How many times further than transformers' own float32 from its float64 a noisy case may be."""
FORMATS = ["safetensors"] * 3 + ["sharded", "bin", "sharded-bin"]
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def spread(p):
    return 1.2 / max(p.shape[-1], 4) ** 0.5


def old_buffers(kind, state):
    """Tensors that older versions wrote beside the weights, and that say nothing."""
    extra = {}
    for name, tensor in state.items():
        if name.endswith("word_embeddings.weight") and "embeddings." in name and kind not in ("bloom", "falcon"):
            extra[name.replace("word_embeddings.weight", "position_ids")] = torch.arange(48)[None]
        if kind == "gpt2" and name.endswith("attn.c_attn.weight"):
            extra[name.replace("c_attn.weight", "bias")] = torch.ones(1, 1, 48, 48).tril()
            extra[name.replace("c_attn.weight", "masked_bias")] = torch.tensor(-1e4)
        if kind == "gpt_neox" and name.endswith("attention.dense.weight"):
            extra[name.replace("dense.weight", "bias")] = torch.ones(1, 1, 48, 48).tril().bool()
            extra[name.replace("dense.weight", "masked_bias")] = torch.tensor(-1e9)
            extra[name.replace("dense.weight", "rotary_emb.inv_freq")] = torch.ones(4)
        if kind in ("llama", "mistral") and name.endswith("self_attn.q_proj.weight"):
            extra[name.replace("q_proj.weight", "rotary_emb.inv_freq")] = torch.ones(4)
    return {k: v for k, v in extra.items() if k not in state}


def other_names(cls, how, state):
    """Names that older versions gave the same tensors."""
    prefix = cls.base_model_prefix + "."
    if how["names"] == "without prefix" and all(k.startswith(prefix) for k in state):
        return {k.removeprefix(prefix): v for k, v in state.items()}
    if how["names"] == "gamma and beta":
        spell = lambda k: k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        return {spell(k): v for k, v in state.items()}
    return state


def head_too(model, state, r):
    """Tied matrices written a second time: as they are, or, as some files have it, with other values."""
    tied = [k for k in (model._tied_weights_keys or {}) if k.endswith("weight") and k in model.state_dict() and k not in state]
    other = r.random() < 0.5
    source = model.state_dict()
    return {k: torch.randn_like(source[k]) * 0.3 if other else source[k].clone() for k in tied}


def write_weights(folder, r, how, state):
    """Writes `state` in place of the safetensors file of `folder`, in the format that was drawn."""
    path = folder / "model.safetensors"
    stem, suffix, save = {"safetensors": ("model", "safetensors", save_file), "bin": ("pytorch_model", "bin", torch.save)}[
        "bin" if how.endswith("bin") else "safetensors"]
    path.unlink()
    write = (lambda t, p: save_file(t, p, metadata={"format": "pt"})) if suffix == "safetensors" else save
    if not how.startswith("sharded"):
        write(state, folder / f"{stem}.{suffix}")
        return
    names = sorted(state)
    r.shuffle(names)
    parts = [names[i::3] for i in range(3) if names[i::3]]
    index = {}
    for i, part in enumerate(parts):
        file = f"{stem}-{i + 1:05}-of-{len(parts):05}.{suffix}"
        write({k: state[k] for k in part}, folder / file)
        index |= {k: file for k in part}
    size = sum(t.numel() * t.element_size() for t in state.values())
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": index}))


def make_model(folder, r, family, change):
    """Writes a random model of the family; its class, configuration and how it was written."""
    cls_name, raw = draws.draw(r, family)
    raw |= change
    how = {"format": r.choice(FORMATS), "dtype": r.choice(list(DTYPES)), "saved": r.random() < 0.3, "buffers": r.random() < 0.2,
           "names": r.choice(["new"] * 6 + ["without prefix", "gamma and beta", "head too", "head too"])}
    (folder / "config.json").write_text(json.dumps(raw, indent=1))
    cls = getattr(transformers, cls_name)
    config = cls.config_class.from_pretrained(folder)
    held = DTYPES[how["dtype"]]
    model = make.build(cls, copy.deepcopy(config), r.randrange(1 << 30), held, spread)
    model.to(held).save_pretrained(folder)
    if not how["saved"]:
        (folder / "config.json").write_text(json.dumps(raw | {"torch_dtype": how["dtype"]}, indent=1))
    (folder / "generation_config.json").unlink(missing_ok=True)
    state = load_file(folder / "model.safetensors")
    extra = old_buffers(family, state) if how["buffers"] else {}
    again = head_too(model, state, r) if how["names"] == "head too" and config.tie_word_embeddings else {}
    write_weights(folder, r, how["format"], other_names(cls, how, state | extra) | again)
    read = cls.from_pretrained(folder, dtype=torch.float32).state_dict()
    if any(not torch.equal(v.float(), read[k]) for k, v in model.state_dict().items() if k not in again):
        raise ValueError("transformers reads other weights than were written")
    return cls, raw, how


def draw_texts(r, config, context):
    vocab = config.vocab_size
    lowest = 0 if r.random() < 0.1 else 3
    longest = min(40, context)
    lengths = [1, r.randint(1, min(longest, 5)), r.randint(1, longest), longest]
    return [[r.randrange(lowest, vocab) for _ in range(n)] for n in lengths]


def theirs(model, ids, dtype):
    model = copy.deepcopy(model).to(dtype)
    if dtype == torch.float64 and getattr(model.config, "reorder_and_upcast_attn", False):
        # It insists on float32, and changes nothing in float64.
        for part in model.modules():
            part.reorder_and_upcast_attn = False
    if hasattr(model, "get_encoder") and model.config.model_type == "t5":
        model = model.get_encoder()
    with torch.no_grad():
        out = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), output_hidden_states=True)
    logits = out.get("logits")
    return [h[0].double() for h in out.hidden_states], None if logits is None else logits[0].double()


def extract(plumb, folder, out, *options):
    command = [plumb, "extract", "--model", str(folder), "--data", str(folder / "d.jsonl"), "--ids-column", "ids", "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode == 0:
        return done, read(out)
    return done, None


def read(run):
    """Column -> example -> [tokens, width], in the order of the columns."""
    columns = {}
    for shard in sorted(pathlib.Path(run).glob("*.parquet")):
        table = pyarrow.parquet.read_table(shard)
        examples = table["example"].to_numpy()
        for field in table.schema:
            if not str(field.type).startswith("fixed_size_list"):
                continue
            width = field.type.list_size
            values = table[field.name].combine_chunks()
            values = values.flatten().to_numpy().reshape(-1, width)
            held = columns.setdefault(field.name, {})
            for e in dict.fromkeys(examples):
                held[int(e)] = torch.tensor(values[examples == e]).double()
    return columns


def relative(ours, wanted):
    """max|ours - theirs| / max|theirs| over all texts."""
    ours, wanted = torch.cat(ours), torch.cat(wanted)
    if ours.shape != wanted.shape:
        return float("inf")
    return ((ours - wanted).abs().max() / wanted.abs().max()).item() if ours.isfinite().all() else float("inf")


def judge(name, ours, single, double):
    """A line about one quantity where it is off, and how."""
    error = relative(ours, single)
    if error <= BAR:
        return None
    far, noise = relative(ours, double), relative(single, double)
    kind = "noise" if far <= max(BAR, NOISE * noise) else "WRONG"
    return kind, f"{name}: {error:.1e} (float64: ours {far:.1e}, theirs {noise:.1e})"


def compare(plumb, folder, cls, texts):
    """The outcome of a case and what to say about it."""
    done, columns = extract(plumb, folder, folder / "run", "--quiet")
    if columns is None:
        lines = done.stderr.strip().splitlines()
        clear = done.returncode in (1, 2) and len(lines) == 1 and "panicked" not in done.stderr
        return ("refused" if clear else "CRASH"), [done.stderr.strip()[-600:]]
    model = cls.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    names = list(columns)
    states = [n for n in names if n.endswith(("resid_pre", "resid_post"))]
    states.sort(key=lambda n: (int(n.split(".")[1]), n.endswith("resid_post")))
    if "final_norm" in columns:
        states[-1] = "final_norm"
    kept = [len(columns[states[0]][i]) for i in range(len(texts))]
    cut = [f"cut to {k}" for k, t in zip(kept, texts) if k < len(t)]
    runs = {d: [theirs(model, t[:k], d) for k, t in zip(kept, texts)] for d in (torch.float32, torch.float64)}
    found = []
    count = len(runs[torch.float32][0][0])
    if count != len(states):
        return "WRONG", [f"{len(states)} hidden states, transformers has {count}"]
    for i, name in enumerate(states):
        pick = {d: [h[i] for h, _ in run] for d, run in runs.items()}
        found.append(judge(f"hidden_states.{i} = {name}", [columns[name][e] for e in range(len(texts))], *pick.values()))
    if runs[torch.float32][0][1] is not None:
        found.append(logits(plumb, folder, cls, runs, len(texts)))
    found = [f for f in found if f]
    kinds = [k for k, _ in found]
    outcome = next((k for k in ("WRONG", "noise", "no logits") if k in kinds), "matched")
    return outcome + (" (cut)" if cut and outcome == "matched" else ""), [line for _, line in found]


def logits(plumb, folder, cls, runs, n):
    classifier = cls.__name__.endswith("ForSequenceClassification")
    done, columns = extract(plumb, folder, folder / "logits", "--quiet", "--points", "logits", *(["--pool", "last"] if classifier else []))
    if columns is None:
        return "no logits", done.stderr.strip()[-300:]
    single, double = ([l[None] if classifier else l for _, l in run] for run in runs.values())
    return judge("logits", [columns["logits"][e] for e in range(n)], single, double)


def case(plumb, family, number, seed, keep=None, change=None):
    r = random.Random(f"{seed}/{family}/{number}")
    folder = pathlib.Path(keep or tempfile.mkdtemp(prefix="fuzz-"))
    if keep:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    raw = how = None
    try:
        try:
            cls, raw, how = make_model(folder, r, family, change or {})
            config = cls.config_class.from_pretrained(folder)
            context = getattr(config, "max_position_embeddings", 48) or 48
            offset = family in ("roberta", "xlm-roberta", "camembert", "mpnet")
            rotary = getattr(config, "rope_parameters", None) is not None
            texts = draw_texts(r, config, 40 if rotary else context - 4 if offset else context)
            theirs(cls.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval(), texts[0], torch.float32)
        except Exception as error:  # transformers refuses what was drawn: nothing to compare with
            return "not drawn", [f"{type(error).__name__}: {str(error).strip()[:200]}"], raw, how
        (folder / "d.jsonl").write_text("".join(json.dumps({"ids": t}) + "\n" for t in texts))
        outcome, lines = compare(plumb, folder, cls, texts)
        how = how | {"lengths": [len(t) for t in texts], "lowest id": min(min(t) for t in texts)}
        return outcome, lines, raw, how
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plumb", required=True, help="the binary")
    parser.add_argument("--family", action="append", choices=list(draws.FAMILIES), help="default: all")
    parser.add_argument("--cases", type=int, default=20, help="cases a family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="only this case")
    parser.add_argument("--set", type=json.loads, help="changes to the configuration, as JSON: to find the field that matters")
    parser.add_argument("--keep", help="leave the case's folder here")
    args = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    table, wrong, said = {}, [], collections.Counter()
    for family in args.family or draws.FAMILIES:
        table[family] = collections.Counter()
        for number in [args.only] if args.only is not None else range(args.cases):
            outcome, lines, raw, how = case(args.plumb, family, number, args.seed, args.keep, args.set)
            table[family][outcome] += 1
            if outcome in ("refused", "not drawn", "no logits"):
                said[outcome, family, re.sub(r"\S*fuzz-\w+/", "", lines[0]) if lines else ""] += 1
            if outcome in ("WRONG", "CRASH", "noise") or args.only is not None:
                wrong.append(outcome)
                print(f"{outcome} {family} --seed {args.seed} --only {number}\n  " + "\n  ".join(lines[:6]))
                print(f"  {json.dumps(how)}\n  {json.dumps(raw)}", flush=True)
        print(f"{family:<12} " + ", ".join(f"{v} {k}" for k, v in sorted(table[family].items())), flush=True)
    print()
    for (outcome, family, line), count in sorted(said.items()):
        print(f"{outcome:<9} {family:<12} {count:>3}x {line}")
    total = sum(table.values(), collections.Counter())
    print("all: " + ", ".join(f"{v} {k}" for k, v in sorted(total.items())))
    sys.exit(bool({"WRONG", "CRASH"} & set(wrong)))


if __name__ == "__main__":
    main()
