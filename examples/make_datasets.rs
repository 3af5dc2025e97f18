//! Writes the committed data sets from the written world: `cargo run --release --example make_datasets -- datasets`.
//!
//! With `--corpus N [--facts] [--held-out] [--seed S]` it prints N documents of the training corpus instead, and with `--tokenizer` the
//! built-in model's `tokenizer.json`.

#[path = "../datasets/world/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the training example uses the rest"
)]
mod world;

use anyhow::{Context, Result, bail};
use std::io::Write as _;
use std::path::Path;
use world::{Corpus, Lesson, SEED, Split, World};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let world = World::written()?;
    match arguments.first().map(String::as_str) {
        Some("--corpus") => print_corpus(&world, &arguments[1..]),
        Some("--tokenizer") => {
            let tokenizer =
                world::tokenizer_json(&world).map_err(|problem| anyhow::anyhow!(problem))?;
            println!("{}", serde_json::to_string_pretty(&tokenizer)?);
            Ok(())
        }
        Some(folder) if !folder.starts_with("--") => write_sets(&world, Path::new(folder)),
        _ => bail!("give a folder, --tokenizer, or --corpus N [--facts] [--held-out] [--seed S]"),
    }
}

fn write_sets(world: &World, folder: &Path) -> Result<()> {
    for (name, table) in world::sets(world) {
        let path = folder.join(name);
        std::fs::write(&path, table.to_csv())
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        println!("{}: {} rows", path.display(), table.rows().len());
    }
    Ok(())
}

fn print_corpus(world: &World, arguments: &[String]) -> Result<()> {
    let count: usize = arguments
        .first()
        .context("--corpus needs a number")?
        .parse()?;
    let side = if arguments.iter().any(|argument| argument == "--held-out") {
        Split::Test
    } else {
        Split::Train
    };
    let seed = match arguments.iter().position(|argument| argument == "--seed") {
        Some(at) => arguments
            .get(at + 1)
            .context("--seed needs a number")?
            .parse()?,
        None => SEED,
    };
    let lesson = if arguments.iter().any(|argument| argument == "--facts") {
        Lesson::Facts
    } else {
        Lesson::All
    };
    let mut corpus = Corpus::new(world, seed, side);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for _ in 0..count {
        writeln!(out, "{}", corpus.document(lesson))?;
    }
    Ok(())
}
