//! `plumb probe`: a probe a layer, with controls, as table and chart.

mod files;
mod kinds;
mod rows;

use super::output::{OutputFolder, command_line, progress_bar};
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::{
    Companions, DEFAULT_GRID, Kind, LabelledRows, Labels, Lambda, LayerResult, SweepParams,
    group_ids, labels_of, natural_kind, probe_layer_with, spelled,
};
use crate::error::{Error, Result};
use crate::report::kinds::{Cosines, KindLayers, cosines, cosines_chart, kinds_chart};
use crate::report::probe::{ProbeReport, SCHEMA_VERSION, Source, SplitCard, ranges_of};
use crate::report::table::stdout_is_styled;
use crate::text::dataset::Values;
use crate::text::split::{self, Split};
use kinds::KindArgs;
use rows::{RowArgs, Rows};
use std::path::{Path, PathBuf};

/// Train a linear probe on every hook point of a run, beside its controls.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb probe run/ --label truth --group entity
  plumb probe run/ --label label --split-column split --lambda 0.01 --out probe/
  plumb probe run/ --label latitude,longitude --kind ridge
  plumb probe dev/ --test-run test/ --label upos --subwords last      words of CoNLL-U files, extracted with --pool none
  plumb probe run/ --label country --span-column city                 the tokens of an entity
  plumb probe run/ --label truth --per-head                           every head of attn_z by itself

