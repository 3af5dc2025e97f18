//! The real binary on real folders: what a user gets wrong, and what is left behind.

use crate::support::{desk, files, plumb_ok, plumb_refuses, tensors};
use std::fs;

/// Massive activations do not fit in 16 bits: they must not become infinities.
#[test]
fn half_precision_refuses_what_it_cannot_hold() {
    let desk = desk();
    let desk = desk.path();
    let weights = desk.join("llama/model.safetensors");
    let mut all = tensors(&weights);
    let norm = (&all["model.norm.weight"] * 1e6).unwrap();
    all.insert("model.norm.weight".to_owned(), norm);
    candle_core::safetensors::save(&all, &weights).unwrap();
    let extract = "extract --model llama --data reviews.csv --pool mean --out";
    let said = plumb_refuses(desk, &format!("{extract} half --dtype f16"));
    assert!(
        said.contains("dtype = f16") && said.contains("final_norm"),
        "{said}"
    );
    plumb_ok(desk, &format!("{extract} full"));
}

#[test]
fn an_output_folder_that_exists_is_kept_unless_it_is_a_run_and_force_is_given() {
    let desk = desk();
    let desk = desk.path();
    let extract = "extract --model bert --data reviews.csv --pool mean --out run";
    plumb_ok(desk, extract);
    let before = files(&desk.join("run"));
    let said = plumb_refuses(desk, extract);
    assert!(
        said.contains("--resume") && said.contains("--force"),
        "{said}"
    );
    plumb_refuses(
        desk,
        "extract --model nowhere --data reviews.csv --out run --force",
    );
    assert!(
        files(&desk.join("run")) == before,
        "a plan that cannot begin replaces nothing"
    );
    plumb_ok(desk, &format!("{extract} --force"));
    plumb_ok(desk, "probe run --label label --lambda 1 --out probe");
    let said = plumb_refuses(desk, "probe run --label label --lambda 1 --out probe");
    assert!(said.contains("--force"), "{said}");
    let said = plumb_refuses(
        desk,
        "probe run --label label --lambda 1 --out bert --force",
    );
    assert!(said.contains("plumb did not make it"), "{said}");
}

#[test]
fn damaged_runs_are_refused() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model bert --data reviews.csv --pool mean --out run",
    );
    let shard = desk.join("run/shard-00000.parquet");
    let mut bytes = fs::read(&shard).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&shard, &bytes).unwrap();
    let said = plumb_refuses(desk, "verify run");
    assert!(
        said.contains("shard-00000.parquet") && said.contains("SHA-256"),
        "{said}"
    );
    fs::write(&shard, &bytes[..middle]).unwrap();
    plumb_refuses(desk, "probe run --label label");
    fs::remove_file(&shard).unwrap();
    let said = plumb_refuses(desk, "probe run --label label");
    assert!(said.contains("shard-00000.parquet: no such file"), "{said}");
    fs::write(desk.join("run/manifest.json"), "{\"schema_version\": 99}").unwrap();
    assert!(plumb_refuses(desk, "verify run").contains("use a newer plumb"));
    fs::write(desk.join("run/manifest.json"), "{").unwrap();
    assert!(plumb_refuses(desk, "verify run").contains("damaged"));
    assert!(plumb_refuses(desk, "verify bert").contains("this is no run"));
    assert!(plumb_refuses(desk, "verify nowhere").contains("no such file or folder"));
}

