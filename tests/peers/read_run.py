#!/usr/bin/env python3
"""Reads a run with pyarrow, polars and DuckDB and compares every value with what plumb read (a JSON file).

    python tests/peers/read_run.py RUN expected.json
"""
import json
import sys
from pathlib import Path

import duckdb
import numpy as np
import polars
import pyarrow.parquet


def with_pyarrow(shards):
    table = pyarrow.parquet.ParquetDataset(shards).read()
    return {name: table[name].to_pylist() for name in table.column_names}


def with_polars(shards):
    return polars.concat([polars.read_parquet(s) for s in shards]).to_dict(as_series=False)


def with_duckdb(shards):
    cursor = duckdb.execute("select * from read_parquet($1)", [shards])
    names = [d[0] for d in cursor.description]
    return dict(zip(names, zip(*cursor.fetchall())))


def main():
    run, expected = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    shards = sorted(str(p) for p in run.glob("shard-*.parquet"))
    manifest = json.loads((run / "manifest.json").read_text())
    tokens = manifest["plan"]["pool"] == "none"
    for name, read in [("pyarrow", with_pyarrow), ("polars", with_polars), ("duckdb", with_duckdb)]:
        table = read(shards)
        names = ["example"]
        if tokens:
            names += ["position", "token_id", "token", "char_start", "char_end", "special"]
        names += manifest["plan"]["data"]["columns"] + [p["name"] for p in manifest["plan"]["points"]]
        assert list(table) == names, (name, list(table), names)
        assert list(table["example"]) == expected["example"], name
        assert list(table["stars"]) == expected["stars"], name
        for point, values in expected["points"].items():
            ours = np.array(values, dtype=np.float32)
            theirs = np.array(table[point], dtype=np.float32).ravel()
            assert theirs.shape == ours.shape and (theirs == ours).all(), (name, point)
        if tokens:
            texts = table["text"]
            for i in range(len(texts)):
                assert table["special"][i] == (table["token"][i] in ("[CLS]", "[SEP]")), (name, i)
                if table["special"][i]:
                    assert table["char_start"][i] is None, (name, i)
                else:
                    span = texts[i][table["char_start"][i] : table["char_end"][i]]
                    assert span.lower() == table["token"][i], (name, i, span)
        print(f"{name}: {expected['rows']} rows, {len(names)} columns")


if __name__ == "__main__":
    main()
