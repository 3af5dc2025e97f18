"""Writes what scikit-learn makes of small awkward data: probe-reference.safetensors (arrays) and probe-reference.json (metrics).

    pip install -r requirements.txt && python make_probe_reference.py

The Rust test is src/analysis/probe/reference.rs. Penalties are plumb's: mean loss + lambda/2 * |W|^2 on features that were
standardised with the training rows, so C = 1/(n * lambda) and alpha = n * lambda.
"""

import json
from pathlib import Path

import numpy as np
import sklearn
from safetensors.numpy import save_file
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    matthews_corrcoef,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)
from sklearn.preprocessing import StandardScaler, label_binarize

HERE = Path(__file__).parent
LAMBDAS = [1e-4, 1e-2, 1.0]


def features(rng, n, d):
    """Correlated features of very different scales, far from zero; the third is constant."""
    factors = rng.normal(size=(n, 4))
    x = factors @ rng.normal(size=(4, d)) + 0.3 * rng.normal(size=(n, d))
    x = x * 10.0 ** rng.uniform(-2, 2, size=d) + rng.normal(size=d) * 5
    x[:, 2] = 0.1
    return x.astype(np.float32), factors


def classes_from(rng, factors, shares):
    """Classes of these shares, cut from a noisy factor, so that they overlap and are imbalanced."""
    score = factors[:, 0] + 0.5 * factors[:, 1] ** 2 + 0.8 * rng.normal(size=len(factors))
    cuts = np.quantile(score, np.cumsum(shares)[:-1])
    return np.searchsorted(cuts, score).astype(np.int64)


def classifier(z_train, y_train, lam):
    """Newton, because lbfgs there also stops on the change of the loss, short of the optimum that the test compares."""
    n = len(y_train)
    return LogisticRegression(C=1 / (n * lam), solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(z_train, y_train)


def calibration_error(y, proba):
    """The expected calibration error of Guo et al. (2017): 15 bins by the probability of the predicted class, open to the left."""
    confidence, right = proba.max(axis=1), proba.argmax(axis=1) == y
    edges = np.linspace(0, 1, 16)
    inside = [(confidence > low) & (confidence <= high) for low, high in zip(edges[:-1], edges[1:])]
    return sum(rows.mean() * abs(right[rows].mean() - confidence[rows].mean()) for rows in inside if rows.any())


def class_metrics(y, predicted, proba, decision):
    classes = np.arange(proba.shape[1])
    if len(classes) == 2:
        auroc, auprc = roc_auc_score(y, decision), average_precision_score(y, decision)
    else:
        auroc = roc_auc_score(y, proba, multi_class="ovr", average="macro", labels=classes)
        auprc = average_precision_score(label_binarize(y, classes=classes), proba, average="macro")
    return {
        "accuracy": accuracy_score(y, predicted),
        "balanced_accuracy": balanced_accuracy_score(y, predicted),
        "macro_f1": f1_score(y, predicted, average="macro"),
        "mcc": matthews_corrcoef(y, predicted),
        "auroc": auroc,
        "auprc": auprc,
        "log_loss": log_loss(y, proba, labels=classes),
        "brier": brier_score_loss(y, proba[:, 1] if len(classes) == 2 else proba),
        "ece": calibration_error(y, proba),
    }


def number_metrics(y, predicted):
    targets = range(y.shape[1])
    rank = [spearmanr(y[:, k], predicted[:, k]).statistic for k in targets]
    metrics = {
        "r2": r2_score(y, predicted),
        "spearman": np.mean(rank),
        "mean_absolute_error": mean_absolute_error(y, predicted),
    }
    for k in targets:
        metrics[f"r2[{k}]"] = r2_score(y[:, k], predicted[:, k])
        metrics[f"spearman[{k}]"] = rank[k]
        metrics[f"mean_absolute_error[{k}]"] = mean_absolute_error(y[:, k], predicted[:, k])
    return metrics


def main():
    rng = np.random.default_rng(20261123)
    arrays, cases = {}, []

    def add(name, kind, x, y, n_train):
        scaler = StandardScaler().fit(x[:n_train].astype(np.float64))
        z = scaler.transform(x.astype(np.float64))
        arrays[f"{name}.x"] = x
        arrays[f"{name}.y"] = y
        for at, lam in enumerate(LAMBDAS):
            key = f"{name}.{at}"
            if kind == "logistic":
                fit = classifier(z[:n_train], y[:n_train], lam)
                proba, decision = fit.predict_proba(z[n_train:]), fit.decision_function(z[n_train:])
                predicted = fit.predict(z[n_train:])
                metrics = class_metrics(y[n_train:], predicted, proba, decision)
                arrays[f"{key}.proba"] = proba
            else:
                fit = Ridge(alpha=n_train * lam, solver="cholesky").fit(z[:n_train], y[:n_train])
                predicted = fit.predict(z[n_train:])
                metrics = number_metrics(y[n_train:], predicted)
            arrays[f"{key}.weights"] = np.atleast_2d(fit.coef_)
            arrays[f"{key}.intercepts"] = np.atleast_1d(fit.intercept_)
            arrays[f"{key}.predicted"] = predicted
            cases.append({"name": name, "key": key, "kind": kind, "lambda": lam, "n_train": n_train, "metrics": metrics})

    x, factors = features(rng, 320, 24)
    add("binary", "logistic", x, classes_from(rng, factors, [0.8, 0.2]), 220)
    add("four", "logistic", x, classes_from(rng, factors, [0.5, 0.3, 0.15, 0.05]), 220)
    x, factors = features(rng, 130, 60)
    add("few", "logistic", x, classes_from(rng, factors, [0.3, 0.4, 0.3]), 50)  # more features than rows
    y = factors[:, :2] @ rng.normal(size=(2, 2)) * [1.0, 40.0] + rng.normal(size=(130, 2)) * [0.5, 10] + [0.0, 1900.0]
    add("few_numbers", "ridge", x, y, 50)
    x, factors = features(rng, 320, 24)
    y = factors[:, :2] @ rng.normal(size=(2, 2)) + 0.5 * rng.normal(size=(320, 2))
    add("numbers", "ridge", x, y, 220)

    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(arrays, HERE / "probe-reference.safetensors")
    reference = {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "cases": cases}
    (HERE / "probe-reference.json").write_text(json.dumps(reference, indent=1) + "\n")


if __name__ == "__main__":
    main()
