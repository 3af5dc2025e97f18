//! The packed batch.
