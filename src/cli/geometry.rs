//! `plumb geometry`: the shape of a run's layers, and how alike they are.

use super::delivery::{Delivery, also_data, holds, json_of};
use super::output::{command_line, progress_bar};
use crate::analysis::geometry::{
    LayerGeometry, LayerParams, Portrait, SimilarityParams, layer_geometry, similarity,
};
use crate::analysis::neighbors::Rows;
use crate::error::{Error, Result};
use crate::report::geometry::{GeometryReport, MassiveRow, Pair, SCHEMA_VERSION};
use crate::report::probe::Source;
use crate::store::Run;
use indicatif::ProgressBar;
use std::path::PathBuf;

/// Measure the space of each layer of a run, and how alike layers or runs are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb geometry run/ --out geometry/
  plumb geometry small/ large/ --out compared/      two models on the same texts
  plumb geometry run/ --permutations 0 --json       without the null, which takes most of the time

Per layer: norms, the mean cosine of random pairs and the dimensions that make it (Timkey & van Schijndel 2021), participation ratio,
intrinsic dimension (two-NN, Facco et al. 2017), hubness (Radovanović et al. 2010), massive activations (Sun et al. 2024). Between layers:
debiased CKA (Nguyen et al. 2021), Procrustes similarity (Williams et al. 2021), mutual k-NN (Huh et al. 2024), each beside what it is when
rows are paired at random.")]
#[command(
    mut_arg(
        "out",
        holds("geometry.json and the charts (.svg, .png, and their numbers as .parquet)")
    ),
    mut_arg("chart_data", also_data)
)]
pub(super) struct Args {
    /// Folder of a run
    run: PathBuf,
    /// Folder of a run on the same texts, to compare with
    other: Option<PathBuf>,
    /// Hook points, separated by commas; default: all of the run
    #[arg(long, value_name = "POINT,…", value_delimiter = ',')]
    points: Vec<String>,
    /// Rows that are looked at for their neighbours, at most
    #[arg(long, value_name = "N", default_value_t = 4000)]
    sample: usize,
    /// Rows on which layers are compared, at most
    #[arg(long, value_name = "N", default_value_t = 1000)]
    compared_rows: usize,
    /// Random pairings of rows that a similarity is held against
    #[arg(long, value_name = "N", default_value_t = 10)]
    permutations: usize,
    /// Seed of samples, pairs and pairings
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    delivery: Delivery,
}

pub(super) fn run(args: Args) -> anyhow::Result<String> {
    let run = Run::open(&args.run)?;
    let other = args.other.as_deref().map(Run::open).transpose()?;
    if let Some(other) = &other {
        refuse_other_rows(&run, other)?;
    }
    let points = points(&args, &run)?;
    let out = args.delivery.open("geometry.json")?;
    let report = measure(&args, &run, other.as_ref(), &points)?;
    Ok(out.deliver(
        json_of(&report)?,
        || report.charts(),
        |styled| report.table(styled),
    )?)
}

/// The hook points that were asked for.
fn points(args: &Args, run: &Run) -> Result<Vec<String>> {
    let all = run.point_names();
    if args.points.is_empty() {
        return Ok(all);
    }
    match args.points.iter().find(|p| !all.contains(p)) {
        None => Ok(all
            .into_iter()
            .filter(|p| args.points.contains(p))
            .collect()),
        Some(point) => Err(Error::NoSuchPoint {
            point: point.clone(),
            reason: format!("the run {} holds {}", run.path().display(), all.join(", ")),
        }),
    }
}

/// Two runs are compared row by row, so a row must be of the same text or token in both.
fn refuse_other_rows(run: &Run, other: &Run) -> Result<()> {
    let differ = |problem: &str| {
        Err(Error::BadRun {
            path: other.path().to_owned(),
            problem: format!(
                "its rows are not those of {}: {problem}",
                run.path().display()
            ),
        })
    };
    let (a, b) = (&run.manifest().plan.data, &other.manifest().plan.data);
    if a.sha256 != b.sha256 {
        return differ("the data files differ; extract both runs from one file");
    }
    if run.examples()? != other.examples()? {
        return differ(
            "the texts have other numbers of rows; extract both with --pool mean, last, first or max",
        );
    }
    let positions =
        |run: &Run| -> Result<Option<Vec<u32>>> { Ok(run.row_tokens()?.map(|t| t.positions)) };
    match positions(run)? == positions(other)? {
        true => Ok(()),
        false => differ("one of them is pooled, or their texts have other tokens; pool both"),
    }
}

