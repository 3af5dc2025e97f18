//! Tables on the terminal.
