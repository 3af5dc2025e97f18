# The two directions of greatest variance of one layer.
POINT = points[len(points) // 2]
x = vectors(POINT).astype(np.float64)
x -= x.mean(axis=0)
_, singular, directions = np.linalg.svd(x, full_matrices=False)
share = singular[:2] ** 2 / (singular**2).sum()
places = x @ directions[:2].T
fig, axes = plt.subplots(figsize=(7, 5), layout="constrained")
if COLOR is None:
    axes.scatter(*places.T, s=9, color="#0072B2")
elif rows[COLOR].dtype.is_numeric():
    shown = axes.scatter(*places.T, s=9, c=rows[COLOR].to_numpy(), cmap="viridis")
    fig.colorbar(shown, label=COLOR)
else:
    palette = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#332288", "#882255", "#222222"]
    values = rows[COLOR].cast(pl.String).fill_null("none")
    for i, value in enumerate(values.unique().sort()[:7]):
        axes.scatter(*places[(values == value).to_numpy()].T, s=9, color=palette[i], label=value)
    axes.legend(title=COLOR, frameon=False)
axes.set(title=POINT, xlabel=f"PC 1 ({share[0]:.0%} of the variance)", ylabel=f"PC 2 ({share[1]:.0%})")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
