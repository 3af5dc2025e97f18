//! `plumb models`: the families that can be loaded.

use crate::model::FAMILIES;
use crate::report::table::{Align, Table, stdout_is_styled};
use serde_json::json;

/// List the families of models that plumb loads.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumb models")]
pub(super) struct Args {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    if args.json {
        let families: Vec<_> = FAMILIES
            .iter()
            .map(|f| json!({"model_type": f.name, "about": f.about}))
            .collect();
        let result = json!({"schema_version": 1, "families": families});
        return Ok(format!("{}\n", serde_json::to_string_pretty(&result)?));
    }
    let mut table = Table::new([("model_type", Align::Left), ("what it is", Align::Left)])
        .styled(stdout_is_styled());
    for family in FAMILIES {
        table.row([family.name, family.about]);
    }
    Ok(table.to_string())
}
