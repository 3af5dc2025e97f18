//! `plumb map`: the rows of a run as points of a plane, with how far it can be trusted.

mod rows;

use super::delivery::{Delivery, also_data, holds, json_of};
use super::output::{command_line, progress_bar};
use crate::analysis::neighbors::Metric;
use crate::analysis::reduce::{Map, MapParams, Method, PacmapParams, UmapParams, draw};
use crate::error::{Error, Result};
use crate::hook::{HookPoint, HookSet, Site};
use crate::report::map::{Coloring, MapReport, Marks, Points, SCHEMA_VERSION, film, projector};
use crate::report::probe::Source;
use crate::store::Run;
use clap::ValueEnum;
use rows::{Chosen, Ground};
use std::path::PathBuf;

/// Draw a run's rows as a map: one layer, or a film of all
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  plumb map run/ --layer 6 --method umap --color label --out map/
  plumb map run/ --method pca --mean-by name --color continent --labels Paris,Tokyo,Lima --label-column name --out film/
  plumb map tokens/ --point blocks.3.mlp_out --color token --json

Layer L is the stream after L blocks, as in Hugging Face's hidden_states: 0 is blocks.0.resid_pre, L is blocks.(L-1).resid_post. Without
--layer and --point the map is a film of all hook points: one frame, each map turned (never stretched) onto the one before, from which UMAP and PaCMAP also begin.
Beside each map stand its trustworthiness, its continuity and the share of neighbours that it keeps, counted exactly; points whose
neighbourhood is torn are hollow. The same seed gives the same map on any number of threads.")]
#[command(
    mut_arg(
        "out",
        holds(
            "map.json, points.parquet, points.csv and the chart (.svg, .png, and its numbers as .parquet)"
        )
    ),
    mut_arg("chart_data", also_data)
)]
pub(super) struct Args {
    /// Folder of a run
    run: PathBuf,
    /// Layers: a number, a list with ranges (0,3-6), or `all`
    #[arg(long, visible_alias = "layers", value_name = "L")]
    layer: Option<String>,
    /// Hook points, as in plumb extract --points
    #[arg(long, value_name = "SELECTOR", conflicts_with = "layer")]
    point: Option<String>,
    /// How the map is drawn
    #[arg(long, value_enum, default_value_t = MethodArg::Umap)]
    method: MethodArg,
    /// What near means in the space
    #[arg(long, value_enum, default_value_t = MetricArg::Euclid)]
    metric: MetricArg,
    /// Column that colours points; of a run with a row a token also token, position, special, …
    #[arg(long, value_name = "C")]
    color: Option<String>,
    /// Column that names points
    #[arg(long, value_name = "C")]
    label_column: Option<String>,
    /// Points to name: how many (spread over the map), or the names, separated by commas
    #[arg(long, value_name = "N|A,B,…")]
    labels: Option<String>,
    /// One point for all rows with the same value of this column: their mean
    #[arg(long, value_name = "C")]
    mean_by: Option<String>,
    /// The most points; of more rows so many are drawn with the seed
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    max_points: usize,
    /// Leave out the special tokens of a run with a row a token
    #[arg(long)]
    no_special: bool,
    /// Size of a neighbourhood: what UMAP counts with the point itself, PaCMAP without (default 15 and 10)
    #[arg(long, value_name = "N")]
    neighbors: Option<usize>,
    /// How near UMAP lets points come
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    min_dist: f64,
    /// How often UMAP moves each point (default 500 up to 10,000 points, else 200)
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// From how many seeds UMAP is drawn, to see what is the seed's; 1 for the map alone
    #[arg(long, value_name = "N", default_value_t = 5)]
    seeds: usize,
    /// Add a folder projector/ with the vectors and what is known of them, for TensorBoard's Embedding Projector
    #[arg(long, requires = "out")]
    projector: bool,
    #[command(flatten)]
    delivery: Delivery,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MethodArg {
    /// The first two principal components
    Pca,
    /// McInnes et al. 2018
    Umap,
    /// Wang et al. 2021
    Pacmap,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MetricArg {
    Euclid,
    Cosine,
}

/// The file by which a map's folder is known.
const MARK: &str = "map.json";
/// A film has at most so many pictures.
const MOST_LAYERS: usize = 24;
/// On larger maps nothing is said of each point.
const MOST_NOTES: usize = 5_000;

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let run = Run::open(&args.run)?;
    let points = points(args, &run)?;
    let params = params(args);
    let ground = Ground::read(args, &run)?;
    let color = match &args.color {
        Some(column) => Some(Coloring::of(column, ground.cells(&run, column)?)?),
        None => None,
    };
    let names = ground.names(args, &run)?;
    let chosen = Chosen::read(args, &names)?;
    let out = args.delivery.open(MARK)?;
    let mut layers = film(maps(args, &run, &ground, &points, &params)?)?;
    if let Some(category) = color.as_ref().and_then(|c| c.full.as_ref()) {
        for layer in &mut layers {
            let k = layer.map.quality.k;
            layer.same_color = layer.map.agreement(category, k, params.seed);
        }
    }
    let about = ground.about(args, &run)?;
    let report = MapReport {
        schema_version: SCHEMA_VERSION,
        command: command_line(),
        params,
        rows: ground.card(&run),
        color: args.color.clone(),
        source: Source::new(&args.run, run.manifest()),
        marks: Marks {
            color,
            labels: layers
                .last()
                .map_or(Vec::new(), |l| chosen.labels(&names, l)),
            notes: match ground.len() <= MOST_NOTES {
                true => rows::notes(&names, &about),
                false => Vec::new(),
            },
        },
        layers,
    };
    if let Some(folder) = out.folder() {
        let table = Points::new(&report.layers, &about);
        folder.write("points.parquet", &table.parquet()?)?;
        folder.write("points.csv", &table.csv()?)?;
        if args.projector {
            folder.write_folder("projector", &projections(&run, &ground, &points, &about)?)?;
        }
    }
    let chart = || vec![("chart", report.chart())];
    Ok(out.deliver(json_of(&report)?, chart, |styled| report.table(styled))?)
}

fn params(args: &Args) -> MapParams {
    let method = match args.method {
        MethodArg::Pca => Method::Pca,
        MethodArg::Umap => Method::Umap,
        MethodArg::Pacmap => Method::Pacmap,
    };
    let (umap, pacmap) = (UmapParams::default(), PacmapParams::default());
    MapParams {
        metric: match args.metric {
            MetricArg::Euclid => Metric::Euclid,
            MetricArg::Cosine => Metric::Cosine,
        },
        seed: args.seed,
        seeds: if method == Method::Umap {
            args.seeds
        } else {
            1
        },
        umap: UmapParams {
            n_neighbors: args.neighbors.unwrap_or(umap.n_neighbors),
            min_dist: args.min_dist,
            n_epochs: args.epochs,
            ..umap
        },
        pacmap: PacmapParams {
            n_neighbors: args.neighbors.unwrap_or(pacmap.n_neighbors),
            ..pacmap
        },
        ..MapParams::new(method)
    }
}

/// The hook points to map, all of which the run has.
fn points(args: &Args, run: &Run) -> Result<Vec<String>> {
    let names = run.point_names();
    let held: Vec<HookPoint> = names.iter().map(|n| n.parse()).collect::<Result<_>>()?;
    let chosen = match (&args.layer, &args.point) {
        (None, None) => names,
        (_, Some(selector)) => {
            let set = HookSet::select(selector, &held)?;
            set.points().iter().map(HookPoint::to_string).collect()
        }
        (Some(all), None) if all == "all" => names,
        (Some(layers), None) => of_layers(layers, &held, run)?,
    };
    match chosen.len() <= MOST_LAYERS {
        true => Ok(chosen),
        false => Err(Error::BadParameter {
            name: "layer",
            value: format!("{} hook points", chosen.len()),
            problem: format!(
                "a film has at most {MOST_LAYERS} pictures; choose some, such as --layer 0,4,8,12"
            ),
        }),
    }
}

fn of_layers(layers: &str, held: &[HookPoint], run: &Run) -> Result<Vec<String>> {
    let bad = |problem: String| Error::BadParameter {
        name: "layer",
        value: layers.to_owned(),
        problem,
    };
    let mut chosen = Vec::new();
    for part in layers.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            text.trim().parse::<usize>().map_err(|_| {
                bad("give a number, a list with ranges such as 0,3-6, or `all`".to_owned())
            })
        };
        let (first, last) = (number(first)?, number(last)?);
        if first > last || last > 10_000 {
            return Err(bad(format!("{part} is no range of layers")));
        }
        for layer in first..=last {
            let point = match layer.checked_sub(1) {
                None => HookPoint::block(0, Site::ResidPre)?,
                Some(block) => HookPoint::block(block, Site::ResidPost)?,
            };
            if !held.contains(&point) {
                return Err(bad(format!(
                    "layer {layer} is {point}, and the run holds {}",
                    run.point_names().join(", ")
                )));
            }
            if !chosen.contains(&point.to_string()) {
                chosen.push(point.to_string());
            }
        }
    }
    Ok(chosen)
}

/// Layer after layer, each beginning from the map before it: memory holds the vectors of one.
fn maps(
    args: &Args,
    run: &Run,
    ground: &Ground,
    points: &[String],
    params: &MapParams,
) -> Result<Vec<(String, Map)>> {
    let bar = progress_bar(points.len() as u64, "layers", args.delivery.quiet);
    let mut maps: Vec<(String, Map)> = Vec::with_capacity(points.len());
    for point in points {
        let begin = maps.last().map(|(_, map)| map.places.as_slice());
        let map = draw(&ground.vectors(run, point)?, params, begin)?;
        maps.push((point.clone(), map));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(maps)
}

fn projections(
    run: &Run,
    ground: &Ground,
    points: &[String],
    about: &[crate::text::dataset::Column],
) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for point in points {
        let [vectors, metadata] = projector(&ground.vectors(run, point)?, about)?;
        files.push(match points.len() {
            1 => vectors,
            _ => (format!("{point}.{}", vectors.0), vectors.1),
        });
        if files.iter().all(|(name, _)| *name != metadata.0) {
            files.push(metadata);
        }
    }
    Ok(files)
}
