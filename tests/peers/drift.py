"""What drift measures, straightforwardly: transformers' hidden states, numpy and scikit-learn, one pair after another.

python tests/peers/drift.py MODEL PAIRS LIMIT > reference.json

Prints for every hidden state the means over pairs of the measures of `plumb drift --pool mean --null none`.
"""

import csv
import json
import sys

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from transformers import AutoModel, AutoTokenizer

NEIGHBORS, COMPONENTS = 10, 10


def cosine_distance(a, b):
    return 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def debiased_cka(x, y):
    n = len(x)

    def gram(m):
        m = m - m.mean(0)
        k = m @ m.T
        np.fill_diagonal(k, 0)
        return k

    def hsic(k, l):
        one = np.ones(n)
        total = (one @ k @ one) * (one @ l @ one) / (n - 1) / (n - 2)
        return (np.trace(k @ l) + total - 2 / (n - 2) * (one @ k @ l @ one)) / n / (n - 3)

    k, l = gram(x), gram(y)
    return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


def procrustes(x, y):
    def unit(m):
        m = m - m.mean(0)
        return m / np.linalg.norm(m)

    return 2 - 2 * np.linalg.svd(unit(x).T @ unit(y), compute_uv=False).sum()


def main(model, pairs, limit):
    with open(pairs, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))[:limit]
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModel.from_pretrained(model).eval()

    def states(text):
        tokens = tokenizer(text, return_tensors="pt", truncation=False)
        with torch.no_grad():
            hidden = network(**tokens, output_hidden_states=True).hidden_states
        return [h[0].double().numpy() for h in hidden]

    context = network.config.max_position_embeddings
    fits = [
        row for row in rows
        if max(len(tokenizer(row[c], truncation=False)["input_ids"]) for c in ("original", "edited")) <= context
    ]
    before = [states(row["original"]) for row in fits]
    after = [states(row["edited"]) for row in fits]
    print(json.dumps([layer(l, before, after) for l in range(len(before[0]))]))


def layer(l, before, after):
    x = np.stack([h[l].mean(0) for h in before])
    y = np.stack([h[l].mean(0) for h in after])
    mean, sd = x.mean(0), x.std(0)
    pca = PCA(svd_solver="full").fit(x)
    top = pca.components_[: max(1, x.shape[1] // 100)]
    covariance, _ = ledoit_wolf(x)
    inverse = np.linalg.inv(covariance)
    abtt = lambda v: (v - mean) - (v - mean) @ top.T @ top
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)

    def nearest(v, own):
        order = np.argsort(-(unit @ v), kind="stable")
        return set([i for i in order if i != own][:NEIGHBORS])

    found = []
    for i, (a, b) in enumerate(zip(x, y)):
        move = b - a
        cosine = cosine_distance(a, b)
        found.append({
            "cosine_distance": cosine,
            "cosine_distance_center": cosine_distance(a - mean, b - mean),
            "cosine_distance_standardize": cosine_distance((a - mean) / sd, (b - mean) / sd),
            "cosine_distance_abtt": cosine_distance(abtt(a), abtt(b)),
            "euclidean_distance": np.linalg.norm(move),
            "norm_change": np.linalg.norm(b) / np.linalg.norm(a) - 1,
            "rotation_degrees": np.degrees(np.arccos(1 - cosine)),
            "mahalanobis": np.sqrt(move @ inverse @ move),
            "principal_share": ((move @ pca.components_[:COMPONENTS].T) ** 2).sum() / (move @ move),
            "neighbor_overlap": len(nearest(a, i) & nearest(b, i)) / NEIGHBORS,
        })
    means = {name: float(np.mean([f[name] for f in found])) for name in found[0]}
    return {"measures": means, "set": {"texts": len(x), "cka": debiased_cka(x, y), "procrustes": procrustes(x, y)}}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
