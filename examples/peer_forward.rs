//! The forward pass for `benches/peers/bench_forward.py`, which runs other programs in turn with it.
//!
//! Reads texts as token ids (JSON, a list of lists), then for each line on standard input runs all of them through the model, every hidden
//! state recorded, and prints the seconds and the mean magnitude of the hidden states (so that both sides can see that they compute the
//! same). `--limit` prints the billions of operations a second that matrix products reach, on one core and on all threads at once.

use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use clap::Parser;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use plumb::hook::{HookPoint, HookSet, Recorder, Site};
use plumb::model::{Model, ModelSource, Transformer, load, ops};
use plumb::text::batch::Batch;
use std::io::BufRead;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Runs texts through a model, again for each line on standard input.
#[derive(Debug, Parser)]
struct Args {
    /// Folder of a model, or `builtin`
    #[arg(long, default_value = "builtin")]
    model: String,
    /// JSON file with a list of lists of token ids
    #[arg(long)]
    ids: Option<PathBuf>,
    /// Tokens that pass the model together
    #[arg(long, default_value_t = 512)]
    batch_tokens: usize,
    /// Measure matrix products instead
    #[arg(long)]
    limit: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if args.limit {
        println!(
            "{}",
            serde_json::json!({"one": limit(1)?, "all": limit(rayon::current_num_threads())?})
        );
        return Ok(());
    }
    let model = load(&ModelSource::named(&args.model))?.model;
    let ids = std::fs::read(args.ids.context("give --ids")?)?;
    let mut texts: Vec<Vec<u32>> = serde_json::from_slice(&ids)?;
    texts.sort_by_key(|t| std::cmp::Reverse(t.len()));
    let batches = packed(&texts, args.batch_tokens)?;
    let tokens: usize = texts.iter().map(Vec::len).sum();
    let flops = model.spec().flops_per_token(model.spec().n_layers, 0);
    println!(
        "{}",
        serde_json::json!({"tokens": tokens, "flops_per_token": flops})
    );
    for line in std::io::stdin().lock().lines() {
        line?;
        let begin = Instant::now();
        let recorders = forward(&model, &batches)?;
        let seconds = begin.elapsed().as_secs_f64();
        println!(
            "{}",
            serde_json::json!({"seconds": seconds, "magnitude": magnitude(&model, &recorders)?})
        );
    }
    Ok(())
}

/// Batches of neighbouring texts.
fn packed(texts: &[Vec<u32>], most: usize) -> Result<Vec<Batch>> {
    let mut batches: Vec<Vec<&[u32]>> = Vec::new();
    let mut tokens = 0;
    for text in texts {
        match batches.last_mut() {
            Some(batch) if tokens + text.len() <= most => batch.push(text),
            _ => {
                batches.push(vec![text]);
                tokens = 0;
            }
        }
        tokens += text.len();
    }
    Ok(batches
        .iter()
        .map(|b| Batch::new(b))
        .collect::<Result<_, _>>()?)
}

/// Every thread runs whole batches.
fn forward(model: &Transformer, batches: &[Batch]) -> Result<Vec<Recorder>> {
    let next = AtomicUsize::new(0);
    let recorders = Mutex::new(Vec::new());
    let results = rayon::broadcast(|_| {
        ops::alone(|| -> Result<()> {
            while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut recorder = Recorder::new(HookSet::new(model.spec().default_points()));
                model.forward(batch, &mut recorder)?;
                recorders.lock().ok().context("poisoned")?.push(recorder);
            }
            Ok(())
        })
    });
    results.into_iter().collect::<Result<()>>()?;
    recorders.into_inner().ok().context("poisoned")
}

/// The mean magnitude of what block 0 reads and of what each block but the last leaves.
fn magnitude(model: &Transformer, recorders: &[Recorder]) -> Result<f64> {
    let mut points = vec![HookPoint::block(0, Site::ResidPre)?];
    for layer in 1..model.spec().n_layers {
        points.push(HookPoint::block(layer - 1, Site::ResidPost)?);
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for recorder in recorders {
        for point in &points {
            let values = recorder.get(*point)?.flatten_all()?.to_vec1::<f32>()?;
            sum += values.iter().map(|v| f64::from(v.abs())).sum::<f64>();
            count += values.len() as f64;
        }
    }
    Ok(sum / count)
}

/// The best that matrix products of MiniLM's shapes reach on so many threads at once, each with products of its own: `faer`'s
/// and ours, in billions of operations a second.
fn limit(threads: usize) -> Result<serde_json::Value> {
    let [rows, inner, columns] = [512, 384, 1536];
    let x = Tensor::rand(-1f32, 1.0, (rows, inner), &Device::Cpu)?;
    let weight = Tensor::rand(-1f32, 1.0, (columns, inner), &Device::Cpu)?;
    let matrix = ops::Matrix::new(weight.clone())?;
    let (a, b) = (
        Mat::<f32>::full(rows, inner, 0.5),
        Mat::<f32>::full(columns, inner, 0.25),
    );
    let time = |f: &(dyn Fn() -> Result<()> + Sync)| -> Result<f64> {
        let mut best = 0f64;
        for _ in 0..5 {
            let times = 20;
            let begin = Instant::now();
            let run = || ops::alone(|| (0..times).try_for_each(|_| f()));
            std::thread::scope(|scope| {
                let all: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
                all.into_iter()
                    .try_for_each(|t| t.join().ok().context("a thread died")?)
            })?;
            let operations = (2 * rows * inner * columns * times * threads) as f64;
            best = best.max(operations / begin.elapsed().as_secs_f64() / 1e9);
        }
        Ok(best)
    };
    let of_faer = time(&|| {
        let mut out = Mat::<f32>::zeros(rows, columns);
        matmul(&mut out, Accum::Replace, &a, b.transpose(), 1.0, Par::Seq);
        std::hint::black_box(out);
        Ok(())
    })?;
    let ours = time(&|| {
        std::hint::black_box(matrix.apply(&x, None)?);
        Ok(())
    })?;
    Ok(serde_json::json!({"faer": of_faer, "ours": ours}))
}
