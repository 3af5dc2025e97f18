//! `plumb probe`: a probe a layer, with controls, as table and chart.

mod controls;
mod files;
pub(super) mod kinds;
mod random;
pub(super) mod rows;
pub(super) mod task;

use super::delivery::{Delivery, holds, json_of};
use super::output::{command_line, progress_bar};
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::{
    Companions, DEFAULT_GRID, Kind, Lambda, LayerResult, LayerRows, Probing, Rival, SweepParams,
    compare, learning_curve, natural_kind,
};
use crate::cli::extract::options::memory;
use crate::error::{Error, Result};
use crate::figure::Figure;
use crate::report::checklist::checklist_table;
use crate::report::curve::{LayerCurve, curve_chart};
use crate::report::kinds::{Cosines, KindLayers, cosines, cosines_chart, kinds_chart};
use crate::report::probe::{ProbeReport, SCHEMA_VERSION, Source};
use crate::report::probe_charts::chosen_charts;
use crate::store::Budget;
use controls::{ControlArgs, Controls};
use kinds::KindArgs;
use rows::{Held, RowArgs, Rows};
use std::path::{Path, PathBuf};
use task::{Task, TaskArgs};

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
#[command(mut_arg(
    "out",
    holds(
        "probe.json, the charts (.svg, .png, and their numbers as .parquet) and the trained probes (probes/, for `plumb score`)"
    )
))]
pub(super) struct Args {
    /// Folder of a run
    run: PathBuf,
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    rows: RowArgs,
    #[command(flatten)]
    kinds: KindArgs,
    /// Penalty; default: chosen for each layer by 5 folds of the training rows
    #[arg(long, value_name = "X")]
    lambda: Option<f64>,
    /// Probes on shuffled labels to average
    #[arg(long, value_name = "N", default_value_t = 5)]
    shuffles: usize,
    #[command(flatten)]
    controls: ControlArgs,
    /// Also tell how the score grows with the training rows: five draws of a 32nd, a 16th, … of them
    #[arg(long)]
    learning_curve: bool,
    /// Layers that take more memory than this are read from disk, again for each pass over their rows
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = memory)]
    memory: Budget,
    #[command(flatten)]
    delivery: Delivery,
}

pub(super) fn run(args: Args) -> anyhow::Result<String> {
    let shown = args.run.clone();
    run_as(args, command_line(), &shown)
}

/// Runs under a command line and a name of the run that differ from what the process was called with.
pub(super) fn run_as(args: Args, command: String, shown: &Path) -> anyhow::Result<String> {
    let run = Rows::open(&args.run, &args.rows, &args.task.label)?;
    let plan = Plan::read(&args, &run)?;
    let out = args.delivery.open("probe.json")?;
    let mut controls = Controls::run(&args.controls, &args.rows, &run, &plan)?;
    let (layers, kinds, learning_curve) = sweep(&run, &plan, &mut controls, args.delivery.quiet)?;
    let report = ProbeReport {
        schema_version: SCHEMA_VERSION,
        command,
        label: args.task.label.clone(),
        cosines: all_cosines(plan.params.kind, &layers, &kinds),
        comparison: compare(&layers, &plan.params),
        layers,
        baselines: controls.baselines,
        not_run: controls.not_run,
        audit: controls.audit,
        kinds,
        learning_curve,
        source: Source::new(shown, run.run().manifest()),
        test_source: args
            .rows
            .test_run
            .as_ref()
            .zip(run.manifests().nth(1))
            .map(|(path, manifest)| Source::new(path, manifest)),
        rows: run.card(),
        params: plan.params,
        split: plan.task.card,
    };
    if let Some(folder) = out.folder() {
        let probes = files::probe_files(&report, &run)?;
        if !probes.is_empty() {
            folder.write_folder("probes", &probes)?;
        }
    }
    let table = |styled: bool| match args.controls.checklist {
        true => format!(
            "{}\n{}",
            report.table(styled),
            checklist_table(&report, styled)
        ),
        false => report.table(styled),
    };
    Ok(out.deliver(json_of(&report.checked())?, || charts(&report), table)?)
}

/// All charts of a report with the names of their files, scores by layer first.
fn charts(report: &ProbeReport) -> Vec<(&'static str, Figure)> {
    let mut charts = vec![("chart", report.chart())];
    charts.extend(chosen_charts(report));
    if !report.kinds.is_empty() {
        charts.push(("kinds", kinds_chart(report)));
    }
    if !report.learning_curve.is_empty() {
        charts.push(("learning_curve", curve_chart(report)));
    }
    charts.extend(cosines_chart(report).map(|chart| ("cosines", chart)));
    charts
}

