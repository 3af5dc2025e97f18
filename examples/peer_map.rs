//! A UMAP of a `.npy` matrix, timed: what `benches/peers/bench_map.py` compares with umap-learn.
//!
//!     cargo run --release --example peer_map -- x.npy y.npy
//!
//! Prints the seconds of the map alone, of its parts, and of the map with its quality.

use plumb::analysis::neighbors::{Correction, Metric, Rows, Space};
use plumb::analysis::reduce::{Graph, MapParams, Method, Pca, Umap, UmapParams, draw};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return Err("usage: peer_map x.npy y.npy".into());
    };
    let rows = read(&std::fs::read(from)?)?;
    let start = Instant::now();
    let mut parts = serde_json::Map::new();
    let mut last = start;
    let mut part = |name: &str| {
        parts.insert(name.to_owned(), last.elapsed().as_secs_f64().into());
        last = Instant::now();
    };
    let space = Space::new(&rows, Metric::Euclid, Correction::None, 0)?;
    part("rows");
    let graph = Graph::of(&space, 15)?;
    part("neighbours");
    let plane = Pca::fit(space.vectors(), 2)?.project(space.vectors())?;
    let plane: Vec<[f32; 2]> = (0..plane.rows())
        .map(|r| [plane.row(r)[0], plane.row(r)[1]])
        .collect();
    part("components");
    let umap = Umap::new(&graph, UmapParams::default())?;
    part("weights");
    let places = umap.map(&plane, 0)?;
    part("layout");
    let seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let params = MapParams {
        seeds: 1,
        ..MapParams::new(Method::Umap)
    };
    let map = draw(&rows, &params, None)?;
    let checked = start.elapsed().as_secs_f64();
    std::fs::write(to, written(&places))?;
    println!(
        "{}",
        serde_json::json!({"seconds": seconds, "checked_seconds": checked, "parts": parts, "quality": map.quality})
    );
    Ok(())
}

/// A matrix of little-endian `f32` in C order, which is what the bench writes.
fn read(bytes: &[u8]) -> Result<Rows, Box<dyn std::error::Error>> {
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + length])?;
    if !header.contains("'<f4'") || !header.contains("'fortran_order': False") {
        return Err(format!("not rows of f32: {header}").into());
    }
    let shape = header.split('(').nth(1).and_then(|s| s.split(')').next());
    let cols = shape.and_then(|s| s.split(',').nth(1)).ok_or("no shape")?;
    let numbers = bytes[10 + length..].chunks_exact(4);
    let numbers = numbers.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    Ok(Rows::new(cols.trim().parse()?, numbers.collect())?)
}

fn written(places: &[[f32; 2]]) -> Vec<u8> {
    let mut header = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 2), }}",
        places.len()
    );
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(places.iter().flatten().flat_map(|v| v.to_le_bytes()));
    bytes
}
