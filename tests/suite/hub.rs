//! Models of the hub, played by a small server: what is asked for, what is kept, and what is said when it goes wrong.

mod server;

use crate::support::{files, json, plumb_ok, reviews, tiny_model};
use server::{Asked, Hub, MAIN, OTHER, WEIGHTS};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use tempfile::TempDir;

/// A desk with a model folder and the reviews, and a hub with that model, another one, and files that nobody needs.
fn desk() -> (TempDir, Hub) {
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("reviews.csv"), reviews()).unwrap();
    let hosted = |name: &str, golden: &str| -> BTreeMap<String, Vec<u8>> {
        tiny_model(&desk.path().join(name), golden);
        let more = [
            "README.md",
            "tf_model.h5",
            "pytorch_model.bin",
            "onnx/model.onnx",
            "vocab.txt",
        ];
        let more = more.map(|name| (name.to_owned(), b"not needed".to_vec()));
        files(&desk.path().join(name))
            .into_iter()
            .chain(more)
            .collect()
    };
    let hub = Hub::start(hosted("main", "llama"), hosted("other", "bert"));
    (desk, hub)
}

fn paths(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|a| a.path.as_str()).collect()
}

#[test]
fn a_model_of_the_hub_is_fetched_once_and_only_what_is_needed() {
    let (desk, hub) = desk();
    let desk = desk.path();
    let model = hub.extract(desk, "org/tiny", "run", &[]);
    assert_eq!(model["name"], "org/tiny");
    assert_eq!(model["revision"], MAIN);
    let mut asked = hub.asked();
    assert!(asked.iter().all(|a| a.token.is_none()));
    asked.retain(|a| !a.path.starts_with("/api/"));
    let mut names: Vec<&str> = paths(&asked);
    names.dedup();
    let resolved = |file: &str| format!("/org/tiny/resolve/{MAIN}/{file}");
    assert_eq!(
        names,
        ["config.json", "tokenizer.json", WEIGHTS].map(resolved)
    );
    // The numbers are those of the folder.
    plumb_ok(
        desk,
        "extract --model main --data reviews.csv --pool mean --out local",
    );
    let shards = |run: &str| -> Vec<_> {
        let files = files(&desk.join(run)).into_iter();
        files
            .filter(|(name, _)| name.ends_with(".parquet"))
            .collect()
    };
    assert_eq!(shards("run"), shards("local"));
    // Again, and without a network: from the cache.
    hub.extract(desk, "org/tiny", "again", &[]);
    hub.extract(desk, "org/tiny", "offline", &[("HF_HUB_OFFLINE", "1")]);
    assert_eq!(paths(&hub.asked()), [""; 0]);
    assert_eq!(shards("run"), shards("offline"));
}

#[test]
fn a_revision_is_another_model_and_a_token_goes_with_every_request() {
    let (desk, hub) = desk();
    let desk = desk.path();
    let main = hub.extract(desk, "org/tiny", "main-run", &[]);
    hub.asked();
    let token = [("HF_TOKEN", "secret")];
    let other = hub.extract(desk, "org/tiny@v1", "v1-run", &token);
    assert_eq!(
        (&other["name"], &other["revision"]),
        (&"org/tiny@v1".into(), &OTHER.into())
    );
    assert_ne!(main["weights_sha256"], other["weights_sha256"]);
    assert_eq!(other["family"], "bert");
    let asked = hub.asked();
    assert!(
        asked
            .iter()
            .all(|a| a.token.as_deref() == Some("Bearer secret")),
        "{asked:?}"
    );
    let named = hub.extract(
        desk,
        &format!("org/tiny@{OTHER}"),
        "commit-run",
        &[("HF_HUB_OFFLINE", "1")],
    );
    assert_eq!(named["weights_sha256"], other["weights_sha256"]);
    assert!(
        hub.refuses(desk, "org/tiny@v9", &[])
            .contains("no such model or revision")
    );
}

#[test]
fn the_cache_can_be_anywhere() {
    let (desk, hub) = desk();
    let place = desk.path().join("elsewhere");
    hub.extract(
        desk.path(),
        "org/tiny",
        "run",
        &[("HF_HUB_CACHE", place.to_str().unwrap())],
    );
    let snapshot = place.join("models--org--tiny/snapshots").join(MAIN);
    assert!(snapshot.join(WEIGHTS).is_file());
    assert!(!desk.path().join("hf/hub").exists());
}

#[test]
fn a_connection_that_is_cut_is_continued_where_it_ended() {
    let (desk, hub) = desk();
    hub.set(|state| state.cuts = 1);
    let model = hub.extract(desk.path(), "org/tiny", "run", &[]);
    let local = plumb_ok(
        desk.path(),
        "extract --model main --data reviews.csv --pool mean --out local --json",
    );
    assert_eq!(
        model["weights_sha256"],
        json(&local)["plan"]["model"]["weights_sha256"]
    );
    assert!(hub.asked().iter().any(|a| a.range == "bytes=1000-"));
}

