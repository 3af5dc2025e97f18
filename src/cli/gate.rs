//! `plumb gate`: is a candidate the same as a baseline, for all that matters? An exit code for a CI.

use super::delivery::{Delivery, holds, json_of};
use super::divide::divided;
use super::output::{command_line, progress_bar};
use crate::analysis::drift::gate::{Check, GateParams, Margins, Sides, checks};
use crate::analysis::matrix::Matrix;
use crate::analysis::neighbors::Rows;
use crate::analysis::probe::{
    LabelledRows, Labels, Lambda, Readout, SweepParams, labels_of, natural_kind, probe_layer,
};
use crate::cli::extract;
use crate::error::{Error, Result};
use crate::report::gate::{GateReport, Side};
use crate::store::{Manifest, PendingFile, Pool, Run, SpecialTokens};
use crate::text::split::Split;
use crate::text::tokens::Bos;
use clap::Parser;
use std::path::{Path, PathBuf};

/// Compare a run or model with a baseline by equivalence, for a CI: exit code 0 or 1
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb gate --baseline run/ --candidate run-new/ --label label --split-column split
  plumb gate --baseline run/ --candidate ./model-q8.gguf --data reviews.csv --junit gate.xml --out gate/

A check passes if its whole 90 % interval lies within the margin (two one-sided tests at 5 %): a difference beyond it is refuted. Too few
texts do not pass for lack of evidence. The candidate may be a model; then the baseline's plan is extracted with it.")]
#[command(mut_arg(
    "out",
    holds(
        "gate.json, junit.xml, report.html and the chart (.svg, .png, and its numbers as .parquet)"
    )
))]
pub(super) struct Args {
    /// Folder of a run with one row a text
    #[arg(long, value_name = "RUN")]
    baseline: PathBuf,
    /// Folder of a run of the same texts, or a model to read them
    #[arg(long, value_name = "RUN|MODEL")]
    candidate: String,
    /// The data of the baseline, for a candidate that is a model; default: the file that its manifest names
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Column with a label: a probe is trained on the baseline and must do as well on the candidate
    #[arg(long, value_name = "C")]
    label: Option<String>,
    /// Column that holds `train` and `test`; default: a seeded stratified split
    #[arg(long, value_name = "C", requires = "label")]
    split_column: Option<String>,
    /// Penalty of the probe
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    lambda: f64,
    /// Mean cosine distance of a text to itself, as a share of that between unrelated texts; and mean change of norm
    #[arg(long, value_name = "X", default_value_t = Margins::default().drift)]
    margin: f64,
    /// Accuracy (of numbers: R²) that the probe may lose
    #[arg(long, value_name = "X", default_value_t = Margins::default().probe_loss)]
    probe_loss: f64,
    /// Share of the nearest neighbours that may change
    #[arg(long, value_name = "X", default_value_t = Margins::default().churn)]
    churn: f64,
    /// Neighbours that are compared
    #[arg(long, value_name = "K", default_value_t = 10)]
    neighbors: usize,
    /// Resamples of the texts
    #[arg(long, value_name = "N", default_value_t = 1000)]
    resamples: usize,
    /// Seed of split, resamples and pairs
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// JUnit XML to write, for a CI to show
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    delivery: Delivery,
}

