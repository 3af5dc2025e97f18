//! One transformer, configured by data.
