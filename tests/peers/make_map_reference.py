"""Writes what scikit-learn and umap-learn make of a small cloud of points: map-reference.json.

    pip install scikit-learn==1.9.1 umap-learn==0.5.12 && python make_map_reference.py

The Rust test is src/analysis/reduce/reference.rs. Trustworthiness is scikit-learn's; umap-learn's own (umap.validation) counts ranks from another
place and is off by one. Continuity is scikit-learn's trustworthiness with space and map exchanged, which is its definition.
"""

import json
from pathlib import Path

import numpy as np
from sklearn.manifold import trustworthiness
from sklearn.metrics import pairwise_distances
from umap.umap_ import fuzzy_simplicial_set

rng = np.random.default_rng(5)
centers = 2 * rng.normal(size=(4, 6))
x = (centers[np.arange(48) % 4] + rng.normal(size=(48, 6))).round(3).astype(np.float32)
y = (x @ rng.normal(size=(6, 2)) + 0.5 * rng.normal(size=(48, 2))).round(3).astype(np.float32)


def preservation(k):
    near = [np.argsort(pairwise_distances(z), axis=1)[:, 1 : k + 1] for z in (x, y)]
    return float(np.mean([len(set(a) & set(b)) / k for a, b in zip(*near)]))


quality = [
    {
        "k": k,
        "trustworthiness": trustworthiness(x, y, n_neighbors=k),
        "continuity": trustworthiness(y, x, n_neighbors=k),
        "preservation": preservation(k),
    }
    for k in (3, 15)
]
d = pairwise_distances(x)
order = np.argsort(d, axis=1)[:, :10]
graph = fuzzy_simplicial_set(
    x, 10, None, "euclidean", knn_indices=order, knn_dists=np.take_along_axis(d, order, axis=1).astype(np.float32)
)[0].tocoo()
edges = [[int(i), int(j), round(float(w), 6)] for i, j, w in zip(graph.row, graph.col, graph.data) if i < j]
reference = {
    "rows": [[round(float(v), 3) for v in row] for row in x],
    "map": [[round(float(v), 3) for v in row] for row in y],
    "quality": quality,
    "fuzzy": {"n_neighbors": 10, "edges": sorted(edges)},
}
text = json.dumps(reference).replace("], [", "],\n[").replace('"quality"', '\n"quality"')
(Path(__file__).parent / "map-reference.json").write_text(text + "\n")
