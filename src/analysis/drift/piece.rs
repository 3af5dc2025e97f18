//! A piece of the walk: some originals, and the sequences that have to pass a model for them.

use super::record::Record;
use crate::text::align::Link;
use crate::text::tokens::Tokens;

/// One sequence that passes a model.
pub(super) struct Job {
    /// The original, by its place in the piece.
    pub(super) original: usize,
    /// The record that it belongs to.
    pub(super) record: usize,
    /// Whether it is a random edit.
    pub(super) null: bool,
    pub(super) tokens: Tokens,
    pub(super) links: Vec<Link>,
    pub(super) labels: Option<(usize, usize)>,
    pub(super) model: usize,
}

/// Some originals with all of their edits.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) originals: Vec<(usize, Tokens)>,
    pub(super) records: Vec<Record>,
    pub(super) jobs: Vec<Job>,
    /// Records of random edits that changed no token, once for each.
    pub(super) still: Vec<(usize, Option<(usize, usize)>)>,
}
