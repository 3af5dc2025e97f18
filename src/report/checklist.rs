//! What a reviewer of a probe asks, each item with its number.

use super::probe::{ProbeReport, short, shown};
use super::table::{Align, Cell, Table};
use crate::analysis::probe::{Convergence, LayerResult, Predictions};
use serde::Serialize;

/// One item.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What is asked.
    pub item: &'static str,
    /// Whether it is as it should be; `null` where the item does not apply.
    pub ok: Option<bool>,
    /// The answer, with its number.
    pub said: String,
}

/// The answers for a report. Those about one layer are about the chosen one, or the deepest where none was chosen.
pub fn checklist(report: &ProbeReport) -> Vec<Check> {
    let chosen = report.chosen().map(|(_, layer)| layer);
    let mut checks = vec![split(report), audit(report)];
    if let Some(layer) = chosen.or_else(|| report.layers.last()) {
        checks.extend([
            choice(report),
            interval(report, layer),
            gain(layer),
            controls(report, layer),
            selectivity(layer),
            codelength(layer),
            rows(layer),
            balance(layer),
            calibration(layer),
            convergence(layer),
        ]);
    }
    checks.push(Check {
        item: "repeatable",
        ok: Some(true),
        said: format!(
            "seed {}, data {}, weights {}, `{}`",
            report.params.seed,
            short(&report.source.data_sha256),
            short(&report.source.weights_sha256),
            report.command
        ),
    });
    checks
}

fn split(report: &ProbeReport) -> Check {
    let split = &report.split;
    Check {
        item: "test rows apart from training rows",
        ok: Some(report.audit.shared.is_empty()),
        said: format!(
            "{} training rows, {} test rows, {}{}",
            split.train,
            split.test,
            split.how,
            match report.audit.shared.len() {
                0 => "; no group is on both sides".to_owned(),
                n => format!("; values of {n} column(s) are on both sides"),
            }
        ),
    }
}

fn audit(report: &ProbeReport) -> Check {
    let audit = &report.audit;
    let features = audit.single_features.iter();
    let features: Vec<String> = features
        .map(|f| {
            format!(
                "{} {:.3} (majority {:.3})",
                f.feature, f.accuracy, f.majority
            )
        })
        .collect();
    Check {
        item: "no leak",
        ok: audit.exact_duplicates.map(|_| audit.leaks.is_empty()),
        said: match (audit.exact_duplicates, audit.near_duplicates) {
            (Some(exact), Some(near)) => format!(
                "{exact} equal and {near} nearly equal texts of {} test rows{}{}",
                audit.test_rows,
                if features.is_empty() {
                    ""
                } else {
                    "; accuracy of "
                },
                features.join(", of ")
            ),
            _ => "the run does not carry the texts".to_owned(),
        },
    }
}

fn choice(report: &ProbeReport) -> Check {
    let item = "scaling, λ and layer chosen on training rows alone";
    match report.chosen() {
        None => Check {
            item,
            ok: Some(false),
            said: "no layer was chosen: this kind has no score on inner folds".to_owned(),
        },
        Some((chosen, layer)) => {
            let equals = report
                .comparison
                .as_ref()
                .map_or(0, |c| c.cannot_be_told_apart.len());
            Check {
                item,
                ok: Some(true),
                said: format!(
                    "{} ({} {:.3} on inner folds, λ {}); {equals} of {} other layers cannot be told from it",
                    chosen.hook_point,
                    chosen.metric,
                    chosen.inner_score,
                    layer.lambda,
                    report.layers.len() - 1
                ),
            }
        }
    }
}

fn interval(report: &ProbeReport, layer: &LayerResult) -> Check {
    let score = layer.metrics.get(layer.main_metric);
    let band = report
        .comparison
        .as_ref()
        .and_then(|c| c.simultaneous_band.as_ref());
    Check {
        item: "a score with its interval",
        ok: Some(score.is_some_and(|s| s.low.is_some())),
        said: format!(
            "{} {} by {} resamples{}",
            layer.main_metric,
            score.map(shown).unwrap_or_default(),
            report.params.bootstrap,
            match band {
                Some(band) => format!("; over all layers ± {:.2} standard errors", band.critical),
                None => String::new(),
            }
        ),
    }
}

fn gain(layer: &LayerResult) -> Check {
    let gain = &layer.gain;
    Check {
        item: "above the best control",
        ok: Some(gain.gain.low.is_some_and(|low| low > 0.0)),
        said: format!("{} above {}", shown(gain.gain), gain.over.replace('_', " ")),
    }
}

