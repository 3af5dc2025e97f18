//! What may be concluded from drift, in words.

use super::{DriftReport, difference, said};
use crate::analysis::drift::{Effect, KindDrift, LayerDrift, Measure, Verdict};

impl DriftReport {
    pub(super) fn find(&self) -> Vec<String> {
        let kinds = self.drift.kinds.iter();
        let mut findings: Vec<String> = kinds.flat_map(|kind| self.find_in(kind)).collect();
        let company = &self.drift.company;
        let layers = || self.drift.kinds.iter().flat_map(|k| &k.layers);
        let decided = layers().filter(|l| l.corrections_agree.is_some()).count();
        if self.drift.kinds.len() > 1 && decided > 0 {
            let agreeing = layers()
                .filter(|l| l.corrections_agree == Some(true))
                .count();
            findings.push(format!(
                "Conclusions about cosine distances are the same under every correction for anisotropy (none, center, standardize, abtt) at {agreeing} of {decided} hook points of all kinds."
            ));
        }
        let most = match company.cosine_distance {
            0.0 => "0".to_owned(),
            distance => format!("{distance:.1e}"),
        };
        findings.push(format!(
            "The same text alone and in company: cosine distance at most {most} over {} texts and all hook points.",
            company.texts
        ));
        findings
    }

    fn find_in(&self, kind: &KindDrift) -> Vec<String> {
        let name = &kind.kind;
        let mut found = Vec::new();
        if kind.counts.measured == 0 {
            return vec![format!(
                "{name}: nothing to measure: {}.",
                said(&kind.counts)
            )];
        }
        if kind.counts.same_tokens == kind.counts.measured {
            return vec![format!(
                "{name}: the tokenizer leaves nothing of these edits (all {} give the tokens of their originals), so the model cannot move.",
                kind.counts.measured
            )];
        }
        let moves = Conclusion::of(self, kind, Measure::CosineDistance, "moves texts");
        found.extend(moves.sentences());
        let agreeing = kind
            .layers
            .iter()
            .filter(|l| l.corrections_agree == Some(true));
        let decided = kind.layers.iter().filter(|l| l.corrections_agree.is_some());
        let (agreeing, decided) = (agreeing.count(), decided.count());
        // Of many kinds, those are named that need a second look.
        if decided > 0 && (agreeing < decided || self.drift.kinds.len() == 1) {
            found.push(format!(
                "{name}: the conclusion about cosine distances is the same under every correction for anisotropy (none, center, standardize, abtt) at {agreeing} of {decided} hook points."
            ));
        }
        let shifts = Conclusion::of(self, kind, Measure::ProbeShift, "moves the probe's score");
        found.extend(shifts.sentences());
        found
    }
}

/// The effects of a kind by one measure, at the hook points where there are any.
struct Conclusion<'a> {
    report: &'a DriftReport,
    name: &'a str,
    measure: Measure,
    /// What the kind does, as a verb.
    does: &'a str,
    effects: Vec<(&'a str, &'a Effect)>,
}

impl<'a> Conclusion<'a> {
    fn of(report: &'a DriftReport, kind: &'a KindDrift, measure: Measure, does: &'a str) -> Self {
        let at = |layer: &'a LayerDrift| Some((layer.hook_point.as_str(), layer.effect(measure)?));
        Self {
            report,
            name: &kind.kind,
            measure,
            does,
            effects: kind.layers.iter().filter_map(at).collect(),
        }
    }

    /// Where an effect lies above the baseline, below it, or within the margin.
    fn sentences(&self) -> Vec<String> {
        if self.effects.is_empty() {
            return Vec::new();
        }
        let beyond = [(Verdict::More, "more"), (Verdict::Less, "less")];
        let mut said: Vec<String> = beyond
            .into_iter()
            .filter_map(|(verdict, how)| self.beyond(verdict, how))
            .collect();
        said.extend(self.within());
        if self.with(Verdict::Undecided).len() == self.effects.len() {
            said.push(format!(
                "{}: {} neither differs from {} nor is within the margin at any hook point; more texts would tell.",
                self.name,
                self.measure.name(),
                self.report.baseline().unwrap_or("no change")
            ));
        }
        said
    }

    fn beyond(&self, verdict: Verdict, how: &str) -> Option<String> {
        let found = self.with(verdict);
        let size = |e: &Effect| e.value.abs();
        let (point, effect) = found
            .iter()
            .max_by(|a, b| size(a.1).total_cmp(&size(b.1)))?;
        let than = match (self.report.baseline(), how) {
            (Some(baseline), how) => format!("{how} than {baseline}"),
            (None, "more") => "beyond the margin".to_owned(),
            (None, _) => "below zero, beyond the margin,".to_owned(),
        };
        Some(format!(
            "{} {} {than} at {} (simultaneous 95 % band); most at {point}: {} {}.",
            self.name,
            self.does,
            self.place(&found),
            self.measure.name(),
            difference(effect),
        ))
    }

    fn within(&self) -> Option<String> {
        let within = self.with(Verdict::Equivalent);
        (!within.is_empty()).then(|| {
            format!(
                "{}: {} is within the margin of {} at {} (equivalence, two one-sided tests at 5 %; margin {} of the distance between unrelated texts).",
                self.name,
                self.measure.name(),
                self.report.baseline().unwrap_or("no change"),
                self.place(&within),
                percent(self.report.params.margin),
            )
        })
    }

    fn with(&self, verdict: Verdict) -> Vec<(&'a str, &'a Effect)> {
        let effects = self.effects.iter().copied();
        effects.filter(|(_, e)| e.verdict == verdict).collect()
    }

    fn place(&self, found: &[(&str, &Effect)]) -> String {
        if found.len() == self.effects.len() {
            return "every hook point".to_owned();
        }
        let points: Vec<&str> = found.iter().map(|(point, _)| *point).collect();
        points.join(", ")
    }
}

fn percent(share: f64) -> String {
    format!("{:.3} %", 100.0 * share)
        .replace(".000", "")
        .replace("00 %", " %")
}
