"""UMAP of real token states by plumb and by umap-learn: time and trustworthiness, in turn, on the same threads.

    PLUMB_SHARED=… python benches/peers/bench_map.py [ROWS]

20,000 x 384: layer 6 of all-MiniLM-L6-v2 over the development and test parts of the English Web Treebank. umap-learn runs seeded (which makes it
repeatable, and its layout serial; its neighbour search has all cores) after a warm-up that compiles it. plumb's time is that of the map alone
(`examples/peer_map.rs`, vectors in memory as umap-learn has them), and beside it with the map's quality. Trustworthiness is
scikit-learn's, computed here block by block for both maps over the same 2,000 rows against all (the whole matrix would not fit), with 15 neighbours.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
K = 15


def shared():
    folder = os.environ.get("PLUMB_SHARED")
    if not folder or not (Path(folder) / "datasets/ewt").is_dir():
        print("skipped: bench_map needs reference data; set PLUMB_SHARED to its folder")
        sys.exit(0)
    return Path(folder)


def states(rows, desk):
    """Token states as a .npy file."""
    minilm = subprocess.run(["bash", shared() / "bin/minilm"], capture_output=True, text=True, check=True).stdout.strip()
    texts = []
    for part in ("dev", "test"):
        for line in (shared() / f"datasets/ewt/en_ewt-ud-{part}.conllu").read_text().splitlines():
            if line.startswith("# text = "):
                texts.append(json.dumps({"text": line[9:]}))
    (desk / "ewt.jsonl").write_text("\n".join(texts))
    plumb = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/plumb"
    command = [plumb, "extract", "--model", minilm, "--data", desk / "ewt.jsonl", "--points", "blocks.5.resid_post"]
    subprocess.run([*command, "--no-special", "--out", desk / "run", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    import pyarrow.parquet as pq

    column = pq.read_table(sorted((desk / "run").glob("shard-*.parquet")), columns=["blocks.5.resid_post"]).column(0)
    x = np.concatenate([c.values.to_numpy(zero_copy_only=False) for c in column.chunks]).reshape(-1, 384)
    # The same state twice would be a neighbour at distance 0 to one program and none to the other.
    x = np.unique(x, axis=0)
    x = np.ascontiguousarray(x[np.random.default_rng(0).permutation(len(x))[:rows]], dtype=np.float32)
    np.save(desk / "x.npy", x)
    return x


def trustworthiness(x, y, sample, k=K):
    """scikit-learn's definition, of some rows against all."""
    n = len(x)
    total = 0.0
    x = (x - x.mean(0)).astype(np.float64)
    norms = (x**2).sum(1)
    for block in np.array_split(sample, max(1, len(sample) // 500)):
        d_x = norms[None] - 2 * x[block] @ x.T
        d_y = ((y[block, None, :].astype(np.float64) - y[None]) ** 2).sum(2)
        own = np.arange(len(block))
        d_x[own, block] = np.inf
        d_y[own, block] = np.inf
        near = np.argpartition(d_y, k, axis=1)[:, :k]
        for i in own:
            ranks = 1 + (d_x[i][None] < d_x[i][near[i]][:, None]).sum(1)
            total += np.maximum(0, ranks - k).sum()
    return 1 - 2 / (len(sample) * k * (2 * n - 3 * k - 1)) * total


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as desk:
        desk = Path(desk)
        x = states(rows, desk)
        sample = np.random.default_rng(1).permutation(len(x))[:2000]
        target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/examples/peer_map"
        out = subprocess.run([target, desk / "x.npy", desk / "y.npy"], check=True, capture_output=True, text=True).stdout
        ours = json.loads(out)
        ours_trust = trustworthiness(x, np.load(desk / "y.npy"), sample)
        print(f"plumb       {ours['seconds']:6.2f} s   trustworthiness({K}) {ours_trust:.4f}   (with its quality {ours['checked_seconds']:.2f} s)")
        print("            " + "   ".join(f"{name} {seconds:.2f} s" for name, seconds in ours["parts"].items()))

        warnings.filterwarnings("ignore")
        import umap

        umap.UMAP(random_state=0).fit(x[:4500])  # above 4,096 rows it takes the path that it takes for many
        begin = time.perf_counter()
        y = umap.UMAP(random_state=0).fit_transform(x)
        seconds = time.perf_counter() - begin
        theirs_trust = trustworthiness(x, y, sample)
        print(f"umap-learn  {seconds:6.2f} s   trustworthiness({K}) {theirs_trust:.4f}   (seeded, warm, {umap.__version__})")
        print(f"bar: time ratio {ours['seconds'] / seconds:.2f} <= 1, trustworthiness {ours_trust - theirs_trust:+.4f} >= -0.01")


if __name__ == "__main__":
    main()
