//! What is done with trained probes: files, scores of new texts, kinds beside each other, transfer, recipes.

use crate::support::{desk, json, plumb, plumb_ok, plumb_refuses};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A desk with a run and the probe of its label.
fn probed(pool: &str) -> tempfile::TempDir {
    let desk = desk();
    plumb_ok(
        desk.path(),
        &format!("extract --model bert --data reviews.csv --pool {pool} --out run --quiet"),
    );
    plumb_ok(
        desk.path(),
        "probe run --label label --split-column split --lambda 0.1 --shuffles 1 --controls none --out probe --quiet",
    );
    desk
}

#[test]
fn a_probe_scores_a_text_as_it_scored_the_run() {
    let desk = probed("mean");
    let desk = desk.path();
    let said = plumb_ok(
        desk,
        "score --probe probe/probes/blocks.1.resid_post.json --model bert --data reviews.csv --json --quiet",
    );
    let scores = json(&said);
    let report = json(&std::fs::read_to_string(desk.join("probe/probe.json")).unwrap());
    let layer = report["layers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|l| l["hook_point"] == "blocks.1.resid_post")
        .unwrap();
    let labels: Vec<String> = std::fs::read_to_string(desk.join("reviews.csv"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|l| l.split(',').nth(1).unwrap().to_owned())
        .collect();
    let test: Vec<usize> = (0..48).filter(|i| i % 12 >= 8).collect();
    let right = test
        .iter()
        .filter(|i| scores["texts"][**i]["class"] == labels[**i].as_str())
        .count();
    let accuracy = layer["metrics"]["accuracy"]["value"].as_f64().unwrap();
    assert!((right as f64 / test.len() as f64 - accuracy).abs() < 1e-9);
    let first = &scores["texts"][0];
    let p: Vec<f64> = ["negative", "positive"]
        .iter()
        .map(|c| first["scores"][c].as_f64().unwrap())
        .collect();
    assert!((p[0] + p[1] - 1.0).abs() < 1e-12);
    // [CLS], six words and a full stop, [SEP].
    assert_eq!(first["tokens"].as_array().unwrap().len(), 9);
    assert_eq!(first["tokens"][1]["span"], json("[0, 3]"));
    // The card says what is needed to use the probe elsewhere.
    let card =
        json(&std::fs::read_to_string(desk.join("probe/probes/blocks.1.resid_post.json")).unwrap());
    assert_eq!(card["metrics"]["accuracy"], layer["metrics"]["accuracy"]);
    assert_eq!(card["controls"]["majority"], layer["controls"]["majority"]);
    assert_eq!(
        (card["pool"].as_str(), card["rows"]["unit"].as_str()),
        (Some("mean"), Some("text"))
    );
    assert_eq!(
        card["model"]["weights_sha256"],
        report["source"]["weights_sha256"]
    );
    assert_eq!(card["data"][0][1], report["source"]["data_sha256"]);
}

#[test]
fn texts_come_from_the_command_line_from_files_and_from_standard_input() {
    let desk = probed("last");
    let desk = desk.path();
    let probe = "--probe probe/probes/final_norm.json";
    let probe = if desk.join("probe/probes/final_norm.json").is_file() {
        probe
    } else {
        "--probe probe/probes/blocks.0.resid_post"
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(format!("score {probe} --model bert --json --quiet").split(' '))
        .current_dir(desk)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"the film was good .\n\nthe day was bad .\n")
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let piped = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(piped["texts"].as_array().unwrap().len(), 2);
    let args = [
        "score",
        &probe[..7],
        &probe[8..],
        "--model",
        "bert",
        "--json",
        "--text",
        "the film was good .",
        "--text",
        "the day was bad .",
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(args)
        .current_dir(desk)
        .output()
        .unwrap();
    let typed = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!(typed["texts"], piped["texts"]);

    plumb_ok(
        desk,
        &format!("score {probe} --model bert --data reviews.csv --out scores --quiet"),
    );
    for file in [
        "score.json",
        "score.html",
        "chart.svg",
        "chart.png",
        "chart.parquet",
    ] {
        assert!(desk.join("scores").join(file).is_file(), "{file}");
    }
    let page = std::fs::read_to_string(desk.join("scores/score.html")).unwrap();
    assert!(
        page.contains("background:rgb(") && !page.contains("http"),
        "{page}"
    );
    plumb_ok(desk, "report scores --out report.html");
    let plain = plumb_ok(
        desk,
        &format!("score {probe} --model bert --data reviews.csv --quiet"),
    );
    assert!(
        plain.contains("film\t") && !plain.contains('\u{1b}'),
        "{plain}"
    );
}

#[test]
fn a_probe_is_used_on_its_own_model_or_not_at_all() {
    let desk = probed("mean");
    let desk = desk.path();
    let text = std::fs::write(desk.join("t.csv"), "text\nthe film\n");
    text.unwrap();
    let score = "score --data t.csv --quiet --model";
    let said = plumb_refuses(
        desk,
        &format!("{score} llama --probe probe/probes/blocks.0.resid_post.json"),
    );
    assert!(said.contains("trained on another model"), "{said}");
    let said = plumb_refuses(desk, &format!("{score} bert --probe probe/probes"));
    assert!(said.contains("this is a folder"), "{said}");
    let said = plumb_refuses(desk, &format!("{score} bert --probe probe/probe.json"));
    assert!(said.contains("not the card of a probe"), "{said}");
    plumb_refuses(desk, &format!("{score} bert --probe nowhere.json"));
    std::fs::write(desk.join("e.csv"), "text\n\" \"\n").unwrap();
    plumb_refuses(
        desk,
        "score --data e.csv --model bert --quiet --probe probe/probes/blocks.0.resid_post.json",
    );
}

#[test]
fn kinds_stand_beside_each_other_with_their_cosines() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool mean --out run --quiet",
    );
    let probe = "probe run --label label --split-column split --lambda 0.1 --shuffles 1 --controls none --quiet --json --out probe";
    let report = json(&plumb_ok(
        desk,
        &format!(
            "{probe} --kinds logistic,lda,mass-mean,mass-mean-whitened,lat,k-sparse,mlp --k 2 --learning-curve"
        ),
    ));
    let kinds: Vec<&str> = report["kinds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|k| k["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "lda",
            "mass-mean",
            "mass-mean-whitened",
            "lat",
            "k-sparse",
            "mlp"
        ]
    );
    let layers = report["layers"].as_array().unwrap().len();
    assert!(
        report["kinds"]
            .as_array()
            .unwrap()
            .iter()
            .all(|k| k["layers"].as_array().unwrap().len() == layers)
    );
    let cosines = &report["cosines"][0];
    assert_eq!(
        cosines["kinds"].as_array().unwrap().len(),
        6,
        "an MLP is no direction"
    );
    for i in 0..6 {
        assert!((cosines["values"][i][i].as_f64().unwrap() - 1.0).abs() < 1e-9);
        for j in 0..6 {
            assert_eq!(cosines["values"][i][j], cosines["values"][j][i]);
        }
    }
    // LDA and the whitened mean difference differ by the threshold alone, at one penalty.
    assert!(cosines["values"][1][3].as_f64().unwrap() > 0.999_999);
    for file in [
        "kinds.png",
        "cosines.svg",
        "learning_curve.parquet",
        "probes/blocks.0.resid_post.lat.json",
    ] {
        assert!(desk.join("probe").join(file).is_file(), "{file}");
    }
    assert!(
        !desk
            .join("probe/probes/blocks.0.resid_post.mlp.json")
            .exists()
    );
    let curve = report["learning_curve"][0]["points"].as_array().unwrap();
    assert_eq!(
        curve.last().unwrap()["mean"],
        report["layers"][0]["metrics"]["accuracy"]["value"]
    );
    for (arguments, part) in [
        ("--kind mlp", "never the headline"),
        ("--kinds lda,lda", "named twice"),
        ("--kinds lda,ridge", "ridge learns numbers"),
        ("--kind ccs", "--pair-column"),
        ("--kind ccs --pair-column author", "a pair has two rows"),
        ("--kind ttpd --polarity-column author", "two values"),
        ("--kind k-sparse --k 0", "k = 0"),
    ] {
        let output = plumb(
            desk,
            &format!("probe run --label label --lambda 0.1 --controls none --quiet {arguments}"),
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success()
                && (said.contains(part)
                    || part == "never the headline" && said.contains("contrast to a linear probe")),
            "{arguments}: {said}"
        );
    }
}

