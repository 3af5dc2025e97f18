//! The extraction that made a run, again: with its own model, or with another one of the same shape.

use super::model::fetched;
use super::tokenize::{SourceColumn, texts, tokenizer};
use crate::error::Result;
use crate::hook::HookSet;
use crate::model::{LoadedModel, Model, ModelSource};
use crate::store::{Budget, Census, Extraction, Resolved, Run};
use crate::text::dataset::{Column, Dataset};
use std::path::{Path, PathBuf};

/// The model and the data of a run, found where they were or where they are said to be now.
pub(super) struct Inputs {
    pub(super) model: ModelSource,
    pub(super) data: Dataset,
}

impl Inputs {
    /// Finds them; in the inner result, why that cannot be done here. A model or a file that was named must be there.
    pub(super) fn of(
        run: &Run,
        model_named: Option<&str>,
        data_named: Option<&Path>,
    ) -> Result<Result<Self, String>> {
        let plan = &run.manifest().plan;
        let named = model_named.map_or_else(|| as_it_was(plan), str::to_owned);
        let model = fetched(&ModelSource::named(&named), false);
        let data = data_named.map_or_else(|| PathBuf::from(&plan.data.name), Path::to_owned);
        let is_there = model.as_ref().is_ok_and(|m| m.has("config.json"));
        if model_named.is_none() && !is_there {
            return Ok(Err(format!(
                "the model {named} is not where it was; name it with --model"
            )));
        }
        if data_named.is_none() && !data.is_file() {
            return Ok(Err(format!(
                "the data {} are not where they were; name them with --data",
                data.display()
            )));
        }
        Ok(Ok(Self {
            data: Dataset::read(&data)?,
            model: model?,
        }))
    }

    /// Calls `take` with the run's extraction, by this model.
    pub(super) fn extraction<T>(
        &self,
        run: &Run,
        model: &LoadedModel,
        take: impl FnOnce(&Extraction<'_>) -> Result<T>,
    ) -> Result<T> {
        let (plan, spec) = (&run.manifest().plan, model.model.spec());
        let column: SourceColumn = match (&plan.data.text_column, &plan.data.ids_column) {
            (Some(texts), _) => Ok(texts.clone()),
            (None, ids) => Err(ids.clone().unwrap_or_default()),
        };
        let tokenizer = tokenizer(&self.model, &column, plan.bos)?;
        let texts = texts(&column, &self.data, tokenizer.as_ref())?;
        let limit = plan.pool.limit(spec.context);
        let census = Census::take(&texts, limit, spec.vocab, plan.special_tokens)?;
        let points = plan.points.iter().map(|p| p.name.parse());
        let carried = plan.data.columns.iter().map(|name| self.data.column(name));
        let carried: Vec<&Column> = carried.collect::<Result<_>>()?;
        take(&Extraction {
            model,
            model_name: self.model.to_string(),
            tokenizer_sha256: tokenizer.as_ref().map(|t| t.sha256().to_owned()),
            data: &self.data,
            data_name: self.data.path().display().to_string(),
            source_column: column,
            texts: &texts,
            census: &census,
            carried: &carried,
            points: HookSet::new(points.collect::<Result<Vec<_>>>()?),
            bos: plan.bos,
            pool: plan.pool.clone(),
            special_tokens: plan.special_tokens,
            dtype: plan.dtype,
            budget: Budget::default(),
        })
    }
}

/// The name of the run's model; of one from the hub, with the commit that it had.
fn as_it_was(plan: &Resolved) -> String {
    let name = &plan.model.name;
    match &plan.model.revision {
        Some(commit) => format!("{}@{commit}", name.split('@').next().unwrap_or(name)),
        None => name.clone(),
    }
}
