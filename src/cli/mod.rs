//! The doors: what was typed -> checked plan -> run -> result out.
//!
//! Standard output is the result, standard error is progress and messages. The exit code is 0, 1 (it failed; one sentence
//! says why and what to do), 2 (the command line is at fault) or 130 (Ctrl-C).

mod again;
mod chart_files;
mod completions;
mod delivery;
mod demo;
mod divide;
mod drift;
mod extract;
mod gate;
mod geometry;
mod inspect;
mod lens;
mod line;
mod man;
mod map;
mod merge;
mod model;
mod models;
mod nearest;
mod notebook;
mod output;
mod probe;
mod report;
mod run;
mod score;
mod tokenize;
mod transfer;
mod verify;

use crate::error::Error;
use clap::{Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;

/// A workbench for looking inside transformer language models.
#[derive(Debug, Parser)]
#[command(name = "plumb", version, max_term_width = 110)]
#[command(
    after_help = "Start with `plumb demo`, which needs no network, or `plumb extract --help`."
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Extract(extract::Args),
    Verify(verify::Args),
    Merge(merge::Args),
    Probe(probe::Args),
    Transfer(transfer::Args),
    Run(run::Args),
    Score(score::Args),
    Map(map::Args),
    Lens(lens::Args),
    Nearest(nearest::Args),
    Geometry(geometry::Args),
    Drift(Box<drift::Args>),
    Gate(gate::Args),
    Report(report::Args),
    Notebook(notebook::Args),
    Models(models::Args),
    Inspect(inspect::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let args = Args::parse();
    // Silent unless RUST_LOG asks.
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("off")).init();
    silence_panics();
    match std::panic::catch_unwind(|| run(args)) {
        Ok(Ok(result)) => print(&result),
        Ok(Err(error)) => say(&error),
        Err(_) => {
            let place = PANIC.lock().map(|p| p.clone()).unwrap_or_default();
            eprintln!(
                "error: plumb met an internal fault ({place}); please report it with the command"
            );
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; what it returns is its result, for standard output.
fn run(args: Args) -> anyhow::Result<String> {
    match args.command {
        Command::Demo(args) => demo::run(&args),
        Command::Extract(args) => extract::run(args),
        Command::Verify(args) => verify::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Probe(args) => probe::run(args),
        Command::Transfer(args) => transfer::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Map(args) => map::run(&args),
        Command::Lens(args) => lens::run(&args),
        Command::Nearest(args) => nearest::run(args),
        Command::Geometry(args) => geometry::run(args),
        Command::Drift(args) => drift::run(*args),
        Command::Gate(args) => {
            let outcome = gate::run(&args)?;
            match outcome.failed {
                None => Ok(outcome.result),
                Some(error) => {
                    // What was found is the result also where it closes the gate.
                    print(&outcome.result);
                    Err(error.into())
                }
            }
        }
        Command::Report(args) => report::run(&args),
        Command::Notebook(args) => notebook::run(&args),
        Command::Models(args) => models::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// A reader that closed the pipe (`plumb … | head`) has seen what it wanted.
fn print(result: &str) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match stdout
        .write_all(result.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: the result could not be written to standard output: {e}");
            ExitCode::FAILURE
        }
    }
}

fn say(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error}");
    match error.downcast_ref::<Error>() {
        Some(error) if error.is_usage() => ExitCode::from(2),
        // As shells count: 128 and the signal.
        Some(Error::Interrupted { .. }) => ExitCode::from(130),
        _ => ExitCode::FAILURE,
    }
}

/// Where the last panic happened.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// A panic is a fault of ours; users get one sentence instead of a backtrace. (Some libraries panic on hostile files; where
/// that is known, the reader catches it, and nothing should be printed at all.)
fn silence_panics() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if let Ok(mut last) = PANIC.lock() {
            *last = match info.payload_as_str() {
                Some(message) => format!("{message}, at {place}"),
                None => place,
            };
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::collections::BTreeSet;

    /// clap says this of debug builds alone.
    fn refuse_equal_names(command: &clap::Command, path: &str) {
        let mut names = BTreeSet::new();
        for option in command.get_arguments() {
            let aliases = option.get_long_and_visible_aliases().unwrap_or_default();
            for name in aliases {
                assert!(names.insert(name), "{path} has two options --{name}");
            }
        }
        for inner in command.get_subcommands() {
            refuse_equal_names(inner, &format!("{path} {}", inner.get_name()));
        }
    }

    #[test]
    fn no_command_has_two_options_of_one_name() {
        refuse_equal_names(&Args::command(), "plumb");
    }

    #[test]
    fn every_command_that_draws_writes_its_chart_to_single_files() {
        let command = Args::command();
        let drawing = command.get_subcommands().filter(|c| {
            let has = |id: &str| c.get_arguments().any(|a| a.get_id() == id);
            has("svg") && has("png") && has("chart_data")
        });
        let names: Vec<&str> = drawing.map(clap::Command::get_name).collect();
        let expected = [
            "probe", "transfer", "score", "map", "lens", "nearest", "geometry", "drift", "gate",
        ];
        assert_eq!(names, expected);
    }
}
