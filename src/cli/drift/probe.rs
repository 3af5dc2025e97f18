//! The probe whose direction is followed, trained on a run.

use super::Args;
use crate::analysis::drift::Params;
use crate::analysis::matrix::Matrix;
use crate::analysis::probe::{Lambda, Readout, SweepParams, labels_of, natural_kind, probe_layer};
use crate::cli::divide::divided;
use crate::error::{Error, Result};
use crate::hook::HookSet;
use crate::model::LoadedModel;
use crate::report::drift::ProbeSource;
use crate::store::Run;

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

pub(super) fn train(
    args: &Args,
    points: &HookSet,
    params: &Params,
    model: &LoadedModel,
) -> Result<Option<Probe>> {
    let (Some(path), Some(label)) = (&args.probe_run, &args.probe_label) else {
        return Ok(None);
    };
    let run = Run::open(path)?;
    refuse_other(&run, params, model)?;
    let columns = vec![(label.clone(), run.column(label)?)];
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
            label: label.clone(),
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
        false => Ok(Some(probe)),
        true => Err(Error::BadRun {
            path: path.clone(),
            problem: format!(
                "it has none of the hook points that drift is measured at; it has {}",
                there.join(", ")
            ),
        }),
    }
}

/// A direction means something only among vectors that were made in the same way.
fn refuse_other(run: &Run, params: &Params, model: &LoadedModel) -> Result<()> {
    let plan = &run.manifest().plan;
    let problem = if plan.pool != params.pool {
        "its texts were pooled in another way than --pool".to_owned()
    } else if plan.model.weights_sha256 != model.weights_sha256 {
        format!("it was extracted from other weights ({})", plan.model.name)
    } else if plan.special_tokens != crate::store::SpecialTokens::Included {
        "it was extracted with --no-special".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::BadRun {
        path: run.path().to_owned(),
        problem: format!("{problem}, so its probe does not fit"),
    })
}
