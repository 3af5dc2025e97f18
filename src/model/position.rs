//! Where tokens stand: learned positions, rotations, and biases by distance.

mod bias;
mod rotary;

pub(super) use bias::Bias;
pub(super) use rotary::Rotation;

use super::spec::Position;
use crate::text::batch::Batch;

/// The row of the position table for every token of a batch.
pub(super) fn learned_rows(position: Position, batch: &Batch) -> Vec<u32> {
    let Position::Learned { offset, skips } = position else {
        return Vec::new();
    };
    let offset = offset as u32;
    let Some(skipped) = skips else {
        return batch.positions().into_iter().map(|p| p + offset).collect();
    };
    let mut rows = Vec::with_capacity(batch.tokens());
    for segment in batch.segments() {
        let mut next = offset;
        for id in &batch.ids()[segment.clone()] {
            if *id == skipped {
                rows.push(offset.saturating_sub(1));
            } else {
                rows.push(next);
                next += 1;
            }
        }
    }
    rows
}
