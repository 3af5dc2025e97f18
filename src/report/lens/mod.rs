//! Lenses, as people carry them away: JSON, tables, charts.

mod parameters;
mod tuned;

pub use parameters::{HeadTable, NeuronTable, ParameterReport};
pub use tuned::TunedReport;

use super::table::{Align, Cell, Table};
use crate::analysis::lens::{Aim, Candidate, LensLayer, Reading, Target};
use crate::figure::{ColorScale, Figure, Footer, HeatMap};
use crate::hook::{HookPoint, Site};
use crate::report::probe::short;
use crate::text::tokens::Tokenizer;
use serde::Serialize;

/// Version of the JSON of all lenses.
pub const SCHEMA_VERSION: u32 = 1;

/// On the terminal, a text up to this long is shown token by token.
const MOST_COLUMNS: usize = 9;
/// A heat map has at most so many rows.
const MOST_ROWS: usize = 64;

/// Which model was looked into.
#[derive(Debug, Clone, Serialize)]
pub struct ModelSource {
    /// As it was named.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
}

/// What each layer would say of a text.
#[derive(Debug, Clone, Serialize)]
pub struct LensReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// Where it comes from.
    pub source: ModelSource,
    /// The folder of the translators of a tuned lens; `None` for the logit lens.
    pub translators: Option<String>,
    /// The text.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<String>,
    /// What predictions are about: the next token, or the one that stands there.
    pub aim: Aim,
    /// One entry a hook point, in order of depth.
    pub layers: Vec<Layer>,
}

/// What one layer would say.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    /// The hook point.
    pub hook_point: String,
    /// The mean divergence from the model's own predictions, in nats.
    pub mean_kl: f64,
    /// The mean entropy, in nats.
    pub mean_entropy: f64,
    /// The mean probability of the token that is really there.
    pub mean_probability: Option<f64>,
    /// The median of its rank.
    pub median_rank: Option<f64>,
    /// One entry a token.
    pub positions: Vec<Position>,
}

/// What one layer would say at one token.
#[derive(Debug, Clone, Serialize)]
pub struct Position {
    /// The token that was read.
    pub token: String,
    /// The likeliest tokens.
    pub top: Vec<Said>,
    /// The entropy, in nats.
    pub entropy: f64,
    /// The divergence from the model's own prediction, in nats.
    pub kl: f64,
    /// The token that is really there.
    pub target: Option<SaidTarget>,
}

/// A token with its probability.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    /// As the vocabulary spells it.
    pub token: String,
    /// Its id and probability.
    #[serde(flatten)]
    pub candidate: Candidate,
}

/// The token that is really there.
#[derive(Debug, Clone, Serialize)]
pub struct SaidTarget {
    /// As the vocabulary spells it.
    pub token: String,
    /// Its id, probability and rank.
    #[serde(flatten)]
    pub target: Target,
}

/// What the colours of the chart say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The probability of the token that is shown.
    Top,
    /// The probability of the token that is really there.
    Target,
    /// The rank of that token.
    Rank,
    /// The entropy.
    Entropy,
    /// The divergence from the model's own prediction.
    Kl,
}

/// A token as the vocabulary spells it.
pub fn spelled(tokenizer: &Tokenizer, id: u32) -> String {
    tokenizer.id_to_token(id).unwrap_or_else(|| id.to_string())
}

impl Layer {
    /// From an analysis, with the tokens' spelling.
    pub fn new(layer: LensLayer, tokens: &[String], tokenizer: &Tokenizer) -> Self {
        let count = layer.positions.len().max(1) as f64;
        let mean = |value: &dyn Fn(&Reading) -> f64| {
            layer.positions.iter().map(value).sum::<f64>() / count
        };
        let targets: Vec<Target> = layer.positions.iter().filter_map(|p| p.target).collect();
        let mut ranks: Vec<usize> = targets.iter().map(|t| t.rank).collect();
        ranks.sort_unstable();
        let middle = |r: &[usize]| {
            let (below, above) = (r[(r.len() - 1) / 2], r[r.len() / 2]);
            (below + above) as f64 / 2.0
        };
        let probability = targets.iter().map(|t| t.probability).sum::<f64>();
        Self {
            hook_point: layer.hook_point.to_string(),
            mean_kl: mean(&|p| p.kl),
            mean_entropy: mean(&|p| p.entropy),
            mean_probability: (!targets.is_empty()).then(|| probability / targets.len() as f64),
            median_rank: (!ranks.is_empty()).then(|| middle(&ranks)),
            positions: layer
                .positions
                .into_iter()
                .zip(tokens)
                .map(|(reading, token)| Position::new(reading, token, tokenizer))
                .collect(),
        }
    }
}

impl Position {
    fn new(reading: Reading, token: &str, tokenizer: &Tokenizer) -> Self {
        let said = |candidate: Candidate| Said {
            token: spelled(tokenizer, candidate.token_id),
            candidate,
        };
        Self {
            token: token.to_owned(),
            top: reading.top.into_iter().map(said).collect(),
            entropy: reading.entropy,
            kl: reading.kl,
            target: reading.target.map(|target| SaidTarget {
                token: spelled(tokenizer, target.token_id),
                target,
            }),
        }
    }

