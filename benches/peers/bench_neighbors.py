#!/usr/bin/env python3
"""Nearest rows among 100,000 x 384: plumb's exact search against the matrix product alone, plumb's index against hnswlib's on one thread.

    python benches/peers/bench_neighbors.py [rows]
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import hnswlib
import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parent))
from vectors import example, token_vectors

K, M, EF_CONSTRUCTION, RECALL, QUERIES = 10, 16, 200, 0.95, 2000
WIDTHS = [10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320]


def ours(*arguments, threads=None):
    environment = dict(os.environ)
    if threads:
        environment["RAYON_NUM_THREADS"] = str(threads)
    command = [example("peer_neighbors"), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def product_limit(data, queries):
    """The matrix product alone, in blocks, all cores: the best of three."""
    best = np.inf
    out = np.empty((200, len(data)), dtype=np.float32)
    for _ in range(3):
        begin = time.perf_counter()
        for first in range(0, len(queries), 200):
            block = queries[first : first + 200]
            np.matmul(block, data.T, out=out[: len(block)])
        best = min(best, time.perf_counter() - begin)
    return best


def recall(found, exact):
    hits = sum(len(set(a[:K]) & set(b[:K])) for a, b in zip(found, exact))
    return hits / (K * len(exact))


def first_good(rows):
    """The narrowest walk with the recall that is asked for: (ef, recall, queries a second)."""
    return next((row for row in rows if row[1] >= RECALL), rows[-1])


def peers(data, queries, exact):
    index = hnswlib.Index(space="cosine", dim=data.shape[1])
    index.init_index(max_elements=len(data), M=M, ef_construction=EF_CONSTRUCTION, random_seed=0)
    index.set_num_threads(1)
    begin = time.perf_counter()
    index.add_items(data, num_threads=1)
    built = time.perf_counter() - begin
    rows = []
    for ef in WIDTHS:
        index.set_ef(ef)
        best = np.inf
        for _ in range(3):
            begin = time.perf_counter()
            labels, _ = index.knn_query(queries, k=K, num_threads=1)
            best = min(best, time.perf_counter() - begin)
        rows.append((ef, recall(labels.tolist(), exact), len(queries) / best))
    return built, rows


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    vectors = token_vectors(count + QUERIES)
    data, queries = vectors[:count], vectors[count:]
    unit = data / np.linalg.norm(data, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "data.npy", Path(folder) / "queries.npy"]
        np.save(paths[0], data)
        np.save(paths[1], queries)
        limit = product_limit(unit, queries)
        said = ours("exact", *paths, K)
        exact = said["neighbors"]
        print(f"exact search, {QUERIES:,} queries of {count:,} x {data.shape[1]}, all cores")
        print(f"  matrix product alone (numpy) {limit:.3f} s, plumb {said['seconds']:.3f} s: {limit / said['seconds']:.2f} of the limit")
        with threadpool_limits(1):
            built, rows = peers(data, queries, exact)
        mine = ours("hnsw", *paths, K, M, EF_CONSTRUCTION, ",".join(map(str, WIDTHS)), threads=1)
    own = [(s["ef"], recall(s["neighbors"], exact), len(queries) / s["seconds"]) for s in mine["searches"]]
    print(f"index (M {M}, ef_construction {EF_CONSTRUCTION}), one thread")
    built_by_us = mine["prepared"] + mine["built"]
    for name, seconds, table in [("hnswlib", built, rows), ("plumb", built_by_us, own)]:
        print(f"  {name:8} built in {seconds:.1f} s")
        for ef, found, speed in table:
            print(f"    ef {ef:4} recall@{K} {found:.4f} {speed:8.0f} queries/s")
    theirs, best = first_good(rows), first_good(own)
    print(f"  at recall {RECALL}: hnswlib {theirs[2]:.0f} queries/s (recall {theirs[1]:.3f}), plumb {best[2]:.0f} (recall {best[1]:.3f}): {best[2] / theirs[2]:.2f} times")
    print(f"  building: plumb / hnswlib {built_by_us / built:.2f}")


if __name__ == "__main__":
    main()
