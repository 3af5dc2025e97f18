//! What an extraction would store, and what it has stored, in words.

use super::super::output::{bytes, count};
use crate::report::table::{Align, Table};
use crate::store::{Estimate, Outcome};
use std::path::Path;
use std::time::Duration;

/// What a plan would store.
pub(super) fn plan(estimate: &Estimate) -> String {
    let mut table = Table::new([
        ("hook point", Align::Left),
        ("vector", Align::Right),
        ("bytes", Align::Right),
    ]);
    for point in &estimate.points {
        table.row([
            point.hook_point.clone(),
            point.width.to_string(),
            bytes(point.bytes),
        ]);
    }
    let vectors: u64 = estimate.points.iter().map(|p| p.bytes).sum();
    let disk = match estimate.free_bytes {
        None => "free disk unknown".to_owned(),
        Some(free) if free < estimate.bytes => {
            format!("only {} free on the disk: it will be refused", bytes(free))
        }
        Some(free) => format!("{} free on the disk", bytes(free)),
    };
    format!(
        "{table}{}, {}, {}: {} of vectors\n{} in all, in {}; {disk}\nabout {} on this machine\n",
        count(estimate.examples, "example"),
        count(estimate.tokens, "token"),
        count(estimate.rows, "row"),
        bytes(vectors),
        bytes(estimate.bytes),
        count(estimate.shards, "shard"),
        duration(Duration::from_secs_f64(estimate.seconds.min(1e12))),
    )
}

/// What is there now.
pub(super) fn outcome(out: &Path, outcome: &Outcome, tokens: usize, took: Duration) -> String {
    let manifest = &outcome.manifest;
    let rows: usize = manifest.shards.iter().map(|s| s.rows).sum();
    let mut said = format!(
        "{}: {}, {}, {}, {}, {} in {}",
        out.display(),
        count(manifest.plan.data.examples, "example"),
        count(manifest.plan.data.tokens, "token"),
        count(manifest.plan.points.len(), "hook point"),
        count(rows, "row"),
        bytes(outcome.bytes),
        count(manifest.shards.len(), "shard"),
    );
    if outcome.resumed_shards > 0 {
        said += &format!(
            ", {} of them from before",
            count(outcome.resumed_shards, "shard")
        );
    }
    if let Some(part) = manifest.part {
        said += &format!(", part {} of {}", part.index, part.of);
    }
    said += &format!("; {} cut", count(manifest.truncation.texts, "text"));
    let massive: usize = manifest.massive.iter().map(|m| m.rows).sum();
    if massive > 0 {
        let points = manifest.massive.iter().filter(|m| m.rows > 0).count();
        said += &format!(
            "; {} at {}",
            count(massive, "massive activation"),
            count(points, "hook point")
        );
    }
    if let Some(error) = manifest.rounding_error {
        said += &format!("; rounded to 16 bits with an error of at most {error:.1e}");
    }
    let speed = tokens as f64 / took.as_secs_f64().max(1e-9);
    said += &format!("; {}, {speed:.0} tokens/s\n", duration(took));
    said
}

fn duration(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        _ => indicatif::HumanDuration(time).to_string(),
    }
}
