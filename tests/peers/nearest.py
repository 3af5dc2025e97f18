#!/usr/bin/env python3
"""The nearest rows of a run by numpy, to be compared with what plumb says.

    python tests/peers/nearest.py write RUN POINT QUERIES.npy COUNT     writes some rows of the run as queries
    python tests/peers/nearest.py check RUN POINT QUERIES.npy SAID.json     compares the answer of `plumb nearest --file QUERIES.npy --json`
"""
import json
import sys
from pathlib import Path

import numpy as np
import polars


def vectors(run, point):
    table = polars.read_parquet(str(Path(run) / "shard-*.parquet"), columns=[point])
    return np.array(table[point].to_list(), dtype=np.float32)


def main():
    how, run, point, queries, last = sys.argv[1:]
    rows = vectors(run, point)
    if how == "write":
        count = int(last)
        np.save(queries, rows[:: max(1, len(rows) // count)][:count])
        return
    said = json.loads(Path(last).read_text())
    unit = rows.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    asked = np.load(queries).astype(np.float64)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    cosines = asked @ unit.T
    # Equal rows count once: plumb names the first.
    _, first, group = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    copies = first[group.ravel()] != np.arange(len(rows))
    cosines[:, copies] = -np.inf
    found = [[] for _ in asked]
    for neighbor in said["neighbors"]:
        found[neighbor["query"]].append((neighbor["row"], neighbor["score"]))
    for query, answers in enumerate(found):
        k = len(answers)
        expected = np.argsort(-cosines[query], kind="stable")[:k]
        for (row, score), wanted in zip(answers, expected):
            assert abs(score - cosines[query, wanted]) < 1e-6, (query, row, score, cosines[query, wanted])
            # Rows whose cosines are equal in f64 may change places.
            assert row == wanted or abs(cosines[query, row] - cosines[query, wanted]) < 1e-12, (query, row, int(wanted))
    print(f"{len(found)} queries among {len(rows) - copies.sum()} rows")


if __name__ == "__main__":
    main()