/// The control of random weights reads the texts again; `--data` says where they lie now.
#[test]
fn random_weights_read_the_data_where_they_are_said_to_be() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let texts = std::fs::read_to_string(root().join("datasets/number.csv")).unwrap();
    std::fs::write(desk.join("was.csv"), texts).unwrap();
    plumb_ok(
        desk,
        "extract --model builtin --data was.csv --points final_norm --pool last --out run --quiet",
    );
    std::fs::rename(desk.join("was.csv"), desk.join("is.csv")).unwrap();
    let probe = |data: &str| {
        json(&plumb_ok(
            desk,
            &format!(
                "probe run --label comparison --split-column split --group pair --lambda 0.01 --shuffles 2 --json --quiet {data}"
            ),
        ))
    };
    let lost = probe("");
    let why = lost["not_run"][0]["why"].as_str().unwrap();
    assert!(why.contains("was.csv") && why.contains("--data"), "{why}");
    let found = probe("--data is.csv");
    assert!(found["layers"][0]["controls"]["random_weights"].is_f64());
}

/// The written world is true or false; CCS and LAT are told which rows are a statement and its denial, but not which of them is true.
#[test]
fn truth_is_found_from_pairs_without_labels() {
    let desk = tempfile::tempdir().unwrap();
    let data = root().join("datasets/contrasts.csv");
    plumb_ok(
        desk.path(),
        &format!(
            "extract --model builtin --data {} --pool last --out run --quiet",
            data.display()
        ),
    );
    let probe = "probe run --label label --kinds logistic,lat,ccs,ttpd --pair-column pair --polarity-column polarity \
                 --split-column split --group entity --lambda 0.01 --shuffles 2 --controls none --quiet --out probe";
    let table = plumb_ok(desk.path(), probe);
    assert!(
        table.contains("accuracy [95 %]") && table.contains("ttpd"),
        "{table}"
    );
    assert!(
        table.contains("(ccs, blocks.3.resid_post): 10 random starts"),
        "{table}"
    );
    let report = json(&std::fs::read_to_string(desk.path().join("probe/probe.json")).unwrap());
    for kind in report["kinds"].as_array().unwrap() {
        let accuracy = |point: &str| {
            let layers = kind["layers"].as_array().unwrap();
            let layer = layers.iter().find(|l| l["hook_point"] == point).unwrap();
            layer["metrics"]["accuracy"]["value"].as_f64().unwrap()
        };
        let name = &kind["kind"];
        assert!(accuracy("blocks.3.resid_post") > 0.75, "{name}");
        assert!(accuracy("blocks.0.resid_post") < 0.56, "{name}");
    }
}

