//! What the built-in model is asked, and where the answers are: one list for the model's card and for the tests.
//!
//! Each question is a column of a committed set, read by a linear probe that is trained on the set's `train` side and judged on
//! its `test` side: on other cities, pairs, adjectives or sentence frames than those it learned from.

use plumb::analysis::matrix::Matrix;
use plumb::analysis::probe::{
    Kind, Labels, Lambda, LayerResult, SweepParams, group_ids, labels_of, probe_layer, spelled,
};
use plumb::error::{Error, Result};
use plumb::hook::{HookPoint, HookSet, Recorder};
use plumb::model::Model;
use plumb::text::batch::Batch;
use plumb::text::dataset::{Dataset, Values};
use plumb::text::split::{Split, from_column};
use plumb::text::tokens::{Tokenizer, Tokens};
use std::path::Path;

/// Texts that pass the model together.
const BATCH: usize = 128;

/// Where in a text the answer is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At the last token: the text's one label.
    End,
    /// At the last token of each word: the labels stand in line in one cell, beside the column `words`.
    Words,
}

/// Something that one may want to find in a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question {
    /// Its name in the card.
    pub(crate) concept: &'static str,
    /// `datasets/SET.csv`.
    pub(crate) set: &'static str,
    /// The column with the answer.
    pub(crate) label: &'static str,
    /// The column whose equal values are one piece of evidence: intervals, folds and shuffles go by it.
    pub(crate) group: &'static str,
    /// The rows that are asked: all, or those with this `template`.
    pub(crate) template: Option<&'static str>,
    /// Where the answer is looked for.
    pub(crate) at: At,
    /// The probe.
    pub(crate) kind: Kind,
    /// The metric that counts.
    pub(crate) metric: &'static str,
}

/// A question about classes, asked at the end of every text of the set, and counted by accuracy.
const fn classes(
    concept: &'static str,
    set: &'static str,
    label: &'static str,
    group: &'static str,
) -> Question {
    Question {
        concept,
        set,
        label,
        group,
        template: None,
        at: At::End,
        kind: Kind::Logistic,
        metric: "accuracy",
    }
}

/// The penalty of every question. Folds of the training side would not choose it better: of those entities the model was told what
/// is true, and how well it judges the others shows on the test side alone.
pub(crate) const PENALTY: f64 = 0.01;

/// A coordinate of a city.
const fn coordinate(label: &'static str) -> Question {
    Question {
        kind: Kind::Ridge,
        metric: "r2",
        ..classes(label, "places", label, "name")
    }
}

/// All questions, in the order of the card.
pub(crate) const QUESTIONS: [Question; 9] = [
    Question {
        metric: "balanced_accuracy",
        ..classes("truth", "truth", "label", "entity")
    },
    coordinate("latitude"),
    coordinate("longitude"),
    classes("continent", "places", "continent", "name"),
    classes("sentiment", "sentiment", "label", "pair"),
    Question {
        template: Some("compared"),
        ..classes("comparison", "number", "comparison", "pair")
    },
    Question {
        template: Some("sum"),
        ..classes("magnitude of a sum", "number", "magnitude", "pair")
    },
    Question {
        at: At::Words,
        ..classes("part of speech", "pos", "tags", "template")
    },
    classes("coin (planted: in no text)", "places", "coin", "name"),
];

impl Question {
    /// The question about a column.
    pub(crate) fn about(label: &str) -> Option<Self> {
        QUESTIONS.into_iter().find(|q| q.label == label)
    }

    /// How it is asked: as `plumb probe --lambda 0.01` asks.
    pub(crate) fn params(&self) -> SweepParams {
        let mut params = SweepParams {
            lambda: Lambda::Fixed(PENALTY),
            ..SweepParams::new(self.kind)
        };
        if self.at == At::Words {
            // Thousands of words and a class for each tag: the last digits would take most of the time, and no label turns on them.
            params.tolerance = 1e-4;
        }
        params
    }

    /// A probe of every layer of a model: `blocks.0.resid_pre`, every `resid_post`, and `final_norm`.
    ///
    /// # Errors
    /// Those of reading `folder/SET.csv`, of running the model, and of [`probe_layer`].
    pub(crate) fn ask(
        &self,
        folder: &Path,
        model: &dyn Model,
        tokenizer: &Tokenizer,
        params: &SweepParams,
    ) -> Result<Vec<LayerResult>> {
        let data = Dataset::read(&folder.join(self.set).with_extension("csv"))?;
        let texts = data.texts("text")?;
        let tokens = tokenizer.encode_all(&texts, Some(model.spec().context))?;
        let positions = self.positions(&data, &texts, &tokens)?;
        let rows = Rows::read(self, &data, &positions)?;
        let groups = Some(rows.groups.as_slice());
        activations(model, &tokens, &positions)?
            .into_iter()
            .map(|(point, x)| {
                let point = point.to_string();
                probe_layer(&point, &x, &rows.labels, &rows.split, groups, params)
            })
            .collect()
    }

