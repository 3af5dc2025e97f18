//! Agreement of the closed-form kinds with scikit-learn and NumPy (tests/peers/make_kind_reference.py), and what the other kinds must do.

use super::{Companions, Kind, Labels, Lambda, LayerResult, SweepParams, probe_layer_with};
use crate::analysis::matrix::Matrix;
use crate::text::split::Split;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

fn indices(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_u64().unwrap() as usize)
        .collect()
}

fn classes(of_row: Vec<usize>) -> Labels {
    let count = of_row.iter().max().unwrap() + 1;
    Labels::Classes {
        column: "label".to_owned(),
        names: (0..count).map(|k| format!("class {k}")).collect(),
        of_row,
    }
}

fn params(kind: Kind, lambda: f64) -> SweepParams {
    SweepParams {
        lambda: Lambda::Fixed(lambda),
        shuffles: 3,
        bootstrap: 0,
        ..SweepParams::new(kind)
    }
}

fn split(n: usize, train: usize) -> Split {
    Split {
        train: (0..train).collect(),
        test: (train..n).collect(),
        left_out: vec![],
    }
}

fn accuracy(result: &LayerResult) -> f64 {
    result.metrics.get("accuracy").unwrap().value
}

#[test]
fn closed_form_kinds_score_as_scikit_learn_and_numpy_do() {
    let text = include_str!("../../../tests/peers/kind-reference.json");
    let reference: Value = serde_json::from_str(text).unwrap();
    let lambda = reference["lambda"].as_f64().unwrap();
    for case in reference["cases"].as_array().unwrap() {
        let (d, y) = (case["d"].as_u64().unwrap() as usize, indices(&case["y"]));
        let x = Matrix::new(y.len(), d, floats(&case["x"])).unwrap();
        let train = case["n_train"].as_u64().unwrap() as usize;
        let split = split(y.len(), train);
        let companions = Companions {
            pairs: Some(indices(&case["pairs"])),
            polarity: None,
        };
        for kind in [Kind::Lda, Kind::MassMean, Kind::MassMeanWhitened, Kind::Lat] {
            let Some(theirs) = case.get(kind.name()).map(floats) else {
                continue;
            };
            let params = params(kind, lambda);
            let labels = classes(y.clone());
            let result =
                probe_layer_with("p", &x, &labels, &split, None, &companions, &params).unwrap();
            let readout = result.readout.unwrap();
            let ours = readout.decisions(&x.select(&split.test)).unwrap();
            let size = theirs.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            // LAT's components are found in f32 products.
            let bar = if kind == Kind::Lat { 1e-4 } else { 1e-9 };
            // Softmax scores count up to what all classes share.
            let shared = |values: &[f64], row: usize, k: usize| {
                let own = &values[row * ours.cols()..(row + 1) * ours.cols()];
                match ours.cols() {
                    1 => own[0],
                    n => own[k] - own.iter().sum::<f64>() / n as f64,
                }
            };
            for row in 0..ours.rows() {
                for k in 0..ours.cols() {
                    let (a, b) = (shared(ours.as_slice(), row, k), shared(&theirs, row, k));
                    assert!(
                        (a - b).abs() <= bar * size,
                        "{} row {row}: {a} {b}",
                        kind.name()
                    );
                }
            }
            if kind == Kind::Lat {
                let direction = readout.direction(0).unwrap();
                let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
                for (a, b) in direction.iter().zip(floats(&case["lat_direction"])) {
                    assert!((a / length - b).abs() < 1e-4, "{a} {b}");
                }
            }
        }
    }
}

/// Statements and their contraries: truth along the first coordinate, polarity along the second, what is true of affirmatives alone along the
/// third, and noise.
struct World {
    x: Matrix,
    truth: Vec<usize>,
    companions: Companions,
}

fn world(n: usize, d: usize) -> World {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let truth: Vec<usize> = (0..n).map(|row| (row / 2 + row) % 2).collect();
    let sign = |b: usize| if b == 1 { 1.0 } else { -1.0 };
    let x = Matrix::from_fn(n, d, |row, j| {
        let noise: f64 = rng.random_range(-1.0..1.0);
        let (t, p) = (sign(truth[row]), sign(row % 2));
        match j {
            0 => 1.5 * t + noise,
            1 => 6.0 * p + noise,
            2 => 1.5 * t * p + noise,
            _ => noise,
        }
    });
    World {
        x,
        truth,
        companions: Companions {
            pairs: Some((0..n).map(|row| row / 2).collect()),
            polarity: Some((0..n).map(|row| row % 2).collect()),
        },
    }
}

fn run(world: &World, kind: Kind) -> LayerResult {
    let n = world.x.rows();
    let split = split(n, 3 * n / 4);
    let groups = world.companions.pairs.clone().unwrap();
    let labels = classes(world.truth.clone());
    let params = params(kind, 0.01);
    probe_layer_with(
        "p",
        &world.x,
        &labels,
        &split,
        Some(&groups),
        &world.companions,
        &params,
    )
    .unwrap()
}

