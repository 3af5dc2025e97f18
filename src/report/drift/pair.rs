//! The drift of one pair: JSON, a table of tokens, a picture of tokens by layers.

use super::super::lens::drawn;
use super::super::probe::{layer_axis, short};
use super::super::table::{Align, Cell, Table};
use crate::analysis::drift::{PairDrift, TokenDrift};
use crate::figure::{ColorScale, Figure, Footer, HeatMap};
use serde::Serialize;

/// Tokens that a picture shows at most.
const MOST_TOKENS: usize = 80;

/// Numbers stand in the cells up to so many hook points.
const MOST_WRITTEN: usize = 14;

/// The drift of one pair of texts.
#[derive(Debug, Clone, Serialize)]
pub struct PairReport {
    /// [`super::SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// The model, as it was named.
    pub model: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// The original.
    pub original: String,
    /// The edited text.
    pub edited: String,
    /// The numbers.
    #[serde(flatten)]
    pub drift: PairDrift,
}

impl PairReport {
    /// The report of a pair (original, edited).
    pub fn new(
        command: String,
        model: String,
        weights_sha256: String,
        (original, edited): (String, String),
        drift: PairDrift,
    ) -> Self {
        Self {
            schema_version: super::SCHEMA_VERSION,
            command,
            model,
            weights_sha256,
            original,
            edited,
            drift,
        }
    }

    fn names(&self) -> Vec<&str> {
        let layers = self.drift.layers.iter();
        layers.map(|l| l.hook_point.as_str()).collect()
    }

    /// Tokens by layers, and the texts under them.
    pub fn table(&self, styled: bool) -> String {
        let (_, ticks) = layer_axis(&self.names());
        let columns = ticks.iter().map(|tick| (tick.clone(), Align::Right));
        let columns = std::iter::once(("token".to_owned(), Align::Left)).chain(columns);
        let mut table = Table::new(columns).styled(styled);
        let number = |d: &Option<f64>| d.map_or("–".to_owned(), |d| format!("{d:.4}"));
        for token in &self.drift.tokens {
            let name = shown(token);
            let first = if token.same {
                Cell::from(name)
            } else {
                Cell::bold(name)
            };
            let numbers = token.cosine_distance.iter().map(|d| Cell::from(number(d)));
            table.row(std::iter::once(first).chain(numbers));
        }
        let pooled = self
            .drift
            .layers
            .iter()
            .map(|l| Cell::bold(format!("{:.4}", l.measures.cosine_distance)));
        table.row(std::iter::once(Cell::bold("whole text")).chain(pooled));
        let mut text = table.to_string();
        text += "cosine distance to the same token in the other text; – has no counterpart\n";
        if self.drift.same_tokens {
            text += match self.original == self.edited {
                true => "the two texts are the same\n",
                false => {
                    "the texts differ, but the tokenizer makes the same tokens of them: the model sees no edit\n"
                }
            };
        }
        if let Some(kl) = self.drift.next_token_kl {
            text += &format!("next-token distribution: KL {kl:.4} nats\n");
        }
        text
    }

    /// Tokens × layers, coloured by cosine distance.
    pub fn chart(&self) -> Figure {
        let (x_label, columns) = layer_axis(&self.names());
        let tokens = &self.drift.tokens[..self.drift.tokens.len().min(MOST_TOKENS)];
        let cut = self.drift.tokens.len() - tokens.len();
        let more = match cut {
            0 => String::new(),
            n => format!(" (the first; {n} more are in the JSON)"),
        };
        Figure::Heat(HeatMap {
            title: "How far each token moved, layer by layer".to_owned(),
            x_label,
            y_label: format!("tokens of original → edit{more}"),
            columns,
            rows: tokens.iter().map(|t| drawn(&shown(t))).collect(),
            values: tokens
                .iter()
                .map(|t| {
                    t.cosine_distance
                        .iter()
                        .map(|d| d.unwrap_or(f64::NAN))
                        .collect()
                })
                .collect(),
            texts: (self.drift.layers.len() <= MOST_WRITTEN)
                .then(|| tokens.iter().map(written).collect()),
            value_label: "cosine distance; hatched: no counterpart".to_owned(),
            scale: ColorScale::Sequential(None),
            footer: Footer {
                command: self.command.clone(),
                data: format!(
                    "{} · weights sha256 {}",
                    self.model,
                    short(&self.weights_sha256)
                ),
            },
        })
    }
}

/// The distances of a token, as they fit into cells.
fn written(token: &TokenDrift) -> Vec<String> {
    let number = |distance: &Option<f64>| match distance {
        None => String::new(),
        Some(0.0) => "0".to_owned(),
        Some(d) if *d < 0.005 => "<0.01".to_owned(),
        Some(d) => format!("{d:.2}"),
    };
    token.cosine_distance.iter().map(number).collect()
}

/// A token as it stands, or what became of a group.
fn shown(token: &TokenDrift) -> String {
    let (before, after) = (token.before.join(" "), token.after.join(" "));
    match (token.same, before.is_empty(), after.is_empty()) {
        (true, _, _) => before,
        (_, true, _) => format!("+ {after}"),
        (_, _, true) => format!("− {before}"),
        _ => format!("{before} → {after}"),
    }
}
