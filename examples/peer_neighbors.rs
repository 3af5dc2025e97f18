//! Our side of `benches/peers/bench_neighbors.py`: exact search and the index on vectors of a .npy file, timed; JSON on standard output.
//!
//!     peer_neighbors exact DATA.npy QUERIES.npy K
//!     peer_neighbors hnsw DATA.npy QUERIES.npy K M EF_CONSTRUCTION EF,EF,…
//!
//! RAYON_NUM_THREADS says on how many threads.

use plumb::analysis::neighbors::hnsw::{Hnsw, Params};
use plumb::analysis::neighbors::{Correction, Metric, Neighbor, Query, Rows, Space, nearest};
use plumb::store::FileVectors;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [how, data, queries, k, rest @ ..] = args.as_slice() else {
        return Err("usage: exact|hnsw DATA.npy QUERIES.npy K …".into());
    };
    let (data, queries) = (read(data)?, read(queries)?);
    let k: usize = k.parse()?;
    let begin = Instant::now();
    let space = Space::new(&data, Metric::Cosine, Correction::None, 0)?;
    let prepared = begin.elapsed().as_secs_f64();
    let queries = (0..queries.rows()).map(|i| space.query(queries.row(i)));
    let queries: Vec<Query> = queries.collect::<Result<_, _>>()?;
    let said = match (how.as_str(), rest) {
        ("exact", []) => {
            let (seconds, found) = timed(|| nearest(&space, &queries, k, &[]))?;
            json!({"seconds": seconds, "neighbors": given(&space, &found)})
        }
        ("hnsw", [m, ef_construction, widths]) => {
            let params = Params {
                m: m.parse()?,
                ef_construction: ef_construction.parse()?,
                seed: 0,
            };
            let begin = Instant::now();
            let index = Hnsw::build(&space, params)?;
            let built = begin.elapsed().as_secs_f64();
            let searches = widths.split(',').map(|ef| -> Result<Value, Failure> {
                let ef: usize = ef.parse()?;
                let (seconds, found) = timed(|| index.nearest(&space, &queries, k, ef))?;
                Ok(json!({"ef": ef, "seconds": seconds, "neighbors": given(&space, &found)}))
            });
            let searches = searches.collect::<Result<Vec<_>, _>>()?;
            json!({"prepared": prepared, "built": built, "searches": searches})
        }
        _ => return Err("usage: exact|hnsw DATA.npy QUERIES.npy K …".into()),
    };
    println!("{said}");
    Ok(())
}

fn read(path: &str) -> Result<Rows, Failure> {
    let file = FileVectors::read(Path::new(path), None)?;
    Ok(Rows::new(file.width, file.values)?)
}

/// The best of three runs.
fn timed<T, E>(mut work: impl FnMut() -> Result<T, E>) -> Result<(f64, T), E> {
    let mut best = f64::INFINITY;
    let mut last = None;
    for _ in 0..3 {
        let begin = Instant::now();
        let found = work()?;
        best = best.min(begin.elapsed().as_secs_f64());
        last = Some(found);
    }
    match last {
        Some(found) => Ok((best, found)),
        None => work().map(|found| (best, found)),
    }
}

/// Rows as they were given, for each query.
fn given(space: &Space, found: &[Vec<Neighbor>]) -> Vec<Vec<u32>> {
    let row = |n: &Neighbor| space.members(n.row as usize)[0];
    found.iter().map(|f| f.iter().map(row).collect()).collect()
}
