//! `plumb transfer`: probes trained in one place, tested in another.

use super::delivery::{Delivery, holds, json_of};
use super::output::{command_line, progress_bar};
use super::probe::kinds::KindArgs;
use super::probe::rows::{RowArgs, Rows};
use super::probe::task::{Task, TaskArgs};
use crate::analysis::inference::{Bootstrap, Estimate};
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::{
    Companions, DEFAULT_GRID, Kind, Lambda, LayerResult, Readout, SweepParams, natural_kind,
    probe_layer_with, score_readout,
};
use crate::error::{Error, Result};
use crate::report::probe::Source;
use crate::report::transfer::{Place, SCHEMA_VERSION, TransferReport};
use std::path::PathBuf;

/// Train probes in one place and test them in another: other data, other layers.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb transfer cities/ negated/ numbers/ --label truth --point blocks.3.resid_post      from data set to data set
  plumb transfer run/ --label truth --group entity --out transfer/                        from layer to layer

Each place is divided into training and test rows as `plumb probe` divides them; a probe is trained on the training rows of one and scored on the
test rows of all, so that the diagonal is the ordinary score. With several runs, they are those of one model at one hook point; with one run,
its hook points are the places (cells between spaces of different width stay empty).")]
#[command(mut_arg(
    "out",
    holds("transfer.json and the heat map (.svg, .png, and its numbers as .parquet)")
))]
pub(super) struct Args {
    /// Runs of one model
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    #[command(flatten)]
    task: TaskArgs,
    /// The hook point, with several runs
    #[arg(long, value_name = "POINT")]
    point: Option<String>,
    #[command(flatten)]
    rows: RowArgs,
    #[command(flatten)]
    kinds: KindArgs,
    /// Penalty; default: chosen for each place by 5 folds of its training rows
    #[arg(long, value_name = "X")]
    lambda: Option<f64>,
    #[command(flatten)]
    delivery: Delivery,
}

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let desks = desks(args)?;
    let out = args.delivery.open("transfer.json")?;
    let report = matrix(args, &desks)?;
    let chart = || vec![("chart", report.chart())];
    Ok(out.deliver(json_of(&report)?, chart, |styled| report.table(styled))?)
}

/// A run with what is to be learned from it.
struct Desk {
    path: PathBuf,
    rows: Rows,
    task: Task,
    companions: Companions,
    kind: Kind,
}

fn desks(args: &Args) -> Result<Vec<Desk>> {
    let bad = |name: &'static str, value: String, problem: &str| {
        Err(Error::BadParameter {
            name,
            value,
            problem: problem.to_owned(),
        })
    };
    if args.rows.test_run.is_some() {
        return bad(
            "test_run",
            String::new(),
            "give both runs to `plumb transfer` instead",
        );
    }
    if args.runs.len() > 1 && args.point.is_none() {
        return bad(
            "point",
            "none".to_owned(),
            "with several runs, say at which hook point: --point blocks.3.resid_post",
        );
    }
    let mut desks: Vec<Desk> = Vec::new();
    for path in &args.runs {
        let rows = Rows::open(path, &args.rows, &args.task.label)?;
        if let Some(first) = desks.first() {
            refuse_other_model(&rows, &first.rows)?;
        }
        let columns = args.task.columns(&rows)?;
        let kinds = args.kinds.kinds(natural_kind(&columns))?;
        let [kind] = kinds[..] else {
            return bad(
                "kinds",
                kinds.len().to_string(),
                "transfer is of one kind at a time; give --kind",
            );
        };
        desks.push(Desk {
            path: path.clone(),
            task: Task::read(&args.task, &columns, kind, &rows)?,
            companions: args.kinds.companions(&rows)?,
            rows,
            kind,
        });
    }
    Ok(desks)
}

/// Where a probe is trained and tested: a run, a hook point of it and, head by head, the number of the head.
struct Spot<'a> {
    desk: &'a Desk,
    point: String,
    head: usize,
    name: String,
}

impl Spot<'_> {
    fn matrix(&self) -> Result<Matrix> {
        let all = self.desk.rows.matrices(&self.point)?;
        let found = all.into_iter().nth(self.head).map(|(_, x)| x);
        found.ok_or_else(|| Error::NoSuchPoint {
            point: self.name.clone(),
            reason: "it has no such head".to_owned(),
        })
    }
}

