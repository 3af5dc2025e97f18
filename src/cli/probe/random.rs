//! The run's texts through a model of the same architecture with random weights: what a probe reads of the architecture alone.

use super::rows::{RowArgs, Rows};
use crate::analysis::matrix::Matrix;
use crate::cli::again::Inputs;
use crate::error::Result;
use crate::model::{LoadedModel, Model, Precision, RandomWeights, Transformer, load_in};
use crate::store::{Control, extract, refuse_other_inputs};
use std::sync::atomic::AtomicBool;

/// Without being asked for, it is run only where it takes fewer operations than this: about a minute on two cores. Not a time, which would make
/// the result depend on what else the machine does.
const OPERATIONS: f64 = 4e12;

/// The same rows under random weights.
pub(super) struct RandomRows {
    rows: Rows,
    /// Where they lie while they are read.
    _folder: tempfile::TempDir,
}

impl RandomRows {
    /// Extracts them; in the inner result, why that is not done. `asked` is whether they are wanted however long it takes.
    pub(super) fn extract(
        rows: &Rows,
        args: &RowArgs,
        labels: &[String],
        seed: u64,
        asked: bool,
    ) -> Result<std::result::Result<Self, String>> {
        let run = rows.run();
        let plan = &run.manifest().plan;
        if args.test_run.is_some() {
            return Ok(Err("it does not go together with --test-run".to_owned()));
        }
        if plan.precision != Precision::F32 {
            return Ok(Err("the run was made in 16 bits".to_owned()));
        }
        let inputs = match Inputs::of(run, None, args.data.as_deref())? {
            Ok(inputs) => inputs,
            Err(why) => return Ok(Err(why)),
        };
        let model = load_in(&inputs.model, plan.precision)?;
        let same = refuse_other_inputs(
            run,
            (&inputs.model.to_string(), &model.weights_sha256),
            (
                &inputs.data.path().display().to_string(),
                inputs.data.sha256(),
            ),
        );
        if let Err(why) = same {
            return Ok(Err(why.to_string()));
        }
        let spec = model.model.spec().clone();
        let model = LoadedModel {
            model: Transformer::build(spec, &mut RandomWeights::new(seed))?,
            ..model
        };
        let folder =
            tempfile::tempdir().map_err(|e| crate::error::Error::io("random weights", e))?;
        let out = folder.path().join("run");
        let refused = inputs.extraction(run, &model, |plan| {
            let (tokens, texts) = (plan.census.tokens() as f64, plan.census.examples() as f64);
            let spec = model.model.spec();
            let length = (tokens / texts.max(1.0)).ceil() as usize;
            let operations = tokens * spec.flops_per_token(spec.n_layers, length);
            if operations > OPERATIONS && !asked {
                return Ok(Some(format!(
                    "it would take {operations:.0e} operations; ask for it with --controls random-weights"
                )));
            }
            let control = Control {
                resume: false,
                force: false,
                part: None,
                stop: &AtomicBool::new(false),
                progress: &|_| {},
            };
            extract(plan, &out, &control).map(|_| None)
        })?;
        match refused {
            Some(why) => Ok(Err(why)),
            None => Ok(Ok(Self {
                rows: Rows::open(&out, args, labels)?,
                _folder: folder,
            })),
        }
    }

    /// As [`Rows::matrices`].
    pub(super) fn matrices(&self, point: &str) -> Result<Vec<(String, Matrix)>> {
        self.rows.matrices(point)
    }
}
