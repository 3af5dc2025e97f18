//! Probes of real activations against scikit-learn on the hidden states of transformers.

use crate::support::{minilm, plumb_ok, shared};
use serde_json::Value;

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
    for (lambda, controls) in [
        ("0.001", "none"),
        ("0.01", "text-length,embedding"),
        ("0.1", "none"),
    ] {
        let result = plumb_ok(
            desk,
            &format!(
                "probe run --label label --split-column split --lambda {lambda} --controls {controls} --json"
            ),
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

#[test]
fn places_in_minilm_are_where_scikit_learn_finds_them() {
    let Some((shared, model)) = shared().zip(minilm()) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let data = shared.join("datasets/places/places.csv");
    plumb_ok(
        desk,
        &format!(
            "extract --model {} --data {} --text-column name --pool mean --out run",
            model.display(),
            data.display()
        ),
    );
    let text = std::fs::read_to_string(shared.join("golden-real/minilm-places.json")).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let n = reference["n_train"].as_f64().unwrap();
    for (alpha, rows) in reference["alpha"].as_object().unwrap() {
        let lambda = alpha.parse::<f64>().unwrap() / n;
        let result = plumb_ok(
            desk,
            &format!(
                "probe run --label latitude,longitude --kind ridge --split-column split --lambda {lambda} --controls none --json"
            ),
        );
        let result: Value = serde_json::from_str(&result).unwrap();
        assert_eq!(result["split"]["test"], reference["n_test"]);
        let layers = result["layers"].as_array().unwrap();
        for (ours, theirs) in layers.iter().zip(rows.as_array().unwrap()) {
            for target in ["latitude", "longitude"] {
                let r2 = ours["metrics"][format!("r2[{target}]")]["value"].as_f64();
                let difference = r2.unwrap() - theirs[format!("r2_{target}")].as_f64().unwrap();
                assert!(
                    difference.abs() <= 0.01,
                    "α {alpha}, {}: R² of {target} differs by {difference:.4}",
                    ours["hook_point"]
                );
            }
            let km = ours["metrics"]["great_circle_km_median"]["value"].as_f64();
            assert!((1000.0..6000.0).contains(&km.unwrap()), "{km:?}");
        }
    }
}

/// Statements of the built-in world; `copies` test rows repeat a training row in other letters.
fn planted(copies: usize) -> String {
    let cities = [
        "Arlem", "Borna", "Cadis", "Dovra", "Elmar", "Fenwick", "Galdo", "Hesper",
    ];
    let mut rows = vec!["text,label,split,source".to_owned()];
    let text = |row: usize| {
        let name = |k: usize| cities[(row / 8usize.pow(k as u32) + 3 * k) % 8];
        format!(
            "{} lies {row} miles north of {} and east of {}",
            name(0),
            name(1),
            name(2)
        )
    };
    for row in 0..120 {
        let split = if row < 90 { "train" } else { "test" };
        let copied = row >= 120 - copies;
        let source = if copied { row - 90 } else { row };
        let text = match copied {
            true => format!("{}!", text(source).to_uppercase()),
            false => text(row),
        };
        rows.push(format!(
            "{text},{},{split},s{source}",
            ["no", "yes"][source % 2]
        ));
    }
    rows.join("\n")
}

#[test]
fn a_planted_leak_is_reported_with_the_group_that_closes_it() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    for (copies, name) in [(0, "clean"), (12, "leaky")] {
        std::fs::write(desk.join(format!("{name}.csv")), planted(copies)).unwrap();
        plumb_ok(
            desk,
            &format!("extract --model builtin --data {name}.csv --pool mean --out {name}"),
        );
    }
    let probe = |run: &str, rest: &str| {
        let command = format!("probe {run} --label label --lambda 0.1 --shuffles 2 {rest}");
        plumb_ok(desk, &command)
    };
    let json = |run: &str, rest: &str| -> Value {
        serde_json::from_str(&probe(run, &format!("{rest} --json"))).unwrap()
    };
    let clean = json("clean", "--split-column split");
    assert_eq!(clean["audit"]["exact_duplicates"], 0);
    assert_eq!(
        clean["audit"]["leaks"].as_array().unwrap().len(),
        0,
        "{}",
        clean["audit"]
    );
    let leaky = json("leaky", "--split-column split");
    assert_eq!(leaky["audit"]["exact_duplicates"], 12);
    assert_eq!(leaky["audit"]["suggested_group"], "source");
    let item = |report: &Value| {
        let items = report["checklist"].as_array().unwrap().iter();
        let mut found = items.filter(|item| item["item"] == "no leak");
        found.next().unwrap()["ok"].as_bool().unwrap()
    };
    assert!(item(&clean) && !item(&leaky));
    let said = probe("leaky", "--split-column split --checklist");
    assert!(
        said.contains("leak: 12 of 30 test rows have the text of a training row; --group source would keep them together"),
        "{said}"
    );
    assert!(said.contains("✗  no leak"), "{said}");
    // The group that was suggested closes it.
    let closed = json("leaky", "--group source");
    assert_eq!(
        closed["audit"]["exact_duplicates"], 0,
        "{}",
        closed["audit"]
    );
}

#[test]
fn the_report_names_the_chosen_layer_and_every_control() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    std::fs::write(desk.join("rows.csv"), planted(0)).unwrap();
    plumb_ok(
        desk,
        "extract --model builtin --data rows.csv --pool mean --out run",
    );
    plumb_ok(
        desk,
        "probe run --label label --split-column split --entity source --out probe",
    );
    let text = std::fs::read_to_string(desk.join("probe/probe.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    let chosen = report["chosen_layer"]["hook_point"].as_str().unwrap();
    let layers = report["layers"].as_array().unwrap();
    let inner = |layer: &Value| layer["inner_score"].as_f64().unwrap();
    let best = layers.iter().map(inner).fold(0.0, f64::max);
    let layer = layers.iter().find(|l| l["hook_point"] == chosen).unwrap();
    assert_eq!(inner(layer), best);
    for control in ["majority", "shuffled", "text_length", "bag_of_words"] {
        assert!(layer["controls"][control].is_number(), "{control}: {layer}");
    }
    assert!(layers[1]["controls"]["embedding"].is_number());
    assert!(
        layers[0]["controls"]["embedding"].is_null(),
        "it is that layer"
    );
    for name in ["mcc", "auprc", "brier", "ece"] {
        assert!(layer["metrics"][name]["low"].is_number(), "{name}: {layer}");
    }
    assert!(layer["gain"]["over"].is_string() && layer["gain"]["low"].is_number());
    assert!(layer["codelength"]["bits"].as_f64().unwrap() > 0.0);
    let band = &report["simultaneous_band"]["layers"];
    assert_eq!(band.as_array().unwrap().len(), layers.len());
    assert!(report["checklist"].as_array().unwrap().len() >= 12);
    for chart in ["chart", "calibration", "confusion"] {
        assert!(desk.join(format!("probe/{chart}.svg")).is_file(), "{chart}");
    }
}
