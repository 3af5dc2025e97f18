//! Probes of real activations against scikit-learn on the hidden states of transformers.

use crate::support::{minilm, plumb_ok, shared};

#[test]
fn sentiment_in_minilm_is_what_scikit_learn_finds() {
    let Some((shared, model)) = shared().zip(minilm()) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let data = shared.join("datasets/sst/sst.tsv");
    let said = plumb_ok(
        desk,
        &format!(
            "extract --model {} --data {} --text-column text --pool mean --out run",
            model.display(),
            data.display()
        ),
    );
    assert!(said.contains("4,870 examples"), "{said}");
    let text = std::fs::read_to_string(shared.join("golden-real/minilm-sst.json")).unwrap();
    let reference: serde_json::Value = serde_json::from_str(&text).unwrap();
    for lambda in ["0.001", "0.01", "0.1"] {
        let result = plumb_ok(
            desk,
            &format!("probe run --label label --split-column split --lambda {lambda} --json"),
        );
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        let layers = result["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 7);
        assert_eq!(result["split"]["test"], reference["n_test"]);
        for (ours, theirs) in layers
            .iter()
            .zip(reference["lambda"][lambda].as_array().unwrap())
        {
            let metric = |name: &str| ours["metrics"][name]["value"].as_f64().unwrap();
            for name in ["accuracy", "balanced_accuracy"] {
                let difference = metric(name) - theirs[name].as_f64().unwrap();
                assert!(
                    difference.abs() <= 0.01,
                    "λ {lambda}, {}: {name} differs by {difference:.4}",
                    ours["hook_point"]
                );
            }
            assert_eq!(ours["convergence"]["status"], "converged");
            assert_eq!(ours["controls"]["majority"], reference["majority_test"]);
            let shuffled = ours["controls"]["shuffled"].as_f64().unwrap();
            assert!((shuffled - 0.5).abs() < 0.06, "{shuffled}");
        }
    }
}