fn controls(report: &ProbeReport, layer: &LayerResult) -> Check {
    let controls = &layer.controls;
    let mut said = vec![format!("majority {:.3}", controls.majority)];
    said.extend(controls.shuffled.map(|s| format!("shuffled {s:.3}")));
    let rivals = controls.rivals.0.iter();
    said.extend(rivals.map(|(name, score)| format!("{} {score:.3}", name.replace('_', " "))));
    let not_run = report.not_run.iter();
    said.extend(not_run.map(|n| format!("{} not run", n.control.replace('_', " "))));
    Check {
        item: "controls beside the score",
        ok: Some(controls.shuffled.is_some() && report.not_run.is_empty()),
        said: said.join(", "),
    }
}

fn selectivity(layer: &LayerResult) -> Check {
    Check {
        item: "selective against a control task",
        ok: layer.selectivity.map(|s| s > 0.0),
        said: match (layer.selectivity, layer.controls.control_task) {
            (Some(selectivity), Some(task)) => {
                format!("selectivity {selectivity:.3}, control task {task:.3}")
            }
            _ => "no type has rows on both sides, so that a control task cannot be learned (name one with --entity)".to_owned(),
        },
    }
}

fn codelength(layer: &LayerResult) -> Check {
    Check {
        item: "shorter online code than shuffled labels",
        ok: layer.codelength.as_ref().map(|c| c.bits < c.control_bits),
        said: match &layer.codelength {
            None => "not computed: for logistic probes of classes".to_owned(),
            Some(code) => format!(
                "{:.0} bits, shuffled {:.0}, uniform {:.0} (compression {:.2})",
                code.bits, code.control_bits, code.uniform_bits, code.compression
            ),
        },
    }
}

fn rows(layer: &LayerResult) -> Check {
    let (n, d) = (layer.n_train, layer.n_features);
    Check {
        item: "at least two training rows a feature",
        ok: Some(n >= 2 * d),
        said: format!(
            "{n} training rows, {d} features: {:.1}",
            n as f64 / d as f64
        ),
    }
}

fn balance(layer: &LayerResult) -> Check {
    let metric = |name: &str| layer.metrics.get(name).map(shown);
    let said = match (metric("balanced_accuracy"), metric("mcc")) {
        (Some(balanced), Some(mcc)) => format!("balanced accuracy {balanced}, MCC {mcc}"),
        _ => ["spearman", "mean_absolute_error", "great_circle_km"]
            .into_iter()
            .filter_map(|name| Some(format!("{} {}", name.replace('_', " "), metric(name)?)))
            .collect::<Vec<_>>()
            .join(", "),
    };
    Check {
        item: "other metrics agree",
        ok: Some(!said.is_empty()),
        said,
    }
}

fn calibration(layer: &LayerResult) -> Check {
    let item = "calibrated";
    match (&layer.predictions, layer.metrics.get("ece")) {
        (Predictions::Classes { .. }, Some(ece)) => Check {
            item,
            ok: Some(ece.value < 0.1),
            said: format!("expected calibration error {}", shown(ece)),
        },
        _ => Check {
            item,
            ok: None,
            said: "does not apply to numbers".to_owned(),
        },
    }
}

fn convergence(layer: &LayerResult) -> Check {
    let (ok, said) = match layer.convergence {
        None => (true, "closed form".to_owned()),
        Some(Convergence::Converged { gradient_norm, .. }) => {
            (true, format!("gradient of length {gradient_norm:.0e}"))
        }
        Some(Convergence::NotConverged { gradient_norm, .. }) => (
            false,
            format!("not converged: gradient of length {gradient_norm:.0e}"),
        ),
    };
    Check {
        item: "the fit converged",
        ok: Some(ok),
        said,
    }
}

/// The checklist for the terminal.
pub fn checklist_table(report: &ProbeReport, styled: bool) -> String {
    let mut table = Table::new([
        ("", Align::Left),
        ("reviewer's checklist", Align::Left),
        ("answer", Align::Left),
    ])
    .styled(styled);
    for check in checklist(report) {
        table.row([
            Cell::from(match check.ok {
                Some(true) => "✓",
                Some(false) => "✗",
                None => "–",
            }),
            Cell::from(check.item),
            Cell::from(check.said),
        ]);
    }
    table.to_string()
}
