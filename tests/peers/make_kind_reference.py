"""Writes what scikit-learn and NumPy make of small data with closed-form kinds of probes: kind-reference.json.

    pip install -r requirements.txt && python make_kind_reference.py

The Rust test is src/analysis/probe/kind_reference.rs. Features are standardised with the training rows where a kind says so.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
LAMBDA = 0.03


class Ridged:
    """The covariance with lambda on its diagonal, for LDA."""

    def fit(self, x):
        self.covariance_ = np.cov(x, rowvar=False, bias=True) + LAMBDA * np.eye(x.shape[1])
        return self


def lda(z_train, y, z_test):
    model = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Ridged()).fit(z_train, y)
    return model.decision_function(z_test)


def mass_mean(x_train, y, x_test):
    """Marks & Tegmark 2023: along the difference of means, from the middle between them."""
    a, b = x_train[y == 0].mean(0), x_train[y == 1].mean(0)
    return (x_test - (a + b) / 2) @ (b - a)


def mass_mean_whitened(z_train, y, z_test):
    a, b = z_train[y == 0].mean(0), z_train[y == 1].mean(0)
    centred = z_train - np.where((y == 1)[:, None], b, a)
    within = centred.T @ centred / len(y) + LAMBDA * np.eye(z_train.shape[1])
    return (z_test - (a + b) / 2) @ np.linalg.solve(within, b - a)


def nearest_means(x_train, y, x_test):
    """Of several classes: minus half the squared distance, without the part that all share."""
    means = np.stack([x_train[y == k].mean(0) for k in range(y.max() + 1)])
    return x_test @ means.T - (means**2).sum(1) / 2


def lat(x_train, y, pairs, x_test):
    """Zou et al. 2023. The sign of each difference is free: the data are made so that their mean is zero either way."""
    first = np.array([np.flatnonzero(pairs == p)[0] for p in np.unique(pairs)])
    second = np.array([np.flatnonzero(pairs == p)[1] for p in np.unique(pairs)])
    d = x_train[first] - x_train[second]
    # Both signs of every difference: the mean is zero, and PCA is that of the differences themselves.
    direction = PCA(n_components=1).fit(np.concatenate([d, -d])).components_[0]
    train, test = x_train @ direction, x_test @ direction
    scaler = StandardScaler().fit(train[:, None])
    z, z_test = scaler.transform(train[:, None]), scaler.transform(test[:, None])
    model = LogisticRegression(C=1 / (len(y) * 1e-6), solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(z, y)
    return direction * np.sign(model.coef_[0, 0]), model.decision_function(z_test)


def main():
    rng = np.random.default_rng(11)
    n, n_test, d = 120, 40, 6
    mix = rng.normal(size=(d, d))
    scale = 10.0 ** rng.uniform(-1, 1, size=d)
    out = {"scikit-learn": sklearn.__version__, "lambda": LAMBDA, "cases": []}
    for classes in (2, 3):
        y = np.arange(n + n_test) // 2 % classes if classes == 3 else np.arange(n + n_test) % 2
        y = np.where(rng.uniform(size=len(y)) < 0.15, 0, y) if classes == 3 else y
        means = rng.normal(size=(classes, d))
        x = (means[y] + 0.9 * rng.normal(size=(len(y), d)) @ mix) * scale + 3 * scale
        x = x.round(4)
        pairs = np.arange(len(y)) // 2
        train, test = slice(0, n), slice(n, None)
        scaler = StandardScaler().fit(x[train])
        z, z_test = scaler.transform(x[train]), scaler.transform(x[test])
        case = {"classes": classes, "d": d, "n_train": n, "x": x.ravel().tolist(), "y": y.tolist(), "pairs": pairs.tolist()}
        case["lda"] = np.ravel(lda(z, y[train], z_test)).tolist()
        if classes == 2:
            case["mass-mean"] = mass_mean(x[train], y[train], x[test]).tolist()
            case["mass-mean-whitened"] = mass_mean_whitened(z, y[train], z_test).tolist()
            direction, scores = lat(x[train], y[train], pairs[train], x[test])
            case["lat"], case["lat_direction"] = scores.tolist(), direction.tolist()
            print("lat accuracy", accuracy_score(y[test], scores > 0))
        else:
            case["mass-mean"] = nearest_means(x[train], y[train], x[test]).ravel().tolist()
        out["cases"].append(case)
    (HERE / "kind-reference.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
