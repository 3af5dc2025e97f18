//! The trained probes of a report, as files of its output folder.

use super::rows::Rows;
use crate::analysis::probe::{Kind, LayerResult};
use crate::error::{Error, Result};
use crate::report::probe::ProbeReport;
use crate::report::probe_file::{ProbeCard, SCHEMA_VERSION, encode};
use crate::store::Manifest;

/// Names and bytes: `HOOK_POINT.safetensors` and `.json` of the headline's kind, `HOOK_POINT.KIND.…` of the others. A kind that is no direction
/// (an MLP) has none.
///
/// # Errors
/// Those of [`encode`].
pub(super) fn probe_files(report: &ProbeReport, rows: &Rows) -> Result<Vec<(String, Vec<u8>)>> {
    let Some(manifest) = rows.manifests().next() else {
        return Ok(Vec::new());
    };
    let headline = report
        .layers
        .iter()
        .map(|layer| (report.params.kind, layer));
    let others = report
        .kinds
        .iter()
        .flat_map(|k| k.layers.iter().map(|layer| (k.kind, layer)));
    let mut files = Vec::new();
    for (kind, layer) in headline.chain(others) {
        let Some(readout) = &layer.readout else {
            continue;
        };
        let stem = match kind == report.params.kind {
            true => layer.hook_point.clone(),
            false => format!("{}.{}", layer.hook_point, kind.name()),
        };
        let card = card(report, kind, layer, manifest)?;
        let encoded = encode(readout, &card)?.into_iter();
        files.extend(encoded.map(|(extension, bytes)| (format!("{stem}.{extension}"), bytes)));
    }
    Ok(files)
}

fn card(
    report: &ProbeReport,
    kind: Kind,
    layer: &LayerResult,
    manifest: &Manifest,
) -> Result<ProbeCard> {
    let plan = &manifest.plan;
    let sources = std::iter::once(&report.source).chain(&report.test_source);
    let link = layer.readout.as_ref().map(|r| r.link());
    let failed = |e: serde_json::Error| Error::Malformed {
        path: layer.hook_point.clone().into(),
        problem: format!("the probe's card could not be written ({e})"),
    };
    Ok(ProbeCard {
        schema_version: SCHEMA_VERSION,
        plumb_version: env!("CARGO_PKG_VERSION").to_owned(),
        command: report.command.clone(),
        hook_point: layer.hook_point.clone(),
        kind: kind.name().to_owned(),
        link: link.unwrap_or(crate::analysis::probe::Link::Identity),
        names: layer.outputs.clone(),
        label: report.label.clone(),
        lambda: layer.lambda,
        rows: report.rows.clone(),
        model: plan.model.clone(),
        precision: plan.precision,
        bos: plan.bos,
        pool: plan.pool.clone(),
        special_tokens: plan.special_tokens,
        data: sources
            .map(|s| (s.data.clone(), s.data_sha256.clone()))
            .collect(),
        split: report.split.clone(),
        metrics: serde_json::to_value(&layer.metrics).map_err(failed)?,
        controls: serde_json::to_value(&layer.controls).map_err(failed)?,
        warnings: layer.warnings.clone(),
        tensors_sha256: String::new(),
    })
}
