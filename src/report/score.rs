//! What a trained probe reads of texts, token by token: JSON, coloured letters on the terminal, a figure, a page.

use super::data_file::DataFile;
use crate::analysis::probe::Link;
use crate::figure::{ColorScale, ColoredToken, Figure, Footer, TokenChart, TokenText, shade};
use maud::{DOCTYPE, PreEscaped, html};
use serde::Serialize;
use serde_json::{Map, Value};

/// Version of the JSON that [`ScoreReport`] serialises to.
pub const SCHEMA_VERSION: u32 = 1;

/// Texts in a figure.
const MOST_TEXTS: usize = 40;

/// Scores of texts.
#[derive(Debug, Clone, Serialize)]
pub struct ScoreReport {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it.
    pub command: String,
    /// The probe.
    pub probe: ProbeName,
    /// The model, as it was named.
    pub model: String,
    /// Where the texts come from, if from a file.
    #[serde(flatten)]
    pub data: Option<DataFile>,
    /// The texts, in order.
    pub texts: Vec<ScoredText>,
}

/// Which probe scored.
#[derive(Debug, Clone, Serialize)]
pub struct ProbeName {
    /// Its file, as it was named.
    pub file: String,
    /// Where it reads.
    pub hook_point: String,
    /// Its kind.
    pub kind: String,
    /// What it was trained to tell.
    pub label: Vec<String>,
    /// The classes or targets.
    pub names: Vec<String>,
    /// What its scores stand for.
    pub link: Link,
    /// What it was trained on: `text`, `token`, `word` or `span`.
    pub unit: String,
    /// SHA-256 of its numbers.
    pub sha256: String,
}

/// A text with its scores.
#[derive(Debug, Clone, Serialize)]
pub struct ScoredText {
    /// The text.
    pub text: String,
    /// The score of the whole text, pooled as the probe's training texts were: a probability for each class, or the predicted numbers. None
    /// for a probe of tokens, words or spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scores: Option<Vec<f64>>,
    /// The most probable class of the whole text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Tokens that were cut off, because the text is longer than the model's context.
    pub cut: usize,
    /// Its tokens, in order.
    pub tokens: Vec<ScoredToken>,
}

/// A token with its scores.
#[derive(Debug, Clone, Serialize)]
pub struct ScoredToken {
    /// The vocabulary's spelling.
    pub token: String,
    /// Its place in the text, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<(u32, u32)>,
    /// Whether the tokenizer added it.
    pub special: bool,
    /// As of the whole text, in the order of the probe's names.
    pub scores: Vec<f64>,
    /// The most probable class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
}

impl ScoreReport {
    /// What is shown of some scores: the probability of the second of two classes or of the most probable of several, or the number.
    fn shown(&self, scores: &[f64]) -> f64 {
        match self.probe.link {
            Link::Logistic => scores.get(1).copied().unwrap_or(f64::NAN),
            Link::Softmax => scores.iter().copied().fold(f64::NAN, f64::max),
            Link::Identity => scores.first().copied().unwrap_or(f64::NAN),
        }
    }

    fn value_label(&self) -> String {
        match (self.probe.link, self.probe.names.as_slice()) {
            (Link::Logistic, [_, second]) => format!("probability of “{second}”"),
            (Link::Softmax, _) => "probability of the class below".to_owned(),
            (_, [first, ..]) => first.clone(),
            _ => "score".to_owned(),
        }
    }

    fn scale(&self) -> ColorScale {
        match self.probe.link {
            Link::Logistic => ColorScale::DivergingBetween(0.0, 1.0),
            Link::Softmax => ColorScale::Sequential(Some((0.0, 1.0))),
            Link::Identity => ColorScale::Sequential(None),
        }
    }