    /// The tokens of each text at which the answer is looked for.
    fn positions(
        &self,
        data: &Dataset,
        texts: &[String],
        tokens: &[Tokens],
    ) -> Result<Vec<Vec<usize>>> {
        match self.at {
            At::End => Ok(tokens.iter().map(|t| vec![t.len() - 1]).collect()),
            At::Words => {
                let words = data.texts("words")?;
                let each = texts.iter().zip(&words).zip(tokens).enumerate();
                each.map(|(row, ((text, words), tokens))| word_ends(text, words, tokens, row))
                    .collect()
            }
        }
    }
}

/// The last token of each word. Joining the words without spaces gives the text without spaces.
fn word_ends(text: &str, words: &str, tokens: &Tokens, row: usize) -> Result<Vec<usize>> {
    let mut filled = text.chars().enumerate().filter(|(_, c)| !c.is_whitespace());
    words
        .split(' ')
        .map(|word| {
            let last = filled.by_ref().take(word.chars().count()).last();
            let end = last.map(|(i, _)| i as u32 + 1);
            let ends_there = |span: &Option<(u32, u32)>| span.map(|(_, end)| end) == end;
            let token = tokens.spans.iter().rposition(ends_there);
            token.filter(|_| end.is_some()).ok_or(Error::BadText {
                row,
                problem: format!("no token ends where the word `{word}` ends"),
            })
        })
        .collect()
}

/// What the probes learn: an entry for each position of each text.
struct Rows {
    labels: Labels,
    groups: Vec<usize>,
    split: Split,
}

impl Rows {
    fn read(question: &Question, data: &Dataset, positions: &[Vec<usize>]) -> Result<Self> {
        let column = |name: &str| data.column(name).map(|c| &c.values);
        // A text's cell counts for each of its positions.
        let spread = |values: &Values| -> Vec<Option<String>> {
            let of = |(row, at): (usize, &Vec<usize>)| vec![spelled(values, row); at.len()];
            positions.iter().enumerate().flat_map(of).collect()
        };
        let label = column(question.label)?;
        let label = match question.at {
            At::End => label.clone(),
            At::Words => Values::Text(in_line(label, positions, question.label)?),
        };
        let labelled = labels_of(&[(question.label.to_owned(), label)], question.kind)?;
        let mut split = from_column("split", &spread(column("split")?))?;
        if let Some(template) = question.template {
            let templates = spread(column("template")?);
            let asked = |row: &usize| templates[*row].as_deref() == Some(template);
            split.train.retain(asked);
            split.test.retain(asked);
        }
        Ok(Self {
            labels: labelled.labels,
            groups: group_ids(&Values::Text(spread(column(question.group)?))),
            split,
        })
    }
}

/// The labels that stand in line in each cell, one for each position.
fn in_line(values: &Values, positions: &[Vec<usize>], column: &str) -> Result<Vec<Option<String>>> {
    let mut labels = Vec::new();
    for (row, at) in positions.iter().enumerate() {
        let cell = spelled(values, row).unwrap_or_default();
        let found = cell.split_whitespace().map(|label| Some(label.to_owned()));
        labels.extend(found);
        let expected: usize = positions[..=row].iter().map(Vec::len).sum();
        if labels.len() != expected {
            return Err(Error::BadLabel {
                column: column.to_owned(),
                problem: format!("row {row} does not have {} labels", at.len()),
            });
        }
    }
    Ok(labels)
}

/// What passes the default hook points at some tokens of each text, one row each, in order.
fn activations(
    model: &dyn Model,
    tokens: &[Tokens],
    positions: &[Vec<usize>],
) -> Result<Vec<(HookPoint, Matrix)>> {
    let points = model.spec().default_points();
    let mut values: Vec<Vec<f32>> = vec![Vec::new(); points.len()];
    for (tokens, positions) in tokens.chunks(BATCH).zip(positions.chunks(BATCH)) {
        let ids: Vec<&[u32]> = tokens.iter().map(|t| t.ids.as_slice()).collect();
        let batch = Batch::new(&ids)?;
        let mut recorder = Recorder::new(HookSet::new(points.clone()));
        model.forward(&batch, &mut recorder)?;
        let segments = batch.rows_in_given_order();
        for (point, values) in points.iter().zip(&mut values) {
            let rows = recorder.get(*point)?.to_vec2::<f32>()?;
            for (segment, positions) in segments.iter().zip(positions) {
                for position in positions {
                    values.extend_from_slice(&rows[segment.start + position]);
                }
            }
        }
    }
    let count = positions.iter().map(Vec::len).sum();
    let width = model.spec().d_model;
    points
        .into_iter()
        .zip(values)
        .map(|(point, values)| Ok((point, Matrix::from_f32(count, width, &values)?)))
        .collect()
}
