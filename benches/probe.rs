//! One layer of 4,000 training and 1,000 test rows of 384 correlated features: a binary probe with its controls and intervals.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench may fail, and criterion's macros document nothing"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use plumb::analysis::matrix::Matrix;
use plumb::analysis::probe::{Kind, Labels, Lambda, SweepParams, probe_layer};
use plumb::text::split::Split;
use rand::{Rng, SeedableRng};

const ROWS: usize = 5000;
const WIDTH: usize = 384;
const FACTORS: usize = 30;

/// Features that share a few factors, as activations do.
fn layer(rng: &mut impl Rng) -> Matrix {
    let mut noise = |rows: usize, cols: usize| {
        let values = (0..rows * cols).map(|_| rng.random_range(-1.0..1.0));
        Matrix::new(rows, cols, values.collect()).unwrap()
    };
    let shared = noise(ROWS, FACTORS).times(&noise(FACTORS, WIDTH)).unwrap();
    let own = noise(ROWS, WIDTH);
    let values = shared.as_slice().iter().zip(own.as_slice());
    Matrix::new(ROWS, WIDTH, values.map(|(s, o)| s + 0.3 * o).collect()).unwrap()
}

fn probe(c: &mut Criterion) {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let x = layer(&mut rng);
    let labels = Labels::Classes {
        column: "label".to_owned(),
        names: vec!["no".to_owned(), "yes".to_owned()],
        of_row: (0..ROWS)
            .map(|row| usize::from(x.at(row, 0) + rng.random_range(-2.0..2.0) > 0.0))
            .collect(),
    };
    let split = Split {
        train: (0..4000).collect(),
        test: (4000..ROWS).collect(),
        left_out: Vec::new(),
    };
    let mut group = c.benchmark_group("probe_layer");
    group.sample_size(10);
    let chosen = SweepParams::new(Kind::Logistic);
    let fixed = SweepParams {
        lambda: Lambda::Fixed(0.01),
        ..chosen.clone()
    };
    for (name, params) in [("fixed_lambda", fixed), ("chosen_lambda", chosen)] {
        group.bench_function(name, |b| {
            b.iter(|| probe_layer("p", &x, &labels, &split, None, &params).unwrap())
        });
    }
    group.finish();
}

criterion_group!(benches, probe);
criterion_main!(benches);
