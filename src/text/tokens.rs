//! Tokenizing with character spans.
