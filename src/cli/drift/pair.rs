//! One pair of texts, token by token.

use super::Args;
use super::inputs::reader;
use crate::analysis::drift::drift_of_pair;
use crate::cli::model::fetched;
use crate::cli::output::command_line;
use crate::error::Error;
use crate::model::load;
use crate::report::drift::pair::PairReport;
use crate::report::table::stdout_is_styled;
use crate::text::tokens::Tokenizer;

pub(super) fn run(args: &Args, original: &str, edited: &str) -> anyhow::Result<String> {
    for (name, text) in [("original", original), ("edited", edited)] {
        if text.trim().is_empty() {
            return Err(Error::BadParameter {
                name,
                value: format!("`{text}`"),
                problem: "the text is empty".to_owned(),
            }
            .into());
        }
    }
    let out = args.out()?;
    let source = fetched(&args.model, args.quiet)?;
    let model = load(&source)?;
    let tokenizer = Tokenizer::open(&source)?;
    let points = args.points(&model)?;
    let drift = drift_of_pair(
        reader(&model, &tokenizer),
        &points,
        &args.pool(),
        original,
        edited,
    )?;
    let report = PairReport::new(
        command_line(),
        args.model.to_string(),
        model.weights_sha256.clone(),
        (original.to_owned(), edited.to_owned()),
        drift,
    );
    let json = format!("{}\n", serde_json::to_string_pretty(&report)?);
    if let Some(out) = out {
        out.write("drift.json", json.as_bytes())?;
        out.write_figure("chart", &report.chart())?;
        out.publish()?;
    }
    match args.json {
        true => Ok(json),
        false => Ok(report.table(stdout_is_styled())),
    }
}
