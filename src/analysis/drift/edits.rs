//! Where edits come from: pairs of a file, seeded perturbations, or the same texts for another model.

use super::synonyms::Synonyms;
use crate::text::perturb::{Edit, Means, Pairs};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

/// An edit of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its kind, an index into [`Edits::kinds`].
    pub kind: usize,
    /// Its row in the data.
    pub row: usize,
    /// The edited text; `None` where the text gives this kind of edit nothing to change.
    pub text: Option<String>,
    /// The label before and the label after, as indices into what the caller calls labels.
    pub labels: Option<(usize, usize)>,
}

/// Texts and their edits. They are asked for again and again, from many threads, and must always be the same.
pub trait Edits: Sync {
    /// How many different originals there are.
    fn texts(&self) -> usize;

    /// An original.
    fn original(&self, text: usize) -> &str;

    /// Its edits.
    fn planned(&self, text: usize) -> Vec<Planned>;

    /// The names of the kinds.
    fn kinds(&self) -> &[String];
}

/// The pairs of a file; an original that stands in several rows is one text.
#[derive(Debug, Clone)]
pub struct PairEdits {
    pairs: Pairs,
    /// Of each different original, its rows.
    rows: Vec<Vec<usize>>,
    /// Of each row, the numbers of its labels.
    labels: Option<Vec<(usize, usize)>>,
}

impl PairEdits {
    /// Pairs whose labels are numbered by `number`; a pair with a label that has no number gets none.
    pub fn new(pairs: Pairs, number: impl Fn(&str) -> Option<usize>) -> (Self, Vec<usize>) {
        let mut of_text: HashMap<&str, usize> = HashMap::new();
        let mut rows: Vec<Vec<usize>> = Vec::new();
        for (row, text) in pairs.originals.iter().enumerate() {
            let next = rows.len();
            let own = *of_text.entry(text).or_insert(next);
            match rows.get_mut(own) {
                Some(rows) => rows.push(row),
                None => rows.push(vec![row]),
            }
        }
        let mut unknown = Vec::new();
        let labels = pairs.labels.as_ref().map(|labels| {
            let each = labels.iter().enumerate();
            each.map(
                |(row, (before, after))| match (number(before), number(after)) {
                    (Some(before), Some(after)) => (before, after),
                    _ => {
                        unknown.push(row);
                        (usize::MAX, usize::MAX)
                    }
                },
            )
            .collect()
        });
        (
            Self {
                rows,
                labels,
                pairs,
            },
            unknown,
        )
    }
}

impl Edits for PairEdits {
    fn texts(&self) -> usize {
        self.rows.len()
    }

    fn original(&self, text: usize) -> &str {
        &self.pairs.originals[self.rows[text][0]]
    }

    fn planned(&self, text: usize) -> Vec<Planned> {
        let rows = self.rows[text].iter();
        rows.map(|row| Planned {
            kind: self.pairs.kinds[*row],
            row: *row,
            text: Some(self.pairs.edited[*row].clone()),
            labels: self
                .labels
                .as_ref()
                .map(|labels| labels[*row])
                .filter(|(before, _)| *before != usize::MAX),
        })
        .collect()
    }

    fn kinds(&self) -> &[String] {
        &self.pairs.kind_names
    }
}

/// Seeded perturbations of the texts of a column.
pub struct Perturbed<'a> {
    texts: &'a [String],
    edits: Vec<Edit>,
    names: Vec<String>,
    means: Means<'a>,
    synonyms: Option<&'a Synonyms>,
    seed: u64,
}

impl<'a> Perturbed<'a> {
    /// Each edit of each text. `synonyms` say what [`Edit::Synonym`] puts in.
    pub fn new(
        texts: &'a [String],
        edits: Vec<Edit>,
        means: Means<'a>,
        synonyms: Option<&'a Synonyms>,
        seed: u64,
    ) -> Self {
        Self {
            names: edits.iter().map(Edit::to_string).collect(),
            texts,
            edits,
            means,
            synonyms,
            seed,
        }
    }
}

impl Edits for Perturbed<'_> {
    fn texts(&self) -> usize {
        self.texts.len()
    }

    fn original(&self, text: usize) -> &str {
        &self.texts[text]
    }

    fn planned(&self, text: usize) -> Vec<Planned> {
        let nearest = |word: &str| self.synonyms.and_then(|s| s.nearest(word));
        let means = Means {
            synonyms: Some(&nearest),
            ..self.means
        };
        let edits = self.edits.iter().enumerate();
        edits
            .map(|(kind, edit)| {
                // A stream of its own for each text and edit: another edit beside it changes nothing.
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(((text as u64) << 8) | *edit as u64);
                Planned {
                    kind,
                    row: text,
                    text: edit.apply(&self.texts[text], &means, &mut rng),
                    labels: None,
                }
            })
            .collect()
    }

    fn kinds(&self) -> &[String] {
        &self.names
    }
}

/// The same texts, for other models: the edit is the model's.
pub struct SameTexts<'a> {
    texts: &'a [String],
    models: Vec<String>,
}

impl<'a> SameTexts<'a> {
    /// Texts for models of these names.
    pub fn new(texts: &'a [String], models: Vec<String>) -> Self {
        Self { texts, models }
    }
}

impl Edits for SameTexts<'_> {
    fn texts(&self) -> usize {
        self.texts.len()
    }

    fn original(&self, text: usize) -> &str {
        &self.texts[text]
    }

    fn planned(&self, text: usize) -> Vec<Planned> {
        (0..self.models.len())
            .map(|kind| Planned {
                kind,
                row: text,
                text: Some(self.texts[text].clone()),
                labels: None,
            })
            .collect()
    }

    fn kinds(&self) -> &[String] {
        &self.models
    }
}