fn spots<'a>(args: &Args, desks: &'a [Desk]) -> Result<Vec<Spot<'a>>> {
    let mut spots = Vec::new();
    for desk in desks {
        let points = match &args.point {
            Some(point) => vec![point.clone()],
            None => desk.rows.points(),
        };
        for point in points {
            for (head, name) in desk.rows.names(&point)?.into_iter().enumerate() {
                spots.push(Spot {
                    name: match desks.len() {
                        1 => name,
                        _ => desk.path.display().to_string(),
                    },
                    point: point.clone(),
                    head,
                    desk,
                });
            }
        }
    }
    match spots.len() {
        0 | 1 => Err(Error::BadParameter {
            name: "runs",
            value: spots.len().to_string(),
            problem:
                "a transfer needs two places: give several runs, or a run with several hook points"
                    .to_owned(),
        }),
        _ => Ok(spots),
    }
}

fn matrix(args: &Args, desks: &[Desk]) -> Result<TransferReport> {
    let spots = spots(args, desks)?;
    let params = params(args, spots[0].desk.kind);
    params.check()?;
    let bar = progress_bar(2 * spots.len() as u64, "places", args.delivery.quiet);
    let mut trained: Vec<(LayerResult, Readout)> = Vec::new();
    for spot in &spots {
        trained.push(train(spot, &params)?);
        bar.inc(1);
    }
    let mut matrix: Vec<Vec<Option<_>>> = vec![Vec::new(); spots.len()];
    for spot in &spots {
        let x = spot.matrix()?;
        for ((_, readout), row) in trained.iter().zip(&mut matrix) {
            row.push(score(readout, spot, &x, params.seed)?);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let place = |(spot, (layer, _)): (&Spot<'_>, &(LayerResult, Readout))| Place {
        name: spot.name.clone(),
        hook_point: layer.hook_point.clone(),
        source: Source::new(&spot.desk.path, spot.desk.rows.run().manifest()),
        train: layer.n_train,
        test: layer.n_test,
        majority: layer.controls.majority,
        lambda: layer.lambda,
    };
    Ok(TransferReport {
        schema_version: SCHEMA_VERSION,
        command: command_line(),
        label: args.task.label.clone(),
        metric: params.kind.main_metric(),
        across: if desks.len() > 1 { "run" } else { "hook_point" },
        places: spots.iter().zip(&trained).map(place).collect(),
        matrix,
        params,
    })
}

/// A probe on the test rows of a place, unless the spaces have different widths.
fn score(readout: &Readout, spot: &Spot<'_>, x: &Matrix, seed: u64) -> Result<Option<Estimate>> {
    if readout.features() != x.cols() {
        return Ok(None);
    }
    let task = &spot.desk.task;
    let (labels, groups) = (&task.labelled.labels, task.groups.as_deref());
    let bootstrap = Bootstrap {
        seed,
        ..Bootstrap::default()
    };
    score_readout(readout, x, labels, &task.split.test, groups, bootstrap).map(Some)
}

fn params(args: &Args, kind: Kind) -> SweepParams {
    SweepParams {
        lambda: match args.lambda {
            Some(lambda) => Lambda::Fixed(lambda),
            None => Lambda::Choose {
                grid: DEFAULT_GRID.to_vec(),
                folds: 5,
            },
        },
        seed: args.task.seed,
        k: args.kinds.k,
        // The matrix is read against its diagonal and the best constant.
        shuffles: 0,
        control_tasks: 0,
        codelength: false,
        bootstrap: 0,
        ..SweepParams::new(kind)
    }
}

fn train(spot: &Spot<'_>, params: &SweepParams) -> Result<(LayerResult, Readout)> {
    let (x, task) = (spot.matrix()?, &spot.desk.task);
    let (labels, groups) = (&task.labelled.labels, task.groups.as_deref());
    let name = match spot
        .desk
        .rows
        .names(&spot.point)?
        .into_iter()
        .nth(spot.head)
    {
        Some(name) => name,
        None => spot.point.clone(),
    };
    let layer = probe_layer_with(
        &name,
        &x,
        labels,
        &task.split,
        groups,
        &spot.desk.companions,
        params,
    )?;
    match layer.readout.clone() {
        Some(readout) => Ok((layer, readout)),
        None => Err(Error::BadParameter {
            name: "kind",
            value: params.kind.name().to_owned(),
            problem: "it is no direction, and cannot be carried over; give a linear kind"
                .to_owned(),
        }),
    }
}

/// Probes carry over between runs of one model only.
fn refuse_other_model(rows: &Rows, first: &Rows) -> Result<()> {
    let sha = |rows: &Rows| rows.run().manifest().plan.model.weights_sha256.clone();
    match sha(rows) == sha(first) {
        true => Ok(()),
        false => Err(Error::BadRun {
            path: rows.run().path().to_owned(),
            problem:
                "it is of another model than the first run, whose directions mean nothing there"
                    .to_owned(),
        }),
    }
}
