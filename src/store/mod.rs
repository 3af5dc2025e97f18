//! Activations on disk.
