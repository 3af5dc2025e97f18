//! Bytes a second to disk and back: an extraction whose model computes next to nothing, and a column read from its run.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench may fail, and criterion's macros document nothing"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plumb::hook::HookSet;
use plumb::model::{
    ArchSpec, Head, LoadedModel, Model, ModelSource, RandomWeights, Transformer, load, read_spec,
};
use plumb::store::{
    Budget, Census, Control, Dtype, Extraction, Pool, Run, SpecialTokens, Texts, extract,
};
use plumb::text::dataset::Dataset;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Rows as wide as MiniLM's, from a model with one narrow block.
fn model() -> LoadedModel {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/llama/config.json");
    let (spec, _) = read_spec(&golden, &|_| false).unwrap();
    let spec = ArchSpec {
        d_model: 384,
        n_layers: 1,
        n_heads: 1,
        n_kv_heads: 1,
        d_head: 8,
        d_mlp: 8,
        head: Head::None,
        ..spec
    };
    LoadedModel {
        model: Transformer::build(spec, &mut RandomWeights::new(0)).unwrap(),
        ..load(&ModelSource::Builtin).unwrap()
    }
}

fn store(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("ids.jsonl");
    let rows = (0..2000).map(|i| format!("{{\"ids\": {:?}}}\n", [5 + i % 9; 32]));
    std::fs::write(&data, rows.collect::<String>()).unwrap();
    let data = Dataset::read(&data).unwrap();
    let model = model();
    let spec = model.model.spec();
    let texts = Texts::Ids(data.token_ids("ids").unwrap(), None);
    let special = SpecialTokens::Included;
    let census = Census::take(&texts, spec.context, spec.vocab, special).unwrap();
    let mut group = c.benchmark_group("store");
    group.sample_size(10);
    for dtype in [Dtype::F32, Dtype::F16] {
        let plan = Extraction {
            model: &model,
            model_name: "bench".to_owned(),
            tokenizer_sha256: None,
            data: &data,
            data_name: "ids.jsonl".to_owned(),
            source_column: Err("ids".to_owned()),
            texts: &texts,
            census: &census,
            carried: &[],
            points: HookSet::new(spec.default_points()),
            bos: None,
            pool: Pool::None,
            special_tokens: special,
            dtype,
            budget: Budget::default(),
        };
        let run = folder.path().join("run");
        let control = Control {
            resume: false,
            force: true,
            part: None,
            stop: &AtomicBool::new(false),
            progress: &|_| {},
        };
        let bytes = extract(&plan, &run, &control).unwrap().bytes;
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(format!("write {dtype:?}"), |b| {
            b.iter(|| extract(&plan, &run, &control).unwrap())
        });
        let run = Run::open(&run).unwrap();
        let point = run.point_names().remove(1);
        let column = run.vectors(&point).unwrap().values.len() * dtype.size();
        group.throughput(Throughput::Bytes(column as u64));
        group.bench_function(format!("read {dtype:?}"), |b| {
            b.iter(|| run.vectors(&point).unwrap())
        });
    }
    group.finish();
}

criterion_group!(benches, store);
criterion_main!(benches);
