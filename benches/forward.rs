//! Tokens a second through the forward pass, all hidden states recorded: a MiniLM-shaped encoder and a Llama-shaped decoder with
//! random weights, 64 texts of 8 to 60 tokens in one packed batch.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench may fail, and criterion's macros document nothing"
)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use plumb::hook::{HookSet, Recorder};
use plumb::model::{ArchSpec, Head, Model, RandomWeights, Transformer, read_spec};
use plumb::text::batch::Batch;
use rand::{Rng, SeedableRng};
use std::path::Path;

fn spec(golden: &str, d_model: usize, n_layers: usize, n_heads: usize, d_mlp: usize) -> ArchSpec {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let (spec, _) = read_spec(&root.join(golden).join("config.json"), &|_| false).unwrap();
    ArchSpec {
        d_model,
        n_layers,
        n_heads,
        n_kv_heads: n_heads,
        d_head: d_model / n_heads,
        d_mlp,
        head: Head::None,
        ..spec
    }
}

fn forward(c: &mut Criterion) {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let texts: Vec<Vec<u32>> = (0..64)
        .map(|_| {
            let length = rng.random_range(8..=60);
            (0..length).map(|_| rng.random_range(3..96)).collect()
        })
        .collect();
    let batch = Batch::new(&texts).unwrap();
    let mut group = c.benchmark_group("forward");
    group.throughput(Throughput::Elements(batch.tokens() as u64));
    group.sample_size(10);
    for (name, spec) in [
        ("minilm", spec("bert", 384, 6, 12, 1536)),
        ("llama-512", spec("llama", 512, 8, 8, 1408)),
    ] {
        let model = Transformer::build(spec, &mut RandomWeights::new(0)).unwrap();
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut recorder = Recorder::new(HookSet::new(model.spec().default_points()));
                model.forward(&batch, &mut recorder).unwrap();
                recorder
            })
        });
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
