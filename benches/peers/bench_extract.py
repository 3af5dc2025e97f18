"""From a CSV file to all hidden states of all tokens on disk: `plumb extract` and the usual script, in turn, on the same threads.

python benches/peers/bench_extract.py [--minilm FOLDER] [--threads 2] [--rounds 2] [--texts 2048]

The usual script tokenises, sorts by length, runs transformers in batches of 32 under `inference_mode`, collects the hidden states of all real
tokens and calls `torch.save`. Its time begins when its libraries and its model are loaded; ours is that of the whole program, loading and
checks included; ours also waits until each shard is on the disk, the script does not. The forward pass alone (see bench_forward.py) on the same texts says what the rest of ours costs.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import common

warnings.filterwarnings("ignore")


def sentences(tokenizer, count):
    """Texts of 8 to 60 tokens, of whole words."""
    words = [w for w in sorted(tokenizer.get_vocab()) if w.isascii() and w.isalpha() and len(w) > 2]
    draw = random.Random(0)
    # Two tokens are special.
    return [" ".join(draw.choices(words, k=draw.randint(6, 58))) for _ in range(count)]


def usual_script(model, tokenizer, texts, path, torch):
    """What people write."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    collected = [None] * len(texts)
    with torch.inference_mode():
        for i in range(0, len(order), 32):
            part = order[i : i + 32]
            batch = tokenizer([texts[j] for j in part], padding=True, truncation=True, return_tensors="pt")
            states = torch.stack(model(**batch, output_hidden_states=True).hidden_states)
            for row, j in enumerate(part):
                length = int(batch["attention_mask"][row].sum())
                collected[j] = states[:, row, :length].clone()
    torch.save(collected, path)
    return sum(state.shape[1] for state in collected)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", help="folder of all-MiniLM-L6-v2; or set PLUMB_MINILM")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--texts", type=int, default=2048)
    args = parser.parse_args()
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        common.leave_out(f"extract: {error}; see benches/peers/requirements.txt")
    folder = common.minilm(args.minilm)
    if not folder:
        common.leave_out("extract: all-MiniLM-L6-v2 is not here; give --minilm or set PLUMB_MINILM to its folder")
    torch.set_num_threads(args.threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32).eval()
    texts = sentences(tokenizer, args.texts)
    print(common.machine())
    env = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
    with tempfile.TemporaryDirectory() as scratch:
        data, run = Path(scratch) / "texts.csv", Path(scratch) / "run"
        with data.open("w", newline="") as file:
            csv.writer(file).writerows([["text"], *([text] for text in texts)])
        ids = Path(scratch) / "ids.json"
        ids.write_text(json.dumps(tokenizer(texts)["input_ids"]))
        ours = common.Ours(folder, ids, args.threads)
        command = [str(common.RELEASE / "plumb"), "extract", "--model", str(folder), "--data", str(data), "--text-column", "text"]
        command += ["--out", str(run), "--quiet"]
        best = {"plumb extract": 1e9, "usual script": 1e9, "forward pass alone": 1e9}
        for _ in range(args.rounds):
            # What the other one wrote is not to be written back in this one's time.
            shutil.rmtree(run, ignore_errors=True)
            os.sync()
            begin = time.perf_counter()
            subprocess.run(command, env=env, check=True, capture_output=True)
            best["plumb extract"] = min(best["plumb extract"], time.perf_counter() - begin)
            os.sync()
            begin = time.perf_counter()
            tokens = usual_script(model, tokenizer, texts, Path(scratch) / "states.pt", torch)
            best["usual script"] = min(best["usual script"], time.perf_counter() - begin)
            best["forward pass alone"] = min(best["forward pass alone"], ours.run()["seconds"])
        ours.close()
        assert tokens == ours.about["tokens"], f"{tokens} tokens are not {ours.about['tokens']}"
    own = best["plumb extract"]
    print(f"all-MiniLM-L6-v2, {len(texts)} texts, {tokens} tokens, threads: {args.threads}")
    for who, seconds in best.items():
        print(f"  {who:24} {tokens / seconds:8.0f} tokens/s, {seconds:.1f} s")
    print(f"  plumb extract is {best['usual script'] / own:.2f} times as fast as the usual script")
    print(f"  plumb extract is at {best['forward pass alone'] / own:.0%} of its forward pass")


if __name__ == "__main__":
    main()