#[test]
fn half_a_file_is_never_used() {
    let (desk, hub) = desk();
    let desk = desk.path();
    hub.set(|state| state.cuts = 4);
    let error = hub.refuses(desk, "org/tiny", &[]);
    assert!(
        error.contains("model.safetensors could not be downloaded"),
        "{error}"
    );
    assert!(error.contains("try again"), "{error}");
    let cache = desk.join("hf/hub/models--org--tiny");
    assert!(!cache.join("snapshots").join(MAIN).join(WEIGHTS).exists());
    let offline = hub.refuses(desk, "org/tiny", &[("HF_HUB_OFFLINE", "1")]);
    assert!(offline.contains("no such model in the cache"), "{offline}");
    // What is there is continued; what is there but wrong is found by its hash and fetched again.
    let blobs = files(&cache.join("blobs"));
    let (part, bytes) = blobs
        .iter()
        .find(|(name, _)| name.ends_with(".part"))
        .unwrap();
    assert_eq!(bytes.len(), 4000);
    fs::write(cache.join("blobs").join(part), [0; 4000]).unwrap();
    hub.asked();
    hub.extract(desk, "org/tiny", "run", &[]);
    let asked = hub.asked();
    let ranges = asked
        .iter()
        .filter(|a| a.path.ends_with(WEIGHTS) && a.range != "bytes=0-0");
    let ranges: Vec<&str> = ranges.map(|a| a.range.as_str()).collect();
    assert_eq!(ranges, ["bytes=4000-", "bytes=0-"]);
    assert_eq!(
        fs::read(cache.join("snapshots").join(MAIN).join(WEIGHTS)).unwrap(),
        fs::read(desk.join("main").join(WEIGHTS)).unwrap()
    );
}

#[test]
fn a_part_that_is_already_whole_does_not_block() {
    let (desk, hub) = desk();
    let weights = fs::read(desk.path().join("main").join(WEIGHTS)).unwrap();
    let blobs = desk.path().join("hf/hub/models--org--tiny/blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(
        blobs.join(format!("{:x}.part", Sha256::digest(&weights))),
        &weights,
    )
    .unwrap();
    hub.extract(desk.path(), "org/tiny", "run", &[]);
}

#[test]
fn what_goes_wrong_is_said_with_what_to_do() {
    let (desk, hub) = desk();
    let desk = desk.path();
    let error = hub.refuses(desk, "org/other", &[]);
    assert!(
        error.contains("404") && error.contains("HF_TOKEN"),
        "{error}"
    );
    for (status, said) in [
        (401, "HF_TOKEN to a token"),
        (403, "ask for access"),
        (503, "try again later"),
    ] {
        hub.set(|state| state.status = Some(status));
        let error = hub.refuses(desk, "org/tiny", &[]);
        assert!(
            error.contains(said) && error.contains(&status.to_string()),
            "{error}"
        );
    }
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let closed = format!("http://{closed}");
    let error = hub.refuses(desk, "org/tiny", &[("HF_ENDPOINT", closed.as_str())]);
    assert!(error.contains("could not be reached"), "{error}");
    assert!(error.contains("HF_HUB_OFFLINE=1"), "{error}");
    hub.asked();
    let error = hub.refuses(desk, "org/tiny", &[("HF_HUB_OFFLINE", "1")]);
    assert!(error.contains("HF_HUB_OFFLINE is set"), "{error}");
    assert_eq!(paths(&hub.asked()), [""; 0]);
}

#[test]
fn a_hub_that_points_out_of_the_cache_is_refused() {
    let (desk, hub) = desk();
    let desk = desk.path();
    hub.set(|state| state.claims = Some("../../../../escaped"));
    assert!(
        hub.refuses(desk, "org/tiny", &[])
            .contains("names no commit")
    );
    let index = "model.safetensors.index.json";
    hub.set(|state| {
        state.claims = None;
        let files = state.commits.get_mut(MAIN).unwrap();
        files.remove(WEIGHTS);
        let escape = r#"{"weight_map": {"a": "../../../../../escaped.safetensors"}}"#;
        files.insert(index.to_owned(), escape.into());
        files.insert(
            "../../../../../escaped.safetensors".to_owned(),
            b"!".to_vec(),
        );
        files.insert("../1_Pooling/config.json".to_owned(), b"!".to_vec());
    });
    let arguments = "extract --model org/tiny --data reviews.csv --out no";
    let output = hub.run(desk, arguments, &[]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("is not a safetensors file of this folder"),
        "{stderr}"
    );
    assert!(hub.asked().iter().all(|a| !a.path.contains("..")));
    // An index with shards that are there is followed.
    hub.set(|state| {
        let weights = fs::read(desk.join("main").join(WEIGHTS)).unwrap();
        let files = state.commits.get_mut(OTHER).unwrap();
        files.remove(WEIGHTS);
        files.insert(
            "config.json".to_owned(),
            fs::read(desk.join("main/config.json")).unwrap(),
        );
        let good = r#"{"weight_map": {"model.norm.weight": "a.safetensors"}}"#;
        files.insert(index.to_owned(), good.into());
        files.insert("a.safetensors".to_owned(), weights);
        files.insert("b.safetensors".to_owned(), b"not needed".to_vec());
    });
    hub.extract(desk, "org/tiny@v1", "run", &[]);
    let asked = hub.asked();
    assert!(asked.iter().any(|a| a.path.ends_with("/a.safetensors")));
    assert!(asked.iter().all(|a| !a.path.ends_with("/b.safetensors")));
}
