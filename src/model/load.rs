//! A model in Hugging Face layout, loaded.

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::families::family_of;
use super::precision::{Precision, Rounded, Rounding};
use super::source::ModelSource;
use super::spec::{ArchSpec, Head};
use super::transformer::{Model, Transformer};
use super::weights::WeightMap;
use crate::error::{Error, Result};
use candle_core::DType;
use std::collections::BTreeMap;
use std::path::Path;

const CONFIG: &str = "config.json";

/// A model and where its numbers come from.
#[derive(Debug)]
pub struct LoadedModel {
    /// The model.
    pub model: Transformer,
    /// What it computes in.
    pub precision: Precision,
    /// The commit of a model that came from the hub.
    pub revision: Option<String>,
    /// SHA-256 of the weight files.
    pub weights_sha256: String,
    /// How many tensors are stored in each format (`{"F32": 5, "Q8_0": 15}`), for weights from a file of quantised ones.
    pub weights_format: BTreeMap<String, usize>,
    /// Numbers in all weights that the model uses, shared ones counted once.
    pub parameters: usize,
    /// Tensors of the files that the architecture does not use, and that are known to be harmless.
    pub ignored: Vec<String>,
}

/// Reads a `config.json` without its weights; `has` tells whether the checkpoint has a weight of a (foreign) name.
///
/// # Errors
/// As [`load`], for the configuration.
pub fn read_spec(path: &Path, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    parse_spec(path, &bytes, has)
}

fn parse_spec(
    path: &Path,
    bytes: &[u8],
    has: &dyn Fn(&str) -> bool,
) -> Result<(ArchSpec, WeightMap)> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Malformed {
        path: path.to_owned(),
        problem: "not valid UTF-8".to_owned(),
    })?;
    let config = Config::parse(path, text)?;
    (family_of(&config)?.read)(&config, has)
}

/// Loads `config.json` and the weights, in f32. A model of the hub is fetched before.
///
/// # Errors
/// A folder or file that is not there, a family or a switch that is not implemented, a checkpoint that is damaged or does
/// not hold what the configuration describes: each has its own variant of [`Error`], with the name of the file and field.
pub fn load(source: &ModelSource) -> Result<LoadedModel> {
    load_in(source, Precision::F32)
}

/// As [`load`], with weights and stream in a precision.
///
/// # Errors
/// As [`load`], and [`Error::BadParameter`] for a weight that the precision does not hold.
pub fn load_in(source: &ModelSource, precision: Precision) -> Result<LoadedModel> {
    load_rounded(source, Rounding::To(precision))
}

/// As [`load`], with weights rounded in one of several ways.
///
/// # Errors
/// As [`load_in`].
pub fn load_rounded(source: &ModelSource, rounding: Rounding) -> Result<LoadedModel> {
    let source = &source.fetched(&|_| {})?;
    source.check()?;
    let path = source.path(CONFIG);
    let config = source.read(CONFIG)?;
    // The family is checked before the weights are looked for: an unsupported model is refused for the right reason.
    parse_spec(&path, &config, &|_| true)?;
    let checkpoint = Checkpoint::open(source)?;
    let (spec, map) = parse_spec(&path, &config, &|name| checkpoint.has(name))?;
    let mut checkpoint = checkpoint.named_by(map);
    let mut rounded = Rounded {
        weights: &mut checkpoint,
        rounding,
    };
    let model = Transformer::build(spec, &mut rounded)?;
    let parameters = checkpoint.parameters();
    refuse_untied_twin(&path, &model, &mut checkpoint, rounding)?;
    Ok(LoadedModel {
        parameters,
        precision: rounding.precision(),
        revision: source.revision().map(str::to_owned),
        ignored: checkpoint.finish()?,
        weights_sha256: checkpoint.sha256()?,
        weights_format: checkpoint.quantised(),
        model,
    })
}

/// A tied head whose checkpoint holds a matrix of its own: fine if it is the embedding, but another one would say that
/// the configuration is wrong about this file.
fn refuse_untied_twin(
    config: &Path,
    model: &Transformer,
    checkpoint: &mut Checkpoint,
    rounding: Rounding,
) -> Result<()> {
    let tied = matches!(model.spec().head, Head::Lm { tied: true, .. });
    let Some(twin) = checkpoint.unembedding().filter(|_| tied) else {
        return Ok(());
    };
    let own = checkpoint.read(&twin)?.to_dtype(DType::F32)?;
    let own = rounding.round(&own)?;
    let differs = own.dims() != model.embedding().dims()
        || own
            .ne(model.embedding())?
            .flatten_all()?
            .max(0)?
            .to_scalar::<u8>()?
            != 0;
    match differs {
        false => Ok(()),
        true => Err(Error::UnsupportedConfig {
            path: config.to_owned(),
            field: "tie_word_embeddings".to_owned(),
            value: "true".to_owned(),
            problem: format!("the weights hold `{twin}`, which differs from the embeddings"),
        }),
    }
}