/// What a gate found: its result for standard output, and whether it is open.
pub(super) struct Outcome {
    pub(super) result: String,
    pub(super) failed: Option<Error>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Outcome> {
    let params = args.params()?;
    let baseline = Run::open(&args.baseline)?;
    refuse_token_rows(&baseline)?;
    let out = args.delivery.open("gate.json")?;
    let junit = args.junit.as_deref().map(PendingFile::open).transpose()?;
    let task = Task::read(args, &baseline)?;
    let made = tempfile::tempdir()?;
    let candidate = match Manifest::is_run(Path::new(&args.candidate)) {
        true => Run::open(Path::new(&args.candidate))?,
        false => extracted(args, &baseline, made.path())?,
    };
    refuse_other(&baseline, &candidate)?;
    let report = GateReport::new(
        command_line(),
        Side::new(&args.baseline.display().to_string(), baseline.manifest()),
        Side::new(&args.candidate, candidate.manifest()),
        args.label.clone(),
        params,
        compare(args, &params, &baseline, &candidate, task.as_ref())?,
    );
    let xml = report.junit()?;
    if let Some(mut junit) = junit {
        junit.write(xml.as_bytes())?;
        junit.publish()?;
    }
    if let Some(folder) = out.folder() {
        folder.write("junit.xml", xml.as_bytes())?;
        folder.write("report.html", report.page()?.as_bytes())?;
    }
    let chart = || vec![("chart", report.chart())];
    Ok(Outcome {
        result: out.deliver(json_of(&report)?, chart, |styled| report.table(styled))?,
        failed: report.failure(),
    })
}

impl Args {
    fn params(&self) -> Result<GateParams> {
        let params = GateParams {
            margins: Margins {
                drift: self.margin,
                probe_loss: self.probe_loss,
                churn: self.churn,
            },
            neighbors: self.neighbors,
            resamples: self.resamples,
            seed: self.seed,
        };
        params.check()?;
        Ok(params)
    }
}

fn refuse_token_rows(run: &Run) -> Result<()> {
    match run.manifest().plan.pool {
        Pool::None => Err(Error::BadRun {
            path: run.path().to_owned(),
            problem: "it has one row a token, and a gate compares texts; extract it with --pool mean, last, first or max".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Vectors are comparable if they are of the same texts, made in the same way.
fn refuse_other(baseline: &Run, candidate: &Run) -> Result<()> {
    let (a, b) = (&baseline.manifest().plan, &candidate.manifest().plan);
    let problem = if a.data.sha256 != b.data.sha256 {
        "it is of other data than the baseline".to_owned()
    } else if a.pool != b.pool || a.special_tokens != b.special_tokens {
        "its texts were pooled in another way than the baseline's".to_owned()
    } else if let Some(point) = a.points.iter().find(|p| !b.points.contains(p)) {
        format!(
            "it has no vectors of shape {:?} at `{}`, as the baseline has",
            point.shape, point.name
        )
    } else {
        return Ok(());
    };
    Err(Error::BadRun {
        path: candidate.path().to_owned(),
        problem,
    })
}

/// What a probe is to learn from the baseline.
struct Task {
    labelled: LabelledRows,
    split: Split,
    params: SweepParams,
}

impl Task {
    fn read(args: &Args, run: &Run) -> Result<Option<Self>> {
        let Some(label) = &args.label else {
            return Ok(None);
        };
        let columns = vec![(label.clone(), run.column(label)?)];
        let kind = natural_kind(&columns);
        let labelled = labels_of(&columns, kind)?;
        let split = divided(
            run,
            &labelled,
            args.split_column.as_deref(),
            args.seed,
            label,
        )?;
        let params = SweepParams {
            lambda: Lambda::Fixed(args.lambda),
            shuffles: 0,
            bootstrap: 0,
            seed: args.seed,
            ..SweepParams::new(kind)
        };
        params.check()?;
        Ok(Some(Self {
            labelled,
            split,
            params,
        }))
    }

    fn labels(&self) -> &Labels {
        &self.labelled.labels
    }

    fn readout(&self, point: &str, rows: &Rows) -> Result<Option<Readout>> {
        let x = Matrix::from_f32(rows.rows(), rows.cols(), rows.as_slice())?;
        let probe = probe_layer(point, &x, self.labels(), &self.split, None, &self.params)?;
        Ok(probe.readout)
    }
}

/// Hook point after hook point: memory holds both sides of one.
fn compare(
    args: &Args,
    params: &GateParams,
    baseline: &Run,
    candidate: &Run,
    task: Option<&Task>,
) -> Result<Vec<Check>> {
    let points = baseline.point_names();
    let bar = progress_bar(points.len() as u64, "layers", args.delivery.quiet);
    let mut found = Vec::new();
    for point in &points {
        let rows = |run: &Run| -> Result<Rows> {
            let vectors = run.vectors(point)?;
            Rows::new(vectors.width, vectors.values)
        };
        let (before, after) = (rows(baseline)?, rows(candidate)?);
        let readout = match task {
            Some(task) => task.readout(point, &before)?,
            None => None,
        };
        let probe = task.zip(readout.as_ref());
        found.extend(checks(
            &Sides {
                hook_point: point,
                baseline: &before,
                candidate: &after,
                probe: probe
                    .map(|(task, readout)| (readout, task.labels(), task.split.test.as_slice())),
            },
            params,
        )?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(found)
}

#[derive(Debug, clap::Parser)]
struct ExtractLine {
    #[command(flatten)]
    args: extract::Args,
}

/// The baseline's plan, carried out with another model.
fn extracted(args: &Args, baseline: &Run, folder: &Path) -> anyhow::Result<Run> {
    let plan = &baseline.manifest().plan;
    let data = match &args.data {
        Some(data) => data.clone(),
        None => PathBuf::from(&plan.data.name),
    };
    if !data.is_file() {
        return Err(Error::BadParameter {
            name: "data",
            value: data.display().to_string(),
            problem: format!(
                "{} is not a run, and to read the baseline's texts with it as a model the data file is needed; give --data",
                args.candidate
            ),
        }
        .into());
    }
    let out = folder.join("run");
    let mut words = vec!["extract".to_owned(), "--quiet".to_owned()];
    let mut give = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    give("model", args.candidate.clone());
    give("data", data.display().to_string());
    give("out", out.display().to_string());
    match (&plan.data.text_column, &plan.data.ids_column) {
        (Some(column), _) => give("text-column", column.clone()),
        (None, Some(column)) => give("ids-column", column.clone()),
        (None, None) => {}
    }
    let pool = match plan.pool {
        Pool::None => "none",
        Pool::Last => "last",
        Pool::Mean => "mean",
        Pool::First => "first",
        Pool::Max => "max",
        Pool::Model(_) => "model",
    };
    give("pool", pool.to_owned());
    give("points", baseline.point_names().join(","));
    match plan.bos {
        Some(Bos::Always) => give("bos", "always".to_owned()),
        Some(Bos::Never) => give("bos", "never".to_owned()),
        Some(Bos::Auto) | None => {}
    }
    if plan.special_tokens == SpecialTokens::Excluded {
        words.push("--no-special".to_owned());
    }
    let line = ExtractLine::try_parse_from(words)?.args;
    extract::run_as(line, &data)?;
    Ok(Run::open(&out)?)
}
