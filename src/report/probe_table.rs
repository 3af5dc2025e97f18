//! A probe of every layer as a table for the terminal, with what must be known to read it.

use super::probe::{ProbeReport, shown};
use super::table::{Align, Cell, Table};
use crate::analysis::probe::Kind;

impl ProbeReport {
    /// The table for the terminal, with what must be known to read it.
    pub fn table(&self, styled: bool) -> String {
        let metric = self.main_metric();
        let (score, gain) = match self.params.bootstrap {
            0 => (metric.to_owned(), "gain".to_owned()),
            _ => (format!("{metric} [95 %]"), "gain [95 %]".to_owned()),
        };
        let control = match self.params.kind {
            Kind::Ridge => "mean",
            _ => "majority",
        };
        let mut table = Table::new([
            ("layer".to_owned(), Align::Left),
            (score, Align::Right),
            (gain, Align::Right),
            ("over".to_owned(), Align::Left),
            (control.to_owned(), Align::Right),
            ("shuffled".to_owned(), Align::Right),
            ("train".to_owned(), Align::Right),
            ("λ".to_owned(), Align::Right),
        ])
        .styled(styled);
        let chosen = self.chosen().map(|(chosen, _)| chosen.hook_point.as_str());
        for layer in &self.layers {
            let shuffled = layer.controls.shuffled.map(|s| format!("{s:.3}"));
            let name = match chosen == Some(&layer.hook_point) {
                true => Cell::bold(layer.hook_point.clone()),
                false => Cell::from(layer.hook_point.clone()),
            };
            table.row([
                name,
                Cell::from(self.main(layer).map(shown).unwrap_or_default()),
                Cell::bold(shown(layer.gain.gain)),
                Cell::dim(layer.gain.over.replace('_', " ")),
                Cell::dim(format!("{:.3}", layer.controls.majority)),
                Cell::dim(shuffled.unwrap_or_default()),
                Cell::from(format!("{:.3}", layer.train_score)),
                Cell::from(layer.lambda.to_string()),
            ]);
        }
        format!(
            "{table}{}{}{}{}",
            self.kinds_table(styled),
            self.notes(),
            self.findings(),
            self.warnings()
        )
    }

    /// The chosen layer, the controls and the audit, a line each.
    fn findings(&self) -> String {
        let mut said = String::new();
        if let Some((chosen, layer)) = self.chosen() {
            said += &format!(
                "chosen on inner folds: {}, {} {} on the test rows, {} above {}",
                chosen.hook_point,
                chosen.metric,
                shown(chosen.test_score),
                shown(chosen.gain.gain),
                chosen.gain.over.replace('_', " "),
            );
            let equals = self
                .comparison
                .as_ref()
                .map(|c| &c.cannot_be_told_apart[..]);
            let others = self.layers.len() - 1;
            said += &match equals {
                Some([]) if others > 0 => "; above every other layer\n".to_owned(),
                Some(equals) if !equals.is_empty() && equals.len() == others => {
                    "; no other layer can be told from it\n".to_owned()
                }
                Some(equals) if !equals.is_empty() => {
                    format!("; cannot be told from it: {}\n", equals.join(", "))
                }
                _ => "\n".to_owned(),
            };
            if let Some(selectivity) = layer.selectivity {
                said += &format!(
                    "selectivity there (accuracy above the control task): {selectivity:.3}\n"
                );
            }
            if let Some(code) = &layer.codelength {
                said += &format!(
                    "online codelength there: {:.0} bits (shuffled {:.0}, uniform {:.0})\n",
                    code.bits, code.control_bits, code.uniform_bits
                );
            }
        }
        let layer = self.chosen().map(|(_, layer)| layer);
        let layer = layer.or_else(|| self.layers.last());
        let run = layer.into_iter().flat_map(|l| &l.controls.rivals.0);
        let run = run.map(|(name, score)| {
            let baseline = self.baselines.iter().find(|b| b.control == *name);
            let estimate = baseline.and_then(|b| b.metrics.get(self.main_metric()));
            let score = estimate.map_or_else(|| format!("{score:.3}"), shown);
            format!("{} {score}", name.replace('_', " "))
        });
        let not_run = self.not_run.iter();
        let not_run =
            not_run.map(|n| format!("{} not run ({})", n.control.replace('_', " "), n.why));
        let controls: Vec<String> = run.chain(not_run).collect();
        if !controls.is_empty() {
            said += &format!("controls: {}\n", controls.join("; "));
        }
        said += &self.audit_said();
        said
    }

    fn audit_said(&self) -> String {
        let audit = &self.audit;
        if audit.leaks.is_empty() {
            let texts = match audit.exact_duplicates {
                Some(_) => "no text is on both sides of the split, nor nearly",
                None => "the run does not carry the texts, so that they were not compared",
            };
            return format!("audit: {texts}\n");
        }
        let close = match &audit.suggested_group {
            Some(column) => format!("; --group {column} would keep them together"),
            None => String::new(),
        };
        format!("leak: {}{close}\n", audit.leaks.join("; "))
    }

    /// One line on the split.
    fn notes(&self) -> String {
        let split = &self.split;
        let mut notes = format!(
            "{}: {} training rows, {} test rows ({})",
            self.label.join(", "),
            split.train,
            split.test,
            split.how
        );
        if split.unlabelled > 0 {
            notes += &format!(", {} without a label left out", split.unlabelled);
        }
        for (value, rows) in &split.left_out {
            notes += &format!(", {rows} of `{value}` left out");
        }
        if let Some(rows) = self.rows.said() {
            notes += &format!("; rows are {rows}");
        }
        notes.push('\n');
        notes
    }

    /// Each warning once, with the layers that it is about.
    fn warnings(&self) -> String {
        let mut notes = String::new();
        let mut warnings: Vec<(&str, Vec<String>)> = Vec::new();
        let of_kinds = self.kinds.iter().flat_map(|kind| {
            let of = |layer| (format!("{}, ", kind.kind.name()), layer);
            kind.layers.iter().map(of)
        });
        let headline = self.layers.iter().map(|layer| (String::new(), layer));
        for (kind, layer) in headline.chain(of_kinds) {
            for warning in &layer.warnings {
                let place = format!("{kind}{}", layer.hook_point);
                match warnings.iter_mut().find(|(w, _)| w == warning) {
                    Some((_, places)) => places.push(place),
                    None => warnings.push((warning, vec![place])),
                }
            }
        }
        for (warning, places) in warnings {
            let place = match places.len() == self.layers.len() * (1 + self.kinds.len()) {
                true => "all layers".to_owned(),
                false => places.join("; "),
            };
            notes += &format!("warning ({place}): {warning}\n");
        }
        notes
    }
}
