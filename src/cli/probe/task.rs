//! What a probe learns from which rows: labels, groups, and how the rows are divided.

use super::rows::Rows;
use crate::analysis::probe::{Kind, LabelledRows, Labels, group_ids, labels_of, spelled};
use crate::error::{Error, Result};
use crate::report::probe::{SplitCard, ranges_of};
use crate::text::dataset::Values;
use crate::text::split::{self, Split};

/// Labels, groups and split.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TaskArgs {
    /// Column with the label; several numeric ones, separated by commas, are learned together
    #[arg(long, value_name = "C,…", value_delimiter = ',', required = true)]
    pub(in crate::cli) label: Vec<String>,
    /// Column whose equal values stay together in training or in test
    #[arg(long, value_name = "C")]
    pub(in crate::cli) group: Option<String>,
    /// Column that holds `train` and `test`; default: a seeded stratified split
    #[arg(long, value_name = "C")]
    split_column: Option<String>,
    /// Share of the rows to test on, without --split-column
    #[arg(
        long,
        value_name = "X",
        default_value_t = 0.2,
        conflicts_with = "split_column"
    )]
    test_fraction: f64,
    /// Only rows with this value of a column; may be given several times
    #[arg(long = "where", value_name = "C=VALUE")]
    only: Vec<String>,
    /// Seed of split, folds, shuffles and resamples
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(in crate::cli) seed: u64,
}

impl TaskArgs {
    /// The cells of the label columns.
    pub(in crate::cli) fn columns(&self, rows: &Rows) -> Result<Vec<(String, Values)>> {
        let named = self
            .label
            .iter()
            .map(|name| Ok((name.clone(), rows.column(name)?)));
        named.collect()
    }
}

/// What is to be learned from which rows, checked before any layer is read.
pub(in crate::cli) struct Task {
    pub(in crate::cli) labelled: LabelledRows,
    pub(in crate::cli) groups: Option<Vec<usize>>,
    pub(in crate::cli) split: Split,
    pub(in crate::cli) card: SplitCard,
}

impl Task {
    /// The task of a probe of this kind.
    pub(in crate::cli) fn read(
        args: &TaskArgs,
        columns: &[(String, Values)],
        kind: Kind,
        run: &Rows,
    ) -> Result<Self> {
        let mut labelled = labels_of(columns, kind)?;
        let unlabelled = run.len() - labelled.rows.len();
        keep_only(&args.only, run, &mut labelled)?;
        refuse_one_class(&labelled)?;
        let groups = match &args.group {
            Some(column) => Some(group_ids(&run.column(column)?)),
            None => run.texts(),
        };
        let split = divide(args, run, &labelled, groups.as_deref())?;
        let mut card = SplitCard {
            how: match (run.test_run(), &args.split_column, &args.group) {
                (Some(test), ..) => format!("tested on {}", test.display()),
                (_, Some(column), _) => format!("column {column}"),
                (_, None, Some(column)) => format!("grouped by {column}"),
                (_, None, None) if groups.is_some() => "grouped by text".to_owned(),
                (_, None, None) => "stratified".to_owned(),
            },
            train: split.train.len(),
            test: split.test.len(),
            unlabelled,
            left_out: split.left_out.clone(),
            train_rows: ranges_of(&split.train),
            test_rows: ranges_of(&split.test),
        };
        for only in &args.only {
            card.how += &format!(", where {only}");
        }
        Ok(Self {
            labelled,
            groups,
            split,
            card,
        })
    }
}

fn refuse_one_class(labelled: &LabelledRows) -> Result<()> {
    match &labelled.labels {
        Labels::Classes { column, names, .. } if names.len() < 2 => Err(Error::BadLabel {
            column: column.clone(),
            problem: format!(
                "every row has the label `{}`; a probe needs at least two classes",
                names.first().map_or("", String::as_str)
            ),
        }),
        _ => Ok(()),
    }
}

