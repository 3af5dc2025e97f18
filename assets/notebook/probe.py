# The probe again, with scikit-learn: the same rows, the same penalty (C = 1/(n·λ), alpha = n·λ), the same scaling.
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.preprocessing import StandardScaler

probe = json.loads(Path(PROBE).read_text())
labels, kind = probe["label"], probe["params"]["kind"]
metric = {"logistic": "accuracy", "ridge": "r2"}[kind]
test = np.zeros(len(rows), bool)
test[TEST_ROWS] = True
train = np.zeros(len(rows), bool)
train[TRAIN_ROWS] = True
y = np.column_stack([rows[label].to_numpy() for label in labels])
refitted = []
for layer in probe["layers"]:
    x = vectors(layer["hook_point"]).astype(np.float64)
    scale = StandardScaler().fit(x[train])
    z, weight = scale.transform(x), train.sum() * layer["lambda"]
    if kind == "logistic":
        fit = LogisticRegression(C=1 / weight, tol=1e-8, max_iter=10_000).fit(z[train], y[train, 0])
        refitted.append(accuracy_score(y[test, 0], fit.predict(z[test])))
    else:
        fit = Ridge(alpha=weight).fit(z[train], y[train])
        refitted.append(r2_score(y[test], fit.predict(z[test])))
scores = np.array([layer["metrics"][metric]["value"] for layer in probe["layers"]])
difference = np.abs(scores - refitted).max()
print(f"largest difference between plumb and scikit-learn over {len(scores)} layers: {difference:.4f}")
# One row in 100 may fall on the other side where two solvers stop at slightly different weights.
assert difference <= 0.01
