//! Our side of benches/peers/bench_probe.py: probes layers of a safetensors file and prints, as JSON, seconds, folds and scores.
#![allow(
    clippy::unwrap_used,
    reason = "an example for measuring may fail on a wrong file"
)]

use plumb::analysis::matrix::Matrix;
use plumb::analysis::probe::{Kind, Labels, Lambda, Probing, SweepParams};
use plumb::text::split::{Split, folds};
use safetensors::SafeTensors;
use std::time::Instant;

fn main() {
    let mut args = std::env::args().skip(1);
    let file = std::fs::read(args.next().unwrap()).unwrap();
    let shuffles: usize = args.next().unwrap().parse().unwrap();
    let grid: Vec<f64> = args.map(|lambda| lambda.parse().unwrap()).collect();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let read = |name: &str| {
        let tensor = tensors.tensor(name).unwrap();
        let (chunks, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = chunks.iter().map(|c| f32::from_le_bytes(*c)).collect();
        (tensor.shape().to_vec(), values)
    };
    let (_, labels) = read("labels");
    let of_row: Vec<usize> = labels.iter().map(|label| *label as usize).collect();
    let train = read("train_rows").1[0] as usize;
    let split = Split {
        train: (0..train).collect(),
        test: (train..of_row.len()).collect(),
        left_out: Vec::new(),
    };
    let params = SweepParams {
        lambda: Lambda::Choose { grid, folds: 5 },
        shuffles,
        codelength: false,
        bootstrap: 0,
        ..SweepParams::new(Kind::Logistic)
    };
    let folds = folds(&of_row[..train], None, 5, params.seed).unwrap();
    let labels = Labels::Classes {
        column: "label".to_owned(),
        names: vec!["no".to_owned(), "yes".to_owned()],
        of_row,
    };
    let probing = Probing::new(&labels, &split, &params);
    let mut layers = Vec::new();
    let (mut seconds, mut count) = (0.0, 0);
    while tensors.tensor(&format!("layer{count}")).is_ok() {
        let (shape, values) = read(&format!("layer{count}"));
        let start = Instant::now();
        let x = Matrix::from_f32(shape[0], shape[1], &values).unwrap();
        let found = probing.layer("layer", &x).unwrap();
        seconds += start.elapsed().as_secs_f64();
        layers.push(serde_json::json!({
            "lambda": found.lambda,
            "inner": found.inner_score,
            "accuracy": found.metrics.get("accuracy").unwrap().value,
            "log_loss": found.metrics.get("log_loss").unwrap().value,
            "shuffled": found.controls.shuffled,
            "convergence": found.convergence,
            "warnings": found.warnings,
        }));
        count += 1;
    }
    let result = serde_json::json!({"seconds": seconds, "folds": folds, "layers": layers});
    println!("{result}");
}
