//! A run in parts, and a run under examination: merge, verify, certificates, what was learned on the way.

use crate::support::{desk, files, json, plumb_ok, plumb_refuses, tensors, tiny_model};
use std::fs;
use std::path::Path;

const EXTRACT: &str = "extract --model llama --data data.csv --memory 16MiB --out";

/// Four shards of reviews.
fn data(desk: &Path) {
    let rows: String = (0..400)
        .map(|i| {
            format!(
                "the {} film was very good .,{i}\n",
                ["red", "blue", "green"][i % 3]
            )
        })
        .collect();
    fs::write(desk.join("data.csv"), format!("text,n\n{rows}")).unwrap();
}

fn manifest(run: &Path) -> serde_json::Value {
    json(&fs::read_to_string(run.join("manifest.json")).unwrap())
}

#[test]
fn parts_joined_are_one_run() {
    let desk = desk();
    let desk = desk.path();
    data(desk);
    plumb_ok(desk, &format!("{EXTRACT} whole"));
    for part in 1..=3 {
        let said = plumb_ok(desk, &format!("{EXTRACT} p{part} --shard {part}/3"));
        assert!(said.contains(&format!("part {part} of 3")), "{said}");
    }
    // In any order.
    plumb_ok(desk, "merge p3 p1 p2 --out joined");
    assert!(files(&desk.join("joined")) == files(&desk.join("whole")));
    plumb_ok(desk, "verify joined");
    // More parts than shards: some are empty.
    for part in 1..=5 {
        plumb_ok(desk, &format!("{EXTRACT} q{part} --shard {part}/5"));
    }
    plumb_ok(desk, "merge q1 q2 q3 q4 q5 --out joined --force");
    assert!(files(&desk.join("joined")) == files(&desk.join("whole")));
}

#[test]
fn what_is_not_all_parts_of_one_run_is_not_joined() {
    let desk = desk();
    let desk = desk.path();
    data(desk);
    for part in 1..=2 {
        plumb_ok(desk, &format!("{EXTRACT} p{part} --shard {part}/2"));
    }
    plumb_ok(desk, &format!("{EXTRACT} other --shard 2/2 --pool mean"));
    plumb_ok(desk, &format!("{EXTRACT} third --shard 3/3"));
    plumb_ok(desk, &format!("{EXTRACT} whole"));
    for (parts, why) in [
        ("p1", "part 2 of 2 is missing"),
        ("p1 p2 p2", "another is there twice"),
        ("p1 third", "part 2 of 2 is missing"),
        (
            "p1 other",
            "other: it is not part of the same run as p1: `pool`",
        ),
        ("p1 whole", "whole: this is no part of a run"),
        ("p1 nowhere", "nowhere"),
    ] {
        let said = plumb_refuses(desk, &format!("merge {parts} --out joined"));
        assert!(said.contains(why), "{parts}: {said}");
        assert!(!desk.join("joined").exists());
    }
    let said = plumb_refuses(desk, "probe p1 --label n");
    assert!(
        said.contains("part 1 of 2") && said.contains("plumb merge"),
        "{said}"
    );
    let said = plumb_refuses(desk, &format!("{EXTRACT} p1 --shard 2/2 --resume"));
    assert!(said.contains("`--shard` differs"), "{said}");
    flip_a_byte(&desk.join("p2/shard-00003.parquet"));
    let said = plumb_refuses(desk, "merge p1 p2 --out joined");
    assert!(
        said.contains("p2/shard-00003.parquet: its SHA-256"),
        "{said}"
    );
    assert!(!desk.join("joined").exists());
}