    /// The letters of a token with the white space before them, as they stand in the text.
    fn letters(&self, text: &ScoredText, i: usize) -> String {
        let token = &text.tokens[i];
        let Some((start, end)) = token.span else {
            return token.token.clone();
        };
        let before = text.tokens[..i].iter().filter_map(|t| t.span).next_back();
        let from = before.map_or(0, |span| span.1).min(start);
        let part = |from: u32, to: u32| {
            text.text
                .chars()
                .skip(from as usize)
                .take((to - from) as usize)
                .collect::<String>()
        };
        let (gap, own) = (part(from, start), part(start, end));
        // A token of white space alone is shown as the vocabulary spells it.
        let own = if own.trim().is_empty() {
            token.token.clone()
        } else {
            own
        };
        match gap.chars().all(char::is_whitespace) {
            true => gap + &own,
            false => own,
        }
    }

    fn said_of(&self, text: &ScoredText) -> String {
        let cut = match text.cut {
            0 => String::new(),
            n => format!(" ({n} tokens cut off)"),
        };
        match (&text.scores, &text.class) {
            (Some(scores), Some(class)) => {
                let at = self.probe.names.iter().position(|n| n == class);
                let p = at
                    .and_then(|at| scores.get(at))
                    .copied()
                    .unwrap_or(f64::NAN);
                format!("{class} {p:.3}{cut}")
            }
            (Some(scores), None) => {
                let pairs = self.probe.names.iter().zip(scores);
                let said: Vec<String> = pairs
                    .map(|(name, score)| format!("{name} {score:.3}"))
                    .collect();
                said.join(", ") + &cut
            }
            (None, _) => cut.trim().to_owned(),
        }
    }

    /// The figure: the first texts, with their tokens coloured. Special tokens are left out.
    pub fn chart(&self) -> Figure {
        let texts = self.texts.iter().take(MOST_TEXTS).map(|text| TokenText {
            heading: self.said_of(text),
            tokens: (0..text.tokens.len())
                .filter(|i| !text.tokens[*i].special)
                .map(|i| ColoredToken {
                    text: self.letters(text, i),
                    value: self.shown(&text.tokens[i].scores),
                    label: match self.probe.link {
                        Link::Softmax => text.tokens[i].class.clone().unwrap_or_default(),
                        _ => String::new(),
                    },
                })
                .collect(),
        });
        let data = match &self.data {
            Some(file) => format!(
                "{} sha256 {} · ",
                file.data,
                super::probe::short(&file.data_sha256)
            ),
            None => String::new(),
        };
        Figure::Tokens(TokenChart {
            title: format!(
                "What the probe of “{}” at {} reads at each token",
                self.probe.label.join(", "),
                self.probe.hook_point
            ),
            texts: texts.collect(),
            value_label: self.value_label(),
            scale: self.scale(),
            footer: Footer {
                command: self.command.clone(),
                data: format!(
                    "{data}probe sha256 {} · {} · {}",
                    super::probe::short(&self.probe.sha256),
                    self.probe.kind,
                    self.model
                ),
            },
        })
    }

    /// The texts for the terminal: coloured by escape sequences if `styled`, else a line a token with its score.
    pub fn terminal(&self, styled: bool) -> String {
        let all = self.all_shown();
        let mut said = String::new();
        for text in &self.texts {
            let heading = self.said_of(text);
            if !heading.is_empty() {
                said += &format!("{heading}\n");
            }
            let tokens = (0..text.tokens.len()).filter(|i| !text.tokens[*i].special);
            for i in tokens {
                let (token, letters) = (&text.tokens[i], self.letters(text, i));
                let value = self.shown(&token.scores);
                match (styled, shade(self.scale(), &all, value)) {
                    (true, Some((fill, ink))) => {
                        let bare = letters.trim_start();
                        let space = &letters[..letters.len() - bare.len()];
                        said += &format!(
                            "{space}\u{1b}[48;2;{};{};{}m\u{1b}[38;2;{};{};{}m{bare}\u{1b}[0m",
                            fill[0], fill[1], fill[2], ink[0], ink[1], ink[2]
                        );
                        if self.probe.link == Link::Softmax {
                            said += &format!("/{}", token.class.as_deref().unwrap_or(""));
                        }
                    }
                    (true, None) => said += &letters,
                    (false, _) => {
                        let class = token
                            .class
                            .as_deref()
                            .filter(|_| self.probe.link == Link::Softmax);
                        let class = class.map_or(String::new(), |c| format!("\t{c}"));
                        said += &format!("{}\t{value:.3}{class}\n", letters.trim());
                    }
                }
            }
            said += "\n";
        }
        said + &format!("{}, at {}\n", self.value_label(), self.probe.hook_point)
    }