/// The layers of one run.
struct Measured {
    layers: Vec<LayerGeometry>,
    portraits: Vec<Portrait>,
}

fn measure(
    args: &Args,
    run: &Run,
    other: Option<&Run>,
    points: &[String],
) -> Result<GeometryReport> {
    let params = LayerParams {
        sample: args.sample,
        seed: args.seed,
        ..LayerParams::default()
    };
    let similarity_params = SimilarityParams {
        permutations: args.permutations,
        seed: args.seed,
    };
    let compared = LayerParams {
        sample: args.compared_rows,
        ..params
    }
    .sampled(run.rows(), args.compared_rows);
    let bar = progress_bar(0, "steps", args.delivery.quiet);
    let own = measure_run(run, points, params, &compared, &bar)?;
    let second = match other {
        Some(other) => {
            let points = other.point_names();
            Some(measure_run(other, &points, params, &compared, &bar)?)
        }
        None => None,
    };
    let pairs = compare(&own, second.as_ref(), similarity_params, &bar)?;
    bar.finish_and_clear();
    Ok(GeometryReport {
        schema_version: SCHEMA_VERSION,
        command: command_line(),
        source: Source::new(&args.run, run.manifest()),
        other: other.map(|o| Source::new(o.path(), o.manifest())),
        params,
        similarity_params,
        similarity_rows: compared.len(),
        similarity: pairs,
        massive: massive(run, &own.layers)?,
        other_layers: second.map(|s| s.layers).unwrap_or_default(),
        layers: own.layers,
    })
}

/// Layer after layer: memory holds one, and what is compared of each.
fn measure_run(
    run: &Run,
    points: &[String],
    params: LayerParams,
    compared: &[usize],
    bar: &ProgressBar,
) -> Result<Measured> {
    bar.inc_length(points.len() as u64);
    let mut measured = Measured {
        layers: Vec::with_capacity(points.len()),
        portraits: Vec::with_capacity(points.len()),
    };
    for point in points {
        let vectors = run.vectors(point)?;
        let rows = Rows::new(vectors.width, vectors.values)?;
        measured.layers.push(layer_geometry(point, &rows, params)?);
        // Fewer rows have a shape of their own, but nothing to be compared by.
        if compared.len() >= 4 {
            let portrait = Portrait::of(&rows.select(compared), params.seed)?;
            measured.portraits.push(portrait);
        }
        bar.inc(1);
    }
    Ok(measured)
}

fn compare(
    own: &Measured,
    other: Option<&Measured>,
    params: SimilarityParams,
    bar: &ProgressBar,
) -> Result<Vec<Pair>> {
    let columns = other.unwrap_or(own);
    let mut wanted = Vec::new();
    for a in 0..own.portraits.len() {
        let first = if other.is_some() { 0 } else { a + 1 };
        wanted.extend((first..columns.portraits.len()).map(|b| (a, b)));
    }
    bar.inc_length(wanted.len() as u64);
    let pairs = wanted.into_iter().map(|(a, b)| {
        let found = similarity(&own.portraits[a], &columns.portraits[b], params)?;
        bar.inc(1);
        Ok(Pair {
            a: own.layers[a].hook_point.clone(),
            b: columns.layers[b].hook_point.clone(),
            cka: found.cka,
            procrustes: found.procrustes,
            mutual_knn: found.mutual_knn,
        })
    });
    pairs.collect()
}

/// The massive rows of all layers, with the names of their tokens.
fn massive(run: &Run, layers: &[LayerGeometry]) -> Result<Vec<MassiveRow>> {
    if layers.iter().all(|l| l.massive.is_empty()) {
        return Ok(Vec::new());
    }
    let (examples, tokens) = (run.examples()?, run.row_tokens()?);
    let rows = layers.iter().flat_map(|layer| {
        let named = layer.massive.iter();
        named.map(|massive| MassiveRow {
            hook_point: layer.hook_point.clone(),
            row: massive.row,
            example: examples[massive.row],
            position: tokens.as_ref().map(|t| t.positions[massive.row]),
            token: tokens.as_ref().map(|t| t.tokens[massive.row].clone()),
            dimension: massive.dimension,
            value: massive.value,
            ratio: massive.ratio,
        })
    });
    Ok(rows.collect())
}
