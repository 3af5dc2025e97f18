//! One pair of texts, token by token.

use super::Args;
use super::inputs::reader;
use crate::analysis::drift::drift_of_pair;
use crate::cli::delivery::json_of;
use crate::cli::model::fetched;
use crate::cli::output::command_line;
use crate::error::Error;
use crate::model::load;
use crate::report::drift::pair::PairReport;
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
    let source = fetched(&args.model, args.delivery.quiet)?;
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
    let chart = || vec![("chart", report.chart())];
    Ok(out.deliver(json_of(&report)?, chart, |styled| report.table(styled))?)
}
