#!/usr/bin/env python3
"""Writes geometry-reference.json: small spaces and what numpy, scipy and scikit-learn compute of them, by the definitions of the papers.

    python tests/peers/make_geometry_reference.py
"""
import json
from pathlib import Path

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.stats import skew
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors


def hsic1(k, l):
    """Song et al. 2012, equation 5."""
    n = len(k)
    k, l = k.copy(), l.copy()
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    one = np.ones(n)
    return (np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3))


def debiased_cka(x, y):
    k, l = x @ x.T, y @ y.T
    return hsic1(k, l) / np.sqrt(hsic1(k, k) * hsic1(l, l))


def procrustes(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    # scipy wants equal widths.
    width = max(x.shape[1], y.shape[1])
    pad = lambda a: np.pad(a, ((0, 0), (0, width - a.shape[1])))
    return orthogonal_procrustes(pad(x), pad(y))[1]


def two_nn(x):
    """Facco et al. 2017, the largest tenth of the ratios left out."""
    distances, _ = NearestNeighbors(n_neighbors=3).fit(x).kneighbors(x)
    mu = np.sort(distances[:, 2] / distances[:, 1])
    n = len(mu)
    kept = int(n * 0.9)
    f = np.arange(1, n + 1) / n
    a, b = np.log(mu[:kept]), -np.log(1 - f[:kept])
    return (a @ b) / (a @ a)


def nearest(x, k):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1)[:, :k]


def main():
    random = np.random.default_rng(7)
    x = (random.normal(size=(60, 3)) @ random.normal(size=(3, 6)) + 0.2 * random.normal(size=(60, 6)) + 1).astype(np.float32)
    y = (x.astype(float) @ random.normal(size=(6, 9)) + 0.8 * random.normal(size=(60, 9))).astype(np.float32)
    a, b = x.astype(float), y.astype(float)
    near_x, near_y = nearest(a, 10), nearest(b, 10)
    occurrences = np.bincount(near_x.ravel(), minlength=len(x))
    values = np.linalg.eigvalsh(np.cov(a.T))
    pca = PCA(3, svd_solver="full").fit(a)
    reference = {
        "x": x.tolist(),
        "y": y.tolist(),
        "cka": debiased_cka(a, b),
        "procrustes": procrustes(a, b),
        "mutual_knn": float(np.mean([len(set(p) & set(q)) / 10 for p, q in zip(near_x, near_y)])),
        "two_nn": two_nn(a),
        "participation_ratio": values.sum() ** 2 / (values**2).sum(),
        "hub_skewness": float(skew(occurrences)),
        "pca_share": pca.explained_variance_ratio_.tolist(),
        "pca_components": pca.components_.tolist(),
        "neighbors": near_x.tolist(),
    }
    path = Path(__file__).with_name("geometry-reference.json")
    path.write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
