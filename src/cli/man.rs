//! `plumb man`: the manual pages.

use super::output::OutputFolder;
use crate::error::Error;
use clap::CommandFactory;
use clap_mangen::Man;
use std::path::PathBuf;

/// Print the manual page of plumb or of a command, or write them all to a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb man probe | man -l -
  plumb man --out man/man1")]
pub(super) struct Args {
    /// The command; plumb itself without one
    #[arg(conflicts_with = "out")]
    command: Option<String>,
    /// Folder to make, with a page for plumb and one for each command
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace a folder of pages
    #[arg(long, requires = "out")]
    force: bool,
}

/// The page by which a folder of pages is known.
const MARK: &str = "plumb.1";

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let mut plumb = super::Args::command();
    plumb.build();
    let Some(out) = &args.out else {
        let command = match &args.command {
            None => plumb,
            Some(name) => find(&plumb, name)?,
        };
        return Ok(String::from_utf8(page(command)?)?);
    };
    let folder = OutputFolder::open(out, MARK, args.force)?;
    let commands: Vec<clap::Command> = plumb.get_subcommands().cloned().collect();
    for command in commands.into_iter().filter(|c| c.get_name() != "help") {
        let name = format!("plumb-{}.1", command.get_name());
        folder.write(&name, &page(command)?)?;
    }
    folder.write(MARK, &page(plumb)?)?;
    folder.publish()?;
    Ok(format!("manual pages: {}\n", out.display()))
}

fn find(plumb: &clap::Command, name: &str) -> anyhow::Result<clap::Command> {
    match plumb.find_subcommand(name) {
        Some(command) => Ok(command.clone()),
        None => {
            let names: Vec<&str> = plumb
                .get_subcommands()
                .map(clap::Command::get_name)
                .collect();
            anyhow::bail!(Error::BadParameter {
                name: "COMMAND",
                value: name.to_owned(),
                problem: format!("plumb has {}", names.join(", ")),
            })
        }
    }
}

fn page(command: clap::Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}