/// Leaves out the rows that were not asked for.
fn keep_only(only: &[String], run: &Rows, labelled: &mut LabelledRows) -> Result<()> {
    for condition in only {
        let bad = |problem: String| Error::BadParameter {
            name: "where",
            value: condition.clone(),
            problem,
        };
        let (column, wanted) = condition
            .split_once('=')
            .ok_or_else(|| bad("give a column and a value: --where template=plain".to_owned()))?;
        let values = run.column(column)?;
        labelled
            .rows
            .retain(|row| spelled(&values, *row).as_deref() == Some(wanted));
        if labelled.rows.is_empty() {
            let mut found: Vec<String> = (0..values.len())
                .filter_map(|r| spelled(&values, r))
                .collect();
            found.sort();
            found.dedup();
            found.truncate(10);
            return Err(bad(format!(
                "no row has it; the column holds {}",
                found.join(", ")
            )));
        }
    }
    Ok(())
}

/// The rows to train and to test on, among those that have a label.
fn divide(
    args: &TaskArgs,
    run: &Rows,
    labelled: &LabelledRows,
    groups: Option<&[usize]>,
) -> Result<Split> {
    let rows = &labelled.rows;
    let of_labelled = match &args.split_column {
        None if run.test_run().is_some() => {
            let split = split_of_runs(run, rows);
            if let (Some(groups), Some(column)) = (groups, &args.group) {
                refuse_straddling(&split, rows, groups, column)?;
            }
            split
        }
        Some(name) => {
            let values = run.column(name)?;
            let cells: Vec<Option<String>> = rows.iter().map(|r| spelled(&values, *r)).collect();
            let split = split::from_column(name, &cells)?;
            if let (Some(groups), Some(column)) = (groups, &args.group) {
                refuse_straddling(&split, rows, groups, column)?;
            }
            split
        }
        None => {
            let strata = strata(labelled);
            let groups: Option<Vec<usize>> = groups.map(|g| rows.iter().map(|r| g[*r]).collect());
            let made = split::stratified(&strata, groups.as_deref(), args.test_fraction, args.seed);
            made.map_err(|e| e.named(&args.label.join(","), |class| stratum_name(labelled, class)))?
        }
    };
    let global = |part: &[usize]| part.iter().map(|i| rows[*i]).collect();
    Ok(Split {
        train: global(&of_labelled.train),
        test: global(&of_labelled.test),
        left_out: of_labelled.left_out,
    })
}

/// Trains on the labelled rows of the first run, and tests on those of the second.
fn split_of_runs(run: &Rows, rows: &[usize]) -> Split {
    let first = run.parts().first().map_or(0, |p| p.end);
    let cut = rows.partition_point(|row| *row < first);
    Split {
        train: (0..cut).collect(),
        test: (cut..rows.len()).collect(),
        left_out: Vec::new(),
    }
}

/// A given split that cuts a group in two is the leak that `--group` is there to prevent.
fn refuse_straddling(split: &Split, rows: &[usize], groups: &[usize], column: &str) -> Result<()> {
    let train: std::collections::HashSet<usize> =
        split.train.iter().map(|i| groups[rows[*i]]).collect();
    match split
        .test
        .iter()
        .find(|i| train.contains(&groups[rows[**i]]))
    {
        None => Ok(()),
        Some(i) => Err(Error::BadLabel {
            column: column.to_owned(),
            problem: format!(
                "the group of row {} has rows in both parts of the split column; leave --split-column or --group out",
                rows[*i]
            ),
        }),
    }
}

/// The class of each labelled row; for numbers, which tenth of the rows it is in.
fn strata(labelled: &LabelledRows) -> Vec<usize> {
    match &labelled.labels {
        Labels::Classes { of_row, .. } => labelled.rows.iter().map(|r| of_row[*r]).collect(),
        Labels::Numbers { values, .. } => {
            let Some(first) = values.first() else {
                return vec![0; labelled.rows.len()];
            };
            let n = labelled.rows.len();
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|a, b| first[labelled.rows[*a]].total_cmp(&first[labelled.rows[*b]]));
            let bins = (n / 10).clamp(1, 10);
            let mut strata = vec![0; n];
            for (rank, i) in order.into_iter().enumerate() {
                strata[i] = rank * bins / n;
            }
            strata
        }
    }
}

fn stratum_name(labelled: &LabelledRows, class: usize) -> String {
    match &labelled.labels {
        Labels::Classes { names, .. } => names.get(class).cloned().unwrap_or_default(),
        Labels::Numbers { .. } => format!("part {} by size", class + 1),
    }
}
