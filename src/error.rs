//! Everything that can go wrong in the library, as data: where it happened, what was found and what to do.

use std::path::PathBuf;

/// The library's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Every message is one sentence that names the place (file, row, hook point, shapes) and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "each variant says what its fields are in its message"
)]
pub enum Error {
    // ---- files -------------------------------------------------------------------------------------------------
    /// A path that was given does not exist.
    #[error("{}: no such file or folder; check the path", path.display())]
    NoSuchFile { path: PathBuf },
    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A file is not what its name or its header says.
    #[error("{}: {problem}", path.display())]
    Malformed { path: PathBuf, problem: String },
    /// An output folder or file is there already.
    #[error("{}: it exists already; give {advice} or another name", path.display())]
    OutputExists { path: PathBuf, advice: &'static str },

    // ---- data --------------------------------------------------------------------------------------------------
    /// A data file with a line that is not UTF-8 (lines count from 1).
    #[error("{}: line {line} is not valid UTF-8; save the file as UTF-8", path.display())]
    NotUtf8 { path: PathBuf, line: usize },
    /// A data file without rows.
    #[error("{}: the file has no rows; give a file with a header and at least one row", path.display())]
    NoRows { path: PathBuf },
    /// A column that is not there.
    #[error("{}: there is no column `{column}`{}; the columns are: {}", path.display(), did_you_mean(.column, .available), .available.join(", "))]
    NoSuchColumn {
        path: PathBuf,
        column: String,
        available: Vec<String>,
    },
    /// A cell that cannot be used (rows count from 0, as in the column `example` of a run).
    #[error("{}: row {row}, column `{column}`: {problem}", path.display())]
    BadCell {
        path: PathBuf,
        row: usize,
        column: String,
        problem: String,
    },
    /// A text that the tokenizer turns into something that the model cannot read.
    #[error("row {row}: {problem}")]
    BadText { row: usize, problem: String },
    /// A label that cannot be learned or a split that cannot be made.
    #[error("column `{column}`: {problem}")]
    BadLabel { column: String, problem: String },

    // ---- models ------------------------------------------------------------------------------------------------
    /// A model folder lacks a file.
    #[error("{}: the model folder has no {file}; it needs config.json, tokenizer.json and model.safetensors (or model.safetensors.index.json with its shards)", folder.display())]
    MissingModelFile { folder: PathBuf, file: String },
    /// A model folder without weights in any format that plumb reads.
    #[error("{}: the model folder has no weights that plumb reads (model.safetensors, model.safetensors.index.json with its shards, pytorch_model.bin, pytorch_model.bin.index.json with its shards); it holds {}; save the model with transformers' `save_pretrained`", folder.display(), listing(.found))]
    NoWeights { folder: PathBuf, found: Vec<String> },
    /// A model of the hub that could not be fetched.
    #[error("{model}: {problem}")]
    Hub { model: String, problem: String },
    /// A model folder without a tokenizer that plumb reads.
    #[error("{}: {problem}; in Python, transformers' AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER) writes tokenizer.json", folder.display())]
    NoTokenizer { folder: PathBuf, problem: String },
    /// A model folder without a sentence embedding that plumb computes.
    #[error("{}: --pool model gives the embedding of a sentence-transformers model, but {problem}; give --pool mean or another", folder.display())]
    NotPooled { folder: PathBuf, problem: String },
    /// A family that plumb does not know.
    #[error("{}: model_type `{found}` is not supported{}; supported are: {}", path.display(), did_you_mean(.found, .supported), .supported.join(", "))]
    UnsupportedFamily {
        path: PathBuf,
        found: String,
        supported: Vec<String>,
    },
    /// A field of config.json with a value that plumb does not implement.
    #[error("{}: `{field}` = {value} is not supported: {problem}", path.display())]
    UnsupportedConfig {
        path: PathBuf,
        field: String,
        value: String,
        problem: String,
    },
    /// A weight that the architecture needs is not in the file.
    #[error("{}: the weight `{name}` is missing; the file does not hold the model that config.json describes", path.display())]
    MissingWeight { path: PathBuf, name: String },
    /// A weight with another shape than config.json implies.
    #[error("{}: the weight `{name}` has shape {found:?} where config.json implies {expected:?}", path.display())]
    WrongShape {
        path: PathBuf,
        name: String,
        found: Vec<usize>,
        expected: Vec<usize>,
    },
    /// Weights that nothing reads: the numbers would not be the model's.
    #[error("{}: {} weight(s) are not part of the architecture that config.json describes, among them `{}`", path.display(), names.len(), names.first().map(String::as_str).unwrap_or(""))]
    UnusedWeights { path: PathBuf, names: Vec<String> },
    /// More tokens than the model has positions.
    #[error(
        "row {row}: {tokens} tokens, but the model reads at most {context}; leave --no-truncate out to cut long texts"
    )]
    TooLong {
        row: usize,
        tokens: usize,
        context: usize,
    },

    // ---- hook points -------------------------------------------------------------------------------------------
    /// A name that is no hook point in any model.
    #[error("`{name}` is not a hook point{}; sites are: {}", did_you_mean(.name, .sites), .sites.join(", "))]
    UnknownPoint { name: String, sites: Vec<String> },
    /// A hook point that this model does not have.
    #[error("this model has no hook point `{point}`: {reason}")]
    NoSuchPoint { point: String, reason: String },
    /// A hook returned, or was given, a tensor of another shape than the point has.
    #[error("hook point `{point}` has shape {expected:?}, but the tensor has shape {found:?}")]
    HookShape {
        point: String,
        expected: Vec<usize>,
        found: Vec<usize>,
    },

    // ---- runs and analyses -------------------------------------------------------------------------------------
    /// A run folder that cannot be used as asked.
    #[error("{}: {problem}", path.display())]
    BadRun { path: PathBuf, problem: String },
    /// A run that does not fit on its disk.
    #[error("{}: the run needs about {} and the disk has {} free; make room, give another --out, fewer --points, --pool or --dtype f16", path.display(), megabytes(*needed), megabytes(*free))]
    DiskTooSmall {
        path: PathBuf,
        needed: u64,
        free: u64,
    },
    /// The disk failed in the middle of a run.
    #[error(
        "{source}; {done} of {of} shards are written: put it right and give --resume to finish"
    )]
    Stopped {
        done: usize,
        of: usize,
        source: Box<Error>,
    },
    /// Somebody pressed Ctrl-C.
    #[error("{}: stopped, {done} of {of} shards are written; the same command with --resume finishes the run", path.display())]
    Interrupted {
        path: PathBuf,
        done: usize,
        of: usize,
    },
    /// A check at the start of a run failed: what would be stored is not what it claims to be.
    #[error("the run was not begun: {check}: {problem}")]
    Certificate {
        check: &'static str,
        problem: String,
    },
    /// A candidate that differs from its baseline by more than it may.
    #[error("the gate is closed: {failed} of {of} checks failed, the first is {first}")]
    GateClosed {
        failed: usize,
        of: usize,
        first: String,
    },
    /// A parameter out of its range.
    #[error("{name} = {value}: {problem}")]
    BadParameter {
        name: &'static str,
        value: String,
        problem: String,
    },
    /// A number that should be finite is not.
    #[error("{place}: the value is not finite ({value}); the weights or the input are damaged")]
    NotFinite { place: String, value: f64 },
    /// A chart could not be drawn.
    #[error("the chart could not be drawn: {0}")]
    Drawing(String),

    // ---- libraries ---------------------------------------------------------------------------------------------
    /// The tensor library refused an operation.
    #[error("tensor operation failed: {0}")]
    Candle(#[from] candle_core::Error),
    /// The Parquet library refused to read or write.
    #[error("{}: {source}", path.display())]
    Parquet {
        path: PathBuf,
        #[source]
        source: parquet::errors::ParquetError,
    },
}

