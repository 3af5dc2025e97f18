//! Data sets: CSV, TSV, JSONL and Parquet files as named columns.
