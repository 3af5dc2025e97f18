//! The rows of a run that a command's own probe is trained and tested on.

use crate::analysis::probe::{LabelledRows, Labels, spelled};
use crate::error::Result;
use crate::store::Run;
use crate::text::split::{self, Split};

/// Rows to test on, where no column says so.
const TEST_FRACTION: f64 = 0.2;

/// The rows of a split column, or a seeded split, stratified by class.
///
/// # Errors
/// As [`split::from_column`] and [`split::stratified`], with the name of the label.
pub(super) fn divided(
    run: &Run,
    labelled: &LabelledRows,
    split_column: Option<&str>,
    seed: u64,
    label: &str,
) -> Result<Split> {
    let rows = &labelled.rows;
    let split = match split_column {
        Some(name) => {
            let values = run.column(name)?;
            let cells: Vec<Option<String>> = rows.iter().map(|r| spelled(&values, *r)).collect();
            split::from_column(name, &cells)?
        }
        None => {
            let strata: Vec<usize> = match &labelled.labels {
                Labels::Classes { of_row, .. } => rows.iter().map(|r| of_row[*r]).collect(),
                Labels::Numbers { .. } => vec![0; rows.len()],
            };
            let made = split::stratified(&strata, None, TEST_FRACTION, seed);
            made.map_err(|e| e.named(label, |class| format!("class {class}")))?
        }
    };
    let global = |part: &[usize]| part.iter().map(|i| rows[*i]).collect();
    Ok(Split {
        train: global(&split.train),
        test: global(&split.test),
        left_out: split.left_out,
    })
}
