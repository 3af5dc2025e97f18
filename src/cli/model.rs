//! The argument `--model`: from what was typed to files that are there.

use super::output::progress_bar;
use crate::error::Result;
use crate::model::{Fetching, ModelSource};

/// Reads the argument, for clap.
pub(super) fn model_source(name: &str) -> Result<ModelSource, std::convert::Infallible> {
    Ok(ModelSource::named(name))
}

/// Fetches a model of the hub, with a progress bar a file.
///
/// # Errors
/// Those of [`ModelSource::fetched`].
pub(super) fn fetched(model: &ModelSource, quiet: bool) -> Result<ModelSource> {
    let bar = progress_bar(0, "bytes", quiet);
    let fetched = model.fetched(&|progress| match progress {
        Fetching::File { name, bytes } => {
            bar.reset();
            bar.set_length(bytes);
            bar.set_message(name.to_owned());
        }
        Fetching::Bytes(n) => bar.inc(n),
    });
    bar.finish_and_clear();
    fetched
}