fn flip_a_byte(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn verify_finds_a_flipped_byte_a_missing_shard_and_a_wrong_model() {
    let desk = desk();
    let desk = desk.path();
    data(desk);
    plumb_ok(desk, &format!("{EXTRACT} run"));
    let said = plumb_ok(desk, "verify run --rows 20");
    assert!(
        said.contains("20 rows computed again, equal in every bit"),
        "{said}"
    );
    let other = desk.join("other");
    tiny_model(&other, "llama");
    let weights = other.join("model.safetensors");
    let mut all = tensors(&weights);
    let norm = (&all["model.norm.weight"] * 1.001).unwrap();
    all.insert("model.norm.weight".to_owned(), norm);
    candle_core::safetensors::save(&all, &weights).unwrap();
    let said = plumb_refuses(desk, "verify run --model other");
    assert!(
        said.contains("other is another model than the one that made the run"),
        "{said}"
    );
    let said = plumb_refuses(desk, "verify run --data reviews.csv");
    assert!(said.contains("does not hold the data of the run"), "{said}");
    // Shards of the other model under this model's name: every hash is right, and the numbers are not.
    plumb_ok(
        desk,
        &EXTRACT
            .replace("llama", "other")
            .replace("--out", "--out forged"),
    );
    let mut forged = manifest(&desk.join("forged"));
    forged["plan"]["model"] = manifest(&desk.join("run"))["plan"]["model"].clone();
    fs::write(desk.join("forged/manifest.json"), forged.to_string()).unwrap();
    let said = plumb_refuses(desk, "verify forged");
    assert!(
        said.contains("`final_norm` is not what the model computes"),
        "{said}"
    );
    let shard = desk.join("run/shard-00002.parquet");
    let whole = fs::read(&shard).unwrap();
    flip_a_byte(&shard);
    let said = plumb_refuses(desk, "verify run");
    assert!(said.contains("shard-00002.parquet: its SHA-256"), "{said}");
    fs::remove_file(&shard).unwrap();
    let said = plumb_refuses(desk, "verify run");
    assert!(said.contains("shard-00002.parquet: no such file"), "{said}");
    fs::write(&shard, whole).unwrap();
    fs::rename(desk.join("llama"), desk.join("moved")).unwrap();
    let said = plumb_ok(desk, "verify run");
    assert!(
        said.contains("no row was computed again") && said.contains("--model"),
        "{said}"
    );
    plumb_ok(desk, "verify run --model moved");
}

#[test]
fn verify_computes_pooled_and_rounded_rows_too() {
    let desk = desk();
    let desk = desk.path();
    for how in [
        "--pool mean --no-special",
        "--dtype f16",
        "--pool last --dtype f16 --points resid_post,attn_z",
    ] {
        plumb_ok(
            desk,
            &format!("extract --model bert --data reviews.csv --out run --force {how}"),
        );
        let said = json(&plumb_ok(desk, "verify run --rows 5 --json"));
        assert_eq!(said["recomputed"]["rows"], 5, "{how}");
        assert_eq!(said["recomputed"]["equal"], 5, "{how}");
        let rounded = manifest(&desk.join("run"))["rounding_error"].as_f64();
        match how.contains("f16") {
            // Half a unit in the last of 11 bits.
            true => assert!(
                rounded.is_some_and(|e| e > 1e-5 && e <= 2f64.powi(-11)),
                "{rounded:?}"
            ),
            false => assert_eq!(rounded, None),
        }
    }
}

#[test]
fn certificates_stand_in_the_manifest() {
    let desk = desk();
    let desk = desk.path();
    for (model, special) in [("bert", &["[CLS]", "[SEP]"][..]), ("llama", &["<s>"])] {
        plumb_ok(
            desk,
            &format!("extract --model {model} --data reviews.csv --pool mean --out {model}-run"),
        );
        let certificates = &manifest(&desk.join(format!("{model}-run")))["certificates"];
        assert_eq!(certificates["special_tokens"], serde_json::json!(special));
        assert_eq!(certificates["texts"], 16);
        assert!(certificates["alone_and_in_company"].as_f64().unwrap() < 1e-5);
        let spans = &certificates["spans"];
        // Every review has eight words, and `author` and the like are no part of it.
        assert_eq!(spans["tokens"], 16 * 7);
        assert_eq!(spans["with_span"], spans["tokens"]);
        assert!(certificates["first_norm"].as_f64().unwrap() > 0.0);
    }
}

/// A tokenizer that reads another word than the one that stands there.
#[test]
fn a_certificate_that_fails_stops_the_run_before_it_begins() {
    let desk = desk();
    let desk = desk.path();
    let path = desk.join("bert/tokenizer.json");
    let mut tokenizer = json(&fs::read_to_string(&path).unwrap());
    tokenizer["normalizer"] = serde_json::json!({"type": "Sequence", "normalizers": [
        {"type": "Lowercase"},
        {"type": "Replace", "pattern": {"String": "very"}, "content": "not"},
    ]});
    fs::write(&path, tokenizer.to_string()).unwrap();
    let said = plumb_refuses(desk, "extract --model bert --data reviews.csv --out run");
    assert!(
        said.contains("the run was not begun: spans of tokens") && said.contains("`not`"),
        "{said}"
    );
    assert!(!desk.join("run").exists());
}

/// `great` is the one word whose embedding is a thousand times as long as the others'.
#[test]
fn massive_activations_are_counted_at_each_hook_point() {
    let desk = desk();
    let desk = desk.path();
    let weights = desk.join("llama/model.safetensors");
    let mut all = tensors(&weights);
    let embed = &all["model.embed_tokens.weight"];
    let great = 5 + crate::support::WORDS
        .iter()
        .position(|w| *w == "great")
        .unwrap();
    let (rows, width) = embed.dims2().unwrap();
    let mut scale = vec![1f32; rows];
    scale[great] = 1000.0;
    let scale = candle_core::Tensor::from_vec(scale, (rows, 1), embed.device()).unwrap();
    let embed = embed.broadcast_mul(&scale).unwrap();
    assert_eq!(embed.dims(), [rows, width]);
    all.insert("model.embed_tokens.weight".to_owned(), embed);
    candle_core::safetensors::save(&all, &weights).unwrap();
    // One shard, and three of them, of which some are made before and some after a stop.
    let greats = fs::read_to_string(desk.join("reviews.csv"))
        .unwrap()
        .matches("great")
        .count();
    for pool in ["none", "mean"] {
        let extract =
            format!("extract --model llama --data reviews.csv --pool {pool} --out {pool}");
        let said = plumb_ok(desk, &extract);
        assert!(said.contains("massive activations at"), "{said}");
        let before = manifest(&desk.join(pool));
        assert_eq!(before["massive"][0]["hook_point"], "blocks.0.resid_pre");
        assert_eq!(before["massive"][0]["rows"], greats);
        // After the final norm no row is longer than the others.
        assert_eq!(
            before["massive"].as_array().unwrap().last().unwrap()["rows"],
            0
        );
        plumb_ok(desk, &format!("{extract} --resume"));
        assert_eq!(manifest(&desk.join(pool)), before);
    }
}

#[test]
fn a_plan_tells_what_the_run_then_takes() {
    let desk = desk();
    let desk = desk.path();
    data(desk);
    let plan = json(&plumb_ok(desk, &format!("{EXTRACT} run --plan --json")));
    assert!(!desk.join("run").exists());
    plumb_ok(desk, &format!("{EXTRACT} run"));
    let run = plumb::store::Run::open(&desk.join("run")).unwrap();
    assert_eq!(plan["rows"], run.rows());
    assert_eq!(plan["tokens"], run.manifest().plan.data.tokens);
    assert_eq!(plan["shards"], run.manifest().shards.len());
    let shards = files(&desk.join("run"))
        .into_iter()
        .filter(|f| f.0.ends_with("parquet"));
    let bytes: usize = shards.map(|f| f.1.len()).sum();
    let planned = plan["bytes"].as_u64().unwrap() as usize;
    assert!(
        planned >= bytes && planned < bytes + bytes / 10,
        "{planned} planned, {bytes} taken"
    );
    for (point, name) in plan["points"]
        .as_array()
        .unwrap()
        .iter()
        .zip(run.point_names())
    {
        assert_eq!(point["hook_point"], *name);
        assert_eq!(point["bytes"], run.vectors(&name).unwrap().values.len() * 4);
    }
    assert!(plan["seconds"].as_f64().unwrap() > 0.0 && plan["free_bytes"].as_u64().unwrap() > 0);
}
