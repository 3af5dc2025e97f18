//! Agreement with scikit-learn (tests/peers/make_probe_reference.py).

use super::*;
use crate::text::split::Split;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::PathBuf;

fn peer_file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(name);
    std::fs::read(path).unwrap()
}

/// One of scikit-learn's fits, beside ours.
struct Case<'a> {
    arrays: &'a SafeTensors<'a>,
    case: &'a Value,
}

impl Case<'_> {
    fn text(&self, field: &str) -> &str {
        self.case[field].as_str().unwrap()
    }

    fn n_train(&self) -> usize {
        self.case["n_train"].as_u64().unwrap() as usize
    }

    fn lambda(&self) -> f64 {
        self.case["lambda"].as_f64().unwrap()
    }

    fn array<const N: usize, T>(&self, name: &str, read: fn([u8; N]) -> T) -> (Vec<usize>, Vec<T>) {
        let view = self.arrays.tensor(name).unwrap();
        let (chunks, rest) = view.data().as_chunks::<N>();
        assert!(rest.is_empty());
        (
            view.shape().to_vec(),
            chunks.iter().map(|c| read(*c)).collect(),
        )
    }

    fn x(&self) -> Matrix {
        let (shape, data) = self.array(&format!("{}.x", self.text("name")), f32::from_le_bytes);
        Matrix::from_f32(shape[0], shape[1], &data).unwrap()
    }

    fn classes(&self) -> Vec<usize> {
        let (_, data) = self.array(&format!("{}.y", self.text("name")), i64::from_le_bytes);
        data.into_iter().map(|y| y as usize).collect()
    }

    fn targets(&self) -> Matrix {
        self.matrix(&format!("{}.y", self.text("name")))
    }

    fn matrix(&self, name: &str) -> Matrix {
        let (shape, data) = self.array(name, f64::from_le_bytes);
        Matrix::new(shape[0], shape[1], data).unwrap()
    }

    fn fitted(&self, what: &str) -> Matrix {
        self.matrix(&format!("{}.{what}", self.text("key")))
    }

    fn intercepts(&self) -> Vec<f64> {
        self.array(
            &format!("{}.intercepts", self.text("key")),
            f64::from_le_bytes,
        )
        .1
    }

    /// scikit-learn's weights, `[outputs, features]`, against ours, `[features, outputs]`.
    fn compare_weights(&self, ours: &Matrix, our_intercepts: &[f64], tolerance: f64) {
        let theirs = self.fitted("weights");
        let largest = theirs.as_slice().iter().fold(0f64, |m, w| m.max(w.abs()));
        for k in 0..theirs.rows() {
            for j in 0..theirs.cols() {
                let gap = (theirs.at(k, j) - ours.at(j, k)).abs() / largest;
                assert!(
                    gap < tolerance,
                    "{}: weight {k} {j} off by {gap:e}",
                    self.text("key")
                );
            }
        }
        for (theirs, ours) in self.intercepts().iter().zip(our_intercepts) {
            let gap = (theirs - ours).abs() / (1.0 + theirs.abs());
            assert!(
                gap < tolerance,
                "{}: intercept off by {gap:e}",
                self.text("key")
            );
        }
    }

    fn params(&self, kind: Kind) -> SweepParams {
        SweepParams {
            lambda: Lambda::Fixed(self.lambda()),
            tolerance: 1e-10,
            ..SweepParams::new(kind)
        }
    }

    fn split(&self, rows: usize) -> Split {
        Split {
            train: (0..self.n_train()).collect(),
            test: (self.n_train()..rows).collect(),
            left_out: vec![],
        }
    }

    fn compare_metrics(&self, labels: &Labels, kind: Kind) {
        let (x, params) = (self.x(), self.params(kind));
        let result =
            probe_layer("layer", &x, labels, &self.split(x.rows()), None, &params).unwrap();
        let theirs = self.case["metrics"].as_object().unwrap();
        let names: Vec<&str> = result.metrics.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), theirs.len(), "{names:?}");
        for (name, ours) in result.metrics.iter() {
            let gap = (theirs[name].as_f64().unwrap() - ours.value).abs();
            // The optimum is known to tolerance/λ, and what probabilities go into moves with it, unlike the others.
            let slack = match name {
                "log_loss" | "brier" | "ece" => 1e-11 / self.lambda(),
                _ => 0.0,
            };
            let bound = slack.max(1e-9) * ours.value.abs().max(1.0);
            assert!(gap < bound, "{}: {name} off by {gap:e}", self.text("key"));
            let (low, high) = (ours.low.unwrap(), ours.high.unwrap());
            // Resampling makes calibration look worse than it is.
            let inside = low <= ours.value + 1e-12 && ours.value <= high + 1e-12;
            assert!(low <= high && (inside || name == "ece"), "{name}");
        }
    }
}

