//! Matrices of activations.