fn matrix(report: &Value) -> Vec<Vec<Option<f64>>> {
    let row = |row: &Value| {
        row.as_array()
            .unwrap()
            .iter()
            .map(|e| e["value"].as_f64())
            .collect()
    };
    report["matrix"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect()
}

#[test]
fn probes_carry_over_between_layers_and_between_data_sets() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool mean --out a --quiet",
    );
    let turned = std::fs::read_to_string(desk.join("reviews.csv")).unwrap();
    let turned = turned
        .replace("negative", "x")
        .replace("positive", "negative")
        .replace(",x,", ",positive,");
    std::fs::write(desk.join("turned.csv"), turned).unwrap();
    plumb_ok(
        desk,
        "extract --model bert --data turned.csv --pool mean --out b --quiet",
    );
    let options = "--label label --split-column split --lambda 0.1 --quiet --json";
    let across = json(&plumb_ok(
        desk,
        &format!("transfer a b {options} --point blocks.0.resid_pre --out t"),
    ));
    let scores = matrix(&across);
    let scores: Vec<Vec<f64>> = scores
        .iter()
        .map(|r| r.iter().map(|v| v.unwrap()).collect())
        .collect();
    // What is right here is wrong there.
    assert!(
        (scores[0][0] + scores[0][1] - 1.0).abs() < 1e-9
            && (scores[0][0] - scores[1][1]).abs() < 1e-9,
        "{scores:?}"
    );
    assert_eq!(
        (across["across"].as_str(), across["metric"].as_str()),
        (Some("run"), Some("accuracy"))
    );
    assert!(desk.join("t/chart.png").is_file());
    let layers = json(&plumb_ok(desk, &format!("transfer a {options}")));
    let probe = json(&plumb_ok(
        desk,
        &format!("probe a {options} --shuffles 0 --controls none"),
    ));
    for (i, row) in matrix(&layers).iter().enumerate() {
        let own = probe["layers"][i]["metrics"]["accuracy"]["value"].as_f64();
        assert_eq!(row[i], own, "the diagonal is the ordinary score");
    }
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool mean --points blocks.0.resid_post,blocks.0.mlp_post --out wide --quiet",
    );
    let wide = matrix(&json(&plumb_ok(desk, &format!("transfer wide {options}"))));
    assert!(wide[0][1].is_none() && wide[1][1].is_some());
    assert!(plumb_refuses(desk, "transfer a b --label label --quiet").contains("--point"));
    assert!(
        plumb_refuses(
            desk,
            "transfer a --label label --point blocks.0.resid_pre --quiet"
        )
        .contains("two places")
    );
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --pool mean --out c --quiet",
    );
    assert!(
        plumb_refuses(
            desk,
            "transfer a c --label label --point blocks.0.resid_pre --quiet"
        )
        .contains("another model")
    );
}