    fn said(&self) -> &str {
        self.top.first().map_or("", |s| s.token.as_str())
    }
}

/// `input`, or the number of the block, where that names a hook point.
pub(super) fn tick(hook_point: &str) -> String {
    let point = hook_point.parse::<HookPoint>().ok();
    match point.map(|p| (p.site(), p.layer())) {
        Some((Site::ResidPost, Some(layer))) => layer.to_string(),
        Some((Site::ResidPre, Some(0))) => "input".to_owned(),
        _ => hook_point.to_owned(),
    }
}

/// A token in a picture: the marker of a space is one that the font has, and what breaks lines is seen.
pub(super) fn drawn(token: &str) -> String {
    token.replace(['Ġ', '▁'], "_").replace(['\n', 'Ċ'], "↵")
}

impl LensReport {
    fn lens(&self) -> &'static str {
        match self.translators {
            Some(_) => "tuned lens",
            None => "logit lens",
        }
    }

    fn about(&self) -> &'static str {
        match self.aim {
            Aim::Next => "next token",
            Aim::Own => "token there",
        }
    }

    /// The table for the terminal: a row a layer, and for short texts what it would say at each token.
    pub fn table(&self, styled: bool) -> String {
        let mut columns = vec![
            ("layer".to_owned(), Align::Left),
            ("KL to the end".to_owned(), Align::Right),
            ("entropy".to_owned(), Align::Right),
            (format!("p({})", self.about()), Align::Right),
            ("median rank".to_owned(), Align::Right),
        ];
        let short = self.tokens.len() <= MOST_COLUMNS;
        if short {
            columns.extend(self.tokens.iter().map(|t| (format!("“{t}”"), Align::Left)));
        }
        let mut table = Table::new(columns).styled(styled);
        for layer in &self.layers {
            let mut row = vec![
                Cell::from(layer.hook_point.clone()),
                Cell::from(format!("{:.3}", layer.mean_kl)),
                Cell::from(format!("{:.3}", layer.mean_entropy)),
                Cell::bold(
                    layer
                        .mean_probability
                        .map_or(String::new(), |p| format!("{p:.3}")),
                ),
                Cell::from(layer.median_rank.map_or(String::new(), |r| r.to_string())),
            ];
            if short {
                let said =
                    |p: &Position| match p.target.as_ref().is_some_and(|t| t.target.rank == 1) {
                        true => Cell::bold(p.said()),
                        false => Cell::from(p.said()),
                    };
                row.extend(layer.positions.iter().map(said));
            }
            table.row(row);
        }
        format!(
            "{table}{} of {} tokens; means over them, in nats{}\n",
            self.lens(),
            self.tokens.len(),
            match short {
                true => "; on the right what a layer would say after each token",
                false => "; the chart and --json say it token by token",
            }
        )
    }

    /// The chart: tokens by layers, coloured as asked.
    pub fn chart(&self, shown: Shown) -> Figure {
        let value = |position: &Position| {
            let target = position.target.as_ref().map(|t| t.target);
            match shown {
                Shown::Top => position
                    .top
                    .first()
                    .map_or(f64::NAN, |s| s.candidate.probability),
                Shown::Target => target.map_or(f64::NAN, |t| t.probability),
                Shown::Rank => target.map_or(f64::NAN, |t| (t.rank as f64).log10()),
                Shown::Entropy => position.entropy,
                Shown::Kl => position.kl,
            }
        };
        let rows = self.tokens.len().min(MOST_ROWS);
        let all = |row: usize| self.layers.iter().map(move |layer| &layer.positions[row]);
        let what = match self.aim {
            Aim::Next => "next",
            Aim::Own => "there",
        };
        let cut = match rows < self.tokens.len() {
            true => format!(" (the first {rows} of {} tokens)", self.tokens.len()),
            false => String::new(),
        };
        Figure::Heat(HeatMap {
            title: format!(
                "What each layer would say {what}, through the {}{cut}",
                self.lens()
            ),
            x_label: "residual stream after block (input: what block 0 reads)".to_owned(),
            y_label: "token that was read".to_owned(),
            columns: self.layers.iter().map(|l| tick(&l.hook_point)).collect(),
            rows: self.tokens[..rows].iter().map(|t| drawn(t)).collect(),
            values: (0..rows).map(|row| all(row).map(value).collect()).collect(),
            texts: Some(
                (0..rows)
                    .map(|row| all(row).map(|p| drawn(p.said())).collect())
                    .collect(),
            ),
            value_label: match shown {
                Shown::Top => "probability of the token in the cell".to_owned(),
                Shown::Target => format!("probability of the {}", self.about()),
                Shown::Rank => format!("log10 of the rank of the {}", self.about()),
                Shown::Entropy => "entropy (nats)".to_owned(),
                Shown::Kl => "KL from the model's own prediction (nats)".to_owned(),
            },
            scale: match shown {
                Shown::Top | Shown::Target => ColorScale::Sequential(Some((0.0, 1.0))),
                _ => ColorScale::Sequential(None),
            },
            footer: Footer {
                command: self.command.clone(),
                data: format!("weights sha256 {}", short(&self.source.weights_sha256)),
            },
        })
    }
}