Features are standardised with the statistics of the training rows. The penalty λ is the same for all kinds: mean loss
+ λ/2·‖W‖², the intercept free (scikit-learn's C is 1/(n·λ), its ridge alpha is n·λ). Beside each score stand the majority
class (or the mean) and the mean over probes trained on shuffled labels.")]
pub(super) struct Args {
    /// Folder of a run
    run: PathBuf,
    /// Column with the label; several numeric ones, separated by commas, are learned together
    #[arg(long, value_name = "C,…", value_delimiter = ',', required = true)]
    label: Vec<String>,
    #[command(flatten)]
    rows: RowArgs,
    #[command(flatten)]
    kinds: KindArgs,
    /// Penalty; default: chosen for each layer by 5 folds of the training rows
    #[arg(long, value_name = "X")]
    lambda: Option<f64>,
    /// Column whose equal values stay together in training or in test
    #[arg(long, value_name = "C")]
    group: Option<String>,
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
    /// Seed of split, folds, shuffles and resamples
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Probes on shuffled labels to average
    #[arg(long, value_name = "N", default_value_t = 5)]
    shuffles: usize,
    /// Folder to make, with probe.json, the chart (.svg, .png, and its numbers as .parquet) and the trained probes (probes/, for `plumb score`)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the output folder
    #[arg(long)]
    force: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// No progress bar
    #[arg(long)]
    quiet: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<String> {
    let shown = args.run.clone();
    run_as(args, command_line(), &shown)
}

/// Runs under a command line and a name of the run that differ from what the process was called with.
pub(super) fn run_as(args: Args, command: String, shown: &Path) -> anyhow::Result<String> {
    let run = Rows::open(&args.run, &args.rows, &args.label)?;
    let task = Task::read(&args, &run)?;
    let out = match &args.out {
        Some(path) => Some(OutputFolder::open(path, "probe.json", args.force)?),
        None => None,
    };
    let (layers, kinds) = sweep(&run, &task, args.quiet)?;
    let report = ProbeReport {
        schema_version: SCHEMA_VERSION,
        command,
        label: args.label.clone(),
        cosines: all_cosines(task.params.kind, &layers, &kinds),
        layers,
        kinds,
        source: Source::new(shown, run.run().manifest()),
        test_source: args
            .rows
            .test_run
            .as_ref()
            .zip(run.manifests().nth(1))
            .map(|(path, manifest)| Source::new(path, manifest)),
        rows: run.card(),
        params: task.params,
        split: task.card,
    };
    let json = format!("{}\n", serde_json::to_string_pretty(&report)?);
    if let Some(out) = out {
        out.write("probe.json", json.as_bytes())?;
        out.write_figure("chart", &report.chart())?;
        let probes = files::probe_files(&report, &run)?;
        if !probes.is_empty() {
            out.write_folder("probes", &probes)?;
        }
        if !report.kinds.is_empty() {
            out.write_figure("kinds", &kinds_chart(&report))?;
        }
        if let Some(figure) = cosines_chart(&report) {
            out.write_figure("cosines", &figure)?;
        }
        out.publish()?;
    }
    match args.json {
        true => Ok(json),
        false => Ok(report.table(stdout_is_styled())),
    }
}

/// What is to be learned from which rows, checked before any layer is read.
struct Task {
    params: SweepParams,
    /// Kinds beside that of the parameters.
    others: Vec<Kind>,
    companions: Companions,
    labelled: LabelledRows,
    groups: Option<Vec<usize>>,
    split: Split,
    card: SplitCard,
}

impl Task {
    fn read(args: &Args, run: &Rows) -> Result<Self> {
        let columns: Vec<(String, Values)> = args
            .label
            .iter()
            .map(|name| Ok((name.clone(), run.column(name)?)))
            .collect::<Result<_>>()?;
        let kinds = args.kinds.kinds(natural_kind(&columns))?;
        let kind = kinds.first().copied().unwrap_or(Kind::Logistic);
        let params = SweepParams {
            lambda: match args.lambda {
                Some(lambda) => Lambda::Fixed(lambda),
                None => Lambda::Choose {
                    grid: DEFAULT_GRID.to_vec(),
                    folds: 5,
                },
            },
            seed: args.seed,
            shuffles: args.shuffles,
            k: args.kinds.k,
            ..SweepParams::new(kind)
        };
        params.check()?;
        let labelled = labels_of(&columns, kind)?;
        refuse_one_class(&labelled)?;
        let groups = match &args.group {
            Some(column) => Some(group_ids(&run.column(column)?)),
            None => run.texts(),
        };
        let split = divide(args, run, &labelled, groups.as_deref())?;
        let card = SplitCard {
            how: match (&args.rows.test_run, &args.split_column, &args.group) {
                (Some(test), ..) => format!("tested on {}", test.display()),
                (_, Some(column), _) => format!("column {column}"),
                (_, None, Some(column)) => format!("grouped by {column}"),
                (_, None, None) if groups.is_some() => "grouped by text".to_owned(),
                (_, None, None) => "stratified".to_owned(),
            },
            train: split.train.len(),
            test: split.test.len(),
            unlabelled: run.len() - labelled.rows.len(),
            left_out: split.left_out.clone(),
            train_rows: ranges_of(&split.train),
            test_rows: ranges_of(&split.test),
        };
        Ok(Self {
            params,
            others: kinds.into_iter().skip(1).collect(),
            companions: args.kinds.companions(run)?,
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

/// The rows to train and to test on, among those that have a label.
fn divide(
    args: &Args,
    run: &Rows,
    labelled: &LabelledRows,
    groups: Option<&[usize]>,
) -> Result<Split> {
    let rows = &labelled.rows;
    let of_labelled = match &args.split_column {
        None if args.rows.test_run.is_some() => {
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

/// Layer after layer: memory holds one. Returns the layers of the headline's kind, and those of the others.
fn sweep(run: &Rows, task: &Task, quiet: bool) -> Result<(Vec<LayerResult>, Vec<KindLayers>)> {
    let points = run.points();
    let bar = progress_bar(points.len() as u64, "layers", quiet);
    let mut layers = Vec::new();
    let other = |kind: &Kind| KindLayers {
        kind: *kind,
        layers: Vec::new(),
    };
    let mut others: Vec<KindLayers> = task.others.iter().map(other).collect();
    for point in &points {
        for (name, x) in run.matrices(point)? {
            layers.push(probe_one(&name, &x, task, &task.params)?);
            for other in &mut others {
                let params = SweepParams {
                    kind: other.kind,
                    ..task.params.clone()
                };
                other.layers.push(probe_one(&name, &x, task, &params)?);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((layers, others))
}

fn probe_one(name: &str, x: &Matrix, task: &Task, params: &SweepParams) -> Result<LayerResult> {
    let (labels, groups) = (&task.labelled.labels, task.groups.as_deref());
    probe_layer_with(
        name,
        x,
        labels,
        &task.split,
        groups,
        &task.companions,
        params,
    )
}

fn all_cosines(kind: Kind, layers: &[LayerResult], others: &[KindLayers]) -> Vec<Cosines> {
    if others.is_empty() {
        return Vec::new();
    }
    let at = |(i, layer)| {
        let rest = others
            .iter()
            .filter_map(|o| Some((o.kind, o.layers.get(i)?)));
        let probes: Vec<(Kind, &LayerResult)> =
            std::iter::once((kind, layer)).chain(rest).collect();
        cosines(&probes)
    };
    layers.iter().enumerate().filter_map(at).collect()
}
