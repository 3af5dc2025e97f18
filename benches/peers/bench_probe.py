"""Logistic probes with their controls: plumb against scikit-learn, on the same rows, folds and penalties.

    PLUMB_PYTHON=... make bench-peers PEERS=bench_probe

7 layers x 10,000 training rows x 384 features, 5 folds x 20 penalties x (1 label + 20 shuffles of it), each followed by a fit to all training
rows that 2,000 test rows are scored with. plumb does all of it. scikit-learn, warm-started along the penalties, does the label on every layer and
one shuffle on the first; its time for the other 139 shuffles is that of the one. The features have the spectrum of a transformer's
activations: variances that fall with a power of the rank.
"""

import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

LAYERS, TRAIN, TEST, FEATURES, FOLDS, SHUFFLES = 7, 10_000, 2_000, 384, 5, 20
LAMBDAS = [float(f"{v:.6g}") for v in np.logspace(1, -4, 20)]


def make(rng):
    rows = TRAIN + TEST
    spectrum = np.arange(1, FEATURES + 1) ** -0.6
    factors = rng.standard_normal((rows, FEATURES)) * spectrum
    labels = (factors[:, 1] + factors[:, 5] + 0.5 * rng.standard_normal(rows) > 0).astype(np.float32)
    arrays = {"labels": labels, "train_rows": np.array([TRAIN], np.float32)}
    for layer in range(LAYERS):
        mix = np.linalg.qr(rng.standard_normal((FEATURES, FEATURES)))[0]
        noise = 0.02 * (LAYERS - layer) * rng.standard_normal((rows, FEATURES))
        arrays[f"layer{layer}"] = (factors @ mix + noise + rng.standard_normal(FEATURES)).astype(np.float32)
    return arrays


def ours(binary, file):
    command = [binary, file, str(SHUFFLES), *map(str, LAMBDAS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def path(x, y, held_out):
    """Right held-out rows for each penalty, one fold."""
    kept = np.setdiff1d(np.arange(len(y)), held_out)
    scaler = StandardScaler().fit(x[kept])
    z, held = scaler.transform(x[kept]), scaler.transform(x[held_out])
    model = LogisticRegression(warm_start=True, max_iter=1000)
    right = []
    for lam in LAMBDAS:
        model.C = 1 / (len(kept) * lam)
        model.fit(z, y[kept])
        right.append((model.predict(held) == y[held_out]).sum())
    return np.array(right)


def theirs(x, y, folds, lam=None):
    """The best penalty (the largest of equals), its accuracy on the folds, and that on the test rows of a fit with `lam`, or with the best one.

    Penalties that are a row apart on the folds may be further apart on the test rows, so that fits are compared with the same one."""
    train = x[:TRAIN].astype(np.float64)
    right = sum(path(train, y[:TRAIN], np.array(fold)) for fold in folds)
    best = int(np.argmax(right))
    scaler = StandardScaler().fit(train)
    model = LogisticRegression(C=1 / (TRAIN * (lam or LAMBDAS[best])), max_iter=1000).fit(scaler.transform(train), y[:TRAIN])
    test = model.score(scaler.transform(x[TRAIN:].astype(np.float64)), y[TRAIN:])
    return LAMBDAS[best], right[best] / TRAIN, test


def main():
    warnings.simplefilter("ignore")
    target = sys.argv[1] if len(sys.argv) > 1 else None
    root = Path(__file__).parents[2]
    folder = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"], cwd=root, check=True, capture_output=True, text=True)
    binary = target or str(Path(json.loads(folder.stdout)["target_directory"]) / "release/examples/peer_probe")
    rng = np.random.default_rng(0)
    arrays = make(rng)
    with tempfile.TemporaryDirectory() as desk:
        file = str(Path(desk) / "layers.safetensors")
        save_file(arrays, file)
        us = ours(binary, file)
    y = arrays["labels"]
    seconds = []
    print("layer    plumb: λ, folds, test          scikit-learn: λ, folds, test (with plumb's λ)")
    worst = 0.0
    for layer, own in enumerate(us["layers"]):
        start = time.perf_counter()
        lam, folds, test = theirs(arrays[f"layer{layer}"], y, us["folds"], own["lambda"])
        seconds.append(time.perf_counter() - start)
        worst = max(worst, abs(own["inner"] - folds), abs(own["accuracy"] - test))
        print(f"{layer}        {own['lambda']:<9.3g} {own['inner']:.4f} {own['accuracy']:.4f}     {lam:<9.3g} {folds:.4f} {test:.4f}")
    shuffled = np.concatenate([rng.permutation(y[:TRAIN]), y[TRAIN:]])
    start = time.perf_counter()
    theirs(arrays["layer0"], shuffled, us["folds"])
    one = time.perf_counter() - start
    total = sum(seconds) + LAYERS * SHUFFLES * one
    print(f"largest difference of an accuracy: {100 * worst:.2f} points")
    print(f"plumb {us['seconds']:.1f} s; scikit-learn {sum(seconds):.1f} s for the label, {one:.1f} s for one shuffle of {LAYERS * SHUFFLES}: {total:.0f} s")
    print(f"scikit-learn takes {total / us['seconds']:.0f} times as long")


if __name__ == "__main__":
    main()
