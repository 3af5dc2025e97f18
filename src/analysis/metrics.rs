//! Scores of predictions.
