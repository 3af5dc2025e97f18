"""What the comparisons share: where things are, texts, and lines that say why a comparison is left out."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

# A machine may be told to take another machine's BLAS kernels; a comparison takes its own.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

ROOT = Path(__file__).resolve().parents[2]
RELEASE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"


def leave_out(why):
    """Ends the comparison with one line."""
    print(f"skipped: {why}")
    sys.exit(0)


def machine():
    """The processor in a few words."""
    model, flags = "unknown processor", ""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
        if key.strip() == "flags":
            flags = value
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "neither AVX2 nor AVX-512"
    unit = " with AMX" if "amx_bf16" in flags else ""
    return f"{model}, {os.cpu_count()} cores, {vectors}{unit}"


def minilm(given=None):
    """The folder of all-MiniLM-L6-v2, or None."""
    folder = given or os.environ.get("PLUMB_MINILM")
    return Path(folder) if folder and (Path(folder) / "config.json").is_file() else None


def random_ids(count, vocab, seed=0, first=1000):
    """Texts of 8 to 60 tokens, uniformly."""
    draw = random.Random(seed)
    return [[draw.randrange(first, vocab) for _ in range(draw.randint(8, 60))] for _ in range(count)]


class Ours:
    """Our program, waiting for the word to run."""

    def __init__(self, model, ids, threads, unit=True):
        program = RELEASE / "examples" / "peer_forward"
        env = {**os.environ, "RAYON_NUM_THREADS": str(threads), "PLUMB_AMX": "on" if unit else "off"}
        command = [str(program), "--model", str(model), "--ids", str(ids)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True)
        self.about = json.loads(self.process.stdout.readline())

    def run(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def product_limit(threads, unit):
    """Billions of operations a second that matrix products reach on all threads together, with the matrix unit of the processor or without."""
    program = RELEASE / "examples" / "peer_forward"
    env = {**os.environ, "RAYON_NUM_THREADS": str(threads), "PLUMB_AMX": "on" if unit else "off"}
    said = subprocess.run([str(program), "--limit"], env=env, capture_output=True, text=True, check=True)
    return max(json.loads(said.stdout)["all"].values())
