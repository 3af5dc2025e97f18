//! What is to be computed of a text: its tokens, those of its edits and of random edits of the same size and place.

use super::edits::Planned;
use super::measure::{MEASURES, Measure};
use super::piece::{Job, Piece};
use super::record::{Fate, Record};
use super::reference::Numbers;
use super::sweep::Sweep;
use crate::error::{Error, Result};
use crate::text::align::{Link, links, pieces};
use crate::text::tokens::Tokens;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// An edit that is to be compared.
struct Edited<'p> {
    number: usize,
    planned: &'p Planned,
    edited: &'p str,
    tokens: Tokens,
    original_at: usize,
}

impl Sweep<'_> {
    /// Tokens of a text and of its edits, and what is not to be computed.
    pub(super) fn plan(&self, text: usize, piece: &mut Piece) -> Result<()> {
        let original = self.edits.original(text);
        let own = self
            .base
            .tokenizer
            .encode(original, None)
            .map_err(|e| at_row(e, text))?;
        let too_long = own.len() > self.base.context;
        let mut place = None;
        for (number, planned) in self.edits.planned(text).into_iter().enumerate() {
            let record = Record {
                text,
                kind: planned.kind,
                fate: Fate::Compared,
                edit: Vec::new(),
                null: None,
                kl: None,
            };
            let Some(edited) = &planned.text else {
                piece.records.push(Record {
                    fate: Fate::NotApplicable,
                    ..record
                });
                continue;
            };
            let reader = self.others.get(planned.kind).unwrap_or(&self.base);
            let tokens = reader
                .tokenizer
                .encode(edited, None)
                .map_err(|e| at_row(e, planned.row))?;
            if too_long || tokens.len() > reader.context {
                piece.records.push(Record {
                    fate: Fate::TooLong,
                    ..record
                });
                continue;
            }
            let original_at = *place.get_or_insert_with(|| {
                piece.originals.push((text, own.clone()));
                piece.originals.len() - 1
            });
            let edit = Edited {
                number,
                planned: &planned,
                edited,
                tokens,
                original_at,
            };
            self.plan_edit(edit, record, original, &own, piece);
        }
        Ok(())
    }

    fn plan_edit(
        &self,
        edit: Edited<'_>,
        mut record: Record,
        original: &str,
        own: &Tokens,
        piece: &mut Piece,
    ) {
        let nothing = || vec![self.nothing(edit.planned.labels); self.references.len()];
        let at = piece.records.len();
        let found = pieces(original, edit.edited);
        let other_model = !self.others.is_empty();
        record.fate = match (
            other_model,
            edit.edited == original,
            edit.tokens.ids == own.ids,
        ) {
            (false, true, _) => Fate::Identical,
            (false, false, true) => Fate::SameTokens,
            _ => Fate::Compared,
        };
        let mut job = |tokens: Tokens, links: Vec<Link>, null| {
            piece.jobs.push(Job {
                original: edit.original_at,
                record: at,
                null,
                tokens,
                links,
                labels: edit.planned.labels,
                model: if other_model { edit.planned.kind } else { 0 },
            });
        };
        match record.fate {
            Fate::Compared => {
                let links = links(own, &edit.tokens, &found);
                job(edit.tokens, links, false);
            }
            _ => record.edit = nothing(),
        }
        if record.fate != Fate::Compared && self.probed.predicts() {
            record.kl = Some((0.0, f32::NAN));
        }
        let Some((null, vocabulary)) = self.null.filter(|_| !other_model) else {
            piece.records.push(record);
            return;
        };
        for draw in 0..self.draws {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ 0x6e75_6c6c);
            rng.set_stream(
                ((record.text as u64) << 24) | ((edit.number as u64) << 8) | draw as u64,
            );
            let random = vocabulary.random_edit(null, original, edit.edited, &found, &mut rng);
            let same = random == original;
            let tokens = match same {
                true => Ok(own.clone()),
                false => self.base.tokenizer.encode(&random, None),
            };
            // A random edit that the model cannot read is none.
            let Ok(tokens) = tokens else { continue };
            if tokens.len() > self.base.context {
                continue;
            }
            if tokens.ids == own.ids {
                piece.still.push((at, edit.planned.labels));
                continue;
            }
            let links = links(own, &tokens, &pieces(original, &random));
            job(tokens, links, true);
        }
        piece.records.push(record);
    }

    /// What an edit measures that changes nothing.
    pub(super) fn nothing(&self, labels: Option<(usize, usize)>) -> Numbers {
        let mut numbers = [f32::NAN; MEASURES];
        let probed = self.directions.contains_key(&labels);
        for measure in Measure::ALL {
            let defined = measure != Measure::ProbeShift || probed;
            if let Some(value) = measure.of_nothing().filter(|_| defined) {
                numbers[measure.index()] = value;
            }
        }
        numbers
    }
}

/// The error of a text with the row that it stands in.
fn at_row(error: Error, row: usize) -> Error {
    match error {
        Error::BadText { problem, .. } => Error::BadText { row, problem },
        other => other,
    }
}
