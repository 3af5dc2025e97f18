//! The direction that a probe reads at each hook point, for each pair of labels.

use super::Task;
use crate::analysis::probe::{Link, Readout};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// The direction that a probe reads at each hook point for each pair of labels.
pub(super) type Directions = BTreeMap<Option<(usize, usize)>, Vec<Option<Vec<f32>>>>;

/// The direction of each probe for each pair of labels.
pub(super) fn directions(task: &Task<'_>) -> Result<Directions> {
    let points = task.points.points();
    let mut of_point: Vec<Option<&Readout>> = vec![None; points.len()];
    for probe in &task.probes {
        if let Some(at) = points.iter().position(|p| p.to_string() == probe.point()) {
            of_point[at] = Some(probe);
        }
    }
    let Some(first) = of_point.iter().flatten().next() else {
        return Ok(Directions::new());
    };
    let labels = first.names().len();
    if first.link() == Link::Softmax && labels > 8 || first.link() == Link::Identity && labels > 1 {
        return Err(Error::BadParameter {
            name: "probe-label",
            value: format!("{labels} outputs"),
            problem: "drift follows a probe of at most 8 classes or of one number".to_owned(),
        });
    }
    let pairs = (0..labels).flat_map(|a| (0..labels).map(move |b| Some((a, b))));
    let keys = std::iter::once(None).chain(pairs);
    let narrow = |v: Vec<f64>| -> Vec<f32> { v.into_iter().map(|v| v as f32).collect() };
    let of = |probe: &Readout, key: Option<(usize, usize)>| -> Option<Vec<f64>> {
        let toward = |k: usize, sign: f64| {
            let direction = probe.direction(k)?;
            Some(
                direction
                    .into_iter()
                    .map(|v| sign * v)
                    .collect::<Vec<f64>>(),
            )
        };
        match (probe.link(), key) {
            (Link::Logistic, Some((_, to))) => toward(0, if to == 1 { 1.0 } else { -1.0 }),
            (Link::Logistic | Link::Identity, _) => toward(0, 1.0),
            (Link::Softmax, Some((from, to))) if from != to => {
                let (from, to) = (probe.direction(from)?, probe.direction(to)?);
                Some(to.iter().zip(&from).map(|(t, f)| t - f).collect())
            }
            (Link::Softmax, _) => None,
        }
    };
    Ok(keys
        .map(|key| {
            let each = of_point.iter().map(|probe| of((*probe)?, key).map(narrow));
            (key, each.collect())
        })
        .collect())
}
