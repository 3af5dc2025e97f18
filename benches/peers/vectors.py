"""Vectors that several comparisons use: states of a real model, kept between runs."""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def target():
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def example(name):
    return str(target() / "release" / "examples" / name)


def token_vectors(count):
    """`count` different rows of all-MiniLM-L6-v2's layer 3 on SST's sentences (PLUMB_SHARED), or else a mixture of clusters, [count, 384] f32."""
    kept = target() / "peers" / "minilm-tokens.npy"
    if not kept.is_file():
        shared = os.environ.get("PLUMB_SHARED")
        if not shared:
            print("note: PLUMB_SHARED is not set; the vectors are a mixture of clusters", file=sys.stderr)
            return mixture(count)
        extract(Path(shared), kept)
    vectors = np.load(kept, mmap_mode="r")
    if len(vectors) < count:
        raise SystemExit(f"{kept} has {len(vectors)} rows, and {count} are needed; remove it")
    return np.ascontiguousarray(vectors[:count])


def extract(shared, kept):
    import polars

    model = subprocess.run([shared / "bin" / "minilm"], check=True, capture_output=True, text=True).stdout.strip()
    kept.parent.mkdir(parents=True, exist_ok=True)
    run = kept.parent / "minilm-run"
    subprocess.run(
        [target() / "release" / "plumb", "extract", "--model", model, "--data", shared / "datasets" / "sst" / "sst.tsv"]
        + ["--points", "blocks.3.resid_post", "--no-special", "--columns", "label", "--out", run, "--force", "--quiet"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    table = polars.read_parquet(run / "shard-*.parquet", columns=["blocks.3.resid_post"])
    vectors = table["blocks.3.resid_post"].to_numpy()
    vectors = np.unique(np.stack(list(vectors)) if vectors.dtype == object else vectors, axis=0)
    order = np.random.default_rng(0).permutation(len(vectors))
    np.save(kept, vectors[order[:110_000]].astype(np.float32))


def mixture(count, width=384, clusters=500):
    """Clusters of different sizes on low-dimensional sheets, off the origin."""
    random = np.random.default_rng(0)
    centers = random.normal(size=(clusters, width)) + 1.0
    sheets = random.normal(size=(clusters, 20, width)) / 4
    of_row = random.choice(clusters, size=count, p=random.dirichlet(np.ones(clusters)))
    vectors = np.empty((count, width), dtype=np.float32)
    for cluster in range(clusters):
        rows = np.flatnonzero(of_row == cluster)
        inside = random.normal(size=(len(rows), 20)) @ sheets[cluster]
        vectors[rows] = centers[cluster] + inside + 0.1 * random.normal(size=(len(rows), width))
    return vectors