    fn all_shown(&self) -> Vec<f64> {
        let tokens = self
            .texts
            .iter()
            .flat_map(|t| t.tokens.iter().filter(|t| !t.special));
        tokens.map(|t| self.shown(&t.scores)).collect()
    }

    /// A page with the coloured texts, that loads nothing.
    pub fn page(&self) -> String {
        const STYLE: &str = "body{font:16px/1.9 system-ui,sans-serif;max-width:48rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}\
            h1{font-size:1.2rem}p.h{font-weight:600;margin:1.2rem 0 .2rem}span{padding:.15em .1em;border-radius:.15em;white-space:pre-wrap}\
            rt{font-size:.6em;color:#555}footer{margin-top:2rem;font-size:.75rem;color:#666;overflow-wrap:anywhere}";
        let all = self.all_shown();
        let style = |value: f64| {
            shade(self.scale(), &all, value).map(|(fill, ink)| {
                format!(
                    "background:rgb({},{},{});color:rgb({},{},{})",
                    fill[0], fill[1], fill[2], ink[0], ink[1], ink[2]
                )
            })
        };
        let token = |text: &ScoredText, i: usize| {
            let letters = self.letters(text, i);
            let bare = letters.trim_start().to_owned();
            let space = letters[..letters.len() - bare.len()].to_owned();
            let token = &text.tokens[i];
            let value = self.shown(&token.scores);
            let class = token
                .class
                .clone()
                .filter(|_| self.probe.link == Link::Softmax);
            html! {
                (space)
                @match class {
                    Some(class) => { ruby { span style=[style(value)] title=(format!("{value:.4}")) { (bare) } rt { (class) } } }
                    None => { span style=[style(value)] title=(format!("{value:.4}")) { (bare) } }
                }
            }
        };
        let title = format!(
            "What the probe of “{}” at {} reads at each token",
            self.probe.label.join(", "),
            self.probe.hook_point
        );
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width,initial-scale=1";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    h1 { (title) }
                    p { "Colour: " (self.value_label()) }
                    @for text in &self.texts {
                        p.h { (self.said_of(text)) }
                        p { @for i in (0..text.tokens.len()).filter(|i| !text.tokens[*i].special) { (token(text, i)) } }
                    }
                    footer { (self.command) br; "probe sha256 " (self.probe.sha256) " · " (self.model) }
                }
            }
        };
        page.into_string()
    }

    /// The JSON, each score under its name.
    ///
    /// # Errors
    /// Those of serde, which this type does not meet.
    pub fn json(&self) -> serde_json::Result<String> {
        let mut value = serde_json::to_value(self)?;
        let named = |scores: &mut Value| {
            let list = scores.as_array().cloned().unwrap_or_default();
            let pairs = self.probe.names.iter().cloned().zip(list);
            *scores = Value::Object(pairs.collect::<Map<String, Value>>());
        };
        for text in value["texts"].as_array_mut().into_iter().flatten() {
            if let Some(scores) = text.get_mut("scores") {
                named(scores);
            }
            for token in text["tokens"].as_array_mut().into_iter().flatten() {
                if let Some(scores) = token.get_mut("scores") {
                    named(scores);
                }
            }
        }
        serde_json::to_string_pretty(&value)
    }
}
