"""How much `plumb drift` costs beyond its forward passes: 1,000 texts, 12 kinds of edits and as many random ones, all hidden states.

python benches/peers/bench_drift.py [--minilm FOLDER] [--threads 2] [--rounds 2] [--texts 1000]

The forward passes alone are random texts of the same lengths in all (see bench_forward.py): as many sequences and tokens as drift says that it ran.
Ours is the time of the whole program: loading, tokenising, editing, comparing, 1,000 resamples, charts. The peak of its memory is told too, and
that for a quarter of the texts.
"""

import argparse
import csv
import json
import os
import random
import subprocess
import tempfile
import time
from pathlib import Path

import common

KINDS = [
    "typo-swap", "typo-drop", "typo-double", "typo-keyboard", "case-upper", "punctuation", "whitespace", "homoglyph", "diacritics",
    "word-drop", "word-swap", "word-order",
]


def sentences(folder, count):
    """Texts of 8 to 30 whole words."""
    vocabulary = (folder / "vocab.txt").read_text().split("\n")
    words = [w for w in vocabulary if w.isascii() and w.isalpha() and len(w) > 2]
    draw = random.Random(0)
    return [" ".join(draw.choices(words, k=draw.randint(8, 30))) for _ in range(count)]


def peak(command, env):
    """Seconds, megabytes of resident memory at most, and what it printed."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, f"{command} failed"
    return time.perf_counter() - begin, usage.ru_maxrss / 1024, json.loads(said)


def lengths(passes):
    """As many texts and tokens, all about equally long."""
    each, more = divmod(passes["tokens"], passes["sequences"])
    draw = random.Random(1)
    return [[draw.randrange(1000, 30000) for _ in range(each + (i < more))] for i in range(passes["sequences"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minilm", help="folder of all-MiniLM-L6-v2; or set PLUMB_MINILM")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--texts", type=int, default=1000)
    args = parser.parse_args()
    folder = common.minilm(args.minilm)
    if not folder:
        common.leave_out("drift: all-MiniLM-L6-v2 is not here; give --minilm or set PLUMB_MINILM to its folder")
    print(common.machine())
    env = {**os.environ, "RAYON_NUM_THREADS": str(args.threads)}
    with tempfile.TemporaryDirectory() as scratch:
        def command(count):
            data = Path(scratch) / f"texts-{count}.csv"
            with data.open("w", newline="") as file:
                csv.writer(file).writerows([["text"], *([text] for text in sentences(folder, count))])
            words = ["drift", "--model", str(folder), "--data", str(data), "--edit", ",".join(KINDS), "--json", "--quiet"]
            return [str(common.RELEASE / "plumb"), *words, "--out", f"{scratch}/drift-{count}", "--force"]

        best, alone = 1e9, 1e9
        _, less, _ = peak(command(args.texts // 4), env)
        for round_ in range(args.rounds):
            seconds, most, result = peak(command(args.texts), env)
            best = min(best, seconds)
            if round_ == 0:
                ids = Path(scratch) / "ids.json"
                ids.write_text(json.dumps(lengths(result["passes"])))
                ours = common.Ours(folder, ids, args.threads)
            alone = min(alone, ours.run()["seconds"])
        ours.close()
    passes = result["passes"]
    print(f"{args.texts} texts, {len(KINDS)} kinds: {passes['sequences']} sequences, {passes['tokens']} tokens, threads: {args.threads}")
    print(f"  plumb drift {best:.1f} s, its forward passes alone {alone:.1f} s: {best / alone:.2f} times")
    print(f"  peak memory {most:.0f} MB; with a quarter of the texts {less:.0f} MB")


if __name__ == "__main__":
    main()
