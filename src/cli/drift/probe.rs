//! The probe whose direction is followed: read from the files of `plumb probe`, or trained on a run.

use super::Args;
use crate::analysis::drift::Params;
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::{Lambda, Readout, SweepParams, labels_of, natural_kind, probe_layer};
use crate::cli::divide::divided;
use crate::error::{Error, Result};
use crate::hook::HookSet;
use crate::model::LoadedModel;
use crate::report::drift::ProbeSource;
use crate::report::probe_file::{ProbeCard, read};
use crate::store::{ModelCard, Pool, Run, SpecialTokens};
use std::path::{Path, PathBuf};

/// A probe at every hook point that the run has.
pub(super) struct Probe {
    pub(super) readouts: Vec<Readout>,
    pub(super) source: ProbeSource,
}

impl Probe {
    /// The number of a label among the probe's classes, in any case.
    pub(super) fn number(&self, label: &str) -> Option<usize> {
        let names = &self.source.outputs;
        let exact = names.iter().position(|n| n == label);
        exact.or_else(|| {
            names
                .iter()
                .position(|n| n.to_lowercase() == label.to_lowercase())
        })
    }
}

/// The probe that was asked for.
pub(super) fn find(
    args: &Args,
    points: &HookSet,
    params: &Params,
    model: &LoadedModel,
) -> Result<Option<Probe>> {
    match (&args.probe, &args.probe_run, &args.probe_label) {
        (Some(path), ..) => from_files(path, points, params, model).map(Some),
        (None, Some(run), Some(label)) => train(args, run, label, points, params, model).map(Some),
        _ => Ok(None),
    }
}

/// The probes of a folder that `plumb probe` made, or a single one, at the hook points that drift is measured at.
fn from_files(
    path: &Path,
    points: &HookSet,
    params: &Params,
    model: &LoadedModel,
) -> Result<Probe> {
    let wanted: Vec<String> = points.points().iter().map(ToString::to_string).collect();
    let mut found = Vec::new();
    for file in files(path)? {
        let (readout, card) = read(&file)?;
        if wanted.iter().any(|p| p == readout.point()) {
            refuse_other_rows(&file, &card)?;
            refuse_other(
                &file,
                &card.model,
                (&card.pool, card.special_tokens),
                params,
                model,
            )?;
            found.push((readout, card));
        }
    }
    found.sort_by_key(|(readout, _)| wanted.iter().position(|p| p == readout.point()));
    let Some((_, first)) = found.first() else {
        return Err(Error::Malformed {
            path: path.to_owned(),
            problem: "it has no probe at the hook points that drift is measured at; see --points"
                .to_owned(),
        });
    };
    if let Some((_, other)) = found.iter().find(|(_, c)| c.names != first.names) {
        return Err(Error::Malformed {
            path: path.to_owned(),
            problem: format!(
                "its probes read different labels ({} and {}); give one file",
                first.label.join(", "),
                other.label.join(", ")
            ),
        });
    }
    let main = |card: &ProbeCard| {
        let names = ["balanced_accuracy", "accuracy", "r2"];
        let values = names.iter().map(|name| &card.metrics[*name]["value"]);
        values.filter_map(serde_json::Value::as_f64).next()
    };
    let source = ProbeSource {
        run: path.display().to_string(),
        label: first.label.join(","),
        outputs: first.names.clone(),
        accuracy: found.iter().filter_map(|(_, card)| main(card)).collect(),
        data_sha256: first.data.first().map(|d| d.1.clone()).unwrap_or_default(),
    };
    Ok(Probe {
        readouts: found.into_iter().map(|(readout, _)| readout).collect(),
        source,
    })
}

/// The cards below a folder, in order of their names, or the one file.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let inner = path.join("probes");
    let folder = if inner.is_dir() {
        inner
    } else {
        path.to_owned()
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, e))? {
        let file = entry.map_err(|e| Error::io(&folder, e))?.path();
        if file.extension().is_some_and(|e| e == "safetensors") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The movement of pooled texts can only be held against a probe of pooled texts.
fn refuse_other_rows(file: &Path, card: &ProbeCard) -> Result<()> {
    match card.rows.unit == "text" && !card.rows.per_head {
        true => Ok(()),
        false => Err(Error::Malformed {
            path: file.to_owned(),
            problem: format!(
                "this probe reads a {}{}, and drift follows the probe of a text",
                if card.rows.per_head { "head of a " } else { "" },
                card.rows.unit
            ),
        }),
    }
}

fn train(
    args: &Args,
    path: &Path,
    label: &str,
    points: &HookSet,
    params: &Params,
    model: &LoadedModel,
) -> Result<Probe> {
    let run = Run::open(path)?;
    let plan = &run.manifest().plan;
    refuse_other(
        path,
        &plan.model,
        (&plan.pool, plan.special_tokens),
        params,
        model,
    )?;
    let columns = vec![(label.to_owned(), run.column(label)?)];
    let kind = natural_kind(&columns);
    let labelled = labels_of(&columns, kind)?;
    let split = divided(
        &run,
        &labelled,
        args.probe_split_column.as_deref(),
        args.seed,
        label,
    )?;
    let sweep = SweepParams {
        lambda: Lambda::Fixed(args.probe_lambda),
        shuffles: 0,
        bootstrap: 0,
        seed: args.seed,
        ..SweepParams::new(kind)
    };
    sweep.check()?;
    let mut probe = Probe {
        readouts: Vec::new(),
        source: ProbeSource {
            run: path.display().to_string(),
            label: label.to_owned(),
            outputs: Vec::new(),
            accuracy: Vec::new(),
            data_sha256: run.manifest().plan.data.sha256.clone(),
        },
    };
    let there = run.point_names();
    for point in points.points().iter().map(ToString::to_string) {
        if !there.contains(&point) {
            continue;
        }
        let vectors = run.vectors(&point)?;
        let x = Matrix::from_f32(vectors.rows(), vectors.width, &vectors.values)?;
        let result = probe_layer(&point, &x, &labelled.labels, &split, None, &sweep)?;
        let score = result.metrics.get(kind.main_metric());
        probe.source.accuracy.extend(score.map(|s| s.value));
        probe.source.outputs = result.outputs;
        probe.readouts.extend(result.readout);
    }
    match probe.readouts.is_empty() {
        false => Ok(probe),
        true => Err(Error::BadRun {
            path: path.to_owned(),
            problem: format!(
                "it has none of the hook points that drift is measured at; it has {}",
                there.join(", ")
            ),
        }),
    }
}

/// A direction means something only among vectors that were made in the same way.
fn refuse_other(
    path: &Path,
    of: &ModelCard,
    (pool, special): (&Pool, SpecialTokens),
    params: &Params,
    model: &LoadedModel,
) -> Result<()> {
    let problem = if *pool != params.pool {
        "its texts were pooled in another way than --pool".to_owned()
    } else if of.weights_sha256 != model.weights_sha256 {
        format!("it is of other weights ({})", of.name)
    } else if special != SpecialTokens::Included {
        "it was made with --no-special".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::BadRun {
        path: path.to_owned(),
        problem: format!("{problem}, so its probe does not fit"),
    })
}
