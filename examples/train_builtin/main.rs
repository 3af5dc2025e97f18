//! Trains the built-in model on the written world: `cargo run --release --example train_builtin -- --out models/plumb-tiny`.
//!
//! The corpus comes from the generator in `datasets/world` and one seed; nothing is downloaded, and no document is read twice. The
//! same seed on the same kind of processor gives the same bytes: each step's documents are halved, each half is
//! differentiated on a thread of its own, and the halves are summed in a fixed order, whatever the number of cores.

mod documents;
mod training;
#[path = "../../datasets/world/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the example that writes the data sets uses the rest"
)]
mod world;

use anyhow::{Context, Result, anyhow};
use candle_core::DType;
use clap::Parser;
use documents::{BEGIN, END, Reader, pack};
use plumb::model::{ModelSource, read_spec, write_checkpoint};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use training::{Training, loss};
use world::{Corpus, Lesson, SEED, Split, World};

/// Tokens of a text that the model takes; those of the corpus are shorter by far.
const CONTEXT: usize = 512;
/// Documents on which perplexity is measured.
const HELD_OUT: usize = 2_000;

/// Trains the built-in model on the written world.
#[derive(Debug, Parser)]
struct Recipe {
    /// Folder of the model.
    #[arg(long, default_value = "models/plumb-tiny")]
    out: PathBuf,
    /// Folder for the weights of every 500th step; none are kept without it.
    #[arg(long)]
    checkpoints: Option<PathBuf>,
    /// Weights to go on from, `step-N.safetensors` among the checkpoints. AdamW's moments begin anew, so that the result differs
    /// from that of a training in one go.
    #[arg(long)]
    resume: Option<PathBuf>,
    /// Of the corpus, the first weights and the spelling.
    #[arg(long, default_value_t = SEED)]
    seed: u64,
    /// Steps of training.
    #[arg(long, default_value_t = 14_000)]
    steps: usize,
    /// Stop here, with the schedule of all the steps; for measuring.
    #[arg(long)]
    stop: Option<usize>,
    /// Steps at the beginning in which no document says whether something is true: first the world, then judging it.
    #[arg(long, default_value_t = 4_500)]
    facts: usize,
    /// The part of the documents that are read in pieces and bytes, so that these have a meaning too.
    #[arg(long, default_value_t = 0.02)]
    spell: f64,
    /// Documents a step.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Width of the residual stream.
    #[arg(long, default_value_t = 96)]
    width: usize,
    /// Blocks.
    #[arg(long, default_value_t = 4)]
    layers: usize,
    /// Heads of attention.
    #[arg(long, default_value_t = 4)]
    heads: usize,
    /// Width inside the MLP.
    #[arg(long, default_value_t = 256)]
    mlp: usize,
    /// Learning rate after the warm-up; it falls with a cosine to a fiftieth.
    #[arg(long, default_value_t = 2e-3)]
    rate: f64,
    /// Steps in which the learning rate rises.
    #[arg(long, default_value_t = 200)]
    warm_up: usize,
    /// Of matrices; norms do not decay.
    #[arg(long, default_value_t = 0.1)]
    weight_decay: f64,
    /// Gradients longer than this are scaled to it.
    #[arg(long, default_value_t = 1.0)]
    clip: f64,
}

impl Recipe {
    /// The learning rate of a step, counted from 0.
    fn rate_at(&self, step: usize) -> f64 {
        let warm = ((step + 1) as f64 / self.warm_up as f64).min(1.0);
        let turn = std::f64::consts::PI * step as f64 / self.steps as f64;
        self.rate * warm * (0.98 * 0.5 * (1.0 + turn.cos()) + 0.02)
    }
}

fn main() -> Result<()> {
    let recipe = Recipe::parse();
    let world = World::written()?;
    let tokenizer = world::tokenizer_json(&world).map_err(|e| anyhow!(e))?;
    let reader = Reader::new(&tokenizer)?;
    let config = config(&recipe, reader.vocabulary());
    write_json(&recipe.out, "tokenizer.json", &tokenizer)?;
    write_json(
        &recipe.out,
        "tokenizer_config.json",
        &tokenizer_config(&reader),
    )?;
    write_json(&recipe.out, "config.json", &config)?;
    let (spec, map) = read_spec(&recipe.out.join("config.json"), &|_| true)?;

    let mut training = Training::new(&recipe, spec)?;
    training.run(&world, &reader)?;
    write_checkpoint(&recipe.out, &training.weights(), &map, DType::F16)?;
    report(&recipe, &world, &reader)
}

/// The model folder's `config.json`, as transformers reads it.
fn config(recipe: &Recipe, vocabulary: usize) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": recipe.width,
        "intermediate_size": recipe.mlp,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.heads,
        "head_dim": recipe.width / recipe.heads,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "attention_bias": false,
        "mlp_bias": false,
        "tie_word_embeddings": true,
        "bos_token_id": BEGIN,
        "eos_token_id": END,
        // The file holds halves; computing is to be done in f32.
        "torch_dtype": "float32",
    })
}

fn tokenizer_config(reader: &Reader) -> Value {
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": reader.name(BEGIN),
        "eos_token": reader.name(END),
        "add_prefix_space": true,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": false,
    })
}

fn write_json(folder: &Path, name: &str, value: &Value) -> Result<()> {
    let path = folder.join(name);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, format!("{value:#}\n")))
        .with_context(|| format!("{}: cannot be written", path.display()))
}

/// Measures the model as it was written, in halves.
fn report(recipe: &Recipe, world: &World, reader: &Reader) -> Result<()> {
    let model = plumb::model::load(&ModelSource::folder(&recipe.out))?.model;
    for (what, side) in [
        ("documents of the training side, unseen", Split::Train),
        ("held-out documents", Split::Test),
    ] {
        let mut corpus = Corpus::new(world, recipe.seed + 1, side);
        let (mut nats, mut tokens) = (0.0, 0);
        for _ in 0..HELD_OUT / 100 {
            let texts = (0..100).map(|_| reader.read(&corpus.document(Lesson::All), false));
            let part = pack(&texts.collect::<Result<Vec<_>>>()?)?;
            nats += f64::from(loss(&model, &part)?.to_scalar::<f32>()?);
            tokens += part.0.tokens();
        }
        let nats = nats / tokens as f64;
        println!(
            "{what}: {nats:.4} nats a token, perplexity {:.3}",
            nats.exp()
        );
    }
    Ok(())
}
