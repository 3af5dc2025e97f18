//! The packed batch: the tokens of several texts, one text after another, without padding.

use crate::error::{Error, Result};
use std::ops::Range;

/// The tokens of several texts, standing one after another: no padding token, so no padding bug, no wasted work.
///
/// Inside, texts stand in order of length, so that equally long ones are neighbours and attention can run on each such
/// group as one product. [`Batch::order`] leads back to the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    ids: Vec<u32>,
    segments: Vec<Range<usize>>,
    groups: Vec<Range<usize>>,
    order: Vec<usize>,
}

impl Batch {
    /// Packs texts given as token ids.
    ///
    /// # Errors
    /// [`Error::BadText`] for a text without tokens, with its index; [`Error::BadParameter`] if there is no text.
    pub fn new<S: AsRef<[u32]>>(texts: &[S]) -> Result<Self> {
        if texts.is_empty() {
            return Err(Error::BadParameter {
                name: "texts",
                value: "0".to_owned(),
                problem: "a batch needs at least one text".to_owned(),
            });
        }
        if let Some(row) = texts.iter().position(|t| t.as_ref().is_empty()) {
            return Err(Error::BadText {
                row,
                problem: "the text has no tokens".to_owned(),
            });
        }
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| texts[i].as_ref().len());
        let mut batch = Self {
            ids: Vec::with_capacity(texts.iter().map(|t| t.as_ref().len()).sum()),
            segments: Vec::with_capacity(texts.len()),
            groups: Vec::new(),
            order,
        };
        for (segment, &i) in batch.order.iter().enumerate() {
            let start = batch.ids.len();
            batch.ids.extend_from_slice(texts[i].as_ref());
            batch.segments.push(start..batch.ids.len());
            let same = segment > 0 && batch.segments[segment - 1].len() == texts[i].as_ref().len();
            match batch.groups.last_mut() {
                Some(group) if same => group.end = segment + 1,
                _ => batch.groups.push(segment..segment + 1),
            }
        }
        Ok(batch)
    }

    /// All token ids, text after text.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How many tokens there are in all.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// The rows that each text covers, in the order in which they stand.
    pub fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    /// The ranges of [`Batch::segments`] that have one length.
    pub fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }

    /// For each segment, the index of its text among those given to [`Batch::new`].
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The rows of the texts in the order in which they were given.
    pub fn rows_in_given_order(&self) -> Vec<Range<usize>> {
        let mut rows = vec![0..0; self.order.len()];
        for (segment, &i) in self.order.iter().enumerate() {
            rows[i] = self.segments[segment].clone();
        }
        rows
    }

    /// The position of every token in its text, from 0.
    pub fn positions(&self) -> Vec<u32> {
        self.segments
            .iter()
            .flat_map(|s| 0..s.len() as u32)
            .collect()
    }

    /// The length of the longest text.
    pub fn longest(&self) -> usize {
        self.segments.last().map_or(0, |s| s.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_without_tokens_is_refused() {
        let error = Batch::new(&[vec![1], vec![]]).unwrap_err();
        assert_eq!(error.to_string(), "row 1: the text has no tokens");
        assert!(Batch::new::<Vec<u32>>(&[]).is_err());
    }

    proptest! {
        #[test]
        fn every_text_stands_whole_in_the_batch(
            texts in prop::collection::vec(prop::collection::vec(0u32..50, 1..9), 1..12)
        ) {
            let batch = Batch::new(&texts).unwrap();
            for (text, rows) in texts.iter().zip(batch.rows_in_given_order()) {
                prop_assert_eq!(&batch.ids()[rows.clone()], text.as_slice());
                prop_assert_eq!(batch.positions()[rows.start], 0);
            }
            let grouped: Vec<usize> = batch.groups().iter().cloned().flatten().collect();
            prop_assert_eq!(grouped, (0..texts.len()).collect::<Vec<_>>());
            let lengths: Vec<usize> = batch.groups().iter().map(|g| batch.segments()[g.start].len()).collect();
            prop_assert!(lengths.windows(2).all(|w| w[0] < w[1]), "one group a length: {lengths:?}");
        }
    }
}
