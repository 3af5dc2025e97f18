# The run, as `plumb extract` wrote it; every shard is checked against the manifest's hash.
import hashlib
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

run = Path(RUN)
manifest = json.loads((run / "manifest.json").read_text())
for shard in manifest["shards"]:
    found = hashlib.sha256((run / shard["file"]).read_bytes()).hexdigest()
    assert found == shard["sha256"], f"{shard['file']} is not what the manifest says"
points = [point["name"] for point in manifest["plan"]["points"]]
columns = manifest["plan"]["data"]["columns"]
rows = pl.read_parquet([run / shard["file"] for shard in manifest["shards"]], columns=columns)


def vectors(point):
    """The vectors of a hook point, `[rows, width]`, read alone: Parquet keeps columns apart."""
    column = pl.read_parquet([run / shard["file"] for shard in manifest["shards"]], columns=[point])
    return column[point].to_numpy().astype(np.float32)


print(f"{len(rows)} rows, {len(points)} hook points")
rows.head()
