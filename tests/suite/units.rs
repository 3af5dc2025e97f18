//! Probes whose rows are tokens, words, spans and heads, through the real binary.

use crate::support::{desk, json, minilm, plumb_ok, plumb_refuses, shared};
use plumb::hook::{HookPoint, Site};
use plumb::store::Run;
use serde_json::Value;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn accuracies(report: &Value) -> Vec<f64> {
    let layers = report["layers"].as_array().unwrap().iter();
    layers
        .map(|l| l["metrics"]["accuracy"]["value"].as_f64().unwrap())
        .collect()
}

/// A layer that is larger than `--memory` is read from disk, and gives the same probe.
#[test]
fn layers_larger_than_memory_are_read_from_disk() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let data = root().join("datasets/truth.csv");
    plumb_ok(
        desk,
        &format!(
            "extract --model builtin --data {} --points blocks.2.resid_post --out run",
            data.display()
        ),
    );
    let probe = |arguments: &str| {
        let command = format!(
            "probe run --label label --unit token --split-column split --shuffles 2 --json {arguments}"
        );
        json(&plumb_ok(desk, &command))
    };
    for kind in ["logistic --lambda 0.1", "lda"] {
        let small = probe(&format!("--kind {kind} --memory 16MiB --out small --force"));
        let large = probe(&format!(
            "--kind {kind} --controls none --out large --force"
        ));
        let (a, b) = (&small["layers"][0], &large["layers"][0]);
        for field in ["lambda", "n_train", "n_test"] {
            assert_eq!(a[field], b[field], "{kind}: {field}");
        }
        // Sums over parts are the same but for rounding.
        for name in ["accuracy", "mcc", "log_loss", "ece"] {
            for end in ["value", "low", "high"] {
                let at = |l: &Value| l["metrics"][name][end].as_f64().unwrap();
                assert!((at(a) - at(b)).abs() < 1e-6, "{kind}: {name}");
            }
        }
        assert_eq!(a["controls"]["shuffled"], b["controls"]["shuffled"]);
        let skipped = small["not_run"].as_array().unwrap().iter();
        let why = skipped.filter(|n| n["control"] == "random_weights");
        assert!(
            why.clone()
                .all(|n| n["why"].as_str().unwrap().contains("from disk"))
        );
        assert_eq!(why.count(), 1);
    }
    let names = std::fs::read_dir(desk.join("run")).unwrap();
    let names = names.map(|e| e.unwrap().file_name().into_string().unwrap());
    assert!(
        names
            .into_iter()
            .all(|n| n == "manifest.json" || n.ends_with(".parquet"))
    );
    for arguments in ["--kind k-sparse", "--learning-curve"] {
        let refused = plumb_refuses(
            desk,
            &format!("probe run --label label --unit token --memory 16MiB {arguments}"),
        );
        assert!(refused.contains("give a larger --memory"), "{refused}");
    }
}

