#!/usr/bin/env python3
"""50 principal components of 20,000 x 384, by plumb and by scikit-learn's best solver, in turn, on the same threads.

    python benches/peers/bench_pca.py
"""
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

sys.path.insert(0, str(Path(__file__).parent))
from vectors import example, token_vectors

ROWS, COMPONENTS, RUNS = 20_000, 50, 9


def sklearn(data):
    seconds, fits = [], []
    for _ in range(RUNS):
        begin = time.perf_counter()
        pca = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(data)
        fits.append(time.perf_counter() - begin)
        projected = pca.transform(data)
        seconds.append(time.perf_counter() - begin)
    return pca, projected, seconds, fits


def main():
    data = token_vectors(ROWS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npy"
        np.save(path, data)
        ours, theirs = [], []
        for _ in range(2):
            said = subprocess.run(
                [example("peer_pca"), path, str(COMPONENTS), str(RUNS)], check=True, capture_output=True, text=True
            ).stdout
            said = json.loads(said)
            pca, projected, seconds, fits = sklearn(data)
            ours.append((min(said["seconds"]), min(said["fit_seconds"]), statistics.median(said["seconds"])))
            theirs.append((min(seconds), min(fits), statistics.median(seconds)))
    exact = PCA(COMPONENTS, svd_solver="full").fit(data.astype(np.float64))
    found = np.array(said["components"])
    # Directions of nearly equal variance may be mixed; what they span is compared through the projector.
    span = np.abs(found.T @ found - exact.components_.T @ exact.components_).max()
    aligned = 1 - np.abs(np.einsum("ij,ij->i", found, exact.components_)).min()
    share = np.abs(np.array(said["share"]) - exact.explained_variance_ratio_).max()
    print(f"PCA, {COMPONENTS} components of {data.shape[0]:,} x {data.shape[1]}, fit and transform")
    for name, rows in [("plumb", ours), ("scikit-learn covariance_eigh", theirs)]:
        best = [min(column) for column in zip(*rows)]
        print(f"  {name:30} best {best[0]:.4f} s (fit {best[1]:.4f} s), median {best[2]:.4f} s")
    ratio = min(r[0] for r in theirs) / min(r[0] for r in ours)
    print(f"  scikit-learn / plumb {ratio:.2f}")
    print(f"  against f64 SVD: share of variance {share:.1e}, 1 - |cosine| of directions {aligned:.1e}, projector {span:.1e}")


if __name__ == "__main__":
    main()