fn each_case(kind: &str, check: impl Fn(&Case<'_>)) {
    let bytes = peer_file("probe-reference.safetensors");
    let arrays = SafeTensors::deserialize(&bytes).unwrap();
    let json: Value = serde_json::from_slice(&peer_file("probe-reference.json")).unwrap();
    let cases = json["cases"].as_array().unwrap();
    let of_kind: Vec<_> = cases.iter().filter(|case| case["kind"] == kind).collect();
    assert!(of_kind.len() >= 6);
    for case in of_kind {
        check(&Case {
            arrays: &arrays,
            case,
        });
    }
}

#[test]
fn logistic_weights_and_probabilities_are_scikit_learns() {
    each_case("logistic", |case| {
        let (x, y, n) = (case.x(), case.classes(), case.n_train());
        let train: Vec<usize> = (0..n).collect();
        let test: Vec<usize> = (n..x.rows()).collect();
        let params = LogisticParams {
            lambda: case.lambda(),
            tolerance: 1e-10,
            max_iterations: 1000,
        };
        let classes = y.iter().max().unwrap() + 1;
        let probe = params.check().unwrap();
        let probe = probe.fit(&x.select(&train), &y[..n], classes).unwrap();
        assert!(
            probe.convergence().is_converged(),
            "{:?}",
            probe.convergence()
        );
        case.compare_weights(
            probe.standardized_weights(),
            probe.standardized_intercepts(),
            1e-6,
        );
        let ours = probe.predict_proba(&x.select(&test)).unwrap();
        let theirs = case.fitted("proba");
        let gaps = ours
            .as_slice()
            .iter()
            .zip(theirs.as_slice())
            .map(|(a, b)| (a - b).abs());
        assert!(gaps.fold(0.0, f64::max) < 1e-6);
    });
}

#[test]
fn ridge_weights_and_predictions_are_scikit_learns() {
    each_case("ridge", |case| {
        let (x, y, n) = (case.x(), case.targets(), case.n_train());
        let train: Vec<usize> = (0..n).collect();
        let test: Vec<usize> = (n..x.rows()).collect();
        let params = RidgeParams {
            lambda: case.lambda(),
        };
        let probe = params.check().unwrap();
        let probe = probe.fit(&x.select(&train), &y.select(&train)).unwrap();
        case.compare_weights(
            probe.standardized_weights(),
            probe.standardized_intercepts(),
            1e-9,
        );
        let ours = probe.predict(&x.select(&test)).unwrap();
        let theirs = case.fitted("predicted");
        let gaps = ours.as_slice().iter().zip(theirs.as_slice());
        assert!(
            gaps.into_iter()
                .all(|(a, b)| (a - b).abs() < 1e-8 * (1.0 + b.abs()))
        );
    });
}

#[test]
fn the_metrics_of_a_layer_are_scikit_learns() {
    each_case("logistic", |case| {
        let labels = Labels::Classes {
            column: "y".to_owned(),
            names: (0..4).map(|k| k.to_string()).collect(),
            of_row: case.classes(),
        };
        case.compare_metrics(&labels, Kind::Logistic);
    });
    each_case("ridge", |case| {
        let y = case.targets();
        let labels = Labels::Numbers {
            names: (0..y.cols()).map(|k| k.to_string()).collect(),
            values: (0..y.cols()).map(|k| y.col(k)).collect(),
        };
        case.compare_metrics(&labels, Kind::Ridge);
    });
}