#[test]
fn bad_data_is_refused_in_one_sentence() {
    let desk = desk();
    let desk = desk.path();
    let cases: [(&str, &[u8], &str); 8] = [
        (
            "latin1.csv",
            b"text\ngood\ncaf\xe9\n",
            "line 3 is not valid UTF-8",
        ),
        ("zero.csv", b"", "no rows"),
        ("header.csv", b"text,label\n", "no rows"),
        (
            "blank.csv",
            b"text,label\ngood,1\n\" \",0\n",
            "row 1, column `text`: the text is empty",
        ),
        (
            "other.csv",
            b"txt,label\ngood,1\n",
            "no column `text`, did you mean `txt`?",
        ),
        ("ragged.csv", b"text,label\ngood,1\nbad\n", "line 3"),
        (
            "broken.jsonl",
            b"{\"text\": \"good\"}\n{\"text\": \n",
            "line 2",
        ),
        (
            "broken.parquet",
            b"PAR1 this is no parquet PAR1",
            "broken.parquet",
        ),
    ];
    for (name, bytes, expected) in cases {
        fs::write(desk.join(name), bytes).unwrap();
        let said = plumb_refuses(
            desk,
            &format!("extract --model bert --data {name} --out run"),
        );
        assert!(said.contains(expected), "{name}: {said}");
        assert!(!desk.join("run").exists(), "{name} leaves nothing");
    }
    let said = plumb_refuses(desk, "extract --model bert --data nowhere.csv --out run");
    assert!(
        said.contains("nowhere.csv: no such file or folder"),
        "{said}"
    );
    let said = plumb_refuses(
        desk,
        "extract --model bert --data reviews.csv --columns lable --out run",
    );
    assert!(said.contains("did you mean `label`?"), "{said}");
    fs::write(desk.join("taken.csv"), "text,example\ngood,1\n").unwrap();
    let said = plumb_refuses(desk, "extract --model bert --data taken.csv --out run");
    assert!(
        said.contains("column `example`") && said.contains("--columns"),
        "{said}"
    );
}

#[test]
fn bad_labels_are_refused_in_one_sentence() {
    let desk = desk();
    let desk = desk.path();
    let rows: String = (0..30)
        .map(|i| {
            format!(
                "good {i},same,{},{}\n",
                i % 15 == 0,
                if i == 3 { "" } else { "x" }
            )
        })
        .collect();
    fs::write(
        desk.join("data.csv"),
        format!("text,constant,rare,hole\n{rows}"),
    )
    .unwrap();
    plumb_ok(
        desk,
        "extract --model bert --data data.csv --pool mean --out run",
    );
    let refused = |arguments: &str| plumb_refuses(desk, &format!("probe run {arguments}"));
    assert!(refused("--label constant").contains("every row has the label `same`"));
    assert!(refused("--label hole").contains("every row has the label `x`"));
    let said = refused("--label rare");
    assert!(
        said.contains("`true`") && said.contains("5"),
        "too few for the folds: {said}"
    );
    assert!(refused("--label raer").contains("did you mean `rare`?"));
    assert!(refused("--label constant --kind ridge").contains("`same`"));
    assert!(refused("--label rare --lambda 0").starts_with("error: lambda = 0"));
    assert!(refused("--label rare --split-column constant").contains("same"));
    plumb_ok(desk, "extract --model bert --data data.csv --out tokens");
    assert!(plumb_refuses(desk, "probe tokens --label rare --unit text").contains("--pool"));
}

#[test]
fn bad_models_are_refused_in_one_sentence() {
    let desk = desk();
    let desk = desk.path();
    let weights = fs::read(desk.join("bert/model.safetensors")).unwrap();
    let config = fs::read_to_string(desk.join("bert/config.json")).unwrap();
    let refused = |expected: &str| {
        let said = plumb_refuses(desk, "extract --model bert --data reviews.csv --out run");
        assert!(said.contains(expected), "{expected}: {said}");
        assert!(!desk.join("run").exists());
    };
    let weights_file = desk.join("bert/model.safetensors");
    fs::write(&weights_file, &weights[..weights.len() / 2]).unwrap();
    refused("truncated or damaged");
    fs::write(&weights_file, &weights[..5]).unwrap();
    refused("no safetensors file");
    let mut lying = weights.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&weights_file, &lying).unwrap();
    refused("the header claims 18446744073709551615 bytes");
    let mut lying = weights.clone();
    lying[8] = b'[';
    fs::write(&weights_file, &lying).unwrap();
    refused("the safetensors header is invalid");
    let mut poisoned = weights.clone();
    let end = poisoned.len();
    poisoned[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&weights_file, &poisoned).unwrap();
    refused("the value is not finite (NaN)");
    fs::remove_file(&weights_file).unwrap();
    refused("has no weights that plumb reads");
    fs::write(&weights_file, &weights).unwrap();

    let with = |from: &str, to: &str, expected: &str| {
        assert!(config.contains(from), "{from}");
        fs::write(desk.join("bert/config.json"), config.replace(from, to)).unwrap();
        refused(expected);
    };
    with(
        "\"intermediate_size\": 64",
        "\"intermediate_size\": 48",
        "has shape [64, 32] where config.json implies [48, 32]",
    );
    with(
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 4",
        "the weight `bert.encoder.layer.3.",
    );
    with(
        "\"num_hidden_layers\": 3",
        "\"num_hidden_layers\": 2",
        "are not part of the architecture",
    );
    with(
        "\"model_type\": \"bert\"",
        "\"model_type\": \"brt\"",
        "`brt` is not supported, did you mean `bert`?; supported are: bert, roberta, ",
    );
    with(
        "\"is_decoder\": false",
        "\"is_decoder\": true",
        "`is_decoder` = true is not supported",
    );
    with(
        "\"use_cache\": true",
        "\"rotary_dim\": 4",
        "`rotary_dim` = 4 is not supported",
    );
    with(
        "\"hidden_act\": \"gelu\"",
        "\"hidden_act\": \"mish\"",
        "`hidden_act` = \"mish\" is not supported",
    );
    with("{", "[", "not a JSON object");
    fs::remove_file(desk.join("bert/config.json")).unwrap();
    refused("has no config.json");
    fs::write(desk.join("bert/config.json"), &config).unwrap();
    fs::write(desk.join("bert/tokenizer.json"), "{}").unwrap();
    refused("tokenizer.json");
    fs::remove_file(desk.join("bert/tokenizer.json")).unwrap();
    refused("has no tokenizer.json");
    let said = plumb_refuses(desk, "extract --model nowhere --data reviews.csv --out run");
    assert!(said.contains("nowhere: no such file or folder"), "{said}");
}

