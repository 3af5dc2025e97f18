"""Encodings of vectors in Parquet: bytes, MB/s written and read, and who reads them.

    python benches/encodings.py RUN [SHARD]

takes the vectors of one shard of a run, writes them in each encoding with pyarrow, reads them back with pyarrow, polars and DuckDB, and
compares every number. One thread; processor time, system calls included, of the best of five rounds, the encodings in turn. MB are
those of the f32 vectors.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

pa.set_cpu_count(1)

ENCODINGS = {
    "f32 plain": dict(compression="none"),
    "f32 zstd-1": dict(compression="zstd", compression_level=1),
    "f32 BYTE_STREAM_SPLIT + zstd-1": dict(compression="zstd", compression_level=1, split=True),
    "f16 plain": dict(compression="none", half=True),
    "f16 zstd-1": dict(compression="zstd", compression_level=1, half=True),
}


def vectors(run: Path, shard: int) -> pa.Table:
    table = pq.read_table(run / f"shard-{shard:05}.parquet", use_threads=False)
    return table.select([f.name for f in table.schema if pa.types.is_fixed_size_list(f.type)]).combine_chunks()


def halved(table: pa.Table) -> pa.Table:
    columns = []
    for column in table.columns:
        array = column.chunk(0)
        flat = pa.array(array.flatten().to_numpy().astype(np.float16))
        columns.append(pa.FixedSizeListArray.from_arrays(flat, array.type.list_size))
    return pa.table(columns, names=table.column_names)


def write(table: pa.Table, path: Path, compression, compression_level=None, split=False, half=False):
    pq.write_table(table, path, compression=compression, compression_level=compression_level, use_dictionary=False,
                   use_byte_stream_split=split, write_statistics=False, row_group_size=1560)


def numbers(column) -> np.ndarray:
    return np.asarray(column, dtype=np.float32).ravel()


def with_pyarrow(path: Path, name: str):
    column = pq.read_table(path, columns=[name], use_threads=False).column(name).combine_chunks()
    column = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    return numbers(column.flatten().to_numpy(zero_copy_only=False))


def with_polars(path: Path, name: str):
    return numbers(pl.read_parquet(path, columns=[name])[name].explode().to_numpy())


def with_duckdb(path: Path, name: str):
    found = duckdb.sql(f"select unnest(\"{name}\") as v from read_parquet('{path}')").fetchnumpy()["v"]
    return numbers(found)


def main():
    run, shard = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    table = vectors(run, shard)
    half = halved(table)
    raw = table.nbytes / 1e6
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / f"{i}.parquet" for i, name in enumerate(ENCODINGS)}
        wrote, read = {}, {}
        for _ in range(5):
            for name, how in ENCODINGS.items():
                begin = time.process_time()
                write(half if how.get("half") else table, paths[name], **how)
                wrote[name] = min(wrote.get(name, 1e9), time.process_time() - begin)
                begin = time.process_time()
                pq.read_table(paths[name], use_threads=False)
                read[name] = min(read.get(name, 1e9), time.process_time() - begin)
        print(f"{raw:.0f} MB of vectors, {len(table.column_names)} hook points, {table.num_rows} rows")
        print("| encoding | size | MB/s written | MB/s read | pyarrow | polars | DuckDB |\n|---|---|---|---|---|---|---|")
        for name, how in ENCODINGS.items():
            column = table.column_names[-1]
            exact = numbers((half if how.get("half") else table).column(column).combine_chunks().flatten().to_numpy())
            readers = []
            for reader in (with_pyarrow, with_polars, with_duckdb):
                try:
                    readers.append("yes" if np.array_equal(reader(paths[name], column), exact) else "other numbers")
                except Exception as error:  # whatever a reader says is its answer
                    readers.append("no: " + str(error).splitlines()[0][:60])
            size = paths[name].stat().st_size / 1e6 / raw
            print(f"| {name} | {size:.0%} | {raw / wrote[name]:.0f} | {raw / read[name]:.0f} | {' | '.join(readers)} |")


if __name__ == "__main__":
    main()
