//! Train and test parts, and folds.
