//! Our side of `benches/peers/bench_pca.py`: the principal components of the rows of a .npy file, timed; JSON on standard output.
//!
//!     peer_pca DATA.npy COMPONENTS RUNS

use plumb::analysis::neighbors::Rows;
use plumb::analysis::reduce::Pca;
use plumb::store::FileVectors;
use serde_json::json;
use std::path::Path;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [data, components, runs] = args.as_slice() else {
        return Err("usage: peer_pca DATA.npy COMPONENTS RUNS".into());
    };
    let file = FileVectors::read(Path::new(data), None)?;
    let rows = Rows::new(file.width, file.values)?;
    let components: usize = components.parse()?;
    let mut seconds = Vec::new();
    let (mut fits, mut last) = (Vec::new(), None);
    for _ in 0..runs.parse::<usize>()?.max(1) {
        let begin = Instant::now();
        let pca = Pca::fit(&rows, components)?;
        fits.push(begin.elapsed().as_secs_f64());
        let projected = pca.project(&rows)?;
        seconds.push(begin.elapsed().as_secs_f64());
        last = Some((pca, projected.row(0).to_vec()));
    }
    if let Some((pca, first)) = last {
        let directions: Vec<&[f64]> = (0..pca.components.rows())
            .map(|i| pca.components.row(i))
            .collect();
        println!(
            "{}",
            json!({"seconds": seconds, "fit_seconds": fits, "share": pca.share, "variance": pca.variance, "components": directions, "first": first})
        );
    }
    Ok(())
}
