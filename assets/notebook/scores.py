# What the probe reads of the label, layer by layer; the band is the 95 % interval, dashes are controls.
names = [layer["hook_point"] for layer in probe["layers"]]
layers = np.arange(len(names))
fig, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
estimates = [layer["metrics"][metric] for layer in probe["layers"]]
if all("low" in estimate for estimate in estimates):
    low, high = ([estimate[end] for estimate in estimates] for end in ("low", "high"))
    axes.fill_between(layers, low, high, alpha=0.2, color="#0072B2", linewidth=0)
axes.plot(layers, scores, color="#0072B2", linewidth=2, label="plumb")
axes.plot(layers, refitted, "o", color="#D55E00", markersize=5, label="scikit-learn")
for control in ("majority", "shuffled"):
    values = [layer["controls"].get(control) for layer in probe["layers"]]
    if all(isinstance(value, (int, float)) for value in values):
        axes.plot(layers, values, "--", color="#6A6A6A", linewidth=1.5, label=control)
axes.set(ylabel=f"{metric} on test rows", title=", ".join(labels))
axes.set_xticks(layers, names, rotation=60, ha="right")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