#[test]
fn every_recipe_is_carried_out_and_finds_what_is_known() {
    for (recipe, metric, least) in [
        ("truth", "balanced_accuracy", 0.9),
        ("places", "r2", 0.9),
        ("sentiment", "accuracy", 0.9),
        ("pos", "accuracy", 0.95),
        ("number", "accuracy", 0.9),
    ] {
        let desk = tempfile::tempdir().unwrap();
        let desk = desk.path();
        let file = root().join(format!("probes/{recipe}.toml"));
        let said = plumb_ok(desk, &format!("run {} --out o --quiet", file.display()));
        assert!(
            said.contains("$ plumb extract") && said.contains("$ plumb probe o/run"),
            "{said}"
        );
        let report = json(&std::fs::read_to_string(desk.join("o/probe/probe.json")).unwrap());
        let scores: Vec<f64> = report["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l["metrics"][metric]["value"].as_f64().unwrap())
            .collect();
        let best = scores.iter().copied().fold(f64::MIN, f64::max);
        eprintln!("{recipe}: {scores:.3?}");
        assert!(best >= least, "{recipe}: {scores:?}");
        assert!(desk.join("o/probe/chart.png").is_file() && desk.join("o/recipe.txt").is_file());
        assert!(
            report["command"]
                .as_str()
                .unwrap()
                .starts_with("plumb probe o/run --label"),
            "{}",
            report["command"]
        );
    }
    let listed = std::fs::read_dir(root().join("probes")).unwrap();
    let recipes = listed.filter(|e| {
        e.as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|e| e == "toml")
    });
    assert_eq!(recipes.count(), 5, "each is in the list above");
}

#[test]
fn a_recipe_with_a_key_that_is_none_is_refused() {
    let desk = desk();
    let desk = desk.path();
    let recipe = "concept = \"mood\"\nmodel = \"bert\"\ndata = \"reviews.csv\"\nposition = \"mean\"\nlabel = \"label\"\nsplit_column = \"split\"\nlambda = 0.1\n";
    std::fs::write(desk.join("mood.toml"), recipe).unwrap();
    plumb_ok(desk, "run mood.toml --out mood --quiet");
    assert!(plumb_refuses(desk, "run mood.toml --out mood --quiet").contains("--force"));
    plumb_ok(
        desk,
        "run mood.toml --out mood --quiet --force --model llama",
    );
    plumb_ok(desk, "report mood --out report.html");
    std::fs::write(desk.join("odd.toml"), recipe.replace("label =", "lable =")).unwrap();
    let said = plumb_refuses(desk, "run odd.toml --out odd");
    assert!(said.contains("`lable`, did you mean `label`?"), "{said}");
    std::fs::write(desk.join("odd.toml"), recipe.replace("reviews", "revues")).unwrap();
    assert!(plumb_refuses(desk, "run odd.toml --out odd").contains("revues.csv: no such file"));
    plumb_refuses(desk, "run nothing.toml --out odd");
    assert!(!desk.join("odd").exists());
}