#[test]
fn ccs_finds_truth_without_labels_and_shows_its_starts() {
    let result = run(&world(600, 8), Kind::Ccs);
    assert!(accuracy(&result) > 0.85, "{:?}", result.metrics);
    let starts = result.starts.unwrap();
    assert_eq!(starts.len(), 10);
    assert_eq!(starts[0], accuracy_of(&result.metrics));
    let direction = result.readout.unwrap().direction(0).unwrap();
    // Not along the sides, although they lie farthest apart.
    assert!(
        direction[1].abs() < 0.3 * direction[0].abs(),
        "{direction:?}"
    );
}

fn accuracy_of(metrics: &super::Metrics) -> f64 {
    metrics.get("accuracy").unwrap().value
}

#[test]
fn ttpd_reads_denials_where_affirmatives_alone_would_mislead() {
    let result = run(&world(600, 8), Kind::Ttpd);
    assert!(accuracy(&result) > 0.85, "{:?}", result.metrics);
    let direction = result.readout.unwrap().direction(0).unwrap();
    assert!(
        direction[2].abs() < 0.2 * direction[0].abs(),
        "{direction:?}"
    );
}

#[test]
fn a_k_sparse_probe_uses_k_coordinates_and_finds_those_that_tell() {
    let world = world(600, 30);
    let labels = classes(world.truth.clone());
    let params = SweepParams {
        k: 1,
        ..params(Kind::KSparse, 0.01)
    };
    let none = Companions::default();
    let result = probe_layer_with(
        "p",
        &world.x,
        &labels,
        &split(600, 400),
        None,
        &none,
        &params,
    )
    .unwrap();
    let direction = result.readout.as_ref().unwrap().direction(0).unwrap();
    let used: Vec<usize> = (0..30).filter(|j| direction[*j] != 0.0).collect();
    assert_eq!(used, [0]);
    assert!(accuracy(&result) > 0.85);
}

#[test]
fn one_hidden_layer_reads_what_no_line_does() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let x = Matrix::from_fn(1200, 6, |_, _| rng.random_range(-1.0..1.0));
    let of_row = (0..1200)
        .map(|i| usize::from(x.at(i, 0) * x.at(i, 1) > 0.0))
        .collect();
    let labels = classes(of_row);
    let probe = |kind| {
        let params = params(kind, 1e-4);
        probe_layer_with(
            "p",
            &x,
            &labels,
            &split(1200, 900),
            None,
            &Companions::default(),
            &params,
        )
        .unwrap()
    };
    let (net, line) = (probe(Kind::Mlp), probe(Kind::Lda));
    assert!(
        accuracy(&net) > 0.9 && accuracy(&line) < 0.6,
        "{} {}",
        accuracy(&net),
        accuracy(&line)
    );
    assert!(net.readout.is_none() && net.controls.shuffled.unwrap() < 0.62);
    assert_eq!(net, probe(Kind::Mlp), "one seed, one net");
}

#[test]
fn every_kind_is_at_chance_on_noise() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let x = Matrix::from_fn(800, 10, |_, _| rng.random_range(-1.0..1.0));
    let truth = (0..800).map(|_| rng.random_range(0..2)).collect();
    let World { companions, .. } = world(800, 4);
    let noise = World {
        x,
        truth,
        companions,
    };
    for kind in [
        Kind::Lda,
        Kind::MassMean,
        Kind::MassMeanWhitened,
        Kind::Lat,
        Kind::Ccs,
        Kind::Ttpd,
        Kind::KSparse,
        Kind::Mlp,
    ] {
        let result = run(&noise, kind);
        let shuffled = result.controls.shuffled.unwrap();
        assert!(
            (accuracy(&result) - 0.5).abs() < 0.1,
            "{}: {}",
            kind.name(),
            accuracy(&result)
        );
        assert!((shuffled - 0.5).abs() < 0.1, "{}: {shuffled}", kind.name());
    }
}

#[test]
fn a_kind_without_what_it_needs_says_what_is_missing() {
    let world = world(100, 4);
    let labels = classes(world.truth.clone());
    let refused = |labels: &Labels, kind: Kind| {
        let none = Companions::default();
        let result = probe_layer_with(
            "p",
            &world.x,
            labels,
            &split(100, 80),
            None,
            &none,
            &params(kind, 0.1),
        );
        result.unwrap_err().to_string()
    };
    assert!(refused(&labels, Kind::Ccs).contains("--pair-column"));
    assert!(refused(&labels, Kind::Ttpd).contains("--polarity-column"));
    let three = classes((0..100).map(|i| i % 3).collect());
    assert!(refused(&three, Kind::Lat).contains("tells two classes apart"));
}