#[test]
fn parts_of_speech_in_minilm_are_what_scikit_learn_finds() {
    let Some((shared, model)) = shared().zip(minilm()) else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    // All seven layers take two minutes; one is enough to see that words, labels and protocol are right.
    let whole = std::env::var_os("PLUMB_WHOLE").is_some();
    let points = if whole {
        "resid_post,blocks.0.resid_pre"
    } else {
        "blocks.2.resid_post"
    };
    for part in ["dev", "test"] {
        let data = shared.join(format!("datasets/ewt/en_ewt-ud-{part}.conllu"));
        let (model, data) = (model.display(), data.display());
        plumb_ok(
            desk,
            &format!(
                "extract --model {model} --data {data} --points {points} --out {part} --quiet"
            ),
        );
    }
    // Words are the labelled unit of CoNLL-U, and their first sub-word is the default: as in the reference's protocol.
    let said = plumb_ok(
        desk,
        "probe dev --test-run test --label upos --lambda 0.001 --shuffles 0 --controls none --json --quiet",
    );
    let ours = json(&said);
    let text = std::fs::read_to_string(shared.join("golden-real/minilm-ewt.json")).unwrap();
    let reference = json(&text);
    assert_eq!(ours["split"]["train"], reference["n_train"]);
    assert_eq!(ours["split"]["test"], reference["n_test"]);
    assert_eq!(
        ours["rows"],
        json(r#"{"unit": "word", "subwords": "first", "without_tokens": 0, "per_head": false}"#)
    );
    let theirs = reference["lambda"]["0.001"].as_array().unwrap();
    let layers = ours["layers"].as_array().unwrap();
    assert_eq!(layers.len(), if whole { 7 } else { 1 });
    for (layer, ours) in layers.iter().zip(accuracies(&ours)) {
        // The reference's entries are Hugging Face's hidden_states: the first is what block 0 reads.
        let point: HookPoint = layer["hook_point"].as_str().unwrap().parse().unwrap();
        let entry = match point.site() {
            Site::ResidPre => 0,
            _ => point.layer().unwrap() + 1,
        };
        let theirs = theirs[entry]["accuracy"].as_f64().unwrap();
        eprintln!("{point}: {ours:.4} {theirs:.4}");
        assert!((ours - theirs).abs() <= 0.01, "{point}: {ours} {theirs}");
    }
}

#[test]
fn parts_of_speech_in_the_built_in_model_are_found_at_the_end_of_words() {
    let desk = tempfile::tempdir().unwrap();
    let desk = desk.path();
    let data = root().join("datasets/pos.csv");
    plumb_ok(
        desk,
        &format!(
            "extract --model builtin --data {} --out run --quiet",
            data.display()
        ),
    );
    let probe = "probe run --label tags --words-column words --group template --split-column split --lambda 0.01 --shuffles 0 --controls none --json --quiet";
    let last = json(&plumb_ok(desk, &format!("{probe} --subwords last")));
    let scores = accuracies(&last);
    assert!(
        scores.iter().copied().fold(0.0, f64::max) >= 0.95,
        "{scores:?}"
    );
    assert_eq!(last["rows"]["unit"], "word");
    // Most words are one token, so that first and mean are near; every token by itself can be asked too.
    for other in ["--subwords mean", "--unit token"] {
        let scores = accuracies(&json(&plumb_ok(desk, &format!("{probe} {other}"))));
        assert!(
            scores.iter().copied().fold(0.0, f64::max) >= 0.9,
            "{other}: {scores:?}"
        );
    }
}

/// A label that only the entity tells, in texts of which each has one.
fn cities() -> String {
    let mut rows = String::from("text,city,start,end,kind\n");
    for i in 0..60 {
        let (city, kind) = [
            ("red book", "thing"),
            ("night", "time"),
            ("film", "thing"),
            ("day", "time"),
        ][i % 4];
        let before = ["the", "a very good", "not the"][i % 3];
        let text = format!("{before} {city} was blue .");
        let start = before.len() + 1;
        rows += &format!("{text},{city},{start},{},{kind}\n", start + city.len());
    }
    rows
}

#[test]
fn spans_are_read_by_place_or_by_their_words_and_are_the_vectors_of_their_tokens() {
    let desk = desk();
    let desk = desk.path();
    std::fs::write(desk.join("cities.csv"), cities()).unwrap();
    plumb_ok(
        desk,
        "extract --model bert --data cities.csv --out run --quiet",
    );
    let probe = "probe run --label kind --lambda 0.1 --shuffles 0 --controls none --json --quiet --subwords last";
    let by_place = json(&plumb_ok(
        desk,
        &format!("{probe} --span-columns start,end"),
    ));
    let by_words = json(&plumb_ok(desk, &format!("{probe} --span-column city")));
    assert_eq!(by_place["layers"], by_words["layers"]);
    assert_eq!(by_place["rows"]["unit"], "span");
    assert_eq!(
        accuracies(&by_place)[0],
        1.0,
        "the embedding of the entity tells"
    );
    let first = json(&plumb_ok(
        desk,
        &probe.replace("last", "first --span-column city"),
    ));
    assert_ne!(
        first["layers"], by_words["layers"],
        "`red book` has two tokens"
    );

    // The row of the last token of `red book` is the vector of `book`.
    let run = Run::open(&desk.join("run")).unwrap();
    let tokens = run.token_rows().unwrap();
    let at = tokens
        .of_example(0)
        .find(|row| tokens.spans[*row] == Some((8, 12)))
        .unwrap();
    let units = plumb::store::Units {
        rows: vec![vec![at - 1, at]],
        subwords: plumb::text::words::Subwords::Last,
    };
    let point = "blocks.0.resid_post";
    let all = run.vectors(point).unwrap();
    let (name, read) = run.unit_vectors(point, &units, false).unwrap().remove(0);
    assert_eq!(name, point);
    assert_eq!(
        read.values,
        all.values[at * all.width..(at + 1) * all.width]
    );
    let mean = plumb::store::Units {
        subwords: plumb::text::words::Subwords::Mean,
        ..units
    };
    let (_, read) = run.unit_vectors(point, &mean, false).unwrap().remove(0);
    for (j, v) in read.values.iter().enumerate() {
        let both = f64::from(all.values[(at - 1) * all.width + j])
            + f64::from(all.values[at * all.width + j]);
        assert!((f64::from(*v) - both / 2.0).abs() < 1e-6);
    }
}

#[test]
fn heads_are_read_one_by_one() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --points attn_z,final_norm --pool last --out run --quiet",
    );
    let report = json(&plumb_ok(
        desk,
        "probe run --label label --lambda 0.1 --shuffles 0 --controls none --json --quiet --per-head --out probe",
    ));
    let names: Vec<&str> = report["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["hook_point"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"blocks.0.attn_z.h0") && names.contains(&"final_norm"),
        "{names:?}"
    );
    let run = Run::open(&desk.join("run")).unwrap();
    let whole = run.vectors("blocks.0.attn_z").unwrap();
    let heads = run
        .unit_vectors("blocks.0.attn_z", &run.row_units(), true)
        .unwrap();
    let width = whole.width / heads.len();
    for (h, (_, head)) in heads.iter().enumerate() {
        assert_eq!(head.width, width);
        assert_eq!(
            head.values[width..2 * width],
            whole.values[whole.width + h * width..whole.width + (h + 1) * width]
        );
    }
    assert!(
        desk.join("probe/probes/blocks.0.attn_z.h1.safetensors")
            .is_file()
    );
}

