//! A run is plain Parquet: pyarrow, polars and DuckDB read the same values as plumb.

use crate::support::{plumb_ok, python, reviews, tiny_model};
use std::path::Path;

#[test]
fn pyarrow_polars_and_duckdb_read_the_values_that_plumb_reads() {
    let Some(python) = python(&["pyarrow", "polars", "duckdb"]) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    tiny_model(&desk.join("bert"), "bert");
    std::fs::write(desk.join("reviews.csv"), reviews()).unwrap();
    for (out, pool) in [("tokens", "none"), ("pooled", "mean")] {
        plumb_ok(
            desk,
            &format!("extract --model bert --data reviews.csv --pool {pool} --out {out}"),
        );
        // What plumb reads, as JSON, for the script to compare with.
        let run = plumb::store::Run::open(&desk.join(out)).unwrap();
        let points: serde_json::Map<String, serde_json::Value> = run
            .point_names()
            .into_iter()
            .map(|p| (p.clone(), run.vectors(&p).unwrap().values.into()))
            .collect();
        let stars = match run.column("stars").unwrap() {
            plumb::text::dataset::Values::Number(v) => v,
            other => panic!("stars are numbers: {other:?}"),
        };
        let expected = serde_json::json!({
            "rows": run.rows(), "example": run.examples().unwrap(), "stars": stars, "points": points,
        });
        std::fs::write(desk.join("expected.json"), expected.to_string()).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/read_run.py");
        let output = std::process::Command::new(&python)
            .arg(script)
            .arg(desk.join(out))
            .arg(desk.join("expected.json"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let failed = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{out}: {said}{failed}");
        assert_eq!(said.lines().count(), 3, "three readers: {said}");
    }
}