impl Error {
    /// Wraps an I/O error with the path it happened at; "not found" becomes [`Error::NoSuchFile`].
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            std::io::ErrorKind::NotFound => Error::NoSuchFile { path },
            _ => Error::Io { path, source },
        }
    }

    /// True when the command line, not the world, is at fault: the process exits with 2 instead of 1.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Error::UnknownPoint { .. }
                | Error::NoSuchPoint { .. }
                | Error::NoSuchColumn { .. }
                | Error::BadParameter { .. }
                | Error::OutputExists { .. }
        )
    }
}

/// The candidate nearest to `word`, if one is near enough to be what was meant (Damerau-Levenshtein, at most a third of the word).
pub fn nearest_name<'a>(word: &str, candidates: &'a [String]) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .iter()
        .map(|c| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &c.to_lowercase()),
                c,
            )
        })
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, c)| c.as_str())
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn did_you_mean(word: &str, candidates: &[String]) -> String {
    nearest_name(word, candidates)
        .map(|c| format!(", did you mean `{c}`?"))
        .unwrap_or_default()
}

/// The first names of a folder's files.
fn listing(names: &[String]) -> String {
    const SHOWN: usize = 8;
    match names.len() {
        0 => "nothing".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_column_suggests_the_nearest() {
        let error = Error::NoSuchColumn {
            path: "data.csv".into(),
            column: "lable".into(),
            available: vec!["text".into(), "label".into()],
        };
        assert_eq!(
            error.to_string(),
            "data.csv: there is no column `lable`, did you mean `label`?; the columns are: text, label"
        );
    }

    #[test]
    fn a_far_name_suggests_nothing() {
        assert_eq!(
            nearest_name("sentiment", &["text".into(), "id".into()]),
            None
        );
    }
}