#[test]
fn words_of_a_conllu_file_are_found_where_it_lies_and_nowhere_else() {
    let desk = desk();
    let desk = desk.path();
    let sentence = |noun: &str, adjective: &str| {
        let words = [
            ("the", "DET"),
            (noun, "NOUN"),
            ("was", "AUX"),
            (adjective, "ADJ"),
            (".", "PUNCT"),
        ];
        let lines = words.iter().enumerate();
        let lines: String = lines
            .map(|(i, (w, t))| format!("{}\t{w}\t_\t{t}\tX\t_\t0\troot\t_\t_\n", i + 1))
            .collect();
        format!("# text = the {noun} was {adjective} .\n{lines}\n")
    };
    let nouns = ["film", "book", "day", "night"];
    let text: String = (0..24)
        .map(|i| sentence(nouns[i % 4], ["red", "blue", "green"][i % 3]))
        .collect();
    std::fs::write(desk.join("a.conllu"), &text).unwrap();
    plumb_ok(
        desk,
        "extract --model bert --data a.conllu --out run --quiet",
    );
    let probe = "probe run --label upos --lambda 0.1 --shuffles 0 --controls none --json --quiet";
    let report = json(&plumb_ok(desk, probe));
    assert_eq!(
        report["split"]["train"].as_u64().unwrap() + report["split"]["test"].as_u64().unwrap(),
        120
    );
    assert_eq!(report["split"]["how"], "grouped by text");
    std::fs::rename(desk.join("a.conllu"), desk.join("b.conllu")).unwrap();
    let said = plumb_refuses(desk, probe);
    assert!(said.contains("say with --data where it lies"), "{said}");
    assert_eq!(
        json(&plumb_ok(desk, &format!("{probe} --data b.conllu")))["layers"],
        report["layers"]
    );
    std::fs::write(desk.join("b.conllu"), text + "\n").unwrap();
    let said = plumb_refuses(desk, &format!("{probe} --data b.conllu"));
    assert!(
        said.contains("not the data file that the run was made of"),
        "{said}"
    );
}

#[test]
fn rows_that_cannot_be_are_refused_with_what_to_do() {
    let desk = desk();
    let desk = desk.path();
    std::fs::write(
        desk.join("cities.csv"),
        cities().replace("the film was", "the film film was"),
    )
    .unwrap();
    plumb_ok(
        desk,
        "extract --model bert --data cities.csv --out run --quiet",
    );
    plumb_ok(
        desk,
        "extract --model bert --data cities.csv --pool mean --out pooled --quiet",
    );
    let refused = |arguments: &str| {
        plumb_refuses(
            desk,
            &format!("probe {arguments} --label kind --lambda 1 --controls none --quiet"),
        )
    };
    let said = refused("run --span-column city");
    assert!(
        said.contains("`film` stands 2 times") && said.contains("have it more than once"),
        "{said}"
    );
    assert!(refused("run --span-columns start").contains("two columns"));
    assert!(refused("run --span-columns start,city").contains("whole numbers"));
    assert!(refused("run --span-columns end,start").contains("is not a span"));
    assert!(refused("run --unit text").contains("--pool mean"));
    assert!(refused("pooled --unit word --words-column text").contains("--pool none"));
    assert!(refused("run --unit span").contains("--span-columns"));
    assert!(refused("run --words-column city").contains("what the text goes on with"));
    assert!(refused("run --words-column text").contains("labels for"));
    assert!(refused("pooled --subwords mean").contains("--subwords is for"));
    assert!(refused("run --test-run pooled").contains("tells nothing"));
    std::fs::write(desk.join("other.csv"), cities().replace("blue", "red")).unwrap();
    plumb_ok(
        desk,
        "extract --model bert --data other.csv --pool mean --out other --quiet",
    );
    assert!(refused("run --test-run other").contains("pooling differs"));
    assert!(refused("pooled --where city=book").contains("no row has it; the column holds"));
    assert!(refused("pooled --where city").contains("a column and a value"));
    let said = plumb_refuses(
        desk,
        "probe run --label knid --lambda 1 --controls none --quiet",
    );
    assert!(said.contains("did you mean `kind`"), "{said}");
}
