//! Prints what is in the built-in model, for its card: `cargo run --release --example model_card -- [--model DIR|builtin]`.
//!
//! A table in Markdown: what a probe of each layer finds of each concept, its controls, and the same probe on the same
//! architecture with the weights of before training; and the perplexity of documents that were not trained on.

#[path = "../datasets/answers.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod answers;
#[path = "../datasets/world/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    reason = "the examples that write the sets and train use the rest"
)]
mod world;

use answers::{QUESTIONS, Question};
use anyhow::{Context, Result};
use clap::Parser;
use plumb::analysis::probe::{LayerResult, SweepParams};
use plumb::hook::NoHook;
use plumb::model::{Model, ModelSource, RandomWeights, Transformer, load, ops};
use plumb::text::batch::Batch;
use plumb::text::tokens::Tokenizer;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use world::{Corpus, Lesson, SEED, Split, World};

/// Documents on which perplexity is measured: those that `train_builtin` measures it on.
const DOCUMENTS: usize = 2_000;
/// Documents that pass the model together.
const BATCH: usize = 100;

/// Prints what is in the built-in model, for its card.
#[derive(Debug, Parser)]
struct Args {
    /// Folder of a model, or `builtin`
    #[arg(long, default_value = "builtin")]
    model: String,
    /// Folder of the committed sets
    #[arg(long, default_value = "datasets")]
    data: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let source = ModelSource::named(&args.model);
    let model = load(&source)?.model;
    let file = "tokenizer.json";
    let tokenizer = Tokenizer::from_bytes(&source.read(file)?, &source.path(file))?;
    println!("{}", perplexities(&model, &tokenizer)?);
    print_table(&args.data, &model, &tokenizer)
}

/// A row for each concept, a column for each layer; rows appear as they are ready.
fn print_table(data: &Path, model: &Transformer, tokenizer: &Tokenizer) -> Result<()> {
    let untrained = RandomWeights::for_training(SEED, 1.0);
    let untrained = Transformer::build(model.spec().clone(), &mut { untrained })?;
    let points = model.spec().default_points();
    let names: Vec<String> = points.iter().map(ToString::to_string).collect();
    let names = names.join(" | ");
    println!("| concept | score | {names} | constant | shuffled | untrained |");
    println!("|---|---|{}", "---:|".repeat(points.len() + 3));
    for question in QUESTIONS {
        let params = SweepParams {
            bootstrap: 0,
            ..question.params()
        };
        let layers = question.ask(data, model, tokenizer, &params)?;
        // Of the untrained model only the scores are shown.
        let params = SweepParams {
            shuffles: 0,
            ..params
        };
        let before = question.ask(data, &untrained, tokenizer, &params)?;
        println!("{}", row(&question, &layers, &before)?);
    }
    Ok(())
}

fn row(question: &Question, layers: &[LayerResult], untrained: &[LayerResult]) -> Result<String> {
    let scores = scores(question, layers)?;
    let best = best(&scores)?;
    let mut row = format!("| {} | {} |", question.concept, spoken(question.metric));
    for (layer, score) in scores.iter().enumerate() {
        match layer == best {
            true => write!(row, " **{score:.2}** |")?,
            false => write!(row, " {score:.2} |")?,
        }
    }
    let controls = layers[best].controls.clone();
    let shuffled = controls.shuffled.context("shuffles were asked for")?;
    let before = self::scores(question, untrained)?;
    let before = before[self::best(&before)?];
    // What rounds to zero from below is zero.
    let [majority, shuffled, before] =
        [controls.majority, shuffled, before].map(|x| (x * 100.0).round() / 100.0 + 0.0);
    write!(row, " {majority:.2} | {shuffled:.2} | {before:.2} |")?;
    Ok(row)
}

fn scores(question: &Question, layers: &[LayerResult]) -> Result<Vec<f64>> {
    let score = |layer: &LayerResult| {
        let found = layer.metrics.get(question.metric);
        let missing = || format!("{}: no {}", question.concept, question.metric);
        Ok(found.with_context(missing)?.value)
    };
    layers.iter().map(score).collect()
}

/// The first of the layers with the highest score.
fn best(scores: &[f64]) -> Result<usize> {
    let order = (0..scores.len()).rev();
    order
        .max_by(|a, b| scores[*a].total_cmp(&scores[*b]))
        .context("a model without layers")
}

fn spoken(metric: &str) -> &str {
    match metric {
        "r2" => "R²",
        "balanced_accuracy" => "balanced accuracy",
        other => other,
    }
}

/// One line for each side of the corpus.
fn perplexities(model: &Transformer, tokenizer: &Tokenizer) -> Result<String> {
    let world = World::written()?;
    let mut lines = String::new();
    for (what, side) in [
        ("new documents of the training side", Split::Train),
        ("held-out documents", Split::Test),
    ] {
        // The training has read the documents of SEED itself.
        let mut corpus = Corpus::new(&world, SEED + 1, side);
        let texts: Vec<String> = (0..DOCUMENTS)
            .map(|_| corpus.document(Lesson::All))
            .collect();
        let perplexity = perplexity(model, tokenizer, &texts)?;
        writeln!(lines, "{what}: perplexity {perplexity:.2} a token")?;
    }
    Ok(lines)
}

/// Of every token after the first, the end of the document among them.
fn perplexity(model: &Transformer, tokenizer: &Tokenizer, texts: &[String]) -> Result<f64> {
    let end = tokenizer.token_to_id("</s>");
    let end = end.context("the tokenizer has no `</s>`, which ends the documents of the corpus")?;
    let tokens = tokenizer.encode_all(texts, Some(model.spec().context))?;
    let (mut nats, mut count) = (0.0, 0);
    for tokens in tokens.chunks(BATCH) {
        let ids: Vec<&[u32]> = tokens.iter().map(|t| t.ids.as_slice()).collect();
        let batch = Batch::new(&ids)?;
        let following = |text: &usize| ids[*text][1..].iter().copied().chain([end]);
        let targets: Vec<u32> = batch.order().iter().flat_map(following).collect();
        let output = model.forward(&batch, &mut NoHook)?;
        let logits = output.and_then(|o| o.logits).context("no logits")?;
        nats += f64::from(ops::cross_entropy(&logits, &targets)?.to_scalar::<f32>()?);
        count += targets.len();
    }
    Ok((nats / count as f64).exp())
}