/// What is probed how, checked before any layer is read.
struct Plan {
    params: SweepParams,
    /// Kinds beside that of the parameters.
    others: Vec<Kind>,
    companions: Companions,
    task: Task,
    labels: Vec<String>,
    group: Option<String>,
    /// Whether learning curves are drawn.
    curve: bool,
    memory: Budget,
    /// Whether some layer is read from disk.
    from_disk: bool,
}

impl Plan {
    fn read(args: &Args, run: &Rows) -> Result<Self> {
        let columns = args.task.columns(run)?;
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
            seed: args.task.seed,
            shuffles: args.shuffles,
            control_tasks: args.controls.control_tasks,
            codelength: args.controls.codelength(),
            k: args.kinds.k,
            ..SweepParams::new(kind)
        };
        params.check()?;
        let too_large = run.too_large(args.memory)?;
        if let Some(point) = &too_large {
            refuse_in_memory(args, &kinds, point, run.len())?;
        }
        Ok(Self {
            memory: args.memory,
            from_disk: too_large.is_some(),
            params,
            others: kinds.into_iter().skip(1).collect(),
            companions: args.kinds.companions(run)?,
            task: Task::read(&args.task, &columns, kind, run)?,
            labels: args.task.label.clone(),
            group: args.task.group.clone(),
            curve: args.learning_curve,
        })
    }
}

/// Refuses what needs all rows of a layer in memory, where they are more than was allowed.
fn refuse_in_memory(args: &Args, kinds: &[Kind], point: &str, rows: usize) -> Result<()> {
    let from_disk = [
        Kind::Logistic,
        Kind::Ridge,
        Kind::Lda,
        Kind::MassMean,
        Kind::MassMeanWhitened,
    ];
    let what = match kinds.iter().find(|kind| !from_disk.contains(kind)) {
        Some(kind) => format!("a probe of the kind {}", kind.name()),
        None if args.learning_curve => "a learning curve".to_owned(),
        None => return Ok(()),
    };
    Err(Error::BadParameter {
        name: "memory",
        value: format!("{} bytes", args.memory.bytes()),
        problem: format!(
            "{what} needs all {rows} rows of `{point}` in memory, and they take more; give a larger --memory, fewer rows (--where), or a logistic, ridge, lda or mass-mean probe"
        ),
    })
}

/// The layers of the headline's kind, those of the others, and the learning curves.
type Swept = (Vec<LayerResult>, Vec<KindLayers>, Vec<LayerCurve>);

/// Layer after layer: memory holds one.
fn sweep(run: &Rows, plan: &Plan, controls: &mut Controls, quiet: bool) -> Result<Swept> {
    let points = run.points();
    let bar = progress_bar(points.len() as u64, "layers", quiet);
    let (mut layers, mut curves) = (Vec::new(), Vec::new());
    let other = |kind: &Kind| KindLayers {
        kind: *kind,
        layers: Vec::new(),
    };
    let mut others: Vec<KindLayers> = plan.others.iter().map(other).collect();
    for point in &points {
        let random = controls.random_matrices(point)?;
        for (head, (name, held)) in run.layers(point, plan.memory)?.into_iter().enumerate() {
            let rivals = controls.rivals(&name, random.get(head).map(|r| &r.1), plan);
            let x = held.rows();
            let layer = probe_one(&name, x, plan, (controls, &rivals), &plan.params)?;
            controls.saw(&layer);
            if let (true, Held::Here(x)) = (plan.curve, &held) {
                curves.push(curve_of(&layer, x, plan)?);
            }
            layers.push(layer);
            for other in &mut others {
                let params = SweepParams {
                    kind: other.kind,
                    ..plan.params.clone()
                };
                other
                    .layers
                    .push(probe_one(&name, x, plan, (controls, &rivals), &params)?);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((layers, others, curves))
}

fn probe_one(
    name: &str,
    x: LayerRows<'_>,
    plan: &Plan,
    (controls, rivals): (&Controls, &[Rival]),
    params: &SweepParams,
) -> Result<LayerResult> {
    let task = &plan.task;
    let probing = Probing {
        groups: task.groups.as_deref(),
        types: controls.types.as_deref(),
        companions: Some(&plan.companions),
        rivals,
        ..Probing::new(&task.labelled.labels, &task.split, params)
    };
    probing.layer_of(name, x)
}

fn curve_of(layer: &LayerResult, x: &Matrix, plan: &Plan) -> Result<LayerCurve> {
    let (task, name) = (&plan.task, &layer.hook_point);
    let (labels, groups) = (&task.labelled.labels, task.groups.as_deref());
    let (rest, params) = (&plan.companions, &plan.params);
    let points = learning_curve(
        name,
        x,
        labels,
        &task.split,
        groups,
        rest,
        params,
        layer.lambda,
    )?;
    Ok(LayerCurve {
        hook_point: name.clone(),
        points,
    })
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
