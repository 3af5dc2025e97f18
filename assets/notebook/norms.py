# How long the vectors are, layer by layer: the median, and the middle half of the rows.
norms = {point: np.linalg.norm(vectors(point), axis=1) for point in points}
quartiles = np.array([np.percentile(norms[point], [25, 50, 75]) for point in points])
layers = np.arange(len(points))
fig, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.fill_between(layers, quartiles[:, 0], quartiles[:, 2], alpha=0.2, color="#0072B2", linewidth=0)
axes.plot(layers, quartiles[:, 1], color="#0072B2", linewidth=2)
axes.set(xlabel="hook point", ylabel="norm (median, quartiles)", title="Norms of the vectors")
axes.set_xticks(layers, points, rotation=60, ha="right")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