#[test]
fn wrong_hook_points_are_refused_with_the_nearest() {
    let desk = desk();
    let desk = desk.path();
    let refused = |points: &str| {
        plumb_refuses(
            desk,
            &format!("extract --model bert --data reviews.csv --out run --points {points}"),
        )
    };
    assert!(refused("resid_pots").contains("did you mean `resid_post`?"));
    assert!(refused("final_norm").contains("no such place"));
    assert!(refused("blocks.7.mlp_out").contains("it has 3 blocks, numbered 0 to 2"));
    assert!(refused("blocks.1.attn_pattern").contains("a row for each pair of tokens"));
    assert!(!desk.join("run").exists());
}

#[test]
fn a_sharded_checkpoint_is_the_same_model_and_a_bad_index_is_refused() {
    let desk = desk();
    let desk = desk.path();
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --pool mean --out whole",
    );
    let folder = desk.join("llama");
    let all = tensors(&folder.join("model.safetensors"));
    let (mut one, mut two) = (all.clone(), all.clone());
    one.retain(|name, _| name.contains("layers.1."));
    two.retain(|name, _| !name.contains("layers.1."));
    let index = |shard_of: &dyn Fn(&str) -> String| {
        let map: serde_json::Map<String, serde_json::Value> = all
            .keys()
            .map(|n| (n.clone(), shard_of(n).into()))
            .collect();
        let index = serde_json::json!({"metadata": {}, "weight_map": map});
        fs::write(
            folder.join("model.safetensors.index.json"),
            index.to_string(),
        )
        .unwrap();
    };
    candle_core::safetensors::save(&one, folder.join("a.safetensors")).unwrap();
    candle_core::safetensors::save(&two, folder.join("b.safetensors")).unwrap();
    fs::remove_file(folder.join("model.safetensors")).unwrap();
    let right =
        |n: &str| if n.contains("layers.1.") { "a" } else { "b" }.to_owned() + ".safetensors";
    index(&right);
    plumb_ok(
        desk,
        "extract --model llama --data reviews.csv --pool mean --out sharded",
    );
    let read = |out: &str| {
        plumb::store::Run::open(&desk.join(out))
            .unwrap()
            .vectors("final_norm")
            .unwrap()
    };
    assert_eq!(read("whole"), read("sharded"));
    let refused = || plumb_refuses(desk, "extract --model llama --data reviews.csv --out other");
    index(&|_| "../../etc/passwd".to_owned());
    assert!(refused().contains("is not a safetensors file of this folder"));
    index(&|_| "c.safetensors".to_owned());
    assert!(refused().contains("has no c.safetensors"));
    index(&right);
    fs::copy(folder.join("a.safetensors"), folder.join("b.safetensors")).unwrap();
    assert!(refused().contains("is in two shards"));
}
