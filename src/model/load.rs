//! A model folder in Hugging Face layout, loaded.

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::families::family_of;
use super::spec::{ArchSpec, Head};
use super::transformer::Transformer;
use super::weights::WeightMap;
use crate::error::{Error, Result};
use std::path::Path;

/// A model and where its numbers come from.
#[derive(Debug)]
pub struct LoadedModel {
    /// The model.
    pub model: Transformer,
    /// SHA-256 of the weight files.
    pub weights_sha256: String,
    /// Tensors of the files that the architecture does not use, and that are known to be harmless.
    pub ignored: Vec<String>,
}

/// Reads a `config.json` without its weights; `has` tells whether the checkpoint has a weight of a (foreign) name.
///
/// # Errors
/// As [`load`], for the configuration.
pub fn read_spec(path: &Path, has: &dyn Fn(&str) -> bool) -> Result<(ArchSpec, WeightMap)> {
    let text = std::fs::read_to_string(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => Error::Malformed {
            path: path.to_owned(),
            problem: "not valid UTF-8".to_owned(),
        },
        _ => Error::io(path, e),
    })?;
    let config = Config::parse(path, &text)?;
    (family_of(&config)?.read)(&config, has)
}

/// Loads `config.json` and `model.safetensors` (or the shards of its index) from a folder, in f32.
///
/// # Errors
/// A folder or file that is not there, a family or a switch that is not implemented, a checkpoint that is damaged or does
/// not hold what the configuration describes: each has its own variant of [`Error`], with the name of the file and field.
pub fn load(folder: &Path) -> Result<LoadedModel> {
    if !folder.is_dir() {
        return Err(Error::NoSuchFile {
            path: folder.to_owned(),
        });
    }
    let config = folder.join("config.json");
    if !config.is_file() {
        return Err(Error::MissingModelFile {
            folder: folder.to_owned(),
            file: "config.json".to_owned(),
        });
    }
    // The family is checked before the weights are looked for: an unsupported model is refused for the right reason.
    read_spec(&config, &|_| true)?;
    let checkpoint = Checkpoint::open(folder)?;
    let (spec, map) = read_spec(&config, &|name| checkpoint.has(name))?;
    let mut checkpoint = checkpoint.named_by(map);
    let model = Transformer::build(spec, &mut checkpoint)?;
    refuse_untied_twin(&config, model_head(&model), &model, &mut checkpoint)?;
    Ok(LoadedModel {
        ignored: checkpoint.finish()?,
        weights_sha256: checkpoint.sha256()?,
        model,
    })
}

fn model_head(model: &Transformer) -> Head {
    use super::transformer::Model;
    model.spec().head
}

/// A tied head whose checkpoint holds a matrix of its own: fine if it is the embedding, but another one would say that
/// the configuration is wrong about this file.
fn refuse_untied_twin(
    config: &Path,
    head: Head,
    model: &Transformer,
    checkpoint: &mut Checkpoint,
) -> Result<()> {
    let tied = matches!(
        head,
        Head::Lm { tied: true } | Head::MaskedLm { tied: true }
    );
    let Some(twin) = checkpoint.unembedding().filter(|_| tied) else {
        return Ok(());
    };
    let own = checkpoint.read(&twin)?;
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
