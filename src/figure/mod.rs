//! Pictures: data-only figures, rendered to SVG and PNG bytes.
